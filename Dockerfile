# Explanations over HTTP from a saved explainer, which is mounted: docs/deploy.md.
#   docker build --tag instashap .
#   docker run --publish 127.0.0.1:8000:8000 --volume "$PWD/explainer.insta:/srv/explainer.insta:ro" instashap --workers 4

FROM python:3.13-slim AS build
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN python -m pip wheel --no-cache-dir --wheel-dir /wheels '.[server]'

FROM python:3.13-slim
# Packages come from the first stage, so that this one has no build tools and no network.
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    python -m pip install --no-cache-dir --no-index --find-links /wheels 'instashap[server]' \
    && useradd --system --uid 10001 --create-home instashap
USER 10001
WORKDIR /srv
# Kernels are compiled into the home folder now, and again at the first start on another kind of processor.
ENV NUMBA_CACHE_DIR=/home/instashap/kernels PYTHONUNBUFFERED=1
RUN ["python", "-c", "import instashap; instashap.warm_up()"]
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
ENTRYPOINT ["instashap", "serve", "/srv/explainer.insta", "--host", "0.0.0.0", "--port", "8000"]
