"""Facts that identity announces."""

from uuid import UUID

import msgspec


class UserRegistered(msgspec.Struct, frozen=True):
    """A person signed in for the first time. Announced in the transaction that made the user and the user's holder."""

    user_id: UUID


class UserProven(msgspec.Struct, frozen=True):
    """An address that was never proven before is now; whatever somebody had put on that user is gone.

    `was_here`: the browser that proved it was signed in as them, so who was on that user before is who proved it.
    """

    user_id: UUID
    was_here: bool = False


class UserWasBanned(msgspec.Struct, frozen=True):
    """A person may not come in any more; their sessions have ended."""

    user_id: UUID


class UserBanLifted(msgspec.Struct, frozen=True):
    """A banned person may come in again."""

    user_id: UUID


class UserRoleChanged(msgspec.Struct, frozen=True):
    """An operator gave a person another role: USER or ADMIN. What billing makes of a USER follows."""

    user_id: UUID
    role: str


class UserDeletion(msgspec.Struct, frozen=True):
    """A person's account was closed; their sessions have ended. The rows stay until they are erased."""

    user_id: UUID


class UserAddressChanged(msgspec.Struct, frozen=True):
    """A person has another address, which is proven; the old one opens nothing any more."""

    user_id: UUID
