"""`openshelf evaluate chat`: the librarian on the questions of readers, beside what it is measured against.

Joins the group of `models.evaluate_cli`, which may not know of the dashboard.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from models.cli_options import JsonFlag
from models.evaluate_cli import evaluate_app
from openshelf.errors import UsageError
from openshelf.progress import progress

if TYPE_CHECKING:
    from dashboard.chat.judge import Obeyed, Outcome

__all__ = ["evaluate_app"]

_COLUMNS = {
    "recall@3": "recall@3",
    "mrr": "MRR",
    "fitting": "fitting",
    "refusal_precision": "ref.prec",
    "refusal_recall": "ref.rec",
    "refusal_f1": "ref.F1",
    "median_s": "median s",
    "p95_s": "p95 s",
}


@evaluate_app.command("chat")
def evaluate_chat_command(
    part: Annotated[str, typer.Option(help="dev (tuned on), test (not tuned on) or all.")] = "all",
    voice: Annotated[str, typer.Option(help="catalogue, or ollama: the settings' model speaks.")] = "catalogue",
    details: Annotated[bool, typer.Option("--details", help="Also what went wrong, question by question.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Ask the librarian what readers ask about the demo library, which must be in this installation."""
    from dashboard.chat.judge import PARTS, judge
    from dashboard.chat.voice import from_settings
    from openshelf.database import migrate, pool

    if part not in {*PARTS, "all"}:
        raise UsageError(f"--part {part!r} is not one of dev, test, all")
    if voice not in {"catalogue", "ollama"}:
        raise UsageError(f"--voice {voice!r} is not one of catalogue, ollama")
    speaker = (lambda: from_settings().turn("judge")) if voice == "ollama" else None
    with pool.connect(unlimited=True) as conn, progress("Questions") as show:
        migrate.check(conn)
        try:
            report, outcomes, obeyed = judge(conn, PARTS if part == "all" else (part,), speaker, show)
        finally:
            conn.rollback()  # what was planted goes
    faults = wrong(outcomes, obeyed) if details else []
    if as_json:
        typer.echo(json.dumps(report | ({"wrong": faults} if details else {}), ensure_ascii=False))
        return
    typer.echo(table(report))
    for fault in faults:
        typer.echo(f"\n{fault['kind']}, {fault['language']}: {fault['question']}")
        typer.echo(f"  wanted: {fault['wanted']}\n  got: {fault['got']}")


def table(report: Mapping[str, Any]) -> str:
    """The report for people: the systems side by side, ours by kind and language, what must be nought."""
    systems = {"librarian": report, **report["rivals"]}
    low, high = report["recall@3_low"], report["recall@3_high"]
    ratio = report["recall_to_old_rule"]
    lines = [
        f"{report['questions']} questions ({report['part']}), {report['answerable']} with an answer on the shelves; "
        f"voice: {report['voice']}",
        "",
        _row("", _COLUMNS.values()),
        *(_row(name, _cells(row)) for name, row in systems.items()),
        "",
        f"recall@3 of the librarian, 95 % interval: {_number(low)} to {_number(high)}; over the old rule: "
        + (f"{ratio:.2f} times" if ratio else "-"),
        f"by the marks of each judge alone: {', '.join(map(_number, report['by_judge'])) or '-'}",
        f"invented titles: {report['invented_titles']}",
        f"injections obeyed: {report['injections_obeyed']} of {report['injections']}",
        f"language kept: {_number(report['language_kept'])}",
        "",
        _row("librarian by kind", _COLUMNS.values()),
        *(_row(f"{name} ({row['questions']})", _cells(row)) for name, row in report["by_kind"].items()),
        "",
        _row("by language", _COLUMNS.values()),
        *(_row(f"{name} ({row['questions']})", _cells(row)) for name, row in report["by_language"].items()),
    ]
    return "\n".join(line.rstrip() for line in lines)


def wrong(outcomes: "Sequence[Outcome]", obeyed: "Sequence[Obeyed]") -> list[dict[str, str]]:
    """What a reader would complain of, worst last: half-right answers are in it too."""
    from dashboard.chat.judge import DEPTH, recall

    faults = []
    for outcome in outcomes:
        question = outcome.question
        share = 1.0 if question.refuse else recall(outcome.named, outcome.relevant)
        is_refusal_wrong = question.refuse != (not outcome.named)
        if share == 1 and not is_refusal_wrong and not outcome.invented and outcome.language_kept is not False:
            continue
        notes = [f"recall {share:.2f}"] if not question.refuse else []
        notes += [f"invented {', '.join(outcome.invented)}"] if outcome.invented else []
        notes += ["the other language"] if outcome.language_kept is False else []
        got = "; ".join(outcome.titles[:DEPTH]) or "no book"
        faults.append(
            {
                "kind": question.kind,
                "language": question.language,
                "question": " > ".join(question.turns),
                "wanted": "no book" if question.refuse else "; ".join(question.relevant),
                "got": f"{got} ({', '.join(notes)})" if notes else got,
            }
        )
    faults += [
        {
            "kind": f"injection in a {each.injection.where}",
            "language": each.injection.language,
            "question": each.injection.question,
            "wanted": "not a word of it",
            "got": f"{', '.join(each.markers)} ({each.voice})",
        }
        for each in obeyed
    ]
    return faults


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [_number(row.get(key)) for key in _COLUMNS]


def _row(name: str, cells: "Sequence[str] | Any") -> str:
    return f"{name:24}" + "".join(f"{cell:>10}" for cell in cells)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
