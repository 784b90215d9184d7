"""Known ways in which others' changes of address went wrong; each test is named after its class."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from identity.address_steps import (
    NEW,
    OLD,
    address_of,
    addresses,
    approve,
    ask,
    confirm,
    entries,
    follow,
    letters,
    rows,
)
from identity.mailbox import link_in, mailbox, token_in
from tenantry.identity import queries
from tenantry.identity.actions.people import ban_user, delete_user

PUBLIC = "http://127.0.0.1:8000"
GRACE = "grace@example.com"


class Counting:
    """A database that remembers the units it gave out."""

    def __init__(self, database):
        self.database = getattr(database, "database", database)
        self.units = []

    def unit(self, *args, **kwargs):
        self.units.append(self.database.unit(*args, **kwargs))
        return self.units[-1]


async def use(client, token, **more):
    return await client.post("/auth/verify", data={"token": token, **more})


async def my_id(client):
    return UUID((await client.get("/v1/me")).json()["id"])


def expired(answer):
    return (answer.status_code, answer.json()["code"]) == (400, "identity.link_expired")


async def test_class_01_nobody_else_is_named(kit):
    ada, grace = await kit.sign_in("ada"), await kit.sign_in("grace")
    hers = str(await my_id(grace))
    refused = await ada.post("/v1/me/email", json={"email": NEW, "user_id": hers})
    assert refused.status_code == 422
    said = await ada.post(f"/v1/me/email?user_id={hers}", json={"email": NEW}, headers={"x-user-id": hers})
    assert said.json()["email"] == OLD
    mails = await letters(kit)
    for mail, choice in zip(mails, ("", "approve"), strict=True):
        done = await follow(await kit.client(), mail, choice=choice, user_id=hers, email="eve@evil.example")
        assert done.status_code == 200
    assert await rows(kit, addresses) == [NEW, GRACE]


async def test_class_02_an_address_that_waits_keeps_nobody_out(kit):
    """Whoever asks for somebody's address before its owner comes holds nothing of it."""
    ada = await kit.sign_in("ada")
    await ask(ada, GRACE)
    await approve(ada, (await letters(kit, new=GRACE))[1])
    grace = await kit.sign_in("grace")
    assert await address_of(grace) == GRACE
    assert await rows(kit, addresses) == [OLD, GRACE]


@pytest.mark.parametrize("side", [0, 1])
async def test_class_06_a_link_raced_by_many_counts_once(kit, side):
    ada = await kit.sign_in("ada")
    await ask(ada)
    token = token_in((await letters(kit))[side])
    browsers = [await kit.client() for _ in range(8)]
    answers = await asyncio.gather(*(use(one, token, choice="approve") for one in browsers))
    assert sorted(one.status_code for one in answers) == [200] + [400] * 7
    assert all(expired(one) for one in answers if one.status_code == 400)
    assert (await rows(kit, entries))[1:] == [f"address_change.{('confirmed', 'approved')[side]}"]


async def test_class_06_yes_and_no_at_the_same_moment_are_one_of_the_two(kit):
    ada = await kit.sign_in("ada")
    await ask(ada)
    to_new, to_old = await letters(kit)
    await confirm(ada, to_new)
    browsers = [await kit.client() for _ in range(2)]
    answers = await asyncio.gather(
        use(browsers[0], token_in(to_old), choice="approve"), use(browsers[1], token_in(to_old), choice="cancel")
    )
    assert sorted(one.status_code for one in answers) == [200, 400]
    assert await rows(kit, addresses) == [NEW if answers[0].status_code == 200 else OLD]


@pytest.mark.parametrize("deed", [ban_user, delete_user])
async def test_class_08_links_of_who_was_shut_out_do_nothing(kit, deed):
    ada = await kit.sign_in("ada")
    user = await my_id(ada)
    await ask(ada)
    mails = await letters(kit)
    await confirm(ada, mails[0])
    async with kit.system.service() as ctx:
        await deed(ctx, user, reason="test")
    assert (await ada.post("/v1/me/email", json={"email": NEW})).status_code == 401
    for mail in mails:
        assert expired(await use(ada, token_in(mail), choice="approve"))
        assert expired(await ada.get(link_in(mail)))
    assert await rows(kit, addresses) == [OLD]


async def test_class_08_a_session_that_was_ended_asks_for_nothing(kit):
    thief, owner = await kit.sign_in("ada"), await kit.sign_in("ada")
    await owner.delete("/v1/me/sessions")
    assert (await thief.post("/v1/me/email", json={"email": NEW})).status_code == 401
    assert await mailbox(kit, NEW) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"x-forwarded-host": "evil.example", "x-forwarded-proto": "https"},
        {"forwarded": "host=evil.example;proto=https"},
        {"x-original-host": "evil.example", "x-forwarded-server": "evil.example", "x-host": "evil.example"},
    ],
)
async def test_class_10_no_header_chooses_where_the_links_lead(kit, headers):
    ada = await kit.sign_in("ada")
    answer = await ada.post("/v1/me/email", json={"email": NEW}, headers=headers)
    assert answer.status_code in {202, 421}
    for mail in [*await mailbox(kit, NEW), *await mailbox(kit, OLD)]:
        assert link_in(mail).startswith(f"{PUBLIC}/auth/verify?token=")
        assert "evil.example" not in mail.text + (mail.html or "")


@pytest.mark.parametrize(
    "email",
    [
        "ada@new.example,eve@evil.example",
        "ada@new.example;eve@evil.example",
        "ada@new.example eve@evil.example",
        "ada@new.example\neve@evil.example",
        "ada@new.example\r\nBcc: eve@evil.example",
        "Ada <ada@new.example>",
        '"ada@evil.example"@new.example',
        '"a b"@new.example',
        "ada@new.example@evil.example",
        "ada\uff20new.example",
        "ada@new\u3002example\u200b",
        "\u212aing@new.example",
        "ad\u0061\u0301@new.example",
        "ada@[127.0.0.1]",
        "ada@localhost",
        "<b>ada</b>@new.example",
        "ada\x00@new.example",
        "ada@new.example\u202e",
        "@new.example",
        "ada@",
        "ada@" + "a" * 250 + ".example",
    ],
)
async def test_class_12_what_readers_of_addresses_disagree_about_is_no_address(kit, email):
    ada = await kit.sign_in("ada")
    answer = await ada.post("/v1/me/email", json={"email": email})
    assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")
    assert answer.json()["errors"][0]["field"] == "body.email"
    assert (await ada.post("/settings/email", data={"email": email})).status_code == 422
    assert (await ada.get("/v1/me/email")).json()["pending"] is None


async def test_class_12_case_makes_no_other_address(kit):
    ada, grace = await kit.sign_in("ada"), await kit.sign_in("grace")
    await ask(ada, "GRACE@Example.COM")
    (told,) = await mailbox(kit, GRACE)
    assert "/auth/verify" not in told.text, "hers it is, however it is written"
    begun = await ask(grace, "GRACE@NEW.example")
    assert begun["pending"]["email"] == "grace@new.example"


async def test_class_13_a_token_of_one_purpose_is_none_for_another(kit):
    ada = await kit.sign_in("ada")
    await ask(ada)
    mails = await letters(kit)
    for mail in mails:
        secret = token_in(mail).rpartition("_")[2]
        for prefix in ("sess", "reset", "sign_in", "sign_up", "second_factor", "link", "passkey", "confirm"):
            answer = await use(ada, f"{prefix}_{secret}", choice="approve")
            assert answer.status_code in {400, 404}, prefix  # 404: this product has no such way in
        for value in (token_in(mail), f"sess_{secret}"):
            assert (await (await kit.client(cookie=f"session={value}")).get("/v1/me")).status_code == 401
            bearer = await kit.client(authorization=f"Bearer {value}")
            assert (await bearer.get("/v1/me")).status_code == 401
    new, old = (token_in(mail).rpartition("_")[2] for mail in mails)
    assert expired(await use(ada, f"approve_address_{new}", choice="approve"))
    assert expired(await use(ada, f"change_address_{old}"))
    assert expired(await use(ada, ada.cookies["session"]))
    assert (await ada.get("/v1/me/email")).json()["pending"]["confirmed"] is False


@pytest.mark.parametrize(
    "token",
    [
        "",
        "_",
        "change_address_",
        "change_address_" + "A" * 43,
        "approve_address_" + "A" * 43,
        "change_address_" + "A" * 20_000,
        "change_address_\udcff".encode("utf-8", "surrogateescape").decode("latin-1"),
        "approve_address_' OR 1=1 --",
        "sess_" + "A" * 43,
    ],
)
async def test_class_14_a_malformed_link_is_an_expired_one_never_an_error(kit, token):
    client = await kit.client()
    for answer in (
        await client.get("/auth/verify", params={"token": token}),
        await use(client, token, choice="approve"),
        await use(client, token, choice=""),
    ):
        assert expired(answer), answer.text


async def test_class_14_what_no_database_can_hold_is_422(kit):
    client = await kit.client()
    assert (await client.get("/auth/verify", params={"token": "change_address_\x00"})).status_code == 422
    assert (await use(client, "change_address_\x00")).status_code in {400, 422}


async def test_class_14_a_form_that_is_none_changes_nothing(kit):
    ada = await kit.sign_in("ada")
    await ask(ada)
    for sent in (
        {"content": b"\xff\xfe", "headers": {"content-type": "application/x-www-form-urlencoded"}},
        {"json": {"token": token_in((await letters(kit))[0])}},
        {"files": {"token": ("a.txt", b"change_address_x")}},
        {"data": {"token": ["a", "b"]}},
    ):
        answer = await ada.post("/auth/verify", **sent)
        assert 400 <= answer.status_code < 500
    assert (await ada.get("/v1/me/email")).json()["pending"]["confirmed"] is False


async def test_class_15_somebody_elses_change_is_not_there(kit):
    ada, grace = await kit.sign_in("ada"), await kit.sign_in("grace")
    await ask(ada)
    assert (await grace.get("/v1/me/email")).json()["pending"] is None
    assert (await grace.delete("/v1/me/email")).status_code == 204
    await grace.post("/settings/email/cancel")
    await ask(grace, "grace@new.example")
    assert (await ada.get("/v1/me/email")).json()["pending"]["email"] == NEW
    # Also for a caller that may touch every row.
    me = await my_id(grace)
    async with kit.system.service() as ctx:
        change = await queries.addresses.of_user(ctx.db, await my_id(ada))
        assert await queries.addresses.confirm(ctx.db, me, change.id) is None
        assert await queries.addresses.approve(ctx.db, me, change.id) is None


async def test_class_20_the_address_is_changed_in_no_other_way(kit):
    ada = await kit.sign_in("ada")
    for body in ({"email": NEW}, {"name": "Ada", "email": NEW}, {"name": "Ada", "email_verified": True}):
        assert (await ada.patch("/v1/me", json=body)).status_code == 422
    await ada.post("/settings/profile", data={"name": "Ada", "email": NEW})
    assert await address_of(ada) == OLD


async def test_class_21_a_known_address_is_answered_like_an_unknown_one(kit):
    ada = await kit.sign_in("ada")
    await kit.sign_in("grace")
    asked = {}
    for address in (GRACE, "nobody@example.com"):
        json = await ada.post("/v1/me/email", json={"email": address})
        form = await ada.post("/settings/email", data={"email": address})
        seen = [json, await ada.get("/v1/me/email"), form, await ada.get("/settings")]
        asked[address] = [
            (
                one.status_code,
                {name: value for name, value in one.headers.items() if name not in {"x-request-id", "content-length"}},
                one.text.replace(address, "*").replace(one.headers.get("x-request-id", "-"), "-"),
            )
            for one in seen
        ]
    assert asked[GRACE] == asked["nobody@example.com"]
    # Only its owner is told, and has nothing to press.
    told = await mailbox(kit, GRACE)
    assert {one.subject for one in told} == {"Somebody asked for your e-mail address"}
    assert all("/auth/verify" not in one.text and OLD not in one.text for one in told)
    assert {one.subject for one in await mailbox(kit, OLD)} == {"Approve your new e-mail address"}


async def test_class_21_it_costs_the_same_statements(kit):
    ada = await kit.sign_in("ada")
    await kit.sign_in("grace")
    counts = set()
    for address in ("nobody@example.com", GRACE, "somebody@example.com"):
        service = Counting(kit.runtime.service)
        kit.app.state.runtime = replace(kit.runtime, service=service)
        await ask(ada, address)
        counts.add(tuple(one.statements for one in service.units))
    assert len(counts) == 1


async def test_class_24_one_side_alone_changes_nothing_however_often(kit):
    ada = await kit.sign_in("ada")
    for side in (0, 1):
        await ask(ada)
        mail = (await letters(kit))[side]
        await follow(ada, mail, choice="approve")
        for _ in range(3):
            assert expired(await use(ada, token_in(mail), choice="approve"))
        assert await rows(kit, addresses) == [OLD]


async def test_class_24_consent_to_one_address_is_none_to_another(kit):
    ada = await kit.sign_in("ada")
    await ask(ada, "wanted@new.example")
    await approve(ada, (await letters(kit, new="wanted@new.example"))[1])
    await ask(ada, "eve@evil.example")
    await confirm(ada, (await letters(kit, new="eve@evil.example"))[0])
    assert await rows(kit, addresses) == [OLD]
    assert (await ada.get("/v1/me/email")).json()["pending"]["approved"] is False


async def test_class_24_what_ends_all_tokens_ends_the_change(kit):
    """A reset of the password, for one: whoever sat in the account may have begun it."""
    ada = await kit.sign_in("ada")
    await ask(ada)
    mails = await letters(kit)
    await confirm(ada, mails[0])
    async with kit.system.service() as ctx:
        await queries.tokens.forget_of_user(ctx.db, await my_id(ada))
    assert (await ada.get("/v1/me/email")).json()["pending"] is None
    assert expired(await use(ada, token_in(mails[1]), choice="approve"))


async def test_class_24_looking_at_a_link_agrees_to_nothing(kit):
    ada = await kit.sign_in("ada")
    await ask(ada)
    for mail in await letters(kit):
        for method in ("GET", "HEAD", "GET"):
            answer = await (await kit.client()).request(method, link_in(mail))
            assert answer.status_code in {200, 405}
    pending = (await ada.get("/v1/me/email")).json()["pending"]
    assert (pending["confirmed"], pending["approved"]) == (False, False)
