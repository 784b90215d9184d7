"""Which keys this process knows: looked up once, remembered until something about them changes.

What is remembered is trusted only while `Notices` promises that every change reaches this process within a second. A
revoked key, a banned owner, a changed plan and an ended trial are therefore refused a second later at most, in every
process; a process that is cut off asks the database at every call.
"""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

import msgspec

from tenantry.kernel import Context, Problem
from tenantry.kernel.clock import Clock
from tenantry.kernel.context import SERVICE, Actor, Holder, Resolved
from tenantry.kernel.crypto import token_hash
from tenantry.kernel.notices import Notices
from tenantry.product import Product

from .errors import (
    HolderSuspended,
    KeyExpired,
    KeyPending,
    KeyRevoked,
    KeyUnknown,
    OwnerBanned,
    OwnerClosed,
    TrialEnded,
)
from .queries import Bearer, bearer_of
from .rows import state_of
from .secrets import is_secret
from .tiers import effective_tier

KNOWN_MAX = 100_000
UNKNOWN_MAX, UNKNOWN_SECONDS = 10_000, 1.0
_FOREVER = float("inf")


class KnownKey(msgspec.Struct, frozen=True):
    """A key, and for whom it may be shown. `refusal`: why it is refused instead; None, it works.

    `holder.plan` is the plan that bounds the key: its tier, where that is below what its holder is on.
    """

    id: UUID
    by: Resolved
    """What a request with this key stands for: the key as the actor, and `holder`."""
    holder: Holder
    owner_id: UUID | None
    scopes: frozenset[str]
    refusal: type[Problem] | None
    until: float
    """When this may be otherwise by itself, by the monotonic clock: the key, the trial, a ban or the plan ends."""


class KnownKeys:
    """`ctx.port(KnownKeys)`. Belongs to one event loop."""

    def __init__(
        self, clock: Clock, notices: Notices, *, known_max: int = KNOWN_MAX, unknown_max: int = UNKNOWN_MAX
    ) -> None:
        self._clock = clock
        self._known_max, self._unknown_max = known_max, unknown_max
        self._notices = notices
        self._known: dict[bytes, KnownKey] = {}
        self._unknown: dict[bytes, float] = {}
        # Whose hashes are remembered, by the id that a notice tells of: the key's, the holder's, the owner's.
        self._by_id: dict[UUID, set[bytes]] = {}
        for topic in ("key", "holder", "user"):
            notices.subscribe(topic, self.forget, self._forget_all)

    @property
    def sizes(self) -> tuple[int, int]:
        """How many keys are remembered, and how many hashes that are nobody's."""
        return len(self._known), len(self._unknown)

    async def find(self, ctx: Context, secret: str) -> KnownKey:
        """The key of a secret. Raises what is the matter with one that does not work; see `errors`."""
        known = self.remembered(secret, self._clock.monotonic()) or await self.ask(ctx, secret)
        if known.refusal is not None:
            raise known.refusal
        return known

    def remembered(self, secret: str, now: float) -> KnownKey | None:
        """The key of a secret, whether it works or not; None when it is not known here, or not to be trusted `now`."""
        known = self._known.get(token_hash(secret))
        if known is not None and now < known.until and now < self._notices.trusted_until:
            return known
        return None

    async def ask(self, ctx: Context, secret: str) -> KnownKey:
        """The same, from the database; remembered, if that may be. Raises `KeyUnknown`."""
        # Whatever has not even the form of a key costs no statement.
        if not is_secret(secret):
            raise KeyUnknown
        hashed, now = token_hash(secret), self._clock.monotonic()
        if now < self._notices.trusted_until and now < self._unknown.get(hashed, now):
            raise KeyUnknown
        return await self._ask(ctx, hashed)

    def forget(self, subject: UUID) -> None:
        """Ask anew about a key, or those of a holder or an owner. Other processes are told by a notice."""
        # A key may just have been made that somebody tried too early.
        self._unknown.clear()
        for hashed in list(self._by_id.get(subject, ())):
            self._drop(hashed)

    async def _ask(self, ctx: Context, hashed: bytes) -> KnownKey:
        heard, sent = self._notices.heard, self._clock.monotonic()
        bearer = await bearer_of(ctx.runtime.service.unit(SERVICE, writes=False), hashed)
        # What changed while it was read may have been read as it was before.
        may_keep = heard == self._notices.heard
        if bearer is None:
            if may_keep:
                _make_room(self._unknown, self._unknown_max)
                self._unknown[hashed] = sent + UNKNOWN_SECONDS
            raise KeyUnknown
        known = _known(bearer, ctx.product, sent)
        if may_keep:
            self._keep(hashed, known)
        return known

    def _keep(self, hashed: bytes, known: KnownKey) -> None:
        self._drop(hashed)
        while len(self._known) >= self._known_max:
            self._drop(next(iter(self._known)))
        self._known[hashed] = known
        for subject in _subjects(known):
            self._by_id.setdefault(subject, set()).add(hashed)

    def _drop(self, hashed: bytes) -> None:
        known = self._known.pop(hashed, None)
        if known is None:
            return
        for subject in _subjects(known):
            others = self._by_id.get(subject)
            if others is not None:
                others.discard(hashed)
                if not others:
                    del self._by_id[subject]

    def _forget_all(self) -> None:
        self._known.clear()
        self._unknown.clear()
        self._by_id.clear()


def _known(bearer: Bearer, product: Product, sent: float) -> KnownKey:
    refusal, until = _judged(bearer)
    scopes, plan = frozenset(bearer.scopes), effective_tier(product, bearer.tier, bearer.plan)
    is_bounded = plan != product.plan(bearer.plan).name
    actor = Actor("key", permissions=scopes, key_id=bearer.key_id, tier=plan if is_bounded else None)
    holder = Holder(
        bearer.holder_id,
        bearer.kind,
        plan if is_bounded else bearer.plan,
        bearer.revision,
        bearer.period_start,
        bearer.period_end,
    )
    # Where the plan's time is over already, that is known: nothing changes any more.
    ends = [one for one in (until, bearer.plan_until) if one is not None and one > bearer.at]
    seconds = min(((one - bearer.at).total_seconds() for one in ends), default=_FOREVER)
    return KnownKey(
        bearer.key_id, Resolved(actor, holder), holder, bearer.owner_id, scopes, refusal, sent + seconds
    )  # fmt: skip


def _judged(bearer: Bearer) -> tuple[type[Problem] | None, datetime | None]:
    """Why a key is refused, if it is, and when that may be otherwise without anybody's doing."""
    state = state_of(bearer.status, bearer.expires_at, bearer.at)
    if state == "revoked":
        return KeyRevoked, None
    if state == "expired":
        return KeyExpired, None
    if state == "pending_verification":
        return KeyPending, bearer.expires_at
    if bearer.deleted_at is not None:
        return OwnerClosed, bearer.expires_at
    if bearer.banned_at is not None and (bearer.ban_ends_at is None or bearer.ban_ends_at > bearer.at):
        return OwnerBanned, _first(bearer.ban_ends_at, bearer.expires_at)
    if bearer.ends_at is not None and bearer.ends_at <= bearer.at:
        return TrialEnded, bearer.expires_at
    if bearer.suspended_at is not None:
        refusal = TrialEnded if bearer.kind == "workspace" else HolderSuspended
        return refusal, _first(bearer.expires_at, bearer.ends_at)
    return None, _first(bearer.expires_at, bearer.ends_at)


def _first(*times: datetime | None) -> datetime | None:
    return min((one for one in times if one is not None), default=None)


def _subjects(known: KnownKey) -> Iterator[UUID]:
    yield known.id
    yield known.holder.id
    if known.owner_id is not None:
        yield known.owner_id


def _make_room(shelf: dict[bytes, float], most: int) -> None:
    while len(shelf) >= most:
        del shelf[next(iter(shelf))]
