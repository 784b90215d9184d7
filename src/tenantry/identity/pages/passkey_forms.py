"""What a script puts into a form: the challenge, and what the device made of it."""

from typing import Annotated, Any

import msgspec
from fastapi import Form

from ..actions.passkey_proofs import Brought

Text = Annotated[str, Form(max_length=20_000)]


def brought(challenge: str, credential: str) -> Brought:
    """The two fields of a form. What is no credential becomes an empty one, which nothing accepts."""
    try:
        found = msgspec.json.decode(credential, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        found = {}
    return Brought(challenge, found)
