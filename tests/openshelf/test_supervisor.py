"""The supervisor with small children: restart, stop, no orphans, one instance, port."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from openshelf.errors import UsageError
from openshelf.jobs import BY_NAME
from openshelf.settings import Settings
from openshelf.supervisor import Part, Supervisor, check_port_free, command, is_running, only_instance, parts_of

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def settings(tmp_path: Path, server_url: str) -> Settings:
    return Settings(home=tmp_path / "home", database_url=server_url, port=18501)  # type: ignore[arg-type]


def eventually(holds: Callable[[], bool], patience_s: float = 60) -> bool:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return holds()


def test_a_part_that_dies_is_started_again(settings: Settings) -> None:
    part = Part("sleeper", SLEEPER)
    supervisor = Supervisor(settings, [part])
    supervisor.start()
    assert part.process
    first = part.process.pid
    os.kill(first, signal.SIGKILL)

    back = supervisor.watch(
        until=lambda: part.is_running and part.process is not None and part.process.pid != first, patience_s=60
    )
    supervisor.stop()

    assert back
    assert part.count_failures == 1
    assert not part.is_running


def test_what_a_part_says_for_years_does_not_fill_the_disk(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openshelf.supervisor.LONGEST_LOG_BYTES", 20_000)
    says = "import itertools, time\nfor n in itertools.count(): print(n, 'x' * 1000, flush=True); time.sleep(0.002)"
    part = Part("talks", [sys.executable, "-c", says])
    supervisor = Supervisor(settings, [part])
    supervisor.start()
    log = supervisor.log_path(part)
    before = log.with_name("talks.log.1")

    def numbers(path: Path) -> list[int]:
        return [int(line.split()[0]) for line in path.read_text().splitlines() if line.strip("x ")]

    assert supervisor.watch(until=lambda: before.exists() and numbers(log)[-1:] > [1_000], patience_s=60)
    supervisor.stop()

    # It goes on from its beginning, without a hole, and of before there is the last of it.
    assert log.read_bytes()[:1].isdigit()
    assert numbers(log)[0] > numbers(before)[-1]
    assert len(list(log.parent.iterdir())) == 2


def test_a_part_that_ignores_the_stop_is_killed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openshelf.supervisor.STOP_PATIENCE_S", 1)
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    part = Part("deaf", [sys.executable, "-c", deaf])
    supervisor = Supervisor(settings, [part])
    supervisor.start()
    assert eventually(lambda: "deaf" in supervisor.log_path(part).read_text())

    supervisor.stop()

    assert not part.is_running


def test_children_end_with_a_supervisor_that_is_killed(settings: Settings, server_url: str, tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        from openshelf.settings import Settings
        from openshelf.supervisor import Part, Supervisor
        part = Part("sleeper", {SLEEPER!r})
        supervisor = Supervisor(Settings(home={str(settings.home)!r}, database_url={server_url!r}), [part])
        supervisor.start()
        print(part.process.pid, flush=True)
        supervisor.watch()
    """)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    child = psutil.Process(int(process.stdout.readline()))
    assert child.is_running()

    process.kill()
    process.wait()

    assert eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_a_second_instance_is_told_who_runs(settings: Settings) -> None:
    with only_instance(settings):
        script = f"""
from openshelf.settings import Settings
from openshelf.supervisor import only_instance
with only_instance(Settings(home={str(settings.home)!r})):
    pass
"""
        second = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

        assert is_running(settings)
        assert f"pid {os.getpid()}" in second.stderr
        assert second.returncode == 1
    assert not is_running(settings)
    with only_instance(settings):
        pass


def test_a_taken_port_is_said_with_the_setting_to_change(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = settings.model_copy(update={"port": taken.getsockname()[1]})

        with pytest.raises(UsageError, match="OPENSHELF_PORT"):
            check_port_free(busy)


def test_with_a_schedule_one_part_does_what_else_retention_alone_would(settings: Settings) -> None:
    plain, scheduled = ([part.name for part in parts_of(settings, schedule=asked)] for asked in (False, True))

    assert plain == ["dataflow", "storefront", "retention"]
    assert scheduled == ["dataflow", "storefront", "schedule"]
    assert "keep_privacy" in BY_NAME
    assert BY_NAME["keep_privacy"].steps[0].words[:2] == ("retention", "run")


def test_parts_read_the_settings_that_the_supervisor_was_started_with_wherever_that_was(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else they would have a home of their own, with a Postgres of its own, beside the program."""
    (tmp_path / ".env").write_text("OPENSHELF_HOME=here\nOPENSHELF_PORT=18777\n")
    # No part of the program, though it lies in the folder that is looked through first.
    (tmp_path / "openshelf").mkdir()
    (tmp_path / "openshelf" / "__init__.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    asks = "from openshelf.settings import get_settings as s; print('home', s().home, 'port', s().port, flush=True)"
    parts = [Part("asks", [sys.executable, "-P", "-c", asks]), Part("help", command("schedule", "--help"))]
    supervisor = Supervisor(settings, parts)
    supervisor.start()

    said = [supervisor.log_path(part) for part in parts]

    assert eventually(lambda: f"home {tmp_path}/here port 18777" in said[0].read_text()), said[0].read_text()
    assert eventually(lambda: "openshelf schedule" in said[1].read_text()), said[1].read_text()
    supervisor.stop()
