"""`tenantry plans`: plans that an operator gives by hand."""

import asyncio
from typing import Annotated

import typer
from msgspec import to_builtins

from tenantry.identity.operating import Granted, grant_plan
from tenantry.kernel import Problem
from tenantry.kernel.context import system_context
from tenantry.organizations.answering import GrantedToOrganization, grant_plan_to

from .declaration import DEFAULT, ProductArgument, read_ready
from .failures import Failure
from .output import as_json, plain
from .preparing import running

WHOM = (
    "Whose plan it is: somebody who has signed in. Where organizations hold plans: the first one that they own, or an "
    "organization's id in its place."
)
app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)


@app.callback()
def _plans() -> None:
    """Give people plans by hand."""


@app.command("grant")
def grant(
    whom: Annotated[str, typer.Argument(metavar="EMAIL", help=WHOM)],
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="The plan's name in the declaration.")],
    product: ProductArgument = DEFAULT,
    *,
    reason: Annotated[str, typer.Option(help="Why, for the audit log.")],
    json: Annotated[bool, typer.Option("--json", help="Answer with JSON.")] = False,
) -> None:
    """Give a person or an organization a plan by hand, at once and without an end. The default plan takes it back.

    What is paid for never puts them below it; a higher plan that is paid for stays in force, and this one stands
    when it ends.
    """
    if not reason.strip():
        raise Failure("The reason is empty.", "Say why in --reason; the audit log keeps it.")
    declared, settings = read_ready(product)
    if plan not in declared.order:
        raise Failure(f'There is no plan "{plan}".', f"Name one of {', '.join(declared.order)}.")

    async def give() -> Granted | GrantedToOrganization:
        async with running(declared, settings) as runtime:
            ctx = system_context(runtime)
            if declared.billed == "organization":
                return await grant_plan_to(ctx, whom, plan, reason=reason)
            return await grant_plan(ctx, whom, plan, reason=reason)

    try:
        found = asyncio.run(give())
    except Problem as problem:
        raise Failure(problem.detail or problem.title, "Nothing was changed.") from problem
    if json:
        as_json(to_builtins(found))
    else:
        plain(_sentence(found))


def _sentence(found: Granted | GrantedToOrganization) -> str:
    name = f"{found.name} ({found.email})" if isinstance(found, GrantedToOrganization) else found.email
    if found.plan == found.granted:
        return f"{name} is on {found.plan}; it was {found.before}."
    return f"{name} stays on {found.plan}, which is paid for, and has {found.granted} when that ends."
