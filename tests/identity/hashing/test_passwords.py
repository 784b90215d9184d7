"""Passwords: argon2id for ours, other systems' hashes verified and upgraded, bounded in number."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator

import bcrypt
import pytest
from argon2 import PasswordHasher, Type
from argon2.low_level import hash_secret_raw
from sqlalchemy import select

from tenantry.identity.hashing import HashingBusy, PasswordHashing
from tenantry.identity.hashing.passwords import WRONG_SECONDS_MAX
from tenantry.identity.hashing.schemes import Schemes
from tenantry.identity.models import Passwords
from tenantry.kernel.database import statement
from tenantry.kernel.database.failures import UnitStillOpen

PASSWORD = "Tr0ub4dor & 3 – ﬁ"  # noqa: RUF001 - signs that are not ASCII, and one that NFKC takes apart
# Made by Django 5, and by Node's crypto with better-auth's parameters, from that password.
IMPORTED = {
    "django": "pbkdf2_sha256$1000000$Ns58TnCDpEsKZG8UWEDm22$OYmERQhvy2uCuqpqyv9RPNnGTAJVl8yeetvLHk+Q5AI=",
    "django argon2": "argon2$argon2id$v=19$m=102400,t=2,p=8$NkJqWUN5S0VMRzBNUGo4ZTREbFI4MQ"
    "$/1QBcNQ+3c4+EWpZ5GCTfkuRFrC/X+6lYbRtXtRrlZ4",
    "django bcrypt_sha256": "bcrypt_sha256$$2b$12$T9p7qiuT..Xbl8UYMidhXOORVwz7.2xK/ZafwhaF0FEemDoFp6DKu",
    "django bcrypt": "bcrypt$$2b$12$mlzNqPBkFN4yd8fPVr5RWugpTQmPZBBYVCxaML1zM1icCgq3lLNby",
    "supabase": "$2b$12$mlzNqPBkFN4yd8fPVr5RWugpTQmPZBBYVCxaML1zM1icCgq3lLNby",
    "fastapi-users": "$argon2id$v=19$m=102400,t=2,p=8$NkJqWUN5S0VMRzBNUGo4ZTREbFI4MQ"
    "$/1QBcNQ+3c4+EWpZ5GCTfkuRFrC/X+6lYbRtXtRrlZ4",
    "django scrypt": "scrypt$16384$DD13cY5KSbYPdlEH4SzxKo$8$5$n908Dh+vweKrRkiTGZ7H66TopBw0FPXRzJJkxsAJaL/wy9kj16qZQE"
    "/7Q2F72uX8Q8p9++01zpI3eywONeBykQ==",
    "better-auth": "0123456789abcdef0123456789abcdef:ddf17089ffb7c7a255c4b5c4089cfb724ceea92f3ab4e00a161207817389441c3"
    "56c0987c1d25c44c75b3bea7f29f724729860e10fa3ec90232aca14abd8df34",
}


_any = statement(select(Passwords.user_id))


@pytest.fixture
async def hashing() -> AsyncIterator[PasswordHashing]:
    hashing = PasswordHashing()
    await hashing.open()
    yield hashing
    await hashing.aclose()


async def test_ours_is_argon2id_and_needs_no_upgrade(hashing):
    stored = await hashing.hash(PASSWORD)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await hashing.verify(PASSWORD, stored) == (True, None)
    assert await hashing.verify(PASSWORD + "x", stored) == (False, None)
    assert await hashing.hash(PASSWORD) != stored


@pytest.mark.parametrize("system", IMPORTED)
async def test_a_hash_of_another_system_is_verified_and_upgraded(hashing, system):
    right, better = await hashing.verify(PASSWORD, IMPORTED[system])
    assert right
    assert better.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await hashing.verify(PASSWORD, better) == (True, None)
    assert await hashing.verify("wrong", IMPORTED[system]) == (False, None)


async def test_two_spellings_of_one_letter_are_one_password(hashing):
    stored = await hashing.hash("caf\u00e9 creme")
    assert await hashing.verify("cafe\u0301 creme", stored) == (True, None)


async def test_bcrypt_cut_long_passwords_off_so_they_still_open(hashing):
    stored = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
    assert (await hashing.verify("x" * 200, stored))[0]
    assert not (await hashing.verify("x" * 71, stored))[0]


@pytest.mark.parametrize(
    "damaged",
    [
        "", "x", "$argon2id$", "$2b$99$" + "a" * 53, "pbkdf2_sha256$0$salt$aGFzaA==", "pbkdf2_sha256$1$salt$====",
        "$argon2id$v=19$m=19456,t=2,p=1", "$argon2id$v=19$m=19456,t=2,p=1$####$AAAA", "$argon2id$m=0,t=0,p=0$c2FsdA$AA",
        "pbkdf2_sha256$99999999$salt$aGFzaA==", "scrypt$16777216$salt$8$1$aGFzaA==", "scrypt$3$salt$8$1$aGFzaA==", "!",
    ],
)  # fmt: skip
async def test_a_damaged_hash_opens_nothing(hashing, damaged):
    assert await hashing.verify("", damaged) == (False, None)
    assert await hashing.verify(PASSWORD, damaged) == (False, None)


_DIGEST = base64.b64encode(b"x" * 32).decode().rstrip("=")


@pytest.mark.parametrize(
    "hostile",
    [
        f"$argon2id$v=19$m=19456,t=999999,p=1$c2FsdHNhbHQ${_DIGEST}",
        f"$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ${_DIGEST}",
        f"argon2$argon2i$v=19$m=8,t=4294967295,p=1$c2FsdHNhbHQ${_DIGEST}",
        "$2b$31$mlzNqPBkFN4yd8fPVr5RWugpTQmPZBBYVCxaML1zM1icCgq3lLNby",
        "bcrypt_sha256$$2b$30$T9p7qiuT..Xbl8UYMidhXOORVwz7.2xK/ZafwhaF0FEemDoFp6DKu",
        f"scrypt$65536$salt$8$999${_DIGEST}=",
        f"scrypt$2$salt$999$999${_DIGEST}=",
    ],
)
async def test_class_14_a_hash_that_would_keep_a_thread_busy_for_ever_opens_nothing(hashing, hostile):
    async with asyncio.timeout(10):
        assert await hashing.verify(PASSWORD, hostile) == (False, None)


@pytest.mark.parametrize("form", ["scrypt$16384$salt$8$1$%s", "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$%s"])
async def test_class_14_a_hash_that_was_cut_off_opens_nothing(hashing, form):
    """Of one byte, every 256th password would fit."""
    if form.startswith("scrypt"):
        made = hashlib.scrypt(b"right", salt=b"salt", n=16384, r=8, p=1, dklen=4)
    else:
        made = hash_secret_raw(
            b"right", b"saltsalt", time_cost=1, memory_cost=64, parallelism=1, hash_len=4, type=Type.ID
        )
    digest = base64.b64encode(made).decode()
    cut = form % (digest if form.startswith("scrypt") else digest.rstrip("="))
    assert await hashing.verify("right", cut) == (False, None)


async def test_nobody_takes_as_long_as_somebody(hashing):
    assert await hashing.verify(PASSWORD, None) == (False, None)
    assert await hashing.verify("nobody has this password", None) == (False, None)


@pytest.mark.parametrize("password", ["plain letters", "of two spellings: \ufb01"])
async def test_class_21_nobodys_password_is_compared_as_often_as_somebodys(password, monkeypatch):
    schemes, compared = Schemes(), []
    verify = PasswordHasher.verify
    monkeypatch.setattr(PasswordHasher, "verify", lambda *given: compared.append(given[1]) or verify(*given))
    counts = {}
    for whose, stored in {"somebody": schemes.hash("another"), "nobody": None, "unusable": "!"}.items():
        compared.clear()
        assert schemes.verify(password, stored) == (False, None)
        counts[whose] = len(compared)
    assert len(set(counts.values())) == 1, counts


async def test_once_a_foreign_hash_was_compared_every_no_waits_as_long(hashing):
    ours = await hashing.hash(PASSWORD)
    for stored in (ours, None):
        assert await hashing.verify("wrong", stored) == (False, None)
    assert hashing._longest == 0
    assert (await hashing.verify(PASSWORD, IMPORTED["supabase"]))[0]
    longest = hashing._longest
    assert 0 < longest <= WRONG_SECONDS_MAX
    begun = asyncio.get_running_loop().time()
    assert await hashing.verify("wrong", ours) == (False, None)
    assert asyncio.get_running_loop().time() - begun >= 0.9 * longest


async def test_503_when_too_many_wait():
    hashing = PasswordHashing(at_once=1, waiting_max=2)
    await hashing.open()
    answers = await asyncio.gather(*(hashing.verify(PASSWORD, None) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(one, HashingBusy) for one in answers) == 5
    # Who goes away leaves a thread at work, which counts until it ends.
    leaving = [asyncio.create_task(hashing.hash(PASSWORD)) for _ in range(3)]
    await asyncio.sleep(0)
    for one in leaving:
        one.cancel()
    with pytest.raises(HashingBusy):
        await hashing.hash(PASSWORD)
    async with asyncio.timeout(10):
        while True:
            try:
                await hashing.hash(PASSWORD)
            except HashingBusy:
                await asyncio.sleep(0.01)
            else:
                break
    await hashing.aclose()


async def test_nothing_is_hashed_while_a_unit_is_open(kit, hashing):
    async with kit.system.service() as ctx:
        await ctx.db.rows(_any)
        with pytest.raises(UnitStillOpen):
            await hashing.hash(PASSWORD)
