"""A product whose routes programs call, and what the log has of the calls."""

import asyncio
import random
from datetime import timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import select
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount

from tenantry import Burst, Count, Google, Keys, Meter, Module, Plan, Product
from tenantry.fastapi import Metered, Require
from tenantry.kernel.context import Actor, Context, Origin
from tenantry.kernel.database import statement
from tenantry.keys.calls import CallLog
from tenantry.keys.models import ApiCallHours, ApiCalls
from tenantry.usage import Metered as MeteredAsgi

calls, keys = Meter("calls", per="day"), Count("keys")
router = APIRouter(prefix="/v1/things", tags=["things"])


@router.get("/{thing}", dependencies=[Metered(calls)])
async def thing(thing: str) -> str:
    return thing


@router.get("/{thing}/crash", dependencies=[Metered(calls)])
async def crash(thing: str) -> str:
    raise RuntimeError(thing)


@router.get("/{thing}/slowly", dependencies=[Metered(calls)])
async def slowly(thing: str) -> StreamingResponse:
    async def parts():
        yield thing
        await asyncio.sleep(0.05)
        yield thing

    return StreamingResponse(parts())


@router.get("/{thing}/never", dependencies=[Metered(calls)])
async def never(thing: str) -> str:
    await asyncio.Event().wait()
    return thing


@router.get("/{thing}/scoped", dependencies=[Require("things:read")])
async def scoped(thing: str) -> str:
    return thing


async def tiles(scope, receive, send):
    await PlainTextResponse("tile")(scope, receive, send)


mounted = APIRouter(routes=[Mount("/tiles", app=MeteredAsgi(tiles, calls))])


def called_product(**changes: Any) -> Product:
    """One plan, with a pace; `changes` are of its `Keys`."""
    plan = Plan("free", price=0, limits={calls: 10, keys: 2}, burst=Burst(100, 9))
    modules = [Module("things", routers=[router, mounted])]
    return Product(
        "Acme",
        sign_in=[Google()],
        session_lifetime=timedelta(days=30),
        plans=[plan],
        keys=Keys("acme", meter=calls, count=keys, **changes),
        modules=modules,
    )


COLUMNS = (
    "at", "id", "holder_id", "key_id", "method", "endpoint", "status", "latency_ms", "request_id", "request_body",
    "response_body",
)  # fmt: skip
_calls = statement(
    select(*(getattr(ApiCalls, name) for name in COLUMNS)).order_by(ApiCalls.at, ApiCalls.id),
    lambda *row: dict(zip(COLUMNS, row, strict=True)),
)
_hours = statement(
    select(
        ApiCallHours.key_id, ApiCallHours.hour, ApiCallHours.method, ApiCallHours.endpoint, ApiCallHours.bucket_ms,
        ApiCallHours.calls, ApiCallHours.errors, ApiCallHours.latency_ms,
    ),
    lambda *row: row,
)  # fmt: skip


async def log_of(kit: Any) -> list[dict[str, Any]]:
    """The calls in the log, oldest first, once all that were noted are there."""
    await kit.runtime.port(CallLog).flush()
    async with kit.system.service(writes=False) as reading:
        return list(await reading.db.rows(_calls))


async def hours_in(kit: Any) -> list[tuple[Any, ...]]:
    """The rows of the roll-ups."""
    async with kit.system.service(writes=False) as reading:
        return list(await reading.db.rows(_hours))


def caller(kit: Any, key: dict[str, Any], runtime: Any = None) -> Context:
    """The context of a request with a key, as `authorize` has it."""
    actor = Actor("key", key_id=UUID(key["id"]))
    return Context(runtime or kit.runtime, actor, Origin("0123456789"))


def fill(log: CallLog, ctx: Context, number: int, *, seed: int = 1) -> None:
    """Note calls of all kinds."""
    chance = random.Random(seed)
    for _ in range(number):
        log.add(
            ctx,
            method=chance.choice(["GET", "POST"]),
            endpoint=chance.choice(["/v1/things/{thing}", "/v1/work"]),
            status=chance.choice([200, 200, 200, 201, 404, 429, 500, 0]),
            seconds=chance.lognormvariate(-4, 2),
        )
