"""Work that was begun is done, though whoever began it goes away."""

import asyncio

import pytest

from tenantry.kernel.tasks import to_the_end


async def test_the_answer_is_the_works():
    async def work() -> int:
        return 5

    assert await to_the_end(work()) == 5


async def test_a_failure_is_told():
    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await to_the_end(work())


@pytest.mark.parametrize("fails", [False, True])
async def test_whoever_goes_away_is_cancelled_when_it_is_done(fails):
    begun, go, done = asyncio.Event(), asyncio.Event(), []

    async def work() -> None:
        begun.set()
        await go.wait()
        done.append(True)
        if fails:
            raise ZeroDivisionError

    task = asyncio.create_task(to_the_end(work()))
    await begun.wait()
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [True]


async def test_whoever_is_cancelled_twice_goes_at_once_and_the_work_goes_on():
    begun, go, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await go.wait()
        done.set()

    task = asyncio.create_task(to_the_end(work()))
    await begun.wait()
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not done.is_set()
    go.set()
    await done.wait()
