"""`tenantry db init`: the database, the roles and the two logins of a PostgreSQL installation."""

import asyncio
import secrets
from typing import Annotated
from urllib.parse import quote, unquote, urlsplit

import typer

from tenantry.kernel import Settings
from tenantry.kernel.addresses import login_of, masked
from tenantry.kernel.database.logins import initialise

from .databases import database_errors, target
from .environment import read_environment, read_settings
from .failures import Failure
from .output import note, plain

_PRINT = "`tenantry db init --print-env` makes addresses with new passwords."


app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def init(
    *,
    print_env: Annotated[
        bool,
        typer.Option(
            "--print-env", help="Only print the three addresses, with new passwords, for .env or a secret store."
        ),
    ] = False,
) -> None:
    """Make the database, the roles and the logins that the three addresses name (PostgreSQL).

    Run again, it changes nothing but the logins' passwords, to those in the addresses. SQLite needs none of it.
    """
    settings = read_settings(read_environment())
    if print_env:
        _print_addresses(settings)
        return
    if settings.database_kind == "sqlite" and settings.owner_url is None:
        plain(f"{settings.database_url} is SQLite, which has no logins. Next: tenantry db migrate")
        return
    where = target()
    api, service = _logins(settings)
    timeout = max(1, round(settings.statement_timeout_seconds))
    with database_errors(where.url):
        asyncio.run(initialise(where.url, api, service, statement_timeout_seconds=timeout))
    plain(f"{where.shown}: the database, its roles and the logins {login_of(api)} and {login_of(service)} are there.")
    plain("Next: tenantry db migrate")


def _print_addresses(settings: Settings) -> None:
    if settings.owner_url is None:
        raise Failure(
            "TENANTRY_OWNER_URL is unset.",
            "Set it to the PostgreSQL address of the database to be made, with a login that may make databases.",
        )
    for name, address in addresses(settings.owner_url).items():
        plain(f"{name}={address}")
    note("Keep these in .env or a secret store. Next: tenantry db init")


def addresses(owner_url: str) -> dict[str, str]:
    """The three addresses of an installation, each login with a new password, by the name of its setting."""
    parts = urlsplit(owner_url)
    name = unquote(parts.path.lstrip("/"))
    place = parts.netloc.rpartition("@")[2]
    made = {"TENANTRY_OWNER_URL": owner_url}
    for setting, duty in (("TENANTRY_DATABASE_URL", "api"), ("TENANTRY_SERVICE_URL", "service")):
        login = f"{quote(f'{name}_{duty}', safe='')}:{secrets.token_urlsafe(24)}"
        made[setting] = parts._replace(netloc=f"{login}@{place}").geturl()
    return made


def _logins(settings: Settings) -> tuple[str, str]:
    api, service = settings.database_url, settings.service_url
    if service is None:
        raise Failure("TENANTRY_SERVICE_URL is unset.", f"It names the service login. {_PRINT}")
    names = {"TENANTRY_OWNER_URL": settings.owner_url or "", "TENANTRY_DATABASE_URL": api}
    names["TENANTRY_SERVICE_URL"] = service
    seen: dict[str, str] = {}
    for name, address in names.items():
        login = login_of(address)
        if login is None:
            raise Failure(f"{name} names no user: {masked(address)}.", _PRINT)
        if login in seen:
            raise Failure(f"{name} has the same login as {seen[login]}.", f"Each duty has its own. {_PRINT}")
        if name != "TENANTRY_OWNER_URL" and not urlsplit(address).password:
            raise Failure(f"{name} has no password to give to its login: {masked(address)}.", _PRINT)
        seen[login] = name
    return api, service
