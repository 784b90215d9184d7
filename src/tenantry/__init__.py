"""Tenantry, the backend a SaaS product stands on.

The names of the product declaration are here at once and cost only the standard library. The others load when
they are first used, so that a declaration can be read without a web framework or a database driver.
"""

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Final

from tenantry.product import (
    UNLIMITED,
    Billing,
    Burst,
    Count,
    Credits,
    DataSource,
    Finding,
    Gauge,
    GitHub,
    Google,
    Keys,
    LemonSqueezy,
    MagicLink,
    Meter,
    OpenIDConnect,
    Organizations,
    Passkey,
    Password,
    Plan,
    Polar,
    Price,
    Product,
    Scope,
    StatusWords,
    Stripe,
    Trials,
)

if TYPE_CHECKING:
    from tenantry.app import create_app, mount
    from tenantry.kernel import Context, Module, Read, Settings, Write

    __version__: str

__all__ = [
    "UNLIMITED",
    "Billing",
    "Burst",
    "Context",
    "Count",
    "Credits",
    "DataSource",
    "Finding",
    "Gauge",
    "GitHub",
    "Google",
    "Keys",
    "LemonSqueezy",
    "MagicLink",
    "Meter",
    "Module",
    "OpenIDConnect",
    "Organizations",
    "Passkey",
    "Password",
    "Plan",
    "Polar",
    "Price",
    "Product",
    "Read",
    "Scope",
    "Settings",
    "StatusWords",
    "Stripe",
    "Trials",
    "Write",
    "__version__",
    "create_app",
    "mount",
]

_LAZY: Final = {
    "Context": "tenantry.kernel",
    "Module": "tenantry.kernel",
    "Read": "tenantry.kernel",
    "Settings": "tenantry.kernel",
    "Write": "tenantry.kernel",
    "create_app": "tenantry.app",
    "mount": "tenantry.app",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        return metadata.version("tenantry")
    if name in _LAZY:
        value: object = getattr(import_module(_LAZY[name]), name)
        # Kept, so that the next use is an ordinary look-up.
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
