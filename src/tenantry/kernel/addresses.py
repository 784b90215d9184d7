"""Addresses as settings hold them: checked, in one spelling, and never showing a password by accident."""

import re
from collections.abc import Collection
from email.utils import parseaddr
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

MASK = "***"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
SSL_MODES_SAFE = frozenset({"require", "verify-ca", "verify-full"})

_POSTGRESQL = frozenset({"postgres", "postgresql", "postgresql+asyncpg"})
_SQLITE = frozenset({"sqlite", "sqlite+aiosqlite", "sqlite+pysqlite"})
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*", re.IGNORECASE)
_SECRET_QUERY = re.compile(r"([?&][^=&]*(?:password|secret|token|key)[^=&]*=)[^&#]*", re.IGNORECASE)
_UNREADABLE = (
    "The address cannot be read. Characters such as @ : / ? # in a user name or password must be percent-encoded, "
    "for example %40 for @."
)


class Address(str):
    """An address that may hold a password. It is an ordinary string; only its `repr` shows the password as ***."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(masked(self))


def masked(address: str) -> str:
    """The address with *** in place of its password and of secrets in its query, fit to be shown."""
    head, found, rest = address.partition("://")
    # Up to the last @, so that a password which was not encoded is hidden too.
    login, at, place = rest.rpartition("@")
    if at:
        rest = f"{login.partition(':')[0]}:{MASK}@{place}" if ":" in login else f"{login}@{place}"
    return _SECRET_QUERY.sub(rf"\1{MASK}", f"{head}{found}{rest}")


def database_address(text: str) -> Address:
    """Check the address of a database and write it as `postgresql://...` or `sqlite:///path`.

    Raises ValueError, without the address in it: not readable, another database, no database name, an SQLite
    database in memory (every connection would have its own), an `sslmode` that does not exist.
    """
    parts = _split(text)
    if parts.scheme in _SQLITE:
        return _sqlite(text)
    if parts.scheme not in _POSTGRESQL:
        raise ValueError("The address of a database begins with postgresql:// or sqlite:///.")
    query = parse_qs(parts.query)
    if parts.path in {"", "/"} and not ({"dbname", "database"} & query.keys()):
        raise ValueError("The address names no database: it ends with /name.")
    for mode in query.get("sslmode", []):
        if mode not in SSL_MODES:
            raise ValueError(f"sslmode is one of {', '.join(SSL_MODES)}.")
    return Address("postgresql://" + text.strip().partition("://")[2])


def web_address(text: str) -> str:
    """Check an http or https address and return it without a slash at the end; ValueError for anything else."""
    parts = _split(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("A web address begins with https:// or http:// and names a host.")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("A web address carries no user, query or fragment here.")
    return text.strip().rstrip("/")


def origin(text: str) -> str:
    """Check a web origin: scheme, host and port only, in lower case; ValueError for anything else."""
    address = web_address(text).lower()
    parts = urlsplit(address)
    if parts.path:
        raise ValueError("An origin ends after its host and port: https://app.example.com")
    # As browsers write the Origin header: without the scheme's own port.
    return address.removesuffix({"https": ":443", "http": ":80"}[parts.scheme])


def mail_address(text: str) -> str:
    """Check the address of a mail server, `smtp://` or `smtps://`; ValueError for anything else."""
    parts = _split(text)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ValueError("The address of a mail server looks like smtps://user:password@mail.example.com:465")
    return text.strip()


def sender(text: str) -> str:
    """Check who a mail is from, `Name <name@example.com>` or the address alone; ValueError for anything else."""
    local, at, domain = parseaddr(text)[1].rpartition("@")
    if not (local and at and domain) or not text.isprintable():
        raise ValueError("A sender looks like name@example.com, or Name <name@example.com>.")
    return text.strip()


def storage_address(text: str) -> str:
    """Check the address of an object store: any scheme, for the store decides; ValueError when there is none."""
    _split(text)
    return text.strip()


def is_postgresql(address: str) -> bool:
    """Whether a checked database address is one of PostgreSQL."""
    return address.startswith("postgresql://")


def login_of(address: str) -> str | None:
    """The login a PostgreSQL address connects as; None when it names none."""
    parts = urlsplit(address)
    named = parse_qs(parts.query).get("user")
    return named[-1] if named else (unquote(parts.username) if parts.username else None)


def stays_here(address: str) -> bool:
    """Whether every host of the address is this machine: loopback or a Unix socket, where no TLS is needed."""
    parts = urlsplit(address)
    named = [host for value in parse_qs(parts.query).get("host", []) for host in value.split(",")]
    hosts = [*_hosts(parts), *named]
    # libpq and asyncpg take the local socket, or localhost, when no host is named.
    return all(host in LOOPBACK or host.startswith("/") for host in hosts)


def is_encrypted(address: str) -> bool:
    """Whether a PostgreSQL address insists on TLS."""
    return parse_qs(urlsplit(address).query).get("sslmode", [""])[-1] in SSL_MODES_SAFE


def _hosts(parts: SplitResult) -> list[str]:
    places = parts.netloc.rpartition("@")[2]
    return [_host(unquote(place)) for place in places.split(",") if place]


def _host(place: str) -> str:
    if place.startswith("["):
        return place[1:].partition("]")[0].lower()
    return place if place.startswith("/") else place.partition(":")[0].lower()


def _sqlite(text: str) -> Address:
    path = text.strip().partition(":///")[2]
    if not path or path.startswith(":memory:") or "?" in path:
        raise ValueError("An SQLite database is a file: sqlite:///var/tenantry.db, or sqlite:////srv/tenantry.db.")
    return Address(f"sqlite:///{path}")


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text.strip())
        ports = _ports(parts)
    except ValueError:
        # Python's own message repeats the host part, password and all.
        parts, ports = None, ()
    if parts is None or not _SCHEME.fullmatch(parts.scheme) or any(map(str.isspace, text.strip())):
        raise ValueError(_UNREADABLE)
    # user:12/3@host would pass for a host "user" with port 12.
    if parts.netloc and "@" in parts.path and "@" not in parts.netloc and parts.scheme in _POSTGRESQL:
        raise ValueError(_UNREADABLE)
    if not all(port.isdecimal() and 0 < int(port) <= 65535 for port in ports) or parts.fragment:
        raise ValueError(_UNREADABLE)
    return parts


def _ports(parts: SplitResult) -> Collection[str]:
    places = unquote(parts.netloc.rpartition("@")[2]).split(",")
    hosts_gone = [place.rpartition("]")[2] if place.startswith("[") else place for place in places]
    return [place.partition(":")[2] for place in hosts_gone if ":" in place and not place.startswith("/")]
