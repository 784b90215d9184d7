"""The promise of notices, kept by somebody who remembers as the port's text says to, on both databases."""

import asyncio
import random
import time
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from kernel.hearing import TOPIC
from tenantry.kernel import new_id
from tenantry.kernel.attempts import Attempts
from tenantry.kernel.database import param, statement
from tenantry.kernel.notices import Notices, tell
from tenantry.testing import AppKit

_add = insert(Attempts).values(key=param("key"), count=1, ends_at=param("ends_at"))
_change = statement(
    _add.on_conflict_do_update(index_elements=["key"], set_={"count": Attempts.count + 1}).returning(Attempts.count)
)
_version = statement(select(Attempts.count).where(Attempts.key == param("key")))


class Versions:
    """Rows that somebody changes and tells of, and when each change was committed."""

    def __init__(self, kit: AppKit) -> None:
        self._kit = kit
        self.subjects = [new_id() for _ in range(5)]
        self.changed_at: dict[tuple[UUID, int], float] = {}

    async def change(self, subject: UUID) -> None:
        async with self._kit.system.service() as ctx:
            version = await ctx.db.one(_change, key=str(subject), ends_at=ctx.clock.now())
            await tell(ctx, TOPIC, subject)
        self.changed_at[subject, version] = self._kit.clock.monotonic()

    async def read(self, subject: UUID) -> int:
        async with self._kit.system.service(writes=False) as ctx:
            return await ctx.db.one_or_none(_version, key=str(subject)) or 0


async def test_what_is_remembered_in_trust_is_never_more_than_a_second_old(kit):
    """Many changes and many looks; the event loop stalls now and then."""
    versions, chance = Versions(kit), random.Random(7)
    remembered: dict[UUID, int] = {}
    notices = Notices.of(kit.runtime.settings, kit.clock)
    notices.subscribe(TOPIC, lambda subject: remembered.pop(subject, None), remembered.clear)
    await notices.open()

    async def change() -> None:
        for _ in range(60):
            await versions.change(chance.choice(versions.subjects))
            await asyncio.sleep(chance.uniform(0, 0.1))
            if chance.random() < 0.05:
                for _ in range(6):
                    time.sleep(0.2)

    changing, used = asyncio.create_task(change()), 0
    while not changing.done():
        for subject in versions.subjects:
            now = kit.clock.monotonic()
            if now < notices.trusted_until and subject in remembered:
                used += 1
                newer = versions.changed_at.get((subject, remembered[subject] + 1), now)
                assert now - newer <= 1
            else:
                heard, version = notices.heard, await versions.read(subject)
                if notices.heard == heard:
                    remembered[subject] = version
        await asyncio.sleep(0.002)
    await changing
    await notices.aclose()
    assert used > 10
