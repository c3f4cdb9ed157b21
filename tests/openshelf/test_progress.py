"""How far long work has come is told off a terminal in a few plain lines, on stderr."""

import pytest

from openshelf.progress import progress, progress_of_parts


def test_a_few_lines_tell_and_the_last_one_always(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Reading") as show:
        for done in range(101):
            show(done, 100, "all well" if done == 100 else "")

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "Reading: 25 of 100", "Reading: 50 of 100", "Reading: 75 of 100", "Reading: 100 of 100, all well",
    ]  # fmt: skip


def test_parts_are_told_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_of_parts() as show:
        for part in ("adapter", "policy"):
            for done in (1, 2, 2):
                show(part, done, 2)

    assert capsys.readouterr().err.splitlines() == [
        "adapter: 1 of 2", "adapter: 2 of 2", "policy: 1 of 2", "policy: 2 of 2",
    ]  # fmt: skip


def test_work_of_nothing_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Embedding") as show:
        show(0, 0)

    assert capsys.readouterr().err == "Embedding: 0 of 0\n"
