"""The session dataflow: acts in; interactions, sessions, slates and dead letters out. Wiring only.

The sink draws the slates, so that drawing and storing overlap.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeGuard, cast

import bytewax.operators as op
from bytewax.dataflow import Dataflow, Stream
from bytewax.inputs import Source
from bytewax.outputs import Sink

from models.rewards import Rewards
from streaming.acts import Forget, RawAct, TakenAct, take
from streaming.batch_sink import Aside
from streaming.erased_readers import ErasedReaders
from streaming.session_logic import History, Moved, SessionLogic
from streaming.session_state import Rules
from streaming.works_on_file import WorksOnFile

# The recovery store hangs on these names.
FLOW_ID = "sessions"
STEP_IDS = (
    "read_acts",
    "take_acts",
    "part_asides",
    "key_by_reader",
    "move_sessions",
    "forget_keys",
    "join_asides",
    "draw_and_store",
)


def build_flow(
    source: Source[RawAct],
    sink: Sink[Moved | Aside],
    *,
    rewards: Rewards,
    history: History,
    clock: Callable[[], datetime],
    silence: timedelta,
    works: WorksOnFile | None = None,
    erased: ErasedReaders | None = None,
) -> Dataflow:
    """`history` gives a reader's stored acts; `silence` ends a session.

    `works`: acts on works that it does not know are kept apart; unset, every act counts.
    `erased`: acts of readers whom it knows are dropped; unset, none is.
    """
    erased = erased or ErasedReaders.none()

    def take_all(raws: list[RawAct]) -> list[TakenAct | Forget | Aside]:
        taken = erased.sift([take(raw, rewards) for raw in raws])
        return works.sift(taken) if works else [*taken]

    rules = Rules(silence, rewards.inferred_skip)
    flow = Dataflow(FLOW_ID)
    raws = op.input("read_acts", flow, source)
    # RawAct
    taken = op.flat_map_batch("take_acts", raws, take_all)
    # TakenAct | Forget | BadAct | EarlyAct | Dropped
    parted = op.branch("part_asides", taken, _is_taken)
    # trues TakenAct | Forget, falses BadAct | EarlyAct | Dropped
    keyed = op.key_on("key_by_reader", parted.trues, lambda act: act.reader_key)
    # reader_key and TakenAct | Forget
    moved = op.stateful_batch(
        "move_sessions", keyed, lambda snapshot: SessionLogic(snapshot, history, clock, rules, erased.knows)
    )
    # reader_key and MovedAct | EndedSessions | InferredSkips | Forget
    told = op.key_rm("forget_keys", moved)
    # MovedAct | EndedSessions | InferredSkips | Forget
    joined = op.merge("join_asides", told, cast("Stream[Aside]", parted.falses))
    # MovedAct | EndedSessions | InferredSkips | Forget | BadAct | EarlyAct | Dropped
    op.output("draw_and_store", joined, sink)
    return flow


def _is_taken(act: TakenAct | Forget | Aside) -> TypeGuard[TakenAct | Forget]:
    return isinstance(act, TakenAct | Forget)
