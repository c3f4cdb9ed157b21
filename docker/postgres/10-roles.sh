#!/bin/sh
# Runs once, when the data volume is empty: who signs in to Postgres, and what for. No service uses the superuser.
set -eu
secrets=${SECRETS:-/run/secrets}
psql --username "${POSTGRES_USER:-postgres}" --dbname "${POSTGRES_DB:-postgres}" --quiet --set ON_ERROR_STOP=1 \
  --set owner="$(cat "$secrets/openshelf_password")" \
  --set storefront="$(cat "$secrets/storefront_password")" \
  --set dataflow="$(cat "$secrets/dataflow_password")" \
  --set airflow="$(cat "$secrets/airflow_password")" <<'SQL'
create role openshelf_pages nologin;
create role openshelf_storefront nologin;
create role openshelf_dataflow nologin;
grant openshelf_pages to openshelf_storefront;

-- Owns the tables: migrations, and the commands that the schedule runs.
create role openshelf login password :'owner';
grant openshelf_pages to openshelf;
create role storefront login password :'storefront' in role openshelf_storefront;
create role dataflow login password :'dataflow' in role openshelf_dataflow;
create role airflow login password :'airflow';

create database openshelf owner openshelf;
create database airflow owner airflow;
revoke all on database openshelf, airflow from public;
grant connect, temporary on database openshelf to openshelf_storefront, openshelf_dataflow;
\connect openshelf
create extension vector;
grant create on schema public to openshelf;
SQL
