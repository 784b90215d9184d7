"""Whether Stripe sent this. Written out here, because the SDK asks the machine's clock and takes one secret only.

The rule is Stripe's (docs: "Verify webhook signatures manually"): HMAC-SHA256 with the whole secret over the time, a
dot and the body, in hex, under scheme `v1`. Tests hold it against the SDK's own. Ours refuses the future too.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime

from ..errors import SecretUnset, SignatureRefused

TOLERANCE_SECONDS = 300
_HEADER_CHARACTERS_MAX = 4096
_TIME = re.compile(r"[0-9]{1,12}")


def verify(body: bytes, header: str | None, secrets: Sequence[str], *, now: datetime) -> None:
    """Return when one of the secrets signed this body within five minutes of `now`.

    Raises `SecretUnset` when no secret is more than blanks, `SignatureRefused` with the reason for everything else.
    """
    usable = [one for one in secrets if one.strip()]
    if not usable:
        raise SecretUnset
    if not header:
        raise SignatureRefused("The Stripe-Signature header is missing.")
    signed_at, signatures = _read(header)
    # Each is compared, so that the time taken does not tell which secret came close.
    matches = [hmac.compare_digest(_signature(body, secret, signed_at), one) for secret in usable for one in signatures]
    if not any(matches):
        raise SignatureRefused
    age = now.timestamp() - signed_at
    if age > TOLERANCE_SECONDS:
        raise SignatureRefused("This event was signed too long ago.")
    if age < -TOLERANCE_SECONDS:
        raise SignatureRefused("This event was signed in the future.")


def _signature(body: bytes, secret: str, signed_at: int) -> bytes:
    return hmac.new(secret.encode(), b"%d.%s" % (signed_at, body), hashlib.sha256).hexdigest().encode()


def _read(header: str) -> tuple[int, list[bytes]]:
    """The time and the signatures of scheme v1. Others are no signatures: v0 would be a way down to a weaker one."""
    pairs = [one.partition("=") for one in header[:_HEADER_CHARACTERS_MAX].split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    signatures = [value.encode("utf-8", "replace") for name, _, value in pairs if name == "v1"]
    is_torn = any(name in {"t", "v1"} and not equals for name, equals, _ in pairs)
    if is_torn or not times or not _TIME.fullmatch(times[0]) or not signatures:
        raise SignatureRefused("The Stripe-Signature header holds no time and signature that could be read.")
    return int(times[0]), signatures


__all__ = ["TOLERANCE_SECONDS", "verify"]
