"""Bug classes of other identity systems that linking accounts could repeat."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import insert, select, update

from identity.round_trips import (
    HTML,
    account_ids,
    arrive,
    ask_to_link,
    begin_connect,
    connect,
    consent,
    me,
    providers_held,
)
from tenantry.identity import queries
from tenantry.identity.actions.registration import register
from tenantry.identity.models import Accounts, Passwords, Users
from tenantry.identity.tokens import Purpose, issue
from tenantry.kernel.crypto import SealBroken
from tenantry.kernel.database import param, statement

unprove = statement(update(Users).values(email_verified_at=None))
add_password = statement(insert(Passwords).values(user_id=param("user"), hash="x"))
passwords = statement(select(Passwords.user_id))
subjects = statement(select(Accounts.provider_account_id))
rename_demo = statement(update(Accounts).values(provider_account_id="demo-somebody-else"))


async def rows(kit, one):
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.rows(one)


async def imported(kit, email="ada@example.com"):
    """A user whose address nobody has proven, with a password somebody left there."""
    async with kit.system.service() as ctx:
        user = await register(ctx, email, name=None, method="import")
        await ctx.db.run(unprove)
        await ctx.db.run(add_password, user=user)
    return user


# --- 2: an account prepared for a victim before the victim comes ---


@pytest.mark.parametrize("provider", ["demo", "github"])
async def test_class_02_a_late_proof_by_a_provider_takes_off_what_was_left_there(three, provider):
    user = await imported(three)
    browser = await three.client()
    assert (await arrive(browser, provider, "ada")).headers["location"] == "/dashboard"
    assert await me(browser) == user
    assert await rows(three, passwords) == []
    assert await providers_held(three) == [provider]
    async with three.system.service(writes=False) as ctx:
        assert (await queries.users.known(ctx.db, user)).email_verified_at is not None


async def test_class_02_sessions_and_accounts_of_the_pre_hijacker_end(three):
    mallory = await three.sign_in("grace")
    user = await me(mallory)
    async with three.system.service() as ctx:
        await queries.users.readdress(ctx.db, user, "ada@example.com")
        await ctx.db.run(unprove)
        await issue(ctx, Purpose.RESET, "ada@example.com", user_id=user)
    ada = await three.client()
    await arrive(ada, "github", "ada")
    assert await me(ada) == user
    assert (await mallory.get("/v1/me")).status_code == 401
    assert await providers_held(three) == ["github"]
    # What let the other one in is nobody's now, or somebody else's.
    other = await three.client()
    assert (await arrive(other, "demo", "grace")).status_code == 303
    assert await me(other) != user


async def test_class_02_a_proven_address_is_never_linked_silently(three):
    await three.sign_in("ada")
    for provider in ("corp", "github"):
        browser = await ask_to_link(three, provider)
        assert "session" not in browser.cookies
    assert await providers_held(three) == ["demo"]


async def test_class_02_an_unproven_address_of_the_provider_opens_nothing(three):
    await imported(three, "mallory@example.com")
    browser = await three.client()
    refused = await arrive(browser, "corp", "mallory")
    assert refused.json()["code"] == "identity.email_unverified"
    assert await providers_held(three) == []
    assert await rows(three, passwords) != []


# --- 3: somebody else's round trip finished in this browser ---


async def test_class_03_a_connection_begun_elsewhere_is_not_finished_here(three):
    """Mallory begins to connect Mallory's account and lets Ada's browser follow the last link."""
    mallory, ada = await three.sign_in("grace"), await three.sign_in("ada")
    forged = await consent(await begin_connect(mallory, "github"), "ada")
    refused = await ada.get(forged)
    assert (refused.status_code, refused.json()["code"]) == (400, "identity.sign_in_expired")
    # Also while Ada has one of her own under way.
    await begin_connect(ada, "github")
    assert (await ada.get(forged)).json()["code"] == "identity.sign_in_expired"
    assert await providers_held(three) == ["demo", "demo"]


async def test_class_03_not_even_with_the_note_planted(three):
    """Whoever can set cookies here still has to be the person the note names."""
    mallory, ada = await three.sign_in("grace"), await three.sign_in("ada")
    forged = await consent(await begin_connect(mallory, "github"), "ada")
    for name, value in mallory.cookies.items():
        if name.startswith("signin-"):
            ada.cookies.set(name, value, domain="127.0.0.1")
    refused = await ada.get(forged)
    assert (refused.status_code, refused.json()["code"]) == (403, "identity.other_person")
    assert await providers_held(three) == ["demo", "demo"]


async def test_class_03_a_connection_is_for_who_began_it_also_in_one_browser(three):
    browser = await three.sign_in("ada")
    back = await consent(await begin_connect(browser, "github"), "ada")
    await three.sign_in("grace", client=browser)
    assert (await browser.get(back)).json()["code"] == "identity.other_person"
    back = await consent(await begin_connect(browser, "github"), "ada")
    await browser.post("/auth/signout")
    assert (await browser.get(back)).json()["code"] == "identity.other_person"
    assert "session" not in browser.cookies
    assert await providers_held(three) == ["demo", "demo"]


async def test_class_03_a_sign_in_does_not_become_a_connection_nor_the_other_way(three):
    """A sign-in under way while somebody is signed in signs in; it adds nothing to who was there."""
    browser = await three.sign_in("ada")
    user = await me(browser)
    assert (await arrive(browser, "corp", "grace")).status_code == 303
    assert await me(browser) != user
    assert await providers_held(three) == ["corp", "demo"]


@pytest.mark.parametrize(
    "path", ["/settings/accounts/github/connect", "/v1/me/accounts/github/connect", "/auth/link-account",
             "/v1/auth/link-account", "/settings/accounts/{id}/disconnect"],
)  # fmt: skip
async def test_class_03_another_site_cannot_begin_or_confirm(three, path):
    ada = await three.sign_in("ada")
    account = (await account_ids(ada))["demo"]
    await arrive(ada, "github", "ada")  # something waits to be confirmed
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}, {"origin": "null"}):
        refused = await ada.post(path.format(id=account), headers=headers)
        assert (refused.status_code, "web.cross_site" in refused.text) == (403, True)
    assert await providers_held(three) == ["demo"]
    assert (await ada.get("/v1/auth/link-account")).json()["status"] == "confirm"


async def test_class_03_looking_confirms_nothing(three):
    """Scanners, prefetches and pictures only look."""
    ada = await three.sign_in("ada")
    await arrive(ada, "github", "ada")
    for path in ("/auth/link-account", "/v1/auth/link-account"):
        assert (await ada.get(path)).status_code == 200
        assert (await ada.head(path)).status_code in {200, 405}
    assert await providers_held(three) == ["demo"]


# --- 4: what can change is no identity ---


async def test_class_04_the_subject_counts_not_the_address(three):
    """Whoever takes over an address at the provider is not whom it belonged to."""
    await three.sign_in("ada")
    async with three.system.service() as ctx:
        await ctx.db.run(rename_demo)
    browser = await three.client()
    landed = await arrive(browser, "demo", "ada")
    assert landed.headers["location"].startswith("/auth/link-account?")
    assert "session" not in browser.cookies


async def test_class_04_a_changed_address_at_the_provider_changes_nobody_here(three):
    ada = await three.sign_in("ada")
    async with three.system.service() as ctx:
        await queries.users.readdress(ctx.db, await me(ada), "countess@example.com")
    again = await three.sign_in("ada")
    assert (await again.get("/v1/me")).json()["email"] == "countess@example.com"
    assert await me(again) == await me(ada)


async def test_class_04_github_is_known_by_its_number(three):
    browser = await three.client()
    await arrive(browser, "github", "ada")
    assert await rows(three, subjects) == ["583231"]


# --- 5 and 13: what is meant for one use is good for no other ---


async def test_class_05_the_same_subject_at_another_issuer_is_another_account(three):
    """`demo-ada` of one provider is not `demo-ada` of another one."""
    ada = await three.sign_in("ada")
    await connect(ada, "corp", "grace")
    browser = await three.client()
    await arrive(browser, "corp", "grace")
    assert await me(browser) == await me(ada)
    other = await three.client()
    assert (await arrive(other, "demo", "grace")).headers["location"].startswith("/auth/link-account?") is False
    assert await me(other) != await me(ada)


async def test_class_05_an_answer_of_one_provider_is_none_of_another(three):
    browser = await three.client()
    back = await consent((await browser.get("/auth/demo/start")).headers["location"], "ada")
    refused = await browser.get(back.replace("/auth/demo/", "/auth/corp/"))
    assert refused.json()["code"] == "identity.sign_in_expired"


@pytest.mark.parametrize("mode", ["wrong_aud", "wrong_iss", "wrong_nonce", "alg_none", "wrong_key", "mix_up_iss"])
async def test_class_05_connecting_verifies_as_much_as_signing_in(three, corp_server, mode):
    ada = await three.sign_in("ada")
    corp_server.fault(mode)
    refused = await connect(ada, "corp", "ada")
    assert refused.status_code in {400, 502}
    assert await providers_held(three) == ["demo"]


async def test_class_13_no_token_of_another_purpose_confirms_a_link(three):
    ada = await three.sign_in("ada")
    user = await me(ada)
    for purpose in Purpose:
        if purpose is Purpose.LINK:
            continue
        async with three.system.service() as ctx:
            issued = await issue(ctx, purpose, "ada@example.com", user_id=user)
        for token in (issued.token, "link_" + issued.token.rpartition("_")[2], ada.cookies["session"]):
            headers = {"cookie": f"session={ada.cookies['session']}; link={token}"}
            refused = await ada.post("/v1/auth/link-account", headers=headers)
            assert refused.json()["code"] == "identity.link_expired", purpose
    assert await providers_held(three) == ["demo"]


async def test_class_13_the_token_of_a_link_is_nothing_else(three):
    await three.sign_in("ada")
    browser = await ask_to_link(three)
    token = browser.cookies["link"]
    stranger = await three.client()
    for name in ("session", "half"):
        assert (await stranger.get("/v1/me", headers={"cookie": f"{name}={token}"})).status_code == 401
    shown = await stranger.get("/auth/verify", params={"token": token}, headers=HTML)
    assert shown.status_code in {400, 404}


async def test_class_13_a_sealed_note_is_for_one_thing(three):
    """The cookie of a sign-in, the tokens of a provider and what waits are sealed for different purposes."""
    ada = await three.sign_in("ada")
    await begin_connect(ada, "github")
    note = next(value for name, value in ada.cookies.items() if name.startswith("signin-"))
    with pytest.raises(SealBroken):
        three.runtime.vault.open(note, purpose="provider-token")


# --- 11: nowhere else ---


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
async def test_class_11_no_redirect_of_linking_leads_elsewhere(three, back):
    ada = await three.sign_in("ada")
    landed = await ada.get(await consent(await begin_connect(ada, "github", return_to=back), "ada"))
    assert landed.headers["location"] == "/settings"
    account = (await account_ids(ada))["github"]
    await ada.delete(f"/v1/me/accounts/{account}")
    waiting = await arrive(ada, "github", "ada", back)
    assert waiting.headers["location"] == "/auth/link-account?return_to=%2Fdashboard"
    shown = await ada.get("/auth/link-account", params={"return_to": back}, headers=HTML)
    assert 'name="return_to" value="/dashboard"' in shown.text
    assert back not in shown.text
    done = await ada.post("/auth/link-account", data={"return_to": back})
    assert done.headers["location"] == "/dashboard"


# --- 15: other people's accounts ---


async def test_class_15_an_account_of_somebody_else_is_not_there(three):
    ada, grace = await three.sign_in("ada"), await three.sign_in("grace")
    await connect(ada, "github", "ada")
    theirs = (await account_ids(ada))["github"]
    for _ in range(2):
        refused = await grace.delete(f"/v1/me/accounts/{theirs}")
        assert (refused.status_code, refused.json()["code"]) == (404, "identity.account_not_found")
    page = await grace.post(f"/settings/accounts/{theirs}/disconnect", headers=HTML)
    assert page.status_code == 404
    nobody = await grace.delete(f"/v1/me/accounts/{UUID(int=7)}")
    assert {**nobody.json(), "request_id": ""} == {**refused.json(), "request_id": ""}
    assert await providers_held(three) == ["demo", "demo", "github"]
    assert list(await account_ids(grace)) == ["demo"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/me/accounts"), ("POST", "/v1/me/accounts/github/connect"), ("POST", "/v1/auth/link-account"),
        ("DELETE", f"/v1/me/accounts/{UUID(int=7)}"),
    ],
)  # fmt: skip
async def test_class_15_a_stranger_has_no_accounts(three, method, path):
    stranger = await three.client()
    assert (await stranger.request(method, path)).status_code == 401


async def test_class_15_a_waiting_link_is_not_shown_to_others(three):
    await three.sign_in("ada")
    waiting = await ask_to_link(three)
    grace = await three.sign_in("grace")
    grace.cookies.set("link", waiting.cookies["link"], domain="127.0.0.1")
    answers = await asyncio.gather(grace.get("/v1/auth/link-account"), grace.get("/auth/link-account", headers=HTML))
    assert not [one for one in answers if "ada@example.com" in one.text]


# --- 20: nobody writes what they like ---


@pytest.mark.parametrize(
    "body",
    [
        {"user_id": str(UUID(int=7))}, {"email": "x@example.com"}, {"provider_account_id": "demo-ada"},
        {"return_to": ["/a", "/b"]}, {"return_to": {"__proto__": 1}}, {"return_to": "/" + "a" * 600}, [], "x",
    ],
    ids=repr,
)  # fmt: skip
async def test_class_20_connecting_takes_no_other_member(three, body):
    ada = await three.sign_in("ada")
    refused = await ada.post("/v1/me/accounts/github/connect", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "request.invalid")
    assert not [name for name in ada.cookies if name.startswith("signin-")]
