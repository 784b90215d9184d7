"""What identity refuses."""

from typing import ClassVar

from tenantry.kernel import Problem


class ProviderUnknown(Problem):
    """This way of signing in is not on offer here."""

    code, status = "identity.provider_unknown", 404


class SignInExpired(Problem):
    """This sign-in has expired, was finished before, or began in another browser. Begin anew."""

    code, status = "identity.sign_in_expired", 400


class SignInDenied(Problem):
    """The sign-in provider did not let this sign-in go on, because it was cancelled there or is not allowed."""

    code, status = "identity.sign_in_denied", 403


class SignInMixedUp(Problem):
    """The answer came from another sign-in provider than the one that was asked. Begin anew."""

    code, status = "identity.sign_in_mixed_up", 400


class ProviderRefused(Problem):
    """The sign-in provider refused this site's request. Its settings here may be wrong; choose another way."""

    code, status = "identity.provider_refused", 400


class ProviderUnreachable(Problem):
    """The sign-in provider does not answer at the moment. Try again shortly, or choose another way."""

    code, status = "identity.provider_unreachable", 503
    answer_headers: ClassVar[dict[str, str]] = {"Retry-After": "10"}


class ProviderAnswerInvalid(Problem):
    """The sign-in provider gave an answer that cannot be trusted. Nobody was signed in."""

    code, status = "identity.provider_answer_invalid", 502


class EmailUnverified(Problem):
    """The sign-in provider did not confirm an e-mail address of yours. Confirm it there, then sign in again."""

    code, status = "identity.email_unverified", 403


class AccountExists(Problem):
    """There is an account with this e-mail address already. Sign in the way you did before."""

    code, status = "identity.account_exists", 409


class IssuerChanged(Problem):
    """This sign-in provider has another address than when the account was made, so it cannot open that account."""

    code, status = "identity.issuer_changed", 409


class UserDeleted(Problem):
    """This account was deleted."""

    code, status = "identity.user_deleted", 403


class SessionNotFound(Problem):
    """You have no such session."""

    code, status = "identity.session_not_found", 404


class UserBanned(Problem):
    """This account is blocked at present, so it cannot be used. Write to us if you think that is a mistake."""

    code, status = "identity.user_banned", 403


class UserNotFound(Problem):
    """There is no such person here."""

    code, status = "identity.user_not_found", 404


class LinkExpired(Problem):
    """This link has expired, was used before, or was replaced by a newer one. Ask for another."""

    code, status = "identity.link_expired", 400


class CodeWrong(Problem):
    """That code is not right, was used before, or has expired. Look again, or ask for another."""

    code, status = "identity.code_wrong", 400
