"""The plans as pages offer them: which are on offer, what each allows, which one is the reader's."""

from dataclasses import dataclass
from typing import Literal

from tenantry.kernel import Context
from tenantry.product import Gauge, Meter, Plan, Product


@dataclass(frozen=True, slots=True)
class Allowance:
    """One limit of a plan. `kind` says how it reads: a flow by its window, a stock by its unit, or a number of rows."""

    name: str
    kind: Literal["day", "month", "bytes", "units", "rows"]
    amount: int | None


@dataclass(frozen=True, slots=True)
class Offer:
    """A plan for the pricing page. `href` is where its button leads, "" = it has none."""

    plan: Plan
    allowances: tuple[Allowance, ...]
    is_current: bool
    is_featured: bool
    href: str


def offers_of(ctx: Context) -> list[Offer]:
    """The plans on offer in declared order, and the reader's own plan even when it is offered no more."""
    product = ctx.product
    current = product.plan(ctx.holder.plan) if ctx.current_holder else None
    return [
        Offer(
            plan,
            tuple(_allowances(product, plan)),
            is_current=plan == current,
            is_featured=plan == (current or product.default),
            href=_href(plan, product, current),
        )
        for plan in product.plans
        if plan.is_active or plan == current
    ]


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


def _href(plan: Plan, product: Product, current: Plan | None) -> str:
    """A stranger starts on the default plan; who has a plan goes back to work. No plan can be bought here yet."""
    if current is not None:
        return "/dashboard" if plan == current else ""
    return "/signin?return_to=/dashboard" if plan == product.default else ""
