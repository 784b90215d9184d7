"""Guesses at a second factor: bounded by the day, told to the owner, and in nobody's way who has another one."""

import pytest

from identity.authenticator import Device
from identity.mailbox import mailbox
from identity.second_factors import STEP, App, half, is_signed_in
from tenantry import Google, Passkey
from tenantry.identity.limits import AT_AN_ACCOUNT, SIX_DIGITS
from tenantry.testing.queries import latest_entries

ADA = "ada@example.com"
DOOR = "/v1/auth/second-factor"
TOLD = {"en": "Somebody is guessing your codes", "de": "Jemand probiert Codes für Ihr Konto aus"}
A_DAY = SIX_DIGITS.day or 0


@pytest.fixture
async def kit(start, product_of):
    return await start(product_of(sign_in=[Google(), Passkey()]))


async def guess(kit, times, browser=None, **body):
    """So many wrong proofs, five at each half of a sign-in; answers the statuses."""
    found = []
    for number in range(times):
        if number % 5 == 0:
            client = await half(kit) if browser is None else await again(kit, browser)
        found.append((await client.post(DOOR, json=body)).status_code)
    return found


async def again(kit, browser):
    """The first half of a sign-in, in a browser that was signed in before."""
    await kit.finish_sign_in(browser, "ada", await browser.get("/auth/demo/start"))
    return browser


async def told(kit, language="en"):
    """How many letters said so."""
    return sum(mail.subject == TOLD[language] for mail in await mailbox(kit, ADA))


async def passes(kit, browser, **body):
    return (await browser.post(DOOR, json=body)).status_code == 200 and await is_signed_in(browser)


# --- Bounded by the day ---


async def test_429_thirty_codes_of_an_app_in_a_day_and_no_more(kit):
    app = await App.of(kit, await kit.sign_in("ada"))
    for _ in range(A_DAY // AT_AN_ACCOUNT):
        assert await guess(kit, AT_AN_ACCOUNT, code=app.wrong_code(kit)) == [400] * AT_AN_ACCOUNT
        await kit.move(minutes=15)
    refused = await (await half(kit)).post(DOOR, json={"code": app.code(kit)})
    assert (refused.status_code, refused.json()["code"]) == (429, "request.too_many_attempts")
    assert 23 * 3600 < int(refused.headers["retry-after"]) < 24 * 3600
    await kit.move(hours=24)
    assert await passes(kit, await half(kit), code=app.code(kit))


async def test_what_is_refused_uses_nothing_of_the_day_up(kit):
    app = await App.of(kit, await kit.sign_in("ada"))
    assert await guess(kit, A_DAY + 5, code=app.wrong_code(kit)) == [400] * AT_AN_ACCOUNT + [429] * 25
    await kit.move(minutes=15)
    assert await passes(kit, await half(kit), code=app.code(kit))


async def test_right_ones_are_given_back_and_told_to_nobody(kit):
    app = await App.of(kit, await kit.sign_in("ada"))
    for _ in range(A_DAY + 1):
        assert await passes(kit, await half(kit), code=app.code(kit))
        await kit.move(seconds=STEP)
    assert await told(kit) == 0


async def test_a_browser_that_was_signed_in_before_has_a_day_of_its_own(kit):
    ada = await kit.sign_in("ada")
    app = await App.of(kit, ada)
    for _ in range(A_DAY // AT_AN_ACCOUNT):
        await guess(kit, AT_AN_ACCOUNT, code=app.wrong_code(kit))
        await kit.move(minutes=15)
    assert not await passes(kit, await half(kit), code=app.code(kit))
    assert await passes(kit, await again(kit, ada), code=app.code(kit))
    for _ in range(A_DAY // AT_AN_ACCOUNT):
        assert 400 in await guess(kit, AT_AN_ACCOUNT, ada, code=app.wrong_code(kit))
        await kit.move(minutes=15)
    assert not await passes(kit, await again(kit, ada), code=app.code(kit))


async def test_step_up_has_a_day_too_and_takes_none_of_the_sign_ins(kit):
    ada = await kit.sign_in("ada")
    app = await App.of(kit, ada)
    for _ in range(A_DAY // AT_AN_ACCOUNT):
        await kit.move(minutes=15)
        for _ in range(AT_AN_ACCOUNT):
            assert (await ada.post("/v1/auth/confirm", json={"code": app.wrong_code(kit)})).status_code == 400
        assert (await ada.post("/v1/auth/confirm", json={"code": app.wrong_code(kit)})).status_code == 429
    await kit.move(minutes=14)
    assert (await ada.post("/v1/auth/confirm", json={"code": app.code(kit)})).status_code in {401, 429}
    assert await told(kit) == 1
    assert await passes(kit, await again(kit, ada), code=app.code(kit))


# --- In nobody's way ---


async def test_who_uses_up_the_codes_of_the_app_locks_nobody_out_of_the_others(kit):
    ada, device = await kit.sign_in("ada"), Device()
    app = await App.of(kit, ada)
    await device.register(ada)
    assert (await guess(kit, AT_AN_ACCOUNT + 1, code=app.wrong_code(kit)))[-1] == 429
    assert not await passes(kit, await half(kit), code=app.code(kit))
    # Browsers in which she has never been.
    assert await passes(kit, await half(kit), recovery_code=app.recovery_codes[0])
    browser = await half(kit)
    assert (await device.sign_in(browser, f"{DOOR}/passkey")).status_code == 200
    assert await is_signed_in(browser)


async def test_who_uses_up_the_recovery_codes_locks_nobody_out_of_the_others(kit):
    ada, device = await kit.sign_in("ada"), Device()
    app = await App.of(kit, ada)
    await device.register(ada)
    assert (await guess(kit, AT_AN_ACCOUNT + 1, recovery_code="22222-22222"))[-1] == 429
    assert not await passes(kit, await half(kit), recovery_code=app.recovery_codes[0])
    assert await passes(kit, await half(kit), code=app.code(kit))
    assert (await device.sign_in(await half(kit), f"{DOOR}/passkey")).status_code == 200


async def test_whoever_shows_wrong_passkeys_locks_nobody_out(kit):
    ada, device = await kit.sign_in("ada"), Device()
    app = await App.of(kit, ada)
    await device.register(ada)
    for number in range(AT_AN_ACCOUNT + 5):
        if number % 5 == 0:
            browser = await half(kit)
        wrong = Device(credential_id=device.credential_id, handle=device.handle, count=number)
        assert (await wrong.sign_in(browser, f"{DOOR}/passkey")).status_code == 400
    assert (await device.sign_in(await half(kit), f"{DOOR}/passkey")).status_code == 200
    assert await passes(kit, await half(kit), code=app.code(kit))
    assert await told(kit) == 0


# --- Told ---


async def test_the_owner_is_told_of_the_first_exhausted_window_once_a_day(kit):
    app = await App.of(kit, await kit.sign_in("ada"))
    await guess(kit, AT_AN_ACCOUNT, code=app.wrong_code(kit))
    assert await told(kit) == 0
    await guess(kit, 3, code=app.wrong_code(kit))
    await guess(kit, AT_AN_ACCOUNT + 1, recovery_code="22222-22222")
    assert await told(kit) == 1
    letter = (await mailbox(kit, ADA))[-1]
    assert letter.recipient == ADA
    for part in (letter.text, letter.html or ""):
        assert "127.0.0.1" in part
        assert "/settings#second-factor" in part
    async with kit.system.service(writes=False) as ctx:
        actions = [entry.action for entry in await latest_entries(ctx.db)]
    assert actions.count("second_factor.guessed") == 1
    await kit.move(hours=24)
    await guess(kit, AT_AN_ACCOUNT + 1, code=app.wrong_code(kit))
    assert await told(kit) == 2


@pytest.mark.parametrize("at_once", [AT_AN_ACCOUNT, 4])
async def test_the_owner_is_told_of_who_guesses_slowly_too(kit, at_once):
    app = await App.of(kit, await kit.sign_in("ada"))
    for tried in range(0, AT_AN_ACCOUNT + 1, at_once):
        assert await told(kit) == 0
        assert 429 not in await guess(kit, min(at_once, AT_AN_ACCOUNT + 1 - tried), code=app.wrong_code(kit))
        await kit.move(minutes=15)
    assert await told(kit) == 1


async def test_the_letter_is_in_the_language_of_who_was_asked(kit):
    app = await App.of(kit, await kit.sign_in("ada"))
    for number in range(AT_AN_ACCOUNT + 1):
        if number % 5 == 0:
            client = await half(kit, **{"Accept-Language": "de"})
        await client.post("/auth/second-factor", data={"code": app.wrong_code(kit)})
    assert (await told(kit, "de"), await told(kit)) == (1, 0)
    letter = (await mailbox(kit, ADA))[-1]
    assert "Ihre" in letter.text
    assert "Somebody" not in letter.text
