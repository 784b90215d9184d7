"""`tenantry db reset`: beginning anew."""

import asyncio

import typer

from tenantry.kernel.database.migrating import upgrade
from tenantry.kernel.database.rebuilding import drop
from tenantry.migrations import HEAD

from .databases import Yes, confirm, database_errors, target
from .output import plain

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def reset(*, yes: Yes = False) -> None:
    """Drop every table with its rows, and migrate from the beginning. Refused in production."""
    where = target()
    where.refuse_production("Dropping every table")
    confirm(f"Drop everything in {where.shown}?", yes=yes)
    with database_errors(where.url):
        asyncio.run(drop(where.url))
        asyncio.run(upgrade(where.url))
    plain(f"{where.shown} is empty, at revision {HEAD}.")
