"""The two logins' databases, built from the settings."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import PrimaryKeyConstraint, UniqueConstraint

from tenantry.kernel import Settings
from tenantry.kernel.clock import Clock
from tenantry.kernel.database.sqlite import SqliteDatabase
from tenantry.kernel.database.tables import Base
from tenantry.kernel.extras import extra
from tenantry.kernel.runtime import Database

if TYPE_CHECKING:
    from tenantry.kernel.database.postgres import PostgresDatabase


def build_databases(settings: Settings, clock: Clock) -> tuple[Database, Database]:
    """(API login, service login). On SQLite both are the same file and the same object."""
    if settings.database_kind == "sqlite":
        file = SqliteDatabase(settings.sqlite_path or Path("var/tenantry.db"), clock, names=_constraint_names())
        return file, file
    return _login(settings, settings.database_url), _login(settings, settings.service_url or settings.database_url)


def _login(settings: Settings, url: str) -> "PostgresDatabase":
    # Loaded only here, with the driver: an SQLite file needs neither.
    database: PostgresDatabase = extra("tenantry.kernel.database.postgres").PostgresDatabase(
        url,
        size=settings.pool_size,
        timeout_seconds=settings.pool_timeout_seconds,
        statement_cache=settings.pool_mode == "session",
    )
    return database


def _constraint_names() -> dict[str, str]:
    """How SQLite reports a broken key (`users.id`, `accounts.provider, accounts.subject`) to the constraint's name."""
    names = {}
    for table in Base.metadata.tables.values():
        for constraint in table.constraints:
            if isinstance(constraint, UniqueConstraint | PrimaryKeyConstraint) and constraint.name:
                names[", ".join(f"{table.name}.{column.name}" for column in constraint.columns)] = str(constraint.name)
    return names
