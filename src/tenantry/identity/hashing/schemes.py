"""The hash of our own and those of other systems, behind two questions. Loaded by name, see `passwords.py`."""

from unicodedata import normalize

from pwdlib import PasswordHash

from .imported import IMPORTED, Argon2

# OWASP's password storage cheat sheet: argon2id with 19 MiB, two passes, one lane.
_MEMORY_KIB, _PASSES, _LANES = 19 * 1024, 2, 1


class Schemes:
    """Blocks for tens of milliseconds: for threads only."""

    def __init__(self) -> None:
        ours = Argon2(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=_LANES)
        self._ours = ours
        self._hashes = PasswordHash((ours, *(kind() for kind in IMPORTED)))
        self._decoy = self._hashes.hash("nobody has this password")

    def hash(self, password: str) -> str:
        """The hash to store."""
        return self._hashes.hash(normalize("NFKC", password))

    def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """See `PasswordHashing.verify`."""
        normal = normalize("NFKC", password)
        is_right, better = False, None
        known = stored if stored is not None and self._is_known(stored) else self._decoy
        # As often for nobody: who types what has two spellings would else see who has an account.
        for spelled in dict.fromkeys((normal, password)):
            is_right, better = self._hashes.verify_and_update(spelled, known)
            if is_right:
                break
        if not is_right or known is not stored:
            return False, None
        return True, self._hashes.hash(normal) if better and spelled != normal else better

    def is_foreign(self, stored: str | None) -> bool:
        """Whether a hash was not made here, or not with today's cost: comparing it takes another time than ours do."""
        return stored is not None and (not self._ours.identify(stored) or self._ours.check_needs_rehash(stored))

    def _is_known(self, stored: str) -> bool:
        return any(one.identify(stored) for one in self._hashes.hashers)
