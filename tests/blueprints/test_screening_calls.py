"""S-10: the document's call, `POST /api/v1/screen`, is served for real and tracked."""

from uuid import UUID

import pytest
from sqlalchemy import select

from tenantry.blueprints import load
from tenantry.kernel import new_id
from tenantry.kernel.context import Actor, Context, Origin
from tenantry.kernel.database import statement
from tenantry.keys.calls import CallLog
from tenantry.keys.calls.queries import writing
from tenantry.keys.models import ApiCalls

C = ApiCalls
_calls = statement(
    select(C.id, C.key_id, C.method, C.endpoint, C.status, C.latency_ms).order_by(C.id), lambda *row: row
)
# The calls of a batch, what they add to their hours, and when their keys were used last.
WRITTEN_IN = 3


@pytest.fixture
async def kit(start):
    return await start(load("screening_api"))


@pytest.fixture
async def key(kit):
    ada = await kit.sign_in("ada")
    return (await ada.post("/v1/keys", json={"label": "onboarding"})).json()


@pytest.fixture
async def program(kit, key):
    return await kit.client(Authorization=f"Bearer {key['secret']}")


async def stored(kit):
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.rows(_calls)


async def test_s_10_a_screening_is_tracked_after_its_answer(kit, key, program):
    answer = await program.post("/api/v1/screen", json={"name": "Chen Wenqiang"})
    assert answer.status_code == 200
    await kit.runtime.port(CallLog).flush()
    (row,) = await stored(kit)
    assert row[1:5] == (UUID(key["id"]), "POST", "/api/v1/screen", 200)
    assert 0 <= row[5] < 60_000


async def test_s_10_many_calls_cost_no_more_statements_than_one(kit, key, statements):
    for calls in (1, 200):
        with statements(kit) as count:
            log = CallLog()
            ctx = Context(kit.app.state.runtime, Actor("key", key_id=UUID(key["id"])), Origin("r-1"))
            for _ in range(calls):
                log.add(ctx, method="POST", endpoint="/api/v1/screen", status=200, seconds=0.045)
            await log.aclose()
            assert (log.written, count()) == (calls, WRITTEN_IN)


async def test_s_10_a_call_is_written_by_one_statement_whoever_holds_the_key(kit, key):
    entry = writing.Entry(
        at="2026-03-14T12:00:00.000000Z", id=new_id(), key=UUID(key["id"]), method="POST", endpoint="/api/v1/screen",
        status=200, ms=45, request="r-1",
    )  # fmt: skip
    async with kit.system.service() as ctx:
        before = ctx.db.statements
        assert await writing.add(ctx.db, [entry]) == 1
        assert ctx.db.statements - before == 1
    assert await stored(kit) == [(entry.id, entry.key, "POST", "/api/v1/screen", 200, 45)]
