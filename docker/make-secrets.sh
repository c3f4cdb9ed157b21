#!/bin/sh
# Makes the secrets that compose.yaml reads, one a file; what is there already stays as it is.
#   sh docker/make-secrets.sh [FOLDER]
set -eu
folder=${1:-secrets}
# In a pipe its absence would be an empty secret.
command -v openssl >/dev/null || { echo "openssl is needed; on Debian: apt-get install openssl" >&2; exit 1; }
mkdir -p "$folder"
chmod 700 "$folder" # nobody else on this host gets in; containers see single files, under users of their own
cd "$folder"

keep() { # NAME: what comes by stdin becomes the secret, unless there is one
  if [ ! -s "$1" ]; then
    cat > "$1"
    chmod 444 "$1"
  fi
}

for name in postgres_password openshelf_password storefront_password dataflow_password airflow_password \
  openshelf_secret openshelf_metrics_token airflow_api_secret airflow_jwt_secret pgadmin_password; do
  openssl rand -hex 32 | tr -d '\n' | keep "$name"
done
openssl rand -base64 32 | tr '+/' '-_' | tr -d '\n' | keep airflow_fernet_key

for name in openshelf storefront dataflow; do
  printf 'postgresql://%s:%s@postgres:5432/openshelf' "$name" "$(cat "${name}_password")" | keep "${name}_database_url"
done
airflow="airflow:$(cat airflow_password)@postgres:5432/airflow"
printf 'postgresql+psycopg://%s' "$airflow" | keep airflow_database_url
printf 'postgresql+psycopg_async://%s' "$airflow" | keep airflow_database_url_async
