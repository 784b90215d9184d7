"""The tokens of providers: kept sealed, handed out, refreshed once however many ask, never shown."""

import asyncio
import json
from datetime import timedelta
from uuid import UUID

import httpx2
import msgspec
import pytest
from sqlalchemy import select, update

from identity.round_trips import arrive, ask_to_link, connect, me
from tenantry.identity import provider_token
from tenantry.identity.actions.admission import as_user
from tenantry.identity.actions.people import ban_user, delete_user
from tenantry.identity.actions.provider_tokens import keep_granted
from tenantry.identity.errors import ConnectionLost, ProviderUnreachable
from tenantry.identity.models import Accounts, VerificationTokens
from tenantry.identity.providers.base import Granted, SignInProviders
from tenantry.kernel.audit import AuditLog
from tenantry.kernel.crypto import SealBroken
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.failures import UnitStillOpen
from tenantry.kernel.database.types import UtcDateTime
from tenantry.kernel.policies import PolicyRefused
from tenantry.testing.queries import latest_entries


class Kept(msgspec.Struct, frozen=True):
    id: UUID
    access_token: str
    refresh_token: str
    id_token: str
    scope: str


kept = statement(
    select(Accounts.id, Accounts.access_token, Accounts.refresh_token, Accounts.id_token, Accounts.scope), Kept
)
details = statement(select(VerificationTokens.detail))
audited = statement(select(AuditLog.detail))
take_lease = statement(update(Accounts).values(refreshing_until=param("until", UtcDateTime())))
no_refresh = statement(update(Accounts).values(refresh_token=None))


async def rows(kit, one):
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.rows(one)


def opened(kit, account, sealed):
    return kit.runtime.vault.open(sealed, purpose="provider-token", context=str(account)).decode()


async def about(kit, token):
    """What the stand-in tells the bearer of an access token."""
    async with httpx2.AsyncClient() as client:
        answer = await client.get(f"{kit.identity.url}/userinfo", headers={"authorization": f"Bearer {token}"})
    return answer.json() if answer.status_code == 200 else answer.status_code


@pytest.fixture
async def ada(kit):
    return await me(await kit.sign_in("ada"))


# --- Kept ---


async def test_what_the_provider_gave_is_kept_sealed_and_bound_to_its_account(kit, ada):
    [account] = await rows(kit, kept)
    assert account.scope == "email openid profile"
    assert all(one.startswith("v1.") for one in (account.access_token, account.refresh_token, account.id_token))
    assert (await about(kit, opened(kit, account.id, account.access_token)))["sub"] == "demo-ada"
    assert opened(kit, account.id, account.id_token).count(".") == 2
    with pytest.raises(SealBroken):
        opened(kit, "another account", account.access_token)
    with pytest.raises(SealBroken):
        kit.runtime.vault.open(account.access_token, purpose="totp", context=str(account.id))


async def test_every_sign_in_brings_new_ones(kit, ada):
    [before] = await rows(kit, kept)
    await kit.sign_in("ada")
    [after] = await rows(kit, kept)
    assert opened(kit, before.id, before.access_token) != opened(kit, before.id, after.access_token)


async def test_a_connected_account_keeps_its_own(three):
    browser = await three.sign_in("ada")
    await connect(browser, "github", "ada")
    token = await provider_token(three.system, await me(browser), "github")
    assert token.startswith("ghu_")


async def test_what_waits_to_be_confirmed_is_sealed_too(three):
    await three.sign_in("ada")
    browser = await ask_to_link(three)
    [detail] = await rows(three, details)
    assert detail["granted"].startswith("v1.")
    assert "ghu_" not in json.dumps(detail)
    await three.sign_in("ada", client=browser)
    assert (await browser.post("/v1/auth/link-account")).status_code == 200
    assert (await provider_token(three.system, await me(browser), "github")).startswith("ghu_")


async def test_a_refresh_token_that_is_given_only_once_stays(kit, ada):
    [before] = await rows(kit, kept)
    async with kit.system.service() as ctx:
        await keep_granted(ctx, before.id, Granted(access_token="later"))
        await keep_granted(ctx, before.id, None)
    [after] = await rows(kit, kept)
    assert opened(kit, after.id, after.access_token) == "later"
    assert after.refresh_token == before.refresh_token


# --- Handed out ---


async def test_a_good_token_is_handed_out_without_asking_the_provider(kit, ada):
    asked = kit.identity.requests
    token = await provider_token(kit.system, ada, "demo")
    assert kit.identity.requests == asked
    assert (await about(kit, token))["sub"] == "demo-ada"


async def test_a_token_that_has_nearly_ended_is_refreshed_and_again(kit, ada):
    first = await provider_token(kit.system, ada, "demo")
    for _ in range(3):
        await kit.move(minutes=59, seconds=1)
        token = await provider_token(kit.system, ada, "demo")
        assert token != first
        assert (await about(kit, token))["sub"] == "demo-ada"
        assert await provider_token(kit.system, ada, "demo") == token
        first = token


async def test_many_who_want_it_at_once_use_the_refresh_token_once(kit, ada):
    await kit.move(hours=2)
    kit.identity.fault("slow", seconds=0.3)
    asked = kit.identity.requests
    tokens = await asyncio.gather(*(provider_token(kit.system, ada, "demo") for _ in range(8)))
    assert kit.identity.requests == asked + 1
    assert len(set(tokens)) == 1
    # A second use would have ended the grant, this one included.
    await kit.move(hours=2)
    assert (await about(kit, await provider_token(kit.system, ada, "demo")))["sub"] == "demo-ada"


async def test_a_refused_refresh_is_a_lost_connection_until_the_next_sign_in(kit, ada):
    await kit.move(hours=2)
    kit.identity.fault("refresh_revoked")
    with pytest.raises(ConnectionLost):
        await provider_token(kit.system, ada, "demo")
    asked = kit.identity.requests
    with pytest.raises(ConnectionLost):
        await provider_token(kit.system, ada, "demo")
    assert kit.identity.requests == asked
    async with kit.system.service(writes=False) as ctx:
        assert "account.connection_lost" in {one.action for one in await latest_entries(ctx.db)}
    await kit.sign_in("ada")
    assert (await about(kit, await provider_token(kit.system, ada, "demo")))["sub"] == "demo-ada"


async def test_a_provider_that_is_away_costs_nothing(kit, ada):
    await kit.move(hours=2)
    kit.identity.fault("token_500")
    with pytest.raises(ProviderUnreachable):
        await provider_token(kit.system, ada, "demo")
    assert (await about(kit, await provider_token(kit.system, ada, "demo")))["sub"] == "demo-ada"


async def test_the_lease_of_a_server_that_died_ends(kit, ada):
    await kit.move(hours=1)
    async with kit.system.service() as ctx:
        await ctx.db.run(take_lease, until=kit.clock.now() + timedelta(seconds=15))
    waiting = asyncio.create_task(provider_token(kit.system, ada, "demo"))
    await asyncio.wait([waiting], timeout=0.3)
    assert not waiting.done()
    await kit.move(seconds=15)
    assert (await about(kit, await waiting))["sub"] == "demo-ada"


async def test_a_caller_who_goes_away_loses_no_refresh_token(kit, ada):
    await kit.move(hours=2)
    kit.identity.fault("slow", seconds=0.3)
    asked = kit.identity.requests
    caller = asyncio.create_task(provider_token(kit.system, ada, "demo"))
    while kit.identity.requests == asked:
        await asyncio.sleep(0.01)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    token = await provider_token(kit.system, ada, "demo")
    assert kit.identity.requests == asked + 1
    assert (await about(kit, token))["sub"] == "demo-ada"


async def test_github_tokens_are_refreshed_too(three):
    browser = await three.client()
    await arrive(browser, "github", "ada")
    user = await me(browser)
    first = await provider_token(three.system, user, "github")
    await three.move(hours=8)
    second = await provider_token(three.system, user, "github")
    assert first != second
    assert second.startswith("ghu_")


async def test_without_a_refresh_token_an_ended_token_is_a_lost_connection(kit, ada):
    async with kit.system.service() as ctx:
        await ctx.db.run(no_refresh)
    await provider_token(kit.system, ada, "demo")
    await kit.move(hours=1)
    with pytest.raises(ConnectionLost):
        await provider_token(kit.system, ada, "demo")


async def test_there_is_no_token_for_who_has_no_account_there(three):
    user = await me(await three.sign_in("ada"))
    for provider in ("github", "google", "nobody"):
        with pytest.raises(ConnectionLost):
            await provider_token(three.system, user, provider)


@pytest.mark.parametrize("act", [ban_user, delete_user])
async def test_there_is_no_token_for_who_is_shut_out(kit, ada, act):
    async with kit.system.service() as ctx:
        await act(ctx, ada, reason="spam")
    with pytest.raises(ConnectionLost):
        await provider_token(kit.system, ada, "demo")


# --- Never shown ---


async def test_no_token_is_in_exports_lists_audit_problems_or_words(kit, ada, capsys):
    browser = await kit.sign_in("ada")
    [account] = await rows(kit, kept)
    await kit.move(hours=2)
    kit.identity.fault("refresh_revoked")
    with pytest.raises(ConnectionLost) as lost:
        await provider_token(kit.system, ada, "demo")
    module = next(one for one in kit.runtime.modules if one.name == "identity")
    async with kit.system.service(writes=False) as ctx:
        exported = [await one.collect(as_user(ctx, ada)) for one in module.exports]
    printed = capsys.readouterr()
    said = " ".join(
        map(str, (
            exported, (await browser.get("/v1/me/accounts")).text, (await browser.get("/settings")).text,
            await rows(kit, audited), lost.value, lost.value.internal, printed.out, printed.err,
        ))
    )  # fmt: skip
    sealed = [account.access_token, account.refresh_token]
    secrets = [*sealed, *(opened(kit, account.id, one) for one in sealed)]
    assert not [one for one in secrets if one in said]
    shown = repr(Granted(access_token="ACCESS", refresh_token="REFRESH", id_token="ID"))
    assert not [one for one in ("ACCESS", "REFRESH", "ID") if one in shown]


async def test_people_cannot_read_the_sealed_columns_either(kit, ada):
    """The API login is granted the other columns only; asking for these is refused on both databases."""
    async with kit.system.service(writes=False) as ctx:
        acting = as_user(ctx, ada)
    with pytest.raises(PolicyRefused):
        await acting.reading().db.rows(kept)


async def test_refreshing_is_refused_while_a_unit_is_open(kit, ada):
    provider = kit.runtime.port(SignInProviders).get("demo")
    async with kit.system.service() as ctx:
        await ctx.db.rows(kept)
        with pytest.raises(UnitStillOpen):
            await provider.refresh("x")
