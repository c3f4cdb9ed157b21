"""Is the stream well? Who works on it, what waits, how fast slates come, and events that could not be read. Live."""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
import streamlit as st

from dashboard import language, resources, state
from dashboard.components import furniture, graphs, staff
from dashboard.components.graphs import Point
from dashboard.components.staff import Column
from dashboard.language import _, plural
from openshelf import stream_health
from openshelf.database import dead_letters, quarantine, stream_figures
from openshelf.database.accounts import Account
from openshelf.database.dead_letters import DeadLetter
from openshelf.database.stream_figures import Spell
from openshelf.database.workers import Worker
from openshelf.errors import NotAllowedError
from openshelf.settings import get_settings
from openshelf.stream_health import Dataflow, State

LOOK_EVERY_S = 5
LETTERS = 20
# Longer events are mended with the command line.
LONGEST = 4_000


@dataclass(frozen=True)
class WorkerLine:
    """A process as the table shows it."""

    flow: str
    host: str
    beat_age_s: float
    serves: str
    count_acts: int
    count_slates: int
    refusal: str


def flows() -> dict[str, str]:
    return {"sessions": _("The dataflow of sessions"), "relay": _("The relay to the broker")}


def states() -> dict[State, str]:
    return {
        State.BEATING: _("well"),
        State.WAITING: _("acts wait, and none is taken"),
        State.SILENT: _("silent: killed, hanging, or without a way to the database"),
        State.ABSENT: _("not running"),
    }


def lasting(ms: float) -> str:
    """A time as people say it."""
    if ms < 1_000:
        return _("{count} ms").format(count=language.number(round(ms)))
    if ms < 120_000:
        return _("{count} s").format(count=language.number(round(ms / 1_000, 1)))
    return _("{count} min").format(count=language.number(round(ms / 60_000)))


def answer(found: Sequence[Dataflow], letters: int) -> str:
    ill = [flow for flow in found if flow.state is not State.BEATING]
    refused = [worker for flow in found for worker in flow.workers if worker.refusal]
    if ill:
        return _("No. {flow}: {state}.").format(flow=flows()[ill[0].consumer], state=states()[ill[0].state])
    if refused:
        return _("It runs, but a model that should serve does not load; the one before goes on.")
    if letters:
        return _("Yes, but some events could not be read and wait for you below.")
    return _("Yes. Every act is taken as it comes.")


def draw_flows(found: Sequence[Dataflow], hour: Spell | None) -> None:
    tiles = [
        (
            flows()[flow.consumer],
            states()[flow.state],
            plural("{count} act waits", "{count} acts wait", flow.count_waiting)
            + (
                ", " + _("the oldest for {seconds} s").format(seconds=language.number(round(flow.waiting_s, 1)))
                if flow.count_waiting
                else ""
            ),
        )
        for flow in found
    ]
    if hour:
        tiles.append(
            (
                _("From act to slate"),
                lasting(hour.median_ms),
                _("half were faster; 95 of 100 took at most {time}, last hour").format(time=lasting(hour.slow_ms)),
            )
        )
        share = (
            hour.count_fallback / hour.count_places if hour.count_places and hour.count_fallback is not None else None
        )
        tiles.append(
            (
                _("Filled by a fallback"),
                staff.fewer() if share is None else language.percent(share),
                _("of the places drawn in the last hour")
                if hour.count_places is None
                else plural(
                    "of {count} place in the last hour", "of {count} places in the last hour", hour.count_places
                ),
            )
        )
    staff.tiles(tiles)
    for flow in found:
        if flow.advice:
            staff.quiet(flow.advice)


def draw_speed(spells: Sequence[Spell]) -> None:
    staff.section(_("From act to slate"), _("The last hour, in steps of five minutes."))
    if not spells:
        staff.quiet(_("No slate was drawn in the last hour."))
        return
    half, most = _("half were faster"), _("95 of 100 were faster")
    slowest = max(spells, key=lambda spell: spell.slow_ms)
    words = _("At the slowest, 95 of 100 slates were there within {time}.").format(time=lasting(slowest.slow_ms))
    points = [Point(spell.since, half, spell.median_ms) for spell in spells]
    points += [Point(spell.since, most, spell.slow_ms) for spell in spells]
    staff.figure(
        "act-to-slate",
        graphs.lines(points, _("Milliseconds"), words, by_hour=True),
        words,
        spells,
        [
            Column("since", _("From")),
            Column("median_ms", _("Half were faster than (ms)"), lambda ms: language.number(round(ms, 1))),
            Column("slow_ms", _("95 of 100 were faster than (ms)"), lambda ms: language.number(round(ms, 1))),
            Column("count_slates", _("Slates")),
            Column("count_places", _("Places")),
            Column("count_fallback", _("Filled by a fallback")),
        ],
    )


def draw_workers(found: Sequence[Dataflow]) -> None:
    lines = [_line(flow, worker) for flow in found for worker in flow.workers]
    staff.section(_("Who works on it"))
    if not lines:
        staff.quiet(_("No process. Start it with `openshelf up`."))
        return
    staff.figure(
        "workers",
        None,
        plural("{count} process", "{count} processes", len(lines)),
        lines,
        [
            Column("flow", _("Dataflow")),
            Column("host", _("Host")),
            Column("beat_age_s", _("Last sign of life (s)"), lambda age: language.number(round(age, 1))),
            Column("serves", _("Serves")),
            Column("count_acts", _("Acts")),
            Column("count_slates", _("Slates")),
            Column("refusal", _("Refused")),
        ],
    )


def _line(flow: Dataflow, worker: Worker) -> WorkerLine:
    return WorkerLine(
        flows()[flow.consumer],
        f"{worker.host} {worker.pid}",
        worker.beat_age_s,
        worker.serves or "–",
        worker.counts.count_acts,
        worker.counts.count_slates,
        worker.refusal or "–",
    )


@st.fragment(run_every=LOOK_EVERY_S)
def figures() -> None:
    """What changes by itself. It asks anew who is here: a sign-in may have ended meanwhile."""
    try:
        account = state.current_account()
        with resources.connection() as conn:
            found = stream_health.for_staff(conn, account, get_settings())
            letters = dead_letters.for_staff(conn, account, LETTERS)
            hour = stream_figures.last_hour(conn, account)
            spells = stream_figures.by_five_minutes(conn, account)
    except (*state.OFFLINE, NotAllowedError):
        furniture.notice(_("The stream cannot be seen at the moment"), _("This page comes back by itself."))
        return
    staff.title("stream", _("Is the stream well?"), answer(found, len(letters)))
    draw_flows(found, hour)
    draw_speed(spells)
    draw_workers(found)


def draw_letters(letters: Sequence[DeadLetter]) -> None:
    staff.section(
        _("Events that could not be read"),
        _("Mend the event if you can, and it counts as if it had come now. Who acted is hidden, and kept."),
    )
    if not letters:
        staff.quiet(_("None is waiting."))
    for letter in letters:
        text = letter.payload.decode("utf-8", "backslashreplace")
        fields = []
        if len(text) <= LONGEST:
            fields.append(furniture.field("event", _("The event"), "textarea", value=text))
        fields.append(furniture.field("sure", _("Yes, take it again as it stands here"), "checkbox", required=True))
        furniture.form(
            f"letter_{letter.dead_letter_id}",
            "/staff/dead-letters/replay",
            fields,
            _("Replay"),
            folded=_("{number}, found {when}: {reason}").format(
                number=letter.dead_letter_id, when=staff.moment(letter.found_at), reason=letter.reason[:160]
            ),
            hidden={"letter": str(letter.dead_letter_id)},
            quiet=True,
        )


def draw_quarantine(waiting: Sequence[tuple[int, int]]) -> None:
    staff.section(
        _("Acts on books that are not there yet"), _("They count as soon as an ingest brings the book; nothing to do.")
    )
    if not waiting:
        staff.quiet(_("None is waiting."))
        return
    count = sum(acts for _book, acts in waiting)
    staff.quiet(
        _("{acts} on {books}.").format(
            acts=plural("{count} act", "{count} acts", count),
            books=plural("{count} book", "{count} books", len(waiting)),
        )
    )


def draw(conn: psycopg.Connection, account: Account) -> None:
    figures()
    if st.query_params.get("done") == "replayed":
        furniture.said(_("The event was taken again."))
    draw_letters(dead_letters.for_staff(conn, account, LETTERS))
    draw_quarantine(quarantine.waiting_for(conn, account))


staff.live("stream", draw)
