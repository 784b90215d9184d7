"""Facts that identity announces."""

from uuid import UUID

import msgspec


class UserRegistered(msgspec.Struct, frozen=True):
    """A person signed in for the first time. Announced in the transaction that made the user and the user's holder."""

    user_id: UUID
