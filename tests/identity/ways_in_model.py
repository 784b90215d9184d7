"""What should be open to one person, in plain Python: a second opinion on what the database decides.

It knows no SQL and nothing of the product but its rules: what each event ends, and when things end by themselves.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

SESSION = timedelta(minutes=60)
RECENT = timedelta(minutes=10)
HALF = timedelta(minutes=10)
MAILED = {"sign-in": timedelta(minutes=15), "reset": timedelta(hours=1)}
PENDING = 3
STEP = 30


@dataclass(eq=False)
class Session:
    """A signed-in app; `token` is the one it holds now."""

    id: UUID
    token: str
    began: datetime
    account: UUID | None
    proven: datetime = field(init=False)
    is_over: bool = False

    def __post_init__(self) -> None:
        self.proven = self.began


@dataclass(eq=False)
class Mailed:
    """A mailed token; without `token` it was written for nobody, and no mail went out."""

    kind: str
    token: str
    written: datetime
    is_over: bool = False

    def is_good(self, now: datetime) -> bool:
        return bool(self.token) and not self.is_over and now < self.written + MAILED[self.kind]


@dataclass(eq=False)
class Half:
    """A sign-in that waits for its second factor."""

    token: str
    began: datetime
    account: UUID | None
    is_over: bool = False

    def is_good(self, now: datetime) -> bool:
        return not self.is_over and now < self.began + HALF


@dataclass(eq=False)
class Look:
    """An operator looks through the person's eyes; `operators` is the token of their own session."""

    id: UUID
    token: str
    operators: str
    began: datetime
    may_write: bool
    is_over: bool = False

    def is_good(self, now: datetime) -> bool:
        return not self.is_over and now < self.began + SESSION


@dataclass
class Person:
    """One person, and everything that may open something to them."""

    id: UUID
    email: str
    password: str | None = None
    secret: str | None = None
    last_step: int = 0
    codes: list[str] = field(default_factory=list)
    used_codes: list[str] = field(default_factory=list)
    accounts: list[UUID] = field(default_factory=list)
    is_banned: bool = False
    ban_ends: datetime | None = None
    is_deleted: bool = False
    sessions: list[Session] = field(default_factory=list)
    mailed: list[Mailed] = field(default_factory=list)
    halves: list[Half] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)

    def is_closed(self, now: datetime) -> bool:
        """Whether nobody gets in as this person now."""
        return self.is_deleted or (self.is_banned and (self.ban_ends is None or now < self.ban_ends))

    def is_open(self, session: Session, now: datetime) -> bool:
        """Whether a session opens anything now."""
        return not session.is_over and now < session.began + SESSION and not self.is_closed(now)

    def may_change(self, session: Session, now: datetime) -> int:
        """What a dangerous request is answered for the session's sake: 200 when it may go on."""
        if not self.is_open(session, now):
            return 401
        return 200 if now - session.proven < RECENT else 403

    def is_fresh(self, now: datetime) -> bool:
        """Whether the app's code of this moment was not used yet."""
        return int(now.timestamp()) // STEP > self.last_step

    def begin(self, session_id: UUID, token: str, now: datetime, account: UUID | None) -> None:
        """A session has begun."""
        self.sessions.append(Session(session_id, token, now, account))

    def renew(self, session: Session, token: str, now: datetime) -> None:
        """A session has another token, and counts as proven now."""
        self.retired.append(session.token)
        session.token, session.proven = token, now

    def end_sessions(self, *, but: Session | None = None) -> None:
        """All sessions have ended, but one; so has whatever operators look at."""
        for session in self.sessions:
            session.is_over = session.is_over or session is not but
        self.end_looks()

    def end_looks(self) -> None:
        """Nobody looks through the person's eyes any more; that somebody did stays in the list."""
        for look in self.looks:
            look.is_over = True

    def end_tokens(self) -> None:
        """What was mailed or handed out is worth nothing."""
        for mailed in self.mailed:
            # What was written for nobody belongs to nobody.
            mailed.is_over = mailed.is_over or bool(mailed.token)
        self.end_halves()

    def end_halves(self) -> None:
        """Sign-ins that were under way begin anew."""
        for half in self.halves:
            half.is_over = True

    def write(self, kind: str, token: str, now: datetime) -> None:
        """A mail was asked for: of those before, the newest two stay good."""
        kept = [one for one in self.mailed if one.kind == kind and not one.is_over]
        for mailed in kept[: len(kept) - (PENDING - 1)] if len(kept) >= PENDING else []:
            mailed.is_over = True
        self.mailed.append(Mailed(kind, token, now))

    def shut_out(self) -> None:
        """Banned or deleted, or the password was lost and is another: everything has ended."""
        self.end_sessions()
        self.end_tokens()

    def disconnect(self, account: UUID, asking: Session) -> None:
        """An account is gone, with the sessions that began with it; the one that asks goes on without it."""
        self.accounts.remove(account)
        asking.account = None if asking.account == account else asking.account
        for session in self.sessions:
            session.is_over = session.is_over or session.account == account
        self.end_halves()
