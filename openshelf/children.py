"""Child processes that never outlive who started them."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
# As much less than others as a job that nobody waits for may ask for the processor.
_BACKGROUND = 10


def end_with_parent() -> None:
    """In the child, before exec: SIGTERM when the parent dies, however it dies (Linux). For `preexec_fn`.

    The kernel means the thread that forked: start such children from one that lives as long as they should.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def in_background() -> None:
    """The same, and readers come first."""
    end_with_parent()
    os.nice(_BACKGROUND)
