"""Hashing and verifying, off the event loop and never more than a few at once.

Whoever is not signed in can make the server hash, and a hash costs 20 MB and tens of milliseconds: without a bound that
is a way to bring it down.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any, ClassVar, TypeVar

from tenantry.kernel.database import refuse_while_open
from tenantry.kernel.extras import extra
from tenantry.kernel.problems import Problem

T = TypeVar("T")

PASSWORD_CHARACTERS_MAX = 256
AT_ONCE = 2
WAITING_MAX = 64
WRONG_SECONDS_MAX = 1.0
_LAST_SECONDS = 0.01
_SCHEMES = f"{__package__}.schemes"


class HashingBusy(Problem):
    """Too many people are signing in at this moment. Try again in a few seconds."""

    code, status = "identity.hashing_busy", 503
    answer_headers: ClassVar[dict[str, str]] = {"Retry-After": "5"}


class PasswordHashing:
    """argon2id for new passwords; hashes of other systems are verified and upgraded. To be opened on the event loop.

    At most `at_once` run and `waiting_max` wait; who comes then is answered `HashingBusy` (503). Nothing of it may
    happen while a unit of work is open. Passwords are taken in Unicode's form NFKC, so that two keyboards that write an
    "é" differently open the same account; as they came they are tried too, for hashes made elsewhere.
    """

    def __init__(self, *, at_once: int = AT_ONCE, waiting_max: int = WAITING_MAX) -> None:
        self._at_once, self._room = at_once, at_once + waiting_max
        self._threads: ThreadPoolExecutor | None = None
        self._schemes: Any = None
        self._inside = 0
        self._longest = 0.0

    async def open(self) -> None:
        """Load the schemes and start the threads."""
        self._threads = ThreadPoolExecutor(self._at_once, thread_name_prefix="password")
        # By name, and in a thread: a product without passwords does without argon2 and bcrypt.
        self._schemes = await self._run(lambda: extra(_SCHEMES).Schemes())

    async def aclose(self) -> None:
        """End the threads; what runs is waited for."""
        if self._threads is not None:
            self._threads.shutdown(wait=True, cancel_futures=True)
            self._threads = None

    async def hash(self, password: str) -> str:
        """The hash to store. Raises `HashingBusy`."""
        return await self._run(lambda: self._schemes.hash(password))

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Whether the password is right, and the hash to store instead when the old one is weaker than ours.

        Without a stored hash it takes as long and answers False, so that nobody learns who has an account. So does a
        hash of no form we know. Other systems' hashes may take much longer than ours: once one was compared, each "no"
        waits until the longest such comparison would be done, a second at most. Raises `HashingBusy`.
        """

        def compared() -> tuple[bool, str | None, float, bool]:
            begun = monotonic()
            is_right, better = self._schemes.verify(password, stored)
            return is_right, better, monotonic() - begun, self._schemes.is_foreign(stored)

        is_right, better, seconds, is_foreign = await self._run(compared)
        if is_foreign:
            self._longest = max(self._longest, min(seconds, WRONG_SECONDS_MAX))
        if not is_right:
            # Outside the threads: who waits keeps nobody from hashing.
            await _wait(self._longest - seconds)
        return is_right, better

    async def _run(self, work: Callable[[], T]) -> T:
        refuse_while_open("hashing a password")
        if self._threads is None:
            msg = "password hashing is not open"
            raise RuntimeError(msg)
        if self._inside >= self._room:
            raise HashingBusy
        self._inside += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        # Counted until it has really ended: a caller who goes away leaves its thread at work.
        future.add_done_callback(self._left)
        return await asyncio.shield(future)

    def _left(self, future: asyncio.Future[T]) -> None:
        self._inside -= 1
        if not future.cancelled():
            future.exception()


async def _wait(seconds: float) -> None:
    """Sleep, as late for a short time as for a long one: Linux lets a sleep end late by a share of its length."""
    until = monotonic() + seconds
    await asyncio.sleep(max(0.0, seconds - _LAST_SECONDS))
    await asyncio.sleep(max(0.0, until - monotonic()))
