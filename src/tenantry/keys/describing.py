"""What the description of the API says of `POST /v1/authorize`, from the types that it reads and writes."""

from collections.abc import Callable
from typing import Any

import msgspec

from tenantry.kernel import Problem
from tenantry.kernel.problems import (
    DatabaseUnavailable,
    Internal,
    Invalid,
    Malformed,
    TooLarge,
    UnsupportedMediaType,
    WrongHost,
    problems,
)

from .questions import OF_THE_KEY, PATH, AuthorizedKey, AuthorizeKey

_REFERENCE = "#/components/schemas/{name}"
_OF_THE_SERVICE: tuple[type[Problem], ...] = tuple(cls for cls in OF_THE_KEY if cls.code.startswith("keys."))
_PROBLEMS = (
    *_OF_THE_SERVICE,
    Malformed,
    Invalid,
    TooLarge,
    UnsupportedMediaType,
    WrongHost,
    Internal,
    DatabaseUnavailable,
)


def with_authorize(described: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """What `app.openapi` is to be: what it was, with this one door."""

    def openapi() -> dict[str, Any]:
        schema = described()
        if PATH not in schema["paths"]:
            (asked, answered), components = msgspec.json.schema_components(
                [AuthorizeKey, AuthorizedKey], ref_template=_REFERENCE
            )
            schema["paths"][PATH] = {"post": _operation(asked, answered)}
            schema.setdefault("components", {}).setdefault("schemas", {}).update(components)
        return schema

    return openapi


def _operation(asked: dict[str, Any], answered: dict[str, Any]) -> dict[str, Any]:
    answers = {str(status): told for status, told in problems(*_PROBLEMS).items()}
    return {
        "tags": ["keys"],
        "summary": "Authorize Key",
        "description": "Ask whether a key may do something, and count the call. For services that have a key with the "
        "scope `authorize`. A key that is refused is an answer too: 200, `allowed` false, and why.",
        "operationId": "authorize_key_v1_authorize_post",
        "requestBody": {"required": True, "content": {"application/json": {"schema": asked}}},
        "responses": {
            "200": {"description": "Whether it may.", "content": {"application/json": {"schema": answered}}},
            **answers,
        },
    }
