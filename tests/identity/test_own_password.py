"""One's own password: the first one, another one, none; as a page and for apps."""

import pytest
from sqlalchemy import insert

from identity.password_steps import (
    ADA,
    HTML,
    NEW,
    PASSWORD,
    WAYS,
    asked,
    enter,
    entered,
    entries,
    hash_of,
    mailbox,
    person,
    reset,
    rows,
    sessions,
)
from tenantry import Google, MagicLink, Passkey, Password
from tenantry.identity.models import Passkeys
from tenantry.kernel import new_id
from tenantry.kernel.database import param, statement

_passkey = statement(
    insert(Passkeys).values(
        id=param("id"), user_id=param("user"), name="Key", credential_id=b"1", public_key=b"2", transports=[],
        backed_up=False,
    )
)  # fmt: skip


@pytest.fixture
async def kit(start, product_of):
    return await start(product_of(sign_in=[*WAYS]))


async def put(browser, password=NEW, **more):
    return await browser.put("/v1/me/password", json={"password": password, **more})


async def test_changing_it_ends_the_others_and_turns_the_own_token(kit):
    user = await person(kit)
    here, there = await entered(kit), await entered(kit)
    _, mail = await asked(kit)
    before = here.cookies["session"]
    answer = await put(here)
    assert (answer.status_code, answer.json()["token"]) == (200, None)
    assert here.cookies["session"] != before
    thief = await kit.client(cookie=f"session={before}")
    assert [(await one.get("/v1/me")).status_code for one in (here, there, thief)] == [200, 401, 401]
    assert (await reset(await kit.client(), mail)).status_code == 400
    assert (await enter(await kit.client())).status_code == 401
    assert (await enter(await kit.client(), password=NEW)).json()["user_id"] == str(user)
    assert (await mailbox(kit, ADA))[-1].subject == "Your password was changed"
    assert "password.changed" in await rows(kit, entries)


async def test_the_page_changes_it(kit):
    await person(kit)
    ada = await entered(kit)
    shown = await ada.get("/settings", headers=HTML)
    assert 'id="password"' in shown.text
    assert "You have a password." in shown.text
    form = await ada.get("/settings/password", headers=HTML)
    assert 'autocomplete="new-password"' in form.text
    weak = await ada.post("/settings/password", data={"password": "short"}, headers=HTML)
    assert (weak.status_code, "Use at least 8 characters." in weak.text) == (422, True)
    done = await ada.post("/settings/password", data={"password": NEW}, headers=HTML)
    assert (done.status_code, done.headers["location"]) == (303, "/settings?done=password#password")
    assert "Your password is saved." in (await ada.get("/settings?done=password", headers=HTML)).text
    assert (await enter(await kit.client(), password=NEW)).status_code == 200


async def test_who_came_another_way_sets_the_first_one(start, product_of):
    kit = await start(product_of(sign_in=[Google(), Password()]))
    ada = await kit.sign_in("ada")
    assert "You have no password." in (await ada.get("/settings", headers=HTML)).text
    assert (await put(ada)).status_code == 200
    assert (await mailbox(kit, ADA))[-1].subject == "A password was set"
    assert (await enter(await kit.client(), password=NEW)).status_code == 200


async def test_an_app_gets_its_new_token_in_the_answer(kit):
    await person(kit)
    app = await kit.client()
    token = (await enter(app, deliver="token")).json()["token"]
    answer = await app.put("/v1/me/password", json={"password": NEW}, headers={"Authorization": f"Bearer {token}"})
    assert "set-cookie" not in answer.headers
    statuses = [
        (await app.get("/v1/me", headers={"Authorization": f"Bearer {one}"})).status_code
        for one in (token, answer.json()["token"])
    ]
    assert statuses == [401, 200]


@pytest.mark.parametrize("weak", ["short", "password1", ADA, "Acme", "x" * 257, "xxxxxxxxxxxx"])
async def test_422_a_weak_one(kit, weak):
    user = await person(kit)
    ada = await entered(kit)
    stored = await hash_of(kit, user)
    answer = await put(ada, weak)
    assert (answer.status_code, answer.json()["code"]) == (422, "identity.password_weak")
    assert weak not in answer.text or weak == "short"
    assert await hash_of(kit, user) == stored


async def test_403_only_who_has_just_shown_that_it_is_them(kit):
    user = await person(kit)
    ada = await entered(kit)
    await kit.move(minutes=11)
    for answer in (await put(ada), await ada.delete("/v1/me/password")):
        assert (answer.status_code, answer.json()["code"]) == (403, "identity.confirmation_needed")
    page = await ada.get("/settings/password", headers=HTML)
    assert page.headers["location"] == "/auth/confirm?return_to=%2Fsettings%2Fpassword"
    for path in ("/settings/password", "/settings/password/remove"):
        sent = await ada.post(path, data={"password": NEW}, headers=HTML)
        assert sent.headers["location"].startswith("/auth/confirm?")
    assert (await enter(await kit.client())).json()["user_id"] == str(user)


async def test_401_strangers(kit):
    stranger = await kit.client()
    assert (await put(stranger)).status_code == 401
    assert (await stranger.delete("/v1/me/password")).status_code == 401
    page = await stranger.get("/settings/password", headers=HTML)
    assert page.headers["location"] == "/signin?return_to=/settings/password"


async def test_removing_it(kit):
    user = await person(kit)
    here, there = await entered(kit), await entered(kit)
    assert (await here.delete("/v1/me/password")).status_code == 204
    assert await hash_of(kit, user) is None
    assert [(await one.get("/v1/me")).status_code for one in (here, there)] == [200, 401]
    assert (await enter(await kit.client())).json()["code"] == "identity.credentials_wrong"
    assert (await mailbox(kit, ADA))[-1].subject == "Your password was removed"
    again = await here.delete("/v1/me/password")
    assert (again.status_code, again.json()["code"]) == (404, "identity.password_not_found")


async def test_the_page_removes_it(kit):
    await person(kit)
    ada = await entered(kit)
    done = await ada.post("/settings/password/remove", headers=HTML)
    assert done.headers["location"] == "/settings?done=password-removed#password"
    assert "You have no password." in (await ada.get("/settings", headers=HTML)).text


@pytest.mark.parametrize(
    ("ways", "has_passkey", "status"),
    [
        ([Password()], False, 409),
        ([Password()], True, 409),  # This product takes no passkeys.
        ([Password(), Passkey()], False, 409),
        ([Password(), Passkey()], True, 204),
        ([Password(), MagicLink()], False, 204),
        ([Password(), Google()], False, 409),  # They have no account there.
    ],
)
async def test_409_the_last_way_in_is_not_taken_away(start, product_of, ways, has_passkey, status):
    kit = await start(product_of(sign_in=ways))
    user = await person(kit)
    ada = await entered(kit)
    if has_passkey:
        async with kit.system.service() as ctx:
            await ctx.db.run(_passkey, id=new_id(), user=user)
    answer = await ada.delete("/v1/me/password")
    assert answer.status_code == status
    assert (await hash_of(kit, user) is None) is (status == 204)
    if status == 409:
        assert answer.json()["code"] == "identity.last_way_in"
        page = await ada.post("/settings/password/remove", headers=HTML)
        assert page.status_code == 409
        assert await rows(kit, sessions) == [1]


async def test_404_where_the_product_takes_no_passwords(start, product_of):
    kit = await start(product_of(sign_in=[Google()]))
    ada = await kit.sign_in("ada")
    assert (await put(ada)).json()["code"] == "identity.provider_unknown"
    assert 'id="password"' not in (await ada.get("/settings", headers=HTML)).text
    assert (await ada.get("/settings/password")).status_code == 404
    assert PASSWORD not in (await ada.get("/settings")).text
