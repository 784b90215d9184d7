"""A disconnected account: its provider is told that the tokens are wanted no longer, and nobody waits for it."""

import httpx2
import pytest
from sqlalchemy import func, select, update

from identity.round_trips import account_ids, arrive, connect, me
from tenantry import MagicLink
from tenantry.identity import provider_token
from tenantry.identity.errors import ConnectionLost
from tenantry.identity.models import Accounts
from tenantry.kernel.database import statement
from tenantry.kernel.jobs.models import Jobs

REVOKE = "identity.revoke_tokens"
states = statement(select(Jobs.status).where(Jobs.name == REVOKE))
payloads = statement(select(Jobs.payload).where(Jobs.name == REVOKE))
forget_tokens = statement(update(Accounts).values(access_token=None, refresh_token=None))
move_issuer = statement(update(Accounts).where(Accounts.provider == "corp").values(issuer="https://old.example"))
accounts = statement(select(func.count(Accounts.id)))


async def rows(kit, wanted):
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.rows(wanted)


async def ran(kit, wanted):
    async with kit.system.service() as ctx:
        await ctx.db.run(wanted)


async def disconnect(browser, provider):
    answer = await browser.delete(f"/v1/me/accounts/{(await account_ids(browser))[provider]}")
    assert answer.status_code == 204, answer.text


async def is_good(server, token):
    """Whether a provider takes an access token."""
    path = "/api/v3/user" if token.startswith("gh") else "/userinfo"
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {token}", "user-agent": "test"}) as client:
        return (await client.get(f"{server.url}{path}")).status_code == 200


@pytest.fixture
async def kit(start_three):
    return await start_three(MagicLink())


@pytest.fixture
async def ada(kit):
    """Signed in with the first provider, with an account at each of the other two."""
    browser = await kit.sign_in("ada")
    for provider, person in (("corp", "ada"), ("github", "ada")):
        assert (await connect(browser, provider, person)).status_code == 303
    return browser


@pytest.mark.parametrize("provider", ["corp", "github"])
async def test_the_tokens_are_over_at_the_provider_too(kit, ada, provider, corp_server, github_server):
    server = {"corp": corp_server, "github": github_server}[provider]
    token = await provider_token(kit.system, await me(ada), provider)
    asked = server.requests
    await disconnect(ada, provider)
    # Nobody has waited for it, and it has not been asked.
    assert server.requests == asked
    assert await is_good(server, token)
    await kit.run_jobs()
    assert not await is_good(server, token)
    assert await rows(kit, states) == ["done"]


async def test_the_refresh_token_is_over_too(kit, ada, corp_server):
    async with kit.system.service(writes=False) as ctx:
        sealed = (await ctx.db.rows(statement(select(Accounts.refresh_token).where(Accounts.provider == "corp"))))[0]
    account = (await account_ids(ada))["corp"]
    plain = kit.runtime.vault.open(sealed, purpose="provider-token", context=account).decode()
    await disconnect(ada, "corp")
    await kit.run_jobs()
    form = {
        "grant_type": "refresh_token", "refresh_token": plain, "client_id": "tenantry-demo",
        "client_secret": "demo-secret-not-for-production",
    }  # fmt: skip
    async with httpx2.AsyncClient() as client:
        answer = await client.post(f"{corp_server.url}/token", data=form)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_what_waits_is_sealed(kit, ada):
    token = await provider_token(kit.system, await me(ada), "corp")
    await disconnect(ada, "corp")
    [payload] = await rows(kit, payloads)
    assert token not in str(payload)
    assert payload["access_token"].startswith("v1.")
    assert payload["refresh_token"].startswith("v1.")


async def test_a_provider_that_is_away_is_asked_again(kit, ada, corp_server):
    token = await provider_token(kit.system, await me(ada), "corp")
    corp_server.fault("revocation_500")
    await disconnect(ada, "corp")
    await kit.run_jobs()
    assert await rows(kit, states) == ["queued"]
    assert await is_good(corp_server, token)
    await kit.move(minutes=1)
    await kit.run_jobs()
    assert await rows(kit, states) == ["done"]
    assert not await is_good(corp_server, token)


async def test_a_token_that_is_over_already_is_as_good(kit, ada, github_server):
    await kit.move(hours=9)
    browser = await kit.sign_in("ada")
    github_server.clear()
    await disconnect(browser, "github")
    await kit.run_jobs()
    assert await rows(kit, states) == ["done"]


async def test_who_connects_again_at_once_keeps_the_new_tokens(kit, ada, corp_server):
    await disconnect(ada, "corp")
    assert (await connect(ada, "corp", "ada")).status_code == 303
    token = await provider_token(kit.system, await me(ada), "corp")
    asked = corp_server.requests
    await kit.run_jobs()
    assert (await rows(kit, states), corp_server.requests) == (["done"], asked)
    assert await is_good(corp_server, token)


async def test_a_provider_with_another_address_is_told_nothing(kit, ada, corp_server):
    await ran(kit, move_issuer)
    await kit.move(hours=2)
    browser = await kit.sign_in("ada")
    asked = corp_server.requests
    with pytest.raises(ConnectionLost):
        await provider_token(kit.system, await me(browser), "corp")
    await disconnect(browser, "corp")
    await kit.run_jobs()
    assert (await rows(kit, states), corp_server.requests) == (["done"], asked)


async def test_a_provider_that_is_not_on_offer_any_more_is_let_be(kit, ada, start, product_of):
    await disconnect(ada, "corp")
    other = await start(product_of(sign_in=[MagicLink()]))
    await other.run_jobs()
    assert await rows(other, states) == ["done"]


async def test_an_account_without_tokens_leaves_no_job(kit, ada):
    await ran(kit, forget_tokens)
    await disconnect(ada, "corp")
    assert await rows(kit, states) == []


async def test_a_refused_disconnection_revokes_nothing(start_three):
    kit = await start_three()
    browser = await kit.client()
    await arrive(browser, "corp", "ada")
    refused = await browser.delete(f"/v1/me/accounts/{(await account_ids(browser))['corp']}")
    assert (refused.status_code, await rows(kit, states), await rows(kit, accounts)) == (409, [], [1])
