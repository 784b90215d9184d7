"""Bug classes of other identity systems that passkeys could repeat."""

import asyncio
import json
from hashlib import sha256
from uuid import UUID

import cbor2
import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import select

from identity.authenticator import ATTESTED, MAY_SYNC, PRESENT, SYNCED, VERIFIED, Device, to_bytes, to_text
from identity.second_factors import half, is_signed_in
from tenantry import Google, Passkey
from tenantry.identity.actions.people import ban_user, delete_user
from tenantry.identity.models import Passkeys, VerificationTokens
from tenantry.kernel.audit import AuditLog
from tenantry.kernel.database import statement

OWN, SIGN_IN = "/v1/me/passkeys", "/v1/auth/passkey"
SECOND, CONFIRM = "/v1/auth/second-factor/passkey", "/v1/auth/confirm/passkey"


class Stored(msgspec.Struct, frozen=True):
    credential_id: bytes
    public_key: bytes
    user_id: UUID


class Entry(msgspec.Struct, frozen=True):
    actor_id: UUID | None
    detail: dict[str, int]


copies = statement(
    select(AuditLog.actor_id, AuditLog.detail).where(AuditLog.action == "passkey.copy_refused").order_by(AuditLog.id),
    Entry,
)


@pytest.fixture
async def kit(start, product_of):
    return await start(product_of(sign_in=[Google(), Passkey()]))


async def own(browser):
    return (await browser.get(OWN)).json()["items"]


def told(answer):
    return answer.status_code, answer.json()["code"]


EXPIRED, REFUSED, UNKNOWN = (
    (400, "identity.passkey_expired"),
    (400, "identity.passkey_refused"),
    (400, "identity.passkey_unknown"),
)


async def test_class_06_a_challenge_works_once(kit):
    device, browser = Device(), await kit.client()
    await device.register(await kit.sign_in("ada"))
    body = await device.answer(browser)
    assert (await browser.post(SIGN_IN, json=body)).status_code == 200
    # The same again, and a new signature of the same challenge.
    assert told(await browser.post(SIGN_IN, json=body)) == EXPIRED
    options = {"challenge": to_text(body["challenge"].encode()), "rpId": "127.0.0.1"}
    again = {"challenge": body["challenge"], "credential": device.show(options)}
    assert told(await browser.post(SIGN_IN, json=again)) == EXPIRED


@pytest.mark.parametrize("door", [SIGN_IN, CONFIRM, SECOND])
async def test_class_06_a_wrong_answer_uses_the_challenge_up_too(kit, door):
    ada, device = await kit.sign_in("ada"), Device()
    await device.register(ada)
    browser = ada if door == CONFIRM else await half(kit) if door == SECOND else await kit.client()
    body = await device.answer(browser, door)
    wrong = json.loads(json.dumps(body))
    wrong["credential"]["response"]["signature"] = to_text(bytes(70))
    assert told(await browser.post(door, json=wrong)) == REFUSED
    assert told(await browser.post(door, json=body)) == EXPIRED


@pytest.mark.parametrize("door", [SIGN_IN, CONFIRM, SECOND])
async def test_class_06_two_who_race_with_one_challenge(kit, door):
    ada, device = await kit.sign_in("ada"), Device()
    await device.register(ada)
    first = ada if door == CONFIRM else await half(kit) if door == SECOND else await kit.client()
    body = await device.answer(first, door)
    kept = "; ".join(f"{name}={value}" for name, value in first.cookies.items())
    browsers = [await kit.client(**({"Cookie": kept} if kept else {})) for _ in range(4)]
    answers = await asyncio.gather(*(one.post(door, json=body) for one in browsers))
    codes = sorted(one.status_code for one in answers)
    assert codes[0] == 200
    # Confirming gives the session another token, and the half is used up: who comes later may hear of that instead.
    assert set(codes[1:]) <= {400, 401}
    assert sum(one.status_code == 200 for one in answers) == 1


async def test_class_06_two_who_race_with_one_challenge_of_registration(kit):
    ada = await kit.sign_in("ada")
    begun = (await ada.post(f"{OWN}/options")).json()
    bodies = [
        {"name": "x", "challenge": begun["challenge"], "credential": Device().make(begun["public_key"])}
        for _ in range(3)
    ]
    answers = await asyncio.gather(*(ada.post(OWN, json=body) for body in bodies))
    assert sorted(one.status_code for one in answers) == [201, 400, 400]
    assert len(await own(ada)) == 1


async def test_class_06_one_signature_counter_is_used_once(kit):
    """Two challenges answered with the same counter by a device and its copy: one of the two gets in."""
    device = Device()
    await device.register(await kit.sign_in("ada"))
    browsers = [await kit.client(), await kit.client()]
    bodies = [await device.answer(browsers[0])]
    device.count -= 1
    bodies.append(await device.answer(browsers[1]))
    answers = await asyncio.gather(*(one.post(SIGN_IN, json=body) for one, body in zip(browsers, bodies, strict=True)))
    assert sorted(one.status_code for one in answers) == [200, 400]


async def test_class_13_a_challenge_is_for_one_kind_of_ceremony(kit):
    ada, device = await kit.sign_in("ada"), Device()
    await device.register(ada)
    stranger, waiting = await kit.client(), await half(kit)
    askers = {SIGN_IN: stranger, CONFIRM: ada, SECOND: waiting, OWN: ada}
    for asked, asker in askers.items():
        for door, browser in askers.items():
            if door == asked:
                continue
            begun = (await asker.post(f"{asked}/options")).json()
            options = {**begun["public_key"], "rpId": "127.0.0.1"}
            body = {"challenge": begun["challenge"], "credential": device.show(options)}
            if door == OWN:
                options |= {"rp": {"id": "127.0.0.1"}, "user": {"id": to_text(device.handle)}}
                body = {**body, "credential": Device().make(options), "name": "x"}
            assert told(await browser.post(door, json=body)) == EXPIRED, (asked, door)
    assert not await is_signed_in(stranger)
    assert len(await own(ada)) == 1


async def test_class_13_what_was_made_for_registration_signs_nobody_in(kit):
    """The signature of a `webauthn.create` is none of a `webauthn.get`, also with a challenge that fits."""
    device, browser = Device(), await kit.client()
    await device.register(await kit.sign_in("ada"))
    begun = (await browser.post(f"{SIGN_IN}/options")).json()
    body = {"challenge": begun["challenge"], "credential": device.show(begun["public_key"])}
    said = json.loads(to_bytes(body["credential"]["response"]["clientDataJSON"])) | {"type": "webauthn.create"}
    resigned = json.dumps(said).encode()
    shown = to_bytes(body["credential"]["response"]["authenticatorData"])
    signature = device.key.sign(shown + sha256(resigned).digest(), ec.ECDSA(hashes.SHA256()))
    body["credential"]["response"] |= {"clientDataJSON": to_text(resigned), "signature": to_text(signature)}
    assert told(await browser.post(SIGN_IN, json=body)) == REFUSED


async def test_class_13_a_challenge_is_for_who_asked_in_the_session_that_asked(kit):
    ada, second, grace = await kit.sign_in("ada"), await kit.sign_in("ada"), await kit.sign_in("grace")
    begun = (await ada.post(f"{OWN}/options")).json()
    body = {"name": "x", "challenge": begun["challenge"], "credential": Device().make(begun["public_key"])}
    assert told(await grace.post(OWN, json=body)) == EXPIRED
    assert told(await ada.post(OWN, json=body)) == EXPIRED
    begun = (await ada.post(f"{OWN}/options")).json()
    body = {"name": "x", "challenge": begun["challenge"], "credential": Device().make(begun["public_key"])}
    assert told(await second.post(OWN, json=body)) == EXPIRED
    device, of_grace = Device(), Device()
    await device.register(ada)
    await of_grace.register(grace)
    for other, shown in ((grace, of_grace), (second, device)):
        challenge = (await ada.post(f"{CONFIRM}/options")).json()
        options = {**challenge["public_key"], "allowCredentials": []}
        body = {"challenge": challenge["challenge"], "credential": shown.show(options)}
        assert told(await other.post(CONFIRM, json=body)) == EXPIRED


@pytest.mark.parametrize("door", [CONFIRM, SECOND])
async def test_class_13_somebody_elses_passkey_is_no_proof_of_mine(kit, door):
    ada, grace, device, other = await kit.sign_in("ada"), await kit.sign_in("grace"), Device(), Device()
    await device.register(ada)
    await other.register(grace)
    browser = ada if door == CONFIRM else await half(kit)
    for handle in (other.handle, device.handle, None):
        other.handle = handle
        begun = (await browser.post(f"{door}/options")).json()
        options = {**begun["public_key"], "allowCredentials": []}
        body = {"challenge": begun["challenge"], "credential": other.show(options)}
        assert told(await browser.post(door, json=body)) == UNKNOWN


async def test_class_13_other_tokens_are_no_challenge(kit):
    ada, device = await kit.sign_in("ada"), Device()
    await device.register(ada)
    waiting = await half(kit)
    for token in (ada.cookies["session"], waiting.cookies["half"], "", "passkey_", "passkey_" + "a" * 43, "x" * 100):
        options = {"challenge": to_text(token.encode()), "rpId": "127.0.0.1"}
        body = {"challenge": token, "credential": device.show(options)}
        answer = await (await kit.client()).post(SIGN_IN, json=body)
        assert answer.status_code == (400 if token else 422)
    challenge = (await ada.post(f"{SIGN_IN}/options")).json()["challenge"]
    for cookie in ("session", "half"):
        assert not await is_signed_in(await kit.client(Cookie=f"{cookie}={challenge}"))
    assert not await is_signed_in(await kit.client(Authorization=f"Bearer {challenge}"))
    verify = await (await kit.client()).get(f"/auth/verify?token={challenge}", headers={"Accept": "text/html"})
    assert verify.status_code == 400


async def test_class_15_somebody_elses_passkey_is_not_there(kit):
    ada, grace, device = await kit.sign_in("ada"), await kit.sign_in("grace"), Device()
    passkey = await device.register(ada)
    await Device().register(grace)
    path, page = f"{OWN}/{passkey['id']}", f"/settings/passkeys/{passkey['id']}"
    answers = [
        await grace.patch(path, json={"name": "Mine"}),
        await grace.delete(path),
        await grace.get(page),
        await grace.post(page, data={"name": "Mine"}),
        await grace.post(f"{page}/remove"),
    ]
    assert [one.status_code for one in answers] == [404] * 5
    assert await own(ada) == [passkey]
    assert len(await own(grace)) == 1
    assert (await device.sign_in(await kit.client())).json()["user_id"] == (await ada.get("/v1/me")).json()["id"]


async def test_class_15_a_user_handle_of_another_person(kit):
    """A device that says it is Grace's and signs with Ada's key is neither."""
    ada, grace, device = await kit.sign_in("ada"), await kit.sign_in("grace"), Device()
    await device.register(ada)
    for handle in (UUID((await grace.get("/v1/me")).json()["id"]).bytes, b"", b"x" * 64, None):
        device.handle = handle
        assert told(await device.sign_in(await kit.client())) == REFUSED


ORIGINS = ["https://evil.example", "http://127.0.0.1:8001", "http://127.0.0.1", "https://127.0.0.1:8000", "null", ""]
WRONG = [
    *({"origin": origin} for origin in ORIGINS),
    *({"site": site} for site in ("evil.example", "localhost", "127.0.0.1:8000", "http://127.0.0.1:8000")),
    *({"flags": flags} for flags in (0, PRESENT, VERIFIED, PRESENT | VERIFIED | SYNCED)),
    {"frame": True},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
async def test_class_05_what_was_not_done_here_by_the_person_is_refused(kit, wrong):
    """Another origin, another site's id, nobody present, nobody verified, a synced key that cannot be, a frame."""
    ada, device, bad = await kit.sign_in("ada"), Device(), Device(**wrong)
    assert told(await bad.try_register(ada)) == REFUSED
    await device.register(ada)
    for name, value in wrong.items():
        setattr(device, name, value)
    for door, browser in ((SIGN_IN, await kit.client()), (CONFIRM, ada), (SECOND, await half(kit))):
        assert told(await device.sign_in(browser, door)) == REFUSED
    assert len(await own(ada)) == 1


async def test_a_counter_that_went_back_is_refused_and_written_down(kit):
    ada, device = await kit.sign_in("ada"), Device(step=5)
    passkey = await device.register(ada)
    assert (await device.sign_in(await kit.client())).status_code == 200
    me = UUID((await ada.get("/v1/me")).json()["id"])
    device.step = 0
    for count in (5, 4, 1, 0):
        device.count = count
        assert told(await device.sign_in(await kit.client())) == REFUSED
    async with kit.system.service(writes=False) as ctx:
        found = await ctx.db.rows(copies)
    assert [one.actor_id for one in found] == [me] * 4
    assert [one.detail for one in found] == [{"counter": count, "last": 5} for count in (5, 4, 1, 0)]
    # Whoever has not the key cannot make it look so.
    device.key, device.count = Device().key, 2
    assert told(await device.sign_in(await kit.client())) == REFUSED
    async with kit.system.service(writes=False) as ctx:
        assert len(await ctx.db.rows(copies)) == 4
    assert (await own(ada))[0]["id"] == passkey["id"]


@pytest.mark.parametrize("close", ["banned", "deleted"])
async def test_class_08_who_is_shut_out_is_told_so_after_the_proof_and_stays_out(kit, close):
    ada, device, browser = await kit.sign_in("ada"), Device(), await kit.client()
    await device.register(ada)
    asked = await device.answer(browser)
    user = UUID((await ada.get("/v1/me")).json()["id"])
    async with kit.system.service() as ctx:
        await (ban_user if close == "banned" else delete_user)(ctx, user, reason="spam")
    refused = await browser.post(SIGN_IN, json=asked)
    assert told(refused) == (403, f"identity.user_{close}")
    assert not await is_signed_in(browser)
    device.key = Device().key
    assert told(await device.sign_in(browser)) == REFUSED


async def test_class_21_strangers_all_hear_the_same(kit):
    """Neither the options nor their size say whether anybody has a passkey."""
    answers = [await (await kit.client()).post(f"{SIGN_IN}/options")]
    await Device().register(await kit.sign_in("ada"))
    answers.append(await (await kit.client()).post(f"{SIGN_IN}/options"))
    shapes = [
        (one.status_code, len(one.content), sorted(one.headers), one.json()["public_key"].keys()) for one in answers
    ]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("door", [SIGN_IN, f"{SIGN_IN}/options", SECOND, f"{SECOND}/options", "/auth/passkey"])
async def test_class_03_another_sites_page_sends_nothing_here(kit, door):
    browser = await kit.client(Origin="https://evil.example")
    browser.cookies.set("theme", "dark")
    body = {} if door.endswith("/options") else {"json": {"challenge": "x", "credential": {}}}
    answer = await browser.post(door, **({"data": {"challenge": "x"}} if door.startswith("/auth") else body))
    assert told(answer) == (403, "web.cross_site")


def rsa_key(bits):
    return {1: 3, 3: -257, -1: b"\xff" * (bits // 8), -2: b"\x01\x00\x01"}


P256 = Device().key.public_key().public_numbers()
KEYS = {
    "empty": {},
    "only its kind": {1: 2},
    "no point of the curve": {1: 2, 3: -7, -1: 1, -2: b"\x01" * 32, -3: b"\x01" * 32},
    "another curve": {1: 2, 3: -7, -1: 2, -2: P256.x.to_bytes(32), -3: P256.y.to_bytes(32)},
    "SHA-1": {1: 2, 3: -65535, -1: 1, -2: P256.x.to_bytes(32), -3: P256.y.to_bytes(32)},
    "too short": {1: 1, 3: -8, -1: 6, -2: b"\x01" * 31},
    "unknown kind": {1: 9, 3: -7},
    "RSA 512": rsa_key(512),
    "RSA 2040": rsa_key(2040),
    "RSA 16384": rsa_key(16384),
    "list": [1, 2],
    "text": "key",
    "none": None,
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
async def test_class_14_a_key_that_could_not_be_used_is_not_kept(kit, key):
    ada, device = await kit.sign_in("ada"), Device()
    begun = (await ada.post(f"{OWN}/options")).json()
    made = device.make(begun["public_key"])
    shown = device._told("127.0.0.1", device.flags | ATTESTED)
    shown += bytes(16) + len(device.credential_id).to_bytes(2) + device.credential_id + cbor2.dumps(key)
    made["response"]["attestationObject"] = to_text(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": shown}))
    answer = await ada.post(OWN, json={"name": "x", "challenge": begun["challenge"], "credential": made})
    assert told(answer) == REFUSED
    assert await own(ada) == []


def changed(credential, path, value):
    copy = json.loads(json.dumps(credential))
    *way, last = path.split(".")
    place = copy
    for step in way:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return copy


PATHS = [
    "id",
    "rawId",
    "type",
    "response",
    "response.clientDataJSON",
    "response.authenticatorData",
    "response.signature",
]
VALUES = [
    ...,
    None,
    "",
    "x",
    "é",
    "A" * 3000,
    5,
    [],
    {},
    ["x"],
    to_text(b"{}"),
    to_text(b"[]"),
    to_text(b'{"type": 1}'),
]


@pytest.mark.parametrize("path", PATHS)
async def test_class_14_whatever_is_sent_is_refused_and_breaks_nothing(kit, path):
    device, browser = Device(flags=PRESENT | VERIFIED | MAY_SYNC), await kit.client()
    await device.register(await kit.sign_in("ada"))
    for value in VALUES:
        body = await device.answer(browser)
        body["credential"] = changed(body["credential"], path, value)
        answer = await browser.post(SIGN_IN, json=body)
        assert told(answer) in {REFUSED, UNKNOWN}, (path, value)
    assert (await device.sign_in(browser)).status_code == 200


@pytest.mark.parametrize("path", ["id", "rawId", "response", "response.clientDataJSON", "response.attestationObject"])
async def test_class_14_whatever_is_sent_for_registration_is_refused(kit, path):
    ada = await kit.sign_in("ada")
    for value in VALUES:
        begun = (await ada.post(f"{OWN}/options")).json()
        made = changed(Device().make(begun["public_key"]), path, value)
        answer = await ada.post(OWN, json={"name": "x", "challenge": begun["challenge"], "credential": made})
        assert told(answer) == REFUSED, (path, value)
    assert await own(ada) == []


rows = statement(select(Passkeys.credential_id, Passkeys.public_key, Passkeys.user_id), Stored)
hashes_kept = statement(select(VerificationTokens.token_hash).where(VerificationTokens.purpose == "passkey"))


async def test_what_is_stored_of_a_passkey_opens_nothing(kit):
    """Somebody has a copy of the database: no private key is in it, and no challenge."""
    device, thief = Device(), await kit.client()
    await device.register(await kit.sign_in("ada"))
    waiting = await device.answer(thief)
    async with kit.system.service(writes=False) as ctx:
        (stored,) = await ctx.db.rows(rows)
        (kept,) = await ctx.db.rows(hashes_kept)
    copy = Device(credential_id=stored.credential_id, handle=stored.user_id.bytes, count=device.count)
    assert told(await copy.sign_in(thief)) == REFUSED
    for challenge in (kept.hex(), to_text(kept), kept.decode("latin-1"), f"passkey_{to_text(kept)}"):
        options = {"challenge": to_text(challenge.encode()), "rpId": "127.0.0.1"}
        body = {"challenge": challenge, "credential": device.show(options)}
        # One hash of eight holds a byte 0, which no text may hold; that is refused before anybody looks for it.
        refused = (422, "request.invalid") if "\0" in challenge else EXPIRED
        assert told(await thief.post(SIGN_IN, json=body)) == refused
    assert (await thief.post(SIGN_IN, json=waiting)).status_code == 200, "the real one works, so the tries were fair"
    assert (await device.sign_in(thief)).status_code == 200
