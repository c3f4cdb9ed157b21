"""`openshelf simulate`."""

from datetime import timedelta
from typing import Annotated

import typer

from models.simulated_sessions import Tally
from openshelf import contracts
from openshelf.cli import command_app, report
from openshelf.database import migrate, pool
from openshelf.progress import progress
from openshelf.settings import get_settings

simulate_app = command_app("Drive simulated readers through the real path; a dataflow must be running.")


@simulate_app.command()
def simulate(
    readers: Annotated[int, typer.Option(min=1, max=10_000, help="How many; demo accounts first.")] = 120,
    days: Annotated[int, typer.Option(min=1, max=29, help="How many days they live.")] = 28,
    seed: Annotated[int, typer.Option(min=0, help="Whose lives: the same seed continues the same readers.")] = 1,
    start_days_ago: Annotated[
        int | None, typer.Option(min=1, max=29, help="Begin so many days ago; unset: so that the days end now.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Drive simulated readers through the real path; a dataflow must be running (openshelf stream run)."""
    from models import simulate as shell  # numpy and the world are not needed for --help

    start = contracts.utc_now() - timedelta(days=start_days_ago or days)
    with pool.connect() as conn:
        migrate.check(conn)
    with progress("days lived") as show:

        def tell(day: int, tally: Tally) -> None:
            show(day, days, f"{tally.sessions} sessions, {tally.acts} acts")

        done = shell.simulate(
            pool.connect, readers, days, seed, start, tell, state_path=get_settings().home / "simulation.json"
        )
    report(done, as_json=as_json)
