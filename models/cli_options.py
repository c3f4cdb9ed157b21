"""Options that several commands of what learns have in common, and what they mean."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from openshelf import contracts
from openshelf.errors import UsageError

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="key=value of the model's configuration.")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="TOML file of key = value; --set overrules it.")]
AtOption = Annotated[str | None, typer.Option("--at", help="ISO time the run is dated; unset: now.")]
PromoteFlag = Annotated[bool, typer.Option(help="Make it the champion if it may serve.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Same seed and data, same model.")]
DataOption = Annotated[
    tuple[str, Path] | None, typer.Option("--data", help="NAME and PATH of a published data set; unset: the warehouse.")
]


def time_of(text: str | None, option: str = "--at") -> datetime:
    """The moment that was typed, in UTC where no zone was named; now where nothing was."""
    if text is None:
        return contracts.utc_now()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r} is not an ISO time") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
