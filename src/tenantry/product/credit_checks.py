"""The checks of what a product says about credits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from .findings import Finding, error
from .words import is_count

if TYPE_CHECKING:
    from .credits import Credits
    from .declaration import Product

AMOUNT_MAX = 10**12
EXPIRES_MIN, EXPIRES_MAX = timedelta(hours=1), timedelta(days=3650)
NAME_CHARACTERS_MAX = 30


def check_credits(product: Product) -> Iterator[Finding]:
    """The findings about credits and what plans give of them."""
    if product.credits is not None:
        yield from _check_rules(product.credits)
    for index, plan in enumerate(product.plans):
        where = f"plans[{index}].credits"
        if not is_count(plan.credits) or not 0 <= plan.credits <= AMOUNT_MAX:
            yield error(where, f"{plan.credits!r} is no number of credits.", "Write a whole number, 0 for none.")
        elif plan.credits and product.credits is None:
            yield error(where, "The product has no credits.", "Add credits=Credits() to the product, or leave it out.")
        elif plan.credits and (plan.is_free or product.billing is None):
            yield error(
                where,
                f'They come with every period that is paid for, and "{plan.name}" has none.',
                "Leave it out; Credits(on_sign_up=...) is for everybody.",
            )


def _check_rules(credits_: Credits) -> Iterator[Finding]:
    if not 1 <= len(credits_.name.strip()) <= NAME_CHARACTERS_MAX:
        yield error("credits.name", f'"{credits_.name}" is no name.', f"Use 1 to {NAME_CHARACTERS_MAX} characters.")
    if credits_.expires is not None and not EXPIRES_MIN <= credits_.expires <= EXPIRES_MAX:
        yield error("credits.expires", f"It is {credits_.expires}.", "Make it an hour to ten years, or None for never.")
    if not is_count(credits_.on_sign_up) or not 0 <= credits_.on_sign_up <= AMOUNT_MAX:
        yield error(
            "credits.on_sign_up",
            f"{credits_.on_sign_up!r} is no number of credits.",
            "Write a whole number, 0 for none.",
        )
