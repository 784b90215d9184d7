"""The one gate: banned and deleted people stay out, a second factor comes before the session, a late proof disarms."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import insert, select, update

from tenantry.identity import queries
from tenantry.identity.actions.admission import FactorNeeded, Proof, admit, prove_address, refuse_closed
from tenantry.identity.actions.people import ban_user, delete_user, lift_ban
from tenantry.identity.actions.sessions import Started
from tenantry.identity.errors import UserBanned, UserDeleted, UserNotFound
from tenantry.identity.models import Accounts, Passwords, Sessions, TotpSecrets, Users, VerificationTokens
from tenantry.identity.tokens import Purpose, issue
from tenantry.kernel import new_id
from tenantry.kernel.database import param, statement
from tenantry.kernel.sql import now

_unprove = statement(update(Users).values(email_verified_at=None))
_totp = statement(insert(TotpSecrets).values(user_id=param("user"), secret="sealed", confirmed_at=now()))
_password = statement(insert(Passwords).values(user_id=param("user"), hash="x"))
_rows = {
    table.__tablename__: statement(select(table.user_id))
    for table in (Accounts, Passwords, Sessions, VerificationTokens)
}


async def user_of(browser):
    return UUID((await browser.get("/v1/me")).json()["id"])


async def test_a_ban_ends_every_session_at_once_and_no_way_leads_in(kit):
    ada = await kit.sign_in("ada")
    user = await user_of(ada)
    async with kit.system.service() as ctx:
        await issue(ctx, Purpose.RESET, "ada@example.com", user_id=user)
        await ban_user(ctx, user, reason="spam", ends=kit.clock.now() + timedelta(days=1))
    assert (await ada.get("/v1/me")).status_code == 401
    client = await kit.client()
    refused = await kit.finish_sign_in(client, "ada", await client.get("/auth/demo/start"))
    assert refused.status_code == 403
    assert "blocked" in refused.text
    async with kit.system.service(writes=False) as ctx:
        assert await ctx.db.rows(_rows["sessions"]) == []
        assert await ctx.db.rows(_rows["verification_tokens"]) == []
    await kit.move(days=1)
    assert (await (await kit.sign_in("ada")).get("/v1/me")).status_code == 200


async def test_a_lifted_ban_lets_in_again_but_brings_no_session_back(kit):
    ada = await kit.sign_in("ada")
    user = await user_of(ada)
    async with kit.system.service() as ctx:
        await ban_user(ctx, user, reason="spam")
    async with kit.system.service() as ctx:
        await lift_ban(ctx, user, reason="a mistake")
        with pytest.raises(UserNotFound):
            await lift_ban(ctx, user, reason="twice")
    assert (await ada.get("/v1/me")).status_code == 401
    assert (await (await kit.sign_in("ada")).get("/v1/me")).status_code == 200


async def test_who_is_deleted_is_out_for_good(kit):
    ada = await kit.sign_in("ada")
    user = await user_of(ada)
    async with kit.system.service() as ctx:
        await delete_user(ctx, user, reason="asked for it")
        with pytest.raises(UserNotFound):
            await delete_user(ctx, user, reason="twice")
    assert (await ada.get("/v1/me")).status_code == 401
    async with kit.system.service() as ctx:
        with pytest.raises(UserDeleted):
            await refuse_closed(ctx, user)
        with pytest.raises(UserDeleted):
            await admit(ctx, Proof(new_id(), "password"), old_token=None)


async def test_a_session_that_a_ban_missed_is_refused_where_it_is_read(kit):
    ada = await kit.sign_in("ada")
    user = await user_of(ada)
    async with kit.system.service() as ctx:
        await queries.users.ban(ctx.db, user, ends=None, why="spam")
    assert (await ada.get("/v1/me")).status_code == 401


async def test_a_ban_is_over_in_the_second_it_ends(kit):
    ada = await kit.sign_in("ada")
    user = await user_of(ada)
    async with kit.system.service() as ctx:
        await queries.users.ban(ctx.db, user, ends=kit.clock.now() + timedelta(minutes=30), why="spam")
    await kit.move(minutes=29, seconds=59)
    assert (await ada.get("/v1/me")).status_code == 401
    async with kit.system.service() as ctx:
        with pytest.raises(UserBanned):
            await refuse_closed(ctx, user)
    await kit.move(seconds=1)
    assert (await ada.get("/v1/me")).status_code == 200
    async with kit.system.service() as ctx:
        assert (await refuse_closed(ctx, user)).id == user


async def test_a_second_factor_is_asked_for_before_there_is_a_session(kit):
    ada = await kit.sign_in("ada")
    user = await user_of(ada)
    async with kit.system.service() as ctx:
        await ctx.db.run(_totp, user=user)
    client = await kit.client()
    half = await kit.finish_sign_in(client, "ada", await client.get("/auth/demo/start"))
    assert half.status_code == 303
    assert half.headers["location"].startswith("/auth/second-factor?")
    assert [name for name in client.cookies if "session" in name] == []
    assert [name for name in client.cookies if "half" in name]
    assert (await client.get("/v1/me")).status_code == 401
    async with kit.system.service() as ctx:
        needed = await admit(ctx, Proof(user, "password"), old_token=None)
        assert isinstance(needed, FactorNeeded)
        assert needed.factors == ("totp",)
        assert isinstance(await admit(ctx, Proof(user, "passkey"), old_token=None), Started)


async def test_an_address_proven_late_loses_what_somebody_left_on_it(kit):
    ada = await kit.sign_in("ada")
    user = await user_of(ada)
    async with kit.system.service() as ctx:
        await ctx.db.run(_unprove)
        await ctx.db.run(_password, user=user)
        await issue(ctx, Purpose.RESET, "ada@example.com", user_id=user)
        known = await queries.users.known(ctx.db, user)
        await prove_address(ctx, known)
    assert (await ada.get("/v1/me")).status_code == 401
    async with kit.system.service(writes=False) as ctx:
        assert {name: await ctx.db.rows(query) for name, query in _rows.items()} == {name: [] for name in _rows}
        known = await queries.users.known(ctx.db, user)
    assert known.email_verified_at is not None
    async with kit.system.service() as ctx:
        await ctx.db.run(_password, user=user)
        await prove_address(ctx, known)
        assert await ctx.db.rows(_rows["passwords"]) != []


async def test_nobody_is_banned_who_is_not_there(kit):
    async with kit.system.service() as ctx:
        with pytest.raises(UserNotFound):
            await ban_user(ctx, new_id(), reason="nobody")
