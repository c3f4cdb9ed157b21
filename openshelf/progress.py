"""Shows how far long work has come: a bar on a terminal, a plain line now and then elsewhere, always on stderr."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol

_LINES = 4  # plain lines for the whole of the work


class Show(Protocol):
    """Told how much is done, of how much in all, and perhaps what else there is to say."""

    def __call__(self, done: int, total: int, said: str = "") -> None: ...


@contextmanager
def progress(label: str) -> Iterator[Show]:
    """For work of one part."""
    from rich.console import Console  # not needed for --help
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if console.is_terminal:
        columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[said]}"))
        with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
            task = bar.add_task(label, total=None, said="")
            yield lambda done, total, said="": bar.update(task, completed=done, total=total, said=said)
    else:
        shown = 0

        def show(done: int, total: int, said: str = "") -> None:
            nonlocal shown
            quarter = done * _LINES // max(total, 1)
            if quarter > shown or done == total == 0:
                shown = quarter
                sys.stderr.write(f"{label}: {done} of {total}{f', {said}' if said else ''}\n")

        yield show


@contextmanager
def progress_of_parts() -> Iterator[Callable[[str, int, int], None]]:
    """For work of several parts, one after the other: told which, how much of it is done, of how much in all."""
    with ExitStack() as open_parts:
        parts: dict[str, Show] = {}

        def show(part: str, done: int, total: int) -> None:
            if part not in parts:
                open_parts.close()
                parts[part] = open_parts.enter_context(progress(part))
            parts[part](done, total)

        yield show
