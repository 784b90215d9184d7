"""Which revisions a database should be at and an SQLite file is at: a look without Alembic, for every start.

The package's history is one line and its newest revision is `HEAD`. An author's history is a branch of its own: it
depends on ours, and what the version table holds is every revision that no other one stands on.
"""

import ast
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tenantry.migrations import HEAD

VERSION_TABLE = "tenantry_schema"


@dataclass(frozen=True, slots=True)
class History:
    """The migrations of a module's own tables: the branch's name, the folder of its files, the names of the tables."""

    name: str
    folder: Path
    tables: frozenset[str] = frozenset()

    def files(self) -> list[Path]:
        """The migrations there are, by name; none when the folder is not there."""
        return sorted(path for path in self.folder.glob("*.py") if not path.name.startswith("_"))


def newest(histories: Iterable[History] = ()) -> frozenset[str]:
    """What the version table holds when nothing is to come. Reads the files and runs none of them.

    Raises ValueError for a file that is no migration.
    """
    made, stood_on = {HEAD}, set[str]()
    for history in histories:
        for path in history.files():
            said = _said_by(path)
            made.add(_only(said, "revision", path))
            stood_on.update(*(said.get(name, ()) for name in ("down_revision", "depends_on")))
    return frozenset(made - stood_on)


def sqlite_revisions(path: Path) -> frozenset[str]:
    """The revisions a file is at; none when it has none, or is not there. `sqlite3.Error` when it is no database."""
    if not path.exists():
        return frozenset()
    with closing(sqlite3.connect(path)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [VERSION_TABLE]).fetchone():
            return frozenset()
        rows = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchall()  # noqa: S608 - a constant
        return frozenset(str(row[0]) for row in rows)


def shown(revisions: Sequence[str] | frozenset[str]) -> str:
    """Revisions in a sentence: `0003 and notes_0001`."""
    return " and ".join(sorted(revisions)) or "none"


def _said_by(path: Path) -> dict[str, tuple[str, ...]]:
    """The names that a migration file gives to itself and to what it stands on."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        return dict(_assignments(tree))
    except (SyntaxError, ValueError) as error:
        msg = f"{path} is no migration: {error}"
        raise ValueError(msg) from error


def _assignments(tree: ast.Module) -> Iterator[tuple[str, tuple[str, ...]]]:
    for line in tree.body:
        targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
        for target in targets:
            if isinstance(target, ast.Name) and target.id in {"revision", "down_revision", "depends_on"}:
                value = ast.literal_eval(line.value)  # type: ignore[attr-defined]
                yield target.id, (value,) if isinstance(value, str) else tuple(value or ())


def _only(said: dict[str, tuple[str, ...]], name: str, path: Path) -> str:
    if len(found := said.get(name, ())) != 1:
        msg = f"{path} is no migration: it does not say its {name}"
        raise ValueError(msg)
    return found[0]
