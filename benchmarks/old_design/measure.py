"""`python -m old_design.measure EVENTS BROKER COUNT_BOOKS SECONDS COUNT_CATCH_UP`: start it, play, print JSON.

EVENTS: a file with one event a line, played in order; BROKER: the address of a broker that makes topics by itself.
Runs in the old design's own environment, as all of it does.

Latency: from the moment before the event is sent to the moment its recommendations are in Redis. Throughput: of events
that all wait, from the first recommendation to the last. Falling behind: of 500 events a second, fewer than 475 are
answered in a second of the later half, and more and more wait.
"""

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import psutil
import redis  # pyright: ignore[reportMissingImports] - in the environment of its own
import requests
from confluent_kafka import Producer

from .messages import COUNT_RECOMMENDED, INTERACTIONS, RECOMMENDATIONS, TOPIC, Event, latencies_ms

RATE, HIGH_RATE = 100, 500
WARM_UP_S = 2
START_PATIENCE_S = 60.0
ANSWER_PATIENCE_S = 120.0
Report = dict[str, float | bool | list[float]]
# Fewer answers a second than this share of what comes, and it never catches up.
KEEPS_UP = 0.95


@dataclass
class OldDesign:
    store: redis.Redis
    producer: Producer
    processes: Sequence[psutil.Process]
    events: Iterator[Event]

    def send(self, event: Event) -> None:
        value = json.dumps({**event, "timestamp": time.time()})
        self.producer.produce(TOPIC, value, key=str(event["sid"]))
        self.producer.poll(0)

    def play(self, per_second: int, seconds: float) -> int:
        """Each event at its appointed time, whatever the earlier ones took; how many."""
        begin, count = time.monotonic(), int(per_second * seconds)
        for number, event in enumerate(islice(self.events, count)):
            time.sleep(max(0.0, begin + number / per_second - time.monotonic()))
            self.send(event)
        return count

    def count_answered(self) -> int:
        return self.store.llen(RECOMMENDATIONS) // COUNT_RECOMMENDED

    def wait_for_answers(self, count: int) -> None:
        wait_for(lambda: self.count_answered() >= count, ANSWER_PATIENCE_S, f"{count} recommendations")

    def latencies_ms(self) -> list[float]:
        return latencies_ms(self.store.lrange(INTERACTIONS, 0, -1), self.store.lrange(RECOMMENDATIONS, 0, -1))

    def cpu_s(self) -> float:
        return sum(times.user + times.system for times in (process.cpu_times() for process in self.processes))

    def check_alive(self) -> None:
        if ended := [each for each in self.processes if not each.is_running() or each.status() == psutil.STATUS_ZOMBIE]:
            raise SystemExit(f"the old design: process {ended[0].pid} has ended; its lines above say why")

    def forget(self) -> None:
        self.store.flushdb()


def measure(old: OldDesign, seconds: float, count_catch_up: int) -> Report:
    old.wait_for_answers(old.play(RATE // 2, WARM_UP_S))
    old.forget()
    report: Report = {}
    old.wait_for_answers(old.play(RATE, seconds))
    report["ms_at_100"] = old.latencies_ms()
    old.forget()
    report |= catch_up(old, count_catch_up)
    old.forget()
    return report | keep_up(old, seconds)


def catch_up(old: OldDesign, count: int) -> Report:
    cpu_s = old.cpu_s()
    for event in islice(old.events, count):
        old.send(event)
    old.producer.flush(10)
    old.wait_for_answers(count)
    done = [json.loads(each)["timestamp"] for each in old.store.lrange(RECOMMENDATIONS, 0, -1)]
    return {
        "old_acts_per_s": round((count - 1) / (done[-1] - done[0]), 1),
        "old_cpu_us_per_act": round((old.cpu_s() - cpu_s) / count * 1e6),
    }


def keep_up(old: OldDesign, seconds: float) -> Report:
    sent = old.play(HIGH_RATE, seconds / 2)
    waiting_at_half, answered_at_half, half_at = sent - old.count_answered(), old.count_answered(), time.monotonic()
    sent += old.play(HIGH_RATE, seconds / 2)
    answered = old.count_answered()
    per_second = (answered - answered_at_half) / (time.monotonic() - half_at)
    return {
        f"old_backlog_at_{HIGH_RATE}": sent - answered,
        f"old_falls_behind_at_{HIGH_RATE}": per_second < KEEPS_UP * HIGH_RATE and sent - answered > waiting_at_half,
    }


def wait_for(condition: Callable[[], object], patience_s: float, what: str) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"the old design: waited {patience_s:.0f} s for {what}")
        time.sleep(0.02)


@contextmanager
def shown_on_failure(lines: Path) -> Iterator[Path]:
    try:
        yield lines
    except SystemExit:
        print(lines.read_text()[-4_000:] if lines.exists() else "", file=sys.stderr)
        raise


@contextmanager
def started(command: Sequence[str], lines: Path) -> Iterator[subprocess.Popen[bytes]]:
    with lines.open("ab") as written:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=written)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def running(events: Iterator[Event], broker: str, count_books: str) -> Iterator[OldDesign]:
    redis_port, port = free_port(), free_port()
    service = f"http://127.0.0.1:{port}"
    own = [sys.executable, "-m"]
    with (
        tempfile.TemporaryDirectory() as folder,
        shown_on_failure(Path(folder) / "lines") as lines,
        ExitStack() as stack,
    ):
        producer = Producer({"bootstrap.servers": broker, "linger.ms": 0, "log_level": 2})
        events_topic_is_made(producer)
        in_memory = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder]
        processes = [
            stack.enter_context(started(command, lines))
            for command in (
                ["redis-server", "--port", str(redis_port), *in_memory],
                [*own, "old_design.service", str(port), str(redis_port), count_books],
                [*own, "old_design.consumer", broker, str(redis_port), service],
            )
        ]
        old = OldDesign(
            redis.Redis(port=redis_port, decode_responses=True, socket_timeout=10),
            producer,
            [psutil.Process(process.pid) for process in processes],
            events,
        )
        wait_for(lambda: answers(old, service), START_PATIENCE_S, "its service")
        wait_for(lambda: is_read(old), START_PATIENCE_S, "its consumer")
        time.sleep(0.5)  # what else was sent to see whether it reads
        old.forget()
        yield old


def events_topic_is_made(producer: Producer) -> None:
    """The broker makes a topic at its first message, and the consumer does not start without."""
    producer.produce(TOPIC, b"{}")
    if producer.flush(10):
        raise SystemExit("the old design: the broker takes nothing")


def answers(old: OldDesign, service: str) -> bool:
    old.check_alive()
    try:
        return requests.get(f"{service}/rec/", params={"uid": "nobody"}, timeout=1).ok
    except requests.RequestException:
        return False


def is_read(old: OldDesign) -> bool:
    """It reads from the latest event on: what is sent before it has joined is lost, so send until one arrives."""
    old.check_alive()
    old.send(next(old.events))
    time.sleep(0.1)
    return old.count_answered() > 0


def main() -> None:
    path, broker, count_books, seconds, count_catch_up = sys.argv[1:]
    events = map(json.loads, Path(path).read_text().splitlines())
    with running(events, broker, count_books) as old:
        print(json.dumps(measure(old, float(seconds), int(count_catch_up))))


if __name__ == "__main__":
    main()
