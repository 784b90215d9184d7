"""Looking into the database that the settings name, to tell what is wrong. Nothing is changed."""

from dataclasses import dataclass
from typing import Any

from tenantry.kernel import Settings
from tenantry.kernel.extras import extra
from tenantry.product import Finding, Product

from .report import Examination
from .stored import Asked


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the stored plans say of a declaration; `skipped` says why they were not looked at, "" when they were."""

    findings: tuple[Finding, ...] = ()
    skipped: str = ""


async def examine(product: Product, settings: Settings) -> Examination:
    """Look at everything: connections, logins, schema, plans, jobs, figures. All findings at once, nothing is raised.

    The settings may name a database that is not there, or has no schema: then that is what is found.
    """
    found: Examination = await _patient(settings).examine(product, settings)
    return found


async def compare_stored_plans(product: Product, settings: Settings) -> Comparison:
    """Find stored plans that the declaration does not know, if a database is there and answers within seconds.

    Where none is, or its schema is another one, that is told in `skipped` and nothing is wrong.
    """
    if not product.plans:
        return Comparison(skipped="the product declares no plans")
    asked: Asked = await _patient(settings).ask(product, settings)
    return Comparison(asked.findings, asked.skipped)


def _patient(settings: Settings) -> Any:
    # By name: PostgreSQL's driver is loaded only where there is one.
    return extra(f"{__package__}.{settings.database_kind}")
