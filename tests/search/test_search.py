"""Search over a small real catalogue: words, meaning, accents, typos, filters, hostile input."""

import json
import unicodedata
from collections.abc import Callable

import psycopg
import pytest
import small_catalogue
from typer.testing import CliRunner

from models import embedding
from models.embedding import MODEL_NAME
from models.known_names import authors_in_full, authors_misspelt, authors_sounding
from models.mending import did_you_mean, near_words
from models.query_text import any_word, excerpt, highlights
from models.query_vectors import vector
from models.search import search, similar
from models.search_cli import parse_filters, search_app, similar_app
from models.suggestions import suggest
from openshelf.database.filters import Filters
from openshelf.database.search import Look, look
from openshelf.errors import ModelError, UsageError


@pytest.fixture(scope="session")
def migrated_template(make_database: Callable[..., str], migrated_template: str) -> str:
    """These tests start from a filled catalogue instead of an empty one."""
    return small_catalogue.template(make_database, migrated_template)


@pytest.fixture
def keys(conn: psycopg.Connection) -> dict[str, int]:
    return small_catalogue.keys_of(conn)


def titles(keys: dict[str, int], hits: list) -> list[str]:
    by_key = {book_id: title for title, book_id in keys.items()}
    return [by_key[hit.book_id] for hit in hits]


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("dune", "Dune"),
        ("DUNE frank", "Dune"),
        ("truyen kieu", "Truyện Kiều"),
        (unicodedata.normalize("NFD", "Truyện Kiều"), "Truyện Kiều"),
        ("мертвые души", "Мёртвые души"),
        ("Мёртвые", "Мёртвые души"),
        ("de men phieu luu", "Dế Mèn phiêu lưu ký"),
        ("truye", "Truyện Kiều"),  # an unfinished word
        ("charlottes web", "Charlotte's Web"),
        ("brief hist", "A Brief History of Time"),
        ("space emperor on a desert world", "Dune Messiah"),
        ('"left hand"', "The Left Hand of Darkness"),
    ],
)
def test_the_best_hit_is_the_work_meant(
    conn: psycopg.Connection, keys: dict[str, int], asked: str, wanted: str
) -> None:
    hits = search(conn, asked)

    assert titles(keys, hits)[0] == wanted


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("truyen kieuu", "Truyện Kiều"),
        ("truyn kieu", "Truyện Kiều"),
        ("hawkin brief", "A Brief History of Time"),
        ("hwaking", "A Brief History of Time"),
        ("маргорита", "Мастер и Маргарита"),
        ("herbart", "Dune"),
    ],
)
@pytest.mark.parametrize("with_encoder", [True, False])
def test_a_one_letter_typo_still_finds(
    conn: psycopg.Connection,
    keys: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
    asked: str,
    wanted: str,
    with_encoder: bool,
) -> None:
    if not with_encoder:
        break_encoder(monkeypatch)

    hits = search(conn, asked)

    assert wanted in titles(keys, hits)[:2]
    assert hits[0].matched == "spelling"
    assert did_you_mean(conn, asked) is not None


def break_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise ModelError("the encoder's files are missing: install again")

    monkeypatch.setattr(embedding, "load_encoder", absent)
    from models import query_vectors

    query_vectors._encoded.cache_clear()


def test_without_the_encoder_words_still_find(
    conn: psycopg.Connection, keys: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    break_encoder(monkeypatch)

    assert titles(keys, search(conn, "sandworms")) == ["Dune"]
    assert titles(keys, search(conn, "sandworms", "meaning")) == ["Dune"]


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("dune mess", {"Dune Messiah"}),  # an unfinished word
        ("dune the", {"Dune", "Dune Messiah"}),  # one that is finished, and stands in both blurbs
        ('"left hand" dune', set()),  # no word of a query with a phrase in it may be missing
    ],
)
def test_only_a_last_word_that_may_go_on_finds_what_begins_so(
    conn: psycopg.Connection, keys: dict[str, int], asked: str, wanted: set[str]
) -> None:
    assert {hit.book_id for hit in search(conn, asked) if hit.matched != "meaning"} == {keys[title] for title in wanted}


def test_withdrawn_works_are_never_found(conn: psycopg.Connection, keys: dict[str, int]) -> None:
    hidden = keys["Withdrawn Secrets of Dune"]

    everything = [*search(conn, "dune secrets desert planet", "meaning"), *search(conn, "withdrawn secrets")]
    everything += search(conn, "dune") + similar(conn, keys["Dune"])

    assert everything
    assert hidden not in {hit.book_id for hit in everything}


@pytest.mark.parametrize(
    ("mode", "asked", "wanted"),
    [
        ("title", "dune", {"Dune", "Dune Messiah"}),
        ("author", "herbert", {"Dune", "Dune Messiah"}),
        ("author", "dune", set()),  # a series is no author
        ("subject", "children", {"Dế Mèn phiêu lưu ký", "Charlotte's Web"}),
        ("subject", "dune", set()),
        ("title", "desert", set()),
    ],
)
def test_a_mode_looks_only_where_it_says(
    conn: psycopg.Connection, keys: dict[str, int], mode: str, asked: str, wanted: set[str]
) -> None:
    assert set(titles(keys, search(conn, asked, mode))) == wanted  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (Filters(language="vie"), {"Truyện Kiều", "Dế Mèn phiêu lưu ký"}),
        (Filters(audience="children", language="eng"), {"Charlotte's Web"}),
        (Filters(year_from=1966, year_to=1969, language="eng"), {"Dune Messiah", "The Left Hand of Darkness"}),
        (Filters(format="pdf", subject="Science Fiction"), {"Dune Messiah"}),
        (Filters(series="dune chronicles"), {"Dune", "Dune Messiah"}),
    ],
)
def test_filters_bind_words_and_meaning_alike(
    conn: psycopg.Connection, keys: dict[str, int], filters: Filters, wanted: set[str]
) -> None:
    words = [word for work in small_catalogue.WORKS for word in [work.title.split()[0], *work.subjects]]
    asked = Look(any_word=any_word(words), vector=vector("stories of the world"), model=MODEL_NAME, filters=filters)
    known = {book_id: title for title, book_id in keys.items()}
    found = [known[book_id] for book_id in look(conn, asked)]
    near = titles(keys, search(conn, "a story", "meaning", filters))

    assert set(found) == wanted
    assert set(near) <= wanted


@pytest.mark.parametrize(
    "asked",
    ["", "   ", "!", "%", "\\", "-", '" & |', "'; drop table library.works; --", "a", "\x00dune\x00", "😀",
     "\u202edune", "x" * 1_000_000, "dune " * 50_000, "\ud800", "___", "2" * 300, "a:* & (", "²³", "'", "or", "-dune"],
)  # fmt: skip
def test_hostile_input_is_answered_not_raised(conn: psycopg.Connection, keys: dict[str, int], asked: str) -> None:
    for mode in ("all", "title", "author", "subject", "meaning"):
        assert isinstance(search(conn, asked, mode), list)
    assert isinstance(look(conn, Look(any_word=any_word([asked]), vector=vector(asked), model=MODEL_NAME)), dict)
    assert conn.execute("select count(*) from library.works").fetchone() == (len(small_catalogue.WORKS),)


def test_an_empty_query_finds_nothing(conn: psycopg.Connection, keys: dict[str, int]) -> None:
    assert search(conn, " \x00 ") == []


def test_similar_works_are_near_in_meaning(conn: psycopg.Connection, keys: dict[str, int]) -> None:
    hits = similar(conn, keys["Dune"], 3)

    assert titles(keys, hits)[0] == "Dune Messiah"
    assert {hit.matched for hit in hits} == {"meaning"}


def test_a_work_without_embedding_gets_its_author_then_the_popular(
    conn: psycopg.Connection, keys: dict[str, int]
) -> None:
    conn.execute(
        "delete from library.text_embeddings where book_id = any(%s)", [[keys["Dune"], keys["The Silent Ledger"]]]
    )

    by_author = similar(conn, keys["Dune"], 4)
    alone = similar(conn, keys["The Silent Ledger"], 4)

    assert titles(keys, by_author)[0] == "Dune Messiah"
    assert by_author[0].matched == "author"
    assert len(by_author) == 4
    assert len(alone) == 4
    assert {hit.matched for hit in alone} == {"popular"}
    assert keys["The Silent Ledger"] not in {hit.book_id for hit in alone}


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("kieuu", {"kieu": 1}),
        ("keiu", {"kieu": 1}),
        ("kie", {}),
        ("xyzzy", {}),
        ("herbrt", {"herbert": 1}),
        ("hawkings", {"hawking": 1}),
    ],
)
def test_near_words_are_a_slip_away(word: str, wanted: dict[str, int]) -> None:
    assert near_words(word, ("hawking", "herbert", "kieu", "truyen")) == wanted


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (["herbertt"], ["Frank Herbert"]),
        (["херберту"], ["Frank Herbert"]),
        (["sherbet"], []),  # a slip is seldom made in the first letter
        (["herbert"], []),  # no slip at all
        (["herb"], []),
    ],
)
def test_a_last_name_that_nothing_holds_is_read_as_the_nearest(
    conn: psycopg.Connection, said: list[str], wanted: list[str]
) -> None:
    assert authors_misspelt(conn, said) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("what have you got by frank herbert please", ["Frank Herbert"]),
        ("frank talk about herbert", []),
        ("herbert", []),
    ],
)
def test_a_whole_name_is_an_author_wherever_it_stands(conn: psycopg.Connection, text: str, wanted: list[str]) -> None:
    assert authors_in_full(conn, text) == wanted


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (["franck", "herbart"], ["Frank Herbert"]),
        (["фрэнк", "херберт"], ["Frank Herbert"]),
        (["books", "frank", "herbert"], ["Frank Herbert"]),
        (["fred", "herbert"], []),  # somebody else's first name
        (["herbert", "frank"], []),
    ],
)
def test_first_and_last_name_that_follow_each_other_are_read_by_their_sound(
    conn: psycopg.Connection, said: list[str], wanted: list[str]
) -> None:
    assert authors_sounding(conn, said) == wanted


def test_of_several_near_words_the_one_that_fits_the_rest_is_meant(
    conn: psycopg.Connection, keys: dict[str, int]
) -> None:
    small_catalogue.add_work(conn, small_catalogue.Work("Harry's Potters", ["Ann Clay"], ["crafts"], None))
    small_catalogue.add_work(conn, small_catalogue.Work("Mary Power", ["Gary Carter"], ["history"], None))
    conn.execute("update library.catalogue_version set version = version + 1")

    assert did_you_mean(conn, "hary poters") == "harry potters"
    assert did_you_mean(conn, "mery powr carter") == "mary power carter"


def test_new_works_join_the_vocabulary_of_typos(conn: psycopg.Connection, keys: dict[str, int]) -> None:
    assert did_you_mean(conn, "zarathustre") is None

    small_catalogue.add_work(conn, small_catalogue.Work("Zarathustra", ["F. Nietzsche"], ["philosophy"], None))
    conn.execute("update library.catalogue_version set version = version + 1")

    assert did_you_mean(conn, "zarathustre") == "zarathustra"


@pytest.mark.parametrize("pair", ["colour=red", "language", "year_from=soon"])
def test_a_wrong_filter_is_refused_in_one_line(pair: str) -> None:
    with pytest.raises(UsageError, match="--filter"):
        parse_filters([pair])


def test_the_commands_print_json(conn: psycopg.Connection, keys: dict[str, int]) -> None:
    runner = CliRunner()

    found = runner.invoke(search_app, ["dune", "--mode", "title", "--filter", "year_from=1966", "--json"])
    near = runner.invoke(similar_app, [str(keys["Dune"]), "--json"])
    absent = runner.invoke(similar_app, ["999999"])

    assert [row["title"] for row in json.loads(found.stdout)] == ["Dune Messiah"]
    assert json.loads(near.stdout)[0]["title"] == "Dune Messiah"
    assert isinstance(absent.exception, UsageError)


@pytest.mark.parametrize(
    ("text", "asked", "wanted"),
    [
        ("Truyện Kiều", "kieu", ["Kiều"]),
        ("Мёртвые души", "мертвые ДУШ", ["Мёртвые", "души"]),
        ("Đất rừng phương Nam", "dat", ["Đất"]),
        ("Dune and the dunes", "dune", ["Dune", "dunes"]),
        ("Undune", "dune", []),
        ("Dune", "", []),
        ("<b>Dune</b>", "b dune", ["b", "Dune", "b"]),  # markup is text like any other
        ("c 😀 b", "b c", ["c", "b"]),
        ("The wind from the sea", "letters from the sea", ["sea"]),
        ("Who is the One?", "the", ["the"]),
    ],
)
def test_highlights_are_the_places_of_the_words(text: str, asked: str, wanted: list[str]) -> None:
    for form in ("NFC", "NFD"):
        shown = unicodedata.normalize(form, text)
        found = [unicodedata.normalize("NFC", shown[start:end]) for start, end in highlights(shown, asked)]
        assert found == wanted


def test_an_excerpt_is_the_part_around_the_words() -> None:
    text = "Long ago and far away. " * 20 + "Then the sandworm came and took the harvester. " + "All was still. " * 20

    found = excerpt(text, "sandworm")

    assert found
    part, spans = found
    assert part.startswith("… ")
    assert part.endswith(" …")
    assert len(part) < 190
    assert [part[start:end] for start, end in spans] == ["sandworm"]
    assert excerpt(text, "spice") is None
    assert excerpt("The sandworm", "sandworm") == ("The sandworm", [(4, 12)])


def test_suggestions_of_a_new_work_come_with_the_next_version(conn: psycopg.Connection, keys: dict[str, int]) -> None:
    assert suggest(conn, "nietz") == []

    small_catalogue.add_work(conn, small_catalogue.Work("Zarathustra", ["F. Nietzsche"], ["philosophy"], None))
    conn.execute("update library.catalogue_version set version = version + 1")

    assert [each.name for each in suggest(conn, "nietz")] == ["F. Nietzsche"]
    assert suggest(conn, "nietz", audiences=["children"]) == []


@pytest.mark.parametrize(
    ("asked", "meant", "title"),
    [
        ("bulgakov", "булгаков", "Мастер и Маргарита"),
        ("Master i Margarita", "мастер и маргарита", "Мастер и Маргарита"),
        ("mertvye dushi", "мертвые души", "Мёртвые души"),
        ("Nikolai Gogol", "николаи гоголь", "Мёртвые души"),
        ("Носрат", "nosrat", "Salt, Fat, Acid, Heat"),
    ],
)
def test_what_is_typed_in_other_letters_is_found(
    conn: psycopg.Connection, keys: dict[str, int], asked: str, meant: str, title: str
) -> None:
    assert did_you_mean(conn, asked) == meant
    hit = search(conn, asked)[0]
    assert (titles(keys, [hit]), hit.matched) == ([title], "spelling")


@pytest.mark.parametrize("asked", ["the", "dune", "duen", "a brief history", "xyzzyq", "и", "1984", "dune и гоголь"])
def test_letters_that_fit_are_left_as_they_are(conn: psycopg.Connection, asked: str) -> None:
    meant = did_you_mean(conn, asked)

    assert meant is None or meant.isascii()


@pytest.mark.parametrize("asked", ["9780441172719", "978-0-441-17271-9", "0441172717", "ISBN 0-441-17271-7"])
def test_an_isbn_finds_that_book_and_nothing_near(conn: psycopg.Connection, keys: dict[str, int], asked: str) -> None:
    assert search(conn, asked) == []
    conn.execute(
        """insert into library.identifiers (edition_id, kind, value)
           select edition_id, 'isbn', '9780441172719' from library.editions where book_id = %s""",
        [keys["Dune"]],
    )

    assert titles(keys, search(conn, asked)) == ["Dune"]
    assert did_you_mean(conn, asked) is None
    assert search(conn, asked, filters=Filters(language="vie")) == []
    assert search(conn, asked, audiences=["children"]) == []
