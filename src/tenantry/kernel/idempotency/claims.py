"""A key that a running request holds, until its answer is kept or the key is free again.

Never twice, whatever happens. What was refused, or taken back, frees the key. What was done keeps its answer. Where it
cannot be said whether something was done (the process died, the database did not answer a commit, the code broke after
one), the key stays taken until it ends, and repetitions are told so. See `docs/idempotency.md`.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from ..context import WROTE, Context
from ..crypto import SealBroken, Vault
from ..logs import logger_of
from ..problems import DatabaseConflict, DatabaseUnavailable, Internal, Problem
from . import queries
from .asking import Asked
from .errors import StillInProgress

HEADERS = frozenset({"content-type", "location", "content-location", "link", "etag", "cache-control"})
"""The headers that are kept with an answer; cookies never."""

Settling = TypeVar("Settling", bound=Callable[..., Any])

_PURPOSE = "idempotency"
_CLAIM = "tenantry.idempotency"
_log = logger_of("tenantry.idempotency")


class Answer(msgspec.Struct, frozen=True):
    """An answer as it is kept, sealed: it may show a secret that is shown once."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def sealed(self, vault: Vault, asked: Asked) -> str:
        return vault.seal(msgspec.json.encode(self), purpose=_PURPOSE, context=asked.seal)

    @classmethod
    def opened(cls, vault: Vault, sealed: str, asked: Asked) -> "Answer | None":
        """None when the secret key it was sealed under is not listed any more."""
        try:
            return msgspec.json.decode(vault.open(sealed, purpose=_PURPOSE, context=asked.seal), type=cls)
        except SealBroken:
            return None

    @classmethod
    def of(cls, response: Response) -> "Answer | None":
        """None for a refusal. Of a stream, which nobody has as a whole, it is kept that it was answered: `is_lost`."""
        body = getattr(response, "body", None)
        if response.status_code >= 400:
            return None
        if not isinstance(body, bytes):
            return cls(0, [], b"")
        headers = [(name, value) for name, value in response.headers.items() if name in HEADERS]
        return cls(response.status_code, headers, body)

    @property
    def is_lost(self) -> bool:
        """Whether something was done whose answer cannot be given again."""
        return self.status == 0

    def response(self) -> Response:
        """The answer again."""
        return Response(self.body, self.status, {**dict(self.headers), "Idempotent-Replayed": "true"})


class Claim:
    """One request that holds a key. `once` says that its answer is kept by the unit that does the work."""

    def __init__(self, ctx: Context, asked: Asked, key: UUID, lease: UUID, *, once: bool) -> None:
        self._ctx = ctx
        self._asked = asked
        self._key = key
        self._lease = lease
        self._once = once
        self._answer: Answer | None = None

    def hear(self, response: Response) -> None:
        """This will be answered."""
        self._answer = Answer.of(response)

    async def settle(self, working: Context) -> None:
        """Keep the answer in the unit that did the work: both are committed, or neither.

        Raises `StillInProgress`, which takes the work back, when another request has the key by now.
        """
        if self._answer is None:
            return
        sealed = self._answer.sealed(working.runtime.vault, self._asked)
        if not await queries.settle(working.db, self._key, self._lease, answer=sealed):
            raise StillInProgress

    async def end(
        self, _kind: type[BaseException] | None, error: BaseException | None, _at: TracebackType | None
    ) -> None:
        """The request is over, its unit committed or rolled back; its answer is not sent yet."""
        if isinstance(error, asyncio.CancelledError):
            return
        try:
            await self._end(error)
        except Exception as failure:  # noqa: BLE001 - the caller's answer is true all the same; the key stays taken.
            _log.warning("idempotency.not_settled", reason=f"{type(failure).__name__}: {failure}")

    async def _end(self, error: BaseException | None) -> None:
        if self._once:
            if error is not None or self._answer is None:
                # Only if the answer is not there, so only if nothing was committed.
                await self._let_go()
        elif error is None and self._answer is not None:
            sealed = self._answer.sealed(self._ctx.runtime.vault, self._asked)
            async with self._ctx.service(single=True) as working:
                await queries.settle(working.db, self._key, self._lease, answer=sealed)
        elif self._is_undone(error):
            await self._let_go()
        else:
            async with self._ctx.service(single=True) as working:
                await queries.lapse(working.db, self._key, self._lease)

    async def _let_go(self) -> None:
        async with self._ctx.service(single=True) as working:
            await queries.release(working.db, self._key, self._lease)

    def _is_undone(self, error: BaseException | None) -> bool:
        """Whether it is certain that nothing was created."""
        if error is None:
            return True  # A refusal that was returned.
        if isinstance(error, DatabaseUnavailable) and not error.nothing_happened:
            return False
        if isinstance(error, (Problem, HTTPException, RequestValidationError)) and not isinstance(error, _OURS):
            return True  # A refusal is a room's own word that nothing was done.
        return WROTE not in (self._ctx.once or ())


_OURS = (DatabaseConflict, DatabaseUnavailable, Internal)


def claimed(scope: Scope) -> Claim | None:
    """The claim of a request that holds a key."""
    found: Claim | None = scope["state"].get(_CLAIM)
    return found


def hold(scope: Scope, claim: Claim) -> None:
    """Let dependencies find it."""
    scope["state"][_CLAIM] = claim


def settling(dependency: Settling) -> Settling:
    """Mark a dependency whose unit keeps the answer of the request."""
    vars(dependency)["settles"] = True
    return dependency
