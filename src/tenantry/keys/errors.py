"""What keys refuse. A caller who shows a key is told exactly what is the matter with it: only its bearer knows it."""

from tenantry.kernel import Problem


class KeyNotFound(Problem):
    """You have no such API key."""

    code, status = "keys.not_found", 404


class HolderNotFound(Problem):
    """Nobody has this address."""

    code, status = "keys.holder_not_found", 404


class KeyIsOver(Problem):
    """This API key does not work any more, so it cannot be changed."""

    code, status = "keys.is_over", 409


class KeyIsFollowed(Problem):
    """This API key was rotated already; rotate the one that took its place."""

    code, status = "keys.is_followed", 409


class ScopeUnknown(Problem):
    """The product knows no such scope."""

    code, status = "keys.scope_unknown", 422


class ScopeReserved(Problem):
    """A key with this scope is about everybody's keys, so only an operator makes one."""

    code, status = "keys.scope_reserved", 403


class TierTooHigh(Problem):
    """An API key's tier is a plan, and none above the plan that its holder is on."""

    code, status = "keys.tier_too_high", 422


class KeyMissing(Problem):
    """Send an API key, as `Authorization: Bearer ...` or `X-API-Key: ...`."""

    code, status = "keys.missing", 401
    answer_headers = {"WWW-Authenticate": "Bearer"}


class KeyUnknown(Problem):
    """There is no such API key. Look for a character that was lost when it was copied."""

    code, status = "keys.unknown", 401
    answer_headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class KeyRevoked(Problem):
    """This API key was revoked."""

    code, status = "keys.revoked", 401
    answer_headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class KeyExpired(Problem):
    """This API key has expired."""

    code, status = "keys.expired", 401
    answer_headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class KeyPending(Problem):
    """This API key works as soon as its owner has proven their e-mail address."""

    code, status = "keys.pending", 403


class OwnerBanned(Problem):
    """The owner of this API key is banned."""

    code, status = "keys.owner_banned", 403


class OwnerClosed(Problem):
    """The account of this API key's owner was closed."""

    code, status = "keys.owner_closed", 403


class TrialEnded(Problem):
    """The trial that this API key belongs to is over."""

    code, status = "keys.trial_ended", 403


class HolderSuspended(Problem):
    """Whoever this API key belongs to is suspended at the moment."""

    code, status = "keys.holder_suspended", 403


class ScopeMissing(Problem):
    """This API key is not allowed to do that."""

    code, status = "keys.scope_missing", 403
    answer_headers = {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}
