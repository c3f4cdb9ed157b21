"""`openshelf ask`: the librarian on the command line."""

import time
from typing import Annotated

import typer

from dashboard.chat.answer import ask
from dashboard.chat.voice import OllamaVoice
from openshelf.cli import command_app, report
from openshelf.database import migrate, pool
from openshelf.errors import UsageError
from openshelf.settings import get_settings

ask_app = command_app("Ask the librarian.")


@ask_app.command()
def ask_command(
    text: Annotated[str, typer.Argument(help="The question, in English, Vietnamese or Russian.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask the librarian: books of ours that fit, each with a reason from its record."""
    if not text.strip():
        raise UsageError("the question is empty; ask for a subject, an author or a book like another")
    settings = get_settings()
    voice = OllamaVoice(settings.ollama_url, settings.ollama_model, settings.ollama_timeout_s, time.monotonic)
    with pool.connect() as conn:
        migrate.check(conn)
        answer = ask(conn, text, voice)
    if as_json:
        report(
            {
                "question": answer.wish.text,
                "language": answer.wish.language,
                "voice": answer.voice,
                "excuse": answer.excuse,
                "opening": answer.opening,
                "found": bool(answer.books),
                "books": [
                    {"book_id": b.book_id, "title": b.title, "authors": b.authors_text, "why": b.why}
                    for b in answer.books
                ],
            },
            as_json=True,
        )
        return
    lines = [answer.opening, *(f"  {b.title} by {b.authors_text} ({b.book_id}): {b.why}" for b in answer.books)]
    report([*lines, f"(voice: {answer.voice})"], as_json=False)
