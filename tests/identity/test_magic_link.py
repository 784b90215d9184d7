"""Signing in with a mailed link or its code."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import insert, update

from identity.mailbox import code_in, link_in, mailbox, token_in
from identity.mailed import ADA, BOB, HTML, ask_for_link, confirm, mailing_product, me, path_of, person, type_code
from tenantry import Google, MagicLink, Password
from tenantry.identity.actions.people import ban_user, delete_user
from tenantry.identity.models import TotpSecrets, Users
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.types import UtcDateTime
from tenantry.kernel.sql import now

_ban = statement(
    update(Users).where(Users.id == param("user")).values(banned_at=now(), ban_ends_at=param("until", UtcDateTime()))
)

_totp = statement(insert(TotpSecrets).values(user_id=param("user"), secret="sealed", confirmed_at=now()))


@pytest.fixture
async def kit(start):
    return await start(mailing_product())


async def test_the_link_of_a_mail_signs_its_reader_in(kit):
    user = await person(kit)
    client = await kit.client()
    asked = await ask_for_link(client, return_to="/settings?a=1")
    assert (asked.status_code, asked.headers["location"]) == (303, "/auth/sent")
    assert ADA in (await client.get("/auth/sent", headers=HTML)).text
    [mail] = await mailbox(kit, ADA)
    assert mail.subject == "Sign in to Acme"
    shown = await client.get(path_of(link_in(mail)), headers=HTML)
    assert shown.status_code == 200
    assert ADA in shown.text
    assert "This was not asked for in this browser" not in shown.text
    assert "no-store" in shown.headers["cache-control"]
    done = await confirm(client, token_in(mail))
    assert (done.status_code, done.headers["location"]) == (303, "/settings?a=1")
    assert (await me(client))["id"] == str(user)
    sessions = (await client.get("/v1/me/sessions")).json()["items"]
    assert [one["method"] for one in sessions] == ["link"]


async def test_the_code_signs_in_the_browser_that_asked_and_no_other(kit):
    await person(kit)
    client, other = await kit.client(), await kit.client()
    await ask_for_link(client, return_to="/settings")
    await ask_for_link(other, BOB)
    code = code_in((await mailbox(kit, ADA))[-1])
    assert (await type_code(other, code)).status_code == 400
    assert await me(other) is None
    stranger = await kit.client()
    assert (await type_code(stranger, code)).status_code == 400
    done = await type_code(client, f" {code[:3]} {code[3:]} ")
    assert (done.status_code, done.headers["location"]) == (303, "/settings")
    assert (await me(client))["email"] == ADA
    assert (await type_code(client, code)).status_code == 400


async def test_who_has_no_account_gets_one_with_a_proven_address(kit):
    client = await kit.client()
    await ask_for_link(client, " Ada@Example.COM ")
    [mail] = await mailbox(kit, ADA)
    assert "There is no account with this address yet" in mail.text
    assert await me(client) is None
    await confirm(client, token_in(mail))
    assert (await me(client))["email_verified"] is True
    again = await kit.client()
    await ask_for_link(again)
    mail = (await mailbox(kit, ADA))[-1]
    assert "There is no account" not in mail.text
    await confirm(again, token_in(mail))
    assert (await me(again))["id"] == (await me(client))["id"]


async def test_without_sign_up_by_link_nobody_is_registered_and_nobody_told(start):
    kit = await start(mailing_product(MagicLink(sign_up=False), Password()))
    client = await kit.client()
    assert (await ask_for_link(client)).status_code == 303
    assert await mailbox(kit, ADA) == []


async def test_where_there_is_no_magic_link_there_is_none(start):
    kit = await start(mailing_product(Google(), Password()))
    client = await kit.client()
    assert (await ask_for_link(client)).status_code == 404
    assert (await client.post("/v1/auth/magic-link", json={"email": ADA})).status_code == 404


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_looking_at_the_link_uses_nothing_up(kit, method):
    client = await kit.client()
    await ask_for_link(client)
    [mail] = await mailbox(kit, ADA)
    for _ in range(3):
        assert (await client.request(method, path_of(link_in(mail)), headers=HTML)).status_code == 200
    assert (await confirm(client, token_in(mail))).status_code == 303


async def test_the_link_works_once_and_for_a_quarter_of_an_hour(kit):
    client = await kit.client()
    await ask_for_link(client)
    await ask_for_link(client)
    first, second = await mailbox(kit, ADA)
    assert (await confirm(client, token_in(first))).status_code == 303
    used = await confirm(client, token_in(first))
    assert used.status_code == 400
    assert "Ask for another" in used.text
    assert (await client.get(path_of(link_in(first)), headers=HTML)).status_code == 400
    await kit.move(minutes=15)
    late = await kit.client()
    assert (await confirm(late, token_in(second))).status_code == 400
    assert await me(late) is None


async def test_of_an_address_three_mails_are_good_at_a_time(kit):
    client = await kit.client()
    for _ in range(4):
        await ask_for_link(client)
    mails = await mailbox(kit, ADA)
    assert (await confirm(client, token_in(mails[0]))).status_code == 400
    for mail in mails[1:]:
        assert (await confirm(await kit.client(), token_in(mail))).status_code == 303


async def test_in_another_browser_the_page_says_where_it_was_asked_for(kit):
    asking = await kit.client(**{"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko Firefox/130.0"})
    await ask_for_link(asking)
    await kit.move(minutes=3)
    [mail] = await mailbox(kit, ADA)
    assert "Firefox on Linux, 127.0.0.1" in mail.text
    other = await kit.client()
    shown = await other.get(path_of(link_in(mail)), headers=HTML)
    assert "This was not asked for in this browser" in shown.text
    assert "Firefox on Linux" in shown.text
    assert "127.0.0.1" in shown.text
    assert (await confirm(other, token_in(mail))).status_code == 303
    assert await me(other) is not None
    assert await me(asking) is None


async def test_who_is_signed_in_as_somebody_else_is_told_and_signed_out(kit):
    client = await kit.sign_in("grace")
    kept = dict(client.cookies)
    await ask_for_link(client)
    [mail] = await mailbox(kit, ADA)
    shown = await client.get(path_of(link_in(mail)), headers=HTML)
    assert "grace@example.com is signed out" in shown.text
    await confirm(client, token_in(mail))
    assert (await me(client))["email"] == ADA
    old = await kit.client()
    old.cookies.update(kept)
    assert await me(old) is None


async def test_an_address_that_was_never_proven_is_proven_now(kit):
    user = await person(kit, proven=False)
    client = await kit.client()
    await ask_for_link(client)
    await confirm(client, token_in((await mailbox(kit, ADA))[-1]))
    found = await me(client)
    assert (found["id"], found["email_verified"]) == (str(user), True)


async def test_banned_and_deleted_people_get_no_mail(kit):
    banned, deleted = await person(kit), await person(kit, BOB)
    async with kit.system.service() as ctx:
        await ban_user(ctx, banned, reason="spam")
        await delete_user(ctx, deleted, reason="asked")
    client = await kit.client()
    for address in (ADA, BOB):
        assert (await ask_for_link(client, address)).status_code == 303
        assert await mailbox(kit, address) == []


async def test_403_for_who_was_banned_after_the_mail_and_only_with_the_proof(kit):
    user, client = await person(kit), await kit.client()
    await ask_for_link(client)
    [mail] = await mailbox(kit, ADA)
    async with kit.system.service() as ctx:
        # Without the ban's own forgetting of tokens: as if both happened at the same moment.
        from_now = kit.clock.now() + timedelta(days=1)
        await ctx.db.run(_ban, user=user, until=from_now)
    wrong = await type_code(client, "000000" if code_in(mail) != "000000" else "000001")
    assert wrong.status_code == 400
    assert "blocked" not in wrong.text
    refused = await confirm(client, token_in(mail))
    assert refused.status_code == 403
    assert "blocked" in refused.text
    assert await me(client) is None


async def test_a_ban_makes_mailed_links_worthless(kit):
    user, client = await person(kit), await kit.client()
    await ask_for_link(client)
    [mail] = await mailbox(kit, ADA)
    async with kit.system.service() as ctx:
        await ban_user(ctx, user, reason="spam")
    assert (await confirm(client, token_in(mail))).status_code == 400


async def test_who_has_a_second_factor_is_asked_for_it_before_there_is_a_session(kit):
    user, client, app = await person(kit), await kit.client(), await kit.client()
    async with kit.system.service() as ctx:
        await ctx.db.run(_totp, user=user)
    await ask_for_link(client, return_to="/settings")
    half = await confirm(client, token_in((await mailbox(kit, ADA))[-1]))
    assert (half.status_code, half.headers["location"]) == (303, "/auth/second-factor?return_to=%2Fsettings")
    await ask_for_link(client)
    assert (await type_code(client, code_in((await mailbox(kit, ADA))[-1]))).headers["location"] == (
        "/auth/second-factor?return_to=%2Fdashboard"
    )
    assert await me(client) is None
    await app.post("/v1/auth/magic-link", json={"email": ADA})
    shown = {"token": token_in((await mailbox(kit, ADA))[-1])}
    told = (await app.post("/v1/auth/magic-link/confirm", json=shown)).json()
    assert (told["status"], told["factors"]) == ("second_factor_needed", ["totp"])
    assert await me(app) is None


@pytest.mark.parametrize("email", ["", "ada", "ada@", "@example.com", "ada@localhost", "a@b@example.com", "a" * 300])
async def test_422_with_what_was_typed_for_what_is_no_address(kit, email):
    client = await kit.client()
    refused = await ask_for_link(client, email, return_to="/settings")
    assert refused.status_code == 422
    assert "Use an e-mail address" in refused.text
    assert 'value="/settings"' in refused.text
    if email and len(email) < 100:
        assert f'value="{email}"' in refused.text
    answer = await client.post("/v1/auth/magic-link", json={"email": email})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.email")


async def test_apps_ask_and_confirm_with_the_token_or_the_code(kit):
    await person(kit)
    app = await kit.client()
    asked = await app.post("/v1/auth/magic-link", json={"email": ADA})
    assert (asked.status_code, sorted(asked.json())) == (202, ["challenge", "expires_at"])
    assert asked.json()["expires_at"] == "2026-03-14T12:15:00Z"
    [mail] = await mailbox(kit, ADA)
    shown = {"challenge": asked.json()["challenge"], "code": code_in(mail), "deliver": "token"}
    done = await app.post("/v1/auth/magic-link/confirm", json=shown)
    assert (done.status_code, done.json()["status"]) == (200, "signed_in")
    bearer = {"authorization": f"Bearer {done.json()['token']}"}
    fresh = await kit.client()
    assert (await fresh.get("/v1/me", headers=bearer)).json()["email"] == ADA
    await app.post("/v1/auth/magic-link", json={"email": ADA})
    mail = (await mailbox(kit, ADA))[-1]
    done = await app.post("/v1/auth/magic-link/confirm", json={"token": token_in(mail)})
    assert (done.status_code, done.json()["token"]) == (200, None)
    assert (await me(app))["email"] == ADA
    again = await app.post("/v1/auth/magic-link/confirm", json={"token": token_in(mail)})
    assert (again.status_code, again.json()["code"]) == (400, "identity.link_expired")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"token": "x", "code": "123456"},
        {"code": "123456"},
        {"challenge": "nonsense", "code": "123456"},
        {"token": ["x"]},
        {"token": "x", "user_id": "1"},
        {"token": ""},
    ],
)
async def test_422_for_a_body_that_is_none(kit, body):
    client = await kit.client()
    assert (await client.post("/v1/auth/magic-link/confirm", json=body)).status_code == 422


async def test_two_first_sign_ins_of_one_address_at_once_make_one_person(kit):
    clients = [await kit.client() for _ in range(3)]
    for client in clients:
        await ask_for_link(client)
    mails = await mailbox(kit, ADA)
    ways = (confirm(client, token_in(mail)) for client, mail in zip(clients, mails, strict=True))
    done = await asyncio.gather(*ways)
    assert [one.status_code for one in done] == [303, 303, 303]
    assert len({(await me(client))["id"] for client in clients}) == 1
