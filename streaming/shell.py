"""What the dataflow and the relay share: how often a dataflow is stored, how it is run, what sends to the broker.

Without torch, which the relay has no need of.
"""

from datetime import timedelta
from typing import Any

from bytewax.dataflow import Dataflow
from bytewax.run import cli_main

from openshelf import broker
from openshelf.errors import OpenshelfError
from openshelf.settings import Settings
from streaming import set_back
from streaming.publishing import ConfirmedSender

SNAPSHOT_EVERY = timedelta(seconds=5)


def run(flow: Dataflow, **options: Any) -> None:
    """Run a dataflow; an error of ours comes out as it was raised, not wrapped by Bytewax.

    Raises:
        OpenshelfError: raised by a step.
    """
    set_back.end_when_set_back()
    try:
        cli_main(flow, **options)
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OpenshelfError):
            cause = cause.__cause__
        if cause is None:
            raise
        raise cause from error


def sender(settings: Settings) -> ConfirmedSender:
    return ConfirmedSender(lambda: broker.producer(settings))
