"""What is to be done once an answer has ended, for whoever finds out on the way in that it matters.

The outermost layer, the frame or `Telling`, does it: only there it is known how the answer went and how long it took.
"""

from collections.abc import Awaitable, Callable
from time import perf_counter

from starlette.types import Message, Scope, Send

Ended = Callable[[Scope, int, float], None]
"""Gets the scope, the answer's status (0: there was none, whoever asked was gone), and the seconds it took.

It runs on the event loop, must be quick and must not raise.
"""
_ENDED = "tenantry.ended"
_HANDSHAKE = {"websocket.accept": 101, "websocket.close": 403, "websocket.http.response.start": 403}


def when_ended(scope: Scope, do: Ended) -> None:
    """Have this done, once, when the answer to a request has ended; for a websocket, when its handshake was answered.

    There is one thing to be done at most; what is told later takes its place.
    """
    scope.setdefault("state", {})[_ENDED] = do


def ended(scope: Scope, status: int, seconds: float) -> None:
    """Do what was asked for, if anything was and nobody did it yet."""
    state = scope.get("state")
    if state and _ENDED in state:
        do: Ended = state.pop(_ENDED)
        do(scope, status, seconds)


def ending_handshake(scope: Scope, send: Send) -> Send:
    """Sends on what a websocket says; its handshake's answer is an end."""
    started = perf_counter()

    # Not a coroutine of its own: every message comes by here.
    def sending(message: Message) -> Awaitable[None]:
        status = _HANDSHAKE.get(message["type"])
        if status is not None:
            ended(scope, message.get("status", status), perf_counter() - started)
        return send(message)

    return sending
