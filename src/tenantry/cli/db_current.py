"""`tenantry db current`: where the database is."""

import asyncio
from typing import Annotated

import typer

from tenantry.migrations import HEAD

from .databases import database_errors, pending, show_steps, standing, target
from .output import as_json, plain

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def current(*, json: Annotated[bool, typer.Option("--json", help="Answer with JSON.")] = False) -> None:
    """Say which revision the database is at, and which are to come. Status 1 when it is behind."""
    where = target()
    with database_errors(where.url):
        found, steps = asyncio.run(pending(where.url))
    if json:
        coming = [{"revision": name, "message": message} for name, message in steps]
        as_json({"database": where.shown, "revision": found, "newest": HEAD, "pending": coming})
    else:
        plain(f"{where.shown} {standing(found)}, the newest is {HEAD}.")
        if steps:
            plain("To come (`tenantry db migrate`):")
            show_steps(steps)
    raise typer.Exit(1 if steps else 0)
