"""Granted once, spent exactly, however many do it at once; what each costs in statements; who may see what."""

import asyncio
from datetime import timedelta
from fractions import Fraction

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from tenantry import Credits, Google, Plan, Product
from tenantry.billing.queries.owners import lock_by_id
from tenantry.holders import HolderNotFound
from tenantry.kernel import new_id
from tenantry.kernel.audit import AuditLog
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.failures import UnitStillOpen
from tenantry.kernel.policies import PolicyRefused
from tenantry.testing import START
from tenantry.usage.credits import (
    CreditsInsufficient,
    balance,
    give,
    grant,
    queries,
    release,
    reserve,
    revoke,
    set_balance,
    settle,
    spend,
)
from tenantry.usage.credits.errors import CreditReservationConflict, CreditReservationNotFound, CreditsSpentOtherwise
from tenantry.usage.credits.upkeep import expire_credits, forget_reservations
from usage.people import person

PRODUCT = Product("Acme", sign_in=[Google()], plans=[Plan("free", price=0)], credits=Credits("tokens"))
DAY = timedelta(days=1)
_audited = statement(
    select(AuditLog.action, AuditLog.reason).where(AuditLog.subject_id == param("subject")).order_by(AuditLog.id),
    lambda *row: row,
)


@pytest.fixture
async def kit(start):
    return await start(PRODUCT)


@pytest.fixture
async def ctx(kit):
    return await person(kit, "free")


async def granted(ctx, amount, **given):
    given.setdefault("fact", str(new_id()))
    async with ctx.service() as working:
        return await grant(working, ctx.holder.id, amount, **given)


async def ledger(ctx):
    async with ctx.service(writes=False) as reading:
        return (await queries.page(reading.db, ctx.holder.id, limit=100))[::-1]


async def outcome(act):
    try:
        return await act
    except CreditsInsufficient as refused:
        return refused


async def test_twenty_who_spend_at_once_spend_exactly_what_is_there(ctx):
    await granted(ctx, 50)
    told = await asyncio.gather(*(outcome(spend(ctx, 7)) for _ in range(20)))
    refused = [one for one in told if isinstance(one, CreditsInsufficient)]
    assert len(told) - len(refused) == 7
    assert sorted(one.balance for one in told if one not in refused) == [1, 8, 15, 22, 29, 36, 43]
    assert await spend(ctx, 1) is not None
    assert (await balance(ctx)).balance == 0
    assert [one.balance_after for one in await ledger(ctx)] == [50, 43, 36, 29, 22, 15, 8, 1, 0]


async def test_a_fact_told_ten_times_at_once_grants_once_and_a_reference_spends_once(ctx):
    made = await asyncio.gather(*(granted(ctx, 30, fact="payment:1") for _ in range(10)))
    assert len({one.id for one in made}) == 1
    told = await asyncio.gather(*(spend(ctx, 30, reference="report:1") for _ in range(10)))
    assert len({one.number for one in told}) == 1
    with pytest.raises(CreditsSpentOtherwise):
        await spend(ctx, 29, reference="report:1")
    assert [one.amount for one in await ledger(ctx)] == [30, -30]


async def test_the_first_credits_of_a_holder_wait_in_no_circle_with_who_has_locked_the_holder(ctx):
    """Both make the account; billing has the holder locked before, a spending has not."""

    async def billed(number):
        async with ctx.service() as working:
            await lock_by_id(working.db, ctx.holder.id)
            await asyncio.sleep(0)
            await grant(working, ctx.holder.id, 1, fact=f"billed:{number}")

    alone = [granted(ctx, 1, fact=f"alone:{number}") for number in range(5)]
    await asyncio.gather(*alone, *(billed(number) for number in range(5)))
    assert (await balance(ctx)).balance == 10


async def test_what_expires_first_is_spent_first_and_what_expired_is_gone_at_that_second(kit, ctx):
    for amount, days in ((10, None), (20, 3), (5, 1)):
        await granted(ctx, amount, expires_at=None if days is None else START + days * DAY, fact=f"{days}")
    found = await balance(ctx)
    assert (found.available, found.next_expiry, found.expiring) == (35, START + DAY, 5)
    await spend(ctx, 7)
    async with ctx.service(writes=False) as reading:
        _, left = await queries.live(reading.db, ctx.holder.id)
    assert [(one.fact, one.remaining) for one in left] == [("3", 18), ("None", 10)]
    await kit.set_time(START + 3 * DAY)
    assert (await balance(ctx)).balance == 10
    with pytest.raises(CreditsInsufficient) as refused:
        await spend(ctx, 11)
    assert (refused.value.extra["needed"], refused.value.extra["available"]) == (11, 10)
    await expire_credits(kit.system, {})
    await expire_credits(kit.system, {})
    assert [(one.kind, one.amount, one.balance_after) for one in await ledger(ctx)][3:] == [
        ("spend", -7, 28), ("expire", -18, 10),
    ]  # fmt: skip


async def test_what_is_set_aside_is_nobody_elses_until_it_ends(kit, ctx):
    await granted(ctx, 100)
    first = await reserve(ctx, 60, expires_in=timedelta(minutes=10), label="a long answer")
    with pytest.raises(CreditsInsufficient) as refused:
        await spend(ctx, 41)
    assert refused.value.extra["reserved"] == 60
    await spend(ctx, 40)
    done = await settle(ctx, first.id, 70)
    assert (done.settled, done.missing, (await balance(ctx)).balance) == (60, 10, 0)
    assert await settle(ctx, first.id, 70) == done
    for ending in (settle(ctx, first.id, 60), release(ctx, first.id)):
        with pytest.raises(CreditReservationConflict):
            await ending
    await granted(ctx, 20)
    late, free = [await reserve(ctx, 10, expires_in=timedelta(minutes=1)) for _ in range(2)]
    assert (await release(ctx, free.id)).status == "released"
    await kit.move(minutes=1)
    assert (await balance(ctx)).available == 20
    await expire_credits(kit.system, {})
    assert (await settle(ctx, late.id, 5)).settled == 5
    other = await person(kit, "free")
    with pytest.raises(CreditReservationNotFound):
        await settle(other, late.id, 5)
    with pytest.raises(CreditReservationNotFound):
        await release(kit.system, new_id())
    with pytest.raises(CreditReservationConflict):
        await reserve(other, 1, expires_in=DAY, reservation_id=late.id)
    await kit.move(days=500)
    await forget_reservations(kit.system, {})
    with pytest.raises(CreditReservationNotFound):
        await settle(ctx, late.id, 5)
    assert sum(one.amount for one in await ledger(ctx)) == 15


async def test_a_refund_takes_what_is_left_and_an_operator_sets_both_at_once(kit, ctx):
    await granted(ctx, 100, fact="payment:1")
    await spend(ctx, 60)
    async with ctx.service() as working:
        third = await revoke(working, ctx.holder.id, "payment:1", Fraction(1, 3))
        assert (third.remaining, third.revoked) == (7, 33)
        assert await revoke(working, ctx.holder.id, "payment:1", Fraction(1, 3)) == third
        assert (await revoke(working, ctx.holder.id, "payment:1")).remaining == 0
        assert await revoke(working, ctx.holder.id, "payment:2") is None
        await give(working, ctx.holder.id, 5, reason="for the trouble")
        await set_balance(working, ctx.holder.id, 40, expires_at=START + DAY, reason="as agreed")
    assert (await balance(ctx)).balance == 40
    assert (await balance(ctx)).next_expiry == START + DAY
    async with ctx.service() as working:
        assert await set_balance(working, ctx.holder.id, 0, expires_at=None, reason="gone") is None
        audited = await working.db.rows(_audited, subject=str(ctx.holder.id))
    assert audited[-3:] == [
        ("credits.given", "for the trouble"), ("credits.set", "as agreed"), ("credits.set", "gone"),
    ]  # fmt: skip
    assert [one.amount for one in await ledger(ctx)] == [100, -60, -33, -7, 5, -5, 40, -40]


async def test_what_cannot_be_is_refused(kit, ctx):
    with pytest.raises(CreditsInsufficient):
        await spend(ctx, 1)
    for wrong in (0, -1, 10**12 + 1):
        with pytest.raises(ValueError, match="credits"):
            await spend(ctx, wrong)
        with pytest.raises(ValueError, match="credits"):
            await granted(ctx, wrong)
    for words in ({"reference": ""}, {"reference": "x" * 201}, {"label": "x" * 201}):
        with pytest.raises(ValueError, match="characters"):
            await spend(ctx, 1, **words)
    with pytest.raises(ValueError, match="expires"):
        await reserve(ctx, 1, expires_in=timedelta(days=8))
    async with ctx.service() as working:
        with pytest.raises(HolderNotFound):
            await grant(working, new_id(), 1, fact="x")
        with pytest.raises(UnitStillOpen):
            await spend(ctx, 1)
    with pytest.raises(PolicyRefused):
        async with ctx.unit() as working:
            await queries.enter(working.db, ctx.holder.id, [])


async def test_each_takes_so_many_statements_however_much_there_is(kit, ctx, statements):
    for number in range(12):
        await granted(ctx, 10, expires_at=START + DAY * (number + 1))

    async def counted(act, *given, **named):
        with statements(kit) as ran:
            await act(replace(ctx, runtime=kit.app.state.runtime), *given, **named)
            return ran()

    assert await counted(spend, 25) == 4
    assert await counted(spend, 25, reference="a") == 5
    assert await counted(balance) == 1
    held = await reserve(ctx, 5, expires_in=DAY)
    assert await counted(reserve, 5, expires_in=DAY) == 3
    assert await counted(settle, held.id, 3) == 7
