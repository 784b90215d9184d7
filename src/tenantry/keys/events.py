"""Facts that keys announce."""

from uuid import UUID

import msgspec


class KeyIssued(msgspec.Struct, frozen=True):
    """A holder has a new key, also one that follows a rotated one."""

    key_id: UUID
    holder_id: UUID


class KeyChanged(msgspec.Struct, frozen=True):
    """A key was revoked, activated, or got an end: whoever remembers it must forget it."""

    key_id: UUID
    holder_id: UUID
