"""What a plain model says of organizations: who belongs to what, who is invited, and what anybody is answered."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from organizations.people import Somebody

LIFETIME = timedelta(days=7)
SEATS = {"free": 3, "pro": 20}
SHUT, NOT_FOUND, NOT_ALLOWED = "request.unauthenticated", "organizations.not_found", "request.forbidden"
STAYS, NO_MEMBER, BLOCKED = (
    "organizations.owner_stays", "organizations.member_not_found", "organizations.owner_blocked",
)  # fmt: skip
FULL, MEMBER, PENDING = (
    "organizations.seats_full", "organizations.already_member", "organizations.invitation_pending",
)  # fmt: skip
NO_INVITATION, OVER, OTHER = (
    "organizations.invitation_not_found", "organizations.invitation_over", "organizations.invited_other",
)  # fmt: skip
OWNED = "organizations.still_owned"


@dataclass
class Human:
    """A person: `chosen` is what their session was told to work for."""

    session: Somebody
    plan: str = "free"
    is_banned: bool = False
    is_closed: bool = False
    chosen: "Team | None" = None

    @property
    def is_shut_out(self) -> bool:
        return self.is_banned or self.is_closed


@dataclass
class Asked:
    """An invitation. `tokens`: those of all its mails, of which the last one counts."""

    id: str
    to: Human
    by: Human
    role: str
    ends: datetime
    tokens: list[str]
    status: str = "pending"

    def is_open(self, now: datetime) -> bool:
        return self.status == "pending" and now < self.ends


@dataclass
class Team:
    """An organization; `since` is when each member chose it last."""

    id: UUID
    roles: dict[int, str] = field(default_factory=dict)
    since: dict[int, datetime] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def role(self, who: Human) -> str | None:
        return self.roles.get(id(who))

    def join(self, who: Human, role: str, now: datetime) -> None:
        self.roles[id(who)], self.since[id(who)] = role, now

    def part(self, who: Human) -> None:
        """Without whom, and nothing of theirs is left."""
        self.roles.pop(id(who), None)
        self.since.pop(id(who), None)
        if who.chosen is self:
            who.chosen = None

    def open(self, now: datetime) -> int:
        return sum(one.is_open(now) for one in self.asked)

    def pending_of(self, whom: Human) -> Asked | None:
        return next((one for one in self.asked if one.to is whom and one.status == "pending"), None)

    def revoke(self, *, by: Human, to: Human | None = None) -> None:
        for one in self.asked:
            if one.status == "pending" and (one.by is by or one.to is to):
                one.status = "revoked"

    def refused(self, who: Human, *roles: str) -> str | None:
        """What somebody is told who must be one of these; of no role: who must belong to it."""
        if who.is_shut_out:
            return SHUT
        role = self.role(who)
        if role is None:
            return NOT_FOUND
        return NOT_ALLOWED if roles and role not in roles else None


def current(who: Human, teams: list[Team]) -> UUID | None:
    """For what a session works: what it was told, else what its person chose last."""
    if who.chosen is not None:
        return who.chosen.id
    belongs = [(one.since[id(who)], one.id) for one in teams if one.role(who)]
    return max(belongs)[1] if belongs else None
