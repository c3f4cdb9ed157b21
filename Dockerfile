# One image for every part of Openshelf: storefront, dataflow, relay, commands, Airflow.
FROM python:3.11.13-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /opt/openshelf
RUN python -m venv /opt/venv
# The largest layer first: it changes least.
COPY constraints.txt ./
RUN /opt/venv/bin/pip install torch==2.13.0 --constraint constraints.txt
COPY pyproject.toml README.md LICENSE ./
COPY openshelf openshelf
COPY ingest ingest
COPY models models
COPY streaming streaming
COPY dashboard dashboard
# Editable: pages, static files and the dbt project are used where they lie.
RUN /opt/venv/bin/pip install --editable '.[airflow]' --constraint constraints.txt

FROM python:3.11.13-slim-bookworm AS runtime
RUN useradd --uid 10001 --create-home openshelf \
    && install -d -o openshelf -g openshelf /var/lib/openshelf /var/lib/airflow /library
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/openshelf /opt/openshelf
COPY dags /opt/openshelf/dags
COPY dbt /opt/openshelf/dbt
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HF_HUB_OFFLINE=1 \
    DBT_SEND_ANONYMOUS_USAGE_STATS=false \
    DO_NOT_TRACK=1 \
    OPENSHELF_HOME=/var/lib/openshelf \
    AIRFLOW_HOME=/var/lib/airflow
WORKDIR /opt/openshelf
USER openshelf
CMD ["openshelf", "doctor"]
