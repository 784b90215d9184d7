"""What a host allows one address a minute, what of it is used, and when the next request may go."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenantry.kernel.clock import Clock

RESERVE = 0.2
"""Below this share of the minute's units a budget is short: what is left is spread over the rest of the minute."""

_MINUTE = 60.0
_ODD = 10
"""A host that tells more than this many times its own limit tells nonsense."""


class Budget:
    """Counts units a minute. All processes of one address share the host's limit, so what the host tells goes in too.

    What we sent in this minute is the least that is used. What the host told last, and all we sent since, may be more:
    others use the same address. An answer to a request of an earlier minute, or of one sent before the one that told
    last, changes nothing.
    """

    def __init__(self, clock: "Clock", units_max: int) -> None:
        self.units_max = units_max
        self._clock = clock
        self._minute = -1
        self._sent = self._sent_before = 0  # ever; before this minute
        self._told = self._told_at = 0  # what the host told last, and what we had sent by then
        self._last = 0.0

    @property
    def used(self) -> int:
        """Units used in this minute, as far as is known; rather too many than too few."""
        self._turn()
        return max(self._sent - self._sent_before, self._told + self._sent - self._told_at)

    def send(self, units: int) -> int:
        """Count a request that is about to be sent, whatever comes of it; returns its mark for `hear`."""
        self._last = self._turn()
        self._sent += units
        return self._sent

    def hear(self, mark: int, told: int | None) -> None:
        """Take in what the host told as used in its answer to the request with that mark; None: it told nothing."""
        self._turn()
        is_known = told is not None and 0 <= told <= self.units_max * _ODD
        if is_known and mark > self._sent_before and mark >= self._told_at:
            self._told, self._told_at = told or 0, mark

    def wait_seconds(self, units: int) -> float:
        """How long a request of so many units should wait; 0 = it may go. A short budget is spent evenly."""
        now = self._turn()
        left = self.units_max - self.used
        if left >= self.units_max * RESERVE and left >= units:
            return 0.0
        if left < units:
            return self.minute_ends_in()
        pace = self.minute_ends_in() * units / left
        return min(pace, max(0.0, self._last + pace - now))  # never longer, also when the clock was set back

    def minute_ends_in(self) -> float:
        """Seconds until counting starts again."""
        return _MINUTE - self._clock.now().timestamp() % _MINUTE

    def _turn(self) -> float:
        now = self._clock.now().timestamp()
        if int(now // _MINUTE) != self._minute:
            self._minute = int(now // _MINUTE)
            self._sent_before = self._told_at = self._sent
            self._told = 0
        return now
