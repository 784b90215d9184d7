"""A document that is fetched once for all who want it, and kept for a while."""

import asyncio
import copy
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from tenantry.kernel import Problem

T = TypeVar("T")


class Remembered(Generic[T]):
    """Keeps what `fetch` returned for `seconds`. Callers at the same time share one fetch; a failure is not kept.

    `fetch` fails with a Problem. A caller that is cancelled does not cancel the others. Belongs to one event loop.
    """

    def __init__(self, fetch: Callable[[], Awaitable[T]], monotonic: Callable[[], float], *, seconds: float) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._seconds = seconds
        self._kept: tuple[float, T] | None = None
        self._flight: asyncio.Task[T | Problem] | None = None

    async def get(self) -> T:
        """The document."""
        return await self._no_older_than(self._seconds)

    async def again(self, *, seconds_between: float) -> T:
        """The document fetched anew, but at most once in `seconds_between`: a caller may not make us ask at will."""
        return await self._no_older_than(seconds_between)

    async def _no_older_than(self, seconds: float) -> T:
        if self._kept is not None and self._monotonic() - self._kept[0] < seconds:
            return self._kept[1]
        if self._flight is None:
            self._flight = asyncio.create_task(self._fly())
        flight = self._flight
        await asyncio.wait([flight])  # Unlike awaiting the task, this leaves it alone when the caller is cancelled.
        outcome = flight.result()
        if isinstance(outcome, Problem):
            raise copy.copy(outcome)  # One instance raised by many callers would collect all their tracebacks.
        return outcome

    async def _fly(self) -> T | Problem:
        try:
            found = await self._fetch()
        except Problem as problem:
            return problem
        else:
            self._kept = (self._monotonic(), found)
            return found
        finally:
            self._flight = None
