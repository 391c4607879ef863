# The worker, the emulator and the demo in one image: `docker build -t customerio-pipelines-worker .`
#
# The base is pinned by tag. To pin it by digest as well, look it up once and append it to PYTHON_IMAGE:
#   docker buildx imagetools inspect python:3.13.16-slim-trixie --format '{{.Manifest.Digest}}'
#   docker build --build-arg PYTHON_IMAGE=python:3.13.16-slim-trixie@sha256:... .
ARG PYTHON_IMAGE=python:3.13.16-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
# Every file that is used is one whose hash stands in requirements.lock ...
COPY requirements.lock ./
RUN python -m pip wheel --quiet --no-deps --only-binary :all: --require-hashes \
        --requirement requirements.lock --wheel-dir /wheels
# ... and of those only what the worker needs to run is installed: no test tools, nothing from an index.
COPY pyproject.toml README.md LICENSE ./
COPY worker ./worker
COPY config ./config
COPY docs ./docs
RUN python -m venv /venv \
    && /venv/bin/python -m pip install --quiet --no-index --find-links /wheels '.[all]' \
    && /venv/bin/python -m pip uninstall --quiet --yes pip

FROM ${PYTHON_IMAGE}
# docker build --build-arg VERSION=1.2.3 --build-arg REVISION="$(git rev-parse HEAD)" .
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="customerio-pipelines-worker" \
      org.opencontainers.image.description="Moves domain events from Kafka into the Customer.io Pipelines API" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.url="https://git.example/customerio-pipelines-worker" \
      org.opencontainers.image.source="https://git.example/customerio-pipelines-worker" \
      org.opencontainers.image.documentation="https://git.example/customerio-pipelines-worker/blob/main/docs/deploying.md" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin worker
COPY --from=build /venv /venv
WORKDIR /app
COPY config ./config
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    WORKER_CONFIG=/app/config/worker.yaml \
    WORKER__HTTP__LISTEN=0.0.0.0:8080 \
    WORKER__TELEMETRY__LOG_FORMAT=json
USER 10001:10001
EXPOSE 8080
# /livez only: a worker that waits an outage out is not ready and is not to be restarted.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/livez', timeout=2)"]
# The exec form, so that SIGTERM reaches the worker and it drains. Give it delivery.shutdown_timeout and a bit:
# docker stop --timeout 45
ENTRYPOINT ["pipelines-worker"]
CMD ["run"]
