"""The types of the product declaration: pure data, standard library only."""

from .billing import Billing, LemonSqueezy, PaymentProvider, Polar, StatusWords, Stripe
from .checks import check_product
from .credits import Credits
from .declaration import Product
from .findings import Finding, nearest
from .keys import AUTHORIZE, Keys, Scope, Trials
from .limits import UNLIMITED, Count, Gauge, Limited, Meter
from .organizations import Organizations
from .plans import Burst, Plan, Price
from .sign_in import GitHub, Google, MagicLink, OpenIDConnect, Passkey, Password, Provider, SignIn
from .sources import DataSource

__all__ = [
    "AUTHORIZE",
    "UNLIMITED",
    "Billing",
    "Burst",
    "Count",
    "Credits",
    "DataSource",
    "Finding",
    "Gauge",
    "GitHub",
    "Google",
    "Keys",
    "LemonSqueezy",
    "Limited",
    "MagicLink",
    "Meter",
    "OpenIDConnect",
    "Organizations",
    "Passkey",
    "Password",
    "PaymentProvider",
    "Plan",
    "Polar",
    "Price",
    "Product",
    "Provider",
    "Scope",
    "SignIn",
    "StatusWords",
    "Stripe",
    "Trials",
    "check_product",
    "nearest",
]
