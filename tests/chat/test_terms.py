"""The words for subjects, themes and moods, and those of the demo library."""

import pytest

from dashboard.chat.lexicon import LANGUAGES, concepts_of_term, lexicon
from ingest.demo_catalogue import load_catalogue


@pytest.mark.parametrize(
    ("term", "means"),
    [
        ("grief", "grief"), ("Bereavement", "grief"), ("bittersweet", "sad"), ("fast-paced", "fast"),
        ("funny", "humour"),
        ("đau buồn", "grief"), ("грустный", "sad"), ("тёплая", "warm"), ("the sea", "the sea"),
        ("Medicine", "medicine"),
    ],
)  # fmt: skip
def test_a_term_of_a_source_is_known_in_three_languages(term: str, means: str) -> None:
    assert means in concepts_of_term(term)


@pytest.mark.parametrize("term", ["", "xyzzy", "42", "*", "a" * 500])
def test_a_term_without_a_meaning_means_nothing(term: str) -> None:
    assert concepts_of_term(term) == frozenset()


def test_what_includes_and_opposes_is_there() -> None:
    names = {concept.name for concept in lexicon().concepts}
    for concept in lexicon().concepts:
        assert {*concept.includes, concept.opposite or concept.name, concept.subject or concept.name} <= names | {
            "children"
        }
        assert concept.name not in concept.includes
        assert all(concept.phrases[language] for language in LANGUAGES)


def test_every_work_of_the_demo_library_says_what_draws_readers_to_it_in_words_that_we_know() -> None:
    works = load_catalogue()

    assert all(work.pages and work.moods for work in works)
    assert all(work.ages for work in works if {"children", "young adult"} & set(work.subjects[:2]))
    unknown = {term for work in works for term in (*work.themes, *work.moods) if not concepts_of_term(term)}
    assert unknown == set()
