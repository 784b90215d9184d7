"""Nobody makes the server hash uncounted: not the reader of a mail, and not who is signed in."""

import asyncio

import pytest

from identity.mailed import mailing_product
from identity.password_steps import (
    ADA,
    HTML,
    NEW,
    PASSWORD,
    WAYS,
    asked,
    busy,
    code_in,
    count_at,
    enter,
    entered,
    mailbox,
    person,
    reset,
    token_in,
)
from tenantry.identity.limits import AT_AN_ACCOUNT

ONES_OWN = "/v1/me/password"


@pytest.fixture
async def kit(start, product_of):
    return await start(product_of(sign_in=[*WAYS]))


async def until_counted(kit, key, times):
    async with asyncio.timeout(20):
        while await count_at(kit, key) < times:
            await asyncio.sleep(0.01)


async def confirm(browser, password=NEW, **shown):
    return await browser.post("/v1/auth/reset/confirm", json={"password": password, **shown})


# --- A forgotten password ---


async def test_a_password_that_may_not_be_chosen_is_refused_before_it_is_hashed(kit):
    await person(kit)
    challenge, mail = await asked(kit)
    browser = await kit.client()
    async with busy(kit), asyncio.timeout(10):
        by_link = await confirm(browser, ADA, token=token_in(mail))
        by_code = await confirm(browser, ADA, challenge=challenge, code=code_in(mail))
        page = await reset(browser, mail, ADA)
    for answer in (by_link, by_code):
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "too_close")
    assert (page.status_code, "Do not use" in page.text) == (422, True)
    # The mail is good as before, by its code too.
    assert (await confirm(browser, challenge=challenge, code=code_in(mail))).status_code == 204


async def test_400_what_is_no_mail_of_ours_is_not_hashed(kit):
    user = await person(kit)
    challenge, mail = await asked(kit)
    wrong = "000000" if code_in(mail) != "000000" else "111111"
    browser = await kit.client()
    async with busy(kit), asyncio.timeout(10):
        by_code = await confirm(browser, challenge=challenge, code=wrong)
        by_link = await confirm(browser, token="reset_" + "a" * 43)
        told = await confirm(browser, ADA, challenge=challenge, code=wrong)
    assert by_code.json()["code"] == told.json()["code"] == "identity.code_wrong"
    assert by_link.json()["code"] == "identity.link_expired"
    assert await count_at(kit, f"reset at {user}") == 0


async def test_429_a_links_reader_has_us_hash_ten_times_at_most(kit):
    user = await person(kit)
    _, mail = await asked(kit)
    browsers = [await kit.client() for _ in range(AT_AN_ACCOUNT + 3)]
    async with busy(kit):
        running = [asyncio.create_task(reset(one, mail)) for one in browsers]
        await until_counted(kit, f"reset at {user}", len(browsers))
    answers = sorted(one.status_code for one in await asyncio.gather(*running))
    assert answers == [303] + [400] * (AT_AN_ACCOUNT - 1) + [429] * 3
    page = await reset(await kit.client(), (await asked(kit))[1])
    assert (page.status_code, "too many attempts" in page.text) == (429, True)
    await kit.move(minutes=15)
    assert (await reset(await kit.client(), (await asked(kit))[1])).status_code == 303


# --- One's own password ---


async def test_429_the_eleventh_change_of_ones_own_password(kit):
    await person(kit)
    ada = await entered(kit)
    for number in range(AT_AN_ACCOUNT):
        assert (await ada.put(ONES_OWN, json={"password": f"{number} grey herons"})).status_code == 200
    refused = await ada.put(ONES_OWN, json={"password": NEW})
    assert (refused.status_code, refused.json()["code"]) == (429, "request.too_many_attempts")
    page = await ada.post("/settings/password", data={"password": NEW}, headers=HTML)
    assert (page.status_code, "too many attempts" in page.text) == (429, True)
    assert NEW not in page.text
    assert len(await mailbox(kit, ADA)) == AT_AN_ACCOUNT
    assert (await enter(await kit.client(), password="9 grey herons")).status_code == 200


async def test_weak_ones_are_not_counted(kit):
    user = await person(kit)
    ada = await entered(kit)
    async with busy(kit), asyncio.timeout(10):
        for weak in ("short", ADA, "password123"):
            assert (await ada.put(ONES_OWN, json={"password": weak})).status_code == 422
    assert await count_at(kit, f"own password at {user}") == 0


# --- A sign-up that goes on elsewhere ---


async def test_429_a_sign_ups_reader_has_us_hash_ten_times_at_most(start):
    kit = await start(mailing_product())
    browser = await kit.client()
    assert (await browser.post("/v1/auth/sign-up", json={"email": ADA, "password": PASSWORD})).status_code == 202
    token = token_in((await mailbox(kit, ADA))[-1])
    body = {"token": token, "new_password": NEW}
    browsers = [await kit.client() for _ in range(AT_AN_ACCOUNT + 2)]
    async with busy(kit):
        running = [asyncio.create_task(one.post("/v1/auth/sign-up/confirm", json=body)) for one in browsers]
        await until_counted(kit, f"sign-up password at {ADA}", len(browsers))
    answers = sorted(one.status_code for one in await asyncio.gather(*running))
    assert answers == [200] + [400] * (AT_AN_ACCOUNT - 1) + [429] * 2
