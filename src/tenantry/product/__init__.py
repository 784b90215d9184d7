"""The types of the product declaration: pure data, standard library only."""

from .checks import check_product
from .declaration import Product
from .findings import Finding, nearest
from .limits import UNLIMITED, Count, Gauge, Limited, Meter
from .plans import Burst, Plan, Price
from .sign_in import GitHub, Google, MagicLink, OpenIDConnect, Passkey, Password, Provider, SignIn
from .sources import DataSource

__all__ = [
    "UNLIMITED",
    "Burst",
    "Count",
    "DataSource",
    "Finding",
    "Gauge",
    "GitHub",
    "Google",
    "Limited",
    "MagicLink",
    "Meter",
    "OpenIDConnect",
    "Passkey",
    "Password",
    "Plan",
    "Price",
    "Product",
    "Provider",
    "SignIn",
    "check_product",
    "nearest",
]
