"""What trials refuse."""

from tenantry.kernel import Problem


class TrialNotFound(Problem):
    """You have no such trial workspace."""

    code, status = "trials.not_found", 404


class TooManyTrials(Problem):
    """You have as many active trial workspaces as you may; cancel one, or wait until one is over."""

    code, status = "trials.too_many", 409


class NoMoreTrials(Problem):
    """You have started as many trial workspaces as a person may."""

    code, status = "trials.no_more", 409


class TrialNotActive(Problem):
    """This trial is not active any more, so it can be neither extended nor cancelled nor converted."""

    code, status = "trials.not_active", 409


class NoMoreExtensions(Problem):
    """This trial was extended as often as its owner may extend it."""

    code, status = "trials.no_more_extensions", 409


class PlanNotFree(Problem):
    """A plan that costs money is not had by converting a trial. Take the plan first, then convert the trial to it."""

    code, status = "trials.plan_not_free", 403
