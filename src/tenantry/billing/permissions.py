"""The rights to see and to change what is paid for."""

from tenantry.kernel.permissions import Permission

BILLING_READ = Permission("billing:read", "See the subscription and the payments.")
BILLING_WRITE = Permission("billing:write", "Buy, change and end subscriptions, and see to the cards.")
