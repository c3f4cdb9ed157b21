"""Relations as groups agree with relations looked up pair by pair, for any works."""

import numpy as np
import psycopg
import pytest
from stored_library import store_works, subject_of
from toy_world import unit_rows

from models.nearness import nearness
from models.related import Groups, RelatedWorks, draw_related, is_related, may_be_negative, shares_subject
from models.runs import related_works


def random_works(count: int = 80, seed: int = 0) -> RelatedWorks:
    """A quarter without subjects, most without a series, some of unknown language, some alone in theirs."""
    rng = np.random.default_rng(seed)
    subjects = np.array([(row, s) for row in range(count) for s in rng.permutation(9)[: rng.integers(4)]])
    first = dict(subjects[::-1].tolist())
    principal = np.array([first.get(row, -1) for row in range(count)])
    series = np.where(rng.random(count) < 0.2, rng.integers(6, size=count), -1)
    return RelatedWorks(
        np.arange(1, count + 1), unit_rows(count), principal, series, rng.integers(-1, 5, size=count), subjects
    )


def related_by_hand(works: RelatedWorks, a: int, b: int) -> bool:
    def in_common(x: int, y: int) -> bool:
        by_subject = works.principal[x] == works.principal[y] != -1
        return x != y and bool(by_subject or works.series[x] == works.series[y] != -1)

    def one_language(x: int, y: int) -> bool:
        return works.languages[x] == works.languages[y]

    rows = range(len(works.book_ids))
    if not any(in_common(a, other) and one_language(a, other) for other in rows):
        return in_common(a, b)
    return in_common(a, b) and (one_language(a, b) or -1 in (works.languages[a], works.languages[b]))


def shares_by_hand(works: RelatedWorks, a: int, b: int) -> bool:
    mine, theirs = ({s for row, s in works.subjects.tolist() if row == x} for x in (a, b))
    return a == b or bool(mine & theirs) or bool(works.series[a] == works.series[b] != -1)


@pytest.mark.parametrize("seed", range(4))
def test_relations_in_blocks_are_those_of_every_pair(seed: int) -> None:
    works = random_works(seed=seed)
    every = np.arange(80)
    some, columns = np.array([70, 3, 41, 3, 0]), np.array([9, 3, 70, 0, 55, 12])

    related, shared = is_related(works, every), shares_subject(works, every, every)

    assert related.tolist() == [[related_by_hand(works, a, b) for b in range(80)] for a in range(80)]
    assert shared.tolist() == [[shares_by_hand(works, a, b) for b in range(80)] for a in range(80)]
    assert np.array_equal(is_related(works, some), related[some])
    assert np.array_equal(shares_subject(works, some, columns), shared[np.ix_(some, columns)])


@pytest.mark.parametrize("seed", range(4))
def test_what_may_be_a_negative_is_never_related_and_never_the_work_itself(seed: int) -> None:
    works, every = random_works(seed=seed), np.arange(80)

    may = may_be_negative(works, every, every)

    assert may.any()
    assert not (may & is_related(works, every)).any()
    assert not may.diagonal().any()


def test_every_work_with_relations_draws_one_and_in_time_all_of_its_own_language() -> None:
    works, every, rng = random_works(), np.arange(80), np.random.default_rng(1)
    related = is_related(works, every)

    drawn = np.stack([draw_related(works, every, 0.5, rng.random((2, 80))) for _ in range(400)])

    assert ((drawn[0] >= 0) == works.has_related).all()
    assert (related.any(1) == works.has_related).all()
    for row in np.flatnonzero(works.has_related).tolist():
        same = works.languages == works.languages[row]
        expected = related[row] & (same | works.is_alone[row])
        assert set(drawn[:, row].tolist()) == set(np.flatnonzero(expected).tolist())


def test_the_share_of_series_mates_is_the_one_set() -> None:
    none = np.zeros((0, 2), dtype=np.int64)
    codes = np.array([0, 0, 0, 0, 0])
    works = RelatedWorks(
        np.arange(5), unit_rows(5), codes, np.array([7, 7, -1, -1, -1]), codes, none
    )  # work 1 is the only one of the series of work 0
    uniforms = np.random.default_rng(0).random((2, 10_000))

    drawn = draw_related(works, np.zeros(10_000, dtype=np.int64), 0.6, uniforms)

    assert (drawn == 1).mean() == pytest.approx(0.6 + 0.4 / 4, abs=0.02)


def test_a_row_of_no_group_has_no_mate_though_others_have_none_either() -> None:
    groups = Groups.of(np.array([-1, 4, -1, 4]))

    assert groups.mates.tolist() == [0, 1, 0, 1]
    assert groups.draw(np.arange(4), np.full(4, 0.99)).tolist() == [-1, 3, -1, 1]


def test_a_part_of_the_works_keeps_its_own_subjects() -> None:
    works = random_works()
    kept = np.arange(80) % 3 == 1

    part, rows = works.take(kept), np.flatnonzero(kept)

    assert part.book_ids.tolist() == works.book_ids[rows].tolist()
    every = np.arange(len(rows))
    assert np.array_equal(shares_subject(part, every, every), shares_subject(works, rows, rows))


def test_closeness_and_recall_are_those_counted_by_hand() -> None:
    """Four works on a circle: two pairs of one subject, the second pair far apart."""
    angles = np.radians([0, 10, 90, 200])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    codes = np.array([0, 0, 1, 1])
    works = RelatedWorks(
        np.arange(4), vectors, codes, np.full(4, -1), codes * 0, np.column_stack([np.arange(4), codes])
    )
    distance = 1 - np.cos(angles[:, None] - angles)
    near, far = [distance[0, 1], distance[2, 3]], [distance[a, b] for a in (0, 1) for b in (2, 3)]

    measured = nearness(vectors, works, np.arange(4), np.arange(4))

    assert measured.closeness == pytest.approx(np.mean(near) / np.mean(far), rel=1e-5)
    assert measured.recall == 1.0  # of three others all are among the ten nearest


def test_recall_is_the_share_of_related_works_among_the_ten_nearest() -> None:
    """Work 0 has 4 related works, one of them opposite to it and behind all 12 others."""
    angles = np.radians([0, 1, 2, 3, 180, *range(10, 130, 10)])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    codes = np.array([0] * 5 + [1] * 12)
    works = RelatedWorks(
        np.arange(17), vectors, codes, np.full(17, -1), codes * 0, np.column_stack([np.arange(17), codes])
    )

    assert nearness(vectors, works, np.array([0]), np.arange(17)).recall == pytest.approx(3 / 4)


def test_works_of_the_library_are_read_with_their_subjects_series_and_languages(conn: psycopg.Connection) -> None:
    store_works(conn, 12, embedded=11)
    conn.execute("insert into library.series (name) values ('Saga')")
    conn.execute("update library.works set series_id = (select series_id from library.series) where book_id in (2, 9)")
    conn.execute("update library.works set language = 'vie' where book_id <= 3")
    conn.execute("update library.works set active = false where book_id = 4")
    conn.execute("delete from library.work_subjects where book_id = 5")

    works = related_works(conn)

    ids = [1, 2, 3, 5, 6, 7, 8, 9, 10, 11]
    assert works.book_ids.tolist() == ids
    assert (works.series >= 0).tolist() == [book_id in {2, 9} for book_id in ids]
    assert (works.languages >= 0).tolist() == [book_id <= 3 for book_id in ids]
    assert (works.principal >= 0).tolist() == [book_id != 5 for book_id in ids]
    assert (works.principal[0] == works.principal).tolist() == [
        subject_of(book_id) == subject_of(1) and book_id != 5 for book_id in ids
    ]
