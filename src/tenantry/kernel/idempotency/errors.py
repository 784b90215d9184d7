"""What a request with an `Idempotency-Key` is refused with."""

from collections.abc import Mapping
from typing import ClassVar

from ..problems import Problem


class IdempotencyKeyMalformed(Problem):
    """The Idempotency-Key is 1 to 255 visible ASCII characters, bare or in double quotes, and is sent once."""

    code, status = "idempotency.key_malformed", 400


class IdempotencyKeyReused(Problem):
    """This Idempotency-Key was used for another request. Use a new key for each thing you want done."""

    code, status = "idempotency.key_reused", 422


class StillInProgress(Problem):
    """The first request with this Idempotency-Key is still running. Repeat yours in a moment."""

    code, status = "idempotency.in_progress", 409
    answer_headers: ClassVar[Mapping[str, str]] = {"Retry-After": "1"}


class Interrupted(Problem):
    """The first request with this Idempotency-Key was interrupted. See whether it was done before you use a new one."""

    code, status = "idempotency.interrupted", 409
