"""Run notebooks and keep what they show: ``python docs/notebooks/run.py [NAME …]`` writes the outputs into the files.

The test of the notebooks runs them in the same way, and compares what they print with what the files hold.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
# Seconds that a cell may take.
_LIMIT = 300
# Takes away the names of the notebook before, and a warning of tqdm about widgets, which have no use here.
_CLEAR = "%reset -f\n__import__('warnings').filterwarnings('ignore', message='IProgress')"
# Where a warning came from: a path of this machine.
_PLACE = re.compile(r"\S*ipykernel_\S+:\d+: ")


@contextmanager
def start_kernel() -> Iterator[Any]:
    """A Python process for notebooks; it serves several, since most of the time of a short one is imports."""
    from jupyter_client.manager import KernelManager

    kernel = KernelManager(kernel_name="python3")
    environment = {**os.environ, "MPLBACKEND": "module://matplotlib_inline.backend_inline"}  # figures are outputs of cells
    kernel.start_kernel(extra_arguments=["--log-level=ERROR"], env=environment)
    try:
        yield kernel
    finally:
        kernel.shutdown_kernel(now=True)


def run_notebook(path: Path, kernel: Any) -> Any:
    """The executed notebook; raises ``CellExecutionError`` with the traceback of the first cell that fails."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(_CLEAR))
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, km=kernel, timeout=_LIMIT, resources=resources).execute()
    notebook.cells.pop(0)
    for count, cell in enumerate((each for each in notebook.cells if each.cell_type == "code"), start=1):
        _strip(cell, count)
    return notebook


def _strip(cell: Any, count: int) -> None:
    """Take away what differs from run to run: times of day, paths, and the count of cells of notebooks before."""
    cell.metadata.pop("execution", None)
    cell.execution_count = count
    merged: list[Any] = []
    for output in cell.outputs:
        before = merged[-1] if merged else None
        if output.output_type == "stream" and before is not None and before.get("name") == output.name:
            before.text += output.text  # one text that arrived in pieces
        else:
            merged.append(output)
    cell.outputs = merged
    for output in merged:
        if "execution_count" in output:
            output.execution_count = count
        if output.output_type == "stream":
            output.text = _PLACE.sub("", output.text)


def main(names: list[str]) -> None:
    """Run the notebooks of these names, or all, and write them."""
    import nbformat

    with start_kernel() as kernel:
        for path in sorted(FOLDER.glob("*.ipynb")):
            if not names or path.stem in names:
                nbformat.write(run_notebook(path, kernel), path)


if __name__ == "__main__":
    main(sys.argv[1:])
