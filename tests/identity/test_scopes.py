"""What a product asks of a provider beside the sign-in, and what comes of it."""

from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from identity.round_trips import arrive, me
from tenantry import GitHub, Google, OpenIDConnect
from tenantry.identity import provider_token, sign_in_providers
from tenantry.identity.models import Accounts
from tenantry.identity.providers.base import Pending
from tenantry.kernel import Settings
from tenantry.kernel.clock import SystemClock
from tenantry.kernel.database import statement
from tenantry.testing.standins import DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, GITHUB_CLIENT_ID, GITHUB_CLIENT_SECRET

scopes = statement(select(Accounts.scope))
KEY = "test-key-of-forty-characters-0123456789ab"


def asked(location):
    return {name: value[0] for name, value in parse_qs(urlsplit(location).query).items()}


@pytest.fixture
def corp(start, product_of, corp_server):
    """What starts a product with one OpenID Connect provider, declared as given."""
    corp_server.clear()
    known = {
        "oidc_issuer": corp_server.url, "oidc_client_id": DEMO_CLIENT_ID, "oidc_client_secret": DEMO_CLIENT_SECRET,
    }  # fmt: skip

    async def begin(**declared):
        way = OpenIDConnect("corp", **declared)
        return await start(product_of(sign_in=[way]), identity=corp_server, demo_issuer=None, **known)

    return begin


async def test_further_scopes_are_asked_for_and_kept_with_the_account(corp):
    kit = await corp(scopes=["notes:read", "email"])
    browser = await kit.client()
    sent = asked((await browser.get("/auth/corp/start")).headers["location"])
    assert sent["scope"].split() == ["openid", "profile", "email", "notes:read"]
    assert not {"prompt", "access_type"} & sent.keys()
    await arrive(browser, "corp", "ada")
    async with kit.system.service(writes=False) as ctx:
        assert await ctx.db.rows(scopes) == ["email notes:read openid profile"]
    assert await provider_token(kit.system, await me(browser), "corp")


async def test_offline_asks_for_the_scope_and_for_the_consent_that_it_needs(corp):
    kit = await corp(offline=True)
    browser = await kit.client()
    sent = asked((await browser.get("/auth/corp/start")).headers["location"])
    assert sent["scope"].split() == ["openid", "profile", "email", "offline_access"]
    assert (sent["prompt"], "access_type" in sent) == ("consent", False)
    await arrive(browser, "corp", "ada")
    user = await me(browser)
    await kit.move(hours=2)
    assert await provider_token(kit.system, user, "corp")


async def test_without_them_only_what_signing_in_needs_is_asked_for(corp):
    kit = await corp()
    sent = asked((await (await kit.client()).get("/auth/corp/start")).headers["location"])
    assert sent["scope"] == "openid profile email"
    assert "prompt" not in sent


async def test_googles_offline_access_is_a_parameter_and_no_scope(product_of):
    way = Google(scopes=["https://www.googleapis.com/auth/calendar.readonly"], offline=True)
    settings = Settings(secret_keys=(KEY,), google_client_id="x", google_client_secret="y")
    [google] = sign_in_providers(product_of(sign_in=[way]), settings, SystemClock()).all
    assert google.issuer == "https://accounts.google.com"
    assert google._parameters == {"access_type": "offline", "prompt": "consent"}
    assert google._http._scope == "openid profile email https://www.googleapis.com/auth/calendar.readonly"


async def test_github_is_asked_for_further_scopes(product_of, github_server):
    way = GitHub(scopes=["repo", "read:user"])
    settings = Settings(
        secret_keys=(KEY,),
        github_client_id=GITHUB_CLIENT_ID,
        github_client_secret=GITHUB_CLIENT_SECRET,
        github_base_url=github_server.url,
    )
    providers = sign_in_providers(product_of(sign_in=[way]), settings, SystemClock())
    await providers.open()
    url = await providers.all[0].authorization_url(Pending("github", "s", "n", "v" * 43, "http://127.0.0.1/x", "/"))
    await providers.aclose()
    assert asked(url)["scope"] == "read:user user:email repo"
