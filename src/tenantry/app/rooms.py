"""Every room's module, from the lowest floor to the highest: the order in which handlers run and panels are asked."""

from datetime import timedelta

from tenantry.admin.module import MODULE as ADMIN
from tenantry.billing.module import MODULE as BILLING
from tenantry.holders.module import MODULE as HOLDERS
from tenantry.identity.module import MODULE as IDENTITY
from tenantry.kernel import Module
from tenantry.kernel.attempts import forget_attempts
from tenantry.kernel.idempotency import forget_keys
from tenantry.kernel.jobs import forget_finished
from tenantry.kernel.mail import DELIVER, forget_sent
from tenantry.kernel.module import Job
from tenantry.kernel.notices import forget_notices, notice_figures
from tenantry.keys.module import MODULE as KEYS
from tenantry.organizations.module import MODULE as ORGANIZATIONS
from tenantry.site.module import MODULE as SITE
from tenantry.sources.module import MODULE as SOURCES
from tenantry.trials.module import MODULE as TRIALS
from tenantry.usage.credits.module import MODULE as CREDITS
from tenantry.usage.module import MODULE as USAGE

KERNEL = Module(
    "kernel",
    jobs=[
        DELIVER,
        Job("jobs.forget_finished", forget_finished, every=timedelta(hours=1)),
        Job("mail.forget_sent", forget_sent, every=timedelta(hours=1)),
        Job("attempts.forget", forget_attempts, every=timedelta(hours=1)),
        Job("idempotency.forget", forget_keys, every=timedelta(hours=1)),
        Job("notices.forget", forget_notices, every=timedelta(hours=1)),
    ],
    figures=[notice_figures],
    public={
        "GET /healthz": "a load balancer has no account",
        "GET /readyz": "a load balancer has no account",
        "GET /metrics": "answers only to private addresses; 404 elsewhere",
        "GET /openapi.json": "the description of the API is public",
    },
    service={
        "jobs": "claims and settles everybody's jobs",
        "mail": "reads the mail it delivers",
        "attempts": "counts for strangers",
        "idempotency": "keeps what was answered to a key, which nobody may read past the request that brings the key",
        "retention": "deletes what was kept long enough, whosever it was",
    },
)

ROOMS: tuple[Module, ...] = (
    KERNEL,
    HOLDERS,
    IDENTITY,
    ORGANIZATIONS,
    USAGE,
    CREDITS,
    KEYS,
    BILLING,
    SOURCES,
    TRIALS,
    ADMIN,
    SITE,
)
