"""Rules: one alert for one incident, freshness before quality, sent once to a web address and a mail server."""

import json
import shutil
import socketserver
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from openshelf import alerts, backups
from openshelf.database import alerts as rows
from openshelf.database import audit, job_runs
from openshelf.database.accounts import Account
from openshelf.errors import NotAllowedError, UsageError
from openshelf.settings import Settings, get_settings

NOW = datetime.now(UTC)


class Webhook(ThreadingHTTPServer):
    """Keeps what is posted; answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.taken: list[dict] = []
        self.status = 204


class _Taking(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.status < 300:
            self.server.taken.append(body)
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


class MailServer(socketserver.ThreadingTCPServer):
    """As much SMTP as a letter needs."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Mailing)
        self.letters: list[str] = []


class _Mailing(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line.split()[0].upper() if line.split() else b""
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                letter = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    letter += part
                self.server.letters.append(letter.decode())
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def settings(library: str, webhook: Webhook, mail: MailServer) -> Settings:
    """Of a library with a fresh warehouse, sound rates and nothing wrong, and with somebody to tell."""
    with psycopg.connect(library) as conn:
        conn.execute(
            """update marts.mart_freshness set built_at = %(now)s, newest_act_at = %(now)s, count_acts_last_day = 100,
                   usual_acts_a_day = 100""",
            {"now": NOW},
        )
        set_days(conn, opened=100)
    return get_settings().model_copy(
        update={
            "alert_webhook": SecretStr(f"http://127.0.0.1:{webhook.server_address[1]}/hook?key=secret"),
            "alert_email": "desk@example.org",
            "smtp_url": SecretStr(f"smtp://127.0.0.1:{mail.server_address[1]}"),
        }
    )


def set_days(conn: psycopg.Connection, *, opened: int, fallback: int = 0) -> None:
    """Five weeks of 1,000 places a day, of which 100 are opened; in the last week `opened`."""
    columns = conn.execute(
        """select column_name, data_type from information_schema.columns
           where table_schema = 'marts' and table_name = 'mart_quality_daily'"""
    ).fetchall()
    conn.execute("truncate marts.mart_quality_daily")
    for age in range(35):
        values = {name: _filler(kind) for name, kind in columns}
        values |= {
            "slate_date": NOW.date() - timedelta(days=age), "policy_version": "all", "dimension": "all", "value": "all",
            "count_places": 1_000, "count_shown": 1_000, "count_opened": opened if age < 7 else 100,
            "count_fallback": fallback if age < 7 else 0,
        }  # fmt: skip
        conn.execute(
            f"insert into marts.mart_quality_daily ({', '.join(values)}) values ({', '.join(['%s'] * len(values))})",  # pyright: ignore[reportArgumentType, reportCallIssue]
            list(values.values()),
        )


def _filler(kind: str) -> object:
    return {"text": "", "boolean": False, "date": NOW.date(), "timestamp with time zone": NOW}.get(kind, 0)


def test_nothing_is_wrong_and_nobody_is_told(settings: Settings, webhook: Webhook, mail: MailServer) -> None:
    outcome = alerts.check(settings, NOW)

    assert (outcome.opened, outcome.not_judged, outcome.sent) == ([], [], 0)
    assert (webhook.taken, mail.letters) == ([], [])


def test_a_fall_is_told_once_on_every_way_and_is_over_when_well_again(
    settings: Settings, library: str, webhook: Webhook, mail: MailServer
) -> None:
    with psycopg.connect(library) as conn:
        set_days(conn, opened=70)

    first = alerts.check(settings, NOW)
    second = alerts.check(settings, NOW + timedelta(minutes=15))

    assert (first.opened, first.sent) == (["clicks_fell"], 2)
    assert (second.opened, second.still_open, second.sent) == ([], ["clicks_fell"], 0)
    (told,) = webhook.taken
    assert (told["rule"], told["kind"], round(told["value"], 3)) == ("clicks_fell", "quality", 0.3)
    assert "7.0% (490 of 7,000 places); in the 28 days before it was 10.0% (2,800 of 28,000)" in told["text"]
    (letter,) = mail.letters
    assert "To: desk@example.org" in letter
    assert "Subject: Openshelf: clicks fell" in letter

    with psycopg.connect(library) as conn:
        set_days(conn, opened=100)
    third = alerts.check(settings, NOW + timedelta(minutes=30))

    assert (third.resolved, third.sent, len(webhook.taken)) == (["clicks_fell"], 0, 1)
    with psycopg.connect(library) as conn:
        (incident,) = rows.incidents(conn)
    assert incident.resolved_at == NOW + timedelta(minutes=30)


@pytest.mark.parametrize(
    ("stale", "rule"),
    [
        ("built_at = built_at - interval '30 hours'", "marts_old"),
        ("newest_act_at = newest_act_at - interval '40 hours'", "no_acts"),
        ("count_acts_last_day = 40", "acts_missing"),
    ],
)
def test_the_same_fall_in_figures_that_cannot_be_believed_is_told_as_that(
    stale: str, rule: str, settings: Settings, library: str, webhook: Webhook
) -> None:
    with psycopg.connect(library) as conn:
        set_days(conn, opened=70, fallback=500)
        conn.execute(f"update marts.mart_freshness set {stale}")  # pyright: ignore[reportArgumentType, reportCallIssue]

    outcome = alerts.check(settings, NOW)

    assert (outcome.opened, outcome.not_judged) == ([rule], ["clicks_fell", "fallback_high"])
    assert [told["rule"] for told in webhook.taken] == [rule]


def test_a_fall_that_chance_explains_or_of_few_places_is_none(settings: Settings, library: str) -> None:
    with psycopg.connect(library) as conn:
        set_days(conn, opened=70)
        conn.execute(
            "update marts.mart_quality_daily set count_shown = count_shown / 50, count_opened = count_opened / 50"
        )

    assert alerts.check(settings, NOW).opened == []


def test_what_fails_beside_the_figures_is_told_too(settings: Settings, library: str) -> None:
    with psycopg.connect(library) as conn:
        conn.execute(
            """insert into learning.runs (kind, status, message, seed, finished_at)
               values ('policy', 'failed', 'out of memory', 1, now())"""
        )
        conn.execute(
            """insert into stream.dead_letters (source, partition, log_offset, reason, payload)
               select 'log', 0, n, 'bad', '' from generate_series(1, 51) as n"""
        )
        conn.execute(
            """insert into learning.warehouse_builds (
                   started_at, is_whole, count_models, count_tests, failures, warnings
               )
               values (now(), true, 1, 1, '{not_null_dim_works}', '{}')"""
        )

    assert sorted(alerts.check(settings, NOW).opened) == ["build_failed", "dead_letters", "training_failed"]


def test_a_candidate_that_was_refused_is_no_fault_and_ends_the_one_before(settings: Settings, library: str) -> None:
    with psycopg.connect(library) as conn:
        conn.execute(
            """insert into learning.runs (kind, status, message, seed, finished_at)
               values ('policy', 'failed', 'out of memory', 1, now())"""
        )
    first = alerts.check(settings, NOW)
    with psycopg.connect(library) as conn:
        conn.execute(
            """insert into learning.runs (kind, status, message, seed, finished_at)
               values ('policy', 'refused', 'cannot tell yet: 2 readers', 1, now())"""
        )
    second = alerts.check(settings, NOW)

    assert (first.opened, second.opened, second.resolved) == (["training_failed"], [], ["training_failed"])


def test_a_job_that_failed_is_told_until_it_has_run_well(settings: Settings, library: str, webhook: Webhook) -> None:
    with psycopg.connect(library) as conn:
        failed, running = (job_runs.begin(conn, job, NOW) for job in ("keep_privacy", "back_up"))
        job_runs.finish(conn, failed, "failed", 3, "retention: the disk is full")
    first = alerts.check(settings, NOW)
    with psycopg.connect(library) as conn:
        job_runs.finish(conn, running, "done", 1, "")
        job_runs.finish(conn, job_runs.begin(conn, "keep_privacy", NOW), "done", 1, "")
    second = alerts.check(settings, NOW)

    assert (first.opened, second.resolved) == (["job_failed"], ["job_failed"])
    assert [told["words"] for told in webhook.taken] == [
        "What the library does by itself failed: keep_privacy: retention: the disk is full. "
        "`openshelf status` says what to do."
    ]


def test_a_job_has_failed_until_it_ends_well_and_is_not_told_anew_while_it_is_tried_again(
    settings: Settings, library: str, webhook: Webhook
) -> None:
    with psycopg.connect(library) as conn:
        job_runs.note(conn, "keep_privacy", "failed", NOW, NOW, "retention: the disk is full")
    first = alerts.check(settings, NOW)
    with psycopg.connect(library) as conn:
        again = job_runs.begin(conn, "keep_privacy", NOW)
    meanwhile = alerts.check(settings, NOW)
    with psycopg.connect(library) as conn:
        job_runs.finish(conn, again, "done", 1, "")
    after = alerts.check(settings, NOW)

    assert (first.opened, meanwhile.still_open, after.resolved) == (["job_failed"], ["job_failed"], ["job_failed"])
    assert len(webhook.taken) == 1


def test_a_build_that_failed_is_told_once_and_not_as_a_job_as_well(settings: Settings, library: str) -> None:
    with psycopg.connect(library) as conn:
        job_runs.note(conn, "build_warehouse", "failed", NOW, NOW, "build: a test failed")
        conn.execute(
            """insert into learning.warehouse_builds (
                   started_at, is_whole, count_models, count_tests, failures, warnings
               )
               values (now(), true, 1, 1, '{not_null_dim_works}', '{}')"""
        )

    assert alerts.check(settings, NOW).opened == ["build_failed"]


def test_what_staff_set_of_a_rule_that_came_later_stays(
    settings: Settings, library: str, librarian: Account, webhook: Webhook
) -> None:
    """Such rules are brought by the checks themselves, each of which finds the table as staff left it."""
    alerts.check(settings, NOW)
    with psycopg.connect(library) as conn:
        rows.change(conn, librarian, "job_failed", 3, is_on=False, muted_days=0)
        rows.change(conn, librarian, "backup_old", 30, is_on=True, muted_days=1)
        before = rows.rules(conn)
        job_runs.note(conn, "keep_privacy", "failed", NOW, NOW, "retention: the disk is full")

    alerts.check(settings, NOW)

    with psycopg.connect(library) as conn:
        assert rows.rules(conn) == before
        assert "job_failed" not in {incident.rule for incident in rows.incidents(conn)}
    assert "job_failed" not in {told["rule"] for told in webhook.taken}


def test_backups_that_are_not_made_any_more_are_told(settings: Settings, library: str) -> None:
    assert "backup_old" not in alerts.check(settings, NOW).opened  # a new library has two days
    after = alerts.check(settings, NOW + timedelta(hours=51))
    path = backups.new_path(settings)
    backups.make(settings, path)
    soon = alerts.check(settings, NOW + timedelta(hours=51))
    made_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)

    assert "backup_old" in after.opened
    assert "backup_old" in soon.still_open  # by the clock of the check it was made two days ago
    assert "backup_old" in alerts.check(settings, made_at + timedelta(hours=49)).resolved


def test_a_disk_that_is_nearly_full_is_told(settings: Settings, library: str, librarian: Account) -> None:
    disk = shutil.disk_usage(settings.home)
    with psycopg.connect(library) as conn:
        alerts.check(settings, NOW)
        rows.change(conn, librarian, "disk_low", disk.free / disk.total + 0.05, is_on=True, muted_days=0)
    assert alerts.check(settings, NOW).opened == ["disk_low"]


def test_who_does_not_take_it_gets_it_with_the_next_check_and_the_other_way_is_not_told_twice(
    settings: Settings, library: str, webhook: Webhook, mail: MailServer
) -> None:
    with psycopg.connect(library) as conn:
        set_days(conn, opened=70)
    webhook.status = 500

    first = alerts.check(settings, NOW)
    webhook.status = 204
    second = alerts.check(settings, NOW)

    assert (first.sent, first.undelivered) == (1, {"webhook": "HTTPStatusError"})
    assert (second.sent, second.undelivered) == (1, {})
    assert (len(webhook.taken), len(mail.letters)) == (1, 1)


def test_a_muted_rule_is_shown_and_told_when_the_quiet_is_over(
    settings: Settings, library: str, librarian: Account, webhook: Webhook
) -> None:
    with psycopg.connect(library) as conn:
        set_days(conn, opened=70)
        rows.change(conn, librarian, "clicks_fell", 0.2, is_on=True, muted_days=1)
        assert audit.latest(conn)[0].act == "change alert rule"

    assert alerts.check(settings, NOW).sent == 0
    with psycopg.connect(library) as conn:
        assert [incident.rule for incident in rows.incidents(conn)] == ["clicks_fell"]
    alerts.check(settings, NOW + timedelta(days=2))

    # By then the figures are old, which is told as well.
    assert [told["rule"] for told in webhook.taken] == ["clicks_fell", "marts_old", "no_acts"]


def test_a_rule_that_is_off_is_not_judged(settings: Settings, library: str, librarian: Account) -> None:
    with psycopg.connect(library) as conn:
        set_days(conn, opened=70)
        rows.change(conn, librarian, "clicks_fell", 0.2, is_on=False, muted_days=0)

    assert alerts.check(settings, NOW).opened == []


def test_only_staff_change_rules(library: str) -> None:
    with psycopg.connect(library) as conn:
        with pytest.raises(NotAllowedError):
            rows.change(conn, None, "clicks_fell", 0.5, is_on=True, muted_days=0)
        with pytest.raises(NotAllowedError):
            rows.for_staff(conn, None)


def test_a_rule_there_is_not_cannot_be_changed(library: str, librarian: Account) -> None:
    with psycopg.connect(library) as conn, pytest.raises(UsageError):
        rows.change(conn, librarian, "moon_full", 0.5, is_on=True, muted_days=0)


def test_every_rule_of_the_table_is_known_and_told_of_in_the_handbook(settings: Settings, library: str) -> None:
    alerts.check(settings, NOW)
    with psycopg.connect(library) as conn:
        assert {row.rule for row in rows.rules(conn)} == set(alerts.RULES)


def test_the_command_says_what_it_found(settings: Settings, library: str) -> None:
    with psycopg.connect(library) as conn:
        set_days(conn, opened=70)

    checked = CliRunner().invoke(alerts.app, ["check", "--json"])
    listed = CliRunner().invoke(alerts.app, ["list"])

    assert json.loads(checked.output)["opened"] == ["clicks_fell"]
    assert "OPEN" in listed.output
    assert "clicks_fell" in listed.output
