"""Libraries that are loaded when they are first needed: optional SDKs, and what most starts do without."""

import importlib
import importlib.util
from types import ModuleType


class ExtraMissing(ImportError):
    """An optional package is not installed. The message names the command that installs it."""


def extra(module: str, *, name: str | None = None) -> ModuleType:
    """Import an optional SDK: `extra("stripe")`, `extra("polar_sdk", name="polar")`.

    `name` is the extra of this package that brings it, when it differs from the module's first part. Raises
    ExtraMissing when the SDK is absent. An SDK that is there but fails inside raises its own error, unchanged.
    """
    root = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != root:
            raise
        wanted = f"tenantry[{name or root}]"
        raise ExtraMissing(
            f"{root} is not installed. Run: pip install '{wanted}'", name=error.name, path=error.path
        ) from error


def require_installed(module: str) -> None:
    """Raise ExtraMissing when a library that is to be loaded later is absent; at start, so that it is told then."""
    if importlib.util.find_spec(module) is None:
        raise ExtraMissing(f"{module} is not installed. Run: pip install 'tenantry'", name=module)
