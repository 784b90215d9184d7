"""`tenantry db rollback`: going back."""

import asyncio
from typing import Annotated

import typer

from tenantry.kernel.database.migrating import downgrade, revisions
from tenantry.kernel.database.rebuilding import current

from .databases import Yes, confirm, database_errors, pending, show_steps, standing, target
from .failures import Failure
from .output import plain

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def rollback(
    *,
    to: Annotated[
        str | None, typer.Option(metavar="REVISION", help="Go back to this one, or to `base`; else one step.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Take revisions back, the newest first. What their tables and columns hold is lost."""
    where = target()
    with database_errors(where.url):
        found, _ = asyncio.run(pending(where.url))
        steps = _steps_back(found, to)
        plain(f"{where.shown} {standing(found)}. To be taken back, with what it holds:")
        show_steps(steps)
        confirm("Take them back now?", yes=yes)
        asyncio.run(downgrade(where.url, to or "-1"))
        left = asyncio.run(current(where.url))
    plain(f"Done: {where.shown} {standing(left)}.")


def _steps_back(found: str | None, to: str | None) -> list[tuple[str, str]]:
    known = revisions()
    names = [name for name, _ in known]
    if found is None:
        raise Failure("The database has no revision to take back.", "`tenantry db migrate` makes the schema.")
    here = names.index(found)
    if to is None:
        return [known[here]]
    if to != "base" and to not in names[:here]:
        raise Failure(f"{to} is no revision before {found}.", f"There are: {', '.join(['base', *names[:here]])}.")
    return known[0 if to == "base" else names.index(to) + 1 : here + 1][::-1]
