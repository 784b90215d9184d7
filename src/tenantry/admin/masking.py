"""What of stored data an operator is shown: its shape, ids and numbers. A payload may hold secrets and addresses."""

import json
from typing import Any
from uuid import UUID

import msgspec

from tenantry.kernel.redaction import redacted, scrubbed

SHOWN_CHARACTERS_MAX = 20_000
NAMES_MAX = 50


class Member(msgspec.Struct, frozen=True):
    """One member of a payload: what it is shown as, or else what it is (`text`, `list`, `object`) and how long."""

    name: str
    shown: str = ""
    kind: str = ""
    length: int = 0


def members_of(payload: dict[str, Any]) -> list[Member]:
    """The members of a job's payload. Ids, numbers and truth values are shown, of all else only the length."""
    return [_member(scrubbed(str(name)), value) for name, value in list(payload.items())[:NAMES_MAX]]


def redacted_json(body: bytes) -> str:
    """A JSON body without secrets, made readable and cut to its first characters; "" for what is no JSON."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return json.dumps(redacted(found), indent=2, ensure_ascii=False)[:SHOWN_CHARACTERS_MAX]


def _member(name: str, value: Any) -> Member:
    if value is None or isinstance(value, bool | int | float):
        return Member(name, json.dumps(value))
    if isinstance(value, str):
        return Member(name, value) if _is_id(value) else Member(name, kind="text", length=len(value))
    return Member(name, kind="list" if isinstance(value, list) else "object", length=len(value))


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
