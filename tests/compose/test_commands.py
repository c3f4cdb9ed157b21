"""Every service of compose.yaml that is ours, run as a plain process, under its role, beside the test broker.

So all is tried but the engine itself: the roles that Postgres makes at first start, the secrets in files, the commands
and their health checks.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import yaml
from mock_broker import MockBroker
from ports import free_port

from openshelf.contracts import Action, Interaction, Surface, new_event_id, utc_now
from openshelf.database import embedded, events

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
PATIENCE_S = 240


class Installation:
    """What compose gives a service, with this machine's places in the place of containers' ones."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {"8501": free_port(), "8080": free_port(), "8974": free_port()}
        # Short for the socket's path, and open to the server's own user.
        self.server = Path(tempfile.mkdtemp(prefix="openshelf-compose-"))
        self.socket = urlsplit(embedded.start(self.server)).query.partition("host=")[2]
        self.broker = MockBroker()
        self.broker.make_topic("openshelf.interactions.v1")
        self.broker.make_topic("openshelf.slates.v1")
        self.broker.make_topic("openshelf.dead-letters.v1")
        self.secrets = folder / "secrets"
        subprocess.run(["sh", str(ROOT / "docker" / "make-secrets.sh"), str(self.secrets)], check=True)
        for path in self.secrets.glob("*_url*"):
            text = path.read_text()
            path.chmod(0o600)
            path.write_text(text.replace("@postgres:5432/", "@/") + f"?host={self.socket}")

    def make_roles(self) -> None:
        """As the entry point of the image does when the volume is empty."""
        subprocess.run(
            ["sh", str(ROOT / "docker" / "postgres" / "10-roles.sh")],
            env={
                "PATH": f"{embedded.binary('psql').parent}:{os.environ['PATH']}",
                "PGHOST": self.socket,
                "SECRETS": str(self.secrets),
                "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", ""),
            },
            check=True,
            capture_output=True,
        )

    def environment(self, name: str) -> dict[str, str]:
        mounted = self.folder / "mounted" / name
        mounted.mkdir(parents=True, exist_ok=True)
        for secret in SERVICES[name].get("secrets", []):
            source, target = (secret, secret) if isinstance(secret, str) else (secret["source"], secret["target"])
            shutil.copy(self.secrets / source, mounted / target)
        # As the engine does where compose.env says nothing.
        unset = re.compile(r"\$\{\w+:-([^}]*)\}")
        given = {key: unset.sub(r"\1", str(value)) for key, value in SERVICES[name]["environment"].items()}
        given = {key: value.replace("/run/secrets", str(mounted)) for key, value in given.items()}
        here = {
            "HOME": str(self.folder),
            "OPENSHELF_HOME": str(self.folder / "home"),
            "OPENSHELF_BROKERS": self.broker.address,
            "OPENSHELF_CALIBRE_LIBRARY": str(self.folder / "library"),
            "STREAMLIT_SERVER_PORT": str(self.ports["8501"]),
            "AIRFLOW_HOME": str(self.folder / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            # Else what was due last begins at once. DAGs run in tests/dags.
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self.ports['8080']}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.folder / "passwords.json"),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(self.ports["8974"]),
            "CREDENTIALS_DIRECTORY": str(mounted),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "PYTHONPATH": os.environ["PYTHONPATH"],
        }
        return given | {key: value for key, value in here.items() if key in given or not key.startswith("OPENSHELF_")}

    def words(self, words: list[str]) -> list[str]:
        text = [word.replace("${DATAFLOW_WORKERS:-1}", "1") for word in words]
        text = [word.replace("//airflow-api-server:", "//127.0.0.1:") for word in text]
        for inside, here in self.ports.items():
            text = [here_or.replace(f":{inside}/", f":{here}/") for here_or in text]
            text = [str(here) if word == inside else word for word in text]
        return text

    def finish(self, name: str) -> None:
        done = subprocess.run(
            self.words(SERVICES[name]["command"]), env=self.environment(name), cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{name}: {done.stderr[-3000:]}"

    @contextmanager
    def running(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                self.words(SERVICES[name]["command"]),
                env=self.environment(name),
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
            # Airflow's parts leave processes of theirs behind.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def wait_until_healthy(self, name: str) -> None:
        words = self.words(SERVICES[name]["healthcheck"]["test"][1:])
        deadline = time.monotonic() + PATIENCE_S
        while True:
            done = subprocess.run(words, env=self.environment(name), cwd=ROOT, capture_output=True, text=True)
            if done.returncode == 0:
                return
            log = (self.folder / f"{name}.log").read_text()[-3000:]
            assert time.monotonic() < deadline, f"{name}: {done.stdout}{done.stderr}\n{log}"
            time.sleep(1)

    def connect(self) -> psycopg.Connection:
        return psycopg.connect((self.secrets / "openshelf_database_url").read_text(), autocommit=True)


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    monkeypatch.delenv("OPENSHELF_DATABASE_URL", raising=False)
    made = Installation(tmp_path)
    made.make_roles()
    yield made
    made.broker.kill()
    embedded.stop(made.server)
    shutil.rmtree(made.server, ignore_errors=True)


@pytest.mark.timeout(1_800)
def test_storefront_relay_and_dataflow_work_together_as_compose_starts_them(installation: Installation) -> None:
    installation.finish("migrate")
    with ExitStack() as services:
        for name in ("app", "relay", "dataflow"):
            services.enter_context(installation.running(name))
        for name in ("app", "relay", "dataflow"):
            installation.wait_until_healthy(name)

        conn = services.enter_context(installation.connect())
        session = new_event_id()
        event = Interaction(
            event_id=new_event_id(),
            occurred_at=utc_now(),
            reader_key="reader",
            session_id=session,
            action=Action.VISIT,
            book_id=None,
            surface=Surface.API,
            value=None,
        )
        events.append(conn, event)
        deadline = time.monotonic() + PATIENCE_S
        while not conn.execute("select from stream.interactions where event_id = %s", [event.event_id]).rowcount:
            assert time.monotonic() < deadline, (installation.folder / "dataflow.log").read_text()[-3000:]
            time.sleep(0.3)
        users = {name for (name,) in conn.execute("select distinct usename from pg_stat_activity where usename <> ''")}
        assert {"storefront", "dataflow"} <= users
        assert set(conn.execute("select usesuper from pg_user where usename <> 'postgres'")) == {(False,)}
        token = (installation.secrets / "openshelf_metrics_token").read_text()
        url = f"http://127.0.0.1:{installation.ports['8501']}/metrics"
        asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
        assert b"openshelf_up 1" in urllib.request.urlopen(asked, timeout=PATIENCE_S).read()


@pytest.mark.airflow
@pytest.mark.timeout(1_800)
def test_the_services_of_airflow_are_healthy_as_compose_starts_them(installation: Installation) -> None:
    installation.finish("migrate")
    installation.finish("airflow-init")
    names = [name for name in SERVICES if name.startswith("airflow-") and name != "airflow-init"]
    assert len(names) == 4
    with ExitStack() as services:
        for name in names:
            services.enter_context(installation.running(name))
        for name in names:
            installation.wait_until_healthy(name)
