"""What rooms tell each other's processes of: two applications on one database, as two workers are."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from tenantry import Google, Meter, Plan, Product
from tenantry.holders import by_user, set_plan
from tenantry.identity.actions.people import ban_user, delete_user, lift_ban
from tenantry.identity.events import UserProven
from tenantry.kernel.context import Context
from tenantry.kernel.notices import Notices
from tenantry.testing import AppKit
from tenantry.usage import decide

requests = Meter("requests", per="day")
LARGE = Product(
    "Acme",
    sign_in=[Google()],
    plans=[
        Plan("free", price=0, limits={requests: 10**6}),
        Plan("pro", price=900, limits={requests: 10**7}),
    ],
)


async def until(reached: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not reached():
            await asyncio.sleep(0.005)


@pytest.fixture
async def here(start: Any) -> AppKit:
    started: AppKit = await start(LARGE)
    return started


@pytest.fixture
async def there(start: Any, here: AppKit) -> AppKit:
    """The other one, which hears."""
    started: AppKit = await start(LARGE)
    notices = started.runtime.port(Notices)
    await until(lambda: notices.is_trusted)
    return started


@pytest.fixture
async def ada(here: AppKit) -> UUID:
    browser = await here.sign_in("ada")
    return UUID((await browser.get("/v1/me")).json()["id"])


async def holder_of(kit: AppKit, user: UUID) -> UUID:
    async with kit.system.service(writes=False) as ctx:
        found = await by_user(ctx.db, user)
    assert found is not None
    return found.id


async def to_pro(kit: AppKit, holder: UUID) -> None:
    async with kit.system.service() as ctx:
        await set_plan(ctx, holder, "pro", source="admin", reason="test")


async def test_a_change_of_plan_is_followed_by_who_holds_units_of_the_old_one(here, there, ada):
    holder = await holder_of(here, ada)
    for _ in range(300):
        assert (await decide(there.system, holder, requests)).plan == "free"
    # What it asks for in the background has arrived then.
    await asyncio.sleep(0.1)
    heard = there.runtime.port(Notices).heard
    await to_pro(here, holder)
    await until(lambda: there.runtime.port(Notices).heard > heard)
    assert (await decide(there.system, holder, requests)).plan == "pro"


async def test_what_changed_unheard_is_followed_when_it_hears_again(here, there, ada):
    holder, notices = await holder_of(here, ada), there.runtime.port(Notices)
    for _ in range(300):
        await decide(there.system, holder, requests)
    await notices.aclose()
    await to_pro(here, holder)
    await notices.open()
    await until(lambda: notices.is_trusted)
    assert (await decide(there.system, holder, requests)).plan == "pro"


async def ban(ctx: Context, user: UUID) -> None:
    await ban_user(ctx, user, reason="spam")


async def lift(ctx: Context, user: UUID) -> None:
    await ban_user(ctx, user, reason="spam")
    await lift_ban(ctx, user, reason="a mistake")


async def delete(ctx: Context, user: UUID) -> None:
    await delete_user(ctx, user, reason="asked")


async def prove(ctx: Context, user: UUID) -> None:
    await ctx.emit(UserProven(user))


@pytest.mark.parametrize("change", [ban, lift, delete, prove])
async def test_what_becomes_of_a_person_is_told(here, there, ada, change):
    heard: list[UUID] = []
    there.runtime.port(Notices).subscribe("user", heard.append, lambda: None)
    async with here.system.service() as ctx:
        await change(ctx, ada)
    await until(lambda: heard)
    assert set(heard) == {ada}
