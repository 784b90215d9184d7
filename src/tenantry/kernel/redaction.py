"""Takes secrets out of whatever is about to be written to a log."""

import re
import traceback
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from typing import Any

import msgspec

MASK = "***"
_DEEPEST = 8
_SECRET_KEY = re.compile(
    r"passw(or)?d|passphrase|secret|(^|[_.-])token$|api[_-]?key|authorization|cookie|credential|private[_-]?key"
    r"|signature|^otp|totp|(^|[_.-])pin$|code_verifier|recovery_?code|verification_?code|auth(orization)?_?code"
    r"|session_?id|csrf|(^|_)dsn$|^x-api-key$",
    re.IGNORECASE,
)
# A value up to its closing quote, or up to white space and the usual separators.
_VALUE = r"""(?:b?'(?:[^'\\]|\\.)*'|b?"(?:[^"\\]|\\.)*"|[^\s,;&}\])]+)"""
# Repetitions are bounded where a hostile text could otherwise make a pattern start over at every letter.
_IN_TEXT: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"((?:set-)?cookie['\"]?\s*[=:]\s*)[^\r\n]+", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"\b(bearer|basic|negotiate)\s+[^\s'\",;]+", re.IGNORECASE), rf"\1 {MASK}"),
    (re.compile(r"(://[^:/?#\s'\"]{0,200}:)[^\s'\"]{0,400}(?=@)"), rf"\1{MASK}"),
    (
        re.compile(
            r"((?:passw(?:or)?d|passphrase|secret|api_?key|authorization|csrf|signature|private_key|(?<![a-z])token"
            rf"|input_value)[\w-]{{0,40}}\\{{0,2}}['\"]?\s*[=:]\s*)(?!(?:bearer|basic|negotiate) ){_VALUE}",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"([?&](?:code|state|key|sig|[a-z_]*token)=)[^&\s\"'#]+", re.IGNORECASE), rf"\1{MASK}"),
    # Our own keys and those of the same shape: words, an underscore, at least 22 letters and digits. Not a hex UUID.
    (re.compile(r"\b([a-z][a-z0-9]{0,30}(?:_[a-z0-9]{1,30}){0,3}_)(?![0-9a-f]{32}\b)[0-9A-Za-z]{22,}"), rf"\1{MASK}"),
    (re.compile(r"\b(sk-(?:[a-z]{1,12}-)?)[0-9A-Za-z_-]{16,}"), rf"\1{MASK}"),
    (re.compile(r"\beyJ[\w-]{8,4000}\.[\w-]+(?:\.[\w-]*){0,3}"), f"jwt {MASK}"),
    (re.compile(r"\bv1\.[0-9a-f]{8}\.[\w-]{40,}\.[\w-]+"), f"sealed {MASK}"),
    (re.compile(r"\[parameters: .*\]"), f"[parameters: {MASK}]"),
)


def redacted(value: Any, depth: int = 0) -> Any:
    """Return a copy that is plain data (dict, list, str, numbers) and shows no secret.

    Values under secret-looking keys are masked, and so are keys, tokens, passwords and sealed texts inside strings,
    also in the `repr` of objects. Below eight levels only the kind of the value is told.
    """
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if (text := _leaf(value)) is not None:
        return scrubbed(text)
    if depth >= _DEEPEST:
        return f"<{type(value).__name__}>"
    if (members := _members(value)) is not None:
        return {scrubbed(str(key)): redacted_member(str(key), item, depth + 1) for key, item in members.items()}
    if isinstance(value, (list, tuple, AbstractSet)):
        return [redacted(item, depth + 1) for item in value]
    return scrubbed(_text(value))


def redacted_member(key: str, value: Any, depth: int = 0) -> Any:
    """Return the value of one named member, masked when its name says that it is a secret."""
    if value is not None and not isinstance(value, bool) and _SECRET_KEY.search(key):
        return MASK
    return redacted(value, depth)


def scrubbed(text: str) -> str:
    """Return a text with the secrets in it masked."""
    for pattern, mask in _IN_TEXT:
        text = pattern.sub(mask, text)
    return text


def exception_text(error: BaseException) -> str:
    """Return the traceback with its causes: files and lines, no local variables, no secrets, no refused input."""
    parts: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        lines = traceback.format_tb(current.__traceback__)
        name = f"{type(current).__module__}.{type(current).__qualname__}".removeprefix("builtins.")
        parts.append("Traceback (most recent call last):\n" + "".join(lines) + f"{name}: {_message(current)}")
        if isinstance(current, BaseExceptionGroup):
            parts[-1] += "".join(f"\n  | {exception_text(inner)}" for inner in current.exceptions)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return scrubbed("\n\nwhich led to\n\n".join(reversed(parts)))


def _leaf(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {_message(value)}"
    return None


def _message(error: BaseException) -> str:
    """Return what an error says; of refused input only where and why, since pydantic quotes the values."""
    details = getattr(error, "errors", None)
    if callable(details):
        try:
            return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['type']}" for item in details())
        except Exception:  # noqa: BLE001 - a foreign errors() may want arguments or fail; the log line matters more.
            return "(details left out)"
    said, values = _text(error, str), getattr(error, "detail", None)
    # PostgreSQL quotes the row that a constraint refused, with the addresses and names in it.
    is_theirs = type(error).__module__.startswith("asyncpg.") and isinstance(values, str) and values
    return said.replace(str(values), MASK) if is_theirs else said


def _members(value: Any) -> Mapping[Any, Any] | None:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, msgspec.Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    names = getattr(type(value), "model_fields", None)
    if isinstance(names, Mapping):
        return {name: getattr(value, name, None) for name in names}
    return None


def _text(value: Any, write: Any = repr) -> str:
    try:
        return str(write(value))
    except Exception:  # noqa: BLE001 - a broken __repr__ must not lose the log line.
        return f"<{type(value).__name__}>"
