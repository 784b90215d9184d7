"""Everything that can be known to be wrong before the server starts, all at once."""

from collections.abc import Sequence
from dataclasses import replace

from tenantry.billing import check_unused
from tenantry.kernel import Module, Settings
from tenantry.kernel.own_tables import check_tables
from tenantry.kernel.settings_check import check_settings
from tenantry.product import Finding, Product

from .rooms import ROOMS


class StartRefused(Exception):
    """The declaration or the settings have errors; `findings` names each with its fix."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = list(findings)


def check(product: Product, settings: Settings) -> list[Finding]:
    """The declaration's findings, the settings', and those of every room. Needs no database."""
    found = [*product.check(), *check_settings(settings)]
    for module in modules_of(product):
        for one in module.checks:
            found.extend(one(product, settings))
    found.extend(_check_modules(product))
    found.extend(_check_rights(product))
    found.extend(check_tables(product.modules))
    found.extend(_check_unbuilt(product))
    if product.billing is None:
        found.extend(check_unused(product, settings))
    return found


def modules_of(product: Product) -> list[Module]:
    """The built-in rooms that the product wants, and the author's own modules, which come last."""
    optional = {
        "keys": product.keys,
        "trials": product.trials,
        "billing": product.billing,
        "organizations": product.organizations,
        "credits": product.credits,
    }
    absent = {name for name, wanted in optional.items() if wanted is None}
    rooms = (_fitted(room, product) for room in ROOMS if room.name not in absent)
    return [*rooms, *(one for one in product.modules if isinstance(one, Module))]


def refuse_errors(product: Product, settings: Settings) -> None:
    """Raise `StartRefused` when a finding is an error."""
    errors = [finding for finding in check(product, settings) if finding.level == "error"]
    if errors:
        raise StartRefused(errors)


def _fitted(room: Module, product: Product) -> Module:
    """The room in the navigation of this product: no way to a page with nothing on it, and its own word for credits."""
    if room.name == "usage" and not product.meters:
        return replace(room, nav=[])
    if room.name == "credits" and product.credits is not None:
        return replace(room, nav=[replace(one, label=product.credits.name.capitalize()) for one in room.nav])
    return room


def _check_unbuilt(product: Product) -> list[Finding]:
    """What a declaration may say, though no room holds it to it by itself."""
    asked = {gauge.name: "change_gauge" for gauge in product.gauges}
    asked |= {count.name: "refuse_when_full" for count in product.counts}
    if product.keys is not None and product.keys.count is not None:
        asked.pop(product.keys.count.name, None)
    if product.organizations is not None and product.organizations.seats is not None:
        asked.pop(product.organizations.seats.name, None)
    return [
        Finding(
            "warning",
            "plans",
            f'the limit on "{name}" is not enforced until your code asks.',
            f"Call `{door}` of `tenantry.usage.stocks` where it is kept; docs/limits.md shows how.",
        )
        for name, door in asked.items()
    ]


def _check_modules(product: Product) -> list[Finding]:
    return [
        Finding(
            "error",
            f"modules[{index}]",
            f"is a {type(one).__name__}, not a tenantry.Module.",
            "Pass Module(name, routers=[...]).",
        )
        for index, one in enumerate(product.modules)
        if not isinstance(one, Module)
    ]


def _check_rights(product: Product) -> list[Finding]:
    """Rights are told apart by their names, so nothing else may be called as what operators alone may do.

    A permission of that name would make operators of whoever has one of its roles, and a scope, of whoever makes a key.
    """
    operators = {one.name for room in ROOMS for one in room.permissions if "operator" in one.roles}
    named = [
        (f"modules[{index}].permissions", one.name)
        for index, module in enumerate(product.modules)
        if isinstance(module, Module)
        for one in module.permissions
    ]
    scopes = product.keys.scopes if product.keys else ()
    named += [(f"keys.scopes[{index}]", one.name) for index, one in enumerate(scopes)]
    return [
        Finding("error", where, f'"{name}" is what operators alone may.', "Give yours another name.")
        for where, name in named
        if name in operators
    ]
