"""Which editions share a work, which only look alike, and why."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openshelf.works_alike import Record, compare, contradict, group, links, name_of, nearly, volume, without_note


def record(title: str, author: str = "Frank Herbert", language: str = "eng", original: str = "") -> Record:
    return Record(title, (author,) if author else (), language, original)


def works(*records: Record, fixed: dict[str, int] | None = None) -> list[set[str]]:
    """Titles of each work."""
    by_key = {each.key: each for each in records}
    return [{by_key[key].title for key in made.keys} for made in group(by_key, fixed or {})]


@pytest.mark.parametrize(
    ("title", "bare"),
    [
        ("Dune (Paperback ed.)", "Dune"),
        ("Dune (40th Anniversary Edition)", "Dune"),
        ("Dune [Illustrated]", "Dune"),
        ("Dune, 2nd edition", "Dune"),
        ("Dune - Large Print", "Dune"),
        ("Frankenstein (The 1818 Text)", "Frankenstein"),
        ("Идиот (издание второе)", "Идиот"),
        ("Truyện Kiều (tái bản)", "Truyện Kiều"),
        ("The Annotated Alice", "The Annotated Alice"),
        ("Faust (Reclam Edition, Part 2)", "Faust (Reclam Edition, Part 2)"),
        ("Война и мир (издание второе, том 1)", "Война и мир (издание второе, том 1)"),
        ("Fables (Deluxe Edition, Book 1)", "Fables (Deluxe Edition, Book 1)"),
        ("Dune (Narnia Books, Book 1, Collector's Edition)", "Dune"),
        ("Saga, Volume One", "Saga, Volume One"),
        ("Foundation: Second", "Foundation: Second"),
        ("(Illustrated Edition)", "(Illustrated Edition)"),
        (f"Dune, edition {'1' * 60}!", f"Dune, edition {'1' * 60}!"),  # tried in every way that it can be cut: for ever
        (f"Dune: {'иллюстрированн' * 30}!", f"Dune: {'иллюстрированн' * 30}!"),
    ],
)
def test_only_the_note_of_the_edition_is_taken_from_a_title(title: str, bare: str) -> None:
    assert without_note(title) == bare


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        (record("Dune (Paperback ed.)"), record("DUNE"), "same title, author and language"),
        (record("Dune", "Herbert, Frank"), record("Dune", "Frank Herbert"), "same title, author and language"),
        (record("Truyện Kiều", "Nguyễn Du"), record("truyen kieu", "Nguyen Du"), "same title, author and language"),
        (record("War and Peace"), record("War and Peice"), "a slip of the pen"),
        (record("The Left Hand of Darkness"), record("The Left Hand of Darknes"), "a slip of the pen"),
        (record("The Neverending Story"), record("The Never Ending Story"), "run together"),
        (record("Dune", language="eng"), record("Dune", language=""), "but for notes"),
        (record("The Truth"), record("Truth, The (Discworld Novels (Paperback))"), "but for notes"),
        (record("Coma: A Novel"), record("Coma"), "but for notes"),
        (record("Castle Roogna"), record("Castle Roogna #03"), "but for notes"),
        (record("Night Watch (Discworld, Book 29)"), record("Night Watch"), "but for notes"),
        (record("Der Campus"), record("Der Campus. Sonderausgabe."), "but for notes"),
        (record("Sapiens"), record("Sapiens: A Brief History of Humankind"), "subtitle out"),
        (record("Ground Zero"), record("The X-Files: Ground Zero"), "series before the title"),
        (record("Dune", "F. Herbert"), record("Dune", "Frank Patrick Herbert"), "but for notes"),
        (record("The Hobbit", "JRR Tolkien"), record("The Hobbit", "J. R. R. Tolkien"), "same title"),
        (record("Mind Prey", "John Sandford"), record("Mind Prey", "John Sanford"), "but for notes"),
        (record("Good Omens", "Pratchett"), record("Good Omens", "Terry Pratchett"), "family name alone"),
        (record("Pride and Prejudice"), record("Pride & Prejudice (Classics)"), "but for notes"),
        (record("The Goblet of Fire"), record("The Goblet of Fire (Book 4)"), "but for notes"),
        (record("The Hobbit: or There and Back Again"), record("Hobbit, or There and Back Again"), "but for notes"),
        (record("The Dark Crystal (Tales, V. 3)"), record("The Dark Crystal (Tales of the Dark, #3)"), "but for notes"),
        (record("The Odyssey (Deep Space Nine, No 3)"), record("The Odyssey (Space, #3)"), "but for notes"),
        (
            record("The Tower, Part 1 (Memory, #3; Part 1)"),
            record("The Tower, Part 1 (Memory, Book 3)"),
            "but for notes",
        ),
        (record("The Rings (The Rings, #1-3)"), record("The Rings"), "but for notes"),
        (record("A Mirror: The 14th Century"), record("A Mirror"), "subtitle out"),
    ],
)
def test_editions_of_one_work_are_the_same_work_and_it_is_said_why(one: Record, other: Record, reason: str) -> None:
    likeness = compare(one, other)

    assert likeness is not None
    assert likeness.relation == "same"
    assert reason in likeness.reason
    assert len(works(one, other)) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (record("Dune"), record("Dune Messiah")),
        (record("Dune"), record("Children of Dune")),
        (record("Saga, Volume One"), record("Saga, Volume Two")),
        (record("Saga (Volume 1)"), record("Saga (Volume 2)")),
        (record("Saga (Volume 1)"), record("Saga")),
        (record("Saga (Book 1)"), record("Saga (Book 2)")),
        (record("Chobits Vol. 2"), record("Chobits Vol.1")),
        (record("Collected Stories 1"), record("Collected Stories 2")),
        (record("Maus I"), record("Maus II")),
        (record("Psycho"), record("Psycho II")),
        (record("The History of Rome, Book IV"), record("The History of Rome, Book VI")),
        (record("The Dragon (The Wheel of Time, Book 2)"), record("The Dragon (The Wheel of Time, Book 3)")),
        (record("You Be the Jury"), record("You Be the Jury: Courtroom III")),
        (record("Myst: The Book of Atrus"), record("Myst: The Book of Ti'ana")),
        (record("The Hobbit"), record("The Hobbit (Graphic Novel)")),
        (record("Hamlet"), record("Hamlet (Cliffs Notes)")),
        (record("Foundation"), record("Foundation: The Complete Trilogy")),
        (record("The Two Towers"), record("The Tall Towers")),
        (record("Emma"), record("Emmy")),
        (record("Dune", "Frank Herbert"), record("Dune", "Brian Herbert")),
        (record("El Testamento", language=""), record("The Testament", language="")),
        (record("Collected Poems", ""), record("Collected Poens", "")),
        (record("Collected Poems", "Various"), record("Collected Poems (Large Print)", "W. H. Auden")),
        (record("Out of Africa"), record("Out of Africa; and, Shadows on the Grass")),
        (record("Dune (Books 1-3)"), record("Dune")),
        (record("The Hunger Games"), record("The Hunger Games: Complete Series")),
        (record("Sapiens"), record("Sapiens: Summary and Analysis")),
        (record("Идиот"), record("Идиот (комикс)")),
        (record("Emma, Vol. A"), record("Emma, Vol. B")),
        (record("Emma (A)"), record("Emma (B)")),
        (record("Faust (Reclam Edition, Part 1)"), record("Faust (Reclam Edition, Part 2)")),
        (record("War and Peace (Illustrated Edition, Volume 1)"), record("War and Peace")),
        (record("Fables (Deluxe Edition, Book 1)"), record("Fables (Deluxe Edition, Book 2)")),
        (record("The Long Saga (Saga, #1-3)"), record("The Long Saga (Saga, #1)")),
        (record("The Long Saga (Saga, #1-3)"), record("The Long Saga (Saga, #1-4)")),
        (record("The Long Saga (Saga, #1)"), record("The Long Saga (Saga, #1.5)")),
        (record("The Cup (Potter, #5, Part 1)"), record("The Cup (Potter, #5, Part 2)")),
        (record("The Cup (Potter, #5, Part 1)"), record("The Cup (Potter, #5)")),
        (record("21 Days (1)"), record("21 Days (2)")),
        (record("The Cup (Deep Space Nine, No 3)"), record("The Cup (Deep Space Nine, No 4)")),
        (record("World History: Volume Fifteen"), record("World History")),
        (record("World History: Fifteenth Volume"), record("World History: Sixteenth Volume")),
        (record("World History (Volume XV)"), record("World History (Volume XVI)")),
        (record("Война и мир (кн. первая)"), record("Война и мир (кн. четвёртая)")),
        (record("Золотая Орда. Книга четвёртая"), record("Золотая Орда")),
        (record("Truyện Kiều (Thượng)"), record("Truyện Kiều (Hạ)")),
        (record("Truyện Kiều: Quyển Hạ"), record("Truyện Kiều")),
        (record("Guerra y paz: Cuarta parte"), record("Guerra y paz")),
        (record("Les Misérables (T1)"), record("Les Misérables (T2)")),
        (record("ファンタジー物語第一巻"), record("ファンタジー物語第二巻")),
        (record("三国演义(上)"), record("三国演义(下)")),
        (record("한국의역사와문화이야기상"), record("한국의역사와문화이야기하")),
        (record("Onepiece_01"), record("Onepiece_02")),
        (record("Hepatitis A"), record("Hepatitis B")),
        (record("The Survival Handbook"), record("The Survival Handbook: Travel")),
        (record("Clockwork Prince"), record("Clockwork Princess")),
        (record("A Brief History of Time"), record("A Briefer History of Time")),
        (record("Ramona and Her Father"), record("Ramona and Her Mother")),
        (record("Murder in the Bog"), record("Murder in the Fog")),
        (record("Coraline"), record("Coraline (Illustrated/Graphic Novel Edition)")),
        (record("Men at Arms"), record("Men at Arms: The Play")),
        (record("Alice in Wonderland"), record("Alice in Wonderland: A Pop-Up Adaptation")),
    ],
)
def test_decoys_stay_apart(one: Record, other: Record) -> None:
    assert compare(one, other) is None
    assert len(works(one, other)) == 2


@pytest.mark.parametrize(
    ("title", "series", "index", "told"),
    [
        ("Naruto", "Naruto", 3.0, "#3"),
        ("Saga", "The Saga", 1.5, "#1.5"),
        ("Dune", "Dune Chronicles", 1.0, "#1"),
        ("The Magician's Nephew", "The Chronicles of Narnia", 6.0, ""),  # who numbers a series otherwise parts no work
        ("Naruto", None, 3.0, ""),
        ("Naruto", "Naruto", None, ""),
    ],
)
def test_of_a_title_that_is_its_series_the_number_tells_the_volume(
    title: str, series: str | None, index: float | None, told: str
) -> None:
    assert volume(title, series, index) == told


def test_volumes_of_one_title_are_works_of_their_own_and_what_tells_no_number_joins_one_of_them() -> None:
    first, second, plain, again = (
        Record("Naruto", ("Kishimoto",), "eng", apart=apart) for apart in ("#1", "#2", "", "#1")
    )
    noted = record("Naruto (Shonen Jump, Vol. 2)", "Kishimoto")

    assert len(works(first, second)) == 2
    assert len(works(first, again)) == 1
    assert len(works(first, plain)) == 1
    assert len(works(first, second, plain, noted)) == 2
    assert len(works(second, noted)) == 1


def test_a_translation_is_linked_and_not_merged() -> None:
    german, english = record("Hamlet", "William Shakespeare", "deu"), record("Hamlet", "William Shakespeare", "eng")
    french = record("Des hommes et des souris", "John Steinbeck", "fra", original="Of Mice and Men")

    same_title = compare(german, english)
    by_original = compare(french, record("Of Mice and Men", "John Steinbeck"))

    assert same_title is not None
    assert by_original is not None
    assert same_title.relation == by_original.relation == "translation"
    assert len(works(german, english)) == 2


def test_the_name_of_a_series_is_no_title_that_left_its_subtitle_out() -> None:
    found = works(record("Star Wars"), record("Star Wars: Heir to the Empire"), record("Star Wars: Dark Force Rising"))

    assert len(found) == 3


def test_a_chain_of_likenesses_does_not_join_its_ends() -> None:
    """Each is like the one in the middle; the ends contradict each other."""
    first, middle, last = (record(f"Saga{note}") for note in (" (Rim, Book 1)", " (Rim)", " (Rim, Book 2)"))
    assert compare(first, middle)
    assert compare(middle, last)

    found = works(first, middle, last)

    assert contradict(first, last)
    assert len(found) == 2


def test_two_works_that_are_known_are_never_joined_and_a_newcomer_goes_to_the_surest() -> None:
    one, other, new = record("War and Peace"), record("War and Peice"), record("War and Peace: A Novel")

    found = group({r.key: r for r in (one, other, new)}, {one.key: 1, other.key: 2})

    assert {(made.book_id, len(made.keys)) for made in found} == {(1, 2), (2, 1)}


@pytest.mark.parametrize(
    ("one", "other", "may"),
    [
        ("Le Guin, Ursula K.", "Ursula K. Le Guin", True),
        ("Patricia D. Cornwell", "Patricia Daniels Cornwell", True),
        ("Cornwell Patricia", "Patricia Cornwell", True),
        ("Patricia Cornwell", "Bernard Cornwell", False),
        ("Jude Deveraux", "J. Deveraux", True),
        ("Anne Rice", "Condoleezza Rice", False),
    ],
)
def test_initials_stand_for_names_and_middle_names_may_be_left_out(one: str, other: str, may: bool) -> None:
    left, right = name_of(one), name_of(other)

    assert left is not None
    assert right is not None
    assert left.may_be(right) == right.may_be(left) == may


anything = st.builds(
    Record,
    st.text(max_size=60),
    st.lists(st.text(max_size=30), max_size=2).map(tuple),
    st.sampled_from(["", "eng", "deu"]),
    st.text(max_size=20),
)


@settings(max_examples=200)
@given(st.lists(anything, max_size=12))
def test_whatever_comes_every_record_is_in_one_work_and_the_order_does_not_matter(records: list[Record]) -> None:
    by_key = {each.key: each for each in records}
    found = group(by_key, {})

    assert sorted(key for made in found for key in made.keys) == sorted(by_key)
    again = group(dict(reversed(by_key.items())), {})
    assert [made.keys for made in again] == [made.keys for made in found]
    for one in records:
        for other in records:
            left, right = compare(one, other), compare(other, one)
            assert (left and left.relation) == (right and right.relation)


def test_a_long_series_is_not_compared_with_itself_and_loses_no_pair() -> None:
    volumes = [record(f"Saga {n}") for n in range(1, 60)]
    others = [record("Saga 7 (Paperback)"), record("Saga"), record("Saga: The Beginning"), record("Saga 12: Fire")]
    translated = record("Saga neunzehn", language="deu", original="Saga 19")
    by_key = {each.key: each for each in [*volumes, *others, translated]}

    found = {
        frozenset((by_key[link.one].title, by_key[link.other].title, link.likeness.relation)) for link in links(by_key)
    }

    every = {
        frozenset((one.title, other.title, likeness.relation))
        for one, other in combinations(by_key.values(), 2)
        if (likeness := compare(one, other) or nearly(one, other))
    }
    assert frozenset(("Saga 19", "Saga neunzehn", "translation")) in found
    assert found == every
