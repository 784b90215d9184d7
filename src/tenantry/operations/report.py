"""What a look into an installation has to say."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import msgspec

from tenantry.product import Finding


@dataclass(frozen=True, slots=True)
class Sheet:
    """Figures of one kind: rows of plain values under names, and a `note` about what is missing or how to read them."""

    name: str
    title: str
    rows: tuple[dict[str, Any], ...] = ()
    note: str = ""

    @classmethod
    def of(cls, name: str, title: str, rows: Iterable[msgspec.Struct], note: str = "") -> Self:
        """A sheet of row structs."""
        return cls(name, title, tuple(msgspec.structs.asdict(row) for row in rows), note)


@dataclass(frozen=True, slots=True)
class Examination:
    """Everything that was found; `database` is its address without a password."""

    database: str
    findings: tuple[Finding, ...]
    sheets: tuple[Sheet, ...] = ()
