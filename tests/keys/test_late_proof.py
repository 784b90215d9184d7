"""What was made on somebody's row before its address was proven does not go on with whoever made it."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import update

from identity.mailbox import link_in, mailbox
from keys.asked import bearer
from keys.conftest import keyed_product
from tenantry import Google, MagicLink
from tenantry.identity import queries
from tenantry.identity.models import Users
from tenantry.kernel.database import statement
from tenantry.keys.service_keys import issue_for

ADA = "ada@example.com"
_unprove = statement(update(Users).values(email_verified_at=None))


async def pre_hijacked(start, **changes):
    """Mallory sits on the row of Ada's address, which nobody has proven, and has made a key there."""
    kit = await start(keyed_product(sign_in=[Google(), MagicLink()], **changes))
    mallory = await kit.sign_in("grace")
    user = UUID((await mallory.get("/v1/me")).json()["id"])
    async with kit.system.service() as ctx:
        await queries.users.readdress(ctx.db, user, ADA)
        await ctx.db.run(_unprove)
    made = await mallory.post("/v1/keys", json={"label": "robot"})
    assert made.status_code == 201, made.text
    return kit, mallory, made.json()["secret"]


async def work(kit, secret):
    answer = await (await kit.client()).get("/v1/work", headers=bearer(secret))
    return answer.status_code, answer.json().get("code")


async def becomes(kit, secret, outcome):
    """Wait until a key is answered like this: what has changed is known within a second."""
    async with asyncio.timeout(10):
        while await work(kit, secret) != outcome:
            await asyncio.sleep(0.02)


async def prove(kit, browser):
    """Ada asks for a mail and follows its link in this browser."""
    await browser.post("/v1/auth/magic-link", json={"email": ADA})
    link = link_in((await mailbox(kit, ADA))[-1])
    done = await browser.post("/auth/verify", data={"token": link.partition("token=")[2]})
    assert done.status_code == 303, done.text


async def test_class_02_a_key_that_waited_ends_when_somebody_else_proves_the_address(start):
    kit, _, robot = await pre_hijacked(start)
    gateway = (await issue_for(kit.system, ADA, label="gateway")).secret
    for secret in (robot, gateway):
        assert await work(kit, secret) == (403, "keys.pending")
    ada = await kit.client()
    await prove(kit, ada)
    await becomes(kit, robot, (401, "keys.revoked"))
    await becomes(kit, gateway, (200, None))  # An operator's key begins to work.
    assert sorted(one["state"] for one in (await ada.get("/v1/keys")).json()["items"]) == ["active", "revoked"]


async def test_class_02_a_key_of_an_organization_that_was_made_there_ends_too(start):
    kit, _, robot = await pre_hijacked(start, billed="organization")
    assert await work(kit, robot) == (200, None), "an organization's key never waits"
    await prove(kit, await kit.client())
    await becomes(kit, robot, (401, "keys.revoked"))


@pytest.mark.parametrize("billed", ["user", "organization"])
async def test_who_proves_the_address_where_they_made_the_key_keeps_it(start, billed):
    kit, person, robot = await pre_hijacked(start, billed=billed)
    await prove(kit, person)
    await becomes(kit, robot, (200, None))
