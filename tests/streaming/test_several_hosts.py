"""Several hosts, each with its share of the partitions and nothing in common but Postgres and the broker."""

import socket
from contextlib import ExitStack
from pathlib import Path

import network_hosts
import psycopg
import pytest
from mock_broker import mock_broker
from running_stream import PATIENCE_S, Running, is_drained, running, wait_for
from stream_acts import snapshot
from worked_log import Entry, WorkedDatabase

from openshelf.database import consumers

FIRST_HALF, SECOND_HALF = [0, 2, 4, 6, 8, 10], [1, 3, 5, 7, 9, 11]


@pytest.fixture(scope="module")
def _namespaces() -> None:
    if reason := network_hosts.why_not():
        pytest.skip(reason)


def held(conn: psycopg.Connection) -> list[list[int]]:
    found = [holder.partitions for holder in consumers.holders(conn, "sessions")]
    conn.commit()
    return found


def test_two_shares_of_the_log_make_the_rows_of_one_process_though_one_is_killed(
    worked: WorkedDatabase, entries: list[Entry], undisturbed: list[list[tuple]], tmp_path: Path
) -> None:
    def start(share: str) -> Running:
        home = str(tmp_path / share.replace("/", "-"))
        return stack.enter_context(
            running("run", "--share", share, log=tmp_path / "log", **worked.environment | {"OPENSHELF_HOME": home})
        )

    with ExitStack() as stack:
        worked.append(entries[:300])
        first, second = start("1/2"), start("2/2")
        wait_for(lambda: held(worked.conn) == [FIRST_HALF, SECOND_HALF], "both shares to be taken")
        too_much = start("2/3")
        code_of_too_much = too_much.process.wait(PATIENCE_S)
        worked.append(entries[300:450])
        second.kill()
        worked.append(entries[450:])
        wait_for(lambda: held(worked.conn) == [FIRST_HALF], "the claim of the killed one to end")
        third = start("2/2")
        worked.wait_for_all()
        codes = [first.stop(), third.stop()]

    assert (code_of_too_much, codes) == (1, [0, 0])
    holder = f"pid {second.process.pid} on {socket.gethostname()}, sessions 2/2, with partitions 1, 3, 5, 7, 9, 11"
    assert f"already running, {holder}. Stop that one first" in first.lines()
    assert snapshot(worked.conn) == undisturbed


@pytest.mark.usefixtures("_namespaces")
def test_two_hosts_on_a_network_make_the_rows_of_one_process_though_the_relay_repeats_itself(
    worked: WorkedDatabase, entries: list[Entry], undisturbed: list[list[tuple]], tmp_path: Path
) -> None:
    with ExitStack() as stack:
        broker = stack.enter_context(mock_broker())
        environment = worked.environment | {"OPENSHELF_BROKERS": broker}
        worked.append(entries[:300])
        relay = stack.enter_context(running("relay", log=tmp_path / "relay", **environment))
        flows = []
        for number in (1, 2):
            host = stack.enter_context(network_hosts.host(number))
            stack.enter_context(network_hosts.reachable(host, broker))
            own = {"OPENSHELF_HOME": str(tmp_path / host.name), "OPENSHELF_SHARE": f"{number}/2"}
            log = tmp_path / f"log{number}"
            flows.append(stack.enter_context(running("run", log=log, within=host.within, **environment | own)))
        wait_for(lambda: is_drained(worked.conn, "relay"), "the first half to be sent")
        relay.kill()
        forget_last_sent(worked.conn)
        worked.append(entries[300:])
        relay = stack.enter_context(running("relay", log=tmp_path / "relay", **environment))
        worked.wait_for_all()
        codes = [flow.stop() for flow in [*flows, relay]]

    assert codes == [0, 0, 0]
    assert snapshot(worked.conn) == undisturbed


def forget_last_sent(conn: psycopg.Connection) -> None:
    """As a relay that was killed between sending and noting."""
    conn.execute("update stream.progress set next_offset = greatest(0, next_offset - 9) where consumer = 'relay'")
    conn.commit()
