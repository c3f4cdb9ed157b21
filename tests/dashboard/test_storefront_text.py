"""Text we did not write, and words we make of data."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from dashboard import language, words
from dashboard.safe import plain_paragraphs
from dashboard.sessions import Choice, Sessions, new_visit, parse_visit
from openshelf.contracts import Action, Place, Source


def test_descriptions_become_plain_paragraphs() -> None:
    assert plain_paragraphs("<p>One <b>two</b></p><p>Three&amp;four<script>x()</script></p>") == [
        "One two",
        "Three&four",
    ]
    assert plain_paragraphs(None) == []
    assert plain_paragraphs("A\u202eB\n\nC") == ["AB", "C"]


def place(reason: str, book_id: int | None = None) -> Place:
    return Place(book_id=1, position=0, propensity=0.5, source=Source.POLICY, reason=reason, reason_book_id=book_id)


def test_reasons_name_the_readers_own_book() -> None:
    assert words.reason(place("because_like", 7), {7: "Dune"}) == {"text": "Because you liked {title}", "title": "Dune"}
    assert words.reason(place("because_like", 8), {7: "Dune"}) == {"text": "Close to your taste"}
    assert words.reason(place("popular"), {}) == {"text": "Popular in the library"}
    assert words.reason(place("a reason of later"), {}) is None


def test_the_caption_says_what_moved_the_shelf() -> None:
    assert words.moved_by(Action.LIKE, "Dune") == "Moved just now, because you liked Dune"
    assert words.moved_by(Action.LIKE, None) == ""
    assert words.moved_by(None, "Dune") == ""


def test_addresses_leave_out_what_is_empty() -> None:
    assert words.address("browse", subject="a & b", page=None, author="") == "/browse?subject=a+%26+b"
    assert words.address("browse", page=2) == "/browse?page=2"


def test_languages_and_years_as_people_say_them() -> None:
    assert words.language_tag("vie") == "vi"
    assert words.language_tag("no language at all") == ""
    assert language.language_name("vie") == "Vietnamese"
    assert words.year_name(-375) == "375 BC"


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def fresh_visit(now: datetime) -> UUID:
    """A visit whose cookie was made at this time."""
    made = (int(now.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62) | 12345
    return UUID(int=made)


def test_a_session_ends_after_half_an_hour_without_an_act() -> None:
    sessions = Sessions(timedelta(minutes=30))
    visit = fresh_visit(NOW)

    first, begins = sessions.current(visit, None, NOW)
    assert begins
    sessions.acted(visit, None, NOW + timedelta(minutes=20))
    assert sessions.current(visit, None, NOW + timedelta(minutes=49)) == (first, False)
    later, begins_again = sessions.current(visit, None, NOW + timedelta(minutes=50))
    assert begins_again
    assert later != first


def test_an_anonymous_session_survives_a_restart_of_the_storefront() -> None:
    visit = fresh_visit(NOW)

    before, _ = Sessions(timedelta(minutes=30)).current(visit, None, NOW)
    after, _ = Sessions(timedelta(minutes=30)).current(visit, None, NOW + timedelta(minutes=5))

    assert before == after == visit


def test_signing_in_begins_a_session_that_nothing_ties_to_the_anonymous_one() -> None:
    sessions = Sessions(timedelta(minutes=30))
    visit = fresh_visit(NOW)

    anonymous, _ = sessions.current(visit, None, NOW)
    signed_in, begins = sessions.current(visit, 7, NOW)

    assert begins
    assert signed_in not in {anonymous, visit}


def test_subjects_that_were_chosen_go_with_the_session() -> None:
    sessions = Sessions(timedelta(minutes=30))
    visit, choice = fresh_visit(NOW), Choice(("poetry",), 1)
    sessions.choose(visit, None, choice)
    assert sessions.chosen(visit, None) is None, "there is no session yet"

    sessions.current(visit, None, NOW)
    sessions.choose(visit, None, choice)
    assert sessions.chosen(visit, None) == choice
    sessions.moved_on(visit, None)
    assert sessions.chosen(visit, None) == Choice(("poetry",), 1, leads=False)
    assert sessions.chosen(visit, 7) is None, "they are of this owner"

    sessions.current(fresh_visit(NOW + timedelta(hours=1)), None, NOW + timedelta(minutes=31))
    assert sessions.chosen(visit, None) is None, "whoever comes next, what is idle is forgotten"


def test_what_an_owner_chose_is_forgotten_on_every_device() -> None:
    sessions = Sessions(timedelta(minutes=30))
    phone, desk = fresh_visit(NOW), new_visit()
    for visit, owner in ((phone, 7), (desk, 7), (desk, 8)):
        sessions.current(visit, owner, NOW)
        sessions.choose(visit, owner, Choice(("poetry",)))

    sessions.forget(7)

    assert [sessions.chosen(visit, owner) for visit, owner in ((phone, 7), (desk, 7))] == [None, None]
    assert sessions.chosen(desk, 8) == Choice(("poetry",))


def test_only_a_visit_that_we_made_is_taken_from_a_cookie() -> None:
    assert parse_visit(str(made := new_visit())) == made
    assert [parse_visit(text) for text in (None, "", "x", str(uuid4()))] == [None] * 4
