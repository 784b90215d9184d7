"""The steps of a change of address, as its person and its mailboxes take them."""

from typing import Any

import httpx2
from sqlalchemy import func, select, update

from identity.mailbox import link_in, mailbox, token_in
from tenantry.identity.models import AddressChanges, Users, VerificationTokens
from tenantry.kernel.audit import AuditLog
from tenantry.kernel.database import param, statement
from tenantry.kernel.mail import Mail
from tenantry.testing import AppKit

OLD, NEW = "ada@example.com", "ada@new.example"

unprove = statement(update(Users).where(Users.email == param("address")).values(email_verified_at=None))
addresses = statement(select(Users.email).order_by(Users.id))
entries = statement(select(AuditLog.action).where(AuditLog.action.like("%address%")).order_by(AuditLog.id))
number_of = {one: statement(select(func.count()).select_from(one)) for one in (AddressChanges, VerificationTokens)}


async def rows(kit: AppKit, one: Any, **given: Any) -> list[Any]:
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.rows(one, **given)


async def ask(client: httpx2.AsyncClient, email: str = NEW) -> dict[str, Any]:
    answer = await client.post("/v1/me/email", json={"email": email})
    assert answer.status_code == 202, answer.text
    begun: dict[str, Any] = answer.json()
    return begun


async def letters(kit: AppKit, new: str = NEW, old: str = OLD) -> list[Mail]:
    """The newest mail to each address."""
    return [(await mailbox(kit, address))[-1] for address in (new, old)]


async def follow(client: httpx2.AsyncClient, mail: Mail, **more: str) -> httpx2.Response:
    """Open the link of a mail, which must change nothing, then do what the page offers."""
    path = link_in(mail).removeprefix("http://127.0.0.1:8000")
    shown = await client.get(path)
    assert (shown.status_code, "set-cookie" in shown.headers) == (200, False), shown.text
    return await client.post("/auth/verify", data={"token": token_in(mail), **more})


async def confirm(client: httpx2.AsyncClient, mail: Mail) -> httpx2.Response:
    return await follow(client, mail)


async def approve(client: httpx2.AsyncClient, mail: Mail) -> httpx2.Response:
    return await follow(client, mail, choice="approve")


async def address_of(client: httpx2.AsyncClient) -> Any:
    return (await client.get("/v1/me")).json()["email"]
