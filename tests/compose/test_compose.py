"""compose.yaml without an engine: the schema, and that every reference in it leads somewhere."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from openshelf.cli import COMMANDS
from openshelf.database import embeddings
from openshelf.settings import PREFIX, Settings, example

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
JOBS = {name for name, service in SERVICES.items() if service.get("restart") == "no"}
DOCKERFILE = (ROOT / "Dockerfile").read_text()
each_service = pytest.mark.parametrize("name", SERVICES)


def test_the_file_fits_the_compose_specification() -> None:
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("check-jsonschema")),
            "--builtin-schema",
            "vendor.compose-spec",
            str(ROOT / "compose.yaml"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stdout


def test_every_part_of_the_installation_is_there() -> None:
    airflow = {f"airflow-{part}" for part in ("init", "api-server", "scheduler", "dag-processor", "triggerer")}

    ours = {"migrate", "app", "dataflow", "relay"}
    assert set(SERVICES) == ours | airflow | {
        "postgres",
        "redpanda",
        "console",
        "ollama",
        "ollama-model",
        "calibre-web",
        "pgadmin",
    }
    assert {"migrate", "airflow-init", "ollama-model"} == JOBS


@each_service
def test_what_a_service_waits_for_exists_and_can_come_true(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        assert other in SERVICES
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        if how["condition"] == "service_completed_successfully":
            assert other in JOBS
        # A service that always runs must not wait for one that may be off.
        assert set(SERVICES[other].get("profiles", [])) <= set(SERVICES[name].get("profiles", []))


@each_service
def test_volumes_and_networks_are_declared_and_files_exist(name: str) -> None:
    service = SERVICES[name]
    assert set(service["networks"]) <= set(COMPOSE["networks"])
    for volume in service.get("volumes", []):
        if isinstance(volume, dict):
            assert volume["type"] == "bind"
            # We only ever read the library; Calibre-Web is there to write it.
            assert volume.get("read_only", False) is (name != "calibre-web")
            continue
        source, target = volume.split(":")[:2]
        assert target.startswith("/")
        if source.startswith("."):
            assert (ROOT / source).exists()
            assert volume.endswith(":ro")
        else:
            assert source in COMPOSE["volumes"]


def test_every_declared_volume_and_network_is_used() -> None:
    sources = {
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if isinstance(volume, str)
    }

    assert set(COMPOSE["volumes"]) == {source for source in sources if not source.startswith(".")}
    assert set(COMPOSE["networks"]) == {network for service in SERVICES.values() for network in service["networks"]}


@each_service
def test_images_are_pinned(name: str) -> None:
    image = SERVICES[name]["image"]

    assert re.search(r":v?\d+\.\d+\.\d+", image), image
    assert "latest" not in image


@each_service
def test_what_we_build_has_its_target(name: str) -> None:
    build = SERVICES[name].get("build")
    if build is None:
        assert not SERVICES[name]["image"].startswith("openshelf")
        return
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    suffix = {"runtime": "", "airflow": "-airflow"}[build["target"]]
    assert SERVICES[name]["image"] == f"openshelf{suffix}:{version}"
    assert (ROOT / build["context"] / "Dockerfile").exists()
    assert re.search(rf"^FROM \S+ AS {build['target']}$", DOCKERFILE, re.MULTILINE)


@each_service
def test_services_are_limited_unprivileged_and_watched(name: str) -> None:
    service = SERVICES[name]
    limits = service["deploy"]["resources"]["limits"]

    assert float(limits["cpus"]) > 0
    assert re.fullmatch(r"\d+[MG]", limits["memory"])
    if name == "calibre-web":  # its image starts as root, with no more rights than to give up those
        assert int(service["environment"]["PUID"]) > 0
        assert service["cap_drop"] == ["ALL"]
        assert set(service["cap_add"]) <= {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}
    else:
        assert int(service["user"].split(":")[0]) > 0
        assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "pgadmin" else [])
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged")
    if name not in JOBS:
        assert service["healthcheck"]["test"]
        assert service["restart"] == "unless-stopped"


@each_service
def test_what_a_service_says_does_not_fill_the_disk(name: str) -> None:
    assert SERVICES[name]["logging"]["driver"] == "json-file"
    assert set(SERVICES[name]["logging"]["options"]) == {"max-size", "max-file"}


def test_nothing_is_told_to_those_who_made_what_we_run() -> None:
    assert "--set=redpanda.enable_metrics_reporter=false" in SERVICES["redpanda"]["command"]
    assert SERVICES["console"]["environment"]["ANALYTICS_ENABLED"] == "false"
    assert SERVICES["pgadmin"]["environment"]["PGADMIN_CONFIG_UPGRADE_CHECK_ENABLED"] == "False"
    assert SERVICES["airflow-scheduler"]["environment"]["AIRFLOW__USAGE_DATA_COLLECTION__ENABLED"] == "False"
    assert SERVICES["airflow-scheduler"]["environment"]["AIRFLOW__COSMOS__ENABLE_TELEMETRY"] == "False"


def test_pgadmin_knows_both_databases_and_no_password() -> None:
    text = (ROOT / "docker" / "pgadmin" / "servers.json").read_text()
    servers = json.loads(text)["Servers"].values()
    roles = (ROOT / "docker" / "postgres" / "10-roles.sh").read_text()

    assert {server["MaintenanceDB"] for server in servers} == set(re.findall(r"create database (\w+)", roles))
    assert all(f"create role {server['Username']} login" in roles for server in servers)
    assert {server["Host"] for server in servers} <= set(SERVICES)
    assert "pass" not in text.lower()


def test_an_index_is_made_within_the_shared_memory_of_postgres() -> None:
    """pgvector takes all it may have of it at once, and Postgres says then that the disk is full."""
    assert SERVICES["postgres"]["shm_size"] == "1g"
    assert 2 * embeddings.INDEX_MEMORY_MB <= 1_024


@each_service
def test_ports_are_published_on_loopback_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:")
    if name in {"postgres", "redpanda", "ollama"}:
        assert not SERVICES[name].get("ports")


def test_the_broker_runs_as_in_production() -> None:
    words = " ".join(SERVICES["redpanda"]["command"])

    assert "dev-container" not in TEXT
    assert "--mode" not in words
    assert "unsafe" not in words


def test_postgres_keeps_its_data_where_version_18_puts_it() -> None:
    assert "postgres:/var/lib/postgresql" in SERVICES["postgres"]["volumes"]


@each_service
def test_our_settings_are_known_ones(name: str) -> None:
    given = {key for key in SERVICES[name].get("environment", {}) if key.startswith(PREFIX)}

    assert given <= {PREFIX + field.upper() for field in Settings.model_fields}


# What a service has a place of its own for.
PLACES = {"home", "calibre_library", "embedding_model", "log_format", "host", "port", "demo_readers"}
# The broker is the one beside; another one: docs/operations.md.
BROKER = {name for name in Settings.model_fields if name.startswith("broker")}
SECRETS = {"database_url", "secret", "metrics_token", "alert_webhook", "smtp_url", "wandb_key"}


@pytest.mark.parametrize("name", ["migrate", "app", "relay", "dataflow", "airflow-scheduler"])
def test_what_an_operator_sets_reaches_every_part(name: str) -> None:
    """A setting that stops at the engine would be one that nobody misses: accounts stay open, data stays longer."""
    environment = SERVICES[name]["environment"]
    passed_on = {f"{PREFIX}{field.upper()}" for field in set(Settings.model_fields) - PLACES - BROKER - SECRETS}

    assert {key for key in environment if f"${{{key}:-" in str(environment[key])} >= passed_on
    documented = dict(re.findall(r"^#(\w+)=(.*)$", (ROOT / "compose.env.example").read_text(), re.MULTILINE))
    ours = dict(re.findall(r"^#(\w+)=(.*)$", example(), re.MULTILINE))
    of_compose = {f"{PREFIX}OLLAMA_URL"}
    assert {key: documented[key] for key in passed_on - of_compose} == {
        key: ours[key] for key in passed_on - of_compose
    }


def test_additions_that_the_page_shows_are_to_services_that_are_there() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    additions = [block for block in blocks if "services" in block]

    assert len(additions) == 2
    for addition in additions:
        assert set(addition["services"]) <= set(SERVICES)
        for service in addition["services"].values():
            named = {secret if isinstance(secret, str) else secret["source"] for secret in service["secrets"]}
            assert named <= set(addition["secrets"])


@each_service
def test_our_commands_exist(name: str) -> None:
    checks = SERVICES[name].get("healthcheck", {}).get("test", [])
    for words in (SERVICES[name].get("command", []), checks[1:]):
        if words and words[0] == "openshelf":
            assert words[1] in COMMANDS
        if words and words[0] == "streamlit":
            assert (ROOT / words[2]).exists()


def test_every_variable_has_a_default_or_says_that_it_is_missing_and_is_documented() -> None:
    used = re.findall(r"(?<!\$)\$\{(\w+)(:[-?][^}]+)?\}", TEXT)
    documented = (ROOT / "compose.env.example").read_text()

    assert len(used) > 10
    for variable, otherwise in used:
        assert otherwise, variable
        assert re.search(rf"^#?{variable}=", documented, re.MULTILINE), variable
    assert not re.search(r"\$\w", TEXT)


def test_secrets_are_files_that_are_made_by_the_script_and_used(tmp_path: Path) -> None:
    subprocess.run(["sh", str(ROOT / "docker" / "make-secrets.sh"), str(tmp_path / "secrets")], check=True)
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    named = [
        secret if isinstance(secret, str) else secret["source"]
        for service in SERVICES.values()
        for secret in service.get("secrets", [])
    ]
    of_service = {name: f"${{OPENSHELF_SECRETS:-./secrets}}/{name}" for name in COMPOSE["secrets"]}

    assert set(made) == set(COMPOSE["secrets"]) == set(named)
    assert {name: secret["file"] for name, secret in COMPOSE["secrets"].items()} == of_service
    assert all(len(text) >= 32 and text.strip() == text for text in made.values())
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    # A second time it makes nothing new.
    subprocess.run(["sh", str(ROOT / "docker" / "make-secrets.sh"), str(tmp_path / "secrets")], check=True)
    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == made


def test_secrets_are_not_made_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for tool in ("mkdir", "chmod", "cat", "tr", "sh"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or "")
    done = subprocess.run(
        [str(tmp_path / "bin" / "sh"), str(ROOT / "docker" / "make-secrets.sh"), str(tmp_path / "secrets")],
        env={"PATH": str(tmp_path / "bin")},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    assert "openssl" in done.stderr
    assert not (tmp_path / "secrets").exists()


@each_service
def test_no_secret_stands_in_a_variable(name: str) -> None:
    for key, value in SERVICES[name].get("environment", {}).items():
        if re.search("PASSWORD|SECRET|TOKEN(?!S)|FERNET|SQL_ALCHEMY|DATABASE_URL|WEBHOOK|SMTP|WANDB_KEY", key):
            assert "/run/secrets/" in str(value) or key.endswith("_PASSWORDS_FILE"), key
        assert not re.search(r"://[^/]*:[^/]*@", str(value))


def test_no_service_of_ours_signs_in_as_the_superuser() -> None:
    owners = {
        name
        for name, service in SERVICES.items()
        if {"openshelf_database_url", "postgres_password"}
        & {s for s in service.get("secrets", []) if isinstance(s, str)}
    }

    # Those that change tables sign in as their owner; storefront, relay and dataflow as what they are.
    assert owners == {"postgres", "migrate"} | {name for name in SERVICES if name.startswith("airflow-")}
    assert SERVICES["app"]["secrets"][0]["source"] == "storefront_database_url"
    for name in ("relay", "dataflow"):
        assert SERVICES[name]["secrets"][0]["source"] == "dataflow_database_url"
    assert "postgres_password" in SERVICES["postgres"]["secrets"]


def test_the_parts_of_airflow_share_one_configuration() -> None:
    parts = [service["environment"] for name, service in SERVICES.items() if name.startswith("airflow-")]

    assert all(part == parts[0] for part in parts)
    assert parts[0]["AIRFLOW__CORE__DAGS_FOLDER"] == "/opt/openshelf/dags"
    assert parts[0]["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"].startswith("http://airflow-api-server:8080/")


def test_hosts_named_in_addresses_are_services() -> None:
    values = [str(value) for service in SERVICES.values() for value in service.get("environment", {}).values()]
    hosts = {host for value in values for host in re.findall(r"(?:@|http://|^)([a-z][a-z\-]+):\d{4,5}\b", value)}

    assert hosts == {"redpanda", "ollama", "airflow-api-server"}
    script = (ROOT / "docker" / "make-secrets.sh").read_text()
    assert set(re.findall(r"@([a-z]+):\d+/", script)) == {"postgres"}


def test_the_image_holds_what_it_copies_and_runs_as_nobody_special() -> None:
    copied = [
        source
        for line in DOCKERFILE.splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    ]
    allowed = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}

    assert copied
    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert set(copied) == allowed
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
    for target in {service["build"]["target"] for service in SERVICES.values() if "build" in service}:
        (stage,) = [text for text in stages if text.splitlines()[0].endswith(f" AS {target}")]
        assert re.findall(r"^USER (\S+)$", stage, re.MULTILINE) == ["openshelf"]
        # Only what runs shell lines has a shell.
        assert ("/bin/sh" in stage) == (target == "runtime")
    bases = {text.split()[0] for text in stages} - {"build", "base"}
    assert all(":" in base for base in bases)
