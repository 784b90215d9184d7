"""What organizations plug in."""

from tenantry.kernel import Module

from .roles import PERMISSIONS

MODULE = Module("organizations", permissions=PERMISSIONS)
