"""`openshelf ask`: the librarian on the command line."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from dashboard.chat.answer import ask
from dashboard.chat.finding.scores import Candidate
from dashboard.chat.voice import from_settings
from openshelf.cli import command_app, report
from openshelf.database import migrate, pool
from openshelf.errors import UsageError

# Candidates that a trace shows.
_TRACED = 10

ask_app = command_app("Ask the librarian.")


@ask_app.command()
def ask_command(
    text: Annotated[str, typer.Argument(help="The question, in English, Vietnamese or Russian.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    trace: Annotated[bool, typer.Option("--trace", help="Show what each step made of the question.")] = False,
) -> None:
    """Ask the librarian: books of ours that fit, each with a reason from its record."""
    if not text.strip():
        raise UsageError("the question is empty; ask for a subject, an author or a book like another")
    steps = Steps()
    with pool.connect() as conn:
        migrate.check(conn)
        answer = ask(conn, text, from_settings().turn(), watch=steps if trace else None)
    if as_json:
        report(
            {
                "question": answer.wish.text,
                "language": answer.wish.language,
                "voice": answer.voice,
                "excuse": answer.excuse,
                "opening": answer.opening,
                "refusal": answer.refusal,
                "found": bool(answer.books),
                "books": [
                    {"book_id": b.book_id, "title": b.title, "authors": b.authors_text, "why": b.why}
                    for b in answer.books
                ],
            }
            | ({"trace": steps.told} if trace else {}),
            as_json=True,
        )
        return
    lines = [answer.opening, *(f"  {b.title} by {b.authors_text} ({b.book_id}): {b.why}" for b in answer.books)]
    report([*lines, f"(voice: {answer.voice})", *(steps.lines() if trace else [])], as_json=False)


class Steps:
    """What the steps made of one question, to look at: wish, candidates with their evidence, passages, checks."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {"wish": {}, "candidates": [], "passages": [], "checks": []}

    def __call__(self, step: str, made: Any) -> None:
        if step == "wish":
            empty = type(made)("", made.language)
            self.told["wish"] = {name: v for name, v in asdict(made).items() if v != getattr(empty, name)}
        elif step == "candidates":
            self.told["candidates"] = [_candidate(candidate) for candidate in made[:_TRACED]]
        elif step == "passages":
            self.told["passages"] = [asdict(record) for record in made]
        else:
            self.told["checks"].append(made)

    def lines(self) -> list[str]:
        candidates = [
            f"  {'answers' if c['answers'] else 'too little'}: {c['title']} ({c['book_id']}), evidence"
            f" {c['evidence']:.2f}, holds {', '.join(c['holds']) or 'nothing asked for'}"
            for c in self.told["candidates"]
        ]
        checks = [f"  {check['said']} -> {check['kept'] or '(cut)'}" for check in self.told["checks"]]
        wish = ", ".join(f"{name}: {value}" for name, value in self.told["wish"].items())
        return [f"wish: {wish}", "candidates:", *candidates, *(["said, and kept:", *checks] if checks else [])]


def _candidate(candidate: Candidate) -> dict[str, Any]:
    fields = asdict(candidate)
    record = fields.pop("record")
    return {"book_id": record["book_id"], "title": record["title"], **fields}
