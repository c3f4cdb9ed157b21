#!/bin/sh
# After `docker compose up --wait`: an act goes the whole way, and the image has no shell.
#   sh docker/smoke-test.sh
set -eu
compose="docker compose --env-file compose.env"
. ./compose.env

curl --fail --silent --show-error "http://127.0.0.1:${OPENSHELF_PORT:-8501}/readyz" >/dev/null
$compose exec -T app openshelf act visit --json
for try in $(seq 60); do
  waiting=$($compose exec -T app openshelf stream lag --json | tr -d ' \n' | grep -o '"count_waiting":[1-9]' || true)
  [ -z "$waiting" ] && break
  [ "$try" = 60 ] && { echo "the act was not taken within a minute"; exit 1; }
  sleep 1
done
$compose exec -T relay openshelf stream health relay --here
$compose exec -T dataflow openshelf stream health sessions --here
$compose exec -T airflow-scheduler airflow dags list --output plain | grep -q build_warehouse
if $compose exec -T app sh -c true 2>/dev/null; then echo "the image has a shell"; exit 1; fi
echo "the installation works"
