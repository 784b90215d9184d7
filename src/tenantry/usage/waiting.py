"""Who waits for an exchange, and what was asked for them."""

import asyncio
import copy
from typing import NamedTuple

from .queries.exchange import Asked
from .rows import Decision


class Waiter:
    """A caller who waits for the database."""

    __slots__ = ("answer", "cost", "most")

    def __init__(self, cost: int, most: int | None) -> None:
        self.cost, self.most = cost, most
        self.answer: asyncio.Future[Decision | None] = asyncio.get_running_loop().create_future()

    @property
    def waits(self) -> bool:
        """Whether they still do: who went away is not charged."""
        return not self.answer.done()

    def tell(self, decision: Decision | None) -> None:
        if self.waits:
            self.answer.set_result(decision)

    def fail(self, error: BaseException) -> None:
        if self.waits:
            # One instance raised by many callers would collect all their tracebacks.
            self.answer.set_exception(copy.copy(error) if isinstance(error, Exception) else asyncio.CancelledError())


class Sent(NamedTuple):
    """What was asked of a counter, for how many who waited, and whether it gives everything back."""

    asked: Asked
    waited: int
    closing: bool
