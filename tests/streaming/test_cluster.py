import subprocess
import sys

import psutil
from running_stream import wait_for

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
