"""Who holds a plan, its quotas and keys: a user, or a trial workspace."""

from .actions import open_for_user, set_period, set_plan
from .errors import HolderNotFound, PlanUnknown
from .events import PeriodChanged, PlanChanged
from .mirroring import mirror_plans
from .models import of_my_holders
from .queries import by_id, by_user, plans

__all__ = [
    "HolderNotFound",
    "PeriodChanged",
    "PlanChanged",
    "PlanUnknown",
    "by_id",
    "by_user",
    "mirror_plans",
    "of_my_holders",
    "open_for_user",
    "plans",
    "set_period",
    "set_plan",
]
