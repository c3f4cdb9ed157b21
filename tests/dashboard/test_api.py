"""The API for programs, through the real application and a real Postgres."""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg_pool import ConnectionPool
from small_catalogue import embed_works
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from dashboard import routes
from dashboard.api import callers
from openshelf import contracts, readers, topics
from openshelf.contracts import Interaction, slate_id_of
from openshelf.database import accounts, api_keys, events, stream
from openshelf.database.api_keys import Scope
from openshelf.database.stream import Batch, SlateRow
from openshelf.settings import get_settings

ALL = [Scope.READ, Scope.RECOMMEND, Scope.WRITE]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def client(shelves: dict[str, int]) -> Iterator[TestClient]:
    """The storefront's own routes, without Streamlit behind them."""
    with TestClient(Starlette(routes=routes.routes()), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def key(conn: psycopg.Connection) -> Callable[..., dict[str, str]]:
    """Make a key; the header that shows it."""

    def made(*scopes: Scope, name: str = "shop", source: str = "shop", per_minute: int = 1_000) -> dict[str, str]:
        _, secret = api_keys.create(
            conn, name, source=source, scopes=scopes or ALL, requests_per_minute=per_minute, lasts=None
        )
        conn.commit()
        return {"Authorization": f"Bearer {secret}"}

    return made


def store_slate(conn: psycopg.Connection, reader_key: str, book_ids: list[int]) -> SlateRow:
    event_id = uuid.uuid4()
    slate = SlateRow(
        slate_id=slate_id_of(event_id),
        event_id=event_id,
        reader_key=reader_key,
        session_id=uuid.uuid4(),
        created_at=NOW,
        policy_version="policy-7",
        arm="champion",
        surface="for_you",
        event_received_at=NOW,
        book_ids=book_ids,
        propensities=[0.5 / (n + 1) for n in range(len(book_ids))],
        sources=["policy"] * len(book_ids),
        reasons=["because_like", *["new_to_you"] * (len(book_ids) - 1)],
        reason_book_ids=[book_ids[-1], *[None] * (len(book_ids) - 1)],
    )
    stream.store_batch(conn, "tests", Batch(slates=[slate]))
    conn.commit()
    return slate


def logged(conn: psycopg.Connection) -> list[Interaction]:
    rows = events.read_after(conn, dict.fromkeys(range(topics.PARTITIONS), 0), 1_000)
    return [msgspec.json.decode(row.payload, type=Interaction) for row in rows]


def problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["detail"]
    return body


# --- the catalogue


def test_the_library_says_that_it_is_well(client: TestClient) -> None:
    assert client.get("/api/health").json() == {"status": "ok", "postgres": "answers"}


def test_works_come_in_pages_that_lead_on(client: TestClient, shelves: dict[str, int]) -> None:
    seen, address = [], "/api/works?per_page=5"
    while address:
        page = client.get(address).json()
        assert page["count"] == len(shelves) - 1  # one is withdrawn
        seen += [work["title"] for work in page["works"]]
        address = page["next"]

    assert sorted(seen) == sorted(title for title in shelves if not title.startswith("Withdrawn"))


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("subject=Poetry", ["Truyện Kiều"]),
        ("language=rus&year_from=1900", ["Мастер и Маргарита"]),
        ("format=epub&year_to=1960", ["Charlotte's Web", "Truyện Kiều"]),
        ("author=frank herbert&sort=oldest_first", ["Dune", "Dune Messiah"]),
        ("series=Dune Chronicles&sort=newest_first", ["Dune Messiah", "Dune"]),
        ("audience_limit=children", ["Charlotte's Web", "Dế Mèn phiêu lưu ký"]),
        ("q=truyen kieu", ["Truyện Kiều"]),
        ("q=wilbur pig&mode=all&language=eng", ["Charlotte's Web"]),
        ("readable=true&language=vie", ["Truyện Kiều"]),
    ],
)
def test_works_are_narrowed_as_in_the_storefront(query: str, titles: list[str], client: TestClient) -> None:
    assert [work["title"] for work in client.get(f"/api/works?{query}").json()["works"]] == titles


def test_a_search_ends_and_counts_where_the_answers_do(
    client: TestClient, shelves: dict[str, int], conn: psycopg.Connection
) -> None:
    embed_works(conn)
    conn.commit()

    found = client.get("/api/works?q=novel&per_page=2").json()
    rest = client.get(found["next"]).json()

    assert (found["count"], rest["count"], rest["next"]) == (3, 3, None)
    titles = {work["title"] for page in (found, rest) for work in page["works"]}
    assert titles == {"Dune", "Dune Messiah", "The Left Hand of Darkness"}, "near in meaning alone"


def test_a_work_comes_with_subjects_editions_and_cover(client: TestClient, shelves: dict[str, int]) -> None:
    work = client.get(f"/api/works/{shelves['Dune']}").json()

    assert work["title"] == "Dune"
    assert work["author_names"] == ["Frank Herbert"]
    assert work["subjects"] == ["science fiction", "ecology"]
    assert work["series"] == "Dune Chronicles"
    assert work["editions"][0]["formats"] == ["EPUB"]
    assert client.get(work["cover"]).headers["content-type"] == "image/jpeg"


@pytest.mark.parametrize("title", ["Withdrawn Secrets of Dune", None])
def test_a_work_that_is_not_there_is_not_found(title: str | None, client: TestClient, shelves: dict[str, int]) -> None:
    found = problem(client.get(f"/api/works/{shelves[title] if title else 999_999}"), 404)

    assert "GET /api/works" in found["detail"]


def test_a_work_beyond_the_asked_audience_is_not_found(client: TestClient, shelves: dict[str, int]) -> None:
    problem(client.get(f"/api/works/{shelves['Dune']}?audience_limit=young adult"), 404)
    web = shelves["Charlotte's Web"]
    assert client.get(f"/api/works/{web}?audience_limit=children").status_code == 200


def test_subjects_are_counted_and_lead_to_their_works(client: TestClient) -> None:
    subjects = client.get("/api/subjects").json()["subjects"]

    assert subjects[0]["name"] in {"science fiction", "classics"}
    for subject in subjects:
        assert client.get(subject["works"]).json()["count"] == subject["count_works"]


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("/api/works?page=0", "$.page"),
        ("/api/works?page=x", "$.page"),
        ("/api/works?per_page=101", "$.per_page"),
        ("/api/works?subject=%00", "$.subject"),
        ("/api/works?sort=colour", "$.sort"),
        ("/api/works?year_from=null", "$.year_from"),
        ("/api/works/abc", "$.book_id"),
        ("/api/works/99999999999", "$.book_id"),
    ],
)
def test_a_wrong_parameter_is_named(address: str, path: str, client: TestClient) -> None:
    assert problem(client.get(address), 422)["errors"][0]["path"] == path


def test_a_misspelt_parameter_is_no_silent_nothing(client: TestClient) -> None:
    assert "subjct" in problem(client.get("/api/works?subjct=poetry"), 422)["detail"]


def test_an_address_that_is_none_and_a_method_that_is_none(client: TestClient) -> None:
    problem(client.get("/api/wokrs"), 404)
    assert client.delete("/api/works").headers["allow"]
    problem(client.delete("/api/works"), 405)


def test_a_line_break_in_an_address_is_no_way_around(client: TestClient, key: Callable[..., dict[str, str]]) -> None:
    problem(client.get("/api/recommendations/a%0Ab", headers=key()), 422)


# --- keys


def test_a_closed_catalogue_wants_a_key(
    client: TestClient, key: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENSHELF_API_PUBLIC", "false")
    get_settings.cache_clear()

    assert client.get("/api/health").status_code == 200
    refused = client.get("/api/works")
    problem(refused, 401)
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert client.get("/api/works", headers=key(Scope.READ)).status_code == 200
    problem(client.get("/api/works", headers=key(Scope.WRITE, name="writer")), 403)


@pytest.mark.parametrize("header", ["Bearer osk_unknown", "Bearer " + "x" * 5_000, "Basic bGFuOmxhbg==", "Bearer é"])
def test_a_key_that_is_none_is_refused_even_where_none_is_needed(header: str, client: TestClient) -> None:
    problem(client.get("/api/works", headers={"Authorization": header.encode()}), 401)


@pytest.mark.parametrize("change", ["revoked_at = now()", "expires_at = now() - interval '1 second'"])
def test_a_key_that_ended_is_refused(
    change: str, client: TestClient, key: Callable[..., dict[str, str]], conn: psycopg.Connection
) -> None:
    headers = key()
    assert client.get("/api/works", headers=headers).status_code == 200
    conn.execute(f"update reading.api_keys set {change}")
    conn.commit()

    problem(client.get("/api/works", headers=headers), 401)


def test_the_key_itself_is_nowhere_in_the_database(
    client: TestClient, key: Callable[..., dict[str, str]], conn: psycopg.Connection
) -> None:
    headers = key()
    client.get("/api/works", headers=headers)
    secret = headers["Authorization"].removeprefix("Bearer ")

    [(row, used)] = conn.execute("select api_keys::text, last_used_at from reading.api_keys").fetchall()
    assert secret not in row
    assert secret[:12] in row
    assert used is not None


def test_a_scope_that_is_not_held_is_refused(client: TestClient, key: Callable[..., dict[str, str]]) -> None:
    recommender, writer = key(Scope.RECOMMEND, name="a"), key(Scope.WRITE, name="b")

    assert "write" in problem(client.post("/api/interactions", headers=recommender, json={}), 403)["detail"]
    assert "recommend" in problem(client.get("/api/recommendations/ann", headers=writer), 403)["detail"]
    problem(client.get("/api/recommendations/ann"), 401)


def test_requests_of_a_key_are_limited_and_go_on_in_the_next_minute(
    client: TestClient, key: Callable[..., dict[str, str]], conn: psycopg.Connection
) -> None:
    headers, other = key(per_minute=3), key(name="other")
    statuses = [client.get("/api/subjects", headers=headers).status_code for _ in range(3)]
    refused = client.get("/api/subjects", headers=headers)

    assert statuses == [200, 200, 200]
    problem(refused, 429)
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert client.get("/api/subjects", headers=other).status_code == 200
    conn.execute("update reading.api_keys set counting_since = now() - interval '61 seconds'")
    conn.commit()
    assert client.get("/api/subjects", headers=headers).status_code == 200


def test_requests_without_a_key_are_limited_by_address_and_go_on_in_the_next_minute(
    client: TestClient, key: Callable[..., dict[str, str]], conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callers, "WITHOUT_KEY", replace(callers.WITHOUT_KEY, count=2))
    statuses = [client.get("/api/subjects").status_code for _ in range(2)]
    refused = client.get("/api/subjects")

    assert statuses == [200, 200]
    problem(refused, 429)
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert client.get("/api/subjects", headers=key()).status_code == 200
    conn.execute("update reading.attempts set resets_at = now() - interval '1 second'")
    conn.commit()
    assert client.get("/api/subjects").status_code == 200


# --- recommendations


def test_the_latest_slate_comes_as_it_was_drawn(
    client: TestClient, key: Callable[..., dict[str, str]], conn: psycopg.Connection, shelves: dict[str, int]
) -> None:
    headers = key()
    mine = readers.program_key(get_settings().reader_secret(), "shop", "ann")
    titles = ["Truyện Kiều", "Dune", "Charlotte's Web"]
    slate = store_slate(conn, mine, [shelves[title] for title in titles])

    answer = client.get("/api/recommendations/ann", headers=headers).json()

    assert (answer["is_fallback"], answer["slate_id"]) == (False, str(slate.slate_id))
    assert (answer["policy_version"], answer["arm"], answer["reader_key"]) == ("policy-7", "champion", "ann")
    assert [place["work"]["title"] for place in answer["places"]] == titles
    assert [place["propensity"] for place in answer["places"]] == slate.propensities
    assert answer["places"][0]["reason"] == "because_like"
    assert answer["places"][0]["reason_book_id"] == shelves["Charlotte's Web"]
    again = client.get("/api/recommendations/ann", headers=headers).json()
    assert again == answer


def test_withdrawn_works_and_those_beyond_the_audience_leave_a_slate(
    client: TestClient, key: Callable[..., dict[str, str]], conn: psycopg.Connection, shelves: dict[str, int]
) -> None:
    mine = readers.program_key(get_settings().reader_secret(), "shop", "ann")
    store_slate(conn, mine, [shelves[t] for t in ("Dune", "Withdrawn Secrets of Dune", "Charlotte's Web")])
    headers = key()

    places = client.get("/api/recommendations/ann", headers=headers).json()["places"]
    assert [(place["position"], place["work"]["title"]) for place in places] == [(0, "Dune"), (2, "Charlotte's Web")]
    limited = client.get("/api/recommendations/ann?audience_limit=children", headers=headers).json()["places"]
    assert [place["work"]["title"] for place in limited] == ["Charlotte's Web"]


def test_a_reader_without_a_slate_gets_what_is_popular_and_it_says_so(
    client: TestClient, key: Callable[..., dict[str, str]]
) -> None:
    answer = client.get("/api/recommendations/nobody?limit=4", headers=key()).json()

    assert answer["is_fallback"] is True
    assert (answer["slate_id"], answer["policy_version"]) == (None, "popular")
    assert [place["source"] for place in answer["places"]] == ["popular"] * 4
    assert all(place["propensity"] is None for place in answer["places"])


def test_no_name_leads_a_program_to_a_reader_of_ours_or_of_another_program(
    client: TestClient, key: Callable[..., dict[str, str]], conn: psycopg.Connection, shelves: dict[str, int]
) -> None:
    account = accounts.create_demo(conn, "lan", "Lan", role="reader", history_enabled=True)
    ours = readers.account_key(get_settings().reader_secret(), account.account_id)
    accounts.pseudonym_or(conn, account.account_id, ours)
    theirs = readers.program_key(get_settings().reader_secret(), "other", "ann")
    for reader_key in (ours, theirs):
        store_slate(conn, reader_key, [shelves["Dune"]])
    headers = key()

    for name in (ours, theirs, "ann", str(account.account_id)):
        assert client.get(f"/api/recommendations/{name}", headers=headers).json()["is_fallback"] is True
        client.post("/api/interactions", headers=headers, json={"reader_key": name, "action": "reset"})
    assert {event.reader_key for event in logged(conn)} & {ours, theirs} == set()
    assert len(logged(conn)) == 4


def test_a_staff_tool_names_readers_as_the_stream_does(
    client: TestClient, key: Callable[..., dict[str, str]], conn: psycopg.Connection, shelves: dict[str, int]
) -> None:
    headers = key(*ALL, Scope.ANY_READER)
    account = accounts.create_demo(conn, "lan", "Lan", role="reader", history_enabled=True)
    accounts.pseudonym_or(conn, account.account_id, "r_lan")
    store_slate(conn, "r_lan", [shelves["Dune"]])
    act = {"reader_key": "r_lan", "action": "like", "book_id": shelves["Dune"]}

    assert client.get("/api/recommendations/r_lan", headers=headers).json()["is_fallback"] is False
    assert client.post("/api/interactions", headers=headers, json=act).status_code == 200
    assert [event.reader_key for event in logged(conn)] == ["r_lan"]

    conn.execute("update reading.accounts set history_enabled = false")
    conn.commit()
    problem(client.post("/api/interactions", headers=headers, json=act), 403)
    assert len(logged(conn)) == 1


def test_a_wish_in_words_is_answered(client: TestClient, key: Callable[..., dict[str, str]]) -> None:
    answer = client.post("/api/recommendations/query", headers=key(), json={"text": "desert planet", "limit": 2}).json()

    assert {found["work"]["title"] for found in answer["suggestions"]} == {"Dune", "Dune Messiah"}
    assert (answer["is_personal"], answer["suggestions"][0]["position"]) == (False, 0)


def test_a_wish_is_put_in_the_order_of_the_readers_acts(
    client: TestClient, key: Callable[..., dict[str, str]], conn: psycopg.Connection, shelves: dict[str, int]
) -> None:
    headers = key()
    for name, axis in (("Dune", 0), ("Dune Messiah", 1), ("The Left Hand of Darkness", 1)):
        vector = "[" + ",".join("1" if n == axis else "0" for n in range(384)) + "]"
        conn.execute(
            "insert into library.text_embeddings (book_id, model, text_hash, embedding) "
            "values (%s, 'all-MiniLM-L6-v2', '', %s)",
            [shelves[name], vector],
        )
    mine = readers.program_key(get_settings().reader_secret(), "shop", "ann")
    _interaction(conn, mine, "like", shelves["The Left Hand of Darkness"], 2)
    wish = {"text": "dune", "reader_key": "ann"}

    def titles(**more: Any) -> list[str]:
        answer = client.post("/api/recommendations/query", headers=headers, json={**wish, **more}).json()
        return [found["work"]["title"] for found in answer["suggestions"]]

    assert titles() == ["Dune Messiah", "Dune"]
    assert titles(reader_key="ben") == ["Dune", "Dune Messiah"]
    _interaction(conn, mine, "hide", shelves["Dune Messiah"], -2)
    assert titles() == ["Dune"]
    assert titles(filters={"year_from": 1969}) == []


def _interaction(conn: psycopg.Connection, reader_key: str, action: str, book_id: int, reward: float) -> None:
    conn.execute(
        """insert into stream.interactions (event_id, version, occurred_at, reader_key, session_id, action, book_id,
               surface, reward, rewards_version, received_at)
           values (gen_random_uuid(), 1, now(), %s, gen_random_uuid(), %s, %s, 'api', %s, 'v', now())""",
        [reader_key, action, book_id, reward],
    )
    conn.commit()


# --- acts


def test_an_act_is_in_the_log_when_it_is_acknowledged(
    client: TestClient, key: Callable[..., dict[str, str]], conn: psycopg.Connection, shelves: dict[str, int]
) -> None:
    before = contracts.utc_now()
    answer = client.post(
        "/api/interactions",
        headers=key(),
        json={"reader_key": "ann", "action": "rate", "book_id": shelves["Dune"], "value": 4},
    )

    [event] = logged(conn)
    assert answer.json() == {
        "count_stored": 1,
        "count_duplicates": 0,
        "events": [{"event_id": str(event.event_id), "status": "stored"}],
    }
    assert event.reader_key == readers.program_key(get_settings().reader_secret(), "shop", "ann")
    assert (event.action, event.surface, event.value) == ("rate", "api", 4)
    assert before <= event.occurred_at <= contracts.utc_now()


def test_a_whole_number_is_one_however_it_is_written(
    client: TestClient, key: Callable[..., dict[str, str]], conn: psycopg.Connection, shelves: dict[str, int]
) -> None:
    body = f'{{"reader_key": "ann", "action": "like", "book_id": {shelves["Dune"]}.0}}'
    answer = client.post("/api/interactions", headers={**key(), "Content-Type": "application/json"}, content=body)

    assert answer.status_code == 200
    assert [event.book_id for event in logged(conn)] == [shelves["Dune"]]


def test_many_acts_are_stored_together_in_order(
    client: TestClient, key: Callable[..., dict[str, str]], conn: psycopg.Connection, shelves: dict[str, int]
) -> None:
    acts = [{"reader_key": "ann", "action": action, "book_id": shelves["Dune"]} for action in ("open", "read", "like")]
    answer = client.post("/api/interactions", headers=key(), json=acts).json()

    assert answer["count_stored"] == 3
    assert [event.action for event in logged(conn)] == ["open", "read", "like"]
    assert len({event.session_id for event in logged(conn)}) == 1


def test_what_is_sent_again_counts_once(
    client: TestClient, key: Callable[..., dict[str, str]], conn: psycopg.Connection, shelves: dict[str, int]
) -> None:
    headers, event_id = key(), str(uuid.uuid4())
    act = {"event_id": event_id, "reader_key": "ann", "action": "like", "book_id": shelves["Dune"]}

    first = client.post("/api/interactions", headers=headers, json=act).json()
    again = client.post("/api/interactions", headers=headers, json=[act, act]).json()

    assert first["events"] == [{"event_id": event_id, "status": "stored"}]
    assert again["events"] == [{"event_id": event_id, "status": "duplicate"}] * 2
    assert len(logged(conn)) == 1
    assert conn.execute("select count(*) from stream.dead_letters").fetchone() == (0,)


def test_what_is_sent_twice_at_once_counts_once(
    client: TestClient, key: Callable[..., dict[str, str]], conn: psycopg.Connection, shelves: dict[str, int]
) -> None:
    headers = key()
    act = {"event_id": str(uuid.uuid4()), "reader_key": "ann", "action": "like", "book_id": shelves["Dune"]}
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: client.post("/api/interactions", headers=headers, json=act), range(12)))

    assert sum(answer.json()["count_stored"] for answer in answers) == 1
    assert len(logged(conn)) == 1
    assert conn.execute("select count(*) from stream.dead_letters").fetchone() == (0,)


def test_an_event_id_that_names_another_act_is_refused_and_nothing_is_stored(
    client: TestClient, key: Callable[..., dict[str, str]], conn: psycopg.Connection, shelves: dict[str, int]
) -> None:
    headers, event_id = key(), str(uuid.uuid4())
    act = {"event_id": event_id, "reader_key": "ann", "action": "like", "book_id": shelves["Dune"]}
    client.post("/api/interactions", headers=headers, json=act)

    for other in ({**act, "action": "dislike"}, {**act, "reader_key": "ben"}):
        body = [{"reader_key": "ann", "action": "visit"}, other]
        assert problem(client.post("/api/interactions", headers=headers, json=body), 409)["errors"][0]["path"] == "$[1]"
    assert len(logged(conn)) == 1


def test_an_act_may_answer_a_place_of_its_own_readers_slate_only(
    client: TestClient, key: Callable[..., dict[str, str]], conn: psycopg.Connection, shelves: dict[str, int]
) -> None:
    headers = key()
    mine = readers.program_key(get_settings().reader_secret(), "shop", "ann")
    own, foreign = store_slate(conn, mine, [shelves["Dune"]]), store_slate(conn, "r_lan", [shelves["Dune"]])
    act = {"reader_key": "ann", "action": "open", "book_id": shelves["Dune"], "position": 0}

    answered = client.post("/api/interactions", headers=headers, json={**act, "slate_id": str(own.slate_id)})
    assert answered.status_code == 200
    for slate_id in (foreign.slate_id, uuid.uuid4()):
        body = {**act, "slate_id": str(slate_id)}
        problem(client.post("/api/interactions", headers=headers, json=body), 422)
    problem(client.post("/api/interactions", headers=headers, json=act), 422)
    assert len(logged(conn)) == 1


def test_a_program_has_its_reader_erased_and_no_one_elses(
    client: TestClient, key: Callable[..., dict[str, str]], conn: psycopg.Connection, shelves: dict[str, int]
) -> None:
    headers = key()
    ann, ben = (readers.program_key(get_settings().reader_secret(), "shop", name) for name in ("ann", "ben"))
    for name in ("ann", "ben"):
        act = {"reader_key": name, "action": "like", "book_id": shelves["Dune"]}
        client.post("/api/interactions", headers=headers, json=act)
    for reader_key in (ann, ben):
        store_slate(conn, reader_key, [shelves["Dune"]])
        _interaction(conn, reader_key, "like", shelves["Dune"], 2)

    answer = client.delete("/api/readers/ann", headers=headers)

    assert answer.json() == {"reader_key": "ann", "is_finished": False}  # no dataflow runs here to hear of it
    for table in ("stream.interactions", "stream.slates"):
        left = conn.execute(f"select reader_key from {table}").fetchall()
        assert left == [(ben,)]
    assert client.get("/api/recommendations/ann", headers=headers).json()["is_fallback"] is True
    again = client.post("/api/interactions", headers=headers, json={"reader_key": "ann", "action": "visit"})
    assert "erased" in problem(again, 403)["detail"]
    assert client.delete("/api/readers/ann", headers=headers).status_code == 200


def test_an_account_is_not_erased_over_http(client: TestClient, key: Callable[..., dict[str, str]]) -> None:
    problem(client.delete("/api/readers/r_lan", headers=key(*ALL, Scope.ANY_READER)), 403)


@pytest.mark.parametrize(
    ("act", "path"),
    [
        ({"action": "like", "book_id": 1}, "$"),
        ({"reader_key": "ann", "action": "purchase", "book_id": 1}, "$.action"),
        ({"reader_key": "ann", "action": "like"}, "$"),
        ({"reader_key": "ann", "action": "like", "book_id": "1"}, "$.book_id"),
        ({"reader_key": "ann@example.org", "action": "visit"}, "$.reader_key"),
        ({"reader_key": "ann", "action": "rate", "book_id": 1, "value": 9}, "$"),
        ({"reader_key": "ann", "action": "visit", "surface": "for_you"}, "$"),
        ({"reader_key": "ann", "action": "visit", "occurred_at": "2026-01-01T00:00:00"}, "$.occurred_at"),
        ({"reader_key": "ann", "action": "visit", "occurred_at": "2020-01-01T00:00:00Z"}, "$"),
        ({"reader_key": "ann", "action": "visit", "inferred": True}, "$"),
    ],
)
def test_a_wrong_act_is_refused_with_its_place(
    act: dict[str, Any],
    path: str,
    client: TestClient,
    key: Callable[..., dict[str, str]],
    conn: psycopg.Connection,
) -> None:
    headers = key()
    found = problem(client.post("/api/interactions", headers=headers, json=act), 422)
    assert found["errors"][0]["path"] == path

    good = {"reader_key": "ann", "action": "visit"}
    listed = problem(client.post("/api/interactions", headers=headers, json=[good, act]), 422)
    assert listed["errors"][0]["path"].startswith("$[")
    assert logged(conn) == []


def test_an_act_of_last_week_keeps_its_time(
    client: TestClient, key: Callable[..., dict[str, str]], conn: psycopg.Connection
) -> None:
    moment = contracts.utc_now() - timedelta(days=7)
    act = {"reader_key": "ann", "action": "visit", "occurred_at": moment.isoformat()}
    client.post("/api/interactions", headers=key(), json=act)

    assert [event.occurred_at for event in logged(conn)] == [moment]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"reader_key=ann", "application/x-www-form-urlencoded", 415),
        (b" " * 1_000_001, "application/json", 413),
        (b"[]", "application/json", 422),
    ],
)
def test_a_body_that_is_none_is_refused(
    body: bytes, kind: str, status: int, client: TestClient, key: Callable[..., dict[str, str]]
) -> None:
    problem(client.post("/api/interactions", headers={**key(), "Content-Type": kind}, content=body), status)


def test_a_body_in_parts_without_a_length_is_limited_too(
    client: TestClient, key: Callable[..., dict[str, str]]
) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(200):
            yield b" " * 10_000

    headers = {**key(), "Content-Type": "application/json"}
    problem(client.post("/api/interactions", headers=headers, content=parts()), 413)


# --- around it


def test_pages_of_other_sites_may_call_only_where_a_setting_says_so(
    shelves: dict[str, int], client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "GET"}
    assert "access-control-allow-origin" not in client.get("/api/works", headers=asked).headers

    monkeypatch.setenv("OPENSHELF_API_ORIGINS", "https://shop.example")
    get_settings.cache_clear()
    with TestClient(Starlette(routes=routes.routes())) as opened:
        answer = opened.get("/api/works", headers=asked)
        stranger = opened.get("/api/works", headers={"Origin": "https://evil.example"})
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-credentials" not in answer.headers
    assert "access-control-allow-origin" not in stranger.headers


def test_a_query_that_takes_too_long_is_given_up(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboard.api import operations, works

    monkeypatch.setattr(operations, "STATEMENT_TIMEOUT_S", 1)
    monkeypatch.setattr(
        works.catalogue, "count_works", lambda conn, *_, **__: conn.execute("select pg_sleep(20)").fetchone()
    )
    answer = client.get("/api/works")

    assert problem(answer, 503)["detail"].startswith("this took too long")
    assert answer.headers["retry-after"]


def test_without_postgres_it_says_when_to_try_again(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_pool: object) -> None:
        raise psycopg.OperationalError("gone")

    monkeypatch.setattr(ConnectionPool, "connection", away)
    for address in ("/api/works", "/api/health"):
        answer = client.get(address)
        problem(answer, 503)
        assert answer.headers["retry-after"] == "2"


def test_a_fault_of_ours_tells_no_secrets(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboard.api import works

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the password is 1234")

    monkeypatch.setattr(works.catalogue, "subject_counts", broken)
    assert "1234" not in client.get("/api/subjects").text
    problem(client.get("/api/subjects"), 500)


def test_the_documentation_is_a_page_without_scripts(client: TestClient) -> None:
    page = client.get("/api/docs")

    assert page.headers["content-type"].startswith("text/html")
    assert "<script" not in page.text
    for path in client.get("/api/openapi.json").json()["paths"]:
        assert path in page.text


def test_it_is_mounted_beside_the_pages() -> None:
    assert "/api" in [route.path for route in routes.routes() if isinstance(route, Mount)]
