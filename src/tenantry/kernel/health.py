"""Answers for load balancers and monitors: alive, ready, and the figures."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.responses import Response

from .frame import is_private
from .logs import logger_of
from .problems import NotFound, Problem, problems

Check = Callable[[], Awaitable[object]]

_READY_WITHIN_SECONDS = 2.0
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_FORWARDED = ("x-forwarded-for", "forwarded", "x-real-ip")
_log = logger_of("tenantry.health")


class NotReady(Problem):
    """The server is not ready to answer.

    `failed` names the checks that did not pass; why is in the log.
    """

    code, status = "health.not_ready", 503


class Metrics:
    """The figures of one process in a registry of its own, in Prometheus' text format.

    With several workers each has its own figures and a scrape reaches one of them by chance: give every worker its
    own port to scrape, or run one worker a container. Rates and quantiles over the instances are Prometheus' work.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "tenantry_http_requests",
            "Requests answered, by route template.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "tenantry_http_request_seconds",
            "Time from the request's head to the end of the answer.",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._jobs_run = Counter(
            "tenantry_jobs_run", "Runs of background jobs, by outcome.", ("job", "outcome"), registry=self.registry
        )
        self._jobs = Gauge(
            "tenantry_jobs", "Background jobs in the database, by status.", ("status",), registry=self.registry
        )
        # Looking the children up by label costs more than counting; there are only as many as routes and statuses.
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request. `route` is a template, never an address."""
        found = self._children.get((method, route, status))
        if found is None:
            found = (self._requests.labels(method, route, str(status)), self._seconds.labels(method, route))
            self._children[method, route, status] = found
        found[0].inc()
        found[1].observe(seconds)

    def job_ran(self, job: str, *, succeeded: bool) -> None:
        """Count one run of a background job."""
        self._jobs_run.labels(job, "done" if succeeded else "failed").inc()

    def jobs_stand(self, counts: Mapping[str, int]) -> None:
        """Show how many jobs stand at each status."""
        for status in ("queued", "running", "done", "dead"):
            self._jobs.labels(status).set(counts.get(status, 0))

    def render(self) -> bytes:
        return generate_latest(self.registry)


def health_router(checks: Mapping[str, Check], metrics: Metrics, *, public_host: str = "") -> APIRouter:
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
        forwarded = any(name in request.headers for name in _FORWARDED)
        is_public = bool(public_host) and request.url.hostname == public_host
        if peer is None or forwarded or is_public or not is_private(peer[0]):
            raise NotFound
        return Response(metrics.render(), media_type=CONTENT_TYPE_PLAIN_0_0_4, headers={"Cache-Control": "no-store"})

    return router


async def _failed(checks: Mapping[str, Check]) -> list[str]:
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


async def _passes(name: str, check: Check) -> bool:
    try:
        await check()
    except Exception as error:  # noqa: BLE001 - whatever a check raises, it has failed.
        _log.warning("health.check_failed", check=name, exc_info=error)
        return False
    return True
