"""Recovery codes: ten, each once, kept as fingerprints, gone with the last second factor."""

import re

from sqlalchemy import select

from identity.mailbox import mailbox
from identity.second_factors import App, half, is_signed_in
from tenantry.identity.models import RecoveryCodes
from tenantry.kernel.database import statement

FORM = re.compile(r"[2-9a-hjkmnp-z]{5}-[2-9a-hjkmnp-z]{5}")
ADA = "ada@example.com"
_hashes = statement(select(RecoveryCodes.code_hash))


async def shown(client, code):
    return await client.post("/v1/auth/second-factor", json={"recovery_code": code})


async def left(browser):
    return (await browser.get("/v1/me/second-factors")).json()["recovery_codes_left"]


async def test_each_works_once_and_the_owner_is_told(kit):
    ada = await kit.sign_in("ada")
    app = await App.of(kit, ada)
    assert all(FORM.fullmatch(code) for code in app.recovery_codes)
    first = app.recovery_codes[0]
    client = await half(kit)
    assert (await shown(client, first)).status_code == 200
    assert await is_signed_in(client)
    assert await left(ada) == 9
    mail = (await mailbox(kit, ADA))[-1]
    assert mail.subject == "A recovery code was used"
    assert "9 codes are left." in mail.text
    assert first not in mail.text
    refused = await shown(await half(kit), first)
    assert (refused.status_code, refused.json()["code"]) == (400, "identity.code_wrong")


async def test_they_are_read_as_people_write_them(kit):
    app = await App.of(kit, await kit.sign_in("ada"))
    one, two, three, four = app.recovery_codes[:4]
    for typed in (one.upper(), two.replace("-", ""), f" {three.replace('-', ' - ')}\n", four.replace("-", "\u2013")):
        assert (await shown(await half(kit), typed)).status_code == 200
    for wrong in ("-", "ööööö-ööööö", app.recovery_codes[5][:-1], app.recovery_codes[5] + "2"):
        assert (await shown(await half(kit), wrong)).status_code == 400


async def test_the_last_ones_are_told_to_be_the_last(kit):
    app = await App.of(kit, await kit.sign_in("ada"))
    for code in app.recovery_codes:
        assert (await shown(await half(kit), code)).status_code == 200
    client = await half(kit)
    assert "Use a recovery code" not in (await client.get("/auth/second-factor")).text
    texts = [mail.text for mail in await mailbox(kit, ADA) if mail.subject == "A recovery code was used"]
    assert ["Make new ones" in text for text in texts] == [False] * 6 + [True] * 4
    assert "1 code is left." in texts[8]
    assert "0 codes are left." in texts[9]


async def test_a_new_set_replaces_the_old_one(kit):
    ada = await kit.sign_in("ada")
    app = await App.of(kit, ada)
    made = await ada.post("/v1/me/recovery-codes")
    assert made.headers["cache-control"] == "no-store"
    codes = made.json()["recovery_codes"]
    assert len(codes) == 10
    assert not set(codes) & set(app.recovery_codes)
    assert (await shown(await half(kit), app.recovery_codes[0])).status_code == 400
    assert (await shown(await half(kit), codes[0])).status_code == 200
    assert "New recovery codes were made" in [mail.subject for mail in await mailbox(kit, ADA)]


async def test_409_who_has_no_second_factor_gets_no_codes(kit):
    ada = await kit.sign_in("ada")
    refused = await ada.post("/v1/me/recovery-codes")
    assert (refused.status_code, refused.json()["code"]) == (409, "identity.factors_missing")
    page = await ada.post("/settings/second-factor/codes")
    assert (page.status_code, page.headers["location"]) == (303, "/settings/second-factor")


async def test_the_codes_of_one_are_no_codes_for_another(kit):
    hers = await App.of(kit, await kit.sign_in("grace"))
    await App.of(kit, await kit.sign_in("ada"))
    client = await half(kit, "ada")
    assert (await shown(client, hers.recovery_codes[0])).status_code == 400
    assert not await is_signed_in(client)


async def test_what_is_kept_is_no_plain_hash_and_survives_new_keys(kit, start):
    app = await App.of(kit, await kit.sign_in("ada"))
    async with kit.system.service(writes=False) as ctx:
        kept = await ctx.db.rows(_hashes)
    assert len(set(kept)) == 10
    again = await start(
        secret_keys=("another-key-of-forty-characters-01234567", "test-key-of-forty-characters-0123456789ab")
    )
    await again.set_time(kit.clock.now())
    assert (await shown(await half(again), app.recovery_codes[0])).status_code == 200


async def test_the_page_shows_them_once_with_a_file_to_keep(kit):
    ada = await kit.sign_in("ada")
    await App.of(kit, ada)
    made = await ada.post("/settings/second-factor/codes")
    assert made.status_code == 200
    assert made.headers["cache-control"] == "no-store"
    codes = FORM.findall(made.text.split("data-copy-text>", 1)[1].split("</code>", 1)[0])
    assert len(codes) == 10
    assert 'download="recovery-codes.txt"' in made.text
    assert f"data:text/plain;charset=utf-8,Acme%20%28ada%40example.com%29%0A%0A{codes[0]}" in made.text
    later = await ada.get("/settings/second-factor")
    assert not any(code in later.text for code in codes)
    assert (await shown(await half(kit), codes[0])).status_code == 200
