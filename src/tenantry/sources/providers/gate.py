"""The gate before one host: a circuit that opens on failures, and pauses the host asked for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .base import HostFailed, Reason, SourceError, SourceUnavailable


class Gate:
    """Lets requests to one host pass, or refuses them without asking the host.

    `failures_max` failures in a row open the circuit for `open_seconds`; then one request may try (half-open) while
    the others are refused, and its result closes or opens it again. A pause refuses everything until it is over.
    Times are monotonic seconds. Not thread safe: one event loop.
    """

    def __init__(self, monotonic: Callable[[], float], *, failures_max: int, open_seconds: float) -> None:
        self._monotonic = monotonic
        self._failures_max = failures_max
        self._open_seconds = open_seconds
        self._failures = 0
        self._round = 0
        self._is_trying = False
        self._shut_until = 0.0
        self._reason: Reason = "failing"
        self._may_retry = True

    @contextmanager
    def passage(self) -> Iterator[None]:
        """Wrap one request. Raises SourceUnavailable when refused; `HostFailed` from the body counts as a failure.

        Any other `SourceError` proves that the host is alive. What is neither (a bug, a cancellation) counts as a
        failure, so that a try that never finished cannot keep the gate half-open for ever.
        """
        if refused := self.trouble():
            raise refused
        self._is_trying = self._failures >= self._failures_max
        entered = self._round
        is_alive = False
        try:
            yield
            is_alive = True
        except SourceError as error:
            is_alive = not isinstance(error, HostFailed)
            raise
        finally:
            self._leave(entered, is_alive=is_alive)

    def trouble(self) -> SourceUnavailable | None:
        """What a request would be refused with now; None when it would pass."""
        wait = self._shut_until - self._monotonic()
        if wait > 0:
            return SourceUnavailable(self._reason, retry_after=wait if self._may_retry else None)
        return SourceUnavailable("failing", retry_after=1.0) if self._is_trying else None

    def pause(self, seconds: float, reason: Reason, *, may_retry: bool = True) -> SourceUnavailable:
        """Refuse everything for so long, unless a longer pause runs; returns the error that says so."""
        until = self._monotonic() + seconds
        if until > self._shut_until:
            self._shut_until, self._reason, self._may_retry = until, reason, may_retry
        return SourceUnavailable(reason, retry_after=seconds if may_retry else None)

    def _leave(self, entered: int, *, is_alive: bool) -> None:
        if entered != self._round:
            return  # Sent before the circuit opened: says nothing about the host now.
        self._is_trying = False
        if is_alive:
            self._failures = 0
            return
        self._failures += 1
        if self._failures >= self._failures_max:
            self._round += 1
            self.pause(self._open_seconds, "failing")
