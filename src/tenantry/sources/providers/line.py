"""Symbols that wait to be asked for: the highest priority first, then who came first."""

from collections.abc import Hashable
from typing import NamedTuple


class Place(NamedTuple):
    """Where a symbol stands. Small is early."""

    urgency: int  # the priority, negated
    order: int
    since: float
    kind: Hashable


class Line:
    """Waiting symbols; `len()` is how many. A symbol has the priority of the most urgent of its callers."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._order = 0

    def __len__(self) -> int:
        return len(self._places)

    def join(self, symbol: str, priority: int, *, now: float, kind: Hashable = None) -> None:
        """Stand in line, behind those of the same priority."""
        self._order += 1
        self._places[symbol] = Place(-priority, self._order, now, kind)

    def raise_to(self, symbol: str, priority: int, *, now: float) -> None:
        """A more urgent caller wants a symbol that waits: it moves up, and its wait begins anew."""
        place = self._places.get(symbol)
        if place and -priority < place.urgency:
            self.join(symbol, priority, now=now, kind=place.kind)

    def take(self, count: int) -> dict[str, Place]:
        """The next symbols to be asked for in one request, all of one kind, out of the line. It is not empty."""
        ordered = sorted(self._places.items(), key=lambda item: item[1][:2])
        kind = ordered[0][1].kind
        taken = [(symbol, place) for symbol, place in ordered if place.kind == kind][:count]
        for symbol, _ in taken:
            del self._places[symbol]
        return dict(taken)

    def drop_last(self, priority: int) -> str | None:
        """Send away the last of a lower priority than this, to make room; None when there is none."""
        last = max(self._places, key=lambda symbol: self._places[symbol][:2], default=None)
        if last is None or self._places[last].urgency <= -priority:
            return None
        del self._places[last]
        return last

    def drop_before(self, moment: float) -> list[str]:
        """Send away all that joined at this moment or before."""
        late = [symbol for symbol, place in self._places.items() if place.since <= moment]
        for symbol in late:
            del self._places[symbol]
        return late

    def oldest(self) -> float:
        """When the one joined who has waited longest. The line is not empty."""
        return min(place.since for place in self._places.values())
