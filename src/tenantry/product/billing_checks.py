"""The checks of what a product says about billing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from typing import TYPE_CHECKING

from .findings import Finding, choose, error
from .words import is_switch, repeated

if TYPE_CHECKING:
    from .billing import Billing
    from .declaration import Product

GRACE_MAX = timedelta(days=60)
TRIAL_MAX = timedelta(days=730)
"""Stripe's own bound."""
OFFERS = ("plans", "products")
PRORATIONS = ("prorate", "invoice", "none")


def check_billing(product: Product) -> Iterator[Finding]:
    """The findings about billing; none where the product has none."""
    if product.billing is None:
        return
    yield from _check_providers(product.billing)
    yield from _check_rules(product.billing)
    yield from _check_trials(product)


def _check_providers(billing: Billing) -> Iterator[Finding]:
    if not billing.providers:
        yield error("billing.providers", "There is nobody to pay through.", "Name one, such as Stripe().")
    for index in repeated(one.name for one in billing.providers):
        yield error(
            f"billing.providers[{index}]",
            f'"{billing.providers[index].name}" is there twice.',
            "Name each provider once.",
        )


def _check_rules(billing: Billing) -> Iterator[Finding]:
    if not is_switch(billing.several):
        yield error("billing.several", f"{billing.several!r} is neither True nor False.", "Write True or False.")
    if not timedelta(0) <= billing.grace <= GRACE_MAX:
        yield error("billing.grace", f"It is {billing.grace}.", f"Make it {GRACE_MAX} or shorter, 0 for none.")
    if billing.proration not in PRORATIONS:
        yield error(
            "billing.proration", f'"{billing.proration}" is not known.', choose(str(billing.proration), PRORATIONS)
        )
    if billing.offers not in OFFERS:
        yield error("billing.offers", f'"{billing.offers}" is not known.', choose(str(billing.offers), OFFERS))
    for one in fields(billing.words):
        word = getattr(billing.words, one.name)
        if not isinstance(word, str) or not word.strip():
            yield error(f"billing.words.{one.name}", f"{word!r} is not a word.", "Write the word that is shown.")


def _check_trials(product: Product) -> Iterator[Finding]:
    for index, plan in enumerate(product.plans):
        where = f"plans[{index}].trial"
        if not timedelta(0) <= plan.trial <= TRIAL_MAX or plan.trial % timedelta(days=1):
            yield error(where, f"It is {plan.trial}.", f"Make it whole days, {TRIAL_MAX.days} at most, 0 for none.")
        elif plan.trial and plan.is_free:
            yield error(where, f'"{plan.name}" is free for ever.', "Leave the trial out, or give the plan a price.")
