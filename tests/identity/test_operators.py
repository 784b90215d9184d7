"""T-01, point 2 and 4: what operators do with people, and what nobody does to the last of them."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from identity.operator_steps import as_operator, entries, known
from identity.password_steps import PASSWORD
from tenantry import MagicLink, Password
from tenantry.identity import operating, queries
from tenantry.identity.errors import LastAdmin, OwnRefused, ReasonMissing, UserNotFound
from tenantry.kernel import new_id
from tenantry.kernel.context import Actor, Context, Origin
from tenantry.kernel.problems import Forbidden


async def test_t_01_only_operators_do_it_for_a_reason_and_not_to_themselves(kit):
    (_, ada), (_, grace) = await known(kit, "ada", "grace")
    deeds = {
        "ban": lambda ctx, who, why: operating.ban(ctx, who, reason=why),
        "lift": lambda ctx, who, why: operating.lift(ctx, who, reason=why),
        "role": lambda ctx, who, why: operating.set_role(ctx, who, "ADMIN", reason=why),
        "sessions": lambda ctx, who, why: operating.end_sessions(ctx, who, reason=why),
        "close": lambda ctx, who, why: operating.close_account(ctx, who, reason=why),
    }
    stranger = Context(kit.runtime, Actor("user", user_id=ada), Origin())
    for name, deed in deeds.items():
        with pytest.raises(Forbidden):
            await deed(stranger, grace, "a whim")
        for reason in (" ", "x" * 501):
            with pytest.raises(ReasonMissing):
                await deed(as_operator(kit, ada), grace, reason)
        with pytest.raises(UserNotFound):
            await deed(as_operator(kit, ada), new_id(), "nobody")
        if name in {"ban", "role", "close"}:
            with pytest.raises(OwnRefused):
                await deed(as_operator(kit, ada), ada, "myself")
    for role in ("PREMIUM", "BANNED", "admin"):
        with pytest.raises(ValueError, match="not given by hand"):
            await operating.set_role(kit.system, grace, role, reason="a gift")
    with pytest.raises(Forbidden):
        await operating.appoint(as_operator(kit, ada), "x@example.com", reason="by hand")
    with pytest.raises(Forbidden):
        await operating.operators(stranger)


async def test_t_01_roles_by_hand_and_the_last_operator(kit):
    (ada, ada_id), (grace, grace_id) = await known(kit, "ada", "grace")
    assert await operating.set_role(kit.system, ada_id, "ADMIN", reason="the first")
    assert not await operating.set_role(kit.system, ada_id, "ADMIN", reason="again")
    assert (await ada.get("/v1/me")).json()["role"] == "ADMIN"
    acting = as_operator(kit, ada_id)
    for deed in (
        lambda ctx: operating.set_role(ctx, ada_id, "USER", reason="enough"),
        lambda ctx: operating.ban(ctx, ada_id, reason="enough"),
        lambda ctx: operating.close_account(ctx, ada_id, reason="enough"),
    ):
        with pytest.raises(LastAdmin):
            await deed(kit.system)
    await operating.set_role(acting, grace_id, "ADMIN", reason="a second")
    assert [one.email for one in await operating.operators(acting)] == ["ada@example.com", "grace@example.com"]
    # Two who demote each other at once: one of them stays.
    ended = await asyncio.gather(
        operating.set_role(acting, grace_id, "USER", reason="a quarrel"),
        operating.set_role(as_operator(kit, grace_id), ada_id, "USER", reason="a quarrel"),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in ended) in (["LastAdmin", "bool"], ["DatabaseConflict", "bool"])
    roles = sorted([(await one.get("/v1/me")).json()["role"] for one in (ada, grace)])
    assert roles == ["ADMIN", "USER"]
    # Whoever is banned is no operator: the other one cannot be left without help.
    first, second = (ada_id, grace_id) if (await ada.get("/v1/me")).json()["role"] == "ADMIN" else (grace_id, ada_id)
    await operating.set_role(kit.system, second, "ADMIN", reason="peace")
    await operating.ban(kit.system, first, reason="a leak")
    with pytest.raises(LastAdmin):
        await operating.set_role(kit.system, second, "USER", reason="alone")
    assert [entry[2] for entry in await entries(kit, "user.role_set")] == [
        "the first",
        "a second",
        "a quarrel",
        "peace",
    ]


async def test_point_2_who_is_banned_is_told_until_when_and_not_why_at_every_way_in(start, product_of):
    kit = await start(product_of(sign_in=[Password(), MagicLink()]))
    made = await operating.appoint(kit.system, "ada@example.com", name="Ada", password=PASSWORD, reason="the first")
    assert (made.is_new, made.was) == (True, "USER")
    await operating.appoint(kit.system, "grace@example.com", reason="the second")
    ada, client = await kit.client(), await kit.client()
    signed = await ada.post(
        "/v1/auth/password", json={"email": "ada@example.com", "password": PASSWORD, "deliver": "token"}
    )
    bearer = {"Authorization": f"Bearer {signed.json()['token']}"}
    assert (await client.get("/v1/me", headers=bearer)).json()["role"] == "ADMIN"
    until = kit.clock.now() + timedelta(days=3)
    await operating.ban(kit.system, made.user_id, reason="sells our data", until=until)
    assert (await client.get("/v1/me", headers=bearer)).status_code == 401
    refused = await ada.post("/v1/auth/password", json={"email": "ada@example.com", "password": PASSWORD})
    assert (refused.status_code, refused.json()["code"]) == (403, "identity.user_banned")
    assert refused.json()["until"] == f"{until:%Y-%m-%dT%H:%M:%SZ}"
    page = await ada.post(
        "/auth/password", data={"email": "ada@example.com", "password": PASSWORD}, headers={"Accept": "text/html"}
    )
    assert page.status_code == 403
    assert "blocked" in page.text
    assert "Mar 17, 2026" in page.text
    for answer in (refused, page):
        assert "sells our data" not in answer.text
    await operating.lift(kit.system, made.user_id, reason="a mistake")
    assert (await operating.end_sessions(kit.system, made.user_id, reason="to be sure")) == 0
    assert (
        await ada.post("/auth/password", data={"email": "ada@example.com", "password": PASSWORD})
    ).status_code == 303
    again = await operating.appoint(kit.system, "ADA@example.com", reason="again")
    assert (again.is_new, again.was, again.user_id) == (False, "ADMIN", made.user_id)
    assert await operating.dismiss(kit.system, "ada@example.com", reason="enough")
    assert not await operating.dismiss(kit.system, "ada@example.com", reason="again")
    async with kit.system.service(writes=False) as ctx:
        assert [one.email for one in await queries.roles.operators(ctx.db)] == ["grace@example.com"]


async def test_t_07_who_is_made_by_an_operator_comes_in_where_only_providers_vouch(kit):
    made = await operating.appoint(kit.system, "ada@example.com", reason="the first")
    ada = await kit.sign_in("ada")
    me = (await ada.get("/v1/me")).json()
    assert (UUID(me["id"]), me["role"], me["provider"]) == (made.user_id, "ADMIN", "demo")
    assert (await (await kit.sign_in("ada")).get("/v1/me")).json()["id"] == me["id"]
