"""A document fetched once for all."""

import asyncio

import pytest

from tenantry.identity.errors import ProviderUnreachable
from tenantry.identity.providers.remembered import Remembered


class Source:
    def __init__(self) -> None:
        self.asked = 0
        self.now = 0.0
        self.fails = False
        self.gate: asyncio.Event | None = None

    async def fetch(self) -> int:
        self.asked += 1
        number = self.asked
        if self.gate is not None:
            await self.gate.wait()
        if self.fails:
            raise ProviderUnreachable(internal="away")
        return number

    def remembered(self) -> Remembered[int]:
        return Remembered(self.fetch, lambda: self.now, seconds=100)


async def test_it_is_kept_and_then_fetched_anew():
    source = Source()
    kept = source.remembered()
    assert [await kept.get(), await kept.get()] == [1, 1]
    source.now = 99.9
    assert await kept.get() == 1
    source.now = 100.0
    assert await kept.get() == 2


async def test_callers_at_once_share_one_fetch():
    source = Source()
    source.gate = asyncio.Event()
    kept = source.remembered()
    callers = [asyncio.create_task(kept.get()) for _ in range(20)]
    await asyncio.sleep(0)
    callers[0].cancel()  # must not take the others along
    await asyncio.sleep(0)
    source.gate.set()
    assert await asyncio.gather(*callers[1:]) == [1] * 19
    assert source.asked == 1


async def test_a_failure_reaches_everybody_and_is_not_kept():
    source = Source()
    source.fails = True
    kept = source.remembered()
    outcomes = await asyncio.gather(kept.get(), kept.get(), return_exceptions=True)
    assert [type(one) for one in outcomes] == [ProviderUnreachable] * 2
    assert outcomes[0] is not outcomes[1]
    source.fails = False
    assert await kept.get() == 2


async def test_fetching_again_is_bounded():
    source = Source()
    kept = source.remembered()
    await kept.get()
    source.now = 59
    assert await kept.again(seconds_between=60) == 1
    source.now = 60
    assert await kept.again(seconds_between=60) == 2
    assert await kept.again(seconds_between=60) == 2


async def test_an_error_of_ours_is_no_secret():
    async def broken() -> int:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        await Remembered(broken, lambda: 0.0, seconds=1).get()
