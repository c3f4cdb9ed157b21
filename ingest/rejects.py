"""What was not taken in, as a CSV file that people can open."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path


def write_rejects(file: Path, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """One line a reject under these names of columns."""
    with file.open("w", encoding="utf-8", newline="") as opened:
        lines = csv.writer(opened, lineterminator="\n")
        lines.writerow(names)
        lines.writerows(rows)
