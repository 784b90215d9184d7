"""Bug classes of other identity systems that passwords, and their reset, could repeat."""

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from sqlalchemy import update

from identity.password_steps import (
    ADA,
    HTML,
    NEW,
    PASSWORD,
    WAYS,
    ask,
    asked,
    busy,
    code_in,
    count_at,
    counted,
    enter,
    entered,
    hash_of,
    link_in,
    mailbox,
    person,
    reset,
    rows,
    sessions,
    token_in,
    tokens,
    type_in,
)
from tenantry.identity.actions.people import ban_user, delete_user
from tenantry.identity.hashing import PasswordHashing
from tenantry.identity.limits import AT_AN_ACCOUNT
from tenantry.identity.models import Passwords
from tenantry.identity.tokens import CODE_TRIES, CODE_TRIES_AN_HOUR, Purpose, issue
from tenantry.kernel.database import param, statement

_store = statement(update(Passwords).where(Passwords.user_id == param("user")).values(hash=param("stored")))
OTHER = "nine quiet otters"
HTML_IN = '<img src=x onerror="alert(1)">'


@pytest.fixture
async def kit(start, product_of):
    return await start(product_of(sign_in=[*WAYS]))


async def confirm(browser, password=NEW, **shown):
    return await browser.post("/v1/auth/reset/confirm", json={"password": password, **shown})


# --- 2: an account made with somebody else's address ---


async def test_class_02_the_password_of_an_address_nobody_proved_opens_nothing(kit):
    user = await person(kit, proven=False)
    attacker = await kit.client()
    assert (await enter(attacker)).json()["code"] == "identity.address_unproven"
    victim = (await mailbox(kit, ADA))[-1]
    assert (await reset(await kit.client(), victim)).status_code == 303
    assert (await enter(attacker)).json()["code"] == "identity.credentials_wrong"
    assert (await enter(await kit.client(), password=NEW)).json()["user_id"] == str(user)


# --- 6: used twice ---


@pytest.mark.parametrize("shown", ["link", "code", "both"])
async def test_class_06_two_browsers_race_for_one_reset(kit, shown):
    await person(kit)
    challenge, mail = await asked(kit)
    ways = {"link": {"token": token_in(mail)}, "code": {"challenge": challenge, "code": code_in(mail)}}
    tried = [ways["link"], ways["code"]] if shown == "both" else [ways[shown]] * 2
    browsers = [await kit.client() for _ in tried]
    chosen = [NEW, OTHER]
    answers = await asyncio.gather(
        *(confirm(one, password, **how) for one, password, how in zip(browsers, chosen, tried, strict=True))
    )
    assert sorted(one.status_code for one in answers) == [204, 400]
    lost = next(one for one in answers if one.status_code == 400)
    assert lost.json()["code"] in {"identity.link_expired", "identity.code_wrong"}
    won = chosen[[one.status_code for one in answers].index(204)]
    signed_in = [(await enter(await kit.client(), password=one)).status_code for one in chosen]
    assert signed_in == [200 if one == won else 401 for one in chosen]


async def test_class_06_two_resets_of_one_person_race(kit):
    await person(kit)
    mails = [(await asked(kit))[1] for _ in range(2)]
    browsers = [await kit.client() for _ in mails]
    answers = await asyncio.gather(*(reset(one, mail) for one, mail in zip(browsers, mails, strict=True)))
    assert sorted(one.status_code for one in answers) == [303, 400]
    assert await rows(kit, tokens) == [0]


# --- 8: what was ended goes on ---


async def test_class_08_no_session_outlives_a_reset_also_one_that_begins_meanwhile(kit):
    await person(kit)
    _, mail = await asked(kit)
    before = [await entered(kit) for _ in range(2)]
    slow = await kit.client()
    async with busy(kit):
        # Compared with the old password, and let in only after the reset: too late.
        signing_in = asyncio.create_task(enter(slow))
        await counted(kit, f"password at {ADA}")
        await asyncio.sleep(0)
        resetting = asyncio.create_task(reset(await kit.client(), mail))
    late, done = await asyncio.gather(signing_in, resetting)
    assert done.status_code == 303
    assert late.status_code in {200, 401}
    assert [(await one.get("/v1/me")).status_code for one in (*before, slow)] == [401, 401, 401]
    assert await rows(kit, sessions) == [0]


@pytest.mark.parametrize("fate", ["banned", "deleted"])
async def test_class_08_banned_and_deleted_people_neither_sign_in_nor_reset(kit, fate):
    user = await person(kit)
    ada = await entered(kit)
    challenge, mail = await asked(kit)
    async with kit.system.service() as ctx:
        if fate == "banned":
            await ban_user(ctx, user, reason="spam")
        else:
            await delete_user(ctx, user, reason="asked for it")
    assert (await ada.get("/v1/me")).status_code == 401
    assert (await enter(await kit.client())).status_code == 403
    assert (await reset(await kit.client(), mail)).status_code == 400
    assert (await confirm(await kit.client(), challenge=challenge, code=code_in(mail))).status_code == 400
    assert (await ask(await kit.client())).status_code == 202
    assert len(await mailbox(kit, ADA)) == 1
    assert await rows(kit, sessions) == [0]


@pytest.mark.parametrize("fate", ["banned", "deleted"])
async def test_class_08_banned_while_the_password_is_compared(kit, fate):
    user = await person(kit)
    browser = await kit.client()
    async with busy(kit):
        signing_in = asyncio.create_task(enter(browser))
        await counted(kit, f"password at {ADA}")
        async with kit.system.service() as ctx:
            await (ban_user if fate == "banned" else delete_user)(ctx, user, reason="now")
    assert (await signing_in).status_code == 403
    assert await rows(kit, sessions) == [0]


# --- 9: around the limit (more of it in test_limits.py) ---


async def test_class_09_case_headers_slashes_and_successes_do_not_get_around_the_limit(kit):
    await person(kit)
    spelled = [ADA, "ADA@example.com", "Ada@Example.com", "ada@EXAMPLE.COM", "aDa@example.com"]
    for turn in range(AT_AN_ACCOUNT):
        stranger = await kit.client(**{"X-Forwarded-For": f"203.0.113.{turn}", "X-Real-IP": f"203.0.113.{turn}"})
        assert (await enter(stranger, spelled[turn % 5], "wrong")).status_code == 401
        if turn in {0, 4}:
            assert (await enter(await kit.client())).status_code == 200
    for email in spelled:
        assert (await enter(await kit.client(), email)).status_code == 429
    assert await count_at(kit, f"password at {ADA}") >= AT_AN_ACCOUNT


# --- 10: where the link leads ---


async def test_class_10_the_link_leads_to_the_configured_address_whatever_the_request_says(kit):
    await person(kit)
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Forwarded": "host=evil.example"}
    for headers in (forged, {**forged, "Host": "evil.example"}):
        browser = await kit.client()
        await browser.post("/v1/auth/reset", json={"email": ADA}, headers=headers)
    mails = await mailbox(kit, ADA)
    assert mails
    for mail in mails:
        found = urlsplit(link_in(mail))
        assert f"{found.scheme}://{found.netloc}" == kit.runtime.settings.public_url
        assert "evil" not in mail.text + (mail.html or "")


# --- 12: what is taken for an address ---


@pytest.mark.parametrize(
    "email",
    [
        "ada@example.com,mallory@evil.example", "ada@example.com;mallory@evil.example",
        "ada@example.com mallory@evil.example", "mallory@evil.example\nBcc: ada@example.com", "<ada@example.com>",
        '"ada@example.com"@evil.example', "Ada <ada@example.com>", "ada\uff20example.com", "ada@example.com\u0000",
        "ada@ex\u0430mple.com@evil.example", "ada%40example.com", "a" * 250 + "@example.com", "ada@", "@example.com",
        HTML_IN,
    ],
)  # fmt: skip
async def test_class_12_nothing_but_one_address_is_an_address(kit, email):
    await person(kit)
    browser = await kit.client()
    for path, body in (("/v1/auth/reset", {}), ("/v1/auth/password", {"password": PASSWORD})):
        assert (await browser.post(path, json={"email": email, **body})).status_code == 422, path
    page = await browser.post("/auth/reset", data={"email": email}, headers=HTML)
    assert page.status_code == 422
    assert HTML_IN not in page.text
    assert await mailbox(kit, ADA) == []


@pytest.mark.parametrize("email", ["\u212aim@example.com", "k\u0131m@example.com", "kim@example.com\u3002"])
async def test_class_12_letters_that_look_alike_are_no_way_to_somebody_elses_mail(kit, email):
    # U+212A, the Kelvin sign, becomes a "k" in small letters; the dotless i (U+0131) an "I" in capital ones.
    await person(kit, "kim@example.com")
    answer = await ask(await kit.client(), email)
    assert answer.status_code in {202, 422}
    assert await mailbox(kit, "kim@example.com") == []
    assert (await enter(await kit.client(), email)).status_code in {401, 422}


# --- 13: a token of one purpose for another ---


async def test_class_13_no_token_of_another_purpose_resets_a_password(kit):
    user = await person(kit)
    stored = await hash_of(kit, user)
    ada = await entered(kit)
    browser = await kit.client()
    async with kit.system.service() as ctx:
        others = [
            await issue(ctx, one, ADA, user_id=user, detail={"return_to": ""})
            for one in Purpose
            if one is not Purpose.RESET
        ]
    for other in others:
        renamed = "reset_" + other.token.rpartition("_")[2]
        for shown in ({"token": other.token}, {"token": renamed}, {"challenge": str(other.id), "code": other.code}):
            assert (await confirm(browser, **shown)).status_code == 400, shown
    assert (await confirm(browser, token=ada.cookies["session"])).status_code == 400
    assert await hash_of(kit, user) == stored


async def test_class_13_a_reset_token_is_nothing_else(kit):
    await person(kit)
    challenge, mail = await asked(kit)
    browser, token = await kit.client(), token_in(mail)
    renamed = f"sess_{token.rpartition('_')[2]}"
    for headers in (
        {"Cookie": f"session={token}"}, {"Cookie": f"session={renamed}"}, {"Cookie": f"half=second_{token}"},
        {"Authorization": f"Bearer {token}"}, {"Authorization": f"Bearer {renamed}"},
    ):  # fmt: skip
        assert (await browser.get("/v1/me", headers=headers)).status_code == 401
    code = code_in(mail)
    for path in ("/v1/auth/magic-link/confirm", "/v1/auth/sign-up/confirm"):
        for shown in ({"token": token}, {"challenge": challenge, "code": code}):
            assert (await browser.post(path, json=shown)).status_code in {400, 422}, path
    assert not [name for name in browser.cookies if "session" in name]
    assert (await reset(browser, mail)).status_code == 303


# --- 14: open because something failed ---


@pytest.mark.parametrize(
    "stored",
    ["!", "*", "x", "$argon2id$", "$2b$99$" + "a" * 53, "null", "pbkdf2_sha256$0$salt$aGFzaA==", "{}", PASSWORD],
)
async def test_class_14_a_damaged_hash_opens_nothing(kit, stored):
    user = await person(kit)
    async with kit.system.service() as ctx:
        await ctx.db.run(_store, user=user, stored=stored)
    for password in (PASSWORD, stored, "!", "null"):
        assert (await enter(await kit.client(), password=password)).status_code == 401


async def test_class_14_a_full_house_lets_nobody_in(kit):
    await person(kit)
    hashing = kit.runtime.port(PasswordHashing)
    browser = await kit.client()
    async with busy(kit):
        waiting = [asyncio.create_task(hashing.hash(PASSWORD)) for _ in range(hashing._room - hashing._inside)]
        await asyncio.sleep(0)
        answer = await enter(browser)
        page = await type_in(browser)
        for one in waiting:
            one.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*waiting)
    assert (answer.status_code, answer.json()["code"]) == (503, "identity.hashing_busy")
    assert (page.status_code, page.headers["retry-after"]) == (503, "5")
    assert not [name for name in browser.cookies if "session" in name]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("", "application/json"), ("null", "application/json"), ("[]", "application/json"), ("{", "application/json"),
        ('{"email": null, "password": null}', "application/json"), ('"error"', "application/json"),
        ("email=ada@example.com", "text/plain"), ("%ff%fe", "application/x-www-form-urlencoded"),
    ],
)  # fmt: skip
async def test_class_14_what_cannot_be_read_is_refused(kit, content, kind):
    await person(kit)
    browser = await kit.client()
    for path in ("/v1/auth/password", "/v1/auth/reset", "/v1/auth/reset/confirm"):
        answer = await browser.post(path, content=content, headers={"content-type": kind})
        assert 400 <= answer.status_code < 500, path
    assert not [name for name in browser.cookies if "session" in name]


# --- 21: who has an account ---


async def test_class_21_known_and_unknown_are_answered_alike(kit):
    """By status, body, headers and cookies; the time is looked at in test_timing.py."""
    await person(kit)
    await person(kit, "without@example.com", password=None)
    wrong = [await enter(await kit.client(), one, "wrong") for one in (ADA, "without@example.com", "no@example.com")]
    resets = [await ask(await kit.client(), one) for one in (ADA, "without@example.com", "no@example.com")]
    for answers in (wrong, resets):
        assert len({one.status_code for one in answers}) == 1
        assert len({tuple(sorted(one.headers)) for one in answers}) == 1
        assert len({tuple(sorted(one.json())) for one in answers}) == 1
        assert len({tuple(sorted(one.cookies)) for one in answers}) == 1
        assert len({len(one.headers.get("set-cookie", "")) // 40 for one in answers}) == 1
    assert len({one.json()["detail"] for one in wrong}) == 1


async def test_class_21_a_code_is_refused_alike_where_nobody_got_one(kit):
    await person(kit)
    for email in (ADA, "no@example.com"):
        challenge = (await ask(await kit.client(), email)).json()["challenge"]
        said = []
        for _ in range(CODE_TRIES + 2):
            answer = await confirm(await kit.client(), challenge=challenge, code="000000")
            said.append((answer.status_code, answer.json()["code"]))
        assert said == [(400, "identity.code_wrong")] * CODE_TRIES + [(429, "request.too_many_attempts")] * 2


async def test_class_21_a_refused_password_tells_nothing_about_whose_code_it_is(kit):
    """Only who has the mail is told that a password is too close to the name."""
    await person(kit)
    challenge, mail = await asked(kit)
    guess = await confirm(await kit.client(), ADA, challenge=challenge, code="000000")
    assert guess.json()["code"] == "identity.code_wrong"
    owner = await confirm(await kit.client(), ADA, challenge=challenge, code=code_in(mail))
    assert owner.json()["code"] == "identity.password_weak"


# --- 23: blank instead of unusable ---


async def test_class_23_no_password_is_not_an_empty_one(kit):
    user = await person(kit, password=None)
    for password in ("", " ", "\t", "None", "null", "!"):
        assert (await enter(await kit.client(), password=password)).status_code in {401, 422}, repr(password)
        assert (await type_in(await kit.client(), password=password)).status_code in {401, 422}
    assert await hash_of(kit, user) is None
    _, mail = await asked(kit)
    for password in ("", " " * 12):
        assert (await reset(await kit.client(), mail, password)).status_code == 422
    assert await hash_of(kit, user) is None


# --- 25: guessing a code by starting over ---


async def test_class_25_asking_anew_gives_no_further_tries_at_an_address(kit):
    await person(kit)
    browser, guesses = await kit.client(), []
    for asking in range(15):
        challenge = (await ask(browser)).json()["challenge"]
        tries = [await confirm(browser, challenge=challenge, code="000000") for _ in range(CODE_TRIES)]
        guesses += [one.status_code for one in tries]
        if asking % 5 == 4:
            await kit.move(minutes=15)
    assert guesses.count(400) == CODE_TRIES_AN_HOUR
    assert guesses[:CODE_TRIES_AN_HOUR] == [400] * CODE_TRIES_AN_HOUR


async def test_class_25_the_link_works_although_somebody_used_up_the_tries(kit):
    await person(kit)
    challenge, mail = await asked(kit)
    for _ in range(CODE_TRIES):
        await confirm(await kit.client(), challenge=challenge, code="000000")
    assert (await confirm(await kit.client(), challenge=challenge, code=code_in(mail))).status_code == 429
    assert (await reset(await kit.client(), mail)).status_code == 303


@pytest.mark.parametrize("charset", ["\0", "utf-7", "unicode_escape", '"utf-16"', ""])
@pytest.mark.parametrize("path", ["/auth/verify", "/auth/password", "/auth/reset"])
async def test_class_14_a_form_in_another_encoding_is_refused(kit, path, charset):
    body = b'--B\r\nContent-Disposition: form-data; name="email"\r\n\r\n+2AA-\r\n--B--\r\n'
    browser = await kit.client()
    sent = {"Content-Type": b"multipart/form-data; boundary=B; charset=" + charset.encode()}
    assert (await browser.post(path, content=body, headers=sent)).status_code == 415


async def test_class_03_another_site_signs_no_browser_in_also_without_a_cookie(kit):
    browser = await kit.client(Origin="https://evil.example", **{"Sec-Fetch-Site": "cross-site"})
    answer = await browser.post("/v1/auth/password", json={"email": "ada@example.com", "password": "x" * 20})
    assert (answer.status_code, answer.json()["code"]) == (403, "web.cross_site")
