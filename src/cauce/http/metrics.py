"""`/metrics` for Prometheus: what the door did, and how far the river has come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cauce.http.health import Health

COMMIT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counts of one door, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "cauce_requests", "Requests to the intake by kind of path and status.", ("path", "status"),
            registry=self.registry,
        )  # fmt: skip
        self._request_children: dict[tuple[str, int], Any] = {}
        self._bytes = Counter("cauce_received_bytes", "Bytes of request bodies as received.", registry=self.registry)
        self._commits = Histogram(
            "cauce_commit_seconds", "Time of one append to the log, shared by all requests in it.",
            buckets=COMMIT_SECONDS, registry=self.registry,
        )  # fmt: skip
        self._records = Counter("cauce_log_records", "Records made durable by this door.", registry=self.registry)
        self.queue = Gauge("cauce_queue_bytes", "Bytes that wait for the disk.", registry=self.registry)

    def answered(self, path: str, status: int, size: int) -> None:
        """Counts one request; `path` is one of few kinds."""
        child = self._request_children.get((path, status))
        if child is None:
            child = self._request_children[path, status] = self._requests.labels(path, str(status))
        child.inc()
        if size:
            self._bytes.inc(size)

    def committed(self, seconds: float, records: int) -> None:
        """Counts one append to the log."""
        self._commits.observe(seconds)
        self._records.inc(records)


class River:
    """A collector that asks how the river stands when it is scraped."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        seen = self._health.look()
        for name, key, text in (
            ("cauce_log_end", "log_end", "Offset of the last record in the log."),
            ("cauce_runner_offset", "offset", "Offset of the last record whose effects are committed."),
            ("cauce_lag_records", "lag_records", "Records that wait for the runner."),
            ("cauce_lag_bytes", "lag_bytes", "Bytes that wait for the runner."),
            ("cauce_runner_up", "runner", "Whether a runner is at work."),
        ):
            if key in seen:
                yield GaugeMetricFamily(name, text, float(seen[key]))
        counts = GaugeMetricFamily("cauce_items", "Items by source and fate.", labels=("source", "fate"))
        for source, fates in self._health.counts().items():
            for fate, number in fates.items():
                counts.add_metric((source, fate), number)
        yield counts


def routes(metrics: Metrics, health: Health) -> list[Route]:
    """The page that Prometheus scrapes."""
    metrics.registry.register(River(health))

    async def scrape(_request: Request) -> Response:
        body = await health.ask(partial(generate_latest, metrics.registry))
        return Response(body, headers={"content-type": CONTENT_TYPE_LATEST})

    return [Route("/metrics", scrape, methods=["GET"])]
