"""Connecting and disconnecting accounts, over real HTTP, on both databases."""

import asyncio

import pytest
from sqlalchemy import insert, select, update

from identity.mailbox import mailbox
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
from tenantry import MagicLink, Passkey, Password
from tenantry.identity.models import Accounts, Passkeys, Passwords, TotpSecrets, Users, VerificationTokens
from tenantry.kernel import new_id
from tenantry.kernel.database import param, statement
from tenantry.kernel.sql import now
from tenantry.testing import PUBLIC_URL
from tenantry.testing.queries import latest_entries

move_issuer = statement(update(Accounts).where(Accounts.provider == "demo").values(issuer="https://old.example"))
readdress = statement(update(Users).values(email="countess@example.com"))
add_password = statement(insert(Passwords).values(user_id=param("user"), hash="x"))
add_totp = statement(insert(TotpSecrets).values(user_id=param("user"), secret="sealed", confirmed_at=now()))
purposes = statement(select(VerificationTokens.purpose))
add_passkey = statement(
    insert(Passkeys).values(
        id=param("id"), user_id=param("user"), name="Key", credential_id=b"1", public_key=b"2", transports=[],
        backed_up=False,
    )
)  # fmt: skip


async def ran(kit, *statements, **given):
    async with kit.system.service() as ctx:
        return [await ctx.db.run(one, **given) for one in statements]


async def same_person(kit, *ways):
    """The users that each (provider, person) signs in as."""
    found = set()
    for provider, person in ways:
        browser = await kit.client()
        assert (await arrive(browser, provider, person)).status_code == 303
        found.add(await me(browser))
    return len(found) == 1


# --- Connecting from the settings ---


async def test_me_names_the_provider_one_came_with_and_the_accounts_how_they_know_one(three):
    ada = await three.sign_in("ada")
    await connect(ada, "github", "ada")
    assert (await ada.get("/v1/me")).json()["provider"] == "demo"
    held = (await ada.get("/v1/me/accounts")).json()["items"]
    assert [(one["provider"], one["provider_account_id"]) for one in held] == [
        ("demo", "demo-ada"),
        ("github", "583231"),
    ]
    assert (await ada.delete(f"/v1/me/accounts/{held[0]['id']}")).status_code == 204
    assert (await ada.get("/v1/me")).json()["provider"] == "github"


async def test_a_signed_in_person_connects_a_provider_from_the_settings(three):
    ada = await three.sign_in("ada")
    leaving = await ada.post("/settings/accounts/github/connect", headers=HTML)
    assert leaving.status_code == 200
    assert "Continue with GitHub" in leaving.text
    assert leaving.headers["cache-control"] == "no-store"
    url = leaving.text.split('content="0; url=')[1].split('"')[0].replace("&amp;", "&")
    landed = await ada.get(await consent(url, "ada"))
    assert (landed.status_code, landed.headers["location"]) == (303, "/settings?done=accounts")
    assert await account_ids(ada) != {}
    assert await providers_held(three) == ["demo", "github"]
    assert await same_person(three, ("demo", "ada"), ("github", "ada"))
    async with three.system.service(writes=False) as ctx:
        assert "account.connected" in {one.action for one in await latest_entries(ctx.db)}


async def test_apps_get_an_address_and_name_where_to_go_on(three):
    ada = await three.sign_in("ada")
    url = await begin_connect(ada, "corp", return_to="/dashboard?connected=1")
    landed = await ada.get(await consent(url, "grace"))
    assert landed.headers["location"] == "/dashboard?connected=1"
    listed = (await ada.get("/v1/me/accounts")).json()
    assert listed["next_cursor"] is None
    assert [(one["provider"], one["email"]) for one in listed["items"]] == [
        ("demo", "ada@example.com"), ("corp", "grace@example.com"),
    ]  # fmt: skip


async def test_connecting_asks_for_a_recent_proof(three):
    ada = await three.sign_in("ada")
    await three.move(minutes=11)
    refused = await ada.post("/v1/me/accounts/github/connect")
    assert (refused.status_code, refused.json()["code"]) == (403, "identity.confirmation_needed")
    page = await ada.post("/settings/accounts/github/connect", headers=HTML)
    assert (page.status_code, page.headers["location"]) == (303, "/auth/confirm?return_to=%2Fsettings")
    account = (await account_ids(ada))["demo"]
    assert (await ada.delete(f"/v1/me/accounts/{account}")).json()["code"] == "identity.confirmation_needed"
    page = await ada.post(f"/settings/accounts/{account}/disconnect", headers=HTML)
    assert page.headers["location"] == "/auth/confirm?return_to=%2Fsettings"


async def test_the_same_account_connected_twice_is_there_once(three):
    ada = await three.sign_in("ada")
    first, second = [await begin_connect(ada, "github") for _ in range(2)]
    assert (await connect(ada, "github", "ada")).status_code == 303
    for url in (first, second):
        assert (await ada.get(await consent(url, "ada"))).status_code == 303
    assert await providers_held(three) == ["demo", "github"]


async def test_the_same_account_from_two_tabs_at_once_is_there_once(three):
    ada = await three.sign_in("ada")
    backs = [await consent(await begin_connect(ada, "github"), "ada") for _ in range(4)]
    landed = await asyncio.gather(*(ada.get(back) for back in backs))
    assert [one.status_code for one in landed] == [303] * 4
    assert await providers_held(three) == ["demo", "github"]


async def test_an_account_of_somebody_else_is_not_taken_away(three):
    grace = await three.client()
    await arrive(grace, "github", "ada")  # whoever it is, the address was free
    ada = await three.sign_in("grace")
    refused = await connect(ada, "github", "ada")
    assert (refused.status_code, refused.json()["code"]) == (409, "identity.account_taken")
    assert await providers_held(three) == ["demo", "github"]
    assert list(await account_ids(ada)) == ["demo"]


async def test_an_account_with_somebody_elses_address_is_not_connected(three):
    await three.sign_in("grace")
    ada = await three.sign_in("ada")
    refused = await connect(ada, "corp", "grace")
    assert refused.json()["code"] == "identity.account_taken"
    assert await providers_held(three) == ["demo", "demo"]


async def test_an_unproven_address_is_connected_but_not_shown(three):
    ada = await three.sign_in("ada")
    assert (await connect(ada, "corp", "mallory")).status_code == 303
    shown = {one["provider"]: one["email"] for one in (await ada.get("/v1/me/accounts")).json()["items"]}
    assert shown == {"demo": "ada@example.com", "corp": None}


async def test_a_provider_that_is_not_on_offer(three):
    ada = await three.sign_in("ada")
    assert (await ada.post("/v1/me/accounts/google/connect")).json()["code"] == "identity.provider_unknown"
    page = await ada.post("/settings/accounts/google/connect", headers=HTML)
    assert (page.status_code, "identity.provider_unknown" in page.text) == (404, True)


async def test_a_person_who_says_no_over_there_is_back_with_nothing_changed(three):
    ada = await three.sign_in("ada")
    refused = await ada.get(await consent(await begin_connect(ada, "github"), "__deny__"))
    assert refused.json()["code"] == "identity.sign_in_denied"
    assert await providers_held(three) == ["demo"]
    assert (await ada.get("/v1/me")).status_code == 200


async def test_ways_to_connect_are_those_without_an_account(three):
    ada = await three.sign_in("ada")
    shown = await ada.get("/settings", headers=HTML)
    for provider, is_shown in (("github", True), ("corp", True), ("demo", False)):
        assert (f"/settings/accounts/{provider}/connect" in shown.text) is is_shown
    await connect(ada, "github", "ada")
    shown = await ada.get("/settings", headers=HTML)
    assert "/settings/accounts/github/connect" not in shown.text
    assert shown.text.count("/disconnect") == 2


async def test_the_owner_is_told_by_mail(three):
    ada = await three.sign_in("ada")
    await connect(ada, "github", "ada")
    await connect(ada, "github", "ada")  # nothing new
    account = (await account_ids(ada))["github"]
    await ada.delete(f"/v1/me/accounts/{account}", headers={"accept-language": "de"})
    await arrive(ada, "github", "ada")
    await ada.post("/v1/auth/link-account")
    mails = await mailbox(three, "ada@example.com")
    assert [one.subject for one in mails] == [
        "GitHub was connected", "GitHub wurde getrennt", "GitHub was connected",
    ]  # fmt: skip
    assert f"{PUBLIC_URL}/settings#accounts" in mails[0].text


# --- An address that is somebody's already ---


async def test_who_comes_with_a_known_address_signs_in_as_before_and_confirms(three):
    first = await three.sign_in("ada")
    browser = await ask_to_link(three)
    assert "session" not in browser.cookies
    shown = await browser.get("/auth/link-account?return_to=%2Fdashboard", headers=HTML)
    assert "You have an account already" in shown.text
    assert "/signin?return_to=" in shown.text
    assert await providers_held(three) == ["demo"]
    landed = await arrive(browser, "demo", "ada", "/auth/link-account?return_to=%2Fdashboard")
    assert landed.headers["location"] == "/auth/link-account?return_to=%2Fdashboard"
    asked = await browser.get(landed.headers["location"], headers=HTML)
    assert "Connect GitHub to this account?" in asked.text
    assert await providers_held(three) == ["demo"]
    done = await browser.post("/auth/link-account", data={"return_to": "/settings"})
    assert (done.status_code, done.headers["location"]) == (303, "/settings")
    assert "link" not in browser.cookies
    assert await providers_held(three) == ["demo", "github"]
    assert await me(first) == await me(browser)
    assert await same_person(three, ("demo", "ada"), ("github", "ada"))


async def test_the_same_for_apps(three):
    await three.sign_in("ada")
    browser = await ask_to_link(three)
    waiting = {"status": "sign_in", "provider": "github", "email": "ada@example.com"}
    assert (await browser.get("/v1/auth/link-account")).json() == waiting
    assert (await browser.post("/v1/auth/link-account")).status_code == 401
    await three.sign_in("ada", client=browser)
    assert (await browser.get("/v1/auth/link-account")).json() == waiting | {"status": "confirm"}
    linked = await browser.post("/v1/auth/link-account")
    assert (linked.status_code, linked.json()["provider"]) == (200, "github")
    assert "link" not in browser.cookies
    again = await browser.get("/v1/auth/link-account")
    assert (again.status_code, again.json()["code"]) == (400, "identity.link_expired")


async def test_a_browser_that_is_signed_in_already_only_confirms(three):
    browser = await three.sign_in("ada")
    landed = await arrive(browser, "github", "ada")
    assert landed.headers["location"].startswith("/auth/link-account?")
    assert (await browser.get("/v1/auth/link-account")).json()["status"] == "confirm"
    assert (await browser.post("/v1/auth/link-account")).status_code == 200


async def test_confirming_asks_for_a_recent_proof(three):
    browser = await three.sign_in("ada")
    await three.move(minutes=11)
    await arrive(browser, "github", "ada")
    assert (await browser.post("/v1/auth/link-account")).json()["code"] == "identity.confirmation_needed"
    for answer in (
        await browser.get("/auth/link-account", headers=HTML),
        await browser.post("/auth/link-account", headers=HTML),
    ):
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/auth/confirm?return_to=%2Fauth%2Flink-account")
    assert await providers_held(three) == ["demo"]


async def test_what_waits_expires(three):
    await three.sign_in("ada")
    browser = await ask_to_link(three)
    await three.move(minutes=15)
    await three.sign_in("ada", client=browser)
    shown = await browser.get("/auth/link-account", headers=HTML)
    assert (shown.status_code, "identity.link_expired" in shown.text) == (400, True)
    assert "link" not in browser.cookies
    assert await providers_held(three) == ["demo"]


async def test_what_waits_works_once(three):
    await three.sign_in("ada")
    browser = await ask_to_link(three)
    kept = browser.cookies["link"]
    await three.sign_in("ada", client=browser)
    assert (await browser.post("/v1/auth/link-account")).status_code == 200
    browser.cookies.set("link", kept, domain="127.0.0.1")
    assert (await browser.post("/v1/auth/link-account")).json()["code"] == "identity.link_expired"


async def test_what_waits_is_nothing_for_another_person(three):
    await three.sign_in("ada")
    browser = await ask_to_link(three)
    await three.sign_in("grace", client=browser)
    for answer in (await browser.get("/v1/auth/link-account"), await browser.post("/v1/auth/link-account")):
        assert (answer.status_code, answer.json()["code"]) == (403, "identity.other_person")
    shown = await browser.get("/auth/link-account", headers=HTML)
    assert (shown.status_code, "ada@example.com" in shown.text) == (403, False)
    # And it still waits for whom it is meant.
    await three.sign_in("ada", client=browser)
    assert (await browser.post("/v1/auth/link-account")).status_code == 200


async def test_what_waits_ends_when_the_address_changes(three):
    await three.sign_in("ada")
    browser = await ask_to_link(three)
    await three.sign_in("ada", client=browser)
    await ran(three, readdress)
    assert (await browser.post("/v1/auth/link-account")).json()["code"] == "identity.other_person"


async def test_without_a_note_there_is_nothing_to_confirm(three):
    browser = await three.sign_in("ada")
    for note in (None, "link_short", "sess_" + "A" * 43, "link_" + "A" * 43):
        headers = {} if note is None else {"cookie": f"link={note}"}
        answer = await browser.get("/v1/auth/link-account", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "identity.link_expired")


async def test_two_browsers_racing_one_link_token_connect_once(three):
    await three.sign_in("ada")
    waiting = await ask_to_link(three)
    browsers = [await three.sign_in("ada") for _ in range(4)]
    for browser in browsers:
        browser.cookies.set("link", waiting.cookies["link"], domain="127.0.0.1")
    answers = await asyncio.gather(*(browser.post("/v1/auth/link-account") for browser in browsers))
    assert sorted(one.status_code for one in answers) == [200, 400, 400, 400]
    assert await providers_held(three) == ["demo", "github"]


# --- Taking one away ---


async def test_disconnecting_ends_what_the_account_began_but_not_the_session_that_asks(three):
    ada = await three.sign_in("ada")
    other = await three.sign_in("ada")
    await connect(ada, "github", "ada")
    by_github = await three.client()
    await arrive(by_github, "github", "ada")
    accounts = await account_ids(ada)
    assert (await ada.delete(f"/v1/me/accounts/{accounts['demo']}")).status_code == 204
    assert (await ada.get("/v1/me")).status_code == 200
    assert (await by_github.get("/v1/me")).status_code == 200
    assert (await other.get("/v1/me")).status_code == 401
    assert list(await account_ids(ada)) == ["github"]
    async with three.system.service(writes=False) as ctx:
        assert "account.disconnected" in {one.action for one in await latest_entries(ctx.db)}


async def test_disconnecting_from_the_settings(three):
    ada = await three.sign_in("ada")
    await connect(ada, "github", "ada")
    accounts = await account_ids(ada)
    done = await ada.post(f"/settings/accounts/{accounts['github']}/disconnect")
    assert (done.status_code, done.headers["location"]) == (303, "/settings?done=accounts#accounts")
    refused = await ada.post(f"/settings/accounts/{accounts['demo']}/disconnect", headers=HTML)
    assert (refused.status_code, "identity.last_way_in" in refused.text) == (409, True)
    gone = await ada.post(f"/settings/accounts/{accounts['github']}/disconnect", headers=HTML)
    assert gone.status_code == 404


async def test_half_a_sign_in_of_a_disconnected_account_stays_half(three):
    ada = await three.sign_in("ada")
    await connect(ada, "github", "ada")
    await ran(three, add_totp, user=await me(ada))
    half = await three.client()
    assert (await arrive(half, "github", "ada")).headers["location"].startswith("/auth/second-factor?")
    account = (await account_ids(ada))["github"]
    assert (await ada.delete(f"/v1/me/accounts/{account}")).status_code == 204
    async with three.system.service(writes=False) as ctx:
        assert await ctx.db.rows(purposes) == []


async def test_a_disconnected_account_can_come_back(three):
    ada = await three.sign_in("ada")
    await connect(ada, "github", "ada")
    account = (await account_ids(ada))["github"]
    assert (await ada.delete(f"/v1/me/accounts/{account}")).status_code == 204
    await ask_to_link(three)
    assert (await connect(ada, "github", "ada")).status_code == 303


async def test_the_last_way_in_is_kept(three):
    ada = await three.sign_in("ada")
    account = (await account_ids(ada))["demo"]
    refused = await ada.delete(f"/v1/me/accounts/{account}")
    assert (refused.status_code, refused.json()["code"]) == (409, "identity.last_way_in")
    assert await providers_held(three) == ["demo"]
    assert (await ada.get("/v1/me")).status_code == 200


async def test_an_account_whose_provider_is_gone_is_no_way_in(start_three):
    kit = await start_three()
    ada = await kit.sign_in("ada")
    await connect(ada, "github", "ada")
    await ran(kit, move_issuer)
    account = (await account_ids(ada))["github"]
    assert (await ada.delete(f"/v1/me/accounts/{account}")).json()["code"] == "identity.last_way_in"


@pytest.mark.parametrize(
    ("ways", "rows", "status"),
    [
        ((), (add_password,), 409),
        ((), (add_passkey,), 409),
        ((Password(),), (), 409),
        ((Password(),), (add_password,), 204),
        ((Passkey(),), (), 409),
        ((Passkey(),), (add_passkey,), 204),
        ((MagicLink(),), (), 204),
    ],
)
async def test_what_counts_as_a_way_in_is_what_the_product_offers(start_three, ways, rows, status):
    kit = await start_three(*ways)
    ada = await kit.sign_in("ada")
    user = await me(ada)
    for row in rows:
        await ran(kit, row, user=user, **({"id": new_id()} if row is add_passkey else {}))
    account = (await account_ids(ada))["demo"]
    assert (await ada.delete(f"/v1/me/accounts/{account}")).status_code == status


async def test_two_racing_disconnects_of_two_last_ways_leave_one(three):
    ada = await three.sign_in("ada")
    await connect(ada, "github", "ada")
    accounts = await account_ids(ada)
    answers = await asyncio.gather(*(ada.delete(f"/v1/me/accounts/{one}") for one in accounts.values()))
    assert sorted(one.status_code for one in answers) == [204, 409]
    assert len(await providers_held(three)) == 1
