"""The API reference as plain values, read from the application's own OpenAPI description."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

_METHODS = ("get", "post", "put", "patch", "delete")
_WORD = re.compile(r"[a-z0-9]+")
_PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a member of a body; `place` is "path", "query", "header" or "" for members."""

    name: str
    type: str
    place: str = ""
    is_required: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One status: what it means, the members of its body, or the codes of its problems."""

    status: int
    phrase: str
    fields: tuple[Field, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    anchor: str
    text: str
    parameters: tuple[Field, ...]
    body: tuple[Field, ...]
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The operations of one tag, in the order of their declaration."""

    name: str
    operations: tuple[Operation, ...]


def groups_of(description: Mapping[str, Any]) -> list[Group]:
    """Every operation of an OpenAPI 3.1 document, by its first tag; what is for machines only comes last."""
    by_tag: dict[str, list[Operation]] = {}
    for path, item in description.get("paths", {}).items():
        for method in _METHODS:
            if method in item:
                operation = item[method]
                tag = next(iter(operation.get("tags", ())), "other")
                by_tag.setdefault(tag, []).append(_operation(description, path, method, operation))
    # Whoever reads the reference looks for the product first; load balancers do not read.
    tags = sorted(by_tag, key=lambda tag: tag == "health")
    return [Group(tag, tuple(by_tag[tag])) for tag in tags]


def _operation(description: Mapping[str, Any], path: str, method: str, given: Mapping[str, Any]) -> Operation:
    answers = given.get("responses", {})
    return Operation(
        method=method.upper(),
        path=path,
        anchor="-".join([method, *_WORD.findall(path)]),
        text=given.get("description") or given.get("summary", ""),
        parameters=tuple(_parameter(description, one) for one in given.get("parameters", ())),
        body=tuple(_members(description, _json_of(given.get("requestBody", {})))),
        answers=tuple(_answer(description, int(status), answers[status]) for status in sorted(answers, key=str)),
    )


def _parameter(description: Mapping[str, Any], given: Mapping[str, Any]) -> Field:
    schema = given.get("schema", {})
    return Field(
        given["name"],
        _type(description, schema),
        place=given["in"],
        is_required=given.get("required", False),
        description=given.get("description") or _default(schema),
    )


def _answer(description: Mapping[str, Any], status: int, given: Mapping[str, Any]) -> Answer:
    found = given.get("content", {}).get(_PROBLEM, {})
    examples = found.get("examples", {})
    return Answer(
        status,
        HTTPStatus(status).phrase,
        fields=() if examples else tuple(_members(description, _json_of(given))),
        problems=tuple((code, example.get("summary", "")) for code, example in examples.items()),
    )


def _json_of(given: Mapping[str, Any]) -> Mapping[str, Any]:
    content: Mapping[str, Any] = given.get("content", {})
    return next((one.get("schema", {}) for kind, one in content.items() if kind != _PROBLEM), {})


def _members(description: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Field]:
    found = _resolved(description, schema)
    required = found.get("required", ())
    for name, member in found.get("properties", {}).items():
        text = member.get("description") or _default(member)
        yield Field(name, _type(description, member), is_required=name in required, description=text)


def _type(description: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """A schema in a few words: "string", "integer or null", "list of MeterUsage"."""
    if "anyOf" in schema or "oneOf" in schema:
        return " or ".join(_type(description, one) for one in schema.get("anyOf", schema.get("oneOf", ())))
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_type(description, schema.get('items', {}))}"
    if kind == "string" and schema.get("format"):
        return str(schema["format"])
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _resolved(description: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    found = schema
    while "$ref" in found:
        name = str(found["$ref"]).rpartition("/")[2]
        found = description["components"]["schemas"][name]
    return found


def _default(schema: Mapping[str, Any]) -> str:
    return f"Default: {schema['default']}." if schema.get("default") is not None else ""
