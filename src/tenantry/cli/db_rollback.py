"""`tenantry db rollback`: going back."""

import asyncio
from typing import Annotated

import typer

from tenantry.kernel.database.migrating import downgrade
from tenantry.kernel.database.planning import Plan
from tenantry.kernel.database.rebuilding import current

from .databases import Yes, confirm, database_errors, found_by, show_steps, standing, target
from .declaration import DEFAULT, ProductArgument, read_histories
from .failures import Failure
from .output import plain

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def rollback(
    product: ProductArgument = DEFAULT,
    *,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="REVISION",
            help="Go back to this one, to `base`, or to `NAME@base` for a module's own tables; else one step.",
        ),
    ] = None,
    yes: Yes = False,
) -> None:
    """Take revisions back, the newest first. What their tables and columns hold is lost."""
    where = target()
    with database_errors(where.url):
        plan = Plan(read_histories(product))
        found = asyncio.run(found_by(plan, where.url))
        goal = _goal(plan, found, to)
        plain(f"{where.shown} {standing(plan, found)}. To be taken back, with what it holds:")
        show_steps(plan.back(found, goal))
        confirm("Take them back now?", yes=yes)
        asyncio.run(downgrade(where.url, goal, histories=plan.histories))
        left = asyncio.run(current(where.url))
    plain(f"Done: {where.shown} {standing(plan, left)}.")


def _goal(plan: Plan, found: frozenset[str], to: str | None) -> str:
    if not found:
        raise Failure("The database has no revision to take back.", "`tenantry db migrate` makes the schema.")
    applied = plan.applied(found)
    if to is None:
        return plan.before(applied[-1])
    places = ["base", *(f"{one.name}@base" for one in plan.histories), *applied]
    if to not in places or not plan.back(found, to):
        raise Failure(f"{to} is no revision before the database's.", f"There are: {', '.join(places[:-1])}.")
    return to
