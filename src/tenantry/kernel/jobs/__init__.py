"""Background work as rows: written in the transaction that wants it, claimed by lease, retried, dead after a cap."""

from .queries import DeadJob, JobCount, counts, dead, replay
from .worker import enqueue, forget_finished, plan_periodic, run_due, work

__all__ = [
    "DeadJob",
    "JobCount",
    "counts",
    "dead",
    "enqueue",
    "forget_finished",
    "plan_periodic",
    "replay",
    "run_due",
    "work",
]
