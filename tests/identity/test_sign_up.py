"""Signing up by mail: nothing is kept but a token until the address is proven."""

import asyncio

import pytest
from sqlalchemy import select

from identity.mailbox import code_in, link_in, mailbox, token_in
from identity.mailed import (
    ADA,
    BOB,
    HTML,
    PASSWORD,
    ask_for_link,
    confirm,
    mailing_product,
    me,
    path_of,
    person,
    sign_up,
    type_code,
)
from tenantry import Google, MagicLink, Password
from tenantry.identity.actions.people import ban_user, delete_user
from tenantry.identity.models import Passwords, Users
from tenantry.kernel.database import statement

_users = statement(select(Users.email))
_passwords = statement(select(Passwords.user_id))


@pytest.fixture
async def kit(start):
    return await start(mailing_product())


async def rows(kit, query):
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.rows(query)


async def password_opens(client, password, email=ADA):
    answer = await client.post("/v1/auth/password", json={"email": email, "password": password})
    return answer.status_code == 200


async def test_one_click_in_the_browser_that_began_makes_the_account(kit):
    client = await kit.client()
    asked = await sign_up(client, name=" Ada Lovelace ", return_to="/settings")
    assert (asked.status_code, asked.headers["location"]) == (303, "/auth/sent")
    assert (await rows(kit, _users), await rows(kit, _passwords)) == ([], [])
    [mail] = await mailbox(kit, ADA)
    assert mail.subject == "Confirm your address for Acme"
    assert "Lovelace" not in mail.text + mail.html
    shown = await client.get(path_of(link_in(mail)), headers=HTML)
    assert 'name="password"' not in shown.text
    assert await rows(kit, _users) == []
    done = await confirm(client, token_in(mail))
    assert (done.status_code, done.headers["location"]) == (303, "/settings")
    found = await me(client)
    assert (found["email"], found["name"], found["email_verified"]) == (ADA, "Ada Lovelace", True)
    other = await kit.client()
    assert await password_opens(other, PASSWORD)
    assert (await confirm(client, token_in(mail))).status_code == 400


async def test_the_code_makes_the_account_in_the_browser_that_began(kit):
    client, other = await kit.client(), await kit.client()
    await sign_up(client)
    code = code_in((await mailbox(kit, ADA))[-1])
    await sign_up(other, BOB)
    assert (await type_code(other, code)).status_code == 400
    assert await rows(kit, _users) == []
    assert (await type_code(client, code)).status_code == 303
    assert (await me(client))["email"] == ADA


async def test_in_another_browser_the_password_is_asked_for_again(kit):
    began, other = await kit.client(), await kit.client()
    await sign_up(began)
    [mail] = await mailbox(kit, ADA)
    shown = await other.get(path_of(link_in(mail)), headers=HTML)
    assert "This was not asked for in this browser" in shown.text
    assert 'name="password"' in shown.text
    for typed in ({}, {"password": ""}, {"password": "another horse 7"}):
        refused = await confirm(other, token_in(mail), **typed)
        assert refused.status_code == 422
        assert await rows(kit, _users) == []
    assert 'value="another horse 7"' not in refused.text
    assert (await confirm(other, token_in(mail), password=PASSWORD)).status_code == 303
    assert (await me(other))["email"] == ADA
    assert await password_opens(await kit.client(), PASSWORD)


async def test_in_another_browser_a_new_password_may_be_chosen(kit):
    began, other = await kit.client(), await kit.client()
    await sign_up(began)
    [mail] = await mailbox(kit, ADA)
    weak = await confirm(other, token_in(mail), new_password="password1")
    assert weak.status_code == 422
    assert "first passwords that guessers try" in weak.text
    assert (await confirm(other, token_in(mail), new_password="a new horse 8")).status_code == 303
    stranger = await kit.client()
    assert not await password_opens(stranger, PASSWORD)
    assert await password_opens(stranger, "a new horse 8")


async def test_429_for_who_guesses_the_password_of_a_sign_up(kit):
    began, other = await kit.client(), await kit.client()
    await sign_up(began)
    [mail] = await mailbox(kit, ADA)
    tried = [(await confirm(other, token_in(mail), password=f"guess number {n}")).status_code for n in range(11)]
    assert tried == [422] * 10 + [429]


async def test_who_has_an_account_is_told_so_by_mail_only(kit):
    await person(kit)
    client = await kit.client()
    assert (await sign_up(client)).status_code == 303
    [mail] = await mailbox(kit, ADA)
    assert mail.subject == "You have an account at Acme"
    assert "http://127.0.0.1:8000/signin" in mail.text
    assert "http://127.0.0.1:8000/auth/reset" in mail.text
    assert "/auth/verify" not in mail.text + mail.html
    assert "Look into your mailbox" in (await client.get("/auth/sent", headers=HTML)).text
    assert (await type_code(client, "123456")).status_code == 400


async def test_closed_accounts_get_no_mail(kit):
    banned, deleted = await person(kit), await person(kit, BOB)
    async with kit.system.service() as ctx:
        await ban_user(ctx, banned, reason="spam")
        await delete_user(ctx, deleted, reason="asked")
    client = await kit.client()
    for address in (ADA, BOB):
        assert (await sign_up(client, address)).status_code == 303
        assert await mailbox(kit, address) == []


async def test_409_for_who_got_an_account_another_way_meanwhile(kit):
    client, other = await kit.client(), await kit.client()
    await sign_up(client)
    await ask_for_link(other)
    sign_up_mail, link_mail = await mailbox(kit, ADA)
    await confirm(other, token_in(link_mail))
    refused = await confirm(client, token_in(sign_up_mail))
    assert refused.status_code == 409
    assert "Sign in to it instead" in refused.text
    assert await me(client) is None
    assert await rows(kit, _passwords) == []


async def test_of_sign_ups_with_one_address_at_once_one_wins(kit):
    clients = [await kit.client() for _ in range(3)]
    for client in clients:
        await sign_up(client)
    mails = await mailbox(kit, ADA)
    ways = (confirm(client, token_in(mail)) for client, mail in zip(clients, mails, strict=True))
    done = await asyncio.gather(*ways)
    assert sorted(answer.status_code for answer in done) == [303, 409, 409]
    assert await rows(kit, _users) == [ADA]


async def test_422_beside_the_field_and_what_was_typed_is_kept(kit):
    client = await kit.client()
    refused = await sign_up(client, "ada", name="x" * 300, password="short", return_to="/settings")
    assert refused.status_code == 422
    for sentence in ("Use an e-mail address", "Use at most 255 characters", "Use at least 8 characters"):
        assert sentence in refused.text
    assert 'value="ada"' in refused.text
    assert "short" not in refused.text
    assert 'value="/settings"' in refused.text
    for own in (ADA, "ada lovelace"):
        assert (await sign_up(client, name="Ada Lovelace", password=own)).status_code == 422
    assert await mailbox(kit, ADA) == []


async def test_the_product_says_how_one_signs_up(start):
    kit = await start(mailing_product(Password(length_min=12)))
    client = await kit.client()
    assert "At least 12 characters" in (await client.get("/signup", headers=HTML)).text
    assert (await sign_up(client, password="")).status_code == 422
    kit = await start(mailing_product(Password(), MagicLink()))
    client = await kit.client()
    await sign_up(client, password="")
    await confirm(client, token_in((await mailbox(kit, ADA))[-1]))
    assert (await me(client))["email"] == ADA
    assert await rows(kit, _passwords) == []


async def test_a_sign_up_without_passwords_needs_none_anywhere(start):
    kit = await start(mailing_product(MagicLink(), Password(sign_up=False)))
    client, other = await kit.client(), await kit.client()
    assert 'name="password"' not in (await client.get("/signup", headers=HTML)).text
    assert (await sign_up(client, password="")).status_code == 303
    assert (await sign_up(client)).status_code == 404
    [mail] = await mailbox(kit, ADA)
    assert 'name="password"' not in (await other.get(path_of(link_in(mail)), headers=HTML)).text
    assert (await confirm(other, token_in(mail))).status_code == 303


@pytest.mark.parametrize("ways", [(Google(),), (Password(sign_up=False), MagicLink(sign_up=False))])
async def test_where_nobody_signs_up_there_is_no_sign_up(start, ways):
    kit = await start(mailing_product(*ways))
    client = await kit.client()
    assert (await client.get("/signup", headers=HTML)).status_code == 404
    assert (await sign_up(client)).status_code == 404
    assert (await client.post("/v1/auth/sign-up", json={"email": ADA})).status_code == 404


async def test_who_is_signed_in_is_sent_on(kit):
    client = await kit.sign_in("grace")
    answer = await client.get("/signup?return_to=/settings", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings")


async def test_a_sign_up_is_good_for_a_day(kit):
    client = await kit.client()
    await sign_up(client)
    await sign_up(client, BOB)
    await kit.move(hours=23, minutes=59)
    assert (await confirm(client, token_in((await mailbox(kit, ADA))[0]), password=PASSWORD)).status_code == 303
    await kit.move(minutes=1)
    late = await kit.client()
    refused = await confirm(late, token_in((await mailbox(kit, BOB))[0]), password=PASSWORD)
    assert refused.status_code == 400


async def test_apps_sign_up_with_the_challenge_or_the_password(kit):
    app = await kit.client()
    wanted = {"email": ADA, "name": "Ada", "password": PASSWORD}
    asked = await app.post("/v1/auth/sign-up", json=wanted)
    assert (asked.status_code, sorted(asked.json())) == (202, ["challenge", "expires_at"])
    [mail] = await mailbox(kit, ADA)
    elsewhere = await kit.client()
    for more, code in (
        ({}, "identity.sign_up_password_needed"),
        ({"challenge": "00000000-0000-7000-8000-000000000000"}, "identity.sign_up_password_needed"),
        ({"password": "wrong horse 7"}, "identity.sign_up_password_wrong"),
        ({"new_password": "abc"}, "identity.password_weak"),
    ):
        refused = await elsewhere.post("/v1/auth/sign-up/confirm", json={"token": token_in(mail), **more})
        assert (refused.status_code, refused.json()["code"]) == (422, code)
    shown = {"token": token_in(mail), "challenge": asked.json()["challenge"], "deliver": "token"}
    done = await elsewhere.post("/v1/auth/sign-up/confirm", json=shown)
    assert (done.status_code, done.json()["status"]) == (200, "signed_in")
    asked = await app.post("/v1/auth/sign-up", json={**wanted, "email": BOB})
    code = code_in((await mailbox(kit, BOB))[-1])
    done = await app.post("/v1/auth/sign-up/confirm", json={"challenge": asked.json()["challenge"], "code": code})
    assert done.status_code == 200
    assert (await me(app))["email"] == BOB


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body.email"),
        ({"email": ADA, "password": "short"}, "body.password"),
        ({"email": ADA, "name": ""}, "body.name"),
        ({"email": ADA, "is_admin": True}, "body.is_admin"),
        ({"email": [ADA]}, "body.email"),
    ],
)
async def test_422_names_the_field(kit, body, field):
    client = await kit.client()
    refused = await client.post("/v1/auth/sign-up", json=body)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)
