"""What the stand-in payment provider sells beside the declared plans, where a product takes what it finds there."""

from collections.abc import Iterator

import msgspec

from tenantry.product import Product

from .billing_state import Interval

PACKS = ((100, 500, None), (1000, 3900, 365))
"""Tokens that are paid once: how many, for how much, and for how many days."""


class Good(msgspec.Struct, frozen=True):
    """A product with one price, and what its metadata says."""

    name: str
    amount: int
    interval: Interval | None
    details: dict[str, str]


def goods_of(product: Product) -> Iterator[Good]:
    """Each plan that names no price of its own, by the month and the year; and tokens, where the product has them."""
    tokens = product.credits.name if product.credits else ""
    for plan in product.plans:
        if plan.prices or not plan.is_active:
            continue
        said = {"plan": plan.name, "role": "PREMIUM"}
        yield Good(plan.display_name, 1200, "month", said | ({"tokens": "500"} if tokens else {}))
        yield Good(f"{plan.display_name}, a year", 12000, "year", said | ({"tokens": "6000"} if tokens else {}))
    for number, amount, days in PACKS if tokens else ():
        lasting = {"tokens_days": str(days)} if days else {}
        yield Good(f"{number:,} {tokens}", amount, None, {"tokens": str(number)} | lasting)
