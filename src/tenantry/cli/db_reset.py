"""`tenantry db reset`: beginning anew."""

import asyncio

import typer

from tenantry.kernel.database.migrating import upgrade
from tenantry.kernel.database.rebuilding import drop
from tenantry.kernel.database.revision import newest, shown

from .databases import Yes, confirm, database_errors, target
from .declaration import DEFAULT, ProductArgument, read_histories
from .output import plain

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def reset(product: ProductArgument = DEFAULT, *, yes: Yes = False) -> None:
    """Drop every table with its rows, and migrate from the beginning. Refused in production."""
    where = target()
    where.refuse_production("Dropping every table")
    confirm(f"Drop everything in {where.shown}?", yes=yes)
    histories = read_histories(product)
    with database_errors(where.url):
        asyncio.run(drop(where.url))
        asyncio.run(upgrade(where.url, histories=histories))
    plain(f"{where.shown} is empty, at revision {shown(newest(histories))}.")
