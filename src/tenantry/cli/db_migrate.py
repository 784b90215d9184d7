"""`tenantry db migrate`: going forward."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from tenantry.kernel.database.migrating import print_sql, upgrade
from tenantry.kernel.database.planning import Plan
from tenantry.kernel.database.revision import History

from .databases import Target, Yes, confirm, database_errors, pending, show_steps, standing, target
from .declaration import DEFAULT, ProductArgument, read_histories
from .output import note, plain

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def migrate(
    product: ProductArgument = DEFAULT,
    *,
    to: Annotated[
        str | None, typer.Option(metavar="REVISION", help="Stop at this revision; else at the newest.")
    ] = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL instead of running it.")] = False,
    yes: Yes = False,
) -> None:
    """Bring the database to the newest revision: Tenantry's tables, and those of the product's own modules.

    Production sees the plan first and is asked. A step that fails leaves nothing behind.
    """
    where = target()
    with database_errors(where.url):
        plan = Plan(read_histories(product))
        if sql:
            _print_sql(where, plan, to)
            return
        found, steps = asyncio.run(pending(plan, where.url, to))
        if not steps:
            plain(f"{where.shown} {standing(plan, found)}; nothing is to be done.")
            return
        plain(f"{where.shown} {standing(plan, found)}. To come:")
        show_steps(steps)
        if where.settings.is_production:
            confirm("Run them now?", yes=yes)
        asyncio.run(upgrade(where.url, to or "heads", histories=plan.histories))
    plain(f"Done: revision {steps[-1][0]}.")


def bring_to_newest(url: str, histories: Sequence[History] = ()) -> None:
    """Migrate without a word, for a server that starts in development."""
    with database_errors(url):
        asyncio.run(pending(Plan(histories), url))
        asyncio.run(upgrade(url, histories=histories))


def _print_sql(where: Target, plan: Plan, to: str | None) -> None:
    found: frozenset[str] = frozenset()
    try:
        found, steps = asyncio.run(pending(plan, where.url, to))
    except OSError as error:
        note(f"The database does not answer ({error}), so this is the SQL from the beginning.")
        steps = plan.forward((), to or "heads")
    if not steps:
        note(f"{where.shown} {standing(plan, found)}; nothing is to be done.")
        return
    print_sql(where.settings.database_kind, to or "heads", found=found, histories=plan.histories, write=_line)


def _line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
