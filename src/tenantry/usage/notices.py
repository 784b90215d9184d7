"""Telling people that their limit is nearly used, or used: once for a window and a percent.

What a process sees after an exchange costs it a comparison. Only when a percent was crossed does a task of its own ask
the database whether that was told already; the row that says so and the mail are written in one transaction, so that
of two processes that see the same only one writes. What is lost in a crash between is seen again by the next exchange.
"""

import asyncio
import contextvars
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.logs import logger_of
from tenantry.kernel.mail import send_mail
from tenantry.product import Meter
from tenantry.web import Letters, Translator

from . import queries
from .letters import Reached, reached_letter
from .queries.exchange import Exchanged
from .queries.notices import Reader

REMEMBERED_MAX = 10_000
"""Counters whose last notice a process remembers; of a forgotten one the database is asked again."""
TRIES_MAX, PAUSE_SECONDS, CLOSING_SECONDS = 3, 0.25, 5.0

Key = tuple[UUID, str]

log = logger_of("tenantry.usage")


class _Due(msgspec.Struct, frozen=True):
    """What is to be told, and since when it counts: the window's beginning."""

    reached: Reached
    window_start: datetime


class _Drawn(msgspec.Struct, frozen=True):
    """A letter as it goes out."""

    subject: str
    text: str
    html: str


class Notices:
    """What this process has seen and told; belongs to one event loop."""

    def __init__(self, remembered_max: int = REMEMBERED_MAX) -> None:
        self._remembered_max = remembered_max
        self._told: dict[Key, tuple[datetime, int]] = {}
        self._due: dict[Key, _Due] = {}
        self._writing: asyncio.Task[None] | None = None

    def look(self, ctx: Context, meter: Meter, seen: Exchanged) -> None:
        """Have the holder told, if a percent of the meter's `notices` is used that this process knows nothing of."""
        limit, used = seen.plan_limit, seen.used + seen.overrun
        if not limit or seen.is_over or seen.window_end <= seen.at:
            return
        percent = max((one for one in meter.notices if used * 100 >= limit * one), default=0)
        key = (seen.holder_id, seen.meter)
        window, last = self._told.get(key, (None, 0))
        if not percent or (window == seen.window_start and percent <= last):
            return
        self._remember(key, seen.window_start, percent)
        self._due[key] = _Due(Reached(meter, percent, used, limit, seen.window_end), seen.window_start)
        if self._writing is None or self._writing.done():
            # Not in the context of the request that happens to be answered.
            self._writing = asyncio.create_task(self._write_all(ctx), context=contextvars.Context())

    async def written(self) -> None:
        """Wait until everything that was seen is written down."""
        while self._writing is not None and not self._writing.done():
            await asyncio.wait([self._writing])

    async def aclose(self) -> None:
        """Write what is due, if the database takes it in time."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.written(), CLOSING_SECONDS)
        if self._writing is not None:
            self._writing.cancel()
            with suppress(asyncio.CancelledError):
                await self._writing

    def _remember(self, key: Key, window: datetime, percent: int) -> None:
        self._told.pop(key, None)
        while len(self._told) >= self._remembered_max:
            del self._told[next(iter(self._told))]
        self._told[key] = (window, percent)

    async def _write_all(self, ctx: Context) -> None:
        while self._due:
            key = next(iter(self._due))
            await self._write(ctx, key, self._due.pop(key))

    async def _write(self, ctx: Context, key: Key, due: _Due) -> None:
        for tried in range(1, TRIES_MAX + 1):
            try:
                await write_notice(ctx, key[0], due.reached, window_start=due.window_start)
            except Exception as error:  # noqa: BLE001 - whatever it was, no call may fail because of it
                log.warning("usage.notice_not_written", tried=tried, reason=type(error).__name__)
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return
        # The next exchange sees it again.
        self._told.pop(key, None)


async def write_notice(ctx: Context, holder_id: UUID, reached: Reached, *, window_start: datetime) -> bool:
    """Tell a holder's person by mail, unless that was done; `ctx` has no open unit. Answers whether it was new.

    An organization's owner and admins are told, each in a mail of their own. Lower percents of the same window count as
    told with it. A holder without a confirmed address is written down only.
    """
    meter, percent = reached.meter, reached.percent
    percents = sorted(one for one in meter.notices if one <= percent)
    async with ctx.service(writes=False) as reading:
        readers = await queries.notices.readers(
            reading.db, holder_id, meter.name, window_start=window_start, percent=percent
        )
    # Drawn before a unit is open that others wait for; who was told meanwhile gets none of it.
    letters = _drawn(ctx, reached, readers)
    async with ctx.service() as working:
        new = await queries.notices.tell(
            working.db, holder_id, meter.name, window_start=window_start, percents=percents
        )
        if percent not in new:
            return False
        for email, letter in letters:
            await send_mail(working, email, letter.subject, text=letter.text, html=letter.html)
    return True


def _drawn(ctx: Context, reached: Reached, readers: Sequence[Reader]) -> list[tuple[str, _Drawn]]:
    if not readers:
        return []
    # English: nobody's language is kept, and whoever's call this was need not be the reader.
    words = Translator()
    # All of them are told about the same holder.
    letter = reached_letter(ctx, words, reached, organization=readers[0].organization)
    drawn = _Drawn(letter.subject, *ctx.port(Letters).render(letter, words))
    return [(reader.email, drawn) for reader in readers]
