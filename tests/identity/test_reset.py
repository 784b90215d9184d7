"""A forgotten password: the mail, the link, the code, and what ends when another one is chosen."""

import asyncio
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from sqlalchemy import insert, select

from identity.password_steps import (
    ADA,
    HTML,
    NEW,
    WAYS,
    ask,
    asked,
    code_in,
    enter,
    entered,
    entries,
    hash_of,
    link_in,
    mailbox,
    person,
    reset,
    rows,
    sessions,
    token_in,
    tokens,
)
from tenantry import Google, Password
from tenantry.identity import queries
from tenantry.identity.actions.people import ban_user, delete_user
from tenantry.identity.models import TotpSecrets, Users
from tenantry.identity.tokens import Purpose, issue
from tenantry.kernel.database import param, statement
from tenantry.kernel.sql import now

_totp = statement(insert(TotpSecrets).values(user_id=param("user"), secret="sealed", confirmed_at=now()))
_factors = statement(select(TotpSecrets.user_id))
_proven = statement(select(Users.email_verified_at))
NOBODY = "nobody@example.com"


@pytest.fixture
async def kit(start, product_of):
    return await start(product_of(sign_in=[*WAYS]))


async def confirm(browser, password=NEW, **shown):
    return await browser.post("/v1/auth/reset/confirm", json={"password": password, **shown})


# --- The link ---


async def test_the_link_lets_a_new_password_be_chosen_and_signs_nobody_in(kit):
    user = await person(kit)
    _, mail = await asked(kit)
    browser = await kit.client()
    shown = await browser.get(link_in(mail), headers=HTML)
    assert (shown.status_code, ADA in shown.text) == (200, True)
    # With "no-referrer" browsers would send the form with the Origin "null", which is refused.
    assert (shown.headers["referrer-policy"], shown.headers["cache-control"]) == ("same-origin", "no-store")
    done = await reset(browser, mail)
    assert done.status_code == 303
    assert urlsplit(done.headers["location"]).path == "/signin"
    assert parse_qs(urlsplit(done.headers["location"]).query)["done"] == ["reset"]
    assert not [name for name in browser.cookies if "session" in name]
    assert "Your new password is set." in (await browser.get(done.headers["location"], headers=HTML)).text
    assert (await enter(browser)).status_code == 401
    assert (await enter(browser, password=NEW)).json()["user_id"] == str(user)
    assert "password.reset" in await rows(kit, entries)
    told = (await mailbox(kit, ADA))[-1]
    assert told.subject == "Your password was changed"
    assert "/auth/verify" not in told.text


async def test_looking_at_the_link_uses_nothing_up(kit):
    await person(kit)
    _, mail = await asked(kit)
    scanner = await kit.client()
    for method in ("GET", "HEAD", "GET"):
        assert (await scanner.request(method, link_in(mail), headers=HTML)).status_code == 200
    assert (await reset(scanner, mail)).status_code == 303


async def test_every_session_ends_and_everything_that_was_mailed(kit):
    user = await person(kit)
    here, there = await entered(kit), await entered(kit)
    older = (await asked(kit))[1]
    _, mail = await asked(kit)
    async with kit.system.service() as ctx:
        await issue(ctx, Purpose.SIGN_IN, ADA, user_id=user)
        await issue(ctx, Purpose.SECOND_FACTOR, str(user), user_id=user)
    assert (await reset(here, mail)).status_code == 303
    assert [(await one.get("/v1/me")).status_code for one in (here, there)] == [401, 401]
    assert [await rows(kit, one) for one in (sessions, tokens)] == [[0], [0]]
    for gone in (mail, older):
        assert (await reset(await kit.client(), gone)).status_code == 400
    assert (await enter(await kit.client(), password=NEW)).status_code == 200


async def test_second_factors_stay(kit):
    user = await person(kit)
    async with kit.system.service() as ctx:
        await ctx.db.run(_totp, user=user)
    _, mail = await asked(kit)
    browser = await kit.client()
    await reset(browser, mail)
    assert await rows(kit, _factors) == [user]
    answer = await enter(browser, password=NEW)
    assert answer.json()["status"] == "second_factor_needed"


async def test_who_has_no_password_yet_sets_the_first_one(kit):
    user = await person(kit, password=None)
    _, mail = await asked(kit)
    assert (await reset(await kit.client(), mail)).status_code == 303
    assert (await enter(await kit.client(), password=NEW)).json()["user_id"] == str(user)


async def test_an_address_that_was_never_proven_is_now_and_loses_what_was_left_on_it(kit):
    user = await person(kit, proven=False)
    async with kit.system.service() as ctx:
        await ctx.db.run(_totp, user=user)
    _, mail = await asked(kit)
    assert (await reset(await kit.client(), mail)).status_code == 303
    assert (await rows(kit, _proven))[0] is not None
    assert await rows(kit, _factors) == []
    browser = await kit.client()
    assert (await enter(browser)).status_code == 401
    assert (await enter(browser, password=NEW)).json()["status"] == "signed_in"


async def test_422_a_weak_one_is_told_beside_the_field_and_the_link_stays_good(kit):
    await person(kit)
    _, mail = await asked(kit)
    browser = await kit.client()
    for weak, said in (("short", "Use at least 8 characters."), ("password123", "guessers"), (ADA, "Do not use")):
        answer = await reset(browser, mail, weak)
        assert (answer.status_code, said in answer.text) == (422, True), weak
        assert f'value="{weak}"' not in answer.text or weak == ADA
    answer = await confirm(browser, "short", token=token_in(mail))
    assert (answer.status_code, answer.json()["code"]) == (422, "identity.password_weak")
    assert answer.json()["errors"][0]["field"] == "body.password"
    assert (await reset(browser, mail)).status_code == 303


async def test_400_after_an_hour_the_link_is_too_old(kit):
    await person(kit)
    challenge, mail = await asked(kit)
    await kit.move(minutes=59, seconds=59)
    assert (await (await kit.client()).get(link_in(mail), headers=HTML)).status_code == 200
    await kit.move(seconds=1)
    browser = await kit.client()
    assert (await browser.get(link_in(mail), headers=HTML)).status_code == 400
    assert (await confirm(browser, token=token_in(mail))).json()["code"] == "identity.link_expired"
    assert (await confirm(browser, challenge=challenge, code=code_in(mail))).json()["code"] == "identity.code_wrong"


async def test_signed_in_as_somebody_else_the_link_acts_for_its_own_person(kit):
    await person(kit)
    await person(kit, "grace@example.com")
    grace = await entered(kit, "grace@example.com")
    _, mail = await asked(kit)
    assert (await reset(grace, mail)).status_code == 303
    assert (await enter(await kit.client(), password=NEW)).status_code == 200
    assert (await enter(await kit.client(), "grace@example.com")).status_code == 200


# --- The code ---


async def test_the_code_is_typed_in_the_browser_that_asked(kit):
    await person(kit)
    browser = await kit.client()
    answer = await browser.post("/auth/reset", data={"email": "Ada@example.com", "return_to": "/settings"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/auth/sent")
    shown = await browser.get("/auth/sent", headers=HTML)
    assert (shown.status_code, ADA in shown.text) == (200, True)
    code = code_in((await mailbox(kit, ADA))[-1])
    wrong = await browser.post("/auth/sent", data={"code": "000000", "password": NEW}, headers=HTML)
    assert (wrong.status_code, "That code is not right" in wrong.text) == (400, True)
    weak = await browser.post("/auth/sent", data={"code": code, "password": "short"}, headers=HTML)
    assert (weak.status_code, "Use at least 8 characters." in weak.text) == (422, True)
    done = await browser.post("/auth/sent", data={"code": code, "password": NEW}, headers=HTML)
    assert done.headers["location"] == "/signin?done=reset&return_to=%2Fsettings"
    assert (await enter(browser, password=NEW)).status_code == 200


async def test_an_app_uses_the_code_with_its_challenge(kit):
    await person(kit)
    challenge, mail = await asked(kit)
    app = await kit.client()
    assert (await confirm(app, challenge=str(uuid4()), code=code_in(mail))).json()["code"] == "identity.code_wrong"
    done = await confirm(app, challenge=challenge, code=code_in(mail))
    assert (done.status_code, done.content) == (204, b"")
    again = await confirm(app, challenge=challenge, code=code_in(mail))
    assert again.json()["code"] == "identity.code_wrong"


@pytest.mark.parametrize(
    "shown", [{}, {"token": "a", "code": "1"}, {"code": "123456"}, {"token": "a", "challenge": str(uuid4())}]
)
async def test_422_neither_and_both(kit, shown):
    assert (await confirm(await kit.client(), **shown)).status_code == 422


# --- Nobody is told who has an account ---


@pytest.mark.parametrize("fate", ["unknown", "banned", "deleted"])
async def test_who_cannot_sign_in_gets_the_same_answer_and_no_mail(kit, fate):
    user = await person(kit)
    other = await person(kit, "grace@example.com")
    async with kit.system.service() as ctx:
        if fate == "banned":
            await ban_user(ctx, other, reason="spam")
        if fate == "deleted":
            await delete_user(ctx, other, reason="asked")
    email = NOBODY if fate == "unknown" else "grace@example.com"
    known, unknown = await ask(await kit.client()), await ask(await kit.client(), email)
    assert user != other
    assert known.status_code == unknown.status_code == 202
    assert known.json().keys() == unknown.json().keys()
    assert [*known.headers] == [*unknown.headers]
    assert [name for name, _ in known.cookies.items()] == [name for name, _ in unknown.cookies.items()]
    assert await mailbox(kit, email) == []
    assert len(await mailbox(kit, ADA)) == 1
    pages = [await kit.client() for _ in range(2)]
    answers = [
        await one.post("/auth/reset", data={"email": address}) for one, address in zip(pages, (ADA, email), strict=True)
    ]
    assert [one.status_code for one in answers] == [303, 303]
    sent = [(await one.get("/auth/sent", headers=HTML)).text.partition("<main")[2] for one in pages]
    assert sent[0].replace(ADA, "x") == sent[1].replace(email, "x")
    challenge = unknown.json()["challenge"]
    answer = await confirm(await kit.client(), challenge=challenge, code="123456")
    assert answer.json()["code"] == "identity.code_wrong"


async def test_at_most_three_wait_at_once(kit):
    await person(kit)
    mails = [(await asked(kit))[1] for _ in range(4)]
    first = await (await kit.client()).get(link_in(mails[0]), headers=HTML)
    assert first.status_code == 400
    for mail in mails[1:]:
        assert (await (await kit.client()).get(link_in(mail), headers=HTML)).status_code == 200
    assert await rows(kit, tokens) == [3]


@pytest.mark.parametrize("email", [ADA, NOBODY])
async def test_429_the_sixth_asking_within_a_quarter_of_an_hour(kit, email):
    await person(kit)
    for spelled in (email, email.upper(), email.title(), email, email):
        assert (await ask(await kit.client(), spelled)).status_code == 202
    refused = await ask(await kit.client(), email)
    assert (refused.status_code, refused.json()["code"]) == (429, "request.too_many_attempts")
    page = await (await kit.client()).post("/auth/reset", data={"email": email}, headers=HTML)
    assert (page.status_code, f'value="{email}"' in page.text) == (429, True)
    await kit.move(minutes=15)
    assert (await ask(await kit.client(), email)).status_code == 202


async def test_422_what_is_no_address(kit):
    browser = await kit.client()
    page = await browser.post("/auth/reset", data={"email": "ada"}, headers=HTML)
    assert (page.status_code, 'value="ada"' in page.text) == (422, True)
    assert (await ask(browser, "ada")).status_code == 422


async def test_the_address_has_changed_since_the_mail(kit):
    user = await person(kit)
    _, mail = await asked(kit)
    async with kit.system.service() as ctx:
        await queries.users.readdress(ctx.db, user, "countess@example.com")
    assert (await reset(await kit.client(), mail)).status_code == 400
    assert await hash_of(kit, user) is not None
    assert (await enter(await kit.client(), "countess@example.com")).status_code == 200


async def test_two_who_ask_at_once_both_get_a_mail(kit):
    await person(kit)
    answers = await asyncio.gather(*[ask(await kit.client()) for _ in range(2)])
    assert [one.status_code for one in answers] == [202, 202]
    assert len(await mailbox(kit, ADA)) == 2


async def test_a_product_where_nobody_signs_up_with_a_password_still_resets(start, product_of):
    kit = await start(product_of(sign_in=[Google(), Password(sign_up=False, length_min=12)]))
    await person(kit)
    _, mail = await asked(kit)
    browser = await kit.client()
    assert "At least 12 characters." in (await browser.get(link_in(mail), headers=HTML)).text
    assert (await reset(browser, mail, "eleven sign")).status_code == 422
    assert (await reset(browser, mail)).status_code == 303
    assert (await enter(browser, password=NEW)).status_code == 200
