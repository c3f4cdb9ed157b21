"""Shows how far long work has come: a bar on a terminal, a plain line now and then elsewhere, always on stderr."""

import contextlib
import sys
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_LINES = 4  # plain lines for the whole of the work


@contextlib.contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A function to be told (done, in all)."""
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(label, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
    else:
        shown = 0

        def show(done: int, total: int) -> None:
            nonlocal shown
            quarter = done * _LINES // max(total, 1)
            if quarter > shown or done == total:
                shown = quarter
                sys.stderr.write(f"{label}: {done} of {total}\n")

        yield show
