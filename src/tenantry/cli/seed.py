"""`tenantry seed`: demo data for development."""

import asyncio

import typer

from tenantry.app import check
from tenantry.blueprints import Seeded
from tenantry.blueprints import seed as seed_people
from tenantry.kernel import Settings
from tenantry.kernel.addresses import masked
from tenantry.kernel.context import system_context
from tenantry.product import Product
from tenantry.testing.standins import PEOPLE

from .declaration import DEFAULT, ProductArgument, read_both, refuse_errors
from .environment import read_environment
from .failures import Failure
from .output import plain
from .preparing import migrate_in_development, running

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def seed(product: ProductArgument = DEFAULT) -> None:
    """Put two people with a month of usage, and an operator, into a development database. Run again, nothing changes.

    They are Ada (default plan), Grace (the last plan) and Margaret, who looks after the product under /admin; the
    stand-in of `tenantry run` signs in as them.
    """
    declared, settings = read_both(product, read_environment())
    if settings.is_production:
        raise Failure("Demo data is refused in production.", "TENANTRY_ENVIRONMENT is production here.")
    refuse_errors(check(declared, settings))
    migrate_in_development(declared, settings)
    made = seed_now(declared, settings)
    place = settings.sqlite_path or masked(settings.database_url)
    if made.people or made.windows:
        plain(f"{place}: made {made.people} people and {made.windows} windows of usage.")
    else:
        plain(f"{place}: everything was there already.")


def seed_now(product: Product, settings: Settings) -> Seeded:
    """Start the application without a server, and make the demo data."""

    async def make() -> Seeded:
        async with running(product, settings) as runtime:
            return await seed_people(system_context(runtime), (PEOPLE[0], PEOPLE[1]), PEOPLE[-1])

    return asyncio.run(make())
