"""Hosts that are network namespaces of this machine, each at the end of a wire of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import tcp_forwarder

# Addresses that are set aside for documentation: no network has them.
WIRE = "192.0.2.{}"


@dataclass(frozen=True)
class Host:
    """`within`: words before a command that run it on this host."""

    name: str
    own_address: str
    far_address: str  # of this end of the wire

    @property
    def within(self) -> list[str]:
        return ["ip", "netns", "exec", self.name]


def why_not() -> str | None:
    """Why namespaces cannot be made here, or None."""
    if os.geteuid() != 0:
        return "making network namespaces needs root"
    name = f"openshelf{os.getpid()}"
    try:
        _ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no network namespace can be made here: {error}"
    _ip("netns", "del", name)
    return None


@contextmanager
def host(number: int) -> Iterator[Host]:
    """A network of its own whose one way out is a wire to this one; `number` from 0 to 60."""
    made = Host(f"openshelf{os.getpid()}h{number}", WIRE.format(4 * number + 2), WIRE.format(4 * number + 1))
    near, far = f"os{os.getpid()}n{number}", f"os{os.getpid()}f{number}"
    _ip("netns", "add", made.name)
    try:
        _ip("link", "add", far, "type", "veth", "peer", "name", near, "netns", made.name)
        _ip("address", "add", f"{made.far_address}/30", "dev", far)
        _ip("link", "set", far, "up")
        for words in (
            ["address", "add", f"{made.own_address}/30", "dev", near],
            ["link", "set", near, "up"],
            ["link", "set", "lo", "up"],
        ):
            _ip("-netns", made.name, *words)
        yield made
    finally:
        _ip("netns", "del", made.name)  # and with it the wire


@contextmanager
def reachable(there: Host, address: str) -> Iterator[None]:
    """What listens on this machine's loopback address is found at the same address on that host, over the wire."""
    port = address.split(":")[1]
    with ExitStack() as forwarders:
        at_wire = f"{there.far_address}:{port}"
        forwarders.enter_context(_forwarder([], at_wire, address))
        forwarders.enter_context(_forwarder(there.within, address, at_wire))
        yield


@contextmanager
def _forwarder(within: Sequence[str], listen: str, target: str) -> Iterator[None]:
    command = [*within, sys.executable, str(Path(tcp_forwarder.__file__)), listen, target]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"listening\n"
            yield
        finally:
            process.kill()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=60)
