"""Hearing: what this process remembers is forgotten in time, or known not to be trusted.

The promise: while `clock.monotonic() < trusted_until`, every notice that was committed more than a second ago has been
delivered.

The proof. A heartbeat notes the time `sent`, and then finds out that everything committed before `sent` has been
delivered here:
- PostgreSQL: it tells itself something on the connection that listens, and waits until that comes back. Notices of
  different transactions arrive in the order in which they were committed, whatever their channel, and the driver hands
  them on in the order in which they arrive. What was committed before `sent` was committed before the heartbeat, so it
  was handed on before it.
- SQLite: it looks at the file after `sent`. What was committed before is in the file; `data_version` is another one
  if anything was committed since the last look, and then all rows behind the last known one are read. Ids have no gaps:
  a row that was deleted unread is missed, which is a doubt.

Only then is `trusted_until = sent + TRUST_SECONDS`. Who looks at a moment `now < trusted_until` thus knows everything
that was committed before `sent > now - TRUST_SECONDS`, which is more than promised; the quarter of a second that is
left over is for what is decided in trust to take effect. No two clocks are compared: `sent` and `now` are this
process', and a commit lies before `sent` or it does not. Whatever is slow, the network, the database, this event loop,
makes `sent` older than the answer and the trust shorter. Nothing has to happen for it to end.

A channel that was lost may have lost notices with it. A new one is open first, then everything remembered is forgotten
(`on_doubt`), and only then is it trusted: what was remembered before is gone, what changes later is heard.

One gap is left to who remembers: a notice may come while the row it tells of is being read, and the older row be
remembered after it. `heard` counts notices and doubts: remember what you read only if it is as it was before you asked.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol, Self
from uuid import UUID

from ..clock import Clock
from ..extras import extra
from ..logs import logger_of
from ..settings import Settings
from .queries import CHANNEL
from .watching import Watching

TRUST_SECONDS = 0.75
PAUSE_SECONDS, PAUSE_SECONDS_MAX = 0.1, 2.0
"""Before a lost channel is tried again: the first time, and after many times."""
_NEVER = float("-inf")

OnNotice = Callable[[UUID], None]
OnDoubt = Callable[[], None]

log = logger_of("tenantry.notices")


class Channel(Protocol):
    """Where notices come from. `beat` delivers all that was committed before it began.

    It answers False when some of that can not be delivered any more, and raises when the channel is lost.
    """

    every_seconds: float

    async def open(self) -> None: ...

    async def beat(self) -> bool: ...

    async def aclose(self) -> None: ...


class Notices:
    """`ctx.port(Notices)`. Belongs to one event loop; opened and closed by the application. See the file's text."""

    def __init__(self, clock: Clock) -> None:
        self.trusted_until = _NEVER
        """By the clock's monotonic time. From then on ask the database, whatever you remember."""
        self.heard = 0
        """How many notices and doubts there were, whatever their topic."""
        self.doubts = 0
        """How often everything was to be forgotten, but for the first time, when nothing was known."""
        self._clock = clock
        self._channel: Channel | None = None
        self._subscribers: dict[str, list[tuple[OnNotice, OnDoubt]]] = {}
        self._missed = False
        self._is_up: bool | None = None
        self._following: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, settings: Settings, clock: Clock) -> Self:
        """The notices of the database that the settings name."""
        notices = cls(clock)
        if settings.database_kind == "sqlite":
            path = settings.sqlite_path or Path("var/tenantry.db")
            notices.follow(Watching(path, clock, notices.deliver))
        else:
            # Never a pooler in transaction mode: the settings are refused unless `direct_url` goes past it.
            url = settings.direct_url or settings.service_url or settings.database_url
            # Loaded only here, with the driver.
            listening = extra("tenantry.kernel.database.listening").Listening
            notices.follow(listening(url, CHANNEL, notices.deliver_text))
        return notices

    @property
    def is_trusted(self) -> bool:
        """Whether what subscribers remember may be trusted now."""
        return self._clock.monotonic() < self.trusted_until

    def follow(self, channel: Channel) -> None:
        """Hear on this channel once opened."""
        self._channel = channel

    def subscribe(self, topic: str, on_notice: OnNotice, on_doubt: OnDoubt) -> None:
        """Be called with the id that a notice of this topic tells of, and when everything is to be forgotten.

        Both are called on the event loop, must be quick and must not raise.
        """
        self._subscribers.setdefault(topic, []).append((on_notice, on_doubt))

    async def open(self) -> None:
        """Begin to hear. Nothing is trusted yet, and nobody waits for it: the database is asked meanwhile."""
        if self._channel is not None:
            self._following = asyncio.create_task(self._follow(self._channel))

    async def aclose(self) -> None:
        """Hear no more; nothing is trusted from then on."""
        following, self._following = self._following, None
        if following is not None:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
        self.trusted_until = _NEVER

    def deliver(self, topic: str, subject: UUID) -> None:
        """Hand one notice on; for channels."""
        self.heard += 1
        for on_notice, _ in self._subscribers.get(topic, ()):
            try:
                on_notice(subject)
            except Exception:
                # Whoever failed to forget one is to forget all at the next heartbeat.
                log.exception("notices.subscriber_failed", topic=topic)
                self._miss()

    def deliver_text(self, payload: str) -> None:
        """Hand one notice on that came as text. One that cannot be read tells of anything."""
        topic, _, subject = payload.partition(" ")
        try:
            found = UUID(subject)
        except ValueError:
            log.warning("notices.unreadable")
            self._miss()
        else:
            self.deliver(topic, found)

    def _miss(self) -> None:
        self._missed, self.trusted_until = True, _NEVER

    async def _follow(self, channel: Channel) -> None:
        pause = PAUSE_SECONDS
        while True:
            try:
                await self._hear(channel)
            except Exception as error:  # noqa: BLE001 - without this task nothing would ever be trusted again
                pause = PAUSE_SECONDS if self._is_up else min(2 * pause, PAUSE_SECONDS_MAX)
                self._lost(error)
            finally:
                await channel.aclose()
            # Not all processes at once.
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads retries, keeps no secret

    async def _hear(self, channel: Channel) -> None:
        """Heartbeat after heartbeat, until the channel is lost, which raises."""
        await channel.open()
        self._missed = True
        while True:
            sent = self._clock.monotonic()
            if not await channel.beat() or self._missed:
                self._doubt()
            self.trusted_until = sent + TRUST_SECONDS
            self._found()
            await asyncio.sleep(channel.every_seconds)

    def _doubt(self) -> None:
        self.trusted_until = _NEVER
        self.heard += 1
        self.doubts += self._is_up is not None
        for subscribers in self._subscribers.values():
            for _, on_doubt in subscribers:
                on_doubt()
        self._missed = False

    def _found(self) -> None:
        if self._is_up is False:
            log.info("notices.heard_again")
        self._is_up = True

    def _lost(self, error: Exception) -> None:
        self.trusted_until = _NEVER
        if self._is_up is not False:
            log.warning("notices.lost", reason=f"{type(error).__name__}: {error}")
        self._is_up = False
