"""How the stand-in payment provider tells what happened: signed, and as badly as it is asked to."""

import hashlib
import hmac
import random
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

import httpx2
import msgspec

from tenantry.billing.demo import DEMO_WEBHOOK_SECRET
from tenantry.kernel.trust import trusted

from .billing_state import Books, Told

TRIES = (0.1, 0.2, 0.5, 1, 2, 5, *(10,) * 60)
"""Seconds from one try to the next; about ten minutes in all, which is long for an application to start."""
_TIMEOUT_SECONDS = 10.0
EVENTS_KEPT = 5_000


class Sent(msgspec.Struct, frozen=True):
    """An event as it goes over the wire; header names are lower-case."""

    event_id: str
    body: bytes
    headers: dict[str, str]


class Waiting(msgspec.Struct):
    """An event on its way. `due`: by the process's own clock. `is_held`: until all that are held are let go."""

    event_id: str
    due: float
    attempts: int = 0
    is_held: bool = False


class Chaos(msgspec.Struct):
    """How badly it tells, from now on.

    `repeat`: how often each event is sent once more. `lose`: how many get lost, below 0 all of them. `delay`: seconds.
    `is_holding`: nothing is sent until it is let go.
    """

    repeat: Annotated[int, msgspec.Meta(ge=0, le=20)] = 0
    lose: Annotated[int, msgspec.Meta(ge=-1, le=EVENTS_KEPT)] = 0
    delay: Annotated[float, msgspec.Meta(ge=0, le=600)] = 0.0
    is_holding: bool = False


def signed(event_id: str, body: bytes, *, at: datetime, secret: str = DEMO_WEBHOOK_SECRET) -> Sent:
    """The event with the headers that it is sent with."""
    timestamp = str(int(at.timestamp()))
    words = f"{event_id}.{timestamp}.".encode() + body
    signature = hmac.new(secret.encode(), words, hashlib.sha256).hexdigest()
    headers = {
        "content-type": "application/json",
        "x-fake-id": event_id,
        "x-fake-timestamp": timestamp,
        "x-fake-signature": signature,
    }
    return Sent(event_id, body, headers)


class Outbox:
    """What is still to be sent. Its methods are called under the lock of the books."""

    def __init__(self, books: Books, now: Callable[[], datetime]) -> None:
        self.chaos = Chaos()
        self._books = books
        self._now = now
        # What was on its way when the books were last kept goes on.
        self._waiting = [Waiting(one.id, 0.0) for one in books.events.values() if one.status == "pending"]
        self._on_the_way = 0

    def add(self, event: Told) -> None:
        """Take an event in; what goes wrong with it is decided now."""
        self._books.events[event.id] = event
        while len(self._books.events) > EVENTS_KEPT:
            del self._books.events[next(iter(self._books.events))]
        chaos = self.chaos
        if chaos.lose:
            chaos.lose -= chaos.lose > 0
            event.status = "lost"
            return
        for _ in range(1 + chaos.repeat):
            self._waiting.append(Waiting(event.id, time.monotonic() + chaos.delay, is_held=chaos.is_holding))

    def resend(self, event_id: str) -> None:
        """Send it once more, at once. An id that is not known is a KeyError."""
        self._waiting.append(Waiting(self._books.events[event_id].id, 0.0))

    def release(self, *, order: random.Random | None) -> None:
        """Let go what is held: shuffled by `order`, or in the order in which it happened."""
        self.chaos.is_holding = False
        if order is not None:
            order.shuffle(self._waiting)
        for one in self._waiting:
            one.is_held = False

    def due(self) -> list[Waiting]:
        """What is to be sent now. Whoever takes it says how it went with `told`."""
        at, known = time.monotonic(), self._books.events
        self._waiting = [one for one in self._waiting if one.event_id in known]
        found = [one for one in self._waiting if not one.is_held and one.due <= at]
        self._waiting = [one for one in self._waiting if one.is_held or one.due > at]
        self._on_the_way += len(found)
        return found

    def is_empty(self) -> bool:
        """Whether everything that may be sent has arrived."""
        return not self._on_the_way and all(one.is_held for one in self._waiting)

    def calm(self) -> None:
        """Tell everything as it should be told, what is held, too."""
        self.chaos = Chaos()
        self.release(order=None)

    def sealed(self, one: Waiting) -> Sent:
        """The event as it is sent now."""
        return signed(one.event_id, self._books.events[one.event_id].body.encode(), at=self._now())

    def told(self, one: Waiting, *, is_taken: bool) -> None:
        """Note how a try ended; what was not taken is tried again, unless it was tried long enough."""
        self._on_the_way -= 1
        event = self._books.events.get(one.event_id)
        if event is None:
            return
        event.attempts += 1
        if is_taken:
            event.status = "delivered"
        elif one.attempts < len(TRIES):
            self._waiting.append(Waiting(one.event_id, time.monotonic() + TRIES[one.attempts], one.attempts + 1))
        elif event.status != "delivered":
            event.status = "failed"


class Postman:
    """Carries events to the application, in a thread of its own, until it is stopped.

    `due` and `told` are called for what is to be sent and how that ended, `idle` in between.
    """

    def __init__(
        self,
        address: str,
        *,
        due: Callable[[], list[tuple[Waiting, Sent]]],
        told: Callable[..., None],
    ) -> None:
        self._address = address
        self._due = due
        self._told = told
        self._awake, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="stand-in-postman", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is something to carry."""
        self._awake.set()

    def stop(self) -> None:
        """End. What is on its way now may have arrived."""
        self._stopped.set()
        self.wake()
        self._thread.join(_TIMEOUT_SECONDS)

    def _run(self) -> None:
        client = httpx2.Client(timeout=_TIMEOUT_SECONDS, follow_redirects=False, trust_env=False, verify=trusted())
        with client:
            while not self._stopped.is_set():
                for one, sent in self._due():
                    if self._stopped.is_set():
                        return
                    self._told(one, is_taken=self._is_taken(client, sent))
                self._awake.wait(0.1)
                self._awake.clear()

    def _is_taken(self, client: httpx2.Client, sent: Sent) -> bool:
        try:
            return client.post(self._address, content=sent.body, headers=sent.headers).is_success
        except (httpx2.HTTPError, httpx2.InvalidURL):
            return False
