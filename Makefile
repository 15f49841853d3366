# Each target sets up what it needs in .venv; the stamps make a second run start at once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Headless everywhere, and one cache for compiled kernels.
export MPLBACKEND := Agg
# Modules are compiled once, not in each of the processes that tests start.
export PYTHONDONTWRITEBYTECODE :=
# Two processes run tests, each file in one of them, the longest first (tests/conftest.py): BLAS threads of their own would
# only wait for each other.
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -q -rs -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo test unit test-slow test-engines floors test-core test-min lint docs clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[cli]'
	touch $@

$(VENV)/.test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[cli,excel,onnx,server,shap,sql,terminal]' --group test
	touch $@

demo: $(VENV)/.demo
	$(BIN)/instashap demo --out demo-out

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/mypy

test: lint unit

unit: $(VENV)/.test
	$(PYTEST) -m "not slow"

# What takes long and is covered in part by shorter tests: compiled nets, notebooks, the longest guides.
test-slow: $(VENV)/.test
	$(PYTEST) -m slow

# Clusters on this machine, Java for Spark: fits on workers, one of which is killed. Minutes.
$(VENV)/.engines: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --group engines
	touch $@

test-engines: $(VENV)/.engines
	INSTASHAP_ENGINES=1 PYSPARK_PYTHON=$(CURDIR)/$(BIN)/python OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -rs tests/distributed tests/export/test_mlflow.py

# Floors of accuracy again, under the BLAS kernels of two kinds of processor: all but this processor's own, under which `test`
# runs them. Where the processor lacks a kernel's instructions, OpenBLAS takes another, or its first product ends the process:
# then there is nothing to test.
FLOORS := tests/truth/test_truth.py tests/trust/test_masked.py tests/likelihood/test_presence.py
KERNELS := Haswell SkylakeX
FIND_KERNEL := import numpy, threadpoolctl; a = numpy.eye(500) + 1; numpy.linalg.cholesky(a @ a); print(*(each.get("architecture") for each in threadpoolctl.threadpool_info()))
floors: $(VENV)/.test
	@own=$$($(BIN)/python -c '$(FIND_KERNEL)'); \
	for kernel in $(KERNELS); do \
		case "$$own" in *$$kernel*) echo "the kernel $$kernel is this processor's own: make test runs the floors"; continue;; esac; \
		found=$$(OPENBLAS_CORETYPE=$$kernel $(BIN)/python -c '$(FIND_KERNEL)' || true); \
		case "$$found" in \
			*$$kernel*) echo "floors under the kernel $$kernel"; \
				OPENBLAS_CORETYPE=$$kernel $(PYTEST) --dist worksteal $(FLOORS) -k "floor or met or exact or sum" || exit 1;; \
			*) echo "floors under the kernel $$kernel are skipped: this processor does not run it";; \
		esac; \
	done

# The site, in site/: pictures of the gallery are drawn on the way, and any warning is an error.
$(VENV)/.docs: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[docs]' --group docs
	touch $@

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# The core requirements alone, without any extra: import, fit, explain, save, load, export.
test-core:
	$(PYTHON) -m venv .venv-core
	.venv-core/bin/python -m pip install --quiet --upgrade pip
	.venv-core/bin/python -m pip install --quiet -e .
	.venv-core/bin/python -W error .ci/core.py

# The oldest stated versions of the core requirements, in an environment of their own; all tests, or those of MIN_TESTS.
# Modules are compiled as they are imported, which here may warn.
MIN_TESTS ?=
.venv-min/.ready: pyproject.toml
	$(PYTHON) -m venv .venv-min
	.venv-min/bin/python -m pip install --quiet --upgrade pip
	.venv-min/bin/python -m pip install --quiet --no-compile -e '.[cli,shap]' pytest pytest-xdist interpret-core 'numpy==2.0.*' 'pandas==2.2.*' 'scikit-learn==1.6.*' 'scipy==1.13.*'
	touch $@

test-min: .venv-min/.ready
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 .venv-min/bin/python -m pytest -q -rs -n 2 --dist loadfile -W default $(MIN_TESTS)

clean:
	rm -rf $(VENV) .venv-min .venv-core demo-out site docs/images/gallery
