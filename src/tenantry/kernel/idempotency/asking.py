"""What a request with an `Idempotency-Key` asks for, and as whom."""

import re
from hashlib import sha256
from uuid import UUID

import msgspec
from fastapi import Request
from starlette.types import Scope

from ..context import Context
from .errors import IdempotencyKeyMalformed

HEADER = b"idempotency-key"
KEY_LENGTH_MAX = 255

_BARE = re.compile(r"[!#-+\--:<-\[\]-~]+")
_QUOTED = re.compile(r'"((?:[!#-\[\]-~]|\\["\\])+)"')


class Asked(msgspec.Struct, frozen=True):
    """Who asks with which key, and what: two requests are the same when their `request_hash` is."""

    actor_kind: str
    actor_id: UUID
    key: str
    route: str
    request_hash: bytes

    @property
    def owner(self) -> dict[str, object]:
        """Whose key it is. The table knows the key's hash only: callers put order numbers and addresses in."""
        return {
            "actor_kind": self.actor_kind,
            "actor_id": self.actor_id,
            "key_hash": sha256(self.key.encode()).digest(),
        }

    @property
    def seal(self) -> str:
        """What a sealed answer is bound to."""
        return f"{self.actor_kind}/{self.actor_id}/{self.key}"


async def asked(request: Request, ctx: Context, route: str) -> Asked | None:
    """What is asked, or None for a stranger, who has no keys. Raises `IdempotencyKeyMalformed`.

    The same request: method, path and query, the same holder, and the same bytes as body, blanks included. An API
    key speaks for its holder, so that one that was rotated may repeat what the old one asked; another one with other
    rights may not, for it would be shown what it could not have asked for.
    """
    actor = ctx.actor
    holder = ctx.current_holder
    if actor.user_id is not None and actor.kind == "user":
        kind, actor_id = "user", actor.user_id
    elif actor.kind == "key" and holder is not None:
        kind, actor_id = "holder", holder.id
    else:
        return None
    key, scope = key_of(request.scope), request.scope
    rights = (sorted(actor.permissions), actor.tier) if kind == "holder" else ()
    what = (scope["method"], scope["path"], scope["query_string"], holder.id if holder else None, rights)
    said = sha256(msgspec.json.encode((*what, sha256(await request.body()).digest()))).digest()
    return Asked(kind, actor_id, key, route, said)


def has_key(scope: Scope) -> bool:
    """Whether a request names a key; no more than a look at its headers."""
    for name, _ in scope["headers"]:  # noqa: SIM110 - `any` makes a generator, which costs more than the loop
        if name == HEADER:
            return True
    return False


def key_of(scope: Scope) -> str:
    r"""The key: a string of RFC 8941 without parameters, as the draft has it, or the bare characters.

    Both writings of the same characters are the same key. Bare, none of `" , ; \` may be in it: that would be two
    headers that a proxy joined, or a broken string. Raises `IdempotencyKeyMalformed`.
    """
    values = [value for name, value in scope["headers"] if name == HEADER]
    text = values[0].decode("latin-1").strip(" \t")
    if quoted := _QUOTED.fullmatch(text):
        key = re.sub(r'\\(["\\])', r"\1", quoted[1])
    elif _BARE.fullmatch(text):
        key = text
    else:
        key = ""
    if len(values) != 1 or not 1 <= len(key) <= KEY_LENGTH_MAX:
        raise IdempotencyKeyMalformed
    return key
