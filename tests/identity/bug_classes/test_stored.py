"""Class 27: a mend that breaks what is stored. Credentials as this version wrote them, frozen, and still good.

None of it is made anew by the code under test: a change of a hash, a key derivation, a purpose or a spelling shuts
everybody out who was here before, and fails here. Whoever makes such a change on purpose reads the old form too, and
adds the new one beside it.
"""

from uuid import UUID

import pyotp
import pytest
from sqlalchemy import insert

from tenantry import Keys, MagicLink, Meter, Password, Plan, Product
from tenantry.holders import open_for_user
from tenantry.identity.models import Passwords, RecoveryCodes, Sessions, TotpSecrets, Users, VerificationTokens
from tenantry.kernel import new_id
from tenantry.kernel.database import param, statement
from tenantry.keys.models import ApiKeys

SECRET_KEY = "a-frozen-key-of-forty-characters-01234567"
OLD_KEY = "test-key-of-forty-characters-0123456789ab"
"""Under which all below was sealed: an installation that changed its key since lists the old one second."""
ADA = UUID("01a1f0e4-5c00-7000-8000-000000000027")
CHALLENGE = UUID("01a1f0e4-5c00-7000-8000-000000000028")
EMAIL = "ada@example.com"

PASSWORD = "correct horse 7"
PASSWORD_HASH = "$argon2id$v=19$m=19456,t=2,p=1$ydp2sDnN2YxP2p6yhW5TXw$ph+icfrSuJcWhSFDkdbsL2YNN1CL835T9osJ/MLoXqY"
SESSION = "sess_gbTthSoqQG1obNPAqJAsIo9ez63hpSUspFAfqOL54AX"
SESSION_HASH = "7547727aa6c6e510af3c18be6ea502d59579c9281bd1a3086eeadd58e54a7917"
KEY = "acme_live_YqY3vnWgESQVFaWYrldhrkdtUJ3KXCUI0iKl3osGlRqloGCL1"
KEY_HASH = "355417c93b19a3a6ed6fa81b69876583330be90b4489cefb41ef3403ffae3eb8"
APP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
APP_SEALED = (
    "v1.02f74e1f.o9vMZ6paxOL8WZ0hJYbXgqIIR9NnL2wyqsOFgd29S84SpIofr4cSMWyLvALV731wkXMPwsIohELSb1eg"
    ".VKdbXWu9544y5LyQkSfTxWO5v7nVjtOEmn2daaMJpCBd_8Ux_yIyPbikw_x4LRo5Ixx2uJrF5dGPrlrk"
)
RECOVERY_CODE = "23456-789ab"
RECOVERY_HASH = "c2f163746742d0e22695995d0eb521fae6daab4d16eda5e502452927a2f320b6"
RESET = "reset_jOGW1Xde9CDpZrSA3FUAVI59iFKrnL81VYg0hdQJJlj"
RESET_HASH = "c2fc3c55f3a2d58a8025436878a48ae35156b0d3fee4e97f4b096b56caa0e7d6"
LINK_HASH = "5ca3b5d2c5f814f7c08071cb46d80651c034ab85c059958136e5e622b8b19121"
DETAIL = {"return_to": "/dashboard", "address": "127.0.0.1", "user_agent": "Firefox"}
CODE = "271828"
CODE_HASH = "7b8ca97c2d33d45025daeb3ed7b53075899d50a53e61f6dbbea5eadd23fb06e5"


def _into(table, *names):
    return statement(insert(table).values(**{name: param(name) for name in names}))


_user = _into(Users, "id", "email", "email_verified_at")
_password = _into(Passwords, "user_id", "hash")
_session = _into(Sessions, "id", "user_id", "method", "token_hash", "expires_at")
_key = _into(ApiKeys, "id", "holder_id", "made_by", "label", "hash", "prefix", "ending", "scopes", "status")
_app = _into(TotpSecrets, "user_id", "secret", "confirmed_at")
_recovery = _into(RecoveryCodes, "id", "user_id", "code_hash")
_token = _into(
    VerificationTokens, "id", "purpose", "identifier", "user_id", "token_hash", "code_hash", "detail", "expires_at"
)


@pytest.fixture
async def kit(start):
    """The application of today on rows of then."""
    plan = Plan("free", price=0, limits={Meter("requests", per="day"): 5})
    product = Product("Acme", sign_in=[Password(), MagicLink()], plans=[plan], keys=Keys("acme"))
    kit = await start(product, secret_keys=(SECRET_KEY, OLD_KEY))
    now = kit.clock.now()
    later = now.replace(hour=now.hour + 1)
    async with kit.system.service() as ctx:
        run = ctx.db.run
        await run(_user, id=ADA, email=EMAIL, email_verified_at=now)
        holder = await open_for_user(ctx, ADA)
        await run(_password, user_id=ADA, hash=PASSWORD_HASH)
        hashed = bytes.fromhex(SESSION_HASH)
        await run(_session, id=new_id(), user_id=ADA, method="password", token_hash=hashed, expires_at=later)
        key = {"id": new_id(), "holder_id": holder, "made_by": ADA, "label": "robot", "scopes": [], "status": "active"}
        await run(_key, **key, hash=bytes.fromhex(KEY_HASH), prefix=KEY[:14], ending=KEY[-4:])
        for purpose, token, code, number in (
            ("reset", RESET_HASH, None, new_id()),
            ("sign-in", LINK_HASH, CODE_HASH, CHALLENGE),
        ):
            given = {"id": number, "purpose": purpose, "identifier": EMAIL, "user_id": ADA, "expires_at": later}
            hashes = {"token_hash": bytes.fromhex(token), "code_hash": code and bytes.fromhex(code)}
            await run(_token, **given, **hashes, detail=DETAIL)
    return kit


async def with_second_factor(kit):
    """She has an app, and a recovery code."""
    async with kit.system.service() as ctx:
        await ctx.db.run(_app, user_id=ADA, secret=APP_SEALED, confirmed_at=kit.clock.now())
        await ctx.db.run(_recovery, id=new_id(), user_id=ADA, code_hash=bytes.fromhex(RECOVERY_HASH))


async def test_class_27_a_session_and_a_key_of_then_open_what_they_did(kit):
    browser = await kit.client()
    for headers in ({"Cookie": f"session={SESSION}"}, {"Authorization": f"Bearer {SESSION}"}):
        assert (await browser.get("/v1/me", headers=headers)).json()["email"] == EMAIL, headers
    # It is known, and told what a key is told there.
    told = await browser.get("/v1/me", headers={"X-API-Key": KEY})
    assert told.json()["code"] == "request.person_needed"


async def test_class_27_a_password_of_then_signs_in(kit):
    answer = await (await kit.client()).post("/v1/auth/password", json={"email": EMAIL, "password": PASSWORD})
    assert answer.json()["status"] == "signed_in"


async def test_class_27_a_mail_of_then_is_good(kit):
    browser = await kit.client()
    body = {"challenge": str(CHALLENGE), "code": CODE}
    assert (await browser.post("/v1/auth/magic-link/confirm", json=body)).status_code == 200
    body = {"token": RESET, "password": "another horse 8"}
    assert (await browser.post("/v1/auth/reset/confirm", json=body)).status_code == 204


@pytest.mark.parametrize("kind", ["app", "recovery code"])
async def test_class_27_a_second_factor_of_then_is_one(kit, kind):
    await with_second_factor(kit)
    proof = {"code": pyotp.TOTP(APP_SECRET).at(kit.clock.now())}
    proof = proof if kind == "app" else {"recovery_code": RECOVERY_CODE}
    browser = await kit.client()
    half = await browser.post("/v1/auth/password", json={"email": EMAIL, "password": PASSWORD})
    assert half.json()["status"] == "second_factor_needed"
    assert (await browser.post("/v1/auth/second-factor", json=proof)).json()["status"] == "signed_in"
