"""The code in `docs/limits.md` runs, as it stands there."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tenantry.kernel import Context, new_id
from tenantry.testing import AppKit
from tenantry.usage import QuotaExceeded
from tenantry.usage.errors import LimitReached, ReservationConflict
from tenantry.usage.queries import stocks
from usage.people import counter, person

PAGE = Path(__file__).parents[2] / "docs" / "limits.md"


class Part(NamedTuple):
    text: str
    tokens_so_far: int


@dataclass
class Model:
    """What the page calls `model`: it says a word a step, for a hundred tokens each."""

    is_away: bool = False

    @asynccontextmanager
    async def stream(self, question: str) -> AsyncIterator[AsyncIterator[Part]]:
        if self.is_away:
            raise ConnectionError

        async def parts() -> AsyncIterator[Part]:
            for number, word in enumerate(question.split(), 1):
                yield Part(word, number * 100)

        async with aclosing(parts()) as found:
            yield found


@dataclass
class Things:
    """What the page calls `files` and `shelf`: the author's rows."""

    sizes: dict[str, int] = field(default_factory=dict)

    async def add(self, _ctx: Context, name: str, size_bytes: int = 0) -> None:
        self.sizes[name] = size_bytes

    async def remove(self, _ctx: Context, name: str) -> int:
        return self.sizes.pop(name)

    async def count(self, _ctx: Context) -> int:
        return len(self.sizes)


@pytest.fixture
def page() -> dict[str, Any]:
    """What the page declares, and what it leaves to its reader."""
    names: dict[str, Any] = {"model": Model(), "files": Things(), "shelf": Things()}
    for block in PAGE.read_text(encoding="utf-8").split("```python\n")[1:]:
        exec(compile(block.partition("```")[0], PAGE.name, "exec"), names)
    return names


@pytest.fixture
async def kit(start: Callable[..., Any], page: dict[str, Any]) -> AppKit:
    assert page["product"].check() == []
    started: AppKit = await start(page["product"])
    return started


@pytest.fixture
async def ctx(kit: AppKit) -> Context:
    return await person(kit, "free")


async def used(ctx: Context, page: dict[str, Any]) -> tuple[int, int]:
    found = await counter(ctx, page["tokens"])
    assert found is not None
    return found[0], found[1]


async def test_an_answer_costs_what_the_model_says(ctx: Context, page: dict[str, Any]) -> None:
    assert [part async for part in page["answer"](ctx, "how are you")] == ["how", "are", "you"]
    assert await used(ctx, page) == (300, 0)


async def test_an_answer_nobody_reads_to_its_end_costs_what_there_was(ctx: Context, page: dict[str, Any]) -> None:
    async with aclosing(page["answer"](ctx, "how are you")) as parts:
        assert await anext(parts) == "how"
    assert await used(ctx, page) == (100, 0)


async def test_a_model_that_is_away_costs_nothing(ctx: Context, page: dict[str, Any]) -> None:
    page["model"].is_away = True
    with pytest.raises(ConnectionError):
        await anext(page["answer"](ctx, "how are you"))
    assert await used(ctx, page) == (0, 0)


async def test_a_batch_ends_once(ctx: Context, page: dict[str, Any]) -> None:
    one, two = new_id(), new_id()
    await page["begin_batch"](ctx, one)
    with pytest.raises(QuotaExceeded):
        await page["begin_batch"](ctx, two)
    await page["end_batch"](ctx, one, None)
    await page["begin_batch"](ctx, two)
    for _ in range(2):
        await page["end_batch"](ctx, two, 700)
    with pytest.raises(ReservationConflict):
        await page["end_batch"](ctx, two, 701)
    assert await used(ctx, page) == (700, 0)


async def test_files_and_their_bytes_agree(ctx: Context, page: dict[str, Any]) -> None:
    async with ctx.service() as working:
        await page["keep_file"](working, "one", 4_000_000)
    with pytest.raises(LimitReached):
        async with ctx.service() as working:
            await page["keep_file"](working, "two", 1_000_001)
    assert page["files"].sizes == {"one": 4_000_000}
    async with ctx.service() as working:
        await page["delete_file"](working, "one")
    async with ctx.service(writes=False) as reading:
        assert [one.value for one in await stocks.levels(reading.db, ctx.holder.id)] == [0]


async def test_there_are_so_many_presets_and_no_more(ctx: Context, page: dict[str, Any]) -> None:
    for title in "abc":
        async with ctx.service() as working:
            await page["add_preset"](working, title)
    with pytest.raises(LimitReached):
        async with ctx.service() as working:
            await page["add_preset"](working, "d")
    assert len(page["shelf"].sizes) == 3
