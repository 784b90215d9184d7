"""Which database a command works on, and what its failures mean to a person."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import unquote, urlsplit

import asyncpg
import typer
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from tenantry.kernel import Settings
from tenantry.kernel.addresses import masked
from tenantry.kernel.database.planning import Plan, Step
from tenantry.kernel.database.rebuilding import current
from tenantry.kernel.database.revision import shown

from .environment import read_environment, read_settings
from .failures import Failure
from .output import plain

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

_INIT = "Run `tenantry db init` first; it makes the database, the roles and the logins."


@dataclass(frozen=True, slots=True)
class Target:
    """The database whose schema is worked on, by the address of its owner."""

    settings: Settings
    url: str

    @property
    def shown(self) -> str:
        """The address without its password."""
        return masked(self.url)

    def refuse_production(self, what: str) -> None:
        """Raise Failure when TENANTRY_ENVIRONMENT is production."""
        if self.settings.is_production:
            raise Failure(
                f"{what} is refused in production.", "It is for development: TENANTRY_ENVIRONMENT is production here."
            )


def target() -> Target:
    """The database the settings name: DATABASE_URL on SQLite, OWNER_URL on PostgreSQL."""
    settings = read_settings(read_environment())
    if settings.database_kind == "sqlite":
        return Target(settings, settings.database_url)
    if settings.owner_url is None:
        raise Failure(
            "TENANTRY_OWNER_URL is unset.",
            "Set it to the address of the database with its owner's login, which makes and changes tables.",
        )
    return Target(settings, settings.owner_url)


async def found_by(plan: Plan, url: str) -> frozenset[str]:
    """The revisions the database is at; Failure for one that nobody knows."""
    found = await current(url)
    if unknown := plan.unknown(found):
        raise Failure(
            f"The database is at revision {shown(unknown)}, which this version of Tenantry does not know.",
            "Install the version that made it, or a newer one; for a product's own, name the product. "
            f"The newest known here is {plan.names()[-1]}.",
        )
    return found


async def pending(plan: Plan, url: str, to: str | None = None) -> tuple[frozenset[str], list[Step]]:
    """Where the database is, and the revisions that are to come, up to `to`; Failure for revisions nobody knows."""
    found = await found_by(plan, url)
    if to is not None and plan.unknown([to]):
        raise Failure(f"There is no revision {to}.", f"There are: {', '.join(plan.names())}.")
    return found, plan.forward(found, to or "heads")


def standing(plan: Plan, found: frozenset[str]) -> str:
    """Where a database is, as the end of a sentence."""
    there = [one.at for one in plan.standings(found) if one.at]
    return f"is at revision {' and '.join(there)}" if there else "has no schema yet"


def confirm(question: str, *, yes: bool) -> None:
    """Ask a person; whoever says no is told that nothing was done. A script says `--yes`."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Failure("This needs a yes, and nobody is here to give it.", "Add --yes.")
    if not typer.confirm(question):
        raise typer.Abort


def show_steps(steps: list[Step]) -> None:
    """Print revisions, a line each."""
    for name, message in steps:
        plain(f"  {name}  {message}")


@contextmanager
def database_errors(url: str) -> Iterator[None]:
    """Turn what a driver or Alembic raises into a Failure with a fix, and without the password."""
    try:
        yield
    except CommandError as error:
        raise Failure(f"{error}.") from error
    except sqlite3.Error as error:
        raise _of_sqlite(error, url) from error
    except (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise _of_server(error, url) from error
    except SQLAlchemyError as error:
        raise Failure(f"{type(error).__name__}: {error}") from error


def _of_sqlite(error: sqlite3.Error, url: str) -> Failure:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return Failure(f"{url}: another process is writing.", "Stop the server, or try again.")
    if name == "SQLITE_NOTADB":
        return Failure(f"{url}: the file is no SQLite database.", "Name another file in TENANTRY_DATABASE_URL.")
    return Failure(f"{url}: {error}.", "Nothing was changed. Check the file, its folder and the space on the disk.")


def _of_server(error: Exception, url: str) -> Failure:
    cause: BaseException = getattr(error, "orig", None) or error
    if isinstance(cause, sqlite3.Error):
        return _of_sqlite(cause, url)
    if url.startswith("sqlite"):
        return Failure(f"{url}: the file cannot be used: {error}.", "Name another file in TENANTRY_DATABASE_URL.")
    # SQLAlchemy's asyncpg dialect wraps the driver's own error once more.
    cause = cause if isinstance(cause, asyncpg.PostgresError) else (cause.__cause__ or cause)
    parts, shown = urlsplit(url), masked(url)
    match cause:
        case asyncpg.InvalidAuthorizationSpecificationError():
            return Failure(f"{shown}: the login is refused: {cause}.", "Check the user name and the password.")
        case asyncpg.InvalidCatalogNameError():
            return Failure(f"{shown}: there is no database {unquote(parts.path[1:])}.", _INIT)
        case asyncpg.UndefinedObjectError() if "role" in str(cause):
            return Failure(f"{shown}: {cause}.", _INIT)
        case asyncpg.InsufficientPrivilegeError():
            return Failure(f"{shown}: {cause}.", "TENANTRY_OWNER_URL must name the owner; nothing was changed.")
        case asyncpg.LockNotAvailableError():
            return Failure(f"{shown}: the tables are in use.", "Stop the servers, and try again.")
        case asyncpg.PostgresError() | asyncpg.InterfaceError():
            return Failure(f"{shown}: {cause}.", "The step that failed has left nothing behind.")
    return Failure(f"{shown}: no server answers there ({cause}).", "Start it, or correct the address.")
