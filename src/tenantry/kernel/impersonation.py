"""An operator who looks through a person's eyes, as every page of theirs shows it."""

from datetime import datetime

import msgspec


class Impersonation(msgspec.Struct, frozen=True):
    """Who looks (`operator`), as whom (`person`), until when, and whether they may also do something."""

    operator: str
    person: str
    ends_at: datetime
    may_write: bool
