"""What buyers are told by mail: a payment failed, a trial ends, a subscription will end or has ended.

Receipts are the provider's matter.
"""

from datetime import datetime

from tenantry.kernel import Context
from tenantry.web import Formats, Letter, Translator

from .queries.telling import Told


def past_due_letter(ctx: Context, words: Translator, told: Told, until: datetime | None) -> Letter:
    """A payment failed: how long the plan stays, and what to do."""
    values = _values(ctx, words, told, until)
    stays = (
        words("You keep %(plan)s until %(time)s, while the payment is tried again.", **values)
        if until is not None
        else words("You keep %(plan)s while the payment is tried again.", **values)
    )
    return Letter(
        words("Your payment for %(plan)s failed", **values),
        [
            *_about(words, told),
            words("The last payment for %(plan)s on %(product)s did not go through.", **values),
            stays,
        ],
        action=(words("See to your payment"), values["address"]),
        closing=[words("Most often the card has expired. You get this mail once for each payment that fails.")],
    )


def trial_letter(ctx: Context, words: Translator, told: Told, ends_at: datetime) -> Letter:
    """A trial ends soon: what happens then, and how to stop it."""
    values = _values(ctx, words, told, ends_at)
    price = _price(words, told)
    then = (
        words("Then %(plan)s costs %(price)s, and the first payment is due.", price=price, **values)
        if price
        else words("Then the first payment for %(plan)s is due.", **values)
    )
    return Letter(
        words("Your trial of %(plan)s ends on %(time)s", **values),
        [*_about(words, told), words("Your trial of %(plan)s on %(product)s ends on %(time)s.", **values), then],
        action=(words("Look at your subscription"), values["address"]),
        closing=[words("If you do not want to go on, cancel before that time and nothing is paid.")],
    )


def cancelled_letter(ctx: Context, words: Translator, told: Told, ends_at: datetime) -> Letter:
    """A subscription will not be renewed: until when it goes on, and how to take that back."""
    values = _values(ctx, words, told, ends_at)
    return Letter(
        words("Your subscription to %(plan)s ends on %(time)s", **values),
        [
            *_about(words, told),
            words("Your subscription to %(plan)s on %(product)s was cancelled.", **values),
            words("Nothing changes until %(time)s, and nothing more is paid.", **values),
        ],
        action=(words("Look at your subscription"), values["address"]),
        closing=[words("You can take the cancellation back until then.")],
    )


def ended_letter(ctx: Context, words: Translator, told: Told) -> Letter:
    """A subscription is over: which plan is in force now."""
    values = _values(ctx, words, told, None)
    return Letter(
        words("Your subscription to %(plan)s has ended", **values),
        [
            *_about(words, told),
            words("Your subscription to %(plan)s on %(product)s has ended.", **values),
            words("You are on the plan %(current)s now. What you made stays, within its limits.", **values),
        ],
        action=(words("See the plans"), f"{ctx.settings.public_url}/pricing"),
        closing=[words("Your receipts stay at %(address)s", **values)],
    )


def _about(words: Translator, told: Told) -> list[str]:
    """Whose it is: the reader may look after several organizations."""
    return [words("This is about the organization %(name)s.", name=told.organization)] if told.organization else []


def _price(words: Translator, told: Told) -> str:
    if told.amount_minor is None or told.currency is None:
        return ""
    amount = Formats(words).money(told.amount_minor * told.quantity, told.currency)
    if (told.interval_count or 1) != 1:
        return amount
    match told.interval:
        case "month":
            return words("%(amount)s a month", amount=amount)
        case "year":
            return words("%(amount)s a year", amount=amount)
        case _:
            return amount


def _values(ctx: Context, words: Translator, told: Told, time: datetime | None) -> dict[str, str]:
    current = ctx.product.plan(told.current)
    plans = {plan.name: plan.display_name for plan in ctx.product.plans}
    return {
        "plan": plans.get(told.plan or "") or told.product or ctx.product.name,
        "product": ctx.product.name,
        "current": current.display_name,
        "time": Formats(words).utc(time) if time is not None else "",
        "address": f"{ctx.settings.public_url}/billing",
    }
