"""What can be bought: the provider's prices, and the declared plans they buy."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import msgspec

from tenantry.kernel import Context
from tenantry.product import Plan, Product

from .errors import PlanNotForSale, PriceNotForSale
from .plans import plan_of
from .providers import BillingProvider, BillingProviders
from .queries import reading
from .queries.reading import SoldPrice


class Good(msgspec.Struct, frozen=True):
    """A product of the provider's that is sold beside the declared plans, with its prices."""

    id: UUID
    name: str
    description: str | None
    details: Mapping[str, str]
    prices: list[SoldPrice]


def prices_by_plan(product: Product, prices: Iterable[SoldPrice]) -> Mapping[str, list[SoldPrice]]:
    """What buys each plan for good, in the order in which the plan declares its prices; further ones after them.

    A plan that is not offered any more, or that is free, is not bought.
    """
    found: dict[str, list[SoldPrice]] = {}
    for price in prices:
        name = plan_by(product, price)
        # One that is paid once buys no subscription.
        if name is not None and price.interval is not None and is_sold(product.plan(name)):
            found.setdefault(name, []).append(price)
    return {name: sorted(those, key=lambda one: _rank(product.plan(name), one)) for name, those in found.items()}


def goods_of(product: Product, prices: Iterable[SoldPrice]) -> list[Good]:
    """What else is sold, by the period before what is paid once, the cheapest first; nothing where only plans are.

    A price of a plan that is not for sale is not either, unless it is paid once: that buys no plan.
    """
    if product.billing is None or product.billing.offers != "products":
        return []
    others = (one for one in prices if one.interval is None or plan_by(product, one) is None)
    return sorted(by_product(others), key=_place)


def _place(good: Good) -> tuple[bool, int, str]:
    first = good.prices[0]
    return first.interval is None, first.amount_minor or 0, good.name


def by_product(prices: Iterable[SoldPrice]) -> list[Good]:
    """Prices under what they are prices of, in their order."""
    found: dict[UUID, Good] = {}
    for one in prices:
        empty = Good(one.product_id, one.product_name, one.product_description, one.product_details, [])
        found.setdefault(one.product_id, empty).prices.append(one)
    return list(found.values())


def plan_by(product: Product, price: SoldPrice) -> str | None:
    """The declared plan that a price names."""
    return plan_of(
        product,
        external_id=price.external_id,
        lookup=price.lookup,
        details=price.details,
        of_product=price.product_details,
    )


def chosen_price(product: Product, prices: Sequence[SoldPrice], wanted: str) -> SoldPrice:
    """The price of that id, ours or the provider's, among all that are for sale. Raises `PriceNotForSale`."""
    for_sale = [one for those in prices_by_plan(product, prices).values() for one in those]
    for_sale += [one for good in goods_of(product, prices) for one in good.prices]
    for one in for_sale:
        if wanted in {str(one.id), one.external_id}:
            return one
    raise PriceNotForSale(price=wanted)


def is_sold(plan: Plan) -> bool:
    """Whether a plan may be bought, where somebody sells it."""
    return plan.is_active and not plan.is_free


def chosen(
    product: Product, prices: Iterable[SoldPrice], plan: str, *, interval: str | None, lookup: str | None
) -> SoldPrice:
    """The price of a plan that was asked for; the plan's first one where nothing more was said.

    Raises `PlanNotForSale`.
    """
    for one in prices_by_plan(product, prices).get(plan, ()):
        if lookup not in {None, one.lookup, one.external_id} or interval not in {None, one.interval}:
            continue
        return one
    raise PlanNotForSale(plan=plan)


async def refuse_unsold(ctx: Context, provider: BillingProvider, plan: str) -> None:
    """Raise `PlanNotForSale` for what is sure not to be sold, before anybody is asked about it."""
    declared = {one.name: one for one in ctx.product.plans}.get(plan)
    if declared is None or not is_sold(declared):
        raise PlanNotForSale(plan=plan, provider=provider.name)


async def sold(ctx: Context, provider_name: str | None = None) -> Mapping[str, list[SoldPrice]]:
    """What can be bought now, at who takes new subscriptions or at that provider; for pages, which ask nobody.

    Nothing while no provider is configured. While a provider's prices are not known here yet, a plan with a declared
    price has an empty list: it is for sale, and who chooses it has them fetched. `ctx` has an open unit.
    """
    return (await offered(ctx, provider_name))[0]


async def offered(
    ctx: Context, provider_name: str | None = None
) -> tuple[Mapping[str, list[SoldPrice]], Sequence[Good]]:
    """The same, and what is sold beside plans."""
    providers = ctx.port(BillingProviders)
    provider = providers.get(provider_name) if provider_name else next(iter(providers), None)
    if provider is None:
        return {}, []
    prices = await reading.on_sale(ctx.db, provider.name)
    if prices or await reading.knows_products(ctx.db, provider.name):
        return prices_by_plan(ctx.product, prices), goods_of(ctx.product, prices)
    return {plan.name: [] for plan in ctx.product.plans if is_sold(plan) and plan.prices}, []


def _rank(plan: Plan, price: SoldPrice) -> int:
    for position, declared in enumerate(plan.prices):
        if plan.lookup_of(declared) in {price.lookup, price.external_id}:
            return position
    return len(plan.prices)
