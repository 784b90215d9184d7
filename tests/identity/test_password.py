"""Signing in with a password: who gets in, what is told, and what is stored afterwards."""

import asyncio

import pytest

from identity.password_steps import (
    ADA,
    HTML,
    NEW,
    PASSWORD,
    WAYS,
    busy,
    count_at,
    counted,
    enter,
    entered,
    entries,
    hash_of,
    mailbox,
    person,
    rows,
    sessions,
    type_in,
)
from tenantry import Google, MagicLink, Passkey, Password
from tenantry.identity import queries
from tenantry.identity.actions.people import ban_user, delete_user

OURS = "$argon2id$v=19$m=19456,t=2,p=1$"
TYPED = "Tr0ub4dor & 3 – ﬁ"  # noqa: RUF001 - signs that are not ASCII, and one that NFKC takes apart
# Made by Django 5, by fastapi-users' parameters, and by Node's crypto with better-auth's, from that password.
IMPORTED = {
    "django": "pbkdf2_sha256$1000000$Ns58TnCDpEsKZG8UWEDm22$OYmERQhvy2uCuqpqyv9RPNnGTAJVl8yeetvLHk+Q5AI=",
    "supabase": "$2b$12$mlzNqPBkFN4yd8fPVr5RWugpTQmPZBBYVCxaML1zM1icCgq3lLNby",
    "fastapi-users": "$argon2id$v=19$m=102400,t=2,p=8$NkJqWUN5S0VMRzBNUGo4ZTREbFI4MQ"
    "$/1QBcNQ+3c4+EWpZ5GCTfkuRFrC/X+6lYbRtXtRrlZ4",
    "better-auth": "0123456789abcdef0123456789abcdef:ddf17089ffb7c7a255c4b5c4089cfb724ceea92f3ab4e00a161207817389441c3"
    "56c0987c1d25c44c75b3bea7f29f724729860e10fa3ec90232aca14abd8df34",
}


@pytest.fixture
async def kit(start, product_of):
    return await start(product_of(sign_in=[*WAYS]))


# --- In ---


async def test_the_right_password_signs_in_as_json(kit):
    user = await person(kit)
    browser = await kit.client()
    answer = await enter(browser)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["status"], body["user_id"], body["token"]) == ("signed_in", str(user), None)
    assert answer.headers["cache-control"] == "no-store"
    me = await browser.get("/v1/me")
    assert (me.status_code, me.json()["id"]) == (200, str(user))
    [session] = (await browser.get("/v1/me/sessions")).json()["items"]
    assert session["method"] == "password"
    assert "session.started" in await rows(kit, entries)


async def test_an_app_gets_the_token_instead_of_a_cookie(kit):
    await person(kit)
    app = await kit.client()
    body = (await enter(app, deliver="token")).json()
    assert not [name for name in app.cookies if "session" in name]
    assert (await app.get("/v1/me", headers={"Authorization": f"Bearer {body['token']}"})).status_code == 200


async def test_the_page_signs_in_and_goes_back(kit):
    await person(kit)
    browser = await kit.client()
    answer = await type_in(browser, email=" Ada@EXAMPLE.com ")
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings")
    assert (await browser.get("/v1/me")).status_code == 200


async def test_the_session_of_before_ends_with_a_sign_in(kit):
    await person(kit)
    browser = await entered(kit)
    before = browser.cookies["session"]
    await enter(browser)
    assert browser.cookies["session"] != before
    thief = await kit.client(cookie=f"session={before}")
    assert (await thief.get("/v1/me")).status_code == 401
    assert await rows(kit, sessions) == [1]


@pytest.mark.parametrize("system", IMPORTED)
async def test_an_imported_hash_signs_in_and_is_ours_afterwards(kit, system):
    user = await person(kit, hashed=IMPORTED[system])
    browser = await kit.client()
    assert (await enter(browser, password=TYPED + "x")).status_code == 401
    assert await hash_of(kit, user) == IMPORTED[system]
    assert (await enter(browser, password=TYPED)).status_code == 200
    stored = await hash_of(kit, user)
    assert stored.startswith(OURS)
    assert (await type_in(await kit.client(), password=TYPED)).status_code == 303
    assert await hash_of(kit, user) == stored


async def test_two_sign_ins_at_once_with_an_imported_hash_both_get_in(kit):
    user = await person(kit, hashed=IMPORTED["supabase"])
    browsers = [await kit.client() for _ in range(3)]
    answers = await asyncio.gather(*(enter(one, password=TYPED) for one in browsers))
    assert [one.status_code for one in answers] == [200, 200, 200]
    assert (await hash_of(kit, user)).startswith(OURS)


# --- Out ---


@pytest.mark.parametrize("case", ["wrong", "unknown", "without", "empty hash", "blank"])
async def test_401_one_answer_for_whatever_was_wrong(kit, case):
    await person(kit, password=None if case == "without" else PASSWORD, hashed="!" if case == "empty hash" else None)
    email = "nobody@example.com" if case == "unknown" else ADA
    password = " " if case == "blank" else "wrong" if case == "wrong" else PASSWORD
    answer = await enter(await kit.client(), email, password)
    assert answer.status_code == 401
    assert answer.json() == {
        "type": "/problems#identity.credentials_wrong",
        "title": "The e-mail address or the password is not right.",
        "status": 401,
        "detail": "The e-mail address or the password is not right.",
        "code": "identity.credentials_wrong",
        "request_id": answer.json()["request_id"],
    }
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "set-cookie" not in answer.headers
    assert await rows(kit, sessions) == [0]


async def test_401_the_page_again_with_the_address_but_never_the_password(kit):
    await person(kit)
    answer = await type_in(await kit.client(), email="Ada@example.com", password="wrong & wrong")
    assert answer.status_code == 401
    assert 'value="Ada@example.com"' in answer.text
    assert "The e-mail address or the password is not right." in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert 'name="return_to" value="/settings"' in answer.text
    assert "wrong &" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


async def test_422_what_is_missing_is_told_beside_its_field(kit):
    browser = await kit.client()
    answer = await type_in(browser, email="ada", password="")
    assert answer.status_code == 422
    assert "Use an e-mail address" in answer.text
    assert "Enter your password." in answer.text
    for body in (
        {"email": "ada", "password": "x"},
        {"email": ADA},
        {"email": ADA, "password": ""},
        {"email": ADA, "password": "x" * 1001},
        {"email": ADA, "password": 5},
        {"email": [ADA], "password": "x"},
        {"email": ADA, "password": "x", "user_id": "1"},
        {"email": ADA, "password": "x", "deliver": "mail"},
    ):
        assert (await browser.post("/v1/auth/password", json=body)).status_code == 422, body
    raw = '{"email": "ada@example.com", "password": "\\ud800"}'
    answer = await browser.post("/v1/auth/password", content=raw, headers={"content-type": "application/json"})
    assert answer.status_code in {400, 422}


@pytest.mark.parametrize("fate", ["banned", "deleted"])
async def test_403_banned_and_deleted_are_told_only_after_the_right_password(kit, fate):
    user = await person(kit)
    async with kit.system.service() as ctx:
        if fate == "banned":
            await ban_user(ctx, user, reason="spam")
        else:
            await delete_user(ctx, user, reason="asked for it")
    browser = await kit.client()
    wrong = await enter(browser, password="wrong")
    assert (wrong.status_code, wrong.json()["code"]) == (401, "identity.credentials_wrong")
    right = await enter(browser)
    assert (right.status_code, right.json()["code"]) == (403, f"identity.user_{fate}")
    shown = await type_in(browser)
    assert (shown.status_code, f"identity.user_{fate}" in shown.text) == (403, True)
    assert not [name for name in browser.cookies if "session" in name]


async def test_403_another_site_signs_nobody_in(kit):
    await person(kit)
    browser = await kit.client(Origin="https://evil.example")
    assert (await type_in(browser)).status_code == 403
    sent = await browser.post("/v1/auth/password", content='{"email":"a@b.cd","password":"x"}')
    assert sent.status_code in {403, 415, 422}
    assert not [name for name in browser.cookies if "session" in name]


async def test_404_where_the_product_takes_no_passwords(start, product_of):
    kit = await start(product_of(sign_in=[Google(), MagicLink()]))
    browser = await kit.client()
    assert (await enter(browser)).json()["code"] == "identity.provider_unknown"
    assert (await type_in(browser)).status_code == 404
    assert (await browser.get("/auth/reset", headers=HTML)).status_code == 404
    assert (await browser.post("/v1/auth/reset", json={"email": ADA})).status_code == 404
    confirm = {"token": "reset_x", "password": NEW}
    assert (await browser.post("/v1/auth/reset/confirm", json=confirm)).status_code == 404


async def test_a_password_changed_while_it_was_compared_does_not_sign_in(kit):
    user = await person(kit)
    browser = await kit.client()
    async with busy(kit):
        signing_in = asyncio.create_task(enter(browser))
        await counted(kit, f"password at {ADA}")
        async with kit.system.service() as ctx:
            await queries.passwords.put(ctx.db, user, "!")
    answer = await signing_in
    assert (answer.status_code, answer.json()["code"]) == (401, "identity.credentials_wrong")
    assert await rows(kit, sessions) == [0]


# --- An address that nobody ever proved ---


async def test_an_imported_password_does_not_open_an_address_nobody_proved(kit):
    user = await person(kit, hashed=IMPORTED["supabase"], proven=False)
    browser = await kit.client()
    assert (await enter(browser, password="wrong")).json()["code"] == "identity.credentials_wrong"
    refused = await enter(browser, password=TYPED)
    assert (refused.status_code, refused.json()["code"]) == (403, "identity.address_unproven")
    assert not [name for name in browser.cookies if "session" in name]
    [mail] = await mailbox(kit, ADA)
    assert "never confirmed" in mail.text
    assert await hash_of(kit, user) != IMPORTED["supabase"]


async def test_the_page_goes_on_to_the_mail_that_proves_it(kit):
    await person(kit, hashed=IMPORTED["supabase"], proven=False)
    browser = await kit.client()
    answer = await type_in(browser, password=TYPED)
    assert (answer.status_code, answer.headers["location"]) == (303, "/auth/sent?why=unproven")
    shown = await browser.get(answer.headers["location"], headers=HTML)
    assert "This address was never confirmed." in shown.text


# --- The page ---


@pytest.mark.parametrize(
    ("ways", "there", "absent"),
    [
        ([Password()], ["Forgot your password?", "Create an account", 'autocomplete="current-password"'], ["link"]),
        ([Password(sign_up=False)], ["Forgot your password?"], ["Create an account"]),
        ([Password(), MagicLink()], ['formaction="/auth/magic-link"', "Mail me a link instead"], []),
        ([MagicLink()], ['action="/auth/magic-link"', "Mail me a link"], ["password"]),
        ([Google(), Password()], ["Continue with a demo account", "Sign in", ">or<"], []),
        ([Password(), Passkey()], ['autocomplete="username webauthn"'], []),
    ],
)
async def test_the_sign_in_page_offers_what_the_product_does(start, product_of, ways, there, absent):
    kit = await start(product_of(sign_in=ways))
    shown = await (await kit.client()).get("/signin?return_to=/settings", headers=HTML)
    main = shown.text.partition("<main")[2].partition("</main>")[0]
    assert [one for one in there if one not in main] == []
    assert [one for one in absent if one in main.lower() or one in main] == []
    assert main.count('name="email"') <= 1
    assert 'value="/settings"' in main


async def test_the_sign_in_page_in_german(kit):
    shown = await (await kit.client()).get("/signin", headers={**HTML, "accept-language": "de"})
    for text in ("E-Mail-Adresse", "Passwort", "Passwort vergessen?", "Anmelden"):
        assert text in shown.text


async def test_right_tries_are_given_back(kit):
    await person(kit)
    browser = await kit.client()
    for _ in range(3):
        await enter(browser, password="wrong")
    before = await count_at(kit, f"password at {ADA}")
    await enter(browser)
    assert await count_at(kit, f"password at {ADA}") == before == 3
