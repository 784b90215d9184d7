"""Browsers that go to a provider and come back, for tests of several providers."""

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx2
from sqlalchemy import select

from tenantry.identity.models import Accounts
from tenantry.kernel.database import param, statement
from tenantry.kernel.trust import trusted
from tenantry.testing import AppKit

HTML = {"accept": "text/html"}
accounts = statement(select(Accounts.provider).order_by(Accounts.provider))
account_of = statement(select(Accounts.id).where(Accounts.user_id == param("user"), Accounts.provider == param("name")))


async def consent(url: str, person: str) -> str:
    """Let a person say yes at any of the stand-ins; answers the path of our callback with its query."""
    async with httpx2.AsyncClient(verify=trusted()) as provider:
        consented = await provider.get(f"{url}&login_hint={person}&login={person}")
    back = urlsplit(consented.headers["location"])
    return f"{back.path}?{back.query}"


async def arrive(browser: httpx2.AsyncClient, provider: str, person: str, return_to: str = "") -> httpx2.Response:
    """Sign in through a provider, up to our callback's answer."""
    started = await browser.get(f"/auth/{provider}/start", params={"return_to": return_to})
    return await browser.get(await consent(started.headers["location"], person))


async def begin_connect(browser: httpx2.AsyncClient, provider: str, **body: Any) -> str:
    """Begin to connect an account, as an app does; answers where to go."""
    begun = await browser.post(f"/v1/me/accounts/{provider}/connect", json=body)
    assert begun.status_code == 200, begun.text
    url: str = begun.json()["authorization_url"]
    return url


async def connect(browser: httpx2.AsyncClient, provider: str, person: str) -> httpx2.Response:
    """Connect an account, up to our callback's answer."""
    return await browser.get(await consent(await begin_connect(browser, provider), person))


async def me(browser: httpx2.AsyncClient) -> UUID:
    """The id of who is signed in."""
    return UUID((await browser.get("/v1/me")).json()["id"])


async def account_ids(browser: httpx2.AsyncClient) -> dict[str, str]:
    """The ids of the connected accounts, by provider."""
    return {one["provider"]: one["id"] for one in (await browser.get("/v1/me/accounts")).json()["items"]}


async def providers_held(kit: AppKit) -> list[str]:
    """The providers of all accounts there are."""
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.rows(accounts)


async def ask_to_link(kit: AppKit, provider: str = "github", person: str = "ada") -> httpx2.AsyncClient:
    """A browser that came with an address that somebody has here already; it waits to be confirmed."""
    browser = await kit.client()
    landed = await arrive(browser, provider, person)
    assert landed.headers["location"].startswith("/auth/link-account?"), landed.text
    return browser
