"""The rights to see what a holder has used, and to see and spend its credits."""

from tenantry.kernel.permissions import Permission

USAGE_READ = Permission("usage:read", "See how far the limits of the plan are used.")
CREDITS_READ = Permission("credits:read", "See the credits and what became of them.")
CREDITS_SPEND = Permission("credits:spend", "Spend credits.")
