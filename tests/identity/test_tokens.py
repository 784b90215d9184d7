"""Verification tokens: one purpose, one use, kept as hashes."""

import asyncio

import pytest
from sqlalchemy import select

from tenantry.identity import tokens
from tenantry.identity.errors import CodeWrong, LinkExpired
from tenantry.identity.models import VerificationTokens
from tenantry.identity.tokens import CODE_TRIES, CODE_TRIES_AN_HOUR, Purpose, forget_expired_tokens
from tenantry.kernel import new_id
from tenantry.kernel.attempts import TooManyAttempts
from tenantry.kernel.database import statement

ADA = "ada@example.com"
_ids = statement(select(VerificationTokens.id))


async def issued(kit, purpose=Purpose.RESET, **more):
    async with kit.system.service() as ctx:
        return await tokens.issue(ctx, purpose, ADA, **more)


async def used(kit, token, purpose=Purpose.RESET):
    async with kit.system.service() as ctx:
        return await tokens.use(ctx, purpose, token)


async def code_used(kit, challenge, code, purpose=Purpose.RESET):
    async with kit.system.service() as ctx:
        return await tokens.use_code(ctx, purpose, challenge, code)


async def test_a_token_is_used_once_and_looking_does_not_use_it(kit):
    given = await issued(kit, detail={"back": "/x"})
    assert given.token.startswith("reset_")
    async with kit.system.service() as ctx:
        assert (await tokens.find(ctx, Purpose.RESET, given.token)).identifier == ADA
    found = await used(kit, given.token)
    assert (found.identifier, found.detail, found.user_id) == (ADA, {"back": "/x"}, None)
    with pytest.raises(LinkExpired):
        await used(kit, given.token)
    with pytest.raises(CodeWrong):
        await code_used(kit, given.id, given.code)


async def test_of_many_who_race_for_a_token_one_wins(kit):
    given = await issued(kit)
    ways = [used(kit, given.token) for _ in range(6)] + [code_used(kit, given.id, given.code) for _ in range(6)]
    ended = await asyncio.gather(*ways, return_exceptions=True)
    assert sum(not isinstance(one, Exception) for one in ended) == 1
    assert {type(one) for one in ended if isinstance(one, Exception)} <= {LinkExpired, CodeWrong}


@pytest.mark.parametrize("purpose", [one for one in Purpose if one is not Purpose.RESET])
async def test_a_token_of_one_purpose_is_none_for_another(kit, purpose):
    given = await issued(kit)
    with pytest.raises(LinkExpired):
        await used(kit, given.token, purpose)
    with pytest.raises(CodeWrong):
        await code_used(kit, given.id, given.code, purpose)
    assert tokens.purpose_of(given.token) is Purpose.RESET
    assert tokens.purpose_of((await issued(kit, purpose)).token) is purpose


@pytest.mark.parametrize("nonsense", ["", "reset", "reset_", "_", "sess_abc", "x" * 5000, "reset_\ud800"])
async def test_nonsense_is_an_expired_link(kit, nonsense):
    with pytest.raises(LinkExpired):
        await used(kit, nonsense)
    assert tokens.purpose_of("sess_abc") is None


async def test_a_token_expires_and_is_forgotten(kit):
    given = await issued(kit)
    await kit.move(Purpose.RESET.lifetime)
    with pytest.raises(LinkExpired):
        await used(kit, given.token)
    await kit.move(seconds=1)
    await forget_expired_tokens(kit.system, {})
    async with kit.system.service(writes=False) as ctx:
        assert await ctx.db.rows(_ids) == []


async def test_a_code_counts_with_its_challenge_only_and_survives_new_keys(kit, start):
    given, other = await issued(kit), await issued(kit)
    assert len(given.code) == 6
    with pytest.raises(CodeWrong):
        await code_used(kit, other.id, given.code if given.code != other.code else "x")
    with pytest.raises(CodeWrong):
        await code_used(kit, new_id(), given.code)
    again = await start(
        secret_keys=("another-key-of-forty-characters-01234567", "test-key-of-forty-characters-0123456789ab")
    )
    assert (await code_used(again, given.id, f" {given.code[:3]} {given.code[3:]}\n")).identifier == ADA


async def test_429_for_who_guesses_codes_also_by_starting_over(kit):
    given = await issued(kit)
    for _ in range(CODE_TRIES):
        await tokens.count_code_try(kit.system, given.id, ADA)
    with pytest.raises(TooManyAttempts):
        await tokens.count_code_try(kit.system, given.id, ADA)
    tried = CODE_TRIES
    async with asyncio.timeout(20):
        while tried < CODE_TRIES_AN_HOUR:
            await tokens.count_code_try(kit.system, new_id(), ADA)
            tried += 1
    with pytest.raises(TooManyAttempts):
        await tokens.count_code_try(kit.system, new_id(), ADA)
    # Somebody else's codes are not concerned.
    await tokens.count_code_try(kit.system, new_id(), "grace@example.com")
