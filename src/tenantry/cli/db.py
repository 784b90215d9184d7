"""`tenantry db`: making the database, its schema, and going from one revision to another."""

from typing import ClassVar

import typer

from .lazy import LazyGroup


class DbCommands(LazyGroup):
    """What is done to a database."""

    prefix: ClassVar = "db_"
    lines: ClassVar = {
        "init": "Make the database, the roles and the logins (PostgreSQL).",
        "migrate": "Bring the database to the newest revision.",
        "rollback": "Take revisions back, the newest first.",
        "reset": "Drop every table and migrate from the beginning; not in production.",
        "push": "Make the schema straight from the models; not in production.",
        "revision": "Write the next migration from the models (in a checkout).",
        "current": "Say which revision the database is at.",
    }


app = typer.Typer(cls=DbCommands, add_completion=False, rich_markup_mode="rich", no_args_is_help=True)


@app.callback()
def _db() -> None:
    """Make, migrate and inspect the database.

    SQLite: the file in TENANTRY_DATABASE_URL. PostgreSQL: the address in TENANTRY_OWNER_URL, the owner's.
    """
