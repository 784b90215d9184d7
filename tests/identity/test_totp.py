"""Authenticator apps: the codes of RFC 6238, setting one up, using each code once, taking it away."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from identity.mailbox import mailbox
from identity.second_factors import STEP, App, code_of, half, is_signed_in
from tenantry.identity.actions.totp import code_at, matching_step, step_of
from tenantry.identity.models import TotpSecrets
from tenantry.kernel.database import statement

# RFC 6238, appendix B, SHA-1: the key is "12345678901234567890"; six digits are the last six of its eight.
KEY = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
VECTORS = [
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
    (20000000000, "65353130"),
]
_secrets = statement(select(TotpSecrets.secret))


def at(seconds: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


@pytest.mark.parametrize(("seconds", "code"), VECTORS)
def test_the_codes_are_those_of_the_rfc(seconds, code):
    step = step_of(at(seconds))
    assert code_at(KEY, step) == code[-6:]
    assert matching_step(KEY, code[-6:], at=at(seconds), after=0) == step


@given(st.integers(10_000, 2**33), st.integers(-3, 3), st.integers(-2, 2))
def test_a_code_is_right_one_step_around_now_and_never_again(now, off, used):
    present = now // STEP
    code = code_at(KEY, present + off)
    found = matching_step(KEY, code, at=at(now), after=present + used)
    window = [one for one in range(present - 1, present + 2) if one > present + used]
    right = [one for one in window if code_at(KEY, one) == code]
    assert found == (right[0] if right else None)


@pytest.mark.parametrize(
    "typed",
    ["94 28 70", " 287082", "287 082\n", "\uff12\uff18\uff17\uff10\uff18\uff12", "28708", "2870820", "", "x" * 50],
)
def test_what_is_typed_is_read_kindly_but_not_loosely(typed):
    digits = "".join(one for one in typed if one in "0123456789")
    assert (matching_step(KEY, typed, at=at(59), after=0) is not None) is (digits == "287082")


async def test_setting_an_app_up(kit):
    ada = await kit.sign_in("ada")
    begun = await ada.post("/v1/me/totp")
    assert begun.headers["cache-control"] == "no-store"
    secret, uri = begun.json()["secret"], urlsplit(begun.json()["uri"])
    assert len(secret) == 32  # 160 bits in base32
    assert (uri.scheme, uri.netloc, unquote(uri.path)) == ("otpauth", "totp", "/Acme:ada@example.com")
    told = parse_qs(uri.query)
    assert told["secret"] == [secret]
    assert told["issuer"] == ["Acme"]
    assert (await ada.get("/v1/me/second-factors")).json() == {"totp": False, "passkeys": 0, "recovery_codes_left": 0}
    # Begun is not set up: signing in asks for nothing yet.
    assert await is_signed_in(await kit.sign_in("ada"))
    refused = await ada.post("/v1/me/totp/confirm", json={"code": "000000"})
    assert (refused.status_code, refused.json()["code"]) == (400, "identity.code_wrong")
    done = await ada.post("/v1/me/totp/confirm", json={"code": code_of(kit, secret)})
    assert done.status_code == 200
    assert len(set(done.json()["recovery_codes"])) == 10
    assert (await ada.get("/v1/me/second-factors")).json() == {"totp": True, "passkeys": 0, "recovery_codes_left": 10}
    assert not await is_signed_in(await half(kit))
    (mail,) = await mailbox(kit, "ada@example.com")
    assert "authenticator app" in mail.subject
    assert secret not in mail.text + str(mail.html)


async def test_the_code_that_set_the_app_up_signs_nobody_in(kit):
    ada = await kit.sign_in("ada")
    secret = (await ada.post("/v1/me/totp")).json()["secret"]
    code = code_of(kit, secret)
    await ada.post("/v1/me/totp/confirm", json={"code": code})
    client = await half(kit)
    assert (await client.post("/v1/auth/second-factor", json={"code": code})).status_code == 400
    await kit.move(seconds=STEP)
    later = await client.post("/v1/auth/second-factor", json={"code": code_of(kit, secret)})
    assert later.status_code == 200


async def test_404_who_began_nothing_confirms_nothing(kit):
    ada = await kit.sign_in("ada")
    refused = await ada.post("/v1/me/totp/confirm", json={"code": "123456"})
    assert (refused.status_code, refused.json()["code"]) == (404, "identity.factor_not_found")
    assert (await ada.delete("/v1/me/totp")).status_code == 404


async def test_another_app_takes_the_place_of_the_first_with_its_first_code(kit):
    ada = await kit.sign_in("ada")
    old = await App.of(kit, ada)
    new = (await ada.post("/v1/me/totp")).json()["secret"]
    client = await half(kit)
    assert (await client.post("/v1/auth/second-factor", json={"code": code_of(kit, new)})).status_code == 400
    assert (await client.post("/v1/auth/second-factor", json={"code": old.code(kit)})).status_code == 200
    done = await ada.post("/v1/me/totp/confirm", json={"code": code_of(kit, new)})
    # The codes on paper still work.
    assert done.json() == {"recovery_codes": []}
    await kit.move(seconds=STEP)
    client = await half(kit)
    assert (await client.post("/v1/auth/second-factor", json={"code": old.code(kit)})).status_code == 400
    assert (await client.post("/v1/auth/second-factor", json={"code": code_of(kit, new)})).status_code == 200
    assert [mail.subject for mail in await mailbox(kit, "ada@example.com")].count(
        "An authenticator app was set up"
    ) == 2


async def test_a_secret_that_was_begun_twice_counts_as_it_was_begun_last(kit):
    ada = await kit.sign_in("ada")
    first = (await ada.post("/v1/me/totp")).json()["secret"]
    second = (await ada.post("/v1/me/totp")).json()["secret"]
    assert first != second
    assert (await ada.post("/v1/me/totp/confirm", json={"code": code_of(kit, first)})).status_code == 400
    assert (await ada.post("/v1/me/totp/confirm", json={"code": code_of(kit, second)})).status_code == 200


async def test_removing_the_app_takes_the_recovery_codes_along_and_is_told(kit):
    ada = await kit.sign_in("ada")
    await App.of(kit, ada)
    waiting = await half(kit)
    assert (await ada.delete("/v1/me/totp")).status_code == 204
    assert (await ada.get("/v1/me/second-factors")).json() == {"totp": False, "passkeys": 0, "recovery_codes_left": 0}
    assert await is_signed_in(await kit.sign_in("ada"))
    # Who stood between the halves begins anew.
    gone = await waiting.get("/auth/second-factor")
    assert gone.status_code == 400
    mail = (await mailbox(kit, "ada@example.com"))[-1]
    assert mail.subject == "Your authenticator app was removed"
    assert "no second proof any more" in mail.text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/me/totp", None),
        ("POST", "/v1/me/totp/confirm", {"code": "123456"}),
        ("DELETE", "/v1/me/totp", None),
        ("POST", "/v1/me/recovery-codes", None),
    ],
)
async def test_403_changes_ask_for_a_recent_proof(kit, method, path, body):
    ada = await kit.sign_in("ada")
    await kit.move(minutes=10)
    refused = await ada.request(method, path, json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "identity.confirmation_needed")
    stranger = await kit.client()
    assert (await stranger.request(method, path, json=body)).status_code == 401


async def test_the_secret_is_sealed_for_its_owner_and_survives_new_keys(kit, start):
    ada, grace = await kit.sign_in("ada"), await kit.sign_in("grace")
    app = await App.of(kit, ada)
    async with kit.system.service(writes=False) as ctx:
        (sealed,) = await ctx.db.rows(_secrets)
    assert app.secret not in sealed
    hers = UUID((await grace.get("/v1/me")).json()["id"])
    with pytest.raises(Exception, match="belongs elsewhere"):
        kit.runtime.vault.open(sealed, purpose="totp", context=str(hers))
    again = await start(
        secret_keys=("another-key-of-forty-characters-01234567", "test-key-of-forty-characters-0123456789ab")
    )
    await again.set_time(kit.clock.now())
    client = await half(again)
    assert (await client.post("/v1/auth/second-factor", json={"code": app.code(again)})).status_code == 200


async def test_the_pages_set_an_app_up(kit):
    ada = await kit.sign_in("ada")
    assert "/settings/second-factor" in (await ada.get("/settings")).text
    assert "Set up an app" in (await ada.get("/settings/second-factor")).text
    assert (await ada.get("/settings/second-factor/app")).headers["location"] == "/settings/second-factor"
    begun = await ada.post("/settings/second-factor/app")
    assert (begun.status_code, begun.headers["location"]) == (303, "/settings/second-factor/app")
    shown = await ada.get("/settings/second-factor/app")
    assert shown.headers["cache-control"] == "no-store"
    assert 'src="data:image/svg+xml' in shown.text
    uri = shown.text.split('href="otpauth://', 1)[1].split('"', 1)[0]
    secret = parse_qs(urlsplit(uri.replace("&amp;", "&")).query)["secret"][0]
    assert " ".join(secret[start : start + 4] for start in range(0, 32, 4)) in shown.text
    wrong = await ada.post("/settings/second-factor/app/confirm", data={"code": "000000"})
    assert wrong.status_code == 422
    assert 'aria-invalid="true"' in wrong.text
    done = await ada.post("/settings/second-factor/app/confirm", data={"code": code_of(kit, secret)})
    assert done.status_code == 200
    assert done.text.count("-") > 10
    again = await ada.post("/settings/second-factor/app/confirm", data={"code": code_of(kit, secret)})
    assert (again.status_code, again.headers["location"]) == (303, "/settings/second-factor")
    assert "10 recovery codes are left." in (await ada.get("/settings")).text
    removed = await ada.post("/settings/second-factor/app/remove")
    assert removed.headers["location"] == "/settings?done=second-factor#second-factor"
    assert "Your second factor is off." in (await ada.get(removed.headers["location"])).text


async def test_pages_send_who_proved_it_long_ago_to_confirm_first(kit):
    ada = await kit.sign_in("ada")
    await kit.move(minutes=10)
    for method, path in [
        ("GET", "/settings/second-factor"),
        ("GET", "/settings/second-factor/app"),
        ("POST", "/settings/second-factor/app"),
        ("POST", "/settings/second-factor/app/confirm"),
        ("POST", "/settings/second-factor/app/remove"),
        ("POST", "/settings/second-factor/codes"),
    ]:
        sent = await ada.request(method, path)
        assert sent.status_code == 303, path
        assert sent.headers["location"] == "/auth/confirm?return_to=%2Fsettings%2Fsecond-factor"
