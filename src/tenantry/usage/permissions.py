"""The right to see what a holder has used."""

from tenantry.kernel.permissions import Permission

USAGE_READ = Permission("usage:read", "See how far the limits of the plan are used.")
