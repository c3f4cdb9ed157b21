"""Ports for servers that tests start."""

import socket

_held: list[socket.socket] = []


def free_port() -> int:
    """A port of this machine that nobody listens on now.

    It stays bound here to the end of this process, without listening: to a server it is free, as servers ask for
    addresses that are being left, and the kernel gives it to nobody else before that server has started.
    """
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    probe.bind(("127.0.0.1", 0))
    _held.append(probe)
    return probe.getsockname()[1]
