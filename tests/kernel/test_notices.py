"""Notices on both databases: told with a commit, heard by every process, and trusted only while that holds."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select

from kernel.hearing import TOPIC, Ear, told, until
from tenantry.kernel import new_id
from tenantry.kernel.clock import SystemClock
from tenantry.kernel.database import statement
from tenantry.kernel.notices import Notices, forget_notices, tell
from tenantry.kernel.notices.hearing import TRUST_SECONDS
from tenantry.kernel.notices.models import StoredNotices
from tenantry.kernel.policies import PolicyRefused
from tenantry.testing import TestDatabase

_count = statement(select(func.count()).select_from(StoredNotices))

OTHER_PROCESS = f"""
import asyncio, sys
from tenantry.kernel import Settings
from tenantry.kernel.clock import SystemClock
from tenantry.kernel.notices import Notices

async def main():
    notices = Notices.of(Settings(database_url=sys.argv[1], service_url=sys.argv[2] or None), SystemClock())
    notices.subscribe("{TOPIC}", lambda subject: print(subject, flush=True), lambda: None)
    await notices.open()
    while not notices.is_trusted:
        await asyncio.sleep(0.01)
    print("trusted", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await notices.aclose()

asyncio.run(main())
"""


@contextmanager
def other_process(database: TestDatabase) -> Iterator[subprocess.Popen[str]]:
    """A process that hears, and prints what; it ends when its input does."""
    command = [sys.executable, "-W", "error", "-c", OTHER_PROCESS, database.api_url, database.service_url or ""]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process


async def lines(process: subprocess.Popen[str], number: int) -> list[str]:
    # Starting takes a second, and many on a busy machine.
    async with asyncio.timeout(100):
        return [(await asyncio.to_thread(process.stdout.readline)).strip() for _ in range(number)]


async def test_another_process_hears_what_is_committed(kit, database):
    with other_process(database) as process:
        assert await lines(process, 1) == ["trusted"]
        subjects = [new_id() for _ in range(20)]
        for one in subjects:
            await told(kit, one)
        assert await lines(process, 20) == [str(one) for one in subjects]
        process.stdin.close()
    assert process.returncode == 0


async def test_who_tells_hears_it_too(kit):
    ear = Ear(kit.runtime.port(Notices))
    await ear.trusts()
    subject = await told(kit)
    await until(lambda: ear.heard == [subject])


async def test_what_was_rolled_back_is_never_heard_and_leaves_no_doubt(kit):
    async with Ear.beside(kit) as ear:
        for _ in range(3):
            with suppress(ZeroDivisionError):
                async with kit.system.service() as ctx:
                    await tell(ctx, TOPIC, new_id())
                    1 / 0  # noqa: B018 - any error
        subject = await told(kit)
        await until(lambda: ear.heard)
        assert ear.heard == [subject]
        assert (ear.notices.doubts, ear.forgotten) == (0, 1)
        # What nobody knew was forgotten at first, then came the notice.
        assert ear.notices.heard == 2


async def test_many_at_once_are_all_heard_once(kit):
    async with Ear.beside(kit) as ear:
        many = [new_id() for _ in range(1200)]
        single = [[new_id() for _ in range(50)] for _ in range(4)]

        async def one_by_one(subjects: list[UUID]) -> None:
            for one in subjects:
                await told(kit, one)

        await asyncio.gather(told(kit, *many), *map(one_by_one, single))
        wanted = len(many) + sum(map(len, single))
        await until(lambda: len(ear.heard) >= wanted)
        assert set(ear.heard) == {*many, *(one for each in single for one in each)}
        assert len(ear.heard) == wanted
        # Of one transaction, and of one who tells one after the other, the order is kept.
        for told_in_order in (many, *single):
            assert [one for one in ear.heard if one in set(told_in_order)] == told_in_order
        assert ear.notices.doubts == 0


async def test_a_topic_nobody_subscribed_to_disturbs_nobody(kit):
    async with Ear.beside(kit) as ear:
        async with kit.system.service() as ctx:
            await tell(ctx, "street", new_id())
        subject = await told(kit)
        await until(lambda: ear.heard)
        assert ear.heard == [subject]


async def test_refused_outside_of_a_writing_unit_on_the_service_login(kit):
    ada = await kit.sign_in("ada")
    assert ada
    async with Ear.beside(kit) as ear:
        async with kit.system.service(writes=False) as ctx:
            with pytest.raises(PolicyRefused):
                await tell(ctx, TOPIC, new_id())
        with pytest.raises(PolicyRefused):
            async with kit.system.unit() as ctx:
                await tell(ctx, TOPIC, new_id())
        for wrong in ("", "Two words", "x" * 41, "a'b"):
            with pytest.raises(ValueError, match="topic"):
                async with kit.system.service() as ctx:
                    await tell(ctx, wrong, new_id())
        subject = await told(kit)
        await until(lambda: ear.heard)
        assert ear.heard == [subject]


async def test_a_stalled_event_loop_ends_the_trust_by_itself(kit):
    async with Ear.beside(kit) as ear:
        for _ in range(8):
            time.sleep(0.1)
        # Nothing of ours has run since.
        assert not ear.notices.is_trusted
        await ear.trusts()
        assert ear.notices.doubts == 0


class SlowChannel:
    """Stands for any: a heartbeat takes as long as it is told to, by a clock of its own."""

    every_seconds = 0.001

    def __init__(self) -> None:
        self.time = 100.0
        self.takes_seconds = 0.0

    def now(self) -> datetime:
        raise NotImplementedError

    def monotonic(self) -> float:
        return self.time

    async def open(self) -> None: ...

    async def beat(self) -> bool:
        self.time += self.takes_seconds
        await asyncio.sleep(0)
        return True

    async def aclose(self) -> None: ...


async def test_trust_is_counted_from_when_a_heartbeat_was_sent():
    """Not from when it came back: what was committed meanwhile has not been delivered."""
    channel = SlowChannel()
    notices = Notices(channel)
    notices.follow(channel)
    await notices.open()
    await until(lambda: notices.is_trusted)
    assert notices.trusted_until == channel.time + TRUST_SECONDS
    channel.takes_seconds = 2.0
    await until(lambda: channel.time > 100.0)
    while channel.time < 120.0:
        await asyncio.sleep(0.001)
        assert notices.trusted_until <= channel.time
    channel.takes_seconds = 0.0
    await until(lambda: notices.is_trusted)
    await notices.aclose()


async def test_a_clock_that_is_moved_ends_it_too(kit):
    async with Ear.beside(kit) as ear:
        kit.clock.move(minutes=1)
        assert not ear.notices.is_trusted
        await ear.trusts()
        assert ear.notices.doubts == 0


async def test_a_subscriber_that_fails_ends_the_trust_until_it_has_forgotten_everything(kit):
    async with Ear.beside(kit) as ear:
        ear.notices.subscribe("street", lambda subject: 1 // (subject.int - subject.int), lambda: None)
        async with kit.system.service() as ctx:
            await tell(ctx, "street", new_id())
        await ear.doubts()
        assert ear.forgotten == 2


async def test_nothing_is_trusted_while_a_subscriber_does_not_forget(kit):
    refusing = [True]

    def forget() -> None:
        if refusing[0]:
            raise RuntimeError("not now")

    notices = Notices.of(kit.runtime.settings, kit.clock)
    notices.subscribe("street", lambda _subject: None, forget)
    await notices.open()
    await asyncio.sleep(0.5)
    assert not notices.is_trusted
    refusing.clear()
    refusing.append(False)
    await until(lambda: notices.is_trusted)
    await notices.aclose()


async def test_closed_nothing_is_trusted_and_no_task_is_left(kit):
    before = asyncio.all_tasks()
    async with Ear.beside(kit) as ear:
        assert ear.notices.is_trusted
    assert not ear.notices.is_trusted
    await told(kit)
    assert ear.heard == []
    await until(lambda: asyncio.all_tasks() <= before)


async def test_the_figures_tell_of_it(kit):
    notices = kit.runtime.port(Notices)
    await until(lambda: notices.is_trusted)
    figures = kit.runtime.metrics.render().decode()
    assert "tenantry_notices_trusted 1.0" in figures
    assert "tenantry_notices_doubts_total 0.0" in figures


async def test_rows_are_forgotten_but_for_the_newest_and_nobody_doubts(kit):
    async with Ear.beside(kit, SystemClock()) as ear:
        subjects = [new_id() for _ in range(5)]
        await told(kit, *subjects)
        await until(lambda: len(ear.heard) == 5)
        kit.clock.move(timedelta(minutes=2))
        await forget_notices(kit.system, {})
        async with kit.system.service(writes=False) as ctx:
            assert await ctx.db.one(_count) == (1 if kit.database.kind == "sqlite" else 0)
        subject = await told(kit)
        await until(lambda: len(ear.heard) == 6)
        assert ear.heard == [*subjects, subject]
        assert ear.notices.doubts == 0
