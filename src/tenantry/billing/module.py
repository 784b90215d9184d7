"""What billing plugs in."""

from tenantry.kernel import Module

MODULE = Module("billing")
