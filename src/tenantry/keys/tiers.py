"""The plan that bounds a key."""

from tenantry.product import Product


def effective_tier(product: Product, tier: str | None, plan: str) -> str:
    """The plan that bounds a key: its tier, and never more than the plan its holder is on."""
    held = product.plan(plan).name
    if tier is None or tier not in product.order:
        return held
    return min(tier, held, key=product.order.__getitem__)
