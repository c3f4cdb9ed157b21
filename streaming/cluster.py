"""Several processes on one host, each a worker of one dataflow: when one ends unasked, all end."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from openshelf.errors import OpenshelfError
from streaming import stopping

_PR_SET_PDEATHSIG = 1
CHILD_CHECK_S = 0.2
CHILD_PATIENCE_S = 10


@dataclass(frozen=True)
class Member:
    """This process's place in a cluster; the addresses are those of all its members, in order."""

    process_id: int
    addresses: Sequence[str]
    parent_pid: int


def run(count: int, arguments: Sequence[str] = ()) -> None:
    """Run `openshelf stream member` as often as asked, until a stop is asked for.

    Raises:
        OpenshelfError: one of them ended by itself.
    """
    command = [sys.executable, "-m", "openshelf", "stream", "member"]
    with _free_ports(count) as ports:
        addresses = ";".join(f"127.0.0.1:{port}" for port in ports)
        children = [
            subprocess.Popen([*command, str(i), "--addresses", addresses, "--parent", str(os.getpid()), *arguments])
            for i in range(count)
        ]
        try:
            while not stopping.wait(CHILD_CHECK_S):
                if ended := [child for child in children if child.poll() is not None]:
                    raise OpenshelfError(f"a worker ended with code {ended[0].returncode}; its lines above say why")
        finally:
            for child in children:
                child.terminate()
            for child in children:
                _wait(child)


def end_with(parent_pid: int) -> None:
    """Let this process not outlive its parent, whose claim ends with it: another may take the partitions at once."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def look() -> None:
        while not stopping.wait(CHILD_CHECK_S):
            if os.getppid() != parent_pid:
                stopping.request()

    threading.Thread(target=look, name="parent", daemon=True).start()


def _wait(child: subprocess.Popen[bytes]) -> None:
    try:
        child.wait(CHILD_PATIENCE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


@contextmanager
def _free_ports(count: int) -> Iterator[list[int]]:
    """Bound here, without listening, as long as the block runs: who asks for a port before our workers listen on theirs
    gets another. To a worker its port is free, as it asks for an address that may be one that is being left.
    """
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind(("127.0.0.1", 0))
        ports = [each.getsockname()[1] for each in sockets]
        if sys.platform != "linux":  # a port that is bound is taken there
            held.close()
        yield ports
