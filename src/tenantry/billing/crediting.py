"""The credits that purchases bring: read off how things stand, so it does not matter who told of it, when, how often.

A price that is paid once brings its `tokens` for the payment. A subscription brings those of its price for each period
that it has access in: a larger price in mid-period the difference, a new period its own, and what is left of the old
one ends. What is given back takes its share of what is left.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from fractions import Fraction

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.context import Handler
from tenantry.kernel.logs import logger_of
from tenantry.usage.credits import grant, revoke
from tenantry.usage.credits.granting import AMOUNT_MAX, Kept, keep, newest_of_series

from .access import access
from .events import HolderBilled, PaymentPriced, PaymentRefunded, PaymentSucceeded
from .holding import billing_of
from .queries import crediting as queries
from .queries.crediting import Bought, Pack
from .rows import Subscription
from .snapshots import TERMINAL

TOKENS, DAYS = "tokens", "tokens_days"
"""Keys of a price's metadata, or its product's."""
DAYS_MAX = 36_500
_NONE = Fraction(0)

log = logger_of("tenantry.billing")


async def credit_periods(ctx: Context, event: HolderBilled) -> None:
    """Bring what a holder's subscriptions gave to what they should have given by now."""
    if ctx.product.credits is None:
        return
    wanted: list[Kept] = []
    ended: dict[str, datetime] = {}
    for one in await queries.bought(ctx.db, event.holder_id):
        row = one.subscription
        if row.status in TERMINAL:
            ended[_series(row)] = min(row.ended_at or row.version or one.at, one.at)
        else:
            wanted.append(await _period(ctx, event, one))
    if wanted or ended:
        await keep(ctx, event.holder_id, wanted, ended=ended)


async def credit_payment(ctx: Context, event: PaymentSucceeded | PaymentPriced | PaymentRefunded) -> None:
    """Grant what was paid once, and take back what was given back of it; else see to the period that was paid."""
    if ctx.product.credits is None:
        return
    found = await queries.pack(ctx.db, event.payment_id)
    if found is not None:
        await _credit_pack(ctx, event, found)
    elif isinstance(event, PaymentRefunded):
        await credit_periods(ctx, HolderBilled(event.holder_id, ""))


def tokens_of(details: Mapping[str, str], of_product: Mapping[str, str]) -> int | None:
    """How many a price's metadata says, or its product's; None where neither says a whole number above 0."""
    return _whole(TOKENS, AMOUNT_MAX, details, of_product)


async def _credit_pack(ctx: Context, event: PaymentSucceeded | PaymentPriced | PaymentRefunded, pack: Pack) -> None:
    _note_unreadable(pack.details, pack.of_product)
    paid, tokens = pack.payment, tokens_of(pack.details, pack.of_product)
    # A payment may have been known by its intent before its invoice was.
    facts = [f"payment:{paid.provider}:{one}" for one in (paid.external_id, paid.intent) if one]
    share = Fraction(paid.refunded_minor, paid.amount_minor) if paid.amount_minor else _NONE
    for fact in facts[1:]:
        if await revoke(ctx, event.holder_id, fact, share) is not None:
            return
    # A refund grants nothing: what was paid did, or the price when it became known.
    if tokens is not None and not isinstance(event, PaymentRefunded):
        declared = ctx.product.credits.expires if ctx.product.credits else None
        days = _whole(DAYS, DAYS_MAX, pack.details, pack.of_product)
        lasts = timedelta(days=days) if days else declared
        ends_at = (paid.paid_at or paid.created_at) + lasts if lasts else None
        await grant(ctx, event.holder_id, tokens, fact=facts[0], expires_at=ends_at, reason="payment")
    if share:
        await revoke(ctx, event.holder_id, facts[0], share)


async def _period(ctx: Context, event: HolderBilled, one: Bought) -> Kept:
    """What the current period of a subscription that goes on should have brought."""
    row, series = one.subscription, _series(one.subscription)
    key, begins_at = row.period_start and row.period_start.isoformat(), row.period_start
    fact = f"{series}:{key}"
    if key is None:
        # Lemon Squeezy tells only when a period ends: one is the next when the one before it is over.
        newest = await newest_of_series(ctx, event.holder_id, series)
        ends = newest.detail.get("period_end") if newest else None
        if newest is not None and (ends is None or datetime.fromisoformat(ends) > one.at):
            fact = newest.fact
        else:
            fact, begins_at = f"{series}:until:{row.period_end and row.period_end.isoformat()}", one.at
    _note_unreadable(one.details, one.of_product)
    has = access(row, one.at, billing_of(ctx).grace)
    # What is not paid for yet brings nothing new; what it brought before lasts as long as the plan.
    tokens = tokens_of(one.details, one.of_product) or _declared(ctx, row) if has.level == "full" else 0
    return Kept(
        fact,
        tokens,
        "period",
        has.until if has else msgspec.UNSET,
        Fraction(one.refunded_minor, one.paid_minor) if one.paid_minor else _NONE,
        series,
        begins_at if tokens else None,
        {"period_end": row.period_end.isoformat() if row.period_end else None, "plan": row.plan},
    )


def _declared(ctx: Context, row: Subscription) -> int:
    return ctx.product.plan(row.plan).credits if row.plan in ctx.product.order and row.plan else 0


def _series(row: Subscription) -> str:
    return f"period:{row.provider}:{row.external_id}"


def _whole(key: str, most: int, *told: Mapping[str, str]) -> int | None:
    return next((int(one[key]) for one in told if key in one and _is_whole(one[key], most)), None)


def _is_whole(text: str, most: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 15 and 1 <= int(text) <= most


def _note_unreadable(*told: Mapping[str, str]) -> None:
    """Say in the log what counts for nothing. Where something is credited, and not wherever a price is shown."""
    for key, most in ((TOKENS, AMOUNT_MAX), (DAYS, DAYS_MAX)):
        for one in told:
            if key in one and not _is_whole(one[key], most):
                log.warning("billing.metadata_unreadable", key=key, value=one[key][:50])


CREDITING: Mapping[type, Handler] = {
    HolderBilled: credit_periods,
    PaymentSucceeded: credit_payment,
    PaymentPriced: credit_payment,
    PaymentRefunded: credit_payment,
}
