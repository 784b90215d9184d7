"""Settings that cannot be read, told all at once, each with its fix and none with its value if that is secret."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from tenantry.product import Finding, nearest

_SECRET = ("_SECRET", "_SECRET_KEYS", "_API_KEY", "_TOKEN")
_FIXES = {
    "literal_error": "Use {expected}.",
    "int_parsing": "Write a whole number.",
    "int_from_float": "Write a whole number.",
    "float_parsing": "Write a number.",
    "greater_than": "Write a number above {gt}.",
    "greater_than_equal": "Write {ge} or more.",
    "less_than_equal": "Write {le} or less.",
    "string_too_short": "Write {min_length} characters or more.",
}


class SettingsRefused(Exception):
    """The settings cannot be used. `findings` has every reason; the message lists them, a line each."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in findings))


def findings_of(refused: ValidationError, names: Mapping[str, str]) -> list[Finding]:
    """One finding for each value that pydantic refused; `names` has the variable of each field."""
    return [
        Finding("error", names[str(details["loc"][0])], *_sentences(dict(details)))
        for details in refused.errors(include_url=False)
        # A default made from a value that was refused itself.
        if details["type"] != "default_factory_not_called"
    ]


def unknown_names(env: Iterable[str], prefix: str, known: Sequence[str]) -> list[Finding]:
    """One finding for each variable with our prefix that is no setting: a typing error there would go unnoticed."""
    return [
        Finding("error", name, "There is no such setting.", _rename(name, prefix, known))
        for name in sorted(env)
        if name.upper().startswith(prefix) and name not in known
    ]


def _rename(name: str, prefix: str, known: Sequence[str]) -> str:
    # The common beginning would make every name look near.
    near = nearest(name[len(prefix) :], [each.removeprefix(prefix) for each in known])
    return f"Did you mean {prefix}{near}?" if near else "Remove it; docs/settings.md lists the settings."


def _sentences(details: dict[str, Any]) -> tuple[str, str]:
    name = str(details["loc"][0]).upper()
    context = details.get("ctx", {})
    if details["type"] == "value_error":
        # Raised by our own validators, whose sentences never repeat the value.
        return "The value cannot be used.", str(context["error"])
    fix = _FIXES.get(details["type"], "See docs/settings.md.").format(**context)
    if f"_{name}".endswith(_SECRET) or name.endswith("_URL"):
        return "The value cannot be used.", fix
    return f"{details['input']!r} cannot be used.", fix
