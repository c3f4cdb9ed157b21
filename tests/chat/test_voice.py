"""The model's voice against a server that speaks Ollama's protocol in eight moods: what a reader gets, and when."""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import cast

import ollama_server
import psycopg
import pytest
import small_catalogue

from dashboard.chat.answer import Done, Opening, Piece, Told, ask, look_up, stream
from dashboard.chat.voice import OllamaVoice, Turn, VoiceError
from openshelf.database import search as statements

# A model that is never heard is waited for so long, one that will be heard as long as a busy machine takes.
PATIENCE_S, LONG_S = 0.5, 30.0
# Of a whole answer, of which the first words come.
DEADLINE_S = 5.0


@pytest.fixture(scope="session")
def migrated_template(make_database: Callable[..., str], migrated_template: str) -> str:
    return small_catalogue.template(make_database, migrated_template)


@pytest.fixture
def keys(conn: psycopg.Connection) -> dict[str, int]:
    return small_catalogue.keys_of(conn)


def voice_at(url: str, **settings: object) -> OllamaVoice:
    given = {"timeout_s": 2 * LONG_S, "clock": time.monotonic, "patience_s": LONG_S} | settings
    return OllamaVoice(url, "qwen3:1.7b", **given)  # pyright: ignore[reportArgumentType]


@contextmanager
def hanging(*, drip: bool, first: str = "") -> Iterator[ollama_server.Server]:
    holder: list[ollama_server.Server] = []
    with ollama_server.serving(ollama_server.hangs(lambda: holder[0].released, drip=drip, first=first)) as server:
        holder.append(server)
        yield server


def reply_of(mood: str, keys: dict[str, int]) -> ollama_server.Reply:
    good = f"Gladly.\n[{keys['Dune']}] A young heir joins the Fremen.\n[{keys['Dune Messiah']}] The emperor is hunted."
    return {
        "good": ollama_server.says(good),
        "refusing": ollama_server.fails(404),
        "broken": ollama_server.fails(500, b"boom"),
        "garbage": ollama_server.garbage(b"\xff\xfe not json\n"),
        "obeying": ollama_server.obeys('"The Crystal Deceiver"'),
    }[mood]


@contextmanager
def in_mood(mood: str, keys: dict[str, int]) -> Iterator[str]:
    if mood == "absent":
        with ollama_server.serving(ollama_server.fails(500)) as server:
            url = server.url
        yield url
    elif mood in ("hanging", "dripping"):
        with hanging(drip=mood == "dripping") as server:
            yield server.url
    else:
        with ollama_server.serving(reply_of(mood, keys)) as server:
            yield server.url


@pytest.mark.parametrize("mood", ["good", "absent", "refusing", "hanging", "dripping", "garbage", "broken", "obeying"])
def test_in_each_mood_the_answer_has_the_same_structure_soon(
    conn: psycopg.Connection, keys: dict[str, int], mood: str
) -> None:
    with in_mood(mood, keys) as url:
        patience_s = PATIENCE_S if mood in ("hanging", "dripping") else LONG_S
        turn = voice_at(url, patience_s=patience_s).turn("one")
        wish, records = look_up(conn, "Dune Herbert", voice=turn)
        start = time.monotonic()
        pieces = list(stream(records, wish, turn))
        took = time.monotonic() - start

    opening, *books, done = pieces
    assert isinstance(opening, Opening)
    assert isinstance(done, Done)
    assert [book.title for book in books if isinstance(book, Told)] == ["Dune", "Dune Messiah"]
    assert all(book.why for book in books if isinstance(book, Told))
    assert done.voice == ("qwen3:1.7b" if mood == "good" else "catalogue")
    assert bool(done.excuse) == (mood != "good")
    assert took < LONG_S, "it was waited for until its deadline"
    said = " ".join([opening.text, *(book.why for book in books if isinstance(book, Told))])
    assert "Deceiver" not in said
    assert "http" not in said


def test_who_leaves_closes_the_connection(conn: psycopg.Connection, keys: dict[str, int]) -> None:
    with hanging(drip=True, first="Gladly.\n") as server:
        turn = voice_at(server.url).turn("one")
        wish, records = look_up(conn, "Dune Herbert", voice=turn)
        pieces = cast("Generator[Piece]", stream(records, wish, turn))
        first = next(pieces)
        pieces.close()

        assert isinstance(first, Opening)
        assert server.left.wait(LONG_S), "the server still holds the line"


def test_a_new_question_of_a_session_stops_the_one_before(keys: dict[str, int], conn: psycopg.Connection) -> None:
    records = statements.records(conn, [keys["Dune"]])
    with hanging(drip=True) as server:
        voice = voice_at(server.url)
        first: list[object] = []

        def ask_first() -> None:
            try:
                first.extend(voice.turn("one").speak("Dune", "en", records))
            except VoiceError as error:
                first.append(error)

        asking = threading.Thread(target=ask_first)
        asking.start()
        _until(lambda: len(server.requests) == 1)
        server.reply = ollama_server.says("Gladly.")
        second = "".join(voice.turn("one").speak("Dune", "en", records))
        asking.join(LONG_S)

        assert second == "Gladly."
        assert not asking.is_alive()
        assert server.left.wait(LONG_S)


def test_who_finds_all_places_taken_waits_no_longer_than_the_patience(
    keys: dict[str, int], conn: psycopg.Connection
) -> None:
    records = statements.records(conn, [keys["Dune"]])
    with hanging(drip=True) as server:
        voice = voice_at(server.url, at_once=1)
        held = cast("Generator[str]", voice.turn("one").speak("Dune", "en", records))
        next(held)
        with pytest.raises(VoiceError, match="busy"):
            list(voice_turn(voice, 0.2).speak("Dune", "en", records))
        held.close()
        _until(server.left.is_set)
        server.reply = ollama_server.says("Gladly.")

        assert "".join(voice.turn("three").speak("Dune", "en", records)) == "Gladly."


def voice_turn(voice: OllamaVoice, patience_s: float) -> Turn:
    turn = voice.turn("two")
    turn.patience_left = patience_s
    return turn


def test_one_deadline_holds_for_the_whole_answer(conn: psycopg.Connection, keys: dict[str, int]) -> None:
    with hanging(drip=True, first="Gladly.\n") as server:
        wish, records = look_up(conn, "Dune Herbert")
        turn = voice_at(server.url, timeout_s=DEADLINE_S).turn("one")
        start = time.monotonic()
        pieces = list(stream(records, wish, turn))
        took = time.monotonic() - start

    assert pieces[0] == Opening("Gladly.")
    assert [p.voice for p in pieces if isinstance(p, Told)] == ["catalogue", "catalogue"]
    assert took < DEADLINE_S + LONG_S


def test_a_model_that_was_not_loaded_is_loaded_meanwhile_and_speaks_then(
    conn: psycopg.Connection, keys: dict[str, int]
) -> None:
    with hanging(drip=False) as server:
        voice = voice_at(server.url)
        first = ask(conn, "Dune Herbert", voice_turn(voice, PATIENCE_S))
        _until(lambda: voice.is_loaded)
        server.reply = reply_of("good", keys)
        second = ask(conn, "Dune Herbert", voice.turn("two"))

        assert len(server.loads) == 1
    assert first.voice == "catalogue"
    assert second.voice == "qwen3:1.7b"


def test_settings_reach_the_model(conn: psycopg.Connection, keys: dict[str, int]) -> None:
    with ollama_server.serving(ollama_server.says("Gladly.")) as server:
        voice = OllamaVoice(server.url, "other:1b", LONG_S, time.monotonic, LONG_S, 0.1, 0.5, 99)
        ask(conn, "Dune", voice.turn())

    (request,) = server.requests
    assert request["model"] == "other:1b"
    assert {name: request["options"][name] for name in ("temperature", "top_p", "num_predict")} == {
        "temperature": 0.1, "top_p": 0.5, "num_predict": 99,
    }  # fmt: skip


def test_a_model_that_helps_to_understand_is_asked_for_json_of_our_form(
    conn: psycopg.Connection, keys: dict[str, int]
) -> None:
    with ollama_server.serving(ollama_server.says('{"subjects": ["cooking"], "year_from": 1999}')) as server:
        wish, _records = look_up(conn, "gastronomical delectations", voice=voice_at(server.url, parses=True).turn())

    assert wish.subjects == ("cooking",)
    assert wish.year_from is None, "a year that nobody asked for"
    assert "subjects" in server.requests[0]["format"]["properties"]


@pytest.mark.parametrize("said", ["no json", "[]", '{"subjects": "cooking"}', "", "{"])
def test_bad_json_leaves_the_rules_as_they_are(conn: psycopg.Connection, keys: dict[str, int], said: str) -> None:
    with ollama_server.serving(ollama_server.says(said)) as server:
        wish, records = look_up(conn, "cooking lessons", voice=voice_at(server.url, parses=True).turn())

    assert wish.subjects == ("cooking",)
    assert [record.title for record in records] == ["Salt, Fat, Acid, Heat"]


def test_nothing_of_other_readers_reaches_a_prompt(conn: psycopg.Connection, keys: dict[str, int]) -> None:
    account_id = conn.execute(
        "insert into reading.accounts (username, display_name, history_enabled, chat_days)"
        " values ('canary-name', 'Canary Display', true, 30) returning account_id"
    ).fetchone()[0]  # pyright: ignore[reportOptionalSubscript]
    conn.execute("insert into reading.pseudonyms values (%s, 'canary-key')", [account_id])
    conn.execute(
        "insert into reading.chats (account_id, chat_id, turn, question, answer)"
        " values (%s, gen_random_uuid(), 1, 'canary question on Dune', '{\"opening\": \"canary answer\"}')",
        [account_id],
    )
    conn.execute(
        "insert into reading.ratings (account_id, book_id, stars) values (%s, %s, 5)", [account_id, keys["Dune"]]
    )
    with ollama_server.serving(ollama_server.says("Gladly.")) as server:
        voice = voice_at(server.url, parses=True, reranks=True)
        before = None
        for question in ("Dune Herbert", "science fiction please", "more of these", "why the first?"):
            before = ask(conn, question, voice.turn("one"), before, taste=lambda ids: dict.fromkeys(ids, 0.5))

    assert len(server.requests) >= 4
    assert "canary" not in str(server.requests).casefold()
    assert "0.5" not in str([request["messages"] for request in server.requests]), "not even the reader's own taste"


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_S
    while not is_so():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.02)
