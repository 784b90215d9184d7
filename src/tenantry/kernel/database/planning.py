"""What is to be done to a database to bring it from where it is to where it shall be, before anything is done."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from alembic.script import ScriptDirectory

from .migrating import script_of
from .revision import History

Step = tuple[str, str]
"""A revision and its message."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one history stands in a database: its last revision there, and its newest; None where there is none.

    `name` is None for the package's own.
    """

    name: str | None
    at: str | None
    newest: str | None


class Plan:
    """The package's history and these others, and how to go along them."""

    def __init__(self, histories: Sequence[History] = ()) -> None:
        self.histories = tuple(histories)
        self._script: ScriptDirectory = script_of(histories)

    def unknown(self, revisions: Iterable[str]) -> list[str]:
        """Those that are in none of the histories."""
        known = {one.revision for one in self._script.walk_revisions()}
        return sorted(set(revisions) - known)

    def names(self) -> list[str]:
        """Every revision there is, the older before the newer."""
        return [name for name, _ in self.forward((), "heads")]

    # Private calls, but those that `alembic upgrade` and `alembic downgrade` are made of.
    def forward(self, found: Iterable[str], to: str = "heads") -> list[Step]:
        """The revisions from `found` to `to`, in the order they run."""
        return _steps(self._script._upgrade_revs(to, tuple(found)))  # type: ignore[arg-type]  # noqa: SLF001

    def back(self, found: Iterable[str], to: str) -> list[Step]:
        """What is taken back on the way to `to`, the newest first, with what stands on it."""
        return _steps(self._script._downgrade_revs(to, tuple(found)))  # type: ignore[arg-type]  # noqa: SLF001

    def applied(self, found: Iterable[str]) -> list[str]:
        """The revisions a database at `found` has been through, the older before the newer."""
        coming = {name for name, _ in self.forward(found)}
        return [name for name in self.names() if name not in coming]

    def before(self, revision: str) -> str:
        """What to go back to so that this revision is the last to be taken back."""
        down: Any = self._script.get_revision(revision).down_revision
        if down is not None:
            return str(down)
        name = self._branch(revision)
        return f"{name}@base" if name else "base"

    def standings(self, found: Iterable[str]) -> list[Standing]:
        """Where each history stands, the package's first."""
        applied = self.applied(found)
        names = self.names()
        branch = {name: self._branch(name) for name in names}
        return [
            Standing(name, _last(applied, branch, name), _last(names, branch, name))
            for name in (None, *(one.name for one in self.histories))
        ]

    def _branch(self, revision: str) -> str | None:
        script: Any = self._script.get_revision(revision)
        return next(iter(script.branch_labels), None)


def _last(revisions: Sequence[str], branch: dict[str, str | None], name: str | None) -> str | None:
    return next((one for one in reversed(revisions) if branch[one] == name), None)


def _steps(planned: Iterable[Any]) -> list[Step]:
    return [(step.revision.revision, step.revision.doc) for step in planned]
