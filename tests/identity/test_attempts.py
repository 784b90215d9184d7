"""Coming back from a provider is counted before the code is looked at, and committed whatever happens then."""

from sqlalchemy import func, select

from tenantry.identity.pages.sign_in import SIGN_INS_A_MINUTE
from tenantry.kernel.attempts import Attempts
from tenantry.kernel.database import statement


async def test_429_too_many_sign_ins_from_one_address(kit):
    client = await kit.client()
    for _ in range(SIGN_INS_A_MINUTE):
        assert (await client.get("/auth/demo/callback?code=guess&state=guess")).status_code == 400
    refused = await client.get("/auth/demo/callback?code=guess&state=guess")
    assert refused.status_code == 429
    assert refused.json()["code"] == "request.too_many_attempts"
    assert 0 < int(refused.headers["Retry-After"]) <= 61
    await kit.move(minutes=1)
    assert (await client.get("/auth/demo/callback?code=guess&state=guess")).status_code == 400
    await kit.sign_in("ada")


async def test_another_address_is_not_held_up(start):
    kit = await start(trusted_proxies=1)
    crowded, other = await kit.client(**{"X-Forwarded-For": "203.0.113.5"}), await kit.client()
    for _ in range(SIGN_INS_A_MINUTE + 1):
        last = await crowded.get("/auth/demo/callback?code=guess&state=guess")
    assert last.status_code == 429
    answer = await other.get("/auth/demo/callback?code=guess&state=guess", headers={"X-Forwarded-For": "203.0.113.6"})
    assert answer.status_code == 400


async def test_ended_windows_are_forgotten(kit):
    client = await kit.client()
    await client.get("/auth/demo/callback?code=guess&state=guess")
    await kit.move(minutes=2)
    job = kit.runtime.jobs["attempts.forget"]
    await job.run(kit.system, {})
    async with kit.system.service(writes=False) as ctx:
        assert await count_attempts(ctx.db) == 0


async def count_attempts(db):
    return await db.one(statement(select(func.count()).select_from(Attempts)))
