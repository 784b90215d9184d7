"""Somebody has a copy of the whole database: nothing in it opens anything.

A floor that brings a new credential adds one line to `WAYS`, and to `journey` what leaves its rows.
"""

import base64
import json
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import asyncpg
import httpx2
import pytest

from tenantry.testing import AppKit, TestDatabase

# Whoever can guess so few characters needs no copy.
CHARACTERS_MIN = 12
PREFIXES = ("", "sess_")

Way = Callable[[httpx2.AsyncClient, str], Awaitable[bool]]


async def as_session(client: httpx2.AsyncClient, value: str) -> bool:
    return await opens(client, {"Cookie": f"session={value}"})


async def as_bearer(client: httpx2.AsyncClient, value: str) -> bool:
    return await opens(client, {"Authorization": f"Bearer {value}"})


async def as_key(client: httpx2.AsyncClient, value: str) -> bool:
    return await opens(client, {"X-API-Key": value})


WAYS: tuple[Way, ...] = (as_session, as_bearer, as_key)


async def opens(client: httpx2.AsyncClient, headers: dict[str, str]) -> bool:
    """Whether the API takes the caller for somebody."""
    return (await client.get("/v1/me", headers=headers)).status_code != 401


@pytest.fixture
async def kit(start: Any) -> AppKit:
    started: AppKit = await start()
    return started


@pytest.fixture
async def thief(kit: AppKit) -> httpx2.AsyncClient:
    """A browser in which nobody has been; each request brings its own cookie."""
    return await kit.client()


async def test_no_value_of_a_leaked_database_is_a_credential(kit: AppKit, thief: httpx2.AsyncClient) -> None:
    secrets = await journey(kit)
    values = await dump(kit.database)
    assert as_text(values)  # the journey left something to steal
    tried = {prefix + form for value in values for form in forms_of(value) for prefix in PREFIXES}
    for way in WAYS:
        accepted = [form for form in sorted(tried) if await way(thief, form)]
        assert accepted == [], way.__name__
    assert await as_session(thief, secrets["session"]), "the real one is accepted, so the tries were fair"


async def test_no_value_of_a_leaked_database_is_a_sign_in_under_way(kit: AppKit, thief: httpx2.AsyncClient) -> None:
    await journey(kit)
    values = await dump(kit.database)
    browser = await kit.client()
    started = await browser.get("/auth/demo/start")
    state = parse_qs(urlsplit(started.headers["location"]).query)["state"][0]
    ((name, sealed),) = browser.cookies.items()

    async def as_pending(value: str) -> bool:
        # Only to whom began it the callback says that the provider refused.
        back = f"/auth/demo/callback?state={state}&error=access_denied"
        said = (await thief.get(back, headers={"Cookie": f"{name}={value}"})).json()["code"]
        assert said in {"identity.sign_in_denied", "identity.sign_in_expired"}, said
        return bool(said == "identity.sign_in_denied")

    assert await as_pending(sealed), "the real one is accepted, so the tries are fair"
    forms = sorted({form for value in values for form in forms_of(value)})
    for number, form in enumerate(forms, start=1):
        assert not await as_pending(form), form
        if number % 100 == 0:
            await kit.move(minutes=1)  # only so many may be tried in one


async def test_what_browsers_keep_is_nowhere_in_the_database(kit: AppKit) -> None:
    secrets = await journey(kit)
    leaked = as_text(await dump(kit.database))
    assert [name for name, secret in secrets.items() if secret in leaked] == []


async def journey(kit: AppKit) -> dict[str, str]:
    """Leave a row in every table that people's ways through the product lead to; answers what only they may know."""
    ada = await kit.sign_in("ada")
    await ada.patch("/v1/me", json={"name": "Ada King"})
    await ada.get("/v1/me/usage")
    grace = await kit.client()
    started = await grace.get("/auth/demo/start?return_to=/settings")
    pending = next(iter(grace.cookies.values()))
    back = await kit.consent("grace", started)
    await grace.get(back)
    ended = grace.cookies["session"]
    await grace.post("/auth/signout")
    second = await kit.sign_in("ada")
    await kit.run_jobs()
    sent = {name: value[0] for name, value in parse_qs(urlsplit(back).query).items() if name in {"code", "state"}}
    return {
        "session": ada.cookies["session"],
        "second session": second.cookies["session"],
        "ended session": ended,
        "pending sign-in": pending,
        **sent,
    }


async def dump(database: TestDatabase) -> list[Any]:
    """Every value of every column of every table, past all policies; JSON is taken apart."""
    if database.owner_url is None:
        with closing(sqlite3.connect(database.api_url.removeprefix("sqlite:///"))) as file:
            tables = [name for (name,) in file.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            rows = [row for table in tables for row in file.execute(f'SELECT * FROM "{table}"')]
        return [leaf for row in rows for value in row for leaf in leaves(value)]
    owner = await asyncpg.connect(database.owner_url)
    try:
        tables = [row[0] for row in await owner.fetch("SELECT relid::regclass::text FROM pg_stat_user_tables")]
        rows = [tuple(row) for table in tables for row in await owner.fetch(f"SELECT * FROM {table}")]
    finally:
        await owner.close()
    return [leaf for row in rows for value in row for leaf in leaves(value)]


def leaves(value: Any) -> Iterator[Any]:
    """The value, and whatever stands in it when it is JSON."""
    yield value
    if isinstance(value, str) and value[:1] in {"{", "["}:
        inner: list[Any] = [json.loads(value)]
        while inner:
            found = inner.pop()
            if isinstance(found, dict):
                inner += [*found, *found.values()]
            elif isinstance(found, list):
                inner += found
            else:
                yield found


def forms_of(value: Any) -> set[str]:
    """What one could make of a stored value for a header, the token's hash in every common writing included."""
    if isinstance(value, UUID):
        value = str(value)
    forms: set[str] = set()
    if isinstance(value, bytes):
        plain, url = base64.b64encode(value).decode(), base64.urlsafe_b64encode(value).decode()
        forms = {value.hex(), value.hex().upper(), plain, url, plain.rstrip("="), url.rstrip("="), base62(value)}
        forms.add(value.decode("latin-1"))
    elif isinstance(value, str):
        forms = {value, value.replace("-", ""), value.partition("_")[2], base64.b64encode(value.encode()).decode()}
    return {form for form in forms if len(form) >= CHARACTERS_MIN and form.isascii() and form.isprintable()}


def base62(value: bytes) -> str:
    letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    number, digits = int.from_bytes(value), ""
    while number:
        number, digit = divmod(number, 62)
        digits = letters[digit] + digits
    return digits.rjust(43, "0")


def as_text(values: list[Any]) -> str:
    return "\n".join(value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in values)
