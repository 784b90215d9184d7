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


class ConnectionLost(Problem):
    """The connection to this account elsewhere has ended, or was never made. Sign in with that provider again."""

    code, status = "identity.connection_lost", 409


class AccountTaken(Problem):
    """Somebody else here signs in with this account, or has its e-mail address. Nothing was connected."""

    code, status = "identity.account_taken", 409


class AccountNotFound(Problem):
    """You have no such connected account."""

    code, status = "identity.account_not_found", 404


class LastWayIn(Problem):
    """Without this you could not sign in any more. Add another way to sign in first."""

    code, status = "identity.last_way_in", 409


class OtherPerson(Problem):
    """This was begun for another person than the one signed in here. Sign in as that person, then begin anew."""

    code, status = "identity.other_person", 403


class FactorNotFound(Problem):
    """You have no such second factor, or have not begun to set one up."""

    code, status = "identity.factor_not_found", 404


class FactorsMissing(Problem):
    """Recovery codes stand in for a second factor. Set up an authenticator app or a passkey first."""

    code, status = "identity.factors_missing", 409


class OtherProofNeeded(Problem):
    """Your account does not take this as a proof that it is you. Ask which proofs it takes, and use one of those."""

    code, status = "identity.other_proof_needed", 403


class PasswordWrong(Problem):
    """This is not your password."""

    code, status = "identity.password_wrong", 400


class AddressUnchanged(Problem):
    """This is your e-mail address already."""

    code, status = "identity.address_unchanged", 409


class AddressTaken(Problem):
    """Somebody else here has this e-mail address by now. Yours stays as it is."""

    code, status = "identity.address_taken", 409


class CredentialsWrong(Problem):
    """The e-mail address or the password is not right."""

    code, status = "identity.credentials_wrong", 401
    # RFC 9110, section 11.6.1: a 401 names at least one scheme.
    answer_headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


class AddressUnproven(Problem):
    """Your e-mail address was never confirmed. A mail is on its way: confirm with it, and choose a new password."""

    code, status = "identity.address_unproven", 403


class PasswordNotFound(Problem):
    """You have no password here."""

    code, status = "identity.password_not_found", 404


class AccountExists(Problem):
    """There is an account with this e-mail address already. Sign in to it instead."""

    code, status = "identity.account_exists", 409


class SignUpPasswordNeeded(Problem):
    """This sign-up was begun elsewhere. Give the password that was chosen there, or choose a new one."""

    code, status = "identity.sign_up_password_needed", 422


class SignUpPasswordWrong(Problem):
    """That is not the password that was chosen when this sign-up began. Try again, or choose a new one."""

    code, status = "identity.sign_up_password_wrong", 422


class PasskeyRefused(Problem):
    """This passkey was not accepted. Try again, or choose another way."""

    code, status = "identity.passkey_refused", 400


class PasskeyUnknown(Problem):
    """This passkey is not known here, or was removed. Choose another one, or another way."""

    code, status = "identity.passkey_unknown", 400


class PasskeyExpired(Problem):
    """This took too long, or was used before. Try again."""

    code, status = "identity.passkey_expired", 400


class PasskeyNotFound(Problem):
    """You have no such passkey."""

    code, status = "identity.passkey_not_found", 404


class PasskeyTaken(Problem):
    """This passkey is in use already."""

    code, status = "identity.passkey_taken", 409


class PasskeysFull(Problem):
    """You have as many passkeys as one may have. Remove one that you do not use any more."""

    code, status = "identity.passkeys_full", 409


class ConfirmationNeeded(Problem):
    """Confirm first that it is you: this changes how your account is reached."""

    code, status = "identity.confirmation_needed", 403


class ReadOnly(Problem):
    """You look through somebody else's eyes here, and may only look. End that first."""

    code, status = "identity.read_only", 403


class ClosedToOperators(Problem):
    """Who looks through somebody else's eyes may not do this, whatever they were allowed. Its person alone may."""

    code, status = "identity.closed_to_operators", 403


class ImpersonationRefused(Problem):
    """Nobody looks through these eyes: your own, another operator's, or those of a blocked or closed account."""

    code, status = "identity.impersonation_refused", 409


class OwnRefused(Problem):
    """Nobody blocks, closes or demotes themselves here. Another operator can."""

    code, status = "identity.own_refused", 409


class PlanOfOrganizations(Problem):
    """Organizations hold the plans here, not people. Give it to an organization of theirs, on its own page."""

    code, status = "identity.plan_of_organizations", 409


class LastAdmin(Problem):
    """This is the last operator. Make somebody else one first."""

    code, status = "identity.last_admin", 409


class ReasonMissing(Problem):
    """Say why, in at most 500 characters: the audit log keeps it."""

    code, status = "identity.reason_missing", 422
