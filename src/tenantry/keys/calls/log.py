"""The call log: calls are noted in memory, where that costs about a microsecond, and written in bulk by a task.

Nothing is lost at a clean stop. A process that is killed loses what it noted in the last `WRITE_EVERY_SECONDS` and
while a batch was written, or since a database that is away took the last batch.
"""

import asyncio
import contextvars
from collections import Counter, deque
from collections.abc import Iterable
from contextlib import suppress
from uuid import UUID

import msgspec

from tenantry.kernel import Context, new_id
from tenantry.kernel.context import system_context
from tenantry.kernel.database.failures import ForeignKeyViolation, UniqueViolation
from tenantry.kernel.database.types import write_time
from tenantry.kernel.logs import logger_of
from tenantry.kernel.problems import DatabaseConflict, DatabaseUnavailable

from .buckets import LATENCY_MS_MAX, bucket_of
from .queries import writing as queries
from .queries.writing import Entry, Hour
from .rows import Bodies, Noted

Part = list[Entry]

WRITE_EVERY_SECONDS, WRITE_AT = 0.25, 1000
BATCH_MAX = 2000
"""Calls in one statement, when many wait."""
PREPARED_AT_ONCE = 100
"""Calls that are made ready before others have their turn of the loop."""
WAITING_MAX = 50_000
BODIES_MAX = 5000
"""While more calls wait than this, bodies are left out: it is they that take memory."""
PAUSE_SECONDS_MIN, PAUSE_SECONDS, PAUSE_SECONDS_MAX = 0.01, 0.25, 2.0
CLOSE_SECONDS = 5.0
METHOD_MAX, ENDPOINT_MAX, REQUEST_ID_MAX, STATUS_MAX = 20, 500, 100, 999
BUSY = msgspec.Raw(b'{"omitted":"busy"}')

log = logger_of("tenantry.keys")


class CallLog:
    """`ctx.port(CallLog)`. Belongs to one event loop; opened and closed by the application.

    `close_seconds`: how long the stop tries to write what waits.
    """

    def __init__(self, *, close_seconds: float = CLOSE_SECONDS) -> None:
        self._close_seconds = close_seconds
        self.written = 0
        self.dropped: Counter[str] = Counter()
        """Calls that are not in the log, by why: "overflow", "gone" (the key), "refused", "stopped"."""
        self._waiting: deque[Noted] = deque()
        self._parts: list[Part] = []
        """The batch that is being written, of which some may have to be looked at apart."""
        self._ready: Part = []
        """The batch after it, made ready while the database works."""
        self._is_doubtful = False
        """Whether the first part may be written already, though nobody said so."""
        self._writer: asyncio.Task[None] | None = None
        self._some, self._enough, self._stop = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many calls are noted and not written yet."""
        return len(self._waiting) + len(self._ready) + sum(map(len, self._parts))

    async def open(self) -> None:
        """Nothing is noted yet."""

    async def aclose(self) -> None:
        """Write what waits; what the database does not take in time is dropped, and counted."""
        self._stop.set()
        self._some.set()
        self._enough.set()
        if self._writer is not None:
            await asyncio.wait([self._writer], timeout=self._close_seconds)
            self._writer.cancel()
            with suppress(asyncio.CancelledError):
                await self._writer
        self._drop("stopped", self.waiting)
        for kept in (self._waiting, self._ready, self._parts):
            kept.clear()

    def add(
        self, ctx: Context, *, method: str, endpoint: str, status: int, seconds: float, bodies: Bodies = (None, None)
    ) -> None:
        """Note a call of the context's key, whose answer ended now. A context without a key is nobody's call.

        `endpoint` is a template, never a path with ids in it; `status` 0: whoever called was gone before there was an
        answer. `bodies` are what was asked and answered, as JSON without secrets. It waits for nothing.
        """
        key, waiting = ctx.actor.key_id, self._waiting
        if key is None:
            return
        if len(waiting) >= BODIES_MAX:
            bodies = bodies[0] and BUSY, bodies[1] and BUSY
            if len(waiting) >= WAITING_MAX:
                waiting.popleft()
                self._drop("overflow", 1)
        latency_ms = int(seconds * 1000 + 0.5)
        request_id = ctx.origin.request_id
        waiting.append((ctx.clock.now(), key, method, endpoint, status, latency_ms, request_id, bodies))
        if len(waiting) == 1:
            self._begin(ctx)
        elif len(waiting) == WRITE_AT:
            self._enough.set()

    async def flush(self) -> None:
        """Wait until everything noted so far is written or dropped; while the database is away, that long."""
        while self.waiting and self._writer is not None and not self._writer.done():
            self._enough.set()
            await asyncio.sleep(0.005)

    def _begin(self, ctx: Context) -> None:
        self._some.set()
        if self._writer is None or self._writer.done():
            # Not in the context of the request that happens to be the first.
            work = self._write_on(system_context(ctx.runtime))
            self._writer = asyncio.create_task(work, context=contextvars.Context())

    async def _write_on(self, ctx: Context) -> None:
        while not self._stop.is_set() or self.waiting:
            await self._some.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(WRITE_EVERY_SECONDS):
                    await self._enough.wait()
            self._enough.clear()
            if self.waiting:
                await self._write_next(ctx)
            # A few that came meanwhile have time until others join them.
            if self.waiting >= WRITE_AT or self._stop.is_set():
                self._enough.set()
            elif not self.waiting:
                self._some.clear()

    async def _prepare(self) -> None:
        """Make the next batch ready, some calls at a time: other requests come between, and what the database says."""
        while room := min(len(self._waiting), BATCH_MAX - len(self._ready), PREPARED_AT_ONCE):
            ids = new_id.many(room)
            self._ready += [_entry(self._waiting.popleft(), one) for one in ids]
            await asyncio.sleep(0)

    async def _write_next(self, ctx: Context) -> None:
        """Write the next batch, and make the one after it ready meanwhile."""
        await self._prepare()
        self._parts.append(self._ready)
        self._ready = []
        preparing = asyncio.create_task(self._prepare())
        try:
            await self._write(ctx)
            await preparing
        finally:
            preparing.cancel()

    async def _write(self, ctx: Context) -> None:
        """Write what is to be written now, however often it must be tried."""
        pause = PAUSE_SECONDS
        while self._parts:
            part = self._parts[0]
            try:
                written = await _written(ctx, part, is_doubtful=self._is_doubtful)
            except ForeignKeyViolation:
                # A key went while its calls were written. The next try leaves them out.
                await asyncio.sleep(PAUSE_SECONDS_MIN)
            except UniqueViolation:
                # A try whose connection was lost came through after all.
                self._is_doubtful = True
                await asyncio.sleep(PAUSE_SECONDS_MIN)
            except (DatabaseUnavailable, DatabaseConflict) as error:
                self._is_doubtful |= not (isinstance(error, DatabaseConflict) or error.nothing_happened)
                log.warning("keys.calls_not_written", waiting=self.waiting, reason=error.internal)
                await asyncio.sleep(pause)
                pause = min(2 * pause, PAUSE_SECONDS_MAX)
            except Exception as error:  # noqa: BLE001 - one call that is refused must not keep the others from the log
                self._split(error)
            else:
                self.written += written
                self._drop("gone", len(part) - written)
                del self._parts[0]
                self._is_doubtful = False

    def _split(self, error: Exception) -> None:
        """Look for what the database refuses by halves."""
        part = self._parts.pop(0)
        if len(part) > 1:
            half = len(part) // 2
            self._parts[:0] = [part[:half], part[half:]]
        else:
            self._drop("refused", 1)
            log.warning("keys.call_refused", reason=type(error).__name__)

    def _drop(self, why: str, calls: int) -> None:
        if calls:
            if not self.dropped[why]:
                log.warning("keys.calls_dropped", why=why, calls=calls)
            self.dropped[why] += calls


async def _written(ctx: Context, part: Part, *, is_doubtful: bool) -> int:
    """How many calls are in the log now. They are written with their hours, all or none."""
    async with ctx.service() as working:
        before = await queries.known(working.db, part) if is_doubtful else set[UUID]()
        new = [one for one in part if one.id not in before]
        if await queries.add(working.db, new) < len(new):
            there = await queries.known(working.db, new)
            new = [one for one in new if one.id in there]
        await queries.count(working.db, hours_of(new))
        # In the order of noting: of each key the last one stays.
        await queries.use(working.db, {one.key: one.at for one in new})
    return len(before) + len(new)


def hours_of(calls: Iterable[Entry]) -> list[Hour]:
    """What calls add to the rows of their hours."""
    sums: dict[tuple[UUID, str, str, str, int], list[int]] = {}
    for one in calls:
        row = (one.key, one.hour, one.method, one.endpoint, bucket_of(one.ms))
        found = sums.setdefault(row, [0, 0, 0])
        found[0] += 1
        found[1] += is_error(one.status)
        found[2] += one.ms
    return [Hour(*row, *found) for row, found in sums.items()]


def is_error(status: int) -> bool:
    """Whether a call counts among the errors: refused, failed, or nobody was left to answer."""
    return status >= 400 or status == 0


def _entry(noted: Noted, call: UUID) -> Entry:
    """The call as it is written, in the columns' bounds; it keeps its id through every try."""
    at, key, method, endpoint, status, latency_ms, request, (asked, told) = noted
    return Entry(
        write_time(at),
        call,
        key,
        _text(method, METHOD_MAX),
        _text(endpoint, ENDPOINT_MAX),
        min(max(status, 0), STATUS_MAX),
        min(max(latency_ms, 0), LATENCY_MS_MAX),
        _text(request, REQUEST_ID_MAX),
        asked,
        told,
    )


def _text(text: str, most: int) -> str:
    if not text.isprintable():
        text = text.encode(errors="replace").decode().replace("\0", "?")
    return text[:most] or "-"
