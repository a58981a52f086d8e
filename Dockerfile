# The service alone: no compiler, no package installer, no training libraries, not root.
#
#   docker build --tag complication-risk .
#   docker run --publish 8000:8000 --read-only --tmpfs /tmp --volume risk-var:/var/lib/risk \
#       --env RISK_HOST=0.0.0.0 --env RISK_TENANTS_FILE=/etc/risk/tenants.toml \
#       --volume ./tenants.toml:/etc/risk/tenants.toml:ro complication-risk
#
# Without a way to authenticate callers (tenants file, or `risk-serve keys create`) the service listens
# on the loopback address only and refuses any other: a published port would lead nowhere.
#
# State is in /var/lib/risk: model cache, the ledger (SQLite, unless RISK_DATABASE_URL names a
# PostgreSQL), the secrets (keys.toml; back them up apart from the ledger), and MLflow's SQLite
# registry unless MLFLOW_TRACKING_URI names a server. Nothing else is written to but /tmp.

FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements.lock requirements-serve.lock ./
# The environment that is shipped has no pip: the build stage's own pip fills it.
RUN python -m venv --without-pip /opt/risk \
    && python -m pip --python /opt/risk/bin/python install --no-cache-dir --compile \
        --require-hashes --requirement requirements-serve.lock
# The build backend stays in this stage: its lines of the full lock, hashes included.
RUN awk '/^[^ ]/ { wanted = /^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers|vl-convert-python)==/ } wanted' \
        requirements.lock > backend.lock \
    && python -m venv /opt/backend \
    && /opt/backend/bin/python -m pip install --no-cache-dir --require-hashes --no-deps \
        --requirement backend.lock
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY app app
COPY models models
COPY monitoring monitoring
COPY training training
RUN /opt/backend/bin/python -m pip wheel --no-cache-dir --no-deps --no-build-isolation \
        --wheel-dir dist . \
    && python -m pip --python /opt/risk/bin/python install --no-cache-dir --compile --no-deps \
        dist/*.whl

FROM python:3.11-slim
COPY --from=build /opt/risk /opt/risk
# The folder belongs to the user before it becomes a volume: a new volume takes that over.
RUN install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/risk
ENV PATH=/opt/risk/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    RISK_VAR_DIR=/var/lib/risk
VOLUME /var/lib/risk
WORKDIR /var/lib/risk
USER 10001:10001
EXPOSE 8000
# Alive, not ready: a restart does not cure an empty registry, and /readyz is for who sends traffic.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen('http://127.0.0.1:' + os.environ.get('RISK_PORT', '8000') + '/livez', timeout=4)"]
ENTRYPOINT ["risk-serve"]
CMD ["run"]
