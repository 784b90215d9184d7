"""The second half of a sign-in, through its page and its JSON door."""

from uuid import UUID

import pytest
from sqlalchemy import delete, insert, update

from identity.second_factors import STEP, App, half, is_signed_in
from tenantry.identity.models import Accounts, Passkeys, Sessions
from tenantry.kernel import new_id
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.types import Id

_detach = statement(update(Sessions).values(account_id=None))
_disconnect = statement(delete(Accounts))
_passkey = statement(
    insert(Passkeys).values(
        id=param("id"), user_id=param("user", Id()), name="Key", credential_id=b"1", public_key=b"2", transports=[],
        backed_up=False,
    )
)  # fmt: skip


async def shown(client, **body):
    return await client.post("/v1/auth/second-factor", json=body)


async def test_the_page_lets_in_who_shows_a_code(kit):
    app = await App.of(kit, await kit.sign_in("ada"))
    client = await kit.client()
    asked = await kit.finish_sign_in(client, "ada", await client.get("/auth/demo/start?return_to=/settings"))
    assert asked.headers["location"] == "/auth/second-factor?return_to=%2Fsettings"
    page = await client.get(asked.headers["location"])
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    assert 'autocomplete="one-time-code"' in page.text
    wrong = await client.post("/auth/second-factor", data={"code": app.wrong_code(kit), "return_to": "/settings"})
    assert wrong.status_code == 422
    assert 'aria-invalid="true"' in wrong.text
    assert 'value="/settings"' in wrong.text
    passed = await client.post("/auth/second-factor", data={"code": app.code(kit), "return_to": "/settings"})
    assert (passed.status_code, passed.headers["location"]) == (303, "/settings")
    assert await is_signed_in(client)
    assert "half" not in client.cookies
    assert (await client.get("/auth/second-factor?return_to=/docs")).headers["location"] == "/docs"


async def test_the_page_takes_a_recovery_code(kit):
    app = await App.of(kit, await kit.sign_in("ada"))
    client = await half(kit)
    wrong = await client.post("/auth/second-factor", data={"recovery": "22222-22222"})
    assert wrong.status_code == 422
    assert '<details class="disclosure" open>' in wrong.text
    passed = await client.post("/auth/second-factor", data={"recovery": app.recovery_codes[3]})
    assert passed.headers["location"] == "/dashboard"
    assert await is_signed_in(client)


async def test_the_session_says_how_it_began_and_the_half_is_used_up(kit):
    app = await App.of(kit, await kit.sign_in("ada"))
    client = await half(kit)
    token = client.cookies["half"]
    answer = await shown(client, code=app.code(kit))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["status"], body["token"]) == ("signed_in", None)
    sessions = (await client.get("/v1/me/sessions")).json()["items"]
    assert [one["method"] for one in sessions if one["id"] == body["session"]["id"]] == ["demo"]
    await kit.move(seconds=STEP)
    again = await shown(await kit.client(), code=app.code(kit), token=token)
    assert (again.status_code, again.json()["code"]) == (400, "identity.sign_in_expired")


async def test_an_app_without_cookies_brings_the_token_and_gets_one(kit):
    app = await App.of(kit, await kit.sign_in("ada"))
    token = (await half(kit)).cookies["half"]
    client = await kit.client()
    answer = await shown(client, code=app.code(kit), token=token, deliver="token")
    assert answer.status_code == 200
    assert answer.json()["token"].startswith("sess_")
    assert "set-cookie" not in answer.headers


async def test_who_was_signed_in_before_is_signed_out(kit):
    app = await App.of(kit, await kit.sign_in("ada"))
    browser = await kit.sign_in("grace")
    old = browser.cookies["session"]
    await kit.finish_sign_in(browser, "ada", await browser.get("/auth/demo/start"))
    # Between the halves nobody is signed in here: neither in this browser nor with what it held.
    assert not await is_signed_in(browser)
    thief = await kit.client()
    assert (await thief.get("/v1/me", headers={"Cookie": f"session={old}"})).status_code == 401
    assert (await shown(browser, code=app.code(kit))).status_code == 200
    assert (await browser.get("/v1/me")).json()["email"] == "ada@example.com"


async def test_400_a_half_expires(kit):
    app = await App.of(kit, await kit.sign_in("ada"))
    client = await half(kit)
    await kit.move(minutes=10)
    page = await client.get("/auth/second-factor?return_to=/settings")
    assert page.status_code == 400
    refused = await shown(client, code=app.code(kit))
    assert (refused.status_code, refused.json()["code"]) == (400, "identity.sign_in_expired")
    said = await client.post(
        "/auth/second-factor", data={"code": app.code(kit), "return_to": "/settings"}, headers={"Accept": "text/html"}
    )
    assert said.status_code == 400
    assert "Please start over" in said.text
    assert "/signin?return_to=%2Fsettings" in said.text
    assert "half" not in client.cookies


@pytest.mark.parametrize("cookie", ["", "half=", "half=nonsense", "half=second_factor_" + "a" * 43, "half=sess_x"])
async def test_400_without_a_half_there_is_nothing_to_finish(kit, cookie):
    client = await kit.client()
    headers = {"Cookie": cookie} if cookie else {}
    answer = await client.post("/v1/auth/second-factor", json={"code": "123456"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "identity.sign_in_expired")
    assert (await client.get("/auth/second-factor", headers=headers)).status_code == 400


async def test_400_tokens_of_other_purposes_are_no_halves(kit):
    app = await App.of(kit, await kit.sign_in("ada"))
    client = await kit.sign_in("grace")
    for token in (client.cookies["session"], "reset_" + "a" * 43, ""):
        assert (await shown(await kit.client(), code=app.code(kit), token=token)).status_code == 400


@pytest.mark.parametrize(
    "body", [{}, {"code": "1", "recovery_code": "2"}, {"code": 123456}, {"code": ""}, {"code": "1", "more": 1}]
)
async def test_422_one_code_as_text_and_nothing_else(kit, body):
    await App.of(kit, await kit.sign_in("ada"))
    client = await half(kit)
    assert (await shown(client, **body)).status_code == 422
    assert not await is_signed_in(client)


async def test_403_another_site_cannot_finish_a_sign_in(kit):
    app = await App.of(kit, await kit.sign_in("ada"))
    client = await half(kit)
    for path, sent in (("/auth/second-factor", {"data": {"code": app.code(kit)}}),
                       ("/v1/auth/second-factor", {"json": {"code": app.code(kit)}})):  # fmt: skip
        refused = await client.post(path, headers={"Origin": "https://evil.example"}, **sent)
        assert refused.status_code == 403
    assert (await shown(client, code=app.code(kit))).status_code == 200


async def test_an_account_that_was_disconnected_meanwhile_lets_nobody_in(kit):
    ada = await kit.sign_in("ada")
    app = await App.of(kit, ada)
    client = await half(kit)
    async with kit.system.service() as ctx:
        await ctx.db.run(_detach)
        await ctx.db.run(_disconnect)
    refused = await shown(client, code=app.code(kit))
    assert (refused.status_code, refused.json()["code"]) == (400, "identity.sign_in_expired")


async def test_a_passkey_asks_only_while_the_product_offers_passkeys(kit):
    ada = await kit.sign_in("ada")
    user = (await ada.get("/v1/me")).json()["id"]
    async with kit.system.service() as ctx:
        await ctx.db.run(_passkey, id=new_id(), user=UUID(user))
    assert await is_signed_in(await kit.sign_in("ada"))
