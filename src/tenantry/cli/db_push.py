"""`tenantry db push`: the schema straight from the models."""

import asyncio
from typing import Annotated

import typer

import tenantry.app  # noqa: F401 - every room's models
from tenantry.kernel.database.rebuilding import create, drop, is_empty

from .databases import Yes, confirm, database_errors, target
from .declaration import DEFAULT, ProductArgument, read_histories
from .failures import Failure
from .output import plain

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def push(
    product: ProductArgument = DEFAULT,
    *,
    drop_first: Annotated[bool, typer.Option("--drop", help="Drop every table with its rows first.")] = False,
    yes: Yes = False,
) -> None:
    """Make the schema straight from the models, without a migration. Refused in production.

    For trying a change of the models before its migration is written: `tenantry db revision`.
    """
    where = target()
    where.refuse_production("Making the schema without migrations")
    # The product's own tables are among the models once it is read.
    histories = read_histories(product)
    with database_errors(where.url):
        if drop_first:
            confirm(f"Drop everything in {where.shown}?", yes=yes)
            asyncio.run(drop(where.url))
        elif not asyncio.run(is_empty(where.url)):
            raise Failure(f"{where.shown} has tables already.", "Add --drop to drop them first, with their rows.")
        asyncio.run(create(where.url, histories=histories))
    plain(f"{where.shown} has the schema of the models.")
