"""From an empty folder to a reader whose recommendations move, with nothing faked."""

import contextlib
import json
import time

import psutil
import psycopg
import pytest

from openshelf.database import embedded

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def test_the_demo_proves_its_loop(built) -> None:
    summary = built.summary

    assert summary["works"] >= 600
    assert summary["acts"] > 1000
    assert summary["slates"] > 200
    assert summary["mart_rows"] > 1000
    assert summary["act_to_slate_ms"] > 0
    assert summary["champion"].startswith("policy-")


def test_doctor_and_status_find_the_open_installation_well(storefront) -> None:
    doctor = storefront.run("doctor")
    deadline = time.monotonic() + 180
    while (status := storefront.run("status", "--json")).returncode:  # the dataflow starts beside the storefront
        assert time.monotonic() < deadline, status.stdout

    assert doctor.returncode == 0, doctor.stdout
    assert "MISSING" not in doctor.stdout
    assert status.returncode == 0, status.stdout


def test_a_second_instance_is_refused_and_the_first_stays_open(storefront) -> None:
    second = storefront.run("up")

    assert second.returncode == 1
    assert "already runs" in second.stderr
    assert storefront.is_open()


def test_a_killed_dataflow_comes_back_loses_no_act_and_nothing_is_built_again(storefront) -> None:
    steps_done = (storefront.home / "demo.json").read_text()
    deadline = time.monotonic() + 60
    while (flow := dataflow_of(storefront)) is None:  # it starts beside the storefront
        assert time.monotonic() < deadline, "there is no dataflow"
        time.sleep(0.2)
    flow.kill()

    summary = storefront.run("demo", "--check", "--json")

    assert summary.returncode == 0, summary.stderr
    assert (storefront.home / "demo.json").read_text() == steps_done


def test_a_killed_postgres_comes_back_with_every_row(storefront) -> None:
    before = acts_stored(storefront)
    server = embedded.postmaster(storefront.home)
    assert server
    server.kill()

    deadline = time.monotonic() + 180
    while (again := embedded.postmaster(storefront.home)) is None or again.pid == server.pid:
        assert time.monotonic() < deadline, "the supervisor did not start Postgres again"
        time.sleep(0.2)
    act = storefront.run("act", "visit", "--json")
    assert act.returncode == 0, act.stderr
    answered = "select from stream.slates where event_id = %s"
    with psycopg.connect(embedded.start(storefront.home), autocommit=True) as conn:
        while not conn.execute(answered, [json.loads(act.stdout)["event_id"]]).rowcount:
            assert time.monotonic() < deadline, "the dataflow does not answer"
            time.sleep(0.2)

    assert acts_stored(storefront) > before
    assert storefront.is_open()


def dataflow_of(installation) -> psutil.Process | None:
    for process in psutil.process_iter(["cmdline"]):
        if (process.info["cmdline"] or [])[-2:] != ["stream", "run"]:
            continue
        with contextlib.suppress(psutil.Error):  # other tests' processes come and go
            if process.environ().get("OPENSHELF_HOME") == str(installation.home):
                return process
    return None


def acts_stored(installation) -> int:
    return json.loads(installation.run("status", "--json").stdout)["count_acts"]
