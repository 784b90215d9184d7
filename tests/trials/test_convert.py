"""What a conversion takes along: every key, every call, every hour, every level; and what stays with the workspace."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import func, select

from tenantry.holders import by_user, set_plan
from tenantry.holders.models import Holders
from tenantry.kernel.database import param, statement
from tenantry.keys import CallLog, issue, rotate
from tenantry.keys.models import ApiCallHours, ApiCalls, ApiKeys
from tenantry.trials import actions, convert_trial, lock_active
from tenantry.usage import Leases, LimitReached
from tenantry.usage.models import UsageCounters, UsageGauges
from tenantry.usage.stocks import change_gauge
from trials.acme import storage
from trials.owners import begin, call, give_key, inside, move, owner

_calls = statement(select(func.count()).select_from(ApiCalls).where(ApiCalls.holder_id == param("holder")))
_hours = statement(
    select(func.coalesce(func.sum(ApiCallHours.calls), 0)).where(ApiCallHours.holder_id == param("holder"))
)
_keys = statement(select(ApiKeys.id).where(ApiKeys.holder_id == param("holder")).order_by(ApiKeys.id))
_used = statement(
    select(func.coalesce(func.sum(UsageCounters.used), 0)).where(UsageCounters.holder_id == param("holder"))
)
_levels = statement(select(UsageGauges.value).where(UsageGauges.holder_id == param("holder")))
_sources = statement(select(Holders.plan_source).where(Holders.id == param("holder")))


async def kept(kit, holder):
    """Of a holder: keys, calls in the log, calls in the hours, units used, levels."""
    async with kit.system.service(writes=False) as ctx:
        return (
            len(await ctx.db.rows(_keys, holder=holder)),
            await ctx.db.one(_calls, holder=holder),
            int(await ctx.db.one(_hours, holder=holder)),
            int(await ctx.db.one(_used, holder=holder)),
            await ctx.db.rows(_levels, holder=holder),
        )


async def test_keys_work_on_and_take_their_calls_along(kit, ada, program):
    made = await begin(ada)
    key, over = await give_key(ada, made), await give_key(ada, made, "over")
    await ada.delete(f"/v1/trials/{made['id']}/keys/{over['id']}")
    answers = [await program.get("/v1/work", headers={"X-API-Key": key["secret"]}) for _ in range(3)]
    workspace = UUID(answers[0].json()["holder"])
    log = kit.runtime.port(CallLog)
    await log.flush()
    await kit.runtime.port(Leases).settle()
    assert await kept(kit, workspace) == (2, 3, 3, 3, [])
    assert await move(ada, made, "convert", plan="club") == (200, "converted")
    # At once, in this process, and counted on the owner's plan, which begins unused.
    answer = await program.get("/v1/work", headers={"X-API-Key": key["secret"]})
    assert (answer.status_code, answer.json()["plan"], answer.headers["x-ratelimit-remaining"]) == (200, "club", "7")
    own = UUID(answer.json()["holder"])
    await log.flush()
    await kit.runtime.port(Leases).settle()
    assert await kept(kit, own) == (2, 4, 4, 1, [])
    assert await kept(kit, workspace) == (0, 0, 0, 3, [])
    assert {one["id"] for one in (await ada.get("/v1/keys")).json()["items"]} == {key["id"], over["id"]}
    assert (await ada.get(f"/v1/trials/{made['id']}/keys")).json()["items"] == []
    assert (await ada.get("/v1/me/usage")).json()["plan"] == "club"


async def test_the_owners_own_keys_are_on_the_new_plan_at_once(kit, ada, program):
    """In the process that did it, though no notice of it has come by: they were remembered as on the plan before."""
    own = (await ada.post("/v1/keys", json={"label": "mine"})).json()
    for _ in range(3):
        made = await begin(ada)
        for plan in ("club", "free"):
            assert await call(program, own) in {"free", "club", "usage.quota_exceeded"}
            assert await move(ada, made, "convert", plan=plan) == (200, "converted")
            answer = await program.get("/v1/work", headers={"X-API-Key": own["secret"]})
            assert answer.json()["plan"] == plan
            made = await begin(ada)


async def test_a_call_noted_before_and_written_after_is_not_lost(kit, ada, program):
    made = await begin(ada)
    key = await give_key(ada, made)
    for _ in range(3):
        assert await call(program, key) == "standard"
    # The log writes a quarter of a second later.
    await move(ada, made, "convert")
    log = kit.runtime.port(CallLog)
    await log.flush()
    async with kit.system.service(writes=False) as ctx:
        own = await by_user(ctx.db, UUID((await ada.get("/v1/me")).json()["id"]))
    assert (await kept(kit, own.id))[1:3] == (3, 3)
    assert not log.dropped


async def test_no_call_is_lost_while_trials_are_converted(kit, program):
    """Programs call, the log writes, and the owner converts, all at once and again and again."""
    log, answered = kit.runtime.port(CallLog), 0
    owners = []
    for _ in range(4):
        ada = await owner(kit)
        trial = await actions.start(ada, "Acme")
        key = (await issue(await inside(ada, trial), label="robot")).secret

        async def programs(secret=key):
            admitted = 0
            for _ in range(12):
                answer = await program.get("/v1/work", headers={"X-API-Key": secret})
                admitted += answer.status_code in {200, 429}
                assert answer.status_code in {200, 429}, answer.text
            return admitted

        async def convert(trial=trial, ada=ada):
            await asyncio.sleep(0.02)
            await actions.convert(ada, trial.workspace.id)

        counts = await asyncio.gather(programs(), programs(), convert())
        answered += counts[0] + counts[1]
        owners.append((ada.holder.id, trial.holder.id))
    await log.flush()
    assert not log.dropped
    found = [await kept(kit, own) for own, _ in owners]
    assert [await kept(kit, workspace) for _, workspace in owners] == [
        (0, 0, 0, used, []) for used in await spent(kit, owners)
    ]
    assert sum(one[1] for one in found) == sum(one[2] for one in found) == answered


async def spent(kit, owners):
    await kit.runtime.port(Leases).settle()
    return [(await kept(kit, workspace))[3] for _, workspace in owners]


async def test_a_rotated_key_stays_beside_its_successor(kit):
    ada = await owner(kit)
    trial = await actions.start(ada, "Acme")
    working = await inside(ada, trial)
    old = await issue(working, label="robot")
    new = await rotate(working, old.key.id)
    await actions.convert(ada, trial.workspace.id)
    async with kit.system.service(writes=False) as ctx:
        assert await ctx.db.rows(_keys, holder=ada.holder.id) == [old.key.id, new.key.id]


async def test_what_gauges_count_is_the_owners_also_above_the_limit(kit):
    ada = await owner(kit)
    trial = await actions.start(ada, "Acme")
    async with kit.system.service() as ctx:
        await change_gauge(ctx, storage, 4, holder_id=ada.holder.id)
        await change_gauge(ctx, storage, 60, holder_id=trial.holder.id)
    await actions.convert(ada, trial.workspace.id)
    assert [(await kept(kit, one))[4] for one in (ada.holder.id, trial.holder.id)] == [[64], []]
    async with kit.system.service() as ctx:
        with pytest.raises(LimitReached):
            await change_gauge(ctx, storage, 1, holder_id=ada.holder.id)
    async with kit.system.service() as ctx:
        assert await change_gauge(ctx, storage, -60, holder_id=ada.holder.id) == 4


async def test_409_more_keys_than_ones_plan_allows_and_nothing_has_changed(kit):
    ada = await owner(kit)
    trial = await actions.start(ada, "Acme")
    working = await inside(ada, trial)
    for number in range(3):
        await issue(working, label=str(number))
    await issue(ada, label="own")
    with pytest.raises(LimitReached) as refused:
        await actions.convert(ada, trial.workspace.id)
    assert (refused.value.extra["limit"], refused.value.extra["value"], refused.value.extra["asked"]) == (3, 1, 3)
    assert (await actions.read(ada, trial.workspace.id)).workspace.state == "active"
    assert (await kept(kit, trial.holder.id))[0] == 3
    await actions.convert(ada, trial.workspace.id, plan="club")
    assert (await kept(kit, ada.holder.id))[0] == 4


async def test_the_operator_puts_the_owner_on_a_paid_plan_and_all_keys_are_kept(kit, program):
    ada = await owner(kit)
    trial = await actions.start(ada, "Acme", tier="enterprise")
    working = await inside(ada, trial)
    secrets = [(await issue(working, label=str(number))).secret for number in range(7)]
    async with kit.system.service() as ctx:
        workspace = await lock_active(ctx, trial.workspace.id)
        await convert_trial(ctx, workspace, "standard", reason="paid by invoice 7")
    assert [await call(program, {"secret": one}) for one in secrets] == ["standard"] * 7
    async with kit.system.service(writes=False) as ctx:
        assert await ctx.db.one(_sources, holder=ada.holder.id) == "trial"
    with pytest.raises(LimitReached):
        await issue(ada, label="one more")


async def test_a_plan_that_moved_meanwhile_is_not_undone(kit):
    ada = await owner(kit)
    trial = await actions.start(ada, "Acme")
    async with kit.system.service() as ctx:
        await set_plan(ctx, ada.holder.id, "standard", source="admin", reason="bought")
    await actions.convert(ada, trial.workspace.id)
    async with kit.system.service(writes=False) as ctx:
        assert (await by_user(ctx.db, ada.user_id)).plan == "standard"
        assert await ctx.db.one(_sources, holder=ada.holder.id) == "admin"


async def test_it_is_stamped_with_the_databases_time(kit):
    ada = await owner(kit)
    trial = await actions.start(ada, "Acme")
    at = datetime(2026, 3, 15, tzinfo=UTC)
    await kit.set_time(at)
    done = (await actions.convert(ada, trial.workspace.id)).workspace
    assert (done.converted_at, done.ended_at, done.status) == (at, at, "converted")
