"""The plans as pages offer them: which are on offer, what each allows, which one is the reader's."""

from dataclasses import dataclass
from typing import Literal

from tenantry.billing import Pricing, Way, pricing_of
from tenantry.kernel import Context
from tenantry.product import Gauge, Meter, Plan, Product


@dataclass(frozen=True, slots=True)
class Allowance:
    """One limit of a plan. `kind` says how it reads: a flow by its window, a stock by its unit, or a number of rows."""

    name: str
    kind: Literal["day", "month", "bytes", "units", "rows"]
    amount: int | None


@dataclass(frozen=True, slots=True)
class Choice:
    """One price at which a plan can be bought, and what the form says for it. `amount` None: to be named by use.

    `credits`: how many it brings, once or with every period.
    """

    wish: str
    amount: int | None
    currency: str
    interval: str | None
    interval_count: int = 1
    is_open: bool = True
    credits: int = 0


@dataclass(frozen=True, slots=True)
class Good:
    """Something that is sold beside the plans. A choice's `wish` is a price's id; `is_open`: it can be had."""

    name: str
    description: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """A plan for the pricing page. `href` is where its button leads, "" = it has none.

    `way`: how the reader comes to the plan. With "choose" and "trial" it is bought at one of `choices`; with "change"
    the button leads to where a subscription is changed. `price` is the first of them, or what the declaration says.
    `may_buy`: False for a member, whose organization's owner and admins choose.
    """

    plan: Plan
    allowances: tuple[Allowance, ...]
    is_current: bool
    is_featured: bool
    href: str
    way: Way = "none"
    price: Choice | None = None
    choices: tuple[Choice, ...] = ()
    trial_days: int = 0
    may_buy: bool = True


async def offers_of(ctx: Context) -> list[Offer]:
    """The plans on offer in declared order, and the reader's own plan even when it is offered no more.

    `ctx` has no open unit.
    """
    return (await all_of(ctx))[0]


async def all_of(ctx: Context) -> tuple[list[Offer], list[Good]]:
    """The same, and what is sold beside plans."""
    pricing = await pricing_of(ctx)
    return _offers(ctx, pricing), _goods(pricing)


def _offers(ctx: Context, pricing: Pricing | None) -> list[Offer]:
    product = ctx.product
    current = _current(ctx, pricing)
    return [_offer(product, plan, current, pricing) for plan in product.plans if plan.is_active or plan == current]


def _current(ctx: Context, pricing: Pricing | None) -> Plan | None:
    if ctx.current_holder is None:
        return None
    return ctx.product.plan(ctx.holder.plan) if pricing is None or pricing.seen is None else pricing.seen.plan


def _offer(product: Product, plan: Plan, current: Plan | None, pricing: Pricing | None) -> Offer:
    way: Way = "none" if pricing is None or plan == current else pricing.way(plan)
    choices = _choices(plan, pricing)
    return Offer(
        plan,
        tuple(_allowances(product, plan)),
        is_current=plan == current,
        is_featured=plan == (current or product.default),
        href=_href(plan, product, current, way),
        way=way,
        price=_first(plan, choices),
        choices=choices if way in {"choose", "trial"} else (),
        trial_days=pricing.trial_days(plan) if pricing is not None and way == "trial" else 0,
        may_buy=pricing is None or pricing.may_buy,
    )


def _goods(pricing: Pricing | None) -> list[Good]:
    return [
        Good(
            one.name,
            one.description or "",
            tuple(
                Choice(
                    str(price.id),
                    price.amount_minor,
                    price.currency,
                    price.interval,
                    price.interval_count,
                    is_open=pricing.can_buy(price),
                    credits=pricing.credits_of(price),
                )
                for price in one.prices
            ),
        )
        for one in (pricing.goods if pricing is not None else ())
        if pricing is not None
    ]


def _choices(plan: Plan, pricing: Pricing | None) -> tuple[Choice, ...]:
    """What is for sale; while only the declaration is known, what that says."""
    if pricing is None or plan.name not in pricing.for_sale:
        return ()
    known = tuple(
        Choice(
            f"{plan.name}:{one.lookup or one.external_id}",
            one.amount_minor,
            one.currency,
            one.interval or "month",
            one.interval_count,
            credits=pricing.credits_of(one, plan),
        )
        for one in pricing.for_sale[plan.name]
    )
    return known or tuple(
        Choice(f"{plan.name}:{plan.lookup_of(one)}", one.amount, one.currency, one.interval, credits=plan.credits)
        for one in plan.prices
    )


def _first(plan: Plan, choices: tuple[Choice, ...]) -> Choice | None:
    """What the card says: the declared price goes before the provider's, which may be one of many currencies."""
    if plan.priced is not None:
        brings = choices[0].credits if choices else plan.credits
        return Choice(plan.name, plan.priced.amount, plan.priced.currency, plan.priced.interval, credits=brings)
    return choices[0] if choices else None


def _allowances(product: Product, plan: Plan) -> list[Allowance]:
    found = []
    for limited in product.limited:
        amount = product.limit(plan.name, limited)
        if isinstance(limited, Meter):
            found.append(Allowance(limited.name, limited.per, amount))
        elif isinstance(limited, Gauge):
            found.append(Allowance(limited.name, "bytes" if limited.unit == "bytes" else "units", amount))
        else:
            found.append(Allowance(limited.name, "rows", amount))
    return found


def _href(plan: Plan, product: Product, current: Plan | None, way: Way) -> str:
    """A stranger signs in first, and comes back to buy; who has a plan goes back to work, or to change it."""
    if current is not None:
        if plan == current:
            return "/dashboard"
        return f"/billing?plan={plan.name}#change" if way == "change" else ""
    if way in {"choose", "trial"}:
        return "/signin?return_to=/pricing"
    return "/signin?return_to=/dashboard" if plan == product.default else ""
