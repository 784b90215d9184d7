"""Step-up: showing once more that it is oneself, by what one has."""

from uuid import UUID

import pytest

from identity.mailbox import code_in, mailbox
from identity.second_factors import STEP, App, is_signed_in
from tenantry import Password
from tenantry.identity import PasswordHashing, queries
from tenantry.identity.actions.confirming import password
from tenantry.identity.errors import PasswordWrong

ADA = "ada@example.com"
SECRET = "correct horse battery staple"


@pytest.fixture
def give_password(start, product_of):
    """Starts a product with passwords, and gives Ada one; answers the kit and her browser."""

    async def given():
        kit = await start(product_of(sign_in=[Password()]))
        ada = await kit.sign_in("ada")
        await set_password(kit, ada, SECRET)
        return kit, ada

    return given


async def set_password(kit, browser, text):
    user = UUID((await browser.get("/v1/me")).json()["id"])
    hashed = await kit.runtime.port(PasswordHashing).hash(text)
    async with kit.system.service() as ctx:
        await queries.passwords.put(ctx.db, user, hashed)


async def ways(browser):
    return (await browser.get("/v1/auth/confirm")).json()["ways"]


async def is_recent(browser):
    return (await browser.get("/v1/auth/confirm")).json()["confirmed_until"] is not None


async def confirm(browser, **body):
    return await browser.post("/v1/auth/confirm", json=body)


async def test_who_signed_in_a_moment_ago_need_not_confirm(kit):
    ada = await kit.sign_in("ada")
    assert (await ada.get("/v1/auth/confirm")).json() == {
        "ways": ["mailed_code"],
        "confirmed_until": "2026-03-14T12:10:00Z",
    }
    assert (await ada.get("/auth/confirm?return_to=/settings/second-factor")).headers["location"] == (
        "/settings/second-factor"
    )
    await kit.move(minutes=10)
    assert (await ada.get("/v1/auth/confirm")).json()["confirmed_until"] is None
    assert (await ada.get("/auth/confirm")).status_code == 200


async def test_a_mailed_code_confirms_for_who_has_nothing_else(kit):
    ada = await kit.sign_in("ada")
    old = ada.cookies["session"]
    await kit.move(minutes=20)
    assert (await ada.post("/v1/me/totp")).status_code == 403
    assert (await ada.post("/v1/auth/confirm/mail")).status_code == 204
    (mail,) = await mailbox(kit, ADA)
    answer = await confirm(ada, mailed_code=code_in(mail))
    assert answer.json() == {"confirmed_until": "2026-03-14T12:30:00Z", "token": None}
    assert answer.headers["cache-control"] == "no-store"
    # The session has another token; the old one opens nothing any more.
    assert ada.cookies["session"] != old
    thief = await kit.client()
    assert (await thief.get("/v1/me", headers={"Cookie": f"session={old}"})).status_code == 401
    assert (await ada.post("/v1/me/totp")).status_code == 200
    await kit.move(minutes=10)
    assert not await is_recent(ada)


async def test_a_mailed_code_works_once_in_its_session_for_ten_minutes(kit):
    ada, second = await kit.sign_in("ada"), await kit.sign_in("ada")
    await kit.move(minutes=20)
    await ada.post("/v1/auth/confirm/mail")
    code = code_in((await mailbox(kit, ADA))[-1])
    assert (await confirm(second, mailed_code=code)).status_code == 400
    await second.post("/v1/auth/confirm/mail")
    other = code_in((await mailbox(kit, ADA))[-1])
    if other != code:
        assert (await confirm(second, mailed_code=code)).status_code == 400
    assert (await confirm(ada, mailed_code=code)).status_code == 200
    assert (await confirm(ada, mailed_code=code)).status_code == 400
    await kit.move(minutes=10)
    assert (await confirm(second, mailed_code=other)).status_code == 400


async def test_429_who_asks_for_mails_all_the_time_waits(kit):
    ada = await kit.sign_in("ada")
    for _ in range(5):
        assert (await ada.post("/v1/auth/confirm/mail")).status_code == 204
    assert (await ada.post("/v1/auth/confirm/mail")).status_code == 429
    page = await ada.post("/auth/confirm/mail")
    assert page.status_code == 429
    assert len(await mailbox(kit, ADA)) == 5


async def test_the_page_mails_a_code_and_takes_it(kit):
    ada = await kit.sign_in("ada")
    await kit.move(minutes=20)
    asked = await ada.get("/settings/second-factor")
    page = await ada.get(asked.headers["location"])
    assert "Send a code to ada@example.com" in page.text
    sent = await ada.post("/auth/confirm/mail", data={"return_to": "/settings/second-factor"})
    assert sent.headers["location"] == "/auth/confirm?return_to=%2Fsettings%2Fsecond-factor"
    assert "Code from the mail" in (await ada.get(sent.headers["location"])).text
    wrong = await ada.post("/auth/confirm", data={"mailed_code": "", "return_to": "/settings/second-factor"})
    assert wrong.status_code == 422
    assert 'aria-invalid="true"' in wrong.text
    code = code_in((await mailbox(kit, ADA))[-1])
    done = await ada.post("/auth/confirm", data={"mailed_code": code, "return_to": "/settings/second-factor"})
    assert (done.status_code, done.headers["location"]) == (303, "/settings/second-factor")
    assert (await ada.get("/settings/second-factor")).status_code == 200


async def test_a_password_confirms_for_who_has_one(give_password):
    kit, ada = await give_password()
    await kit.move(minutes=20)
    assert await ways(ada) == ["password"]
    wrong = await confirm(ada, password="not it")
    assert (wrong.status_code, wrong.json()["code"]) == (400, "identity.password_wrong")
    refused = await ada.post("/v1/auth/confirm/mail")
    assert (refused.status_code, refused.json()["code"]) == (403, "identity.other_proof_needed")
    assert not await is_recent(ada)
    assert (await confirm(ada, password=SECRET)).status_code == 200
    assert await is_recent(ada)


async def test_the_page_takes_the_password(give_password):
    kit, ada = await give_password()
    await kit.move(minutes=20)
    page = await ada.get("/auth/confirm?return_to=/settings")
    assert 'autocomplete="current-password"' in page.text
    wrong = await ada.post("/auth/confirm", data={"password": "not it", "return_to": "/settings"})
    assert wrong.status_code == 422
    assert "This is not your password." in wrong.text
    assert "not it" not in wrong.text
    done = await ada.post("/auth/confirm", data={"password": SECRET, "return_to": "/settings"})
    assert done.headers["location"] == "/settings"


async def test_a_second_factor_is_asked_for_by_who_has_one_and_the_password_is_not_enough(give_password):
    kit, ada = await give_password()
    app = await App.of(kit, ada)
    await kit.move(minutes=20)
    assert await ways(ada) == ["totp", "recovery_code"]
    refused = await confirm(ada, password=SECRET)
    assert (refused.status_code, refused.json()["code"]) == (403, "identity.other_proof_needed")
    assert (await confirm(ada, code=app.wrong_code(kit))).status_code == 400
    code = app.code(kit)
    assert (await confirm(ada, code=code)).status_code == 200
    assert (await confirm(ada, code=code)).status_code == 400
    await kit.move(minutes=20)
    assert (await confirm(ada, recovery_code=app.recovery_codes[0])).status_code == 200
    assert (await mailbox(kit, ADA))[-1].subject == "A recovery code was used"


async def test_the_page_takes_a_second_factor(kit):
    ada = await kit.sign_in("ada")
    app = await App.of(kit, ada)
    await kit.move(minutes=20)
    page = await ada.get("/auth/confirm?return_to=/settings")
    assert "authenticator app" in page.text
    assert "Send a code" not in page.text
    wrong = await ada.post("/auth/confirm", data={"recovery": "22222-22222", "return_to": "/settings"})
    assert wrong.status_code == 422
    done = await ada.post("/auth/confirm", data={"code": app.code(kit), "return_to": "/settings"})
    assert done.headers["location"] == "/settings"
    await kit.move(seconds=STEP)
    # Sent again with an address of elsewhere, one lands at home.
    away = await ada.post("/auth/confirm", data={"code": app.code(kit), "return_to": "https://evil.example/"})
    assert away.headers["location"] == "/settings"


@pytest.mark.parametrize("body", [{}, {"code": "1", "password": "2"}, {"password": ""}, {"more": "1"}, {"code": 1}])
async def test_422_one_proof_as_text(kit, body):
    ada = await kit.sign_in("ada")
    assert (await confirm(ada, **body)).status_code == 422


async def test_401_and_303_strangers_have_nothing_to_confirm(kit):
    client = await kit.client()
    assert (await client.get("/v1/auth/confirm")).status_code == 401
    assert (await confirm(client, code="123456")).status_code == 401
    assert (await client.post("/v1/auth/confirm/mail")).status_code == 401
    page = await client.get("/auth/confirm?return_to=/settings", headers={"Accept": "text/html"})
    assert page.headers["location"].startswith("/signin?return_to=")


async def test_an_app_with_a_bearer_gets_the_new_token_back(kit):
    token = (await kit.sign_in("ada")).cookies["session"]
    app = await kit.client(Authorization=f"Bearer {token}")
    assert (await app.post("/v1/auth/confirm/mail")).status_code == 204
    code = code_in((await mailbox(kit, ADA))[-1])
    answer = await confirm(app, mailed_code=code)
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert not await is_signed_in(app)
    assert await is_signed_in(await kit.client(Authorization=f"Bearer {answer.json()['token']}"))


async def test_401_a_session_that_ended_meanwhile_is_not_renewed(kit):
    ada, second = await kit.sign_in("ada"), await kit.sign_in("ada")
    await ada.post("/v1/auth/confirm/mail")
    code = code_in((await mailbox(kit, ADA))[-1])
    assert (await second.delete("/v1/me/sessions")).status_code == 204
    assert (await confirm(ada, mailed_code=code)).status_code == 401
    assert not await is_signed_in(ada)


async def test_a_password_changed_while_it_was_compared_proves_nothing(give_password):
    kit, ada = await give_password()
    me = (await ada.get("/v1/me")).json()["id"]
    use = await password(kit.system, SECRET).look(UUID(me))
    await set_password(kit, ada, "another one altogether")
    async with kit.system.service() as ctx:
        known = await queries.users.known(ctx.db, UUID(me))
        with pytest.raises(PasswordWrong):
            await use(ctx, known)
