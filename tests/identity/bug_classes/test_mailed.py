"""Bug classes that others shipped, tried on mailed links, codes and sign-up."""

import asyncio
import re
from dataclasses import replace

import pytest
from sqlalchemy import insert, select, update

from identity.mailbox import code_in, link_in, mailbox, token_in
from identity.mailed import (
    ADA,
    BOB,
    HTML,
    PASSWORD,
    ask_for_link,
    confirm,
    mailing_product,
    me,
    path_of,
    person,
    shape,
    sign_up,
    type_code,
)
from tenantry import Google, MagicLink, Password
from tenantry.identity.actions.people import ban_user, delete_user
from tenantry.identity.hashing import PasswordHashing
from tenantry.identity.models import Passwords, Users
from tenantry.identity.tokens import Purpose, issue
from tenantry.kernel import new_id
from tenantry.kernel.database import param, statement
from tenantry.kernel.mail.models import Mails

EVIL = "https://evil.example"
_users = statement(select(Users.email))
_recipients = statement(select(Mails.recipient))
_unprove = statement(update(Users).values(email_verified_at=None))
_passwords = statement(select(Passwords.user_id))
_add_password = statement(insert(Passwords).values(user_id=param("user"), hash=param("hash")))


class Counting:
    """A database that remembers the units it gave out."""

    def __init__(self, database):
        self.database, self.units = database, []

    def unit(self, *args, **kwargs):
        self.units.append(self.database.unit(*args, **kwargs))
        return self.units[-1]


@pytest.fixture
async def kit(start):
    return await start(mailing_product())


async def rows(kit, query):
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.rows(query)


async def password_opens(client, password):
    answer = await client.post("/v1/auth/password", json={"email": ADA, "password": password})
    return answer.status_code == 200


async def test_class_02_a_sign_up_with_somebody_elses_address_leaves_nothing_to_come_back_with(kit):
    attacker, owner = await kit.client(), await kit.client()
    await sign_up(attacker, password="the attacker's 1")
    await ask_for_link(owner)
    for_sign_up, for_sign_in = await mailbox(kit, ADA)
    # The owner cannot take the attacker's password over by one thoughtless click.
    assert (await confirm(owner, token_in(for_sign_up))).status_code == 422
    await confirm(owner, token_in(for_sign_in))
    assert (await me(owner))["email"] == ADA
    assert await rows(kit, _passwords) == []
    assert not await password_opens(attacker, "the attacker's 1")
    assert await me(attacker) is None


async def test_class_02_the_owner_who_signs_up_after_the_attacker_keeps_only_their_own_password(kit):
    attacker, owner = await kit.client(), await kit.client()
    await sign_up(attacker, password="the attacker's 1")
    await sign_up(owner)
    of_attacker, of_owner = await mailbox(kit, ADA)
    await confirm(owner, token_in(of_owner))
    assert await password_opens(await kit.client(), PASSWORD)
    assert not await password_opens(attacker, "the attacker's 1")
    # Not even with the mail: there is an account now, and this makes no second one.
    assert (await confirm(attacker, token_in(of_attacker))).status_code == 409


async def test_class_02_what_an_import_left_on_an_unproven_address_is_gone_with_its_proof(kit):
    user = await person(kit, proven=False)
    hashed = await kit.runtime.port(PasswordHashing).hash("the attacker's 1")
    async with kit.system.service() as ctx:
        await ctx.db.run(_add_password, user=user, hash=hashed)
    owner = await kit.client()
    await ask_for_link(owner)
    await confirm(owner, token_in((await mailbox(kit, ADA))[-1]))
    assert (await me(owner))["email_verified"] is True
    assert not await password_opens(await kit.client(), "the attacker's 1")


async def test_class_02_a_session_that_began_with_no_account_ends_with_the_late_proof(kit):
    """Whatever it began with: an account's end with their account, and those of other ways in have to end too."""
    attacker, owner = await kit.client(), await kit.client()
    await ask_for_link(attacker)
    await confirm(attacker, token_in((await mailbox(kit, ADA))[-1]))
    async with kit.system.service() as ctx:
        await ctx.db.run(_unprove)
    assert await me(attacker)
    await ask_for_link(owner)
    await confirm(owner, token_in((await mailbox(kit, ADA))[-1]))
    assert (await me(owner))["email"] == ADA
    assert await me(attacker) is None


async def test_class_02_whoever_comes_with_one_address_by_whatever_way_at_once_is_one_person(start):
    """A sign-up, a mailed link and a provider's word for it, all begun before anybody was there, meet."""
    kit = await start(mailing_product(Password(), MagicLink(), Google()))
    signing_up, linked, vouched = [await kit.client() for _ in range(3)]
    await sign_up(signing_up)
    await ask_for_link(linked)
    for_sign_up, for_sign_in = await mailbox(kit, ADA)
    back = await kit.consent("ada", await vouched.get("/auth/demo/start"))
    answers = await asyncio.gather(
        confirm(signing_up, token_in(for_sign_up)), confirm(linked, token_in(for_sign_in)), vouched.get(back)
    )
    assert await rows(kit, _users) == [ADA]
    assert answers[1].headers["location"] == "/dashboard", "a proof of the address lets its owner in whoever was first"
    # The sign-up made the account, or is told of it and leaves no password; the provider is in, or waits for a yes.
    assert answers[0].status_code in {303, 409}
    assert await password_opens(await kit.client(), PASSWORD) is (answers[0].status_code == 303)
    assert answers[2].status_code == 303
    is_in = answers[2].headers["location"] == "/dashboard"
    assert is_in or answers[2].headers["location"].startswith("/auth/link-account?")
    assert (await me(vouched) is not None) is is_in


@pytest.mark.parametrize("path", ["/auth/verify", "/auth/sent", "/auth/magic-link", "/signup"])
async def test_class_03_no_other_site_makes_a_browser_sign_in_or_ask(kit, path):
    attacker, victim = await kit.client(), await kit.client()
    await ask_for_link(attacker, BOB)
    await ask_for_link(victim)
    of_attacker, of_victim = (await mailbox(kit, BOB))[-1], (await mailbox(kit, ADA))[-1]
    form = {"token": token_in(of_attacker), "code": code_in(of_victim), "email": BOB, "password": PASSWORD}
    for headers in ({"origin": EVIL}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
        refused = await victim.post(path, data=form, headers={**HTML, **headers})
        assert refused.status_code == 403
    assert await me(victim) is None
    assert len(await mailbox(kit, BOB)) == 1


@pytest.mark.parametrize("path", ["magic-link", "magic-link/confirm", "sign-up", "sign-up/confirm", "sign-out"])
async def test_class_03_no_other_site_uses_the_doors_for_apps(kit, path):
    victim = await kit.client()
    await ask_for_link(victim)
    body = {"token": token_in((await mailbox(kit, ADA))[-1])} if "confirm" in path else {"email": ADA}
    refused = await victim.post(f"/v1/auth/{path}", json=body, headers={"origin": EVIL})
    assert (refused.status_code, refused.json()["code"]) == (403, "web.cross_site")
    assert await me(victim) is None


async def test_class_03_a_link_somebody_else_asked_for_says_so_and_whom_it_signs_in(kit):
    attacker, victim = await kit.client(), await kit.client()
    await ask_for_link(attacker, BOB)
    [mail] = await mailbox(kit, BOB)
    shown = await victim.get(path_of(link_in(mail)), headers=HTML)
    assert "This was not asked for in this browser" in shown.text
    assert BOB in shown.text
    assert await me(victim) is None


async def test_class_03_a_code_signs_in_the_address_it_was_asked_for_with(kit):
    attacker, victim = await kit.client(), await kit.client()
    await ask_for_link(victim)
    await ask_for_link(attacker, BOB)
    code = code_in((await mailbox(kit, BOB))[-1])
    assert (await type_code(victim, code)).status_code == 400
    assert await me(victim) is None


@pytest.mark.parametrize("flow", [ask_for_link, sign_up])
async def test_class_06_of_many_who_use_one_mail_at_once_one_is_signed_in(kit, flow):
    client, thief = await kit.client(), await kit.client()
    await flow(client)
    thief.cookies.update(dict(client.cookies))
    [mail] = await mailbox(kit, ADA)
    ways = [confirm(one, token_in(mail)) for one in (client, thief) * 2]
    ways += [type_code(one, code_in(mail)) for one in (client, thief)]
    done = await asyncio.gather(*ways)
    assert sorted(answer.status_code for answer in done)[:2] == [303, 400]
    told = next(answer for answer in done if answer.status_code == 400)
    assert "was used before" in told.text
    assert await rows(kit, _users) == [ADA]


@pytest.mark.parametrize("spelled", [ADA, "Ada@Example.com", " ada@example.com", "ADA@EXAMPLE.COM"])
async def test_class_09_429_for_the_sixth_mail_to_an_address_however_it_is_spelled(kit, spelled):
    for number in range(5):
        asking = await kit.client(**{"x-forwarded-for": f"203.0.113.{number}"})
        await ask_for_link(asking)
    client = await kit.client()
    for path in ("/auth/magic-link", "//auth/magic-link"):
        refused = await client.post(path, data={"email": spelled}, headers=HTML)
        assert refused.status_code == (429 if path == "/auth/magic-link" else 404)
    assert 0 < int((await ask_for_link(client, spelled)).headers["retry-after"]) <= 15 * 60 + 1
    assert (await sign_up(client, spelled)).status_code == 429
    assert len(await mailbox(kit, ADA)) == 5
    assert (await ask_for_link(client, BOB)).status_code == 303
    await kit.move(minutes=15, seconds=1)
    assert (await ask_for_link(client, spelled)).status_code == 303


async def test_class_09_a_browser_that_was_signed_in_counts_apart(kit):
    client, stranger = await kit.client(), await kit.client()
    await ask_for_link(client)
    await confirm(client, token_in((await mailbox(kit, ADA))[-1]))
    await client.post("/v1/auth/sign-out")
    for _ in range(6):
        last = await ask_for_link(stranger)
    assert last.status_code == 429
    assert (await ask_for_link(client)).status_code == 303


async def test_class_09_codes_are_counted_also_by_who_begins_anew(kit):
    client = await kit.client()
    await ask_for_link(client)
    code = code_in((await mailbox(kit, ADA))[-1])
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    tried = [(await type_code(client, wrong)).status_code for _ in range(6)]
    assert tried == [400] * 5 + [429]
    # Also the right one, from now on; the link still works.
    assert (await type_code(client, code)).status_code == 429
    assert (await confirm(client, token_in((await mailbox(kit, ADA))[-1]))).status_code == 303


@pytest.mark.parametrize("flow", [ask_for_link, sign_up])
async def test_class_10_links_lead_to_the_public_address_whatever_the_request_says(kit, flow):
    await person(kit, BOB)
    client = await kit.client(**{"x-forwarded-host": "evil.example", "forwarded": "host=evil.example"})
    refused = await client.post("/auth/magic-link", data={"email": ADA}, headers={"host": "evil.example"})
    assert refused.status_code == 421
    client.headers["host"] = "localhost:8000"
    for address in (ADA, BOB):
        await flow(client, address)
        mail = (await mailbox(kit, address))[-1]
        addresses = re.findall(r"https?://[^\s\"<]+", mail.text + mail.html)
        assert addresses
        assert all(one.startswith("http://127.0.0.1:8000") for one in addresses)


@pytest.mark.parametrize("flow", [ask_for_link, sign_up])
@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "/%2fevil.example", "javascript:alert(1)"]
)
async def test_class_11_nobody_is_led_away_afterwards(kit, flow, target):
    client = await kit.client()
    await flow(client, return_to=target)
    shown = await client.get("/auth/sent", headers=HTML)
    assert "evil.example" not in shown.text
    done = await confirm(client, token_in((await mailbox(kit, ADA))[-1]))
    assert done.headers["location"] == "/dashboard"
    app = await kit.client()
    assert (await app.post("/v1/auth/magic-link", json={"email": BOB, "return_to": target})).status_code == 202
    done = await confirm(app, token_in((await mailbox(kit, BOB))[-1]))
    assert done.headers["location"] == "/dashboard"


@pytest.mark.parametrize(
    "address",
    [
        "ada@example.com,eve@evil.example",
        "ada@example.com;eve@evil.example",
        "ada@example.com eve@evil.example",
        "ada@example.com\r\nBcc: eve@evil.example",
        "ada@example.com%0aBcc:eve@evil.example",
        "Ada <ada@example.com>",
        '"ada@example.com"@evil.example',
        "ada@example.com@evil.example",
        "ada\N{FULLWIDTH COMMERCIAL AT}example.com",
        "ada@exam\N{ZERO WIDTH SPACE}ple.com",
        "\N{KELVIN SIGN}ate@example.com",
        "ada@[127.0.0.1]",
        "<b>ada</b>@example.com",
        # Encoded words, which mail programs, Python's among them, read as ada@ and as eve@evil.example.
        "=?utf-8?q?ada?=@example.com",
        "=?utf-8?q?eve=40evil.example=3e=20?=@example.com",
        "x=?utf-8?q?ada?=@example.com",
    ],
)
async def test_class_12_what_is_not_exactly_one_plain_address_is_refused(kit, address):
    client = await kit.client()
    for flow in (ask_for_link, sign_up):
        assert (await flow(client, address)).status_code == 422
    assert (await client.post("/v1/auth/magic-link", json={"email": address})).status_code == 422
    assert (await client.post("/v1/auth/sign-up", json={"email": address, "password": PASSWORD})).status_code == 422
    await kit.run_jobs()
    assert await rows(kit, _recipients) == []


async def test_class_12_the_mail_goes_to_the_address_of_the_account_not_to_its_twin(kit):
    await person(kit, "mike@example.com")
    client = await kit.client()
    for twin in ("m\N{LATIN SMALL LETTER DOTLESS I}ke@example.com", "mi\N{KELVIN SIGN}e@example.com"):
        await ask_for_link(client, twin)
    assert await mailbox(kit, "mike@example.com") == []
    await ask_for_link(client, "MIKE@example.com")
    [mail] = await mailbox(kit, "mike@example.com")
    assert mail.recipient == "mike@example.com"


async def test_class_12_letters_beyond_z_have_two_cases_too_on_both_databases(kit):
    user = await person(kit, "élodie@example.com")
    assert await person(kit, "zoë@example.com") != user
    await ask_for_link(await kit.client(), "ÉLODIE@Example.com")
    [mail] = await mailbox(kit, "élodie@example.com")
    assert mail.recipient == "élodie@example.com"


async def test_class_12_no_mail_repeats_what_a_stranger_typed(kit):
    client = await kit.client()
    await sign_up(client, name='<a href="https://evil.example">Win a prize</a>', return_to="/evil-prize")
    await person(kit, BOB)
    await sign_up(client, BOB, name="Win a prize")
    agent = await kit.client(**{"user-agent": "<b>evil-prize</b> Firefox/1 Linux"})
    await ask_for_link(agent)
    for mail in [*await mailbox(kit, ADA), *await mailbox(kit, BOB)]:
        assert "prize" not in mail.text + mail.html + mail.subject
        assert "evil" not in mail.text + mail.html


async def test_class_13_a_token_of_one_purpose_opens_nothing_else(kit):
    user, client = await person(kit), await kit.client()
    async with kit.system.service() as ctx:
        given = {purpose: await issue(ctx, purpose, ADA, user_id=user) for purpose in Purpose}
    for purpose, issued in given.items():
        secret = issued.token.rpartition("_")[2]
        for prefix in ("sign_in", "sign_up"):
            if purpose.prefix == prefix:
                continue
            assert (await confirm(client, f"{prefix}_{secret}")).status_code == 400
        for path in ("magic-link", "sign-up"):
            if purpose in {Purpose.SIGN_IN, Purpose.SIGN_UP}:
                continue
            for shown in ({"token": issued.token}, {"challenge": str(issued.id), "code": issued.code}):
                refused = await client.post(f"/v1/auth/{path}/confirm", json=shown)
                assert refused.status_code == 400
    for path, purpose in (("magic-link", Purpose.SIGN_UP), ("sign-up", Purpose.SIGN_IN)):
        refused = await client.post(f"/v1/auth/{path}/confirm", json={"token": given[purpose].token})
        assert refused.status_code == 400
    client.cookies.set("session", given[Purpose.SIGN_IN].token)
    assert await me(client) is None


async def closed_and_unknown(kit):
    """Six addresses of one length: known, never proven, banned, deleted, and two of nobody."""
    known = ["known1@example.com", "known2@example.com", "known3@example.com", "known4@example.com"]
    ids = [await person(kit, address, proven=number != 1) for number, address in enumerate(known)]
    async with kit.system.service() as ctx:
        await ban_user(ctx, ids[2], reason="spam")
        await delete_user(ctx, ids[3], reason="asked")
    return [*known, "nobody@example.com", "no-one@example.com"]


@pytest.mark.parametrize("sign_up_by_link", [True, False])
async def test_class_21_asking_tells_nobody_who_has_an_account(start, sign_up_by_link):
    kit = await start(mailing_product(Password(), MagicLink(sign_up=sign_up_by_link)))
    addresses = await closed_and_unknown(kit)
    asked = {
        "link": ask_for_link,
        "sign-up": sign_up,
        "link of apps": lambda client, email: client.post("/v1/auth/magic-link", json={"email": email}),
        "sign-up of apps": lambda client, email: client.post(
            "/v1/auth/sign-up", json={"email": email, "password": PASSWORD}
        ),
    }
    for name, ask in asked.items():
        shapes = []
        for address in addresses:
            client = await kit.client()
            answer = await ask(client, address)
            sent = await client.get("/auth/sent", headers=HTML)
            wrong = await type_code(client, "abc")
            shapes.append([shape(one, address) for one in (answer, sent, wrong)])
        assert [one for one in shapes if one != shapes[0]] == [], name


@pytest.mark.parametrize("flow", [ask_for_link, sign_up])
async def test_class_21_asking_takes_the_same_statements_for_everybody(start, flow):
    """Time itself is not asserted; what costs it is counted."""
    kit = await start(mailing_product(Password(), MagicLink(sign_up=False)))
    addresses, runtime, counted = await closed_and_unknown(kit), kit.runtime, []
    for address in addresses:
        service = Counting(runtime.service)
        kit.app.state.runtime = replace(runtime, service=service)
        assert (await flow(await kit.client(), address)).status_code == 303
        counted.append(sum(unit.statements for unit in service.units))
    kit.app.state.runtime = runtime
    assert len(set(counted)) == 1
    assert counted[0] > 0


async def test_class_21_the_sixth_asking_is_refused_for_nobody_too(kit):
    await person(kit)
    for address in (ADA, "nil@example.com"):
        client = await kit.client()
        answers = [await ask_for_link(client, address) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [303] * 5 + [429]
        assert shape(answers[-1], address)["headers"].keys() >= {"retry-after"}


async def test_class_21_a_challenge_of_nothing_and_one_of_somebody_are_told_apart_by_nobody(kit):
    await person(kit)
    client = await kit.client()
    asked = await client.post("/v1/auth/magic-link", json={"email": ADA})
    told = []
    for challenge in (asked.json()["challenge"], str(new_id())):
        shown = {"challenge": challenge, "code": "abc"}
        told.append(shape(await client.post("/v1/auth/magic-link/confirm", json=shown), ADA))
    assert told[0] == told[1]


@pytest.mark.parametrize("purpose", [Purpose.SIGN_IN, Purpose.SIGN_UP, Purpose.RESET])
async def test_class_21_what_stands_for_nobody_opens_nothing_even_if_it_is_guessed(kit, purpose):
    """Nobody is mailed it, but it lies there like any other, with a code that one in a million hits."""
    user = await person(kit, BOB) if purpose is Purpose.RESET else None
    email = BOB if user else ADA
    detail = {"nobody": True, "return_to": "/dashboard", "known": False, "name": None, "hash": None}
    async with kit.system.service() as ctx:
        drawn = await issue(ctx, purpose, email, user_id=user, detail=detail)
    door = {Purpose.SIGN_IN: "magic-link", Purpose.SIGN_UP: "sign-up", Purpose.RESET: "reset"}[purpose]
    more = {"password": PASSWORD} if user else {}
    for shown in ({"token": drawn.token}, {"challenge": str(drawn.id), "code": drawn.code}):
        answer = await (await kit.client()).post(f"/v1/auth/{door}/confirm", json={**shown, **more})
        assert answer.status_code == 400, answer.text
    assert await rows(kit, _users) == ([BOB] if user else [])
    assert await rows(kit, _passwords) == []
