"""`tenantry db migrate`: going forward."""

import asyncio
import sys
from typing import Annotated

import typer

from tenantry.kernel.database.migrating import print_sql, upgrade

from .databases import Target, Yes, confirm, database_errors, pending, show_steps, standing, target
from .output import note, plain

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def migrate(
    *,
    to: Annotated[
        str | None, typer.Option(metavar="REVISION", help="Stop at this revision; else at the newest.")
    ] = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL instead of running it.")] = False,
    yes: Yes = False,
) -> None:
    """Bring the database to the newest revision. Production sees the plan first and is asked.

    A step that fails leaves nothing behind.
    """
    where = target()
    with database_errors(where.url):
        if sql:
            _print_sql(where, to)
            return
        found, steps = asyncio.run(pending(where.url, to))
        if not steps:
            plain(f"{where.shown} {standing(found)}; nothing is to be done.")
            return
        plain(f"{where.shown} {standing(found)}. To come:")
        show_steps(steps)
        if where.settings.is_production:
            confirm("Run them now?", yes=yes)
        asyncio.run(upgrade(where.url, steps[-1][0]))
    plain(f"Done: revision {steps[-1][0]}.")


def bring_to_newest(url: str) -> None:
    """Migrate without a word, for a server that starts in development."""
    with database_errors(url):
        asyncio.run(pending(url))
        asyncio.run(upgrade(url))


def _print_sql(where: Target, to: str | None) -> None:
    kind = where.settings.database_kind
    try:
        found, steps = asyncio.run(pending(where.url, to))
    except OSError as error:
        note(f"The database does not answer ({error}), so this is the SQL from the beginning.")
        print_sql(kind, to or "head", write=_line)
        return
    if not steps:
        note(f"{where.shown} {standing(found)}; nothing is to be done.")
        return
    print_sql(kind, f"{found or 'base'}:{steps[-1][0]}", write=_line)


def _line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
