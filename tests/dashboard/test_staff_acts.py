"""What staff do by the forms of their pages: taken from staff alone, only when confirmed, and noted."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest
from dashboard_pages import SECRET, send_form, shelf_titles
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from dashboard import data, forms, routes, staff_acts
from openshelf.contracts import Action, Interaction, Surface, utc_now
from openshelf.database import accounts, audit, catalogue, dead_letters, hand, learning, staff_notes
from openshelf.settings import get_settings

PATHS = [route.path for route in staff_acts.routes()]  # pyright: ignore[reportAttributeAccessIssue]


@pytest.fixture
def browser(shelves: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("OPENSHELF_SECRET", SECRET)
    get_settings.cache_clear()
    with TestClient(Starlette(routes=routes.routes())) as client:
        client.cookies.set(forms.COOKIE, forms.new_cookie())
        yield client


@pytest.mark.parametrize("path", PATHS)
def test_nobody_but_staff_does_anything(path: str, browser: TestClient, enter: Callable[..., accounts.Account]) -> None:
    assert send_form(browser, path, sure="1").status_code == 403
    enter("lan", "reader")
    assert send_form(browser, path, sure="1").status_code == 403
    enter("edith", "staff")
    assert browser.post(path, data={"sure": "1"}, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 403
    assert browser.post(path, data={"sure": "1"}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_an_excluded_book_is_gone_from_the_first_page_at_once_and_is_still_found(
    browser: TestClient,
    enter: Callable[..., accounts.Account],
    shelves: dict[str, int],
    visit: Callable[..., AppTest],
    conn: psycopg.Connection,
) -> None:
    staff = enter("edith", "staff")
    before = {title for titles in shelf_titles(visit()).values() for title in titles}

    taken = send_form(browser, "/staff/hand/steer", book="Dune", what="exclude", strength="clearly", note="On loan")

    assert taken.json() == {"to": "/hand?done=exclude"}
    data.excluded.clear()  # a second passes
    after = {title for titles in shelf_titles(visit()).values() for title in titles}
    assert before - after == {"Dune"}
    conn.rollback()
    assert catalogue.work(conn, shelves["Dune"]) is not None
    assert shelves["Dune"] not in {card.book_id for card in catalogue.popular(conn, 50)}
    note = audit.latest(conn)[0]
    assert (note.actor, note.act) == (audit.actor_of(staff.account_id), "exclude")
    (steer,) = hand.steers(conn, staff)
    send_form(browser, "/staff/hand/take-back", which=f"steer:{steer.steer_id}")
    data.excluded.clear()
    assert {title for titles in shelf_titles(visit()).values() for title in titles} == before


def test_a_row_of_staff_stands_on_the_first_page_for_its_time(
    browser: TestClient,
    enter: Callable[..., accounts.Account],
    shelves: dict[str, int],
    visit: Callable[..., AppTest],
    conn: psycopg.Connection,
) -> None:
    enter("edith", "staff")
    books = f"Dune\n/book?id={shelves['Truyện Kiều']}"

    assert send_form(browser, "/staff/hand/curate", heading="For rainy days", books=books).status_code == 200

    assert shelf_titles(visit())["For rainy days"] == ["Dune", "Truyện Kiều"]
    conn.execute(
        "update library.curated_rows set starts_at = now() - interval '2 days', ends_at = now() - interval '1 day'"
    )
    conn.commit()
    assert "For rainy days" not in shelf_titles(visit())


@pytest.mark.parametrize(
    ("path", "fields", "field"),
    [
        ("/staff/hand/steer", {"book": "Nothing of the kind", "what": "boost", "strength": "clearly"}, "book"),
        ("/staff/hand/steer", {"book": "99999", "what": "boost", "strength": "clearly"}, "book"),
        ("/staff/hand/steer", {"book": "Dune", "what": "burn", "strength": "clearly"}, "what"),
        ("/staff/hand/steer", {"book": "Dune", "what": "boost", "strength": "clearly", "until": "2020-01-01"}, "until"),
        ("/staff/hand/steer", {"book": "Dune", "what": "boost", "strength": "clearly", "from": "soon"}, "from"),
        ("/staff/hand/curate", {"heading": "", "books": "Dune"}, "heading"),
        ("/staff/hand/curate", {"heading": "Row", "books": " "}, "books"),
        ("/staff/notes/add", {"day": "2026-02-30", "note": "x"}, "day"),
        ("/staff/notes/add", {"day": "2026-02-03", "note": " "}, "note"),
        ("/staff/alerts/rule", {"rule": "no_acts", "threshold": "many"}, "threshold"),
        ("/staff/models/promote", {"version": "policy-0001"}, "sure"),
        ("/staff/models/rollback", {}, "sure"),
        ("/staff/dead-letters/replay", {"letter": "1"}, "sure"),
    ],
)
def test_what_is_wrong_is_said_by_the_field_and_nothing_is_done(
    path: str, fields: dict[str, str], field: str, browser: TestClient, enter: Callable[..., accounts.Account],
    conn: psycopg.Connection,
) -> None:  # fmt: skip
    enter("edith", "staff")

    answer = send_form(browser, path, **fields)

    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert audit.latest(conn) == []


def test_a_model_that_does_not_load_is_refused_aloud_and_nothing_changes(
    browser: TestClient, enter: Callable[..., accounts.Account], conn: psycopg.Connection
) -> None:
    enter("edith", "staff")
    conn.execute(
        """insert into learning.models (version, kind, status, config, manifest, weights, sha256)
           values ('policy-0001', 'policy', 'champion', '{}', '{}', '', 'x'),
                  ('policy-0002', 'policy', 'candidate', '{}', '{}', '', 'x')"""
    )
    conn.commit()

    answer = send_form(browser, "/staff/models/promote", version="policy-0002", sure="1")

    assert answer.status_code == 422
    assert "It does not load, so nothing was changed" in answer.json()["problem"]
    champion = learning.champion(conn, "policy")
    assert champion
    assert champion.version == "policy-0001"
    assert audit.latest(conn) == []


def test_a_mended_event_counts_for_who_acted_and_once(
    browser: TestClient, enter: Callable[..., accounts.Account], conn: psycopg.Connection, shelves: dict[str, int]
) -> None:
    staff = enter("edith", "staff")
    event = Interaction(
        event_id=uuid4(), occurred_at=utc_now(), reader_key="r_lan",
        session_id=uuid4(), action=Action.OPEN, book_id=shelves["Dune"], surface=Surface.BROWSE,
    )  # fmt: skip
    broken = event.encode().replace(b'"open"', b'"opeen"')
    conn.execute(
        """insert into stream.dead_letters (source, partition, log_offset, reason, payload)
           values ('log', 0, 1, 'no such action', %s)""",
        [broken],
    )
    conn.commit()
    (letter,) = dead_letters.for_staff(conn, staff)
    conn.rollback()
    shown = letter.payload.decode()
    assert "r_lan" not in shown

    still_bad = send_form(browser, "/staff/dead-letters/replay", letter="1", sure="1", event=shown)
    mended = send_form(
        browser, "/staff/dead-letters/replay", letter="1", sure="1", event=shown.replace("opeen", "open")
    )
    again = send_form(browser, "/staff/dead-letters/replay", letter="1", sure="1", event=shown.replace("opeen", "open"))

    assert [each.status_code for each in (still_bad, mended, again)] == [422, 200, 422]
    assert conn.execute("select reader_key from stream.event_log").fetchall() == [("r_lan",)]
    assert audit.latest(conn)[0].act == "replay dead letter"


def test_notes_are_put_on_the_charts_and_taken_off(
    browser: TestClient, enter: Callable[..., accounts.Account], conn: psycopg.Connection
) -> None:
    staff = enter("edith", "staff")
    day = datetime(2026, 3, 30, tzinfo=UTC).date()

    send_form(browser, "/staff/notes/add", day="2026-03-30", note="  Closed\nfor   repairs ")
    notes = staff_notes.between(conn, staff, day, day)
    conn.rollback()
    send_form(browser, "/staff/notes/remove", note=str(notes[0].note_id))

    assert [note.note for note in notes] == ["Closed for repairs"]
    assert staff_notes.between(conn, staff, day, day) == []


def test_a_rule_is_changed_in_the_unit_it_is_shown_in(
    browser: TestClient, enter: Callable[..., accounts.Account], conn: psycopg.Connection
) -> None:
    enter("edith", "staff")

    send_form(browser, "/staff/alerts/rule", rule="clicks_fell", threshold="12,5", is_share="1", state="off", mute="7")

    row = conn.execute(
        "select threshold, is_on, muted_until > now() from learning.alert_rules where rule = 'clicks_fell'"
    ).fetchone()
    assert row == (0.125, False, True)
