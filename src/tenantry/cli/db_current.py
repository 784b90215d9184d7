"""`tenantry db current`: where the database is."""

import asyncio
from typing import Annotated, Any

import typer

from tenantry.kernel.database.planning import Plan

from .databases import database_errors, pending, show_steps, standing, target
from .declaration import DEFAULT, ProductArgument, read_histories
from .output import as_json, plain

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def current(
    product: ProductArgument = DEFAULT,
    *,
    json: Annotated[bool, typer.Option("--json", help="Answer with JSON.")] = False,
) -> None:
    """Say which revision the database is at, and which are to come. Status 1 when it is behind."""
    where = target()
    with database_errors(where.url):
        plan = Plan(read_histories(product))
        found, steps = asyncio.run(pending(plan, where.url))
        ours, *modules = plan.standings(found)
    if json:
        answer: dict[str, Any] = {"database": where.shown, "revision": ours.at, "newest": ours.newest}
        answer["modules"] = [{"module": one.name, "revision": one.at, "newest": one.newest} for one in modules]
        answer["pending"] = [{"revision": name, "message": message} for name, message in steps]
        as_json(answer)
    else:
        newest = " and ".join(one.newest for one in (ours, *modules) if one.newest)
        plain(f"{where.shown} {standing(plan, found)}, the newest is {newest}.")
        if steps:
            plain("To come (`tenantry db migrate`):")
            show_steps(steps)
    raise typer.Exit(1 if steps else 0)
