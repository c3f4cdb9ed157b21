# Two images of one code: `runtime` for storefront, dataflow, relay and commands, without a shell; `airflow`, whose tasks
# are shell lines.
FROM python:3.11.13-slim-bookworm AS build
# Where pip finds a `torch` wheel for processors alone, if the usual index offers only the large one for graphics cards.
ARG TORCH_INDEX=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /opt/openshelf
RUN python -m venv /opt/venv
# The largest layer first: it changes least.
COPY constraints.txt ./
RUN /opt/venv/bin/pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch==2.13.0 --constraint constraints.txt
COPY pyproject.toml README.md LICENSE ./
COPY openshelf openshelf
COPY ingest ingest
COPY models models
COPY streaming streaming
COPY dashboard dashboard
# Editable: pages, static files and the dbt project are used where they lie.
RUN /opt/venv/bin/pip install --editable . --constraint constraints.txt

FROM build AS build-airflow
RUN /opt/venv/bin/pip install --editable '.[airflow]' --constraint constraints.txt

FROM python:3.11.13-slim-bookworm AS base
RUN useradd --uid 10001 --create-home openshelf \
    && install -d -o openshelf -g openshelf /var/lib/openshelf /var/lib/airflow /library
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HF_HUB_OFFLINE=1 \
    DBT_SEND_ANONYMOUS_USAGE_STATS=false \
    DO_NOT_TRACK=1 \
    OPENSHELF_HOME=/var/lib/openshelf
WORKDIR /opt/openshelf

FROM base AS airflow
COPY --from=build-airflow /opt/venv /opt/venv
COPY --from=build-airflow /opt/openshelf /opt/openshelf
COPY dags /opt/openshelf/dags
COPY dbt /opt/openshelf/dbt
ENV AIRFLOW_HOME=/var/lib/airflow
USER openshelf
CMD ["airflow", "version"]

FROM base AS runtime
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/openshelf /opt/openshelf
COPY dbt /opt/openshelf/dbt
# The last thing that a shell could have done here.
RUN ["rm", "-f", "/bin/sh", "/bin/bash", "/bin/dash"]
USER openshelf
CMD ["openshelf", "doctor"]
