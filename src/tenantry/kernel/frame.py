"""The laws of the frame: who asked, for which host, and which headers an answer carries."""

import ipaddress
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.types import Scope

from .problems import Malformed, Problem, WrongHost

Header = tuple[bytes, bytes]

_NO_STORE: Header = (b"cache-control", b"no-store")
# Load balancers and monitors ask by address; these paths say nothing that depends on the host.
_ANY_HOST = frozenset({"/healthz", "/readyz", "/metrics"})
# What proxies and tunnels say of the one they pass on, beside the X-Forwarded- ones (RFC 7239, RFC 9110 7.6.3).
_PASSED_ON = frozenset({b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip"})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_FEATURES = ("browsing-topics", "camera", "display-capture", "geolocation", "microphone", "midi", "payment", "usb")


@dataclass(frozen=True, kw_only=True)
class FrameOptions:
    """What the frame must know.

    `form_targets` and `image_sources` are further origins for the content policy: browsers apply `form-action` to the
    redirects that follow a form too, so sign-in and checkout name the providers' origins here.
    `repeatable` names the query parameters that may come more than once.
    """

    production: bool
    public_url: str
    trusted_proxies: int = 0
    form_targets: Sequence[str] = ()
    image_sources: Sequence[str] = ()
    repeatable: AbstractSet[str] = frozenset()
    host: str = field(init=False, default="")

    def __post_init__(self) -> None:
        if self.trusted_proxies < 0:
            raise ValueError("the number of trusted proxies is not negative")
        parts = urlsplit(self.public_url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise ValueError(f"the public address is http(s)://host, not {self.public_url!r}")
        object.__setattr__(self, "host", _normal_host(parts.netloc.rpartition("@")[2], parts.scheme))


class AnswerHeaders:
    """The headers that every answer carries unless it brings its own, made once."""

    def __init__(self, fixed: Sequence[Header]) -> None:
        self._fixed = list(fixed)
        self._names = frozenset(name for name, _ in fixed)

    def missing(self, given: set[bytes], *, personal: bool) -> list[Header]:
        """Return what to add to an answer that has the given names (lower case).

        `personal` answers, and those that set a cookie, are not stored anywhere unless they say how.
        """
        added = self._fixed
        if not given.isdisjoint(self._names):
            added = [header for header in added if header[0] not in given]
        if (personal or b"set-cookie" in given) and b"cache-control" not in given:
            return [*added, _NO_STORE]
        return added


def answer_headers(options: FrameOptions) -> AnswerHeaders:
    """Build the security headers. An answer that brings one of them (a file's own sandbox policy) keeps it."""
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": " ".join(("'self'", "data:", *options.image_sources)),
        "font-src": "'self'",
        "connect-src": "'self'",
        "manifest-src": "'self'",
        "form-action": " ".join(("'self'", *options.form_targets)),
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    headers = {
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": ", ".join(f"{name}=()" for name in _FEATURES),
    }
    if options.production and options.public_url.startswith("https://"):
        headers["strict-transport-security"] = "max-age=31536000"
    return AnswerHeaders([(name.encode(), value.encode("ascii")) for name, value in headers.items()])


def client_address(scope: Scope, headers: dict[bytes, bytes], trusted_proxies: int) -> str | None:
    """Return the caller's IP address, or None when the socket has none (a Unix socket without proxies).

    Each trusted proxy appends the address it was called from to X-Forwarded-For, so with N of them the caller stands
    N-th from the right. What stands further left was sent by the caller and is never believed. With fewer entries
    than proxies, or with something that is not an address, it is the socket's peer.
    """
    peer = scope.get("client")
    socket = (str(peer[0]) or None) if peer else None
    if not trusted_proxies or b"x-forwarded-for" not in headers:
        return socket
    lines = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    entries = b",".join(lines).decode("latin-1").split(",")
    if len(entries) < trusted_proxies:
        return socket
    return _address(entries[-trusted_proxies].strip()) or socket


def host_refusal(options: FrameOptions, scope: Scope, headers: dict[bytes, bytes]) -> Problem | None:
    """Return why the Host is refused, or None: it must be the public one; in development also any loopback name."""
    given = headers.get(b"host")
    if scope["path"] in _ANY_HOST:
        return None
    if given is None or (len(headers) != len(scope["headers"]) and _host_count(scope) != 1):
        return Malformed("The request names exactly one Host.")
    host = _normal_host(given.decode("latin-1"), options.public_url.partition(":")[0])
    if host == options.host or (not options.production and _is_loopback(host)):
        return None
    return WrongHost()


def is_private(address: str) -> bool:
    """Say whether an address is loopback, private or link-local: a machine of the same network."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return not ip.is_global and not ip.is_unspecified and (ip.is_loopback or ip.is_private or ip.is_link_local)


def is_near(scope: Scope, address: str | None, *, trusted_proxies: int = 0) -> bool:
    """Say whether a request was sent by a machine of the same network: for what only developers and operators may see.

    `address` is whom it is from, by `client_address` with the same number of proxies. What a proxy passed on that is
    not trusted, such as a tunnel's end on this machine, came from anywhere.
    """
    names = {name for name, _ in scope["headers"]}
    is_passed_on = not names.isdisjoint(_PASSED_ON) or any(name.startswith(b"x-forwarded-") for name in names)
    if is_passed_on and (not trusted_proxies or b"x-forwarded-for" not in names):
        return False
    return address is not None and is_private(address)


def _host_count(scope: Scope) -> int:
    return sum(name == b"host" for name, _ in scope["headers"])


def _normal_host(host: str, scheme: str) -> str:
    return host.lower().removesuffix(f":{_DEFAULT_PORTS.get(scheme, 80)}")


def _is_loopback(host: str) -> bool:
    name = host.partition("]")[0][1:] if host.startswith("[") else host.partition(":")[0]
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=4096)
def _address(entry: str) -> str:
    """Return the address of one entry: without the brackets and port that some proxies write, "" if it is none."""
    if entry.startswith("["):
        entry = entry[1:].partition("]")[0]
    elif entry.count(":") == 1:
        entry = entry.partition(":")[0]
    try:
        return str(ipaddress.ip_address(entry))
    except ValueError:
        return ""
