import socket
import subprocess
import sys

import psutil
import pytest
from running_stream import wait_for

from streaming import cluster

MEMBER = """
import os, time
from streaming import cluster
cluster.end_with(os.getppid())
print("ready", flush=True)
time.sleep(60)
"""
PARENT = """
import subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1]])
"""


def test_a_worker_does_not_outlive_the_process_that_holds_the_claim() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, MEMBER], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == b"ready\n"
        (member,) = psutil.Process(parent.pid).children()

        parent.kill()

        wait_for(lambda: not member.is_running() or member.status() == psutil.STATUS_ZOMBIE, "the worker to end")


def test_ports_that_were_chosen_for_workers_are_given_to_nobody_else_before_they_listen() -> None:
    with cluster._free_ports(3) as ports:
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind(("127.0.0.1", ports[0]))
        for port in ports:
            socket.create_server(("127.0.0.1", port)).close()  # as a worker asks for it
