"""What the call log writes and answers."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

Bodies = tuple[msgspec.Raw | None, msgspec.Raw | None]
"""What was asked and what was answered: redacted JSON, encoded; None where nothing is kept."""
Noted = tuple[datetime, UUID, str, str, int, int, str, Bodies]
"""A call as it waits: when its answer had ended, key, method, endpoint, status, milliseconds, request, bodies.

A plain tuple, for it is made in the way of an answer.
"""


class Call(msgspec.Struct, frozen=True):
    """A call as its holder sees it. `status` 0: whoever called was gone before there was an answer."""

    id: UUID
    at: datetime
    method: str
    endpoint: str
    status: int
    latency_ms: int
    request_id: str
    request_body: Any
    response_body: Any


class Count(msgspec.Struct, frozen=True):
    """The calls of one bucket of latencies, in one step of time or to one endpoint."""

    step: datetime | None
    method: str | None
    endpoint: str | None
    bucket_ms: int
    calls: int
    errors: int
    latency_ms: int
