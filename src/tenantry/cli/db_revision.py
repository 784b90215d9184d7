"""`tenantry db revision`: the next migration, written from the difference between the models and the history."""

import asyncio
import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from tenantry import migrations
from tenantry.kernel.database import migrating
from tenantry.kernel.database.logins import initialise
from tenantry.testing.postgres import PostgresUnavailable, start_postgres

from .databases import database_errors
from .failures import Failure
from .output import plain

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def revision(
    *,
    message: Annotated[str, typer.Option("--message", "-m", help="What the revision does, in a sentence.")],
) -> None:
    """Write the next migration from the difference between the models and the migrations there are.

    The difference is taken on a database made for it and thrown away. For those who develop Tenantry itself: the file
    goes into its own history. Read it before you commit it.
    """
    if not (migrating.FOLDER.parents[2] / "pyproject.toml").is_file():
        raise Failure(
            "This Tenantry is installed, and an installed package's history is not written to.",
            "Run it in a checkout of Tenantry.",
        )
    try:
        server = start_postgres()
    except PostgresUnavailable as error:
        raise Failure(f"A revision is made on PostgreSQL: {error}", "Install PostgreSQL 15 or newer.") from error
    with server, database_errors(server.url):
        written = asyncio.run(_write(server.url, message))
    if not written:
        plain(f"The models are what revision {migrations.HEAD} says; nothing is to be written.")
        return
    newest = _move_head(written[-1])
    plain(f"Wrote {written[-1]} and set HEAD to {newest}. Read it, then: tenantry db migrate")


async def _write(server_url: str, message: str) -> list[Path]:
    parts = urlsplit(server_url)
    owner = parts._replace(path="/scratch").geturl()
    place = parts.netloc.rpartition("@")[2]
    api, service = (parts._replace(netloc=f"{login}:scratch@{place}", path="/scratch").geturl() for login in "as")
    await initialise(owner, api, service)
    await migrating.upgrade(owner)
    return await migrating.revision(owner, message)


def _move_head(written: Path) -> str:
    newest = written.name.partition("_")[0]
    door = Path(migrations.__file__)
    text = door.read_text(encoding="utf-8")
    door.write_text(re.sub(r'^HEAD = ".*"$', f'HEAD = "{newest}"', text, flags=re.MULTILINE), encoding="utf-8")
    return newest
