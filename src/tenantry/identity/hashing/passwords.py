"""Hashing and verifying, off the event loop and never more than a few at once.

Whoever is not signed in can make the server hash, and a hash costs 20 MB and tens of milliseconds: without a bound that
is a way to bring it down.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, TypeVar
from unicodedata import normalize

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

from tenantry.kernel.database import refuse_while_open
from tenantry.kernel.problems import Problem

from .imported import IMPORTED

T = TypeVar("T")

PASSWORD_CHARACTERS_MAX = 256
AT_ONCE = 2
WAITING_MAX = 64
# OWASP's password storage cheat sheet: argon2id with 19 MiB, two passes, one lane.
_MEMORY_KIB, _PASSES, _LANES = 19 * 1024, 2, 1


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
        ours = Argon2Hasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=_LANES)
        self._hashes = PasswordHash((ours, *(kind() for kind in IMPORTED)))
        self._at_once, self._room = at_once, at_once + waiting_max
        self._threads: ThreadPoolExecutor | None = None
        self._inside = 0
        self._decoy = ""

    async def open(self) -> None:
        """Start the threads, and make the hash that stands in for people who are not there."""
        self._threads = ThreadPoolExecutor(self._at_once, thread_name_prefix="password")
        self._decoy = await self._run(lambda: self._hashes.hash("nobody has this password"))

    async def aclose(self) -> None:
        """End the threads; what runs is waited for."""
        if self._threads is not None:
            self._threads.shutdown(wait=True, cancel_futures=True)
            self._threads = None

    async def hash(self, password: str) -> str:
        """The hash to store. Raises `HashingBusy`."""
        return await self._run(lambda: self._hashes.hash(normalize("NFKC", password)))

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Whether the password is right, and the hash to store instead when the old one is weaker than ours.

        Without a stored hash it takes as long and answers False, so that nobody learns who has an account. So does a
        hash of no form we know. Raises `HashingBusy`.
        """
        return await self._run(lambda: self._verified(password, stored))

    def _verified(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        normal = normalize("NFKC", password)
        if stored is None:
            self._hashes.verify(normal, self._decoy)
            return False, None
        for spelled in dict.fromkeys((normal, password)):
            try:
                right, better = self._hashes.verify_and_update(spelled, stored)
            except UnknownHashError:
                self._hashes.verify(normal, self._decoy)
                return False, None
            if right:
                return True, self._hashes.hash(normal) if better and spelled != normal else better
        return False, None

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
