"""Guessing is counted before it is compared, for everybody alike, and does not keep owners out for long."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest

from identity.password_steps import (
    ADA,
    HTML,
    NEW,
    PASSWORD,
    WAYS,
    asked,
    busy,
    count_at,
    counted,
    enter,
    entered,
    person,
    reset,
    type_in,
)
from tenantry.identity.limits import AT_AN_ACCOUNT, FROM_A_NETWORK
from tenantry.kernel.attempts import attempt, network

NOBODY = "nobody@example.com"
AT_ADA = f"password at {ADA}"


@pytest.fixture
async def kit(start, product_of):
    return await start(product_of(sign_in=[*WAYS]))


async def fail(kit, times=AT_AN_ACCOUNT, email=ADA):
    """Strangers fail on purpose, each from a browser of their own; answers the statuses."""
    return [(await enter(await kit.client(), email, "wrong")).status_code for _ in range(times)]


async def tried_before(kit, times):
    """So many tries from this network at accounts that the test does not look at."""
    for _ in range(times):
        await attempt(kit.system, "password from 127.0.0.1", most=FROM_A_NETWORK, within=timedelta(minutes=10))


# --- At an account ---


@pytest.mark.parametrize("email", [ADA, NOBODY])
async def test_429_the_eleventh_wrong_password_at_an_account_known_or_not(kit, email):
    await person(kit)
    assert await fail(kit, email=email) == [401] * AT_AN_ACCOUNT
    refused = await enter(await kit.client(), email)
    assert (refused.status_code, refused.json()["code"]) == (429, "request.too_many_attempts")
    assert 0 < int(refused.headers["retry-after"]) <= 901
    page = await type_in(await kit.client(), email)
    assert (page.status_code, "too many attempts" in page.text) == (429, True)
    assert page.headers["retry-after"] == refused.headers["retry-after"]


async def test_the_lock_out_ends_after_a_quarter_of_an_hour(kit):
    await person(kit)
    await fail(kit)
    await kit.move(minutes=14, seconds=59)
    assert (await enter(await kit.client())).status_code == 429
    await kit.move(seconds=1)
    assert (await enter(await kit.client())).status_code == 200


async def test_trying_on_does_not_make_the_lock_out_longer(kit):
    await person(kit)
    await fail(kit, AT_AN_ACCOUNT + 5)
    await kit.move(minutes=10)
    assert await fail(kit, 5) == [429] * 5
    await kit.move(minutes=5)
    assert (await enter(await kit.client())).status_code == 200


@pytest.mark.parametrize(
    "spelled", ["ADA@example.com", "Ada@Example.COM", "ada@EXAMPLE.com", " ada@example.com", "ada@example.com."]
)
async def test_however_the_address_is_spelled_it_is_one_count(kit, spelled):
    await person(kit)
    await fail(kit, AT_AN_ACCOUNT - 1)
    await type_in(await kit.client(), spelled, "wrong")
    last = await type_in(await kit.client(), spelled)
    # Refused, or no address at all; never the eleventh guess.
    assert last.status_code in {422, 429}
    assert (await enter(await kit.client())).status_code == (429 if last.status_code == 429 else 200)


async def test_other_accounts_are_not_held_up(kit):
    await person(kit)
    await person(kit, "grace@example.com")
    await fail(kit)
    assert (await enter(await kit.client(), "grace@example.com")).status_code == 200


# --- The owner's own browser ---


async def test_a_stranger_who_fails_on_purpose_does_not_lock_the_owners_browser_out(kit):
    await person(kit)
    owner = await entered(kit)
    await owner.post("/auth/signout")
    await fail(kit, AT_AN_ACCOUNT + 3)
    assert (await enter(await kit.client())).status_code == 429
    assert (await enter(owner)).status_code == 200


async def test_429_the_owners_browser_is_counted_too(kit):
    await person(kit)
    owner = await entered(kit)
    for _ in range(AT_AN_ACCOUNT):
        assert (await enter(owner, password="wrong")).status_code == 401
    assert (await enter(owner)).status_code == 429
    assert (await enter(await kit.client())).status_code == 200


async def test_one_browsers_own_account_opens_no_other_ones_count(kit):
    await person(kit)
    await person(kit, "mallory@example.com")
    mallory = await entered(kit, "mallory@example.com")
    await fail(kit)
    assert (await enter(mallory)).status_code == 429


async def test_a_cookie_that_was_not_sealed_here_makes_no_browser_known(kit):
    await person(kit)
    await fail(kit)
    for forged in ("x", '{"users": ["1"]}', "v1.abc.def"):
        assert (await enter(await kit.client(cookie=f"device={forged}"))).status_code == 429


async def test_after_a_reset_its_browser_gets_in_although_the_account_is_locked(kit):
    await person(kit)
    await fail(kit)
    browser = await kit.client()
    _, mail = await asked(kit)
    await reset(browser, mail)
    assert (await enter(browser, password=NEW)).status_code == 200
    # ... and nobody else's tries were forgotten by it.
    assert (await enter(await kit.client(), password=NEW)).status_code == 429


# --- A right one gives back its own try only ---


async def test_a_right_password_does_not_clear_the_count_of_the_others(kit):
    await person(kit)
    for _ in range(3):
        assert await fail(kit, 3) == [401] * 3
        assert (await enter(await kit.client())).status_code == 200
    assert await count_at(kit, AT_ADA) == 9
    assert await fail(kit, 2) == [401, 429]


async def test_knowing_one_password_buys_no_guesses_at_others(kit):
    await person(kit, "mallory@example.com")
    await tried_before(kit, FROM_A_NETWORK - 4)
    for guess in range(4):
        assert (await enter(await kit.client(), f"victim{guess}@example.com", "guess")).status_code == 401
        await enter(await kit.client(), "mallory@example.com")
    assert (await enter(await kit.client(), "victim@example.com", "guess")).status_code == 429


# --- From a network ---


async def behind(kit, address, **more):
    return await kit.client(**{"X-Forwarded-For": address}, **more)


async def test_429_too_many_from_one_network_whichever_accounts(kit):
    await person(kit)
    browser = await kit.client()
    await tried_before(kit, FROM_A_NETWORK - 3)
    for guess in range(3):
        assert (await enter(browser, f"victim{guess}@example.com", "guess")).status_code == 401
    assert (await enter(browser)).status_code == 429
    await kit.move(minutes=10)
    assert (await enter(browser)).status_code == 200


async def test_a_forwarded_address_is_not_believed_of_whom_we_do_not_trust(kit):
    await person(kit)
    await tried_before(kit, FROM_A_NETWORK - 3)
    for guess in range(4):
        browser = await behind(kit, f"203.0.113.{guess}")
        last = await enter(browser, f"victim{guess}@example.com", "guess")
    assert last.status_code == 429
    assert await count_at(kit, "password from 127.0.0.1") == FROM_A_NETWORK + 1


async def test_behind_a_trusted_proxy_each_network_counts_apart(start, product_of):
    kit = await start(product_of(sign_in=[*WAYS]), trusted_proxies=1)
    await person(kit)
    # What the caller wrote stands left of what our proxy added, and counts for nothing.
    await enter(await behind(kit, "198.51.100.7, 203.0.113.5"), password="wrong")
    await enter(await behind(kit, "198.51.100.8, 203.0.113.5"), password="wrong")
    await enter(await behind(kit, "203.0.113.6"), password="wrong")
    assert await count_at(kit, "password from 203.0.113.5") == 2
    assert await count_at(kit, "password from 203.0.113.6") == 1
    assert await count_at(kit, "password from 198.51.100.7") == 0


async def test_an_ipv6_caller_counts_with_its_whole_64(start, product_of):
    kit = await start(product_of(sign_in=[*WAYS]), trusted_proxies=1)
    for tail in range(3):
        await enter(await behind(kit, f"2001:db8:1:2::{tail + 1:x}"), NOBODY, "wrong")
        await enter(await behind(kit, f"2001:db8:1:3::{tail + 1:x}"), NOBODY, "wrong")
    for prefix in ("2001:db8:1:2", "2001:db8:1:3"):
        assert await count_at(kit, f"password from {prefix}::/64") == 3
    assert network("::ffff:203.0.113.9") == "203.0.113.9"


@pytest.mark.parametrize(
    "path", ["//v1/auth/password", "/v1//auth/password", "/v1/auth/password/", "/V1/auth/password"]
)
async def test_another_spelling_of_the_path_leads_nowhere(kit, path):
    await person(kit)
    browser = await kit.client()
    url = f"{browser.base_url.copy_with(path='')}".rstrip("/") + path
    answer = await browser.post(url, json={"email": ADA, "password": PASSWORD})
    assert answer.status_code in {404, 405}
    assert await count_at(kit, AT_ADA) == 0
    assert not [name for name in browser.cookies if "session" in name]


# --- Counted before, in the database ---


async def test_a_caller_who_goes_away_while_it_is_compared_has_used_a_try(kit):
    await person(kit)
    browser = await kit.client()
    async with busy(kit):
        leaving = asyncio.create_task(enter(browser))
        await counted(kit, AT_ADA)
        leaving.cancel()
        with suppress(asyncio.CancelledError):
            await leaving
    assert await count_at(kit, AT_ADA) == 1


async def test_two_workers_share_one_count(start, product_of):
    product = product_of(sign_in=[*WAYS])
    one, other = await start(product), await start(product)
    await person(one)
    for turn in range(AT_AN_ACCOUNT):
        worker = (one, other)[turn % 2]
        assert (await enter(await worker.client(), password="wrong")).status_code == 401
    assert (await enter(await one.client())).status_code == 429
    assert (await enter(await other.client())).status_code == 429


async def test_those_who_come_at_once_get_no_more_tries(kit):
    await person(kit)
    browsers = [await kit.client() for _ in range(AT_AN_ACCOUNT + 6)]
    answers = await asyncio.gather(*(enter(one, password="wrong") for one in browsers))
    assert sorted(one.status_code for one in answers) == [401] * AT_AN_ACCOUNT + [429] * 6


async def test_the_page_and_the_app_share_one_count(kit):
    await person(kit)
    await fail(kit, AT_AN_ACCOUNT - 2)
    for _ in range(2):
        assert (await type_in(await kit.client(), password="wrong")).status_code == 401
    assert (await enter(await kit.client())).status_code == 429
    shown = await (await kit.client()).get("/signin", headers=HTML)
    assert shown.status_code == 200
