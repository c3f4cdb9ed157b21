"""How well and how fast editions are grouped into works: precision and recall on pairs labelled by hand, and the time.

python benchmarks/works.py --data PATH [--quick] [--json]     (PATH: the cleaned Book-Crossing folder, items_info.dat)

The pairs (`works_pairs.csv`: two ISBNs and a label, nothing of the data set itself) were drawn from Book-Crossing in
strata, without asking the rules that are measured: titles of one author's family name that are nearly alike (Jaro-
Winkler 0.85 and more) or less so (0.70), that both hold a volume or number, of which one begins the other, one foreign
and one not, the same title by others, the same author, and any two books. Each was read by a person who knows the
books: `same` (also audio, abridged and critical editions), `translation`, or `different` (also parts, sequels, omnibus
volumes). Two that could not be told were left out. The rules were written first; of their mistakes only those in the
half `tune` were looked at afterwards, so `judge` is what counts. Strata are drawn far from their share of a catalogue:
most pairs here are hard ones. The time is of 270,000 editions, made of the 17,384 books sixteen times with other
authors and titles, read, cleaned, grouped and not stored.

Book-Crossing: C.-N. Ziegler et al., WWW 2005; free for research with acknowledgement.
"""

import argparse
import csv
import json
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ingest.clean import line
from models.dataset_records import bx_works
from openshelf import works_alike
from openshelf.works_alike import Record

PAIRS = Path(__file__).with_name("works_pairs.csv")
EDITIONS = 270_000


@dataclass(frozen=True)
class Pair:
    stratum: str
    isbn: str
    other_isbn: str
    label: str
    half: str


def labelled() -> list[Pair]:
    with PAIRS.open(newline="", encoding="utf-8") as file:
        return [Pair(*row) for row in list(csv.reader(file))[1:]]


def books(folder: Path) -> Iterator[tuple[str, str, str]]:
    """ISBN, title and author, as found."""
    file = folder / "items_info.dat" if folder.is_dir() else folder
    isbns = {}
    with file.open(encoding="utf-8", errors="replace") as lines:
        for cells in (text.split("\t", 2) for text in lines):
            isbns[cells[0]] = cells[1]
    for number, title, author, *_ in bx_works(file):
        yield isbns[number], title, author


def records_of(found: list[tuple[str, str, str]], copy: int = 0) -> dict[str, Record]:
    """ISBN -> record. Each copy has authors and titles of its own: two letters are put before them."""
    letters = "" if copy == 0 else chr(ord("a") + copy) * 2
    return {
        f"{isbn}{letters}": Record(f"{letters}{line(title)}", (f"{letters}{line(author)}",))
        for isbn, title, author in found
    }


def work_of(records: dict[str, Record]) -> dict[str, str]:
    """ISBN -> the first key of its work."""
    by_key: dict[str, Record] = {}
    for record in records.values():
        by_key.setdefault(record.key, record)
    of_key = {key: group.keys[0] for group in works_alike.group(by_key, {}) for key in group.keys}
    return {isbn: of_key[record.key] for isbn, record in records.items()}


def quality(pairs: list[Pair], home: dict[str, str]) -> dict[str, float | int]:
    """A pair is found when both books are one work."""
    told = [(pair, home[pair.isbn] == home[pair.other_isbn]) for pair in pairs]
    right = sum(joined and pair.label == "same" for pair, joined in told)
    joined_all = sum(joined for _, joined in told)
    same = sum(pair.label == "same" for pair in pairs)
    return {
        "pairs": len(pairs),
        "same": same,
        "precision": round(right / joined_all, 4) if joined_all else 1.0,
        "recall": round(right / same, 4) if same else 1.0,
    }


def mistakes(pairs: list[Pair], home: dict[str, str], records: dict[str, Record]) -> Iterator[str]:
    for pair in pairs:
        joined = home[pair.isbn] == home[pair.other_isbn]
        if joined != (pair.label == "same"):
            one, other = records[pair.isbn], records[pair.other_isbn]
            yield (
                f"{'joined' if joined else 'missed'} ({pair.label}): {one.title} / {one.authors[0]}"
                f" <> {other.title} / {other.authors[0]}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="Folder of Book-Crossing.")
    parser.add_argument("--quick", action="store_true", help="Without the 270,000 editions.")
    parser.add_argument("--mistakes", action="store_true", help="Print those of the half that rules may be tuned on.")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.data is None:
        print(json.dumps({"skipped": "name the folder of Book-Crossing: --data PATH"}))
        return
    found = list(books(options.data))
    records = records_of(found)
    home = work_of(records)
    pairs = labelled()
    if options.mistakes:
        print("\n".join(mistakes([pair for pair in pairs if pair.half == "tune"], home, records)))
        return
    report: dict[str, object] = {
        half: quality([pair for pair in pairs if pair.half == half], home) for half in ("judge", "tune")
    }
    report["all"] = quality(pairs, home)
    strata = dict.fromkeys(pair.stratum for pair in pairs)
    report["strata"] = {name: quality([pair for pair in pairs if pair.stratum == name], home) for name in strata}
    report |= {"editions_read": len(records), "works": len(set(home.values()))}
    if not options.quick:
        begun, begun_cpu = time.perf_counter(), time.process_time()
        many: dict[str, Record] = {}
        for copy in range(-(-EDITIONS // len(found))):
            many |= records_of(found, copy)
        count = len(set(work_of(many).values()))
        report |= {
            "editions": len(many),
            "editions_works": count,
            "seconds": round(time.perf_counter() - begun, 1),
            "cpu_seconds": round(time.process_time() - begun_cpu, 1),
            "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
    print(json.dumps(report) if options.json else "\n".join(f"{key}: {value}" for key, value in report.items()))


if __name__ == "__main__":
    main()
