"""What holders refuse."""

from tenantry.kernel import Problem


class PlanUnknown(Problem):
    """There is no plan of this name."""

    code, status = "holders.plan_unknown", 422


class HolderNotFound(Problem, LookupError):
    """There is no such holder."""

    code, status = "holders.not_found", 404
