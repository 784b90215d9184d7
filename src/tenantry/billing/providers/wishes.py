"""One page for one wish, with providers that know no idempotency keys."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

from tenantry.kernel.clock import Clock

KEPT_SECONDS = 600
WISHES_MAX = 1000


class Wishes:
    """The pages that were opened in the last minutes, by the key of the wish. Belongs to one event loop.

    Of this process only: two processes may open two pages. That is no purchase yet, and unpaid pages end.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pages: dict[str, tuple[datetime, str]] = {}
        # Who waits for a lock keeps it; when nobody does, it goes.
        self._opening: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def page(self, key: str, open_page: Callable[[], Awaitable[str]]) -> str:
        """The page of a wish, opened when there is none."""
        async with self._opening.setdefault(key, asyncio.Lock()):
            now = self._clock.now()
            oldest = now - timedelta(seconds=KEPT_SECONDS)
            self._pages = {one: page for one, page in self._pages.items() if page[0] > oldest}
            if key not in self._pages:
                address = await open_page()
                # Others may have come and gone meanwhile.
                if len(self._pages) >= WISHES_MAX:
                    del self._pages[next(iter(self._pages))]
                self._pages[key] = now, address
            return self._pages[key][1]
