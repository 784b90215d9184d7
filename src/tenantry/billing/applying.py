"""Writing what a provider says: rows brought up to date, linked to whose they are, and the holder's plan with them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from tenantry.kernel import Context, new_id

from .events import PaymentPriced
from .facts import announce_payment, announce_subscription
from .holding import billing_of, recompute
from .linking import find_holder
from .membership import warn_of_role
from .merging import Told, merged_payment, merged_subscription, own_slot
from .models import Prices, Products
from .plans import plan_of
from .queries import catalogue, inbox, owners, payments, subscriptions
from .queries.owners import ROLE
from .rows import Payment, Subscription
from .snapshots import (
    CustomerSnapshot,
    ExternalId,
    PaymentSnapshot,
    PriceSnapshot,
    ProductSnapshot,
    ProviderName,
    Snapshot,
    SubscriptionSnapshot,
)
from .terms.keeping import keep_paid, keep_term

ONLY = "only"
"""The slot of the one live subscription of a holder, where the product wants one."""


async def apply(
    ctx: Context,
    provider: ProviderName,
    snapshots: Sequence[Snapshot],
    *,
    read_at: datetime | None,
    occurred_at: datetime | None = None,
) -> bool:
    """Write snapshots, in their order, in the open unit on the service login.

    `read_at`: when the reading of them began, by the database's time; None for what an event's payload says, which
    happened `occurred_at`. Answers False when a payload does not decide something: then the object must be read.
    """
    now = await inbox.database_now(ctx.db)
    told = Told(provider, read_at, now)
    is_sure = True
    for one in snapshots:
        match one:
            case ProductSnapshot():
                is_sure = await _product(ctx, told, one, read_at or occurred_at or now) and is_sure
            case PriceSnapshot():
                is_sure = await _price(ctx, told, one, read_at or occurred_at or now) and is_sure
            case CustomerSnapshot():
                if one.is_deleted:
                    await owners.forget_customer(ctx.db, provider, one.external_id)
                else:
                    await find_holder(ctx, provider, customer=one.external_id, named=one.holder_id, email=one.email)
            case SubscriptionSnapshot():
                is_sure = await _subscription(ctx, told, one) and is_sure
            case PaymentSnapshot():
                is_sure = await _payment(ctx, told, one) and is_sure
    return is_sure


async def link(ctx: Context, row: Subscription, holder: UUID) -> None:
    """Give a purchase that was nobody's to a holder who is locked in this unit, with what was paid for it."""
    linked = await _in_slot(ctx, msgspec.structs.replace(row, holder_id=holder))
    await subscriptions.put_subscription(ctx.db, linked)
    await _settle(ctx, linked, holder, await inbox.database_now(ctx.db))


async def _subscription(ctx: Context, told: Told, snapshot: SubscriptionSnapshot) -> bool:
    seen = await subscriptions.subscription(ctx.db, told.provider, snapshot.external_id)
    if seen is not None and seen.holder_id is not None:
        holder = await owners.lock_by_id(ctx.db, seen.holder_id)
    else:
        holder = await find_holder(
            ctx, told.provider, customer=snapshot.customer, named=snapshot.holder_id, email=snapshot.email
        )
        if holder is None and snapshot.holder_id is not None:
            # Made for somebody who is gone: nobody comes by it through the address, later either.
            snapshot = msgspec.structs.replace(snapshot, email=None)
    # Again, now that nobody else changes what is the holder's.
    old = await subscriptions.subscription(ctx.db, told.provider, snapshot.external_id, lock=True)
    if old is not None and old.holder_id not in {None, holder}:
        # Given to somebody meanwhile: that stands, whoever was found.
        return await _subscription(ctx, told, snapshot)
    merged = merged_subscription(old, snapshot, told, billing=billing_of(ctx))
    if merged is None:
        return False
    row, is_priced = await _priced(ctx, merged, snapshot.price)
    row = await _in_slot(ctx, msgspec.structs.replace(row, holder_id=holder))
    if old is None and not await subscriptions.add_subscription(ctx.db, row):
        # Somebody wrote it first, perhaps from a later reading.
        return await _subscription(ctx, told, snapshot)
    if old not in {None, row}:
        await subscriptions.put_subscription(ctx.db, row)
    await keep_term(ctx, old, row, told)
    if holder is not None:
        await _settle(ctx, row, holder, told.now)
    return is_priced


async def _settle(ctx: Context, row: Subscription, holder: UUID, now: datetime) -> None:
    paid = await payments.link_payments(
        ctx.db, holder, provider=row.provider, subscription=row.external_id, customer=row.customer
    )
    await recompute(ctx, holder)
    await announce_subscription(ctx, holder, row, billing_of(ctx), now)
    for one in paid:
        await announce_payment(ctx, holder, one)


async def _priced(ctx: Context, row: Subscription, price: ExternalId | None) -> tuple[Subscription, bool]:
    """The row with the price it says and the plan that this buys; False: the price is not known here yet."""
    if price is None:
        return row, True
    stored = await catalogue.price(ctx.db, row.provider, price)
    if stored is None:
        return row, False
    plan = _plan(ctx, stored)
    return msgspec.structs.replace(row, price_id=stored.id, plan=plan), True


async def _in_slot(ctx: Context, row: Subscription) -> Subscription:
    """The row in the slot that it may have: what exceeds one live subscription stands beside it."""
    if row.holder_id is None or billing_of(ctx).several:
        return msgspec.structs.replace(row, slot=own_slot(row.id))
    holds = await subscriptions.in_slot(ctx.db, row.holder_id, ONLY)
    return msgspec.structs.replace(row, slot=ONLY if holds in {None, row.external_id} else own_slot(row.id))


async def _payment(ctx: Context, told: Told, snapshot: PaymentSnapshot) -> bool:
    holder = await _payer(ctx, told, snapshot)
    old = await _known_payment(ctx, told.provider, snapshot)
    row = merged_payment(old, snapshot, told)
    if row is None:
        return False
    holder = holder or row.holder_id
    price = None if snapshot.price is None else await catalogue.price(ctx.db, told.provider, snapshot.price)
    row = msgspec.structs.replace(row, holder_id=holder, price_id=price.id if price else row.price_id)
    if old is None and not await payments.add_payment(ctx.db, row):
        return await _payment(ctx, told, snapshot)
    if old not in {None, row}:
        await payments.put_payment(ctx.db, row)
    if old != row:
        await keep_paid(ctx, row)
    if holder is not None:
        await announce_payment(ctx, holder, row)
        if old is not None and old.price_id is None and row.price_id is not None:
            await ctx.emit(PaymentPriced(holder, row.id))
    return True


async def _known_payment(ctx: Context, provider: ProviderName, snapshot: PaymentSnapshot) -> Payment | None:
    """The row of a payment, by whichever of its names it was told first: one payment is one row.

    An intent may be told before the invoice that it pays is there; then its row becomes the invoice's. Where the
    invoice was there and did not say who pays it, it takes the intent's row in.
    """
    known, intent = snapshot.external_id, snapshot.intent
    if intent is not None:
        await payments.hold_intent(ctx.db, provider, intent)
    if known is None:
        return None if intent is None else await payments.lock_payment_by_intent(ctx.db, provider, intent)
    found = await payments.lock_payment(ctx.db, provider, known)
    if found is None and intent is not None and intent != known:
        found = await payments.rename_payment(ctx.db, provider, intent, known)
    elif found is not None and intent not in {None, known, found.intent}:
        await payments.absorb_payment(ctx.db, provider, str(intent), known)
    return found or await payments.lock_payment_by_intent(ctx.db, provider, known)


async def _payer(ctx: Context, told: Told, snapshot: PaymentSnapshot) -> UUID | None:
    if snapshot.subscription is not None:
        of = await subscriptions.subscription(ctx.db, told.provider, snapshot.subscription)
        if of is not None and of.holder_id is not None:
            return await owners.lock_by_id(ctx.db, of.holder_id)
    for known in (snapshot.external_id, snapshot.intent):
        seen = None if known is None else await payments.payment(ctx.db, told.provider, known)
        if seen is not None and seen.holder_id is not None:
            # Given to somebody: that stands, whoever has the address, or owns an organization, by now.
            return await owners.lock_by_id(ctx.db, seen.holder_id)
    return await find_holder(
        ctx, told.provider, customer=snapshot.customer, named=snapshot.holder_id, email=snapshot.email
    )


async def _product(ctx: Context, told: Told, one: ProductSnapshot, as_of: datetime) -> bool:
    known = {"provider": told.provider, "external_id": one.external_id}
    given: dict[str, Any] = {
        "name": one.name,
        "description": one.description,
        "is_active": one.is_active,
        "details": one.details,
        "fetched_at": as_of,
    }
    is_read = told.read_at is not None
    stood = await catalogue.details_of(ctx.db, Products, **known)
    if await catalogue.put_product(ctx.db, new_id(), is_read=is_read, **known, **given):
        prices = await catalogue.prices_of_product(ctx.db, told.provider, one.external_id)
        await _replan(ctx, prices, other_role=_other_role(told, one, stood))
        return True
    return is_read or await catalogue.agrees_product(ctx.db, **known, **given)


async def _price(ctx: Context, told: Told, one: PriceSnapshot, as_of: datetime) -> bool:
    await catalogue.know_product(ctx.db, new_id(), provider=told.provider, external_id=one.product)
    known = {"provider": told.provider, "external_id": one.external_id}
    given: dict[str, Any] = {
        "product": one.product,
        "lookup": one.lookup,
        "amount_minor": one.amount,
        "currency": one.currency,
        "interval": one.interval,
        "interval_count": one.interval_count,
        "is_active": one.is_active,
        "details": one.details,
        "fetched_at": as_of,
    }
    is_read = told.read_at is not None
    stood = await catalogue.details_of(ctx.db, Prices, **known)
    if await catalogue.put_price(ctx.db, new_id(), is_read=is_read, **known, **given):
        stored = await catalogue.price(ctx.db, told.provider, one.external_id)
        await _replan(ctx, [stored] if stored is not None else [], other_role=_other_role(told, one, stood))
        return True
    return is_read or await catalogue.agrees_price(ctx.db, **known, **given)


def _other_role(told: Told, one: ProductSnapshot | PriceSnapshot, stood: Mapping[str, str]) -> bool:
    """Whether the metadata names another role than before."""
    is_other = stood.get(ROLE) != one.details.get(ROLE)
    if is_other:
        warn_of_role(one.details, provider=told.provider, external_id=one.external_id)
    return is_other


async def _replan(ctx: Context, prices: Sequence[catalogue.StoredPrice], *, other_role: bool) -> None:
    """Let subscriptions buy what their price buys now, where the declaration or the metadata have changed."""
    for one in prices:
        plan = _plan(ctx, one)
        # Holders before subscriptions, as everybody locks them.
        buyers = await (catalogue.buyers(ctx.db, one.id) if other_role else catalogue.to_replan(ctx.db, one.id, plan))
        for whose in buyers:
            await owners.lock_by_id(ctx.db, whose)
        holders = {*await catalogue.replan(ctx.db, one.id, plan), *(buyers if other_role else ())}
        for holder in sorted(holders - {None}, key=str):
            if holder is not None and await owners.lock_by_id(ctx.db, holder) is not None:
                await recompute(ctx, holder)


def _plan(ctx: Context, price: catalogue.StoredPrice) -> str | None:
    return plan_of(
        ctx.product,
        external_id=price.external_id,
        lookup=price.lookup,
        details=price.details,
        of_product=price.product_details,
    )
