"""The declaration's plans as rows: written at start, and compared with what is stored. A door beside the room's own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tenantry.kernel import Context
from tenantry.kernel.database import Unit
from tenantry.kernel.logs import logger_of
from tenantry.product import Plan, Product

from . import queries
from .queries import HeldPlan

log = logger_of("tenantry.holders")


@dataclass(frozen=True, slots=True)
class Mirrored:
    """How the stored plans stand to the declaration, and `stored`, all of them with how many holders are on each.

    `unknown`: stored names that the declaration does not know, each with its number of holders, who have the default
    plan's limits. `absent`: declared plans without a row. `changed`: names of plans whose row says something else, and
    the columns that differ. A server that starts writes both; unknown ones stay.
    """

    stored: tuple[HeldPlan, ...] = ()
    unknown: Mapping[str, int] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    changed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


async def mirror_plans(ctx: Context) -> None:
    """Write the declaration's plans into the database; what it no longer declares stays, retired.

    Rows that say it already are left alone. A retired plan that somebody still holds is told in the log.
    """
    product = ctx.product
    for position, plan in enumerate(product.plans):
        await queries.mirror(ctx.db, _row(plan, position))
    default = product.default
    await queries.retire(ctx.db, known=[plan.name for plan in product.plans], limits=_limits(default))
    found = await compare_plans(ctx.db, product)
    if held := {name: holders for name, holders in found.unknown.items() if holders}:
        log.warning("plans.unknown", holders=held, limits_of=default.name)


async def compare_plans(db: Unit, product: Product) -> Mirrored:
    """Compare the stored plans with the declaration; one statement, on the service login. Changes nothing."""
    stored = {plan.name: plan for plan in await queries.held(db)}
    declared = {plan.name: _row(plan, position) for position, plan in enumerate(product.plans)}
    differing = {name: _differing(row, stored[name]) for name, row in declared.items() if name in stored}
    return Mirrored(
        stored=tuple(stored.values()),
        unknown={name: plan.holders for name, plan in stored.items() if name not in declared},
        absent=tuple(name for name in declared if name not in stored),
        changed={name: columns for name, columns in differing.items() if columns},
    )


def _differing(row: Mapping[str, Any], stored: HeldPlan) -> tuple[str, ...]:
    return tuple(column for column, value in row.items() if getattr(stored, column) != value)


def _row(plan: Plan, position: int) -> dict[str, Any]:
    price = plan.priced
    return {
        "name": plan.name,
        "display_name": plan.display_name,
        "price_minor": price.amount if price else None,
        "currency": price.currency if price else "USD",
        "limits": _limits(plan),
        "features": list(plan.features),
        "is_active": plan.is_active,
        "position": position,
    }


def _limits(plan: Plan) -> dict[str, int | None]:
    return {limit.name: value for limit, value in plan.limits.items()}
