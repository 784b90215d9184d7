"""Which declared plan a provider's price buys: a pure function."""

from collections.abc import Mapping

from tenantry.product import Product

PLAN = "plan"
"""The key of a price's or product's metadata that names the plan."""


def plan_of(
    product: Product, *, external_id: str, lookup: str | None, details: Mapping[str, str], of_product: Mapping[str, str]
) -> str | None:
    """The name of the plan; None when the price buys none that is declared.

    What the declaration says goes first: the lookup key, or the provider's own id in its place. Then the metadata of
    the price, then that of its product, so that a price made at the provider needs no new declaration.
    """
    for plan in product.plans:
        keys = {plan.lookup_of(price) for price in plan.prices}
        if keys & {lookup, external_id}:
            return plan.name
    for said in (details.get(PLAN), of_product.get(PLAN)):
        if said is not None and said in product.order:
            return said
    return None
