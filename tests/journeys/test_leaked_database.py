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
import pyotp
import pytest

from identity import password_steps
from identity.mailbox import code_in, link_in, mailbox, token_in
from identity.mailed import mailing_product, person
from tenantry import Google, Keys, Meter, Plan, Product, Trials
from tenantry.identity import queries
from tenantry.identity.actions.admission import FactorNeeded, Proof, admit
from tenantry.keys import CallLog
from tenantry.keys.secrets import checksum
from tenantry.testing import AppKit, TestDatabase

# Whoever can guess so few characters needs no copy.
CHARACTERS_MIN = 12
FIELD_CHARACTERS_MAX = 50
"""What the door of the second factor takes."""
PASSWORD_CHARACTERS_MAX = 1000
"""What the door of passwords takes."""
PREFIXES = ("", "sess_")

LINK_CHARACTERS_MAX = 90
"""What the doors of mailed links take, without a prefix."""

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
    for way in (as_session, as_bearer):
        assert await way(thief, secrets["session"]), "the real one is accepted, so the tries were fair"


async def test_no_value_of_a_leaked_database_is_an_api_key(start: Any) -> None:
    """The log of calls with their bodies among them; also with a key's prefix before and a right checksum behind."""
    kept = Keys("acme", log_bodies=True)
    plan = Plan("free", price=0, limits={Meter("requests", per="day"): 5})
    kit: AppKit = await start(Product("Acme", sign_in=[Google()], plans=[plan], keys=kept, trials=Trials("free")))
    thief, ada = await kit.client(), await kit.sign_in("ada")
    trial = (await ada.post("/v1/trials", json={"name": "Pilot"})).json()
    doors = ("/v1/keys", f"/v1/trials/{trial['id']}/keys")
    # With a key of the caller's own the answers are kept, secrets and all.
    asked = [(door, {"Idempotency-Key": f"8e03978e-40d5-43e8-bc93-6894a57f932{n}"}) for n, door in enumerate(doors)]
    made = [await ada.post(door, json={"label": "robot"}, headers=key) for door, key in asked]
    again = [await ada.post(door, json={"label": "robot"}, headers=key) for door, key in asked]
    assert [one.content for one in again] == [one.content for one in made]
    secrets = [one.json()["secret"] for one in made]
    for secret in secrets:
        assert (await thief.post("/v1/sources", headers={"X-API-Key": secret}, json={"key": secret})).status_code == 405
        assert await as_key(thief, secret), "the real one is accepted, so the tries are fair"
    await kit.runtime.port(CallLog).flush()
    values = await dump(kit.database)
    leaked = as_text(values)
    assert [secret for secret in secrets if secret in leaked or secret.rpartition("_")[2] in leaked] == []
    forms = {form for value in values for form in forms_of(value)}
    tried = {prefix + form for form in forms for prefix in ("", "acme_live_", "acme_trial_")}
    tried |= {form + checksum(form) for form in tried}
    for way in (as_key, as_bearer):
        assert [form for form in sorted(tried) if await way(thief, form)] == []


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


async def test_no_value_of_a_leaked_database_is_a_second_factor(kit: AppKit, thief: httpx2.AsyncClient) -> None:
    await journey(kit)
    grace = await kit.sign_in("grace")
    secret, codes = await set_app_up(kit, grace)
    values = await dump(kit.database)
    leaked = as_text(values)
    assert [one for one in (secret, *codes, *(code.replace("-", "") for code in codes)) if one in leaked] == []
    forms = sorted({form for value in values for form in forms_of(value) if len(form) <= FIELD_CHARACTERS_MAX})
    assert len(forms) > 50
    guesses = [{"recovery_code": form} for form in forms]
    guesses += [{"code": shown_by(form, kit)} for form in forms if is_base32(form)]
    for number, guess in enumerate([*guesses, {"recovery_code": codes[0]}]):
        if number % 5 == 0:
            await kit.move(minutes=15)  # only so many may be tried in one
            half = await half_of(kit, "grace@example.com")
        answer = await thief.post("/v1/auth/second-factor", json={**guess, "token": half})
        assert answer.status_code == (400 if number < len(guesses) else 200), (guess, answer.text)


async def test_no_value_of_a_leaked_database_is_a_password(start: Any) -> None:
    """A hash is no password, here and where it came from."""
    kit: AppKit = await start(mailing_product())
    user = await password_steps.person(kit)
    await password_steps.entered(kit)
    stored = await password_steps.hash_of(kit, user)
    values = await dump(kit.database)
    assert stored in {str(value) for value in values}
    assert password_steps.PASSWORD not in as_text(values)
    forms = sorted({form for value in values for form in forms_of(value) if len(form) <= PASSWORD_CHARACTERS_MAX})
    for number, guess in enumerate([*forms, password_steps.PASSWORD]):
        if number % 10 == 0:
            await kit.move(minutes=15)  # only so many may be tried in one
        answer = await password_steps.enter(await kit.client(), password=guess)
        assert answer.status_code == (401 if number < len(forms) else 200), (guess, answer.text)


@pytest.mark.parametrize("flow", ["magic-link", "sign-up", "reset"])
async def test_no_value_of_a_leaked_database_is_a_mailed_link_or_code(start: Any, flow: str) -> None:
    """Tokens are kept as hashes, codes as HMACs, and what mails say is sealed: before they go out, and after."""
    kit: AppKit = await start(mailing_product())
    asking, thief = await kit.client(), await kit.client()
    email = "known@example.com" if flow == "reset" else "new@example.com"
    await person(kit, "known@example.com")
    chosen = {"password": "correct horse 7"} if flow == "sign-up" else {}
    asked = await asking.post(f"/v1/auth/{flow}", json={"email": email, **chosen})
    assert asked.status_code == 202
    before = await dump(kit.database)
    [mail] = await mailbox(kit, email)
    values = [*before, *await dump(kit.database)]
    token, prefix = token_in(mail), flow.replace("-", "_").replace("magic_link", "sign_in")
    assert [one for one in (token, token.rpartition("_")[2], link_in(mail)) if one in as_text(values)] == []
    # Six digits stand in many a number; as a value of its own the code is nowhere.
    assert code_in(mail) not in {str(value) for value in values}
    done = 204 if flow == "reset" else 200
    more = {"password": "another horse 8"} if flow == "reset" else {"challenge": asked.json()["challenge"]}
    forms = sorted({form for value in values for form in forms_of(value) if len(form) <= LINK_CHARACTERS_MAX})
    assert len(forms) > 50
    for number, form in enumerate([*forms, token]):
        for shown in dict.fromkeys((form, f"{prefix}_{form}")):
            answer = await thief.post(f"/v1/auth/{flow}/confirm", json={**more, "token": shown})
            assert answer.status_code == (done if shown == token else 400), (shown, answer.text)
            if answer.status_code == done:
                assert number == len(forms), "the real one is accepted, so the tries were fair"
                return


async def test_no_value_of_a_leaked_database_agrees_to_a_change_of_address(
    kit: AppKit, thief: httpx2.AsyncClient
) -> None:
    ada = await kit.sign_in("ada")
    before = await dump(kit.database)
    assert (await ada.post("/v1/me/email", json={"email": "ada@new.example"})).status_code == 202
    values = [*before, *await dump(kit.database)]
    mails = {
        "confirm": (await mailbox(kit, "ada@new.example"))[-1],
        "approve": (await mailbox(kit, "ada@example.com"))[-1],
    }
    values += await dump(kit.database)
    forms = sorted({form for value in values for form in forms_of(value) if len(form) <= LINK_CHARACTERS_MAX})
    assert len(forms) > 50
    for door, mail in mails.items():
        token = token_in(mail)
        prefix, _, secret = token.rpartition("_")
        assert secret not in as_text(values)
        for form in forms:
            for shown in (form, f"{prefix}_{form}"):
                answer = await thief.post(f"/v1/auth/email/{door}", json={"token": shown})
                assert answer.status_code in {400, 422}, (shown, answer.text)
        accepted = await thief.post(f"/v1/auth/email/{door}", json={"token": token})
        assert accepted.json()["changed"] is (door == "approve"), "the real ones are accepted, so the tries were fair"


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


async def set_app_up(kit: AppKit, browser: httpx2.AsyncClient) -> tuple[str, list[str]]:
    """An authenticator app for whoever is signed in; answers its secret and the recovery codes."""
    secret = (await browser.post("/v1/me/totp")).json()["secret"]
    made = await browser.post("/v1/me/totp/confirm", json={"code": shown_by(secret, kit)})
    return secret, made.json()["recovery_codes"]


async def half_of(kit: AppKit, email: str) -> str:
    """The token of somebody who knows the first proof."""
    async with kit.system.service() as ctx:
        user = await queries.users.of_email(ctx.db, email)
        assert user is not None
        needed = await admit(ctx, Proof(user.id, "password"), old_token=None)
        assert isinstance(needed, FactorNeeded)
        return needed.token


def shown_by(secret: str, kit: AppKit) -> str:
    return pyotp.TOTP(secret).at(kit.clock.now())


def is_base32(text: str) -> bool:
    """Whether an app would take a text for a secret."""
    try:
        return len(base64.b32decode(text + "=" * (-len(text) % 8), casefold=True)) >= 14
    except ValueError:
        return False


async def dump(database: TestDatabase) -> list[Any]:
    """Every value of every column of every table, past all policies; JSON is taken apart."""
    return [leaf for rows in (await dump_tables(database)).values() for leaf in rows]


async def dump_tables(database: TestDatabase) -> dict[str, list[Any]]:
    """The same by table."""
    if database.owner_url is None:
        with closing(sqlite3.connect(database.api_url.removeprefix("sqlite:///"))) as file:
            tables = [name for (name,) in file.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            found = {table: [*file.execute(f'SELECT * FROM "{table}"')] for table in tables}
    else:
        owner = await asyncpg.connect(database.owner_url)
        try:
            tables = [row[0] for row in await owner.fetch("SELECT relid::regclass::text FROM pg_stat_user_tables")]
            found = {table: [tuple(row) for row in await owner.fetch(f"SELECT * FROM {table}")] for table in tables}
        finally:
            await owner.close()
    return {table: [leaf for row in rows for value in row for leaf in leaves(value)] for table, rows in found.items()}


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
