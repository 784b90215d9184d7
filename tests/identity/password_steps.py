"""People with a password, and what they do with it, for the tests of several flows."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from threading import Event
from typing import Any
from uuid import UUID

import httpx2
from sqlalchemy import func, select, update

from identity.mailbox import code_in, link_in, mailbox, token_in
from tenantry import MagicLink, Passkey, Password
from tenantry.identity import queries
from tenantry.identity.actions.registration import register
from tenantry.identity.hashing import PasswordHashing
from tenantry.identity.hashing.passwords import AT_ONCE
from tenantry.identity.models import Passwords, Sessions, Users, VerificationTokens
from tenantry.kernel.attempts import Attempts
from tenantry.kernel.audit import AuditLog
from tenantry.kernel.database import param, statement
from tenantry.kernel.mail import Mail
from tenantry.testing import AppKit

ADA = "ada@example.com"
PASSWORD = "a violin in Marseille"
NEW = "seven grey herons"
HTML = {"accept": "text/html"}
WAYS: Sequence[Any] = (Password(), MagicLink(), Passkey())

_unprove = statement(update(Users).where(Users.id == param("user")).values(email_verified_at=None))
_hash = statement(select(Passwords.hash).where(Passwords.user_id == param("user")))
_attempts = statement(select(Attempts.count).where(Attempts.key == param("key")))
entries = statement(select(AuditLog.action).order_by(AuditLog.id))
sessions = statement(select(func.count(Sessions.id)))
tokens = statement(select(func.count(VerificationTokens.id)))


async def person(
    kit: AppKit, email: str = ADA, *, password: str | None = PASSWORD, hashed: str | None = None, proven: bool = True
) -> UUID:
    """A user with a password, or with a hash that came from elsewhere."""
    if hashed is None and password is not None:
        hashed = await kit.runtime.port(PasswordHashing).hash(password)
    async with kit.system.service() as ctx:
        user = await register(ctx, email, name="Ada", method="test")
        if hashed is not None:
            await queries.passwords.put(ctx.db, user, hashed)
        if not proven:
            await ctx.db.run(_unprove, user=user)
    return user


async def hash_of(kit: AppKit, user: UUID) -> str | None:
    """The stored hash."""
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.one_or_none(_hash, user=user)


async def count_at(kit: AppKit, key: str) -> int:
    """How many attempts are counted under a key."""
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.one_or_none(_attempts, key=key) or 0


@asynccontextmanager
async def busy(kit: AppKit) -> AsyncIterator[None]:
    """Keep every thread that hashes passwords busy: whoever comes now has been counted, and waits."""
    hashing, gate = kit.runtime.port(PasswordHashing), Event()
    held = [asyncio.create_task(hashing._run(gate.wait)) for _ in range(AT_ONCE)]
    await asyncio.sleep(0)
    try:
        yield
    finally:
        gate.set()
        await asyncio.gather(*held)


async def counted(kit: AppKit, key: str) -> None:
    """Wait until an attempt is counted under a key."""
    async with asyncio.timeout(10):
        while not await count_at(kit, key):
            await asyncio.sleep(0.01)


async def rows(kit: AppKit, wanted: Any) -> list[Any]:
    """What a statement finds."""
    async with kit.system.service(writes=False) as ctx:
        found: list[Any] = await ctx.db.rows(wanted)
        return found


async def enter(
    browser: httpx2.AsyncClient, email: str = ADA, password: str = PASSWORD, **more: Any
) -> httpx2.Response:
    """Sign in as an app does."""
    return await browser.post("/v1/auth/password", json={"email": email, "password": password, **more})


async def entered(kit: AppKit, email: str = ADA, password: str = PASSWORD) -> httpx2.AsyncClient:
    """A browser that is signed in with a password."""
    browser = await kit.client()
    answer = await enter(browser, email, password)
    assert answer.status_code == 200, answer.text
    return browser


async def type_in(
    browser: httpx2.AsyncClient, email: str = ADA, password: str = PASSWORD, **more: str
) -> httpx2.Response:
    """Sign in as a browser does, with the page's form."""
    form = {"email": email, "password": password, "return_to": "/settings", **more}
    return await browser.post("/auth/password", data=form, headers=HTML)


async def ask(browser: httpx2.AsyncClient, email: str = ADA) -> httpx2.Response:
    """Ask for a reset as an app does."""
    return await browser.post("/v1/auth/reset", json={"email": email})


async def asked(kit: AppKit, email: str = ADA, browser: httpx2.AsyncClient | None = None) -> tuple[str, Mail]:
    """Ask for a reset; the challenge, and the mail that came."""
    answer = await ask(browser or await kit.client(), email)
    assert answer.status_code == 202, answer.text
    challenge: str = answer.json()["challenge"]
    return challenge, (await mailbox(kit, email))[-1]


async def reset(browser: httpx2.AsyncClient, mail: Mail, password: str = NEW) -> httpx2.Response:
    """Follow a mail's link and choose a password there."""
    return await browser.post("/auth/verify", data={"token": token_in(mail), "password": password}, headers=HTML)


__all__ = [
    "ADA", "HTML", "NEW", "PASSWORD", "WAYS", "ask", "asked", "busy", "code_in", "count_at", "counted", "enter",
    "entered", "entries", "hash_of", "link_in", "mailbox", "person", "reset", "rows", "sessions", "token_in", "tokens",
    "type_in",
]  # fmt: skip
