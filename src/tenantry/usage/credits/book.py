"""One holder's credits while its account is locked: pure arithmetic, no clock, no database.

Whatever happens, what has expired is written out first. Each change of what is left of a grant is in an entry, so the
entries' sum is what is left of all grants together, after each of them.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import msgspec

from .rows import Entry, Grant, Kind, Stand

NEVER = datetime.max.replace(tzinfo=UTC)


class Book:
    """What stands, what is new (`added`), what has changed (`changed`), and the entries that say so."""

    def __init__(self, stand: Stand) -> None:
        self.at = stand.at
        self.reserved = stand.reserved
        self.entries: list[Entry] = []
        self._number = stand.number
        self._grants = {one.id: one for one in stand.grants}
        self._known = dict(self._grants)
        self._expire()

    @property
    def balance(self) -> int:
        """All that is left, set aside or not."""
        return sum(one.remaining for one in self._grants.values())

    @property
    def available(self) -> int:
        """What may be spent. What is set aside may have expired, or been taken back, meanwhile."""
        return max(0, self.balance - self.reserved)

    @property
    def added(self) -> list[Grant]:
        """The grants that are to be written."""
        return [one for one in self._grants.values() if one.id not in self._known]

    @property
    def changed(self) -> list[Grant]:
        """The grants that stand, and stand otherwise now."""
        return [one for one in self._grants.values() if self._known.get(one.id, one) != one]

    def by_fact(self, fact: str) -> Grant | None:
        """The grant of a fact, where it was read."""
        return next((one for one in self._grants.values() if one.fact == fact), None)

    def now(self, grant: Grant) -> Grant:
        """The grant as it is by now."""
        return self._grants[grant.id]

    def covers(self, used: int, own: int) -> int:
        """What of `used` can be taken by whoever set `own` units aside: those, and what nobody else did."""
        others = self.reserved - own
        return min(used, max(min(own, self.balance), self.balance - others, 0))

    def take(self, amount: int, kind: Kind, *, reference: str | None = None, label: str | None = None) -> Entry:
        """Take so much, which is there, of what expires first."""
        parts: dict[str, int] = {}
        left = amount
        for one in self._in_order():
            part = min(left, one.remaining)
            if part:
                self._put(one, remaining=one.remaining - part)
                parts[str(one.id)] = part
                left -= part
        return self._enter(Entry(0, kind, left - amount, 0, None, reference, label, parts))

    def add(self, grant: Grant) -> Grant:
        """A new grant; one whose time is over already is written out at once."""
        self._grants[grant.id] = grant
        self._of_grant(grant, "grant", grant.amount)
        self._expire()
        return self.now(grant)

    def raise_to(self, grant: Grant, amount: int) -> None:
        """Let a grant be of so many units; one that is of as many, or of more, stays as it is."""
        more = amount - grant.amount
        if more > 0:
            self._of_grant(self._put(grant, amount=amount, remaining=grant.remaining + more), "grant", more)
            self._expire()

    def revoke(self, grant: Grant, share: Fraction) -> None:
        """Ask so large a share of a grant back, all times together. Only what is left is taken."""
        asked = int(self.now(grant).amount * share)
        grant = self.now(grant)
        taken = min(grant.remaining, asked - grant.revoked)
        if asked > grant.revoked:
            self._put(grant, revoked=asked, remaining=grant.remaining - taken)
            if taken:
                self._of_grant(grant, "revoke", -taken)

    def end(self, grants: Sequence[Grant], at: datetime | None) -> None:
        """Let grants expire at another time; None: never. What is over by then is written out."""
        for one in grants:
            if self.now(one).expires_at != at:
                self._put(self.now(one), expires_at=at)
        self._expire()

    def of_series(self, series: str) -> list[Grant]:
        """The grants of a series that were read, in the order in which they end."""
        return [one for one in self._in_order() if one.series == series]

    def _in_order(self) -> list[Grant]:
        return sorted(self._grants.values(), key=lambda one: (one.expires_at or NEVER, one.id))

    def _expire(self) -> None:
        for one in self._in_order():
            if one.remaining and one.expires_at is not None and one.expires_at <= self.at:
                self._put(one, remaining=0)
                self._of_grant(one, "expire", -one.remaining)

    def _put(self, grant: Grant, **given: Any) -> Grant:
        self._grants[grant.id] = msgspec.structs.replace(grant, **given)
        return self._grants[grant.id]

    def _of_grant(self, grant: Grant, kind: Kind, amount: int) -> None:
        self._enter(Entry(0, kind, amount, 0, grant.id, None, grant.reason, {}))

    def _enter(self, entry: Entry) -> Entry:
        self._number += 1
        before = self.entries[-1].balance_after if self.entries else self._before
        entry = msgspec.structs.replace(entry, number=self._number, balance_after=before + entry.amount)
        self.entries.append(entry)
        return entry

    @property
    def _before(self) -> int:
        return sum(one.remaining for one in self._known.values())
