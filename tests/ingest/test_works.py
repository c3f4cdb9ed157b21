"""Which editions share a work, and which only look alike."""

import pytest

from ingest.works import assign, author_key, same_work, without_note, work_key


def key(title: str, author: str = "Frank Herbert", language: str = "eng") -> str:
    return work_key(title, [author] if author else [], [language] if language else [])


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
        ("Saga, Volume One", "Saga, Volume One"),
        ("Foundation: Second", "Foundation: Second"),
        ("(Illustrated Edition)", "(Illustrated Edition)"),
    ],
)
def test_only_the_note_of_the_edition_is_taken_from_a_title(title: str, bare: str) -> None:
    assert without_note(title) == bare


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (key("Dune (Paperback ed.)"), key("DUNE")),
        (key("Dune", "Herbert, Frank"), key("Dune", "Frank Herbert")),
        (key("Truyện Kiều", "Nguyễn Du"), key("truyen kieu", "Nguyen Du")),
        (key("War and Peace"), key("War and Peice")),
        (key("The Left Hand of Darkness"), key("The Left Hand of Darknes")),
        (key("Dune", language="eng"), key("Dune", language="")),
    ],
)
def test_editions_of_one_work_are_the_same_work(one: str, other: str) -> None:
    assert one == other or same_work(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (key("Dune"), key("Dune Messiah")),
        (key("Dune"), key("Children of Dune")),
        (key("Saga, Volume One"), key("Saga, Volume Two")),
        (key("Collected Stories 1"), key("Collected Stories 2")),
        (key("Maus I"), key("Maus II")),
        (key("The History of Rome, Book IV"), key("The History of Rome, Book VI")),
        (key("The Two Towers"), key("The Tall Towers")),
        (key("Emma"), key("Emmy")),
        (key("Dune", "Frank Herbert"), key("Dune", "Brian Herbert")),
        (key("Hamlet", language="eng"), key("Hamlet", language="deu")),
        (key("Collected Poems", ""), key("Collected Poens", "")),
    ],
)
def test_decoys_stay_apart(one: str, other: str) -> None:
    assert one != other
    assert not same_work(one, other)


def test_the_order_of_names_does_not_matter_for_the_author() -> None:
    assert author_key(["Le Guin, Ursula K."]) == author_key(["Ursula K. Le Guin"])


def test_an_edition_joins_a_work_that_is_there_and_a_new_one_is_made_once() -> None:
    known = {key("War and Peace"): 7}

    found, new = assign([key("War and Peice"), key("Dune"), key("Dune (Paperback)")], known)

    assert found[key("War and Peice")] == key("War and Peace")
    assert new == [key("Dune")]
