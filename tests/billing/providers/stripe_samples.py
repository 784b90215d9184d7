"""Stripe's payloads as others recorded them.

They are not ours to ship; where they lie beside the repository, they are read, and where they do not, the tests skip.
"""

import json
from pathlib import Path
from typing import Any

import pytest

SAMPLES = Path(__file__).parents[4] / "shared" / "data" / "webhooks" / "stripe"
NO_SAMPLES = "no sample payloads beside the repository"


def names(pattern: str = "*.json") -> list[str]:
    return sorted(one.name.removesuffix(".json") for one in SAMPLES.glob(pattern))


def sample(name: str) -> Any:
    if not SAMPLES.is_dir():
        pytest.skip(NO_SAMPLES)
    return json.loads((SAMPLES / f"{name}.json").read_text())


def as_event(name: str, *, event: str = "sample.updated") -> dict[str, Any]:
    """The sample as an event: it is one, or only its data, or an object by itself."""
    found = sample(name)
    if found.get("object") == "event":
        return found
    data = found if "object" in found and isinstance(found["object"], dict) else {"object": found}
    return {"id": "evt_of_the_tests", "object": "event", "type": event, "created": 1795000000, "data": data}
