"""What billing refuses."""

from tenantry.kernel import Problem


class SecretUnset(Problem):
    """This product takes no events from this provider: no secret is configured that could verify them."""

    code, status = "billing.secret_unset", 404


class SignatureRefused(Problem):
    """The signature of this event does not hold."""

    code, status = "billing.signature_refused", 401


class EventMalformed(Problem):
    """This is signed, but it is no event that can be read."""

    code, status = "billing.event_malformed", 400


class TestModeRefused(Problem):
    """This event is of the provider's test mode, and this is production."""

    code, status = "billing.test_mode_refused", 403


class ProviderAway(Problem):
    """The payment provider does not answer at the moment. Nothing was changed; please try again."""

    code, status = "billing.provider_away", 503
    answer_headers = {"Retry-After": "5"}


class ProviderUnconfigured(Problem):
    """Nothing can be bought here yet: the payment provider is not set up."""

    code, status = "billing.provider_unconfigured", 503


class ChangeRefused(Problem):
    """The payment provider refused this change."""

    code, status = "billing.change_refused", 409


class SubscriptionNotFound(Problem):
    """There is no subscription that could be changed."""

    code, status = "billing.subscription_not_found", 404


class SubscribedAlready(Problem):
    """There is a subscription already; change its plan instead of buying another one."""

    code, status = "billing.subscribed_already", 409


class PlanNotForSale(Problem):
    """This plan cannot be bought."""

    code, status = "billing.plan_not_for_sale", 422


class PriceNotForSale(Problem):
    """This price cannot be bought."""

    code, status = "billing.price_not_for_sale", 422


class CustomerUnknown(Problem):
    """Nothing was bought yet, so there is nothing to manage."""

    code, status = "billing.customer_unknown", 409


class OrganizationNeeded(Problem):
    """Plans are an organization's here; make one first, or join one."""

    code, status = "billing.organization_needed", 409


class EmailUnproven(Problem):
    """Confirm your e-mail address first: receipts and notices of payments go there."""

    code, status = "billing.email_unproven", 403
