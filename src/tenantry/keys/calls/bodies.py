"""Bodies of calls, where the product has them logged: JSON only, small ones only, without what looks like a secret."""

from collections.abc import Awaitable, Sequence

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tenantry.kernel.database.types import UnstorableText, encode_json
from tenantry.kernel.redaction import redacted
from tenantry.kernel.told import Header

from .rows import Bodies as Kept

_CREDENTIALS = frozenset({b"authorization", b"x-api-key"})
_KEPT = "tenantry.bodies"


class Bodies:
    """Listens to requests that show a key, and to their answers. Only stands there when the product logs bodies."""

    def __init__(self, app: ASGIApp, *, bytes_max: int) -> None:
        self._app = app
        self._bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _may_show_key(scope):
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        if _KEPT in state:
            # Somebody's own application, in which the product is mounted, listens already.
            await self._app(scope, receive, send)
            return
        asked, told = _Body(self._bytes_max), _Body(self._bytes_max)
        state[_KEPT] = asked, told
        asked.begin(scope["headers"])

        async def receiving() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                asked.take(message)
            return message

        def sending(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                told.begin(message.get("headers", ()))
            elif message["type"] == "http.response.body":
                told.take(message)
            return send(message)

        await self._app(scope, receiving, sending)


def bodies_of(scope: Scope) -> Kept:
    """What was asked and what was answered, as redacted JSON; None where there was none, or nobody listened."""
    kept: tuple[_Body, _Body] | None = scope.get("state", {}).get(_KEPT)
    return (None, None) if kept is None else (kept[0].told(), kept[1].told())


def keep_no_bodies(scope: Scope) -> None:
    """Keep neither body of this request: it is about a secret, wherever in it that stands."""
    scope.get("state", {}).pop(_KEPT, None)


def _may_show_key(scope: Scope) -> bool:
    return any(name in _CREDENTIALS for name, _ in scope["headers"])


class _Body:
    """One body while it passes: as much of it as may be kept, and its size."""

    __slots__ = ("_bytes_max", "_is_json", "_parts", "_size")

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._is_json = False
        self._parts: list[bytes] = []
        self._size = 0

    def begin(self, headers: Sequence[Header]) -> None:
        given = {name.lower(): value for name, value in headers}
        kind = given.get(b"content-type", b"").partition(b";")[0].strip().lower()
        # What is packed would have to be unpacked first.
        self._is_json = (kind == b"application/json" or kind.endswith(b"+json")) and b"content-encoding" not in given

    def take(self, message: Message) -> None:
        part = message.get("body", b"")
        if self._is_json and part:
            self._size += len(part)
            if self._size > self._bytes_max:
                self._parts.clear()
            else:
                self._parts.append(part)

    def told(self) -> msgspec.Raw | None:
        if not self._size:
            return None
        if self._size > self._bytes_max:
            return msgspec.Raw(msgspec.json.encode({"omitted": "size", "bytes": self._size}))
        try:
            return msgspec.Raw(encode_json(redacted(msgspec.json.decode(b"".join(self._parts)))))
        except (ValueError, RecursionError, UnstorableText):
            return msgspec.Raw(msgspec.json.encode({"omitted": "form", "bytes": self._size}))
