"""What machines may know of the installation: its figures for Prometheus. Nothing in them is about a person."""

import asyncio
import hmac
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate

import psycopg
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from starlette.requests import Request

from openshelf import stream_health
from openshelf.database import pool, summary
from openshelf.database.summary import Health
from openshelf.database.workers import Spread, Worker
from openshelf.errors import DatabaseError
from openshelf.settings import get_settings
from openshelf.stream_health import Dataflow, State

# Whoever asks is answered within this time: Prometheus gives up after ten seconds unless told otherwise.
LIMIT_S = 4.0
CONNECT_S = 2.0

_FLOW = ["consumer"]
_WORKER = ["consumer", "share", "process"]
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


@dataclass(frozen=True)
class Figures:
    flows: Sequence[Dataflow]
    health: Health


class Observer:
    """Reads the figures in one thread: while Postgres hangs, that thread hangs with it and no other."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "figures")
        self._reading: Future[Figures] | None = None

    async def figures(self) -> Figures | None:
        """As they are now; None when Postgres does not give them in time. Who asks meanwhile gets the same answer."""
        if self._reading is None or self._reading.done():
            self._reading = self._thread.submit(_read)
        try:
            # Shielded: this caller may give up, the reading goes on.
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self._reading)), LIMIT_S)
        except (TimeoutError, psycopg.Error, DatabaseError):
            return None


def _read() -> Figures:
    with pool.get_pool().connection(timeout=CONNECT_S) as conn:
        return Figures(stream_health.look(conn, stream_health.expected(get_settings())), summary.health(conn))


def may_look(request: Request) -> bool:
    """Who gives the token if one is set, else who is on this machine and was not sent on by a proxy."""
    token = get_settings().metrics_token
    if token is not None:
        given = request.headers.get("authorization", "").encode()
        return hmac.compare_digest(given, b"Bearer " + token.get_secret_value().encode())
    is_near = request.client is not None and request.client.host in {"127.0.0.1", "::1"}
    return is_near and not any(name in request.headers for name in _FORWARDED)


def exposition(figures: Figures | None) -> bytes:
    """The figures in Prometheus' text format 0.0.4; without any: that there are none."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(figures))
    return generate_latest(registry)


class _Collector(Collector):
    def __init__(self, figures: Figures | None) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        up = "1 if Postgres gave the figures below in time, else 0 and there are no others."
        yield GaugeMetricFamily("openshelf_up", up, value=float(self._figures is not None))
        if self._figures:
            yield from _of_library(self._figures)
            yield from _of_flows(self._figures.flows)
            workers = [worker for flow in self._figures.flows for worker in flow.workers]
            yield from _of_workers(workers)
            yield from _of_models([worker for worker in workers if worker.consumer == "sessions"])
            yield from _of_work_done(workers)


def _of_library(figures: Figures) -> Iterator[Metric]:
    health, sessions = figures.health, figures.flows[0]
    yield CounterMetricFamily(
        "openshelf_log_acts",
        "Acts that the event log has taken since it began.",
        value=sessions.count_taken + sessions.count_waiting,
    )
    yield GaugeMetricFamily(
        "openshelf_dead_letters_waiting",
        "Events that could not be taken and wait for staff.",
        health.count_dead_letters,
    )
    yield GaugeMetricFamily(
        "openshelf_quarantine_waiting_acts",
        "Acts on works that the catalogue does not have yet.",
        health.count_quarantined,
    )
    latency = GaugeMetricFamily(
        "openshelf_act_to_slate_milliseconds",
        "From the log taking an act to its slate being stored, of the newest 2000 slates of the last day.",
        labels=["quantile"],
    )
    for quantile, ms in (("0.5", health.act_to_slate_ms_p50), ("0.99", health.act_to_slate_ms_p99)):
        if ms is not None:
            latency.add_metric([quantile], ms)
    yield latency
    if health.fallback_share is not None:
        yield GaugeMetricFamily(
            "openshelf_fallback_share_ratio",
            "Share of the places of these slates that the policy could not fill.",
            health.fallback_share,
        )
    champion = GaugeMetricFamily("openshelf_champion_info", "The policy that should serve.", labels=["version"])
    if health.champion:
        champion.add_metric([health.champion], 1)
    yield champion


def _of_flows(flows: Sequence[Dataflow]) -> Iterator[Metric]:
    state = GaugeMetricFamily(
        "openshelf_dataflow_state", "1 for the state that the dataflow is in.", labels=[*_FLOW, "state"]
    )
    taken = CounterMetricFamily("openshelf_taken_acts", "Acts of the log that were taken since it began.", labels=_FLOW)
    lag = GaugeMetricFamily("openshelf_lag_acts", "Acts of the log that wait.", labels=_FLOW)
    lag_s = GaugeMetricFamily("openshelf_lag_seconds", "How long the oldest of them waits.", labels=_FLOW)
    for flow in flows:
        for each in State:
            state.add_metric([flow.consumer, each], float(flow.state is each))
        taken.add_metric([flow.consumer], flow.count_taken)
        lag.add_metric([flow.consumer], flow.count_waiting)
        lag_s.add_metric([flow.consumer], flow.waiting_s)
    yield from (state, taken, lag, lag_s)


def _of_workers(workers: Sequence[Worker]) -> Iterator[Metric]:
    up = GaugeMetricFamily("openshelf_worker_up", "1 if the process beats, 0 if it fell silent.", labels=_WORKER)
    beat = GaugeMetricFamily("openshelf_worker_beat_age_seconds", "Since it last beat.", labels=_WORKER)
    started = GaugeMetricFamily("openshelf_worker_start_time_seconds", "When it started (Unix time).", labels=_WORKER)
    info = GaugeMetricFamily("openshelf_worker_info", "Where it runs.", labels=[*_WORKER, "host", "pid"])
    for worker in workers:
        labels = _labels(worker)
        up.add_metric(labels, float(not worker.is_silent))
        beat.add_metric(labels, worker.beat_age_s)
        started.add_metric(labels, worker.started_at.timestamp())
        info.add_metric([*labels, worker.host, str(worker.pid)], 1)
    yield from (up, beat, started, info)


def _of_models(workers: Sequence[Worker]) -> Iterator[Metric]:
    model = GaugeMetricFamily(
        "openshelf_worker_model_info", "What it draws slates with.", labels=[*_WORKER, "arm", "version"]
    )
    since = GaugeMetricFamily(
        "openshelf_worker_model_since_time_seconds", "Since when it serves that (Unix time).", labels=_WORKER
    )
    refused = GaugeMetricFamily(
        "openshelf_worker_model_refused", "1 while a model that should serve does not load.", labels=_WORKER
    )
    catalogue = GaugeMetricFamily("openshelf_worker_catalogue_version", "Version of its catalogue.", labels=_WORKER)
    for worker in workers:
        labels = _labels(worker)
        for arm, version in ({"champion": worker.serves} | worker.arms).items():
            if version:
                model.add_metric([*labels, arm, version], 1)
        if worker.serves_since:
            since.add_metric(labels, worker.serves_since.timestamp())
        refused.add_metric(labels, float(worker.refusal is not None))
        if worker.catalogue_version is not None:
            catalogue.add_metric(labels, worker.catalogue_version)
    yield from (model, since, refused, catalogue)


_COUNTERS = {
    "count_acts": ("openshelf_acts", "Acts that the process stored, or sent to the broker, since it started."),
    "count_slates": ("openshelf_slates", "Slates that it stored."),
    "count_dead_letters": ("openshelf_dead_letters", "Events that it could not take."),
    "count_early": ("openshelf_quarantined_acts", "Acts that it put into quarantine."),
    "count_undrawn": ("openshelf_undrawn_slates", "Slates that a fault kept from being drawn."),
    "count_refusals": ("openshelf_model_refusals", "Times that a model did not load."),
}


def _of_work_done(workers: Sequence[Worker]) -> Iterator[Metric]:
    for field, (name, text) in _COUNTERS.items():
        counter = CounterMetricFamily(name, text, labels=_WORKER)
        for worker in workers:
            counter.add_metric(_labels(worker), getattr(worker.counts, field))
        yield counter
    places = CounterMetricFamily(
        "openshelf_slate_places", "Places of its slates, by what filled them.", labels=[*_WORKER, "source"]
    )
    batches = HistogramMetricFamily("openshelf_batch_acts", "Acts that it stored or sent together.", labels=_WORKER)
    draws = HistogramMetricFamily(
        "openshelf_policy_milliseconds", "Time of one draw: the slates of a batch for one arm.", labels=_WORKER
    )
    for worker in workers:
        labels = _labels(worker)
        batches.add_metric(labels, *_buckets(worker.counts.batch_acts))
        if worker.consumer == "sessions":
            draws.add_metric(labels, *_buckets(worker.counts.draw_ms))
            for source, count in sorted(worker.counts.places.items()):
                places.add_metric([*labels, source], count)
    yield from (places, batches, draws)


def _labels(worker: Worker) -> list[str]:
    return [worker.consumer, worker.share, str(worker.process)]


def _buckets(spread: Spread) -> tuple[list[tuple[str, float]], float]:
    """As Prometheus has them: each bucket counts those below it too."""
    bounds = [*(f"{bound:g}" for bound in spread.bounds), "+Inf"]
    return list(zip(bounds, map(float, accumulate(spread.counts)), strict=True)), spread.total
