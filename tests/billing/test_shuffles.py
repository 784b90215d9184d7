"""Whatever order events come in, however often, whichever are lost: the rows end as the provider's truth."""

import asyncio
import os
import random
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from billing.conftest import listening, paid_product
from billing.history import steps
from billing.truth import Event
from tenantry import Credits
from tenantry.billing import BillingProviders, operating
from tenantry.billing.jobs import link_unlinked
from tenantry.billing.queries import owners, payments, revenue, subscriptions
from tenantry.billing.snapshots import TERMINAL
from tenantry.billing.terms.worth import PAYING
from tenantry.billing.worker import drain
from tenantry.holders import open_for_user
from tenantry.kernel import new_id
from tenantry.kernel.database import param, statement
from tenantry.usage.credits.models import CreditEntries, CreditGrants

WORKERS = 4
SHUFFLES = 25
THEIRS = (
    "status", "raw_status", "quantity", "period_start", "period_end", "trial_ends_at", "cancel_at", "ended_at",
)  # fmt: skip
_grants = statement(
    select(CreditGrants.reason, CreditGrants.amount, CreditGrants.remaining, CreditGrants.revoked)
    .where(CreditGrants.holder_id == param("holder"))
    .order_by(CreditGrants.reason),
    lambda *row: row,
)
_entries = statement(
    select(CreditEntries.amount, CreditEntries.balance_after)
    .where(CreditEntries.holder_id == param("holder"))
    .order_by(CreditEntries.number),
    lambda *row: row,
)
PAID = ("status", "amount_minor", "refunded_minor", "currency", "intent", "subscription_external_id", "paid_at")


@pytest.fixture
async def paid(start, clock, truth, announced):
    """The application whose purchases bring credits too."""
    return await start(
        paid_product(modules=[listening(announced)], credits=Credits("tokens")),
        clock=clock,
        ports={BillingProviders: BillingProviders({"fake": truth})},
    )


async def work_together(paying: Any) -> None:
    """Four workers at once, until none finds anything."""
    while any(await asyncio.gather(*(drain(paying.kit.runtime, limit=5) for _ in range(WORKERS)))):
        pass


async def settle(paying: Any) -> None:
    """What time heals: waiting events are due again, the night's listing finds what was lost."""
    for _ in range(12):
        await paying.kit.move(timedelta(minutes=30))
        await work_together(paying)
    for provider in operating.configured(paying.kit.system):
        await operating.sync(paying.kit.system, provider)
    await link_unlinked(paying.kit.system)


async def live_through(paying: Any, names: dict[str, Any], choose: random.Random, *, away: float) -> None:
    """All customers' histories side by side; each event delivered late, doubled, in disorder, or never."""
    histories = {name: steps(paying.truth, holder, name, seed) for name, (holder, seed) in names.items()}
    under_way: list[Event] = []
    while histories or under_way:
        if histories:
            name = choose.choice(sorted(histories))
            told = next(histories[name], None)
            if told is None:
                del histories[name]
            else:
                under_way += [one for one in told if choose.random() > 0.2]
        choose.shuffle(under_way)
        arriving = [
            under_way.pop() for _ in range(choose.randrange(len(under_way) + 1) if histories else len(under_way))
        ]
        await paying.deliver(*arriving, *(one for one in arriving if choose.random() < 0.3))
        paying.truth.is_away = choose.random() < away
        if choose.random() < 0.5:
            await work_together(paying)
    paying.truth.is_away = False


async def state_of(paying: Any, names: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    async with paying.kit.system.service(writes=False) as ctx:
        for name, (holder, _seed) in names.items():
            row = await subscriptions.subscription(ctx.db, "fake", f"sub_{name}")
            assert row is not None, name
            paid = [await payments.payment(ctx.db, "fake", f"in_{name}_{number}") for number in (1, 2, 3)]
            held = await owners.held(ctx.db, holder)
            assert held is not None
            found[name] = {
                "subscription": {key: getattr(row, key) for key in THEIRS},
                "holder": row.holder_id == holder,
                "plan": (held[0].plan, held[0].until, held[0].after, held[0].period_end),
                "person": (held[0].person.role, held[0].person.status),
                "buys": row.plan,
                "costs": await cost_of(ctx, name),
                "payments": [one and {key: getattr(one, key) for key in PAID} for one in paid],
                "credits": await credits_of(ctx.db, holder, is_over=row.status in TERMINAL),
            }
    return found


async def credits_of(db: Any, holder: Any, *, is_over: bool) -> Any:
    """What each purchase brought, what is left of it and was asked back; the ledger says the same."""
    grants, entries = await db.rows(_grants, holder=holder), await db.rows(_entries, holder=holder)
    assert sum(amount for amount, _ in entries) == sum(one[2] for one in grants) == entries[-1][1]
    # Whether a period that is over was ever seen depends on what was lost.
    return [one for one in grants if one[0] == "payment" or not is_over]


async def cost_of(ctx: Any, name: str) -> int | None:
    """What the figures take the subscription to cost now."""
    last = await revenue.last_seen(ctx.db, "fake", f"sub_{name}")
    return last.amount_minor if last is not None else None


def expected_of(paying: Any, names: dict[str, Any]) -> dict[str, Any]:
    """What the provider itself would say."""
    found: dict[str, Any] = {}
    for name in names:
        truth = paying.truth.objects
        said = truth["subscription"][f"sub_{name}"]
        paid = [truth["payment"].get(f"in_{name}_{number}") for number in (1, 2, 3)]
        found[name] = {
            "subscription": {key: getattr(said, key) for key in THEIRS},
            "buys": said.price.removeprefix("price_"),
            # Its plan is for sale, so whoever has one, till then, is PREMIUM; all of them go on, end, or have ended.
            "person": (
                "USER" if said.status == "canceled" else "PREMIUM",
                "CANCELED" if said.status == "canceled" or said.cancel_at else "ACTIVE",
            ),
            # Two thirds of the pack are left; of the period everything was paid back.
            "credits": [("payment", 90, 60, 30)] + ([] if said.status in TERMINAL else [("period", 1000, 0, 1000)]),
            # The past may be dated otherwise, for it is dated by when it was learned; what stands is the same.
            "costs": truth["price"][said.price].amount if said.status in PAYING else None,
            "payments": [
                one
                and {
                    "status": one.status,
                    "amount_minor": one.amount,
                    "refunded_minor": one.refunded,
                    "currency": one.currency,
                    "intent": one.intent,
                    "subscription_external_id": one.subscription,
                    "paid_at": one.paid_at,
                }
                for one in paid
            ],
        }
    return found


async def people(paying: Any, seed: int, number: int) -> list[Any]:
    """So many holders, each of a person of their own."""
    found = []
    for index in range(number):
        async with paying.kit.system.service() as ctx:
            user = new_id()
            await paying.add_user(ctx, user, f"shuffled{seed}x{index}@example.test")
            found.append(await open_for_user(ctx, user))
    return found


@pytest.mark.parametrize("seed", range(SHUFFLES // 5))
async def test_every_order_with_repeats_and_losses_ends_in_the_truth(paying, seed):
    """Five customers in each, so 25 histories for each database; in every second the provider is often away."""
    await shuffle(paying, seed, 0.5 * (seed % 2), customers=5)


@pytest.mark.deep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("away", [0.0, 0.5], ids=["asked", "often away"])
async def test_two_hundred_orders_end_in_the_truth(paying, away):
    base = int(os.environ.get("TENANTRY_DEEP_SEED", "1000"))
    for seed in range(base, base + 20):
        await shuffle(paying, seed, away, customers=10)


async def shuffle(paying: Any, seed: int, away: float, *, customers: int) -> None:
    choose = random.Random(seed)
    for plan, tokens in (("pro", 100), ("business", 1000)):
        paying.truth.sell(plan, tokens=tokens)
    paying.truth.sell("pack", tokens=90, once=True)
    holders = await people(paying, seed, customers)
    names = {f"{seed}x{number}": (holder, choose.randrange(2**32)) for number, holder in enumerate(holders)}
    await live_through(paying, names, choose, away=away)
    await settle(paying)
    ended, expected = await state_of(paying, names), expected_of(paying, names)
    for name in names:
        assert ended[name]["holder"], name
        assert {key: ended[name][key] for key in expected[name]} == expected[name], name
    # In order, told once, at the same time: nothing is left to change.
    reports = [await operating.sync(paying.kit.system, one) for one in operating.configured(paying.kit.system)]
    assert [one.drift for one in reports] == [[]]
    assert await state_of(paying, names) == ended
    await facts_are_once(paying, names)


async def facts_are_once(paying: Any, names: dict[str, Any]) -> None:
    """Each payment that was ever paid was announced once, however many events told of it."""
    told = [msgspec.structs.asdict(one) for one in paying.announced]
    paid = [one["payment_id"] for one in told if "payment_id" in one and "refunded_minor" not in one]
    assert len(paid) == len(set(paid))
    async with paying.kit.system.service(writes=False) as ctx:
        for name in names:
            for number in (1, 2, 3):
                row = await payments.payment(ctx.db, "fake", f"in_{name}_{number}")
                if row is not None and row.status in {"paid", "refunded", "partially_refunded"}:
                    assert row.id in paid, row
