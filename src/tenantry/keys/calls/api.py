"""`/v1/keys/{key_id}/calls` and `.../stats`: what a key was used for."""

from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AfterValidator, AwareDatetime, BaseModel

from tenantry.kernel import Read, problems
from tenantry.kernel.permissions import require_of_member
from tenantry.kernel.problems import Invalid, RoleRefused, Unauthenticated
from tenantry.kernel.spreadsheets import utc_text

from ..actions import KEYS_READ
from ..errors import KeyNotFound
from .export import csv_of
from .log import ENDPOINT_MAX, METHOD_MAX
from .queries import reading
from .queries.reading import EVER, NEVER, Wanted
from .rows import Call
from .stats import HOURLY_DAYS_MAX, Stats, Summary, stats_of

router = APIRouter(prefix="/v1/keys/{key_id}", tags=["keys"])

DAYS_MAX = 90
_READ = (Invalid, KeyNotFound, RoleRefused, Unauthenticated)
LINES_MAX = 10_000


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is out of range") from None


Time = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Status = Annotated[
    str | None,
    Query(pattern="^([0-9]{1,3}|[1-5]xx)$", description="A status code, or a class: 2xx, 4xx. 0: no answer."),
]
Endpoint = Annotated[str | None, Query(min_length=1, max_length=ENDPOINT_MAX, description="A route's template.")]
Method = Annotated[str | None, Query(min_length=1, max_length=METHOD_MAX)]
Since = Annotated[Time | None, Query(description="No calls before this time.")]
Until = Annotated[Time | None, Query(description="Only calls before this time.")]


class Filter(NamedTuple):
    """Which calls are asked for."""

    status: str | None
    endpoint: str | None
    method: str | None
    since: datetime | None
    until: datetime | None

    def wanted(self, **more: Any) -> Wanted:
        """The same for the statement."""
        least, most = _codes(self.status)
        return Wanted(
            status_min=least,
            status_max=most,
            endpoint=self.endpoint or "",
            method=(self.method or "").upper(),
            since=self.since or EVER,
            until=self.until or NEVER,
            **more,
        )


async def _filter(
    status: Status = None,
    endpoint: Endpoint = None,
    method: Method = None,
    since: Since = None,
    until: Until = None,
) -> Filter:
    return Filter(status, endpoint, method, since, until)


Filtered = Annotated[Filter, Depends(_filter)]


class CallEntry(BaseModel):
    """A call. `at`: when its answer had ended; `status` 0: whoever called was gone before there was one.

    Bodies are null unless the product keeps them; one that is left out says why: `{"omitted": "size", "bytes": 9000}`.
    """

    id: UUID
    at: datetime
    method: str
    endpoint: str
    status: int
    latency_ms: int
    request_id: str
    request_body: Any
    response_body: Any

    @classmethod
    def of(cls, call: Call) -> Self:
        """What people are told of a call."""
        return cls(**{name: getattr(call, name) for name in cls.model_fields})


class CallList(BaseModel):
    """Calls, newest first. `next_cursor` leads to those before them; null when there are none."""

    items: list[CallEntry]
    next_cursor: str | None


class CallSummary(BaseModel):
    """Calls together. The percentiles are estimates within ten percent; null without calls."""

    calls: int
    errors: int
    mean_ms: float | None
    p50_ms: float | None
    p95_ms: float | None


class CallStep(CallSummary):
    """The calls of an hour, or of a UTC day."""

    at: datetime


class EndpointSummary(CallSummary):
    """The calls to one endpoint."""

    method: str
    endpoint: str


class CallStats(BaseModel):
    """How a key was used. `steps` has every hour (or day) from `since` until `until`, oldest first."""

    since: datetime
    until: datetime
    step_seconds: int
    total: CallSummary
    steps: list[CallStep]
    endpoints: list[EndpointSummary]

    @classmethod
    def of(cls, stats: Stats) -> Self:
        """What people are told of it."""
        return cls(
            since=stats.since,
            until=stats.until,
            step_seconds=stats.step_seconds,
            total=CallSummary(**_told(stats.total)),
            steps=[CallStep(at=at, **_told(one)) for at, one in stats.steps.items()],
            endpoints=[
                EndpointSummary(method=method, endpoint=endpoint, **_told(one))
                for (method, endpoint), one in stats.endpoints.items()
            ],
        )


@router.get("/calls", responses=problems(*_READ))
async def list_calls(
    ctx: Read,
    key_id: UUID,
    asked: Filtered,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=80)] = None,
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
) -> CallList:
    """List the calls made with a key. They are there a quarter of a second after their answer."""
    require_of_member(ctx, KEYS_READ)
    more = {} if cursor is None else {"before": place_of(cursor)}
    found = await reading.page(ctx.db, ctx.holder.id, key_id, asked.wanted(limit=limit + 1, offset=offset, **more))
    shown = found[:limit]
    last = f"{utc_text(shown[-1].at)}_{shown[-1].id}" if len(found) > limit else None
    return CallList(items=[CallEntry.of(one) for one in shown], next_cursor=last)


@router.get(
    "/calls.csv",
    response_class=Response,
    responses=problems(*_READ)
    | {
        200: {
            "description": "A header and a line for each call, newest first, without bodies.",
            "content": {
                "text/csv": {
                    "schema": {"type": "string"},
                    "example": "at,method,endpoint,status,latency_ms,request_id\r\n"
                    "2026-03-14T12:00:00.250000Z,GET,/v1/prices/{symbol},200,12,0f3c9a7b\r\n",
                }
            },
        }
    },
)
async def export_calls(
    ctx: Read, key_id: UUID, asked: Filtered, limit: Annotated[int, Query(ge=1, le=LINES_MAX)] = LINES_MAX
) -> Response:
    """Answer the newest calls made with a key as a CSV file (RFC 4180, UTF-8, times in UTC)."""
    require_of_member(ctx, KEYS_READ)
    text = csv_of(await reading.page(ctx.db, ctx.holder.id, key_id, asked.wanted(limit=limit)))
    headers = {
        "Content-Disposition": f'attachment; filename="calls-{key_id}.csv"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/stats", responses=problems(*_READ))
async def read_stats(
    ctx: Read,
    key_id: UUID,
    days: Annotated[
        int, Query(ge=1, le=DAYS_MAX, description=f"The last days; up to {HOURLY_DAYS_MAX} are told by the hour.")
    ] = 1,
) -> CallStats:
    """Answer how a key was used in the last days, by the hour or the UTC day, and by endpoint."""
    require_of_member(ctx, KEYS_READ)
    return CallStats.of(await stats_of(ctx.db, ctx.holder.id, key_id, days=days, now=ctx.clock.now()))


def _codes(status: str | None) -> tuple[int, int]:
    if status is None:
        return 0, 999
    if status.endswith("xx"):
        return int(status[0]) * 100, int(status[0]) * 100 + 99
    return int(status), int(status)


def place_of(cursor: str) -> tuple[datetime, UUID]:
    at, _, call_id = cursor.partition("_")
    try:
        # Without a zone it would be taken for the machine's own.
        return datetime.fromisoformat(at.removesuffix("Z") + "+00:00"), UUID(call_id)
    except (ValueError, OverflowError):
        told = {"field": "query.cursor", "message": "This is no cursor of ours.", "code": "cursor"}
        raise Invalid(errors=[told]) from None


def _told(summary: Summary) -> dict[str, Any]:
    return {name: getattr(summary, name) for name in summary.__struct_fields__}
