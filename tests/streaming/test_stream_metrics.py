"""/metrics after a run of the real dataflow: its text parses, and its figures are those of the tables."""

from pathlib import Path

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from running_stream import count, is_drained, running, wait_for
from small_catalogue import Work, add_work
from starlette.applications import Starlette
from starlette.testclient import TestClient
from stream_acts import act, many_acts

from dashboard.routes import routes
from openshelf.contracts import Action, new_event_id, utc_now
from openshelf.database import events, workers
from openshelf.database.workers import Process, Served
from streaming.measures import Measures

DOCS = Path(__file__).resolve().parents[2] / "docs" / "operations.md"


class Scrape:
    """One answer of the storefront, as Prometheus reads it."""

    def __init__(self) -> None:
        with TestClient(Starlette(routes=routes()), client=("127.0.0.1", 50_000)) as near:
            self.answer = near.get("/metrics")
            self.ready = near.get("/readyz").json()
        self.families = {family.name: family for family in text_string_to_metric_families(self.answer.text)}

    def value(self, sample: str, **labels: str) -> float:
        """Of the one sample of this name that has these labels."""
        family = self.families[sample.removesuffix("_total").removesuffix("_bucket").removesuffix("_count")]
        (found,) = [s for s in family.samples if s.name == sample and labels.items() <= s.labels.items()]
        return found.value


def one(conn: psycopg.Connection, query: str) -> float:
    row = conn.execute(query).fetchone()  # pyright: ignore[reportArgumentType, reportCallIssue]
    conn.commit()
    assert row
    return row[0]


def test_the_figures_are_those_of_the_tables(conn: psycopg.Connection, tmp_path: Path) -> None:
    for number in range(40):
        add_work(conn, Work(f"Work {number}", ["A. Author"], ["history"], None))
    conn.execute("update library.works set rating = 4")
    events.append_many(conn, many_acts(200))
    events.append_raw(conn, new_event_id(), "r_1", b"poison")
    events.append(conn, act(Action.LIKE, 999))
    conn.commit()

    with running("run", log=tmp_path / "log"):
        wait_for(lambda: is_drained(conn), "the acts")
        wait_for(lambda: told(conn) == stored(conn), "a beat that tells of all")
        scrape = Scrape()

    assert scrape.answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert all(name.startswith("openshelf_") and family.documentation for name, family in scrape.families.items())
    process = {"consumer": "sessions", "share": "1/1", "process": "0"}
    assert scrape.value("openshelf_up") == 1
    assert scrape.value("openshelf_acts_total", **process) == one(conn, "select count(*) from stream.interactions")
    assert scrape.value("openshelf_slates_total", **process) == count(conn, "slates") > 0
    assert (
        scrape.value("openshelf_dead_letters_total", **process) == scrape.value("openshelf_dead_letters_waiting") == 1
    )
    early = count(conn, "quarantine")
    assert scrape.value("openshelf_quarantined_acts_total", **process) == early
    assert scrape.value("openshelf_quarantine_waiting_acts") == early
    assert scrape.value("openshelf_log_acts_total") == scrape.value("openshelf_taken_acts_total") == 202
    assert scrape.value("openshelf_lag_acts", consumer="sessions") == 0
    assert scrape.value("openshelf_lag_seconds", consumer="sessions") == 0
    assert scrape.value("openshelf_dataflow_state", state="beating") == scrape.value("openshelf_worker_up") == 1
    assert scrape.value("openshelf_worker_model_info", arm="champion", version="popular") == 1
    assert scrape.value("openshelf_worker_model_refused") == 0
    for source in ("popular", "random"):
        places = one(conn, f"select count(*) from stream.slate_places where source = '{source}'")
        assert scrape.value("openshelf_slate_places_total", source=source) == places > 0
    share = one(conn, "select avg((source = 'popular')::int)::float8 from stream.slate_places")
    assert scrape.value("openshelf_fallback_share_ratio") == pytest.approx(share)
    assert scrape.value("openshelf_batch_acts_bucket", le="+Inf") == scrape.value("openshelf_batch_acts_count") > 0
    assert scrape.value("openshelf_policy_milliseconds_count") > 0
    assert scrape.value("openshelf_act_to_slate_milliseconds", quantile="0.5") > 0
    assert scrape.ready["dataflow"]["state"] == "beating"


def stored(conn: psycopg.Connection) -> list[int]:
    return [count(conn, table) for table in ("interactions", "slates", "dead_letters", "quarantine")]


def told(conn: psycopg.Connection) -> list[int]:
    (worker,) = workers.all_of(conn)
    counts = worker.counts
    return [counts.count_acts, counts.count_slates, counts.count_dead_letters, counts.count_early]


def test_what_waits_is_told_while_nobody_works(conn: psycopg.Connection) -> None:
    events.append_many(conn, many_acts(5))
    conn.commit()

    scrape = Scrape()

    assert scrape.value("openshelf_lag_acts", consumer="sessions") == 5
    assert scrape.value("openshelf_lag_seconds", consumer="sessions") > 0
    assert scrape.value("openshelf_dataflow_state", state="absent") == 1
    assert scrape.ready["ready"]
    assert (scrape.ready["dataflow"]["state"], scrape.ready["dataflow"]["count_waiting"]) == ("absent", 5)


def test_arms_and_a_refusal_are_told(conn: psycopg.Connection) -> None:
    process = Process("sessions", 2, 3, 1, 2, "shelf-2", 77, utc_now())
    served = Served("policy-1", utc_now(), {"a": "ease-4"}, 9, "policy-2: it was altered", utc_now())
    workers.beat(conn, process, served, Measures().counts())
    conn.commit()

    scrape = Scrape()

    of_worker = {"share": "2/3", "process": "1"}
    assert scrape.value("openshelf_worker_model_info", arm="champion", version="policy-1", **of_worker) == 1
    assert scrape.value("openshelf_worker_model_info", arm="a", version="ease-4", **of_worker) == 1
    assert scrape.value("openshelf_worker_model_refused", **of_worker) == 1
    assert scrape.value("openshelf_worker_catalogue_version") == 9
    assert scrape.value("openshelf_worker_info", host="shelf-2", pid="77") == 1


def test_every_metric_is_explained_to_operators(conn: psycopg.Connection) -> None:
    text = DOCS.read_text()

    assert [name for name in Scrape().families if f"`{name}" not in text] == []
