"""What organizations plug in."""

from tenantry.kernel import Module

from .roles import PERMISSIONS

MODULE = Module(
    "organizations",
    permissions=PERMISSIONS,
    service={"grant_plan_to": "an operator writes an organization's plan, which the API login may not"},
)
