"""`tenantry db revision`: the next migration, written from the difference between the models and the history."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from tenantry import migrations
from tenantry.kernel.database import migrating
from tenantry.kernel.database.logins import initialise
from tenantry.kernel.database.revision import History, newest, shown
from tenantry.testing.postgres import PostgresUnavailable, start_postgres

from .databases import database_errors
from .declaration import DEFAULT, ProductArgument, read_histories
from .failures import Failure
from .output import plain

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def revision(
    product: ProductArgument = DEFAULT,
    *,
    message: Annotated[str, typer.Option("--message", "-m", help="What the revision does, in a sentence.")],
) -> None:
    """Write the next migration from the difference between the models and the migrations there are.

    For each of the product's modules with tables of its own whose models have changed: a file in its folder. Without
    such modules, in a checkout of Tenantry: a file in Tenantry's own history. The difference is taken on a PostgreSQL
    made for it and thrown away. Read the file before you commit it: a changed policy is not seen.
    """
    histories = read_histories(product)
    if not histories and not (migrating.FOLDER.parents[2] / "pyproject.toml").is_file():
        raise Failure(
            "No module of the product has tables of its own, and an installed Tenantry's history is not written to.",
            "Give a Module tables=[...] and migrations=..., or run this in a checkout of Tenantry.",
        )
    try:
        server = start_postgres()
    except PostgresUnavailable as error:
        raise Failure(f"A revision is made on PostgreSQL: {error}", "Install PostgreSQL 15 or newer.") from error
    with server, database_errors(server.url):
        written = asyncio.run(_write(server.url, message, histories))
    if not written:
        plain(f"The models are what revision {shown(newest(histories))} says; nothing is to be written.")
    elif histories:
        plain(f"Wrote {' and '.join(map(str, written))}. Read it, then: tenantry db migrate")
    else:
        plain(f"Wrote {written[-1]} and set HEAD to {_move_head(written[-1])}. Read it, then: tenantry db migrate")


async def _write(server_url: str, message: str, histories: Sequence[History]) -> list[Path]:
    parts = urlsplit(server_url)
    owner = parts._replace(path="/scratch").geturl()
    place = parts.netloc.rpartition("@")[2]
    api, service = (parts._replace(netloc=f"{login}:scratch@{place}", path="/scratch").geturl() for login in "as")
    await initialise(owner, api, service)
    written = []
    # A module after the other: the next one's difference is taken where this one's is there already.
    for history in histories or (None,):
        await migrating.upgrade(owner, histories=histories)
        written += await migrating.revision(owner, message, histories=histories, of=history)
    return written


def _move_head(written: Path) -> str:
    newest = written.name.partition("_")[0]
    door = Path(migrations.__file__)
    text = door.read_text(encoding="utf-8")
    door.write_text(re.sub(r'^HEAD = ".*"$', f'HEAD = "{newest}"', text, flags=re.MULTILINE), encoding="utf-8")
    return newest
