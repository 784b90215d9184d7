"""Looking into a PostgreSQL database, through the logins that the settings name."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg

from tenantry.kernel import Settings
from tenantry.kernel.addresses import masked
from tenantry.kernel.database import looking_postgres as looking
from tenantry.kernel.database.logins import login_findings
from tenantry.kernel.database.looking_postgres import NotCollected
from tenantry.kernel.database.postgres import PostgresDatabase
from tenantry.kernel.database.units import SERVICE
from tenantry.kernel.problems import DatabaseConflict, DatabaseUnavailable
from tenantry.product import Finding, Product

from .advice import find_in_figures
from .report import Examination, Sheet
from .schema import find_differences, find_other_revision
from .stored import Asked, ask_rows, look_at_rows

SECONDS = 10.0
SECONDS_OF_CHECK = 3.0
_LOGINS = {"api": "database_url", "service": "service_url", "owner": "owner_url", "direct": "direct_url"}
_INSTALL = (
    "pg_stat_statements is not installed, so nobody counts statements. Set shared_preload_libraries = "
    "'pg_stat_statements' in postgresql.conf, restart PostgreSQL, and run in this database as a superuser: "
    "CREATE EXTENSION pg_stat_statements"
)
_PRELOAD = (
    "The extension pg_stat_statements is there, but the server has not loaded its library. Set "
    "shared_preload_libraries = 'pg_stat_statements' in postgresql.conf and restart PostgreSQL."
)
_HIDDEN = "This login does not see the statements of others: GRANT pg_read_all_stats TO the owner."
_TROUBLE = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, RuntimeError)


async def examine(product: Product, settings: Settings) -> Examination:
    """See the door."""
    findings: list[Finding] = []
    sheets: list[Sheet] = []
    async with _opened(settings, SECONDS, findings) as logins:
        # The owner sees most; what all of them may see is enough for nearly everything.
        patient = logins.get("owner") or logins.get("service") or logins.get("api")
        try:
            if patient is not None:
                await _look(patient, logins, product, findings, sheets)
        except (*_TROUBLE, DatabaseUnavailable, DatabaseConflict) as error:
            findings.append(Finding("error", "database", f"A look at it failed: {_said(error)}.", "Try again."))
    return Examination(masked(settings.database_url), tuple(findings), tuple(sheets))


async def ask(product: Product, settings: Settings) -> Asked:
    """See `compare_stored_plans`."""
    database = _database_of(settings.service_url or settings.database_url, settings, SECONDS_OF_CHECK)
    try:
        await database.open()
        async with _reading(database) as connection:
            found = await looking.revisions(connection)
        if find_other_revision(found, product):
            return Asked(skipped="its schema is another one; see `tenantry db current`")
        return Asked(await ask_rows(database.unit(SERVICE, writes=False), product))
    except (*_TROUBLE, DatabaseUnavailable, DatabaseConflict):
        return Asked(skipped="the database does not answer or refuses the login")
    finally:
        await database.close()


async def _look(
    patient: PostgresDatabase,
    logins: dict[str, PostgresDatabase],
    product: Product,
    findings: list[Finding],
    sheets: list[Sheet],
) -> None:
    api, service = logins.get("api"), logins.get("service")
    if api is not None and service is not None:
        findings += await login_findings(api, service)
    async with _reading(patient) as connection:
        other = find_other_revision(await looking.revisions(connection), product)
        if other is not None:
            findings.append(other)
        else:
            findings += find_differences(await looking.present(connection), product, "postgresql")
        if other is None and service is not None:
            found, rows = await look_at_rows(service.unit(SERVICE, writes=False), product)
            findings += found
            sheets += rows
        state = await looking.server_state(connection)
        tables, indexes = await looking.table_figures(connection), await looking.index_figures(connection)
        findings += find_in_figures(state, tables, indexes)
        sheets += [
            Sheet.of("database", "Server", [state]),
            Sheet.of("tables", "Tables", tables, "Rows are the server's estimate."),
            Sheet.of("indexes", "Indexes", indexes),
            await _statements(connection),
        ]


async def _statements(connection: Any) -> Sheet:
    title = "Slowest statements by mean time"
    try:
        found = await looking.slowest_statements(connection)
    except NotCollected as missing:
        return Sheet("statements", title, note=_INSTALL if str(missing) == "extension" else _PRELOAD)
    note = _HIDDEN if any(one.statement == looking.HIDDEN for one in found) else ""
    return Sheet.of("statements", title, found, note)


@asynccontextmanager
async def _opened(
    settings: Settings, seconds: float, findings: list[Finding]
) -> AsyncIterator[dict[str, PostgresDatabase]]:
    """The logins that can be opened; what is wrong with the others is added to the findings."""
    opened: dict[str, PostgresDatabase] = {}
    try:
        for login, setting in _LOGINS.items():
            url = getattr(settings, setting)
            if url is None:
                findings.extend(_find_unset(login))
                continue
            database = _database_of(url, settings, seconds)
            try:
                await database.open()
            except DatabaseUnavailable as error:
                findings.append(_unreachable(f"TENANTRY_{setting.upper()}", url, error))
            else:
                opened[login] = database
        yield opened
    finally:
        for database in opened.values():
            await database.close()


@asynccontextmanager
async def _reading(database: PostgresDatabase) -> AsyncIterator[Any]:
    connection = await database.acquire()
    try:
        async with connection.transaction(readonly=True):
            yield connection
    finally:
        await database.release(connection)


def _database_of(url: str, settings: Settings, seconds: float) -> PostgresDatabase:
    # Two: one looks at catalogs while the other reads rows.
    return PostgresDatabase(url, size=2, timeout_seconds=seconds, statement_cache=settings.pool_mode == "session")


def _find_unset(login: str) -> Iterator[Finding]:
    if login == "service":
        problem = "It is unset, so plans and jobs were not looked at."
        yield Finding("error", "TENANTRY_SERVICE_URL", problem, "Run `tenantry db init --print-env`, which makes it.")


def _unreachable(where: str, url: str, error: DatabaseUnavailable) -> Finding:
    cause = error.__cause__
    problem = f"{masked(url)}: {_said(cause or error)}."
    if password := unquote(urlsplit(url).password or ""):
        problem = problem.replace(password, "***")
    match cause:
        case asyncpg.InvalidCatalogNameError():
            fix = "Run `tenantry db init`; it makes the database, the roles and the logins."
        case asyncpg.InvalidAuthorizationSpecificationError():
            fix = "Check the user name and the password; `tenantry db init` makes the logins."
        case asyncpg.TooManyConnectionsError():
            fix = "Lower TENANTRY_POOL_SIZE or raise max_connections."
        case _:
            fix = "Start it, or correct the address."
    return Finding("error", where, problem, fix)


def _said(error: BaseException) -> str:
    return (getattr(error, "internal", None) or str(error) or type(error).__name__).rstrip(".")
