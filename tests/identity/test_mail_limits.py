"""Mails that anybody may ask for: nobody's mailbox is filled, and no network sends them by the thousand."""

import pytest

from identity.mailbox import code_in, mailbox
from identity.mailed import ADA, HTML, mailing_product, me, person, shape, type_code
from identity.password_steps import count_at
from tenantry.identity.limits import MAILS
from tenantry.identity.tokens import CODE_TRIES, CODE_TRIES_AN_HOUR

NEW = "eve@example.com"
A_DAY = MAILS.day or 0
LINK, RESET, SIGN_UP = "/v1/auth/magic-link", "/v1/auth/reset", "/v1/auth/sign-up"


@pytest.fixture
async def kit(start):
    return await start(mailing_product())


async def ask(browser, email=ADA, door=LINK):
    more = {"password": "seven grey herons"} if door == SIGN_UP else {}
    return await browser.post(door, json={"email": email, **more})


async def statuses(kit, times, email=ADA, browser=None, door=LINK):
    return [(await ask(browser or await kit.client(), email, door)).status_code for _ in range(times)]


async def a_day_of_mails(kit, email=ADA, browser=None):
    for _ in range(A_DAY // MAILS.account):
        assert await statuses(kit, MAILS.account, email, browser) == [202] * MAILS.account
        await kit.move(minutes=15)


async def known_browser(kit):
    """A browser that Ada was signed in with before, and is not now."""
    browser = await kit.client()
    await ask(browser)
    await type_code(browser, code_in((await mailbox(kit, ADA))[-1]))
    assert await me(browser)
    await browser.post("/auth/signout")
    return browser


# --- To one address ---


@pytest.mark.parametrize("email", [ADA, NEW])
async def test_429_the_twenty_first_mail_of_a_day_to_an_address_known_or_not(kit, email):
    await person(kit)
    await a_day_of_mails(kit, email)
    for door in (LINK, RESET, SIGN_UP):
        refused = await ask(await kit.client(), email, door)
        assert (refused.status_code, refused.json()["code"]) == (429, "request.too_many_attempts"), door
        assert 22 * 3600 < int(refused.headers["retry-after"]) < 24 * 3600
    assert len(await mailbox(kit, email)) == A_DAY
    await kit.move(hours=23)
    assert await statuses(kit, 1, email) == [202]


async def test_the_refusal_tells_nothing_of_who_has_the_address(kit):
    await person(kit)
    shapes = []
    for email in (ADA, NEW):
        await a_day_of_mails(kit, email)
        await kit.move(hours=20)
        page = await (await kit.client()).post("/auth/reset", data={"email": email}, headers=HTML)
        shapes.append([shape(await ask(await kit.client(), email), email), shape(page, email)])
    assert shapes[0] == shapes[1]
    assert shapes[0][0]["status"] == shapes[0][1]["status"] == 429


async def test_a_browser_that_was_signed_in_before_has_a_day_of_its_own(kit):
    await person(kit)
    known = await known_browser(kit)
    await kit.move(hours=24)
    await a_day_of_mails(kit)
    assert await statuses(kit, 1) == [429]
    await a_day_of_mails(kit, browser=known)
    assert await statuses(kit, 1, browser=known) == [429]


async def test_tags_are_counted_as_one_mailbox_and_mailed_as_they_are(kit):
    for number in range(MAILS.account):
        assert (await ask(await kit.client(), f"ada+{number}@example.com")).status_code == 202
    for email in ("ada+again@example.com", ADA, "ADA+x@example.com", "ada++@example.com"):
        assert (await ask(await kit.client(), email)).status_code == 429, email
    # Another mailbox, and another domain.
    assert await statuses(kit, 1, "adaa@example.com") == await statuses(kit, 1, "ada+1@example.org") == [202]
    assert [mail.recipient for mail in await mailbox(kit, "ada+1@example.com")] == ["ada+1@example.com"]
    assert await mailbox(kit, ADA) == []


async def test_an_address_that_is_all_tag_is_itself(kit):
    assert await statuses(kit, MAILS.account, "+one@example.com") == [202] * MAILS.account
    assert await statuses(kit, 1, "+two@example.com") == [202]


async def test_who_is_signed_in_fills_no_mailbox_either(kit, start):
    kit = await start()
    ada = await kit.sign_in("ada")
    wanted = {"email": "new@example.org"}
    for _ in range(A_DAY // MAILS.account):
        for _ in range(MAILS.account):
            assert (await ada.post("/v1/me/email", json=wanted)).status_code == 202
        assert (await ada.post("/v1/me/email", json=wanted)).status_code == 429
        await kit.move(minutes=15)
        ada = await kit.sign_in("ada")
    assert (await ada.post("/v1/me/email", json=wanted)).status_code == 429
    # ... nor somebody else's, who signs in to another account.
    grace = await kit.sign_in("grace")
    assert (await grace.post("/v1/me/email", json={"email": "new+1@example.org"})).status_code == 429
    assert (await grace.post("/v1/me/email", json={"email": "grace@example.org"})).status_code == 202


async def test_429_the_codes_that_confirm_are_bounded_by_the_day(start):
    kit = await start()
    for _ in range(A_DAY // MAILS.account):
        ada = await kit.sign_in("ada")
        for _ in range(MAILS.account):
            assert (await ada.post("/v1/auth/confirm/mail")).status_code == 204
        assert (await ada.post("/v1/auth/confirm/mail")).status_code == 429
        await kit.move(minutes=15)
    ada = await kit.sign_in("ada")
    assert (await ada.post("/v1/auth/confirm/mail")).status_code == 429


# --- From one network ---


async def test_429_from_one_network_to_whichever_addresses(kit):
    for number in range(MAILS.network):
        assert (await ask(await kit.client(), f"person{number}@example.com")).status_code == 202
    refused = await ask(await kit.client(), "another@example.com")
    assert (refused.status_code, 0 < int(refused.headers["retry-after"]) <= 601) == (429, True)
    assert await count_at(kit, "mail at another@example.com") == 0
    await kit.move(minutes=10)
    assert await statuses(kit, 1, "another@example.com") == [202]


# --- Codes ---


async def guess_codes(kit):
    """A stranger asks for mails to Ada's address, and types wrong codes until no more are taken."""
    while await count_at(kit, f"codes {ADA}") <= CODE_TRIES_AN_HOUR:
        stranger = await kit.client()
        challenge = (await ask(stranger)).json().get("challenge")
        if challenge is None:
            await kit.move(minutes=10)
            continue
        right = code_in((await mailbox(kit, ADA))[-1])
        for _ in range(CODE_TRIES):
            wrong = "000000" if right != "000000" else "111111"
            await stranger.post(f"{LINK}/confirm", json={"challenge": challenge, "code": wrong})


async def test_class_25_who_guesses_codes_does_not_switch_them_off_for_the_owners_browser(kit):
    await person(kit)
    known = await known_browser(kit)
    await guess_codes(kit)
    await kit.move(minutes=10)
    stranger = await kit.client()
    assert (await ask(stranger)).status_code == 202
    refused = await type_code(stranger, code_in((await mailbox(kit, ADA))[-1]))
    assert refused.status_code == 429
    assert (await ask(known)).status_code == 202
    await type_code(known, code_in((await mailbox(kit, ADA))[-1]))
    assert (await me(known))["email"] == ADA


async def test_class_25_the_owners_browser_guesses_no_more_than_others(kit):
    await person(kit)
    known = await known_browser(kit)
    tried = 0
    for _ in range(8):
        challenge = (await ask(known)).json().get("challenge")
        if challenge is None:
            await kit.move(minutes=15)
            continue
        right = code_in((await mailbox(kit, ADA))[-1])
        for _ in range(CODE_TRIES):
            wrong = "000000" if right != "000000" else "111111"
            answer = await known.post(f"{LINK}/confirm", json={"challenge": challenge, "code": wrong})
            tried += answer.status_code == 400
    assert tried == CODE_TRIES_AN_HOUR
    assert await count_at(kit, f"codes {ADA}") == 0
    await type_code(known, right)
    assert await me(known) is None
