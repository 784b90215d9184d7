"""Answers for load balancers and monitors: alive, ready, and the figures."""

import asyncio
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from itertools import accumulate

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, Counter, Gauge, Metric, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from starlette.responses import Response

from .figures import Figure, ReadFigures
from .frame import is_near
from .logs import logger_of
from .problems import NotFound, Problem, problems

Probe = Callable[[], Awaitable[object]]

_READY_WITHIN_SECONDS = 2.0
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_log = logger_of("tenantry.health")


class NotReady(Problem):
    """The server is not ready to answer.

    `failed` names the checks that did not pass; why is in the log.
    """

    code, status = "health.not_ready", 503


class _Answered(Collector):
    """How many requests were answered and how long they took. Counts on the event loop, where a scrape reads it."""

    def __init__(self) -> None:
        # By method, route and status: how many answers fell into each bucket, and their seconds together.
        self._buckets: dict[tuple[str, str, int], list[int]] = {}
        self._seconds: dict[tuple[str, str, int], float] = {}

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        key = (method, route, status)
        buckets = self._buckets.get(key)
        if buckets is None:
            buckets = self._buckets[key] = [0] * (len(_BUCKETS) + 1)
            self._seconds[key] = 0.0
        buckets[bisect_left(_BUCKETS, seconds)] += 1
        self._seconds[key] += seconds

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "tenantry_http_requests", "Requests answered, by route template.", labels=("method", "route", "status")
        )
        routes: dict[tuple[str, str], tuple[list[int], float]] = {}
        for (method, route, status), buckets in self._buckets.items():
            requests.add_metric((method, route, str(status)), sum(buckets))
            others, seconds = routes.get((method, route), ([0] * len(buckets), 0.0))
            together = [one + other for one, other in zip(buckets, others, strict=True)]
            routes[method, route] = together, seconds + self._seconds[method, route, status]
        yield requests
        times = HistogramMetricFamily(
            "tenantry_http_request_seconds",
            "Time from the request's head to the end of the answer.",
            labels=("method", "route"),
        )
        bounds = [*map(str, _BUCKETS), "+Inf"]
        for labels, (counts, seconds) in routes.items():
            times.add_metric(labels, list(zip(bounds, accumulate(counts), strict=True)), seconds)
        yield times


class Metrics:
    """The figures of one process in a registry of its own, in Prometheus' text format.

    With several workers each has its own figures and a scrape reaches one of them by chance: give every worker its
    own port to scrape, or run one worker a container. Rates and quantiles over the instances are Prometheus' work.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        # Not the library's own counters: with their labels and locks they cost a request 3 µs.
        self._answered = _Answered()
        self.registry.register(self._answered)
        self._jobs_run = Counter(
            "tenantry_jobs_run", "Runs of background jobs, by outcome.", ("job", "outcome"), registry=self.registry
        )
        self._jobs = Gauge(
            "tenantry_jobs", "Background jobs in the database, by status.", ("status",), registry=self.registry
        )

        self._forgotten = Counter(
            "tenantry_rows_forgotten", "Rows deleted after their time, by table.", ("table",), registry=self.registry
        )

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request. `route` is a template, never an address."""
        self._answered.add(method, route, status, seconds)

    def job_ran(self, job: str, *, succeeded: bool) -> None:
        """Count one run of a background job."""
        self._jobs_run.labels(job, "done" if succeeded else "failed").inc()

    def forgot(self, table: str, rows: int) -> None:
        """Count rows that a clean-up deleted."""
        self._forgotten.labels(table).inc(rows)

    def jobs_stand(self, counts: Mapping[str, int]) -> None:
        """Show how many jobs stand at each status."""
        for status in ("queued", "running", "done", "dead"):
            self._jobs.labels(status).set(counts.get(status, 0))

    def follow(self, read: Callable[[], Iterable[Figure]]) -> None:
        """Show what a room counts: `read` is asked at each look, on the event loop, and must be quick."""
        self.registry.register(ReadFigures(read))

    def render(self) -> bytes:
        return generate_latest(self.registry)


def health_router(checks: Mapping[str, Probe], metrics: Metrics, *, public_host: str = "") -> APIRouter:
    """Return the routes `/healthz`, `/readyz` and `/metrics`.

    `/healthz` says that the process answers and touches nothing. `/readyz` runs all checks at once, bounded by two
    seconds together; a check fails by raising or by being late. `/metrics` is for scrapers of the same network: it
    answers only when the socket's peer is a loopback or private address and no proxy has forwarded the request, and
    is otherwise not there (404). It is never there under `public_host`, for not every proxy says that it is one.
    """
    router = APIRouter(tags=["health"])

    @router.get("/healthz")
    async def alive() -> dict[str, str]:
        """Say that the process answers."""
        return {"status": "ok"}

    @router.get("/readyz", responses=problems(NotReady))
    async def ready() -> dict[str, str]:
        """Say whether the server can do its work."""
        failed = await _failed(checks)
        if failed:
            raise NotReady(f"Failed: {', '.join(failed)}.", failed=failed, headers={"Retry-After": "2"})
        return {"status": "ready"}

    @router.get("/metrics", include_in_schema=False)
    async def figures(request: Request) -> Response:
        peer = request.scope.get("client")
        host = request.headers.get("host", "").lower().rpartition("@")[2].partition(":")[0]
        # A dot at its end makes it no other host.
        is_public = bool(public_host) and host.rstrip(".") == public_host
        if is_public or not is_near(request.scope, peer[0] if peer else None):
            raise NotFound
        return Response(metrics.render(), media_type=CONTENT_TYPE_PLAIN_0_0_4, headers={"Cache-Control": "no-store"})

    return router


async def _failed(checks: Mapping[str, Probe]) -> list[str]:
    """Return the names of the checks that did not pass, in their order."""
    running = {name: asyncio.ensure_future(_passes(name, check)) for name, check in checks.items()}
    if not running:
        return []
    _, late = await asyncio.wait(running.values(), timeout=_READY_WITHIN_SECONDS)
    for task in late:
        task.cancel()
    for name, task in running.items():
        if task in late:
            _log.warning("health.check_late", check=name, seconds=_READY_WITHIN_SECONDS)
    return [name for name, task in running.items() if task in late or not task.result()]


async def _passes(name: str, check: Probe) -> bool:
    try:
        await check()
    except Exception as error:  # noqa: BLE001 - whatever a check raises, it has failed.
        _log.warning("health.check_failed", check=name, exc_info=error)
        return False
    return True
