"""Passkeys: made, listed, named, removed, shown to sign in, as a second factor and for confirming."""

import re

import pytest

from identity.authenticator import MAY_SYNC, PRESENT, SYNCED, VERIFIED, Device, form, to_bytes, to_text
from identity.mailbox import mailbox
from identity.second_factors import App, half, is_signed_in
from tenantry import Google, Passkey, Password
from tenantry.product import MagicLink

ADA = "ada@example.com"
OWN = "/v1/me/passkeys"
SECOND, CONFIRM = "/v1/auth/second-factor/passkey", "/v1/auth/confirm/passkey"


@pytest.fixture
async def kit(start, product_of):
    return await start(product_of(sign_in=[Google(), Passkey()]))


async def own(browser):
    return (await browser.get(OWN)).json()["items"]


async def test_the_browser_is_told_what_to_make(kit):
    ada = await kit.sign_in("ada")
    begun = await ada.post(f"{OWN}/options")
    assert begun.headers["cache-control"] == "no-store"
    options = begun.json()["public_key"]
    me = (await ada.get("/v1/me")).json()
    assert options["rp"] == {"id": "127.0.0.1", "name": "Acme"}
    assert to_bytes(options["user"]["id"]).hex() == me["id"].replace("-", "")
    assert (options["user"]["name"], options["user"]["displayName"]) == (ADA, "Ada Lovelace")
    assert options["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
    }
    assert (options["attestation"], options["excludeCredentials"]) == ("none", [])
    assert {one["alg"] for one in options["pubKeyCredParams"]} == {-7, -8, -257}
    assert to_bytes(options["challenge"]).decode() == begun.json()["challenge"]
    assert re.fullmatch(r"passkey_[0-9A-Za-z]{43}", begun.json()["challenge"])
    assert options["timeout"] < 5 * 60 * 1000


async def test_a_passkey_is_kept_once_and_told(kit):
    ada, device = await kit.sign_in("ada"), Device()
    answer = await device.try_register(ada, "  Work laptop ")
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    added = answer.json()
    assert len(added["recovery_codes"]) == 10
    expected = {"name": "Work laptop", "synced": False, "created_at": "2026-03-14T12:00:00Z", "last_used_at": None}
    assert {**added["passkey"], "id": None} == {"id": None, **expected}
    assert await own(ada) == [added["passkey"]]
    (mail,) = await mailbox(kit, ADA)
    assert mail.subject == "A passkey was added"
    assert "Work laptop" in mail.text
    # The device is told of it, and makes no second one; where one comes all the same, it is refused.
    options = (await ada.post(f"{OWN}/options")).json()["public_key"]
    assert [one["id"] for one in options["excludeCredentials"]] == [to_text(device.credential_id)]
    again = await device.try_register(ada)
    assert (again.status_code, again.json()["code"]) == (409, "identity.passkey_taken")
    # The recovery codes still work, so there are none with the second one.
    second = await Device().try_register(ada, "Phone")
    assert second.json()["recovery_codes"] == []
    assert [one["name"] for one in await own(ada)] == ["Work laptop", "Phone"]


async def test_somebody_elses_passkey_is_taken(kit):
    ada, grace, device = await kit.sign_in("ada"), await kit.sign_in("grace"), Device()
    await device.register(ada)
    assert (await device.try_register(grace)).status_code == 409
    assert await own(grace) == []


async def test_a_passkey_signs_in(kit):
    ada, device = await kit.sign_in("ada"), Device()
    await device.register(ada)
    await kit.move(minutes=2)
    browser = await kit.client()
    begun = await browser.post("/v1/auth/passkey/options")
    assert begun.headers["cache-control"] == "no-store"
    options = begun.json()["public_key"]
    assert (options["rpId"], options["userVerification"], options["allowCredentials"]) == ("127.0.0.1", "required", [])
    answer = await device.sign_in(browser)
    me = (await ada.get("/v1/me")).json()["id"]
    assert (answer.status_code, answer.json()["status"], answer.json()["user_id"]) == (200, "signed_in", me)
    assert answer.json()["token"] is None
    assert await is_signed_in(browser)
    sessions = (await browser.get("/v1/me/sessions")).json()["items"]
    assert [one["method"] for one in sessions if one["current"]] == ["passkey"]
    assert (await own(ada))[0]["last_used_at"] == "2026-03-14T12:02:00Z"
    # It stands for both factors, so one may go on to what needs a recent proof.
    assert (await browser.post(f"{OWN}/options")).status_code == 200


async def test_an_app_gets_the_token_of_the_session(kit):
    device = Device()
    await device.register(await kit.sign_in("ada"))
    app = await kit.client()
    answer = await app.post("/v1/auth/passkey", json={**await device.answer(app), "deliver": "token"})
    assert "set-cookie" not in answer.headers
    assert await is_signed_in(await kit.client(Authorization=f"Bearer {answer.json()['token']}"))


async def test_the_session_before_ends(kit):
    device = Device()
    await device.register(await kit.sign_in("ada"))
    browser = await kit.sign_in("grace")
    old = browser.cookies["session"]
    assert (await device.sign_in(browser)).status_code == 200
    assert not await is_signed_in(await kit.client(Cookie=f"session={old}"))


@pytest.mark.parametrize("step", [0, 1, 7])
async def test_devices_that_count_and_such_that_do_not(kit, step):
    device = Device(step=step)
    await device.register(await kit.sign_in("ada"))
    for _ in range(3):
        assert (await device.sign_in(await kit.client())).status_code == 200


async def test_a_passkey_that_became_synced_is_shown_so(kit):
    ada, device = await kit.sign_in("ada"), Device(flags=PRESENT | VERIFIED | MAY_SYNC)
    assert (await device.register(ada))["synced"] is False
    device.flags |= SYNCED
    await device.sign_in(await kit.client())
    assert (await own(ada))[0]["synced"] is True


async def test_one_passkey_among_several(kit):
    ada, first, second = await kit.sign_in("ada"), Device(), Device()
    await first.register(ada, "First")
    await second.register(ada, "Second")
    assert (await second.sign_in(await kit.client())).status_code == 200
    assert [one["last_used_at"] is not None for one in await own(ada)] == [False, True]


async def test_409_twenty_are_enough(kit):
    ada = await kit.sign_in("ada")
    late = (await ada.post(f"{OWN}/options")).json()
    for number in range(20):
        await Device().register(ada, f"Number {number}")
    refused = await ada.post(f"{OWN}/options")
    assert (refused.status_code, refused.json()["code"]) == (409, "identity.passkeys_full")
    body = {"name": "One more", "challenge": late["challenge"], "credential": Device().make(late["public_key"])}
    assert (await ada.post(OWN, json=body)).status_code == 409
    assert "Remove one that you do not use" in (await ada.get("/settings/passkeys")).text


async def test_403_changes_need_a_recent_proof(kit):
    ada, device = await kit.sign_in("ada"), Device()
    passkey = await device.register(ada)
    begun = (await ada.post(f"{OWN}/options")).json()
    await kit.move(minutes=20)
    body = {"name": "Late", "challenge": begun["challenge"], "credential": Device().make(begun["public_key"])}
    answers = [
        await ada.post(f"{OWN}/options"),
        await ada.post(OWN, json=body),
        await ada.delete(f"{OWN}/{passkey['id']}"),
    ]
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(403, "identity.confirmation_needed")] * 3
    page = await ada.get("/settings/passkeys")
    assert page.headers["location"] == "/auth/confirm?return_to=%2Fsettings%2Fpasskeys"
    # A name changes nothing about who gets in.
    assert (await ada.patch(f"{OWN}/{passkey['id']}", json={"name": "New"})).json()["name"] == "New"


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "two\nlines", 5, None])
async def test_422_a_name_that_is_none(kit, name):
    ada = await kit.sign_in("ada")
    passkey = await Device().register(ada)
    refused = await ada.patch(f"{OWN}/{passkey['id']}", json={"name": name})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "body.name")
    assert (await own(ada))[0]["name"] == "Laptop"


async def test_a_passkey_is_renamed(kit):
    ada = await kit.sign_in("ada")
    passkey = await Device().register(ada)
    answer = await ada.patch(f"{OWN}/{passkey['id']}", json={"name": "Phöne 📱"})
    assert (answer.status_code, answer.json()) == (200, {**passkey, "name": "Phöne 📱"})


async def test_a_removed_passkey_opens_nothing_any_more(kit):
    ada, device = await kit.sign_in("ada"), Device()
    passkey = await device.register(ada)
    elsewhere, by_google = await kit.client(), await half(kit)
    assert (await device.sign_in(by_google, SECOND)).status_code == 200
    assert (await device.sign_in(elsewhere)).status_code == 200
    assert (await ada.delete(f"{OWN}/{passkey['id']}")).status_code == 204
    assert await own(ada) == []
    refused = await device.sign_in(await kit.client())
    assert (refused.status_code, refused.json()["code"]) == (400, "identity.passkey_unknown")
    # Who had come in with a passkey is out, the others stay.
    assert [await is_signed_in(one) for one in (elsewhere, by_google, ada)] == [False, True, True]
    assert [mail.subject for mail in await mailbox(kit, ADA)][-1] == "A passkey was removed"
    # Recovery codes stand in for nothing any more.
    factors = (await ada.get("/v1/me/second-factors")).json()
    assert factors == {"totp": False, "passkeys": 0, "recovery_codes_left": 0}
    assert (await ada.delete(f"{OWN}/{passkey['id']}")).status_code == 404


async def test_409_the_last_way_in_stays(start, product_of):
    kit = await start(product_of(sign_in=[Google(), Passkey()]))
    ada, device = await kit.sign_in("ada"), Device()
    passkey = await device.register(ada)
    (account,) = (await ada.get("/v1/me/accounts")).json()["items"]
    assert (await ada.delete(f"/v1/me/accounts/{account['id']}")).status_code == 204
    refused = await ada.delete(f"{OWN}/{passkey['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "identity.last_way_in")
    page = await ada.post(f"/settings/passkeys/{passkey['id']}/remove")
    assert page.status_code == 409
    assert "Without this you could not sign in any more." in page.text
    assert (await device.sign_in(await kit.client())).status_code == 200
    # With another one the first may go.
    await Device().register(ada)
    assert (await ada.delete(f"{OWN}/{passkey['id']}")).status_code == 204


async def test_a_passkey_is_a_second_factor(kit):
    ada, device, other = await kit.sign_in("ada"), Device(), Device()
    await device.register(ada)
    await other.register(ada)
    browser = await half(kit)
    options = (await browser.post(f"{SECOND}/options")).json()["public_key"]
    # Who began is known here, so the device is told which ones.
    assert [one["id"] for one in options["allowCredentials"]] == [to_text(one.credential_id) for one in (device, other)]
    assert [one["transports"] for one in options["allowCredentials"]] == [["internal"], ["internal"]]
    # Told which ones, some devices do not say whose it is.
    other.handle = None
    answer = await other.sign_in(browser, SECOND)
    assert (answer.status_code, answer.json()["status"]) == (200, "signed_in")
    assert await is_signed_in(browser)
    assert "half" not in browser.cookies
    sessions = (await browser.get("/v1/me/sessions")).json()["items"]
    assert [one["method"] for one in sessions if one["current"]] == ["demo"]


async def test_an_app_finishes_with_a_passkey_without_cookies(kit):
    device = Device()
    await device.register(await kit.sign_in("ada"))
    token = (await half(kit)).cookies["half"]
    app = await kit.client()
    begun = (await app.post(f"{SECOND}/options", json={"token": token})).json()
    body = {"challenge": begun["challenge"], "credential": device.show(begun["public_key"])}
    answer = await app.post(SECOND, json={**body, "token": token, "deliver": "token"})
    assert await is_signed_in(await kit.client(Authorization=f"Bearer {answer.json()['token']}"))


async def test_400_without_a_half_nothing_is_asked(kit):
    browser = await kit.client()
    for answer in (await browser.post(f"{SECOND}/options"), await browser.post(SECOND, json=BODY)):
        assert (answer.status_code, answer.json()["code"]) == (400, "identity.sign_in_expired")


async def test_403_who_has_no_passkey_is_asked_for_none(kit):
    ada = await kit.sign_in("ada")
    refused = await ada.post(f"{CONFIRM}/options")
    assert (refused.status_code, refused.json()["code"]) == (403, "identity.other_proof_needed")
    await App.of(kit, ada)
    assert (await (await half(kit)).post(f"{SECOND}/options")).status_code == 403


async def test_a_passkey_confirms(kit):
    ada, device = await kit.sign_in("ada"), Device()
    passkey = await device.register(ada)
    old = ada.cookies["session"]
    await kit.move(minutes=20)
    assert (await ada.get("/v1/auth/confirm")).json()["ways"] == ["passkey", "recovery_code"]
    answer = await device.sign_in(ada, CONFIRM)
    assert answer.json() == {"confirmed_until": "2026-03-14T12:30:00Z", "token": None}
    assert ada.cookies["session"] != old
    assert not await is_signed_in(await kit.client(Cookie=f"session={old}"))
    assert (await ada.delete(f"{OWN}/{passkey['id']}")).status_code == 204


async def test_a_passkey_beside_an_app(kit):
    ada, device = await kit.sign_in("ada"), Device()
    app = await App.of(kit, ada)
    await device.register(ada)
    browser = await half(kit)
    page = await browser.get("/auth/second-factor")
    assert "Use a passkey" in page.text
    assert "Code of your authenticator app" in page.text
    assert (await browser.post("/v1/auth/second-factor", json={"code": app.code(kit)})).status_code == 200
    # A passkey alone is two factors: the app is not asked for.
    assert (await device.sign_in(await kit.client())).json()["status"] == "signed_in"


@pytest.mark.parametrize("left", ["passkey", "app"])
async def test_recovery_codes_go_with_the_last_second_factor(kit, left):
    ada, device = await kit.sign_in("ada"), Device()
    await App.of(kit, ada)
    passkey = await device.register(ada)
    first, second = (("/v1/me/totp", f"{OWN}/{passkey['id']}"))[:: 1 if left == "passkey" else -1]
    codes = []
    for path in (first, second):
        assert (await ada.delete(path)).status_code == 204
        codes.append((await ada.get("/v1/me/second-factors")).json()["recovery_codes_left"])
    assert codes == [10, 0]


BODY = {"challenge": "passkey_x", "credential": {"id": "x"}}


async def test_404_a_product_without_passkeys(start, product_of):
    kit = await start(product_of(sign_in=[Google()]))
    ada, stranger = await kit.sign_in("ada"), await kit.client()
    answers = [
        await ada.post(f"{OWN}/options"),
        await ada.post(OWN, json={**BODY, "name": "Laptop"}),
        await stranger.post("/v1/auth/passkey/options"),
        await stranger.post("/v1/auth/passkey", json=BODY),
        await ada.post(f"{CONFIRM}/options"),
        await ada.get("/settings/passkeys"),
    ]
    assert [one.status_code for one in answers] == [404] * 6
    assert await own(ada) == []
    assert "passkey" not in (await stranger.get("/signin")).text
    assert 'id="passkeys"' not in (await ada.get("/settings")).text


async def test_passkeys_that_are_no_longer_offered_hold_nobody_up(start, product_of):
    before = await start(product_of(sign_in=[Google(), Passkey()]))
    device = Device()
    passkey = await device.register(await before.sign_in("ada"))
    kit = await start(product_of(sign_in=[Google()]))
    ada = await kit.sign_in("ada")
    assert len(await own(ada)) == 1
    assert (await ada.delete(f"{OWN}/{passkey['id']}")).status_code == 204


async def test_429_who_asks_all_the_time_waits(kit):
    browser = await kit.client()
    for _ in range(300):
        assert (await browser.post("/v1/auth/passkey/options")).status_code == 200
    assert (await browser.post("/v1/auth/passkey/options")).status_code == 429
    assert (await (await kit.client()).post("/v1/auth/passkey/options")).status_code == 429
    await kit.move(minutes=10)
    assert (await browser.post("/v1/auth/passkey/options")).status_code == 200


async def test_429_who_tries_all_the_time_waits(kit):
    device, browser = Device(), await kit.client()
    await device.register(await kit.sign_in("ada"))
    right = await device.answer(browser)
    for _ in range(100):
        assert (await browser.post("/v1/auth/passkey", json=BODY)).status_code == 400
    assert (await browser.post("/v1/auth/passkey", json=right)).status_code == 429
    page = await browser.post("/auth/passkey", data=form(right), headers={"Accept": "text/html"})
    assert page.status_code == 429


async def test_the_pages_of_the_settings(kit):
    ada, device = await kit.sign_in("ada", client=await kit.client(**{"User-Agent": CHROME})), Device()
    assert "You have no passkey." in (await ada.get("/settings")).text
    page = await ada.get("/settings/passkeys")
    assert 'value="Chrome on Linux"' in page.text
    assert "Passkeys need JavaScript" in page.text
    codes = await ada.post("/settings/passkeys", data={"name": "Laptop", **await made(ada, device)})
    assert (codes.status_code, "They are shown this once." in codes.text) == (200, True)
    second = await ada.post("/settings/passkeys", data={"name": "Phone", **await made(ada, Device())})
    assert (second.status_code, second.headers["location"]) == (303, "/settings/passkeys?done=added")
    page = await ada.get("/settings/passkeys?done=added")
    assert all(text in page.text for text in ("Your passkey is added.", "Laptop", "Phone", "On one device"))
    assert to_text(device.credential_id) in page.text
    passkey = (await own(ada))[0]["id"]
    path = f"/settings/passkeys/{passkey}"
    assert 'value="Laptop"' in (await ada.get(path)).text
    wrong = await ada.post(path, data={"name": " "})
    assert (wrong.status_code, 'aria-invalid="true"' in wrong.text) == (422, True)
    done = await ada.post(path, data={"name": "Work"})
    assert done.headers["location"] == "/settings/passkeys?done=renamed"
    assert [one["name"] for one in await own(ada)] == ["Work", "Phone"]
    assert "You have 2 passkeys." in (await ada.get("/settings")).text
    done = await ada.post(f"{path}/remove")
    assert done.headers["location"] == "/settings/passkeys?done=removed"
    assert (await ada.get(path)).status_code == 404


CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36"


async def made(browser, device):
    begun = (await browser.post(f"{OWN}/options")).json()
    return form({"challenge": begun["challenge"], "credential": device.make(begun["public_key"])})


@pytest.mark.parametrize("credential", ["", "no json", "[]", "[" * 15_000, '{"id": 5}', "null", '{"id": "\\ud800"}'])
async def test_422_a_form_without_a_credential(kit, credential):
    ada, browser = await kit.sign_in("ada"), await kit.client()
    filled = {**await made(ada, Device()), "credential": credential}
    refused = await ada.post("/settings/passkeys", data={"name": "My laptop", **filled})
    assert (refused.status_code, 'value="My laptop"' in refused.text) == (422, True)
    assert "This passkey was not accepted." in refused.text
    challenge = (await browser.post("/v1/auth/passkey/options")).json()["challenge"]
    page = await browser.post("/auth/passkey", data={"challenge": challenge, "credential": credential})
    assert (page.status_code, "This passkey is not known here" in page.text) == (422, True)


async def test_the_sign_in_page_takes_a_passkey(kit):
    device, browser = Device(), await kit.client()
    await device.register(await kit.sign_in("ada"))
    page = await browser.get("/signin?return_to=/settings")
    assert "Sign in with a passkey" in page.text
    assert "data-conditional" not in page.text
    done = await browser.post(
        "/auth/passkey", data={**form(await device.answer(browser)), "return_to": "https://evil.example/"}
    )
    assert (done.status_code, done.headers["location"]) == (303, "/dashboard")
    assert await is_signed_in(browser)


@pytest.mark.parametrize("way", [Password(), MagicLink()])
async def test_where_an_address_is_typed_passkeys_are_offered_beside_it(start, product_of, way):
    kit = await start(product_of(sign_in=[way, Passkey()]))
    page = await (await kit.client()).get("/signin")
    assert "data-conditional" in page.text
    assert 'autocomplete="username webauthn"' in page.text


async def test_the_page_between_the_halves_takes_a_passkey(kit):
    device = Device()
    await device.register(await kit.sign_in("ada"))
    browser = await half(kit)
    assert "Use a passkey" in (await browser.get("/auth/second-factor?return_to=/settings")).text
    body = form(await device.answer(browser, SECOND))
    wrong = await browser.post("/auth/second-factor/passkey", data={**body, "credential": "{}"})
    assert (wrong.status_code, "This passkey is not known here" in wrong.text) == (400, True)
    body = form(await device.answer(browser, SECOND))
    done = await browser.post("/auth/second-factor/passkey", data={**body, "return_to": "/settings"})
    assert (done.status_code, done.headers["location"]) == (303, "/settings")
    late = await browser.post("/auth/second-factor/passkey", data=body, headers={"Accept": "text/html"})
    assert late.status_code == 400


async def test_the_page_of_confirming_takes_a_passkey(kit):
    ada, device = await kit.sign_in("ada"), Device()
    await device.register(ada)
    await kit.move(minutes=20)
    page = await ada.get("/auth/confirm?return_to=/settings/passkeys")
    assert 'data-options="/v1/auth/confirm/passkey/options"' in page.text
    wrong = await ada.post("/auth/confirm/passkey", data={"challenge": "x", "credential": "{}"})
    assert (wrong.status_code, "This took too long" in wrong.text) == (400, True)
    body = form(await device.answer(ada, CONFIRM))
    done = await ada.post("/auth/confirm/passkey", data={**body, "return_to": "/settings/passkeys"})
    assert done.headers["location"] == "/settings/passkeys"
    assert (await ada.get("/settings/passkeys")).status_code == 200
