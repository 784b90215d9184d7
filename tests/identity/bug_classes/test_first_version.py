"""What the first version stored, letter for letter: a later one that cannot read it locks everybody out.

The values were written by hand into this file once and are never made anew. A change that needs other ones comes with
a migration, or goes on reading these.
"""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert

from identity.second_factors import code_of
from tenantry import MagicLink, Password
from tenantry.holders import open_for_user
from tenantry.identity.models import Passwords, RecoveryCodes, Sessions, TotpSecrets, Users, VerificationTokens
from tenantry.kernel import new_id
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.types import Bytes, UtcDateTime
from tenantry.kernel.sql import now

ADA, PASSWORD = "ada@example.com", "a violin in Marseille"
USER, CHALLENGE = UUID("01a20000-0000-7000-8000-00000000ada0"), UUID("01a20000-0000-7000-8000-0000000000c0")
SECRET_KEY = "test-key-of-forty-characters-0123456789ab"
SESSION, LINK = "sess_" + "A" * 43, "sign_in_" + "A" * 43
SESSION_HASH = bytes.fromhex("7f283130533b1378553599db97a56e061fffae72d28af83a02366530113ae5a2")
LINK_HASH = bytes.fromhex("7fed33dddd39db77e7cdc8db0f0fecdd1b7cd585d8c5da7818f794c74e7bdd47")
CODE, CODE_HASH = "123456", bytes.fromhex("601f5e88544e4dc0059759229c89fff90c58f5cd8552aa68c10daccbfd5ea388")
PASSWORD_HASH = "$argon2id$v=19$m=19456,t=2,p=1$e1xhewaaMzxhojvShYi23g$/KpL7IykFLzecwDcCwiPZHtC2gV5NmIvKdseIt29HBo"
TOTP = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
TOTP_SEALED = (
    "v1.02f74e1f.YhE-d0u3POundTxxtz8cBoGGSt3n-ILKaeJvgfMObBFywg8zHJHYYnj_D7lgvTpxOaT03megpr-ZtHdT"
    ".la9vagdJ-U-E5LekkAiPb1XNKShIs1_SkuUSQgGjTF9mSXpbwZkJvpCp-3H8_ahz5HLOMmG0tWDqv8og"
)
RECOVERY = "abcde-fghjk"
RECOVERY_HASH = bytes.fromhex("d926e1391aee72ddf8db06289043bae20eabf7e8a33e3f2875adcfbb4f487eb4")

_user = statement(insert(Users).values(id=param("id"), email=ADA, email_verified_at=now()))
_session = statement(
    insert(Sessions).values(
        id=param("id"), user_id=USER, method="password", token_hash=param("hash", Bytes()),
        expires_at=param("ends", UtcDateTime()),
    )
)  # fmt: skip
_password = statement(insert(Passwords).values(user_id=USER, hash=PASSWORD_HASH))
_token = statement(
    insert(VerificationTokens).values(
        id=CHALLENGE, purpose="sign-in", identifier=ADA, user_id=USER, token_hash=param("hash", Bytes()),
        code_hash=param("of_code", Bytes()), detail={"return_to": "/keys", "known": False},
        expires_at=param("ends", UtcDateTime()),
    )
)  # fmt: skip
_totp = statement(insert(TotpSecrets).values(user_id=USER, secret=TOTP_SEALED, confirmed_at=now()))
_recovery = statement(insert(RecoveryCodes).values(id=param("id"), user_id=USER, code_hash=param("hash", Bytes())))


@pytest.fixture
async def kit(start, product_of):
    kit = await start(product_of(sign_in=[Password(), MagicLink()]), secret_keys=(SECRET_KEY,))
    ends = kit.clock.now().replace(year=2027)
    async with kit.system.service() as ctx:
        await ctx.db.run(_user, id=USER)
        await open_for_user(ctx, USER)
        await ctx.db.run(_session, id=new_id(), hash=SESSION_HASH, ends=ends)
        await ctx.db.run(_password)
        await ctx.db.run(_token, hash=LINK_HASH, of_code=CODE_HASH, ends=ends)
    return kit


async def with_second_factor(kit):
    async with kit.system.service() as ctx:
        await ctx.db.run(_totp)
        await ctx.db.run(_recovery, id=new_id(), hash=RECOVERY_HASH)


async def test_class_27_an_old_session_goes_on(kit):
    for given in ({"cookie": f"session={SESSION}"}, {"authorization": f"Bearer {SESSION}"}):
        assert (await (await kit.client(**given)).get("/v1/me")).json()["email"] == ADA


@pytest.mark.parametrize("shown", [{"token": LINK}, {"challenge": str(CHALLENGE), "code": CODE}], ids=["link", "code"])
async def test_class_27_an_old_mail_signs_in(kit, shown: dict[str, Any]):
    answer = await (await kit.client()).post("/v1/auth/magic-link/confirm", json=shown)
    assert (answer.status_code, answer.json()["user_id"]) == (200, str(USER))


@pytest.mark.parametrize("second", ["code", "recovery_code"])
async def test_class_27_an_old_password_and_second_factor_sign_in(kit, second):
    await with_second_factor(kit)
    browser = await kit.client()
    half = await browser.post("/v1/auth/password", json={"email": ADA, "password": PASSWORD})
    assert half.json()["status"] == "second_factor_needed"
    shown = code_of(kit, TOTP) if second == "code" else RECOVERY
    answer = await browser.post("/v1/auth/second-factor", json={second: shown})
    assert (answer.status_code, answer.json()["user_id"]) == (200, str(USER)), answer.text
