"""Settings that can be read but should not be used: unsafe in production, or at odds with each other."""

from collections import Counter
from collections.abc import Iterator
from itertools import combinations

from tenantry.product import Finding

from .addresses import is_encrypted, is_postgresql, login_of, stays_here
from .settings import Settings

SECRET_KEY_CHARACTERS_MIN = 32
_DATABASES = ("database_url", "service_url", "owner_url", "direct_url")
_PROVIDERS = ("stripe", "polar", "lemonsqueezy", "binance", "openai", "anthropic")
_KEY_FIX = "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'"


def check_settings(settings: Settings) -> list[Finding]:
    """Every finding about settings as such, all at once; what needs the product, each room checks itself.

    In development only what cannot work is an error. Production refuses plain text over a network, missing or weak
    keys, one login for two duties, and whatever is meant for development. No finding holds a secret.
    """
    return [
        *_check_secret_keys(settings),
        *_check_kinds(settings),
        *_check_sign_in(settings),
        *_check_pooler(settings),
        *(_check_production(settings) if settings.is_production else ()),
    ]


def _check_production(settings: Settings) -> Iterator[Finding]:
    yield from _check_public(settings)
    yield from _check_encryption(settings)
    if settings.smtp_url is not None and "mail_from" not in settings.model_fields_set:
        yield _error("mail_from", "It is unset, so mails would come from localhost.", "Set the sender of mails.")
    yield from _check_proxies(settings)
    if settings.database_kind == "postgresql":
        yield from _check_logins(settings)
    else:
        yield Finding(
            "warning",
            "TENANTRY_DATABASE_URL",
            "SQLite keeps everything in one file on one machine.",
            "Use PostgreSQL from the first customer on.",
        )


def _check_proxies(settings: Settings) -> Iterator[Finding]:
    if settings.public_url.startswith("https://") and settings.trusted_proxies == 0:
        yield Finding(
            "warning",
            "TENANTRY_TRUSTED_PROXIES",
            "It is 0 though the public address is https: behind a proxy every visitor would look like the proxy.",
            "Set how many proxies of your own stand in front; leave it if this server ends TLS itself.",
        )


def _check_secret_keys(settings: Settings) -> Iterator[Finding]:
    keys = [key.get_secret_value() for key in settings.secret_keys]
    if not keys and settings.is_production:
        yield _error("secret_keys", "There is no secret key.", _KEY_FIX)
    for position, key in enumerate(keys, start=1):
        if len(key) < SECRET_KEY_CHARACTERS_MIN:
            yield _error(
                "secret_keys",
                f"Key {position} of the list has fewer than {SECRET_KEY_CHARACTERS_MIN} characters.",
                _KEY_FIX,
            )
    if any(times > 1 for times in Counter(keys).values()):
        yield _error("secret_keys", "A key is listed twice.", "List each key once, the newest first.")


def _check_kinds(settings: Settings) -> Iterator[Finding]:
    for field in _DATABASES[1:]:
        address = getattr(settings, field)
        if address is None or is_postgresql(address) == (settings.database_kind == "postgresql"):
            continue
        yield _error(
            field,
            f"It is not an address of {settings.database_kind}, as TENANTRY_DATABASE_URL is.",
            "Every address names the same database, for another login; unset those that are not needed.",
        )


def _check_sign_in(settings: Settings) -> Iterator[Finding]:
    groups = (
        ("google_client_id", "google_client_secret"),
        ("github_client_id", "github_client_secret"),
        ("oidc_issuer", "oidc_client_id", "oidc_client_secret"),
    )
    for fields in groups:
        given = [field for field in fields if getattr(settings, field) is not None]
        for field in fields:
            if given and field not in given:
                yield _error(
                    field, f"It is unset, but TENANTRY_{given[0].upper()} is set.", "Set all of them, or none."
                )


def _check_pooler(settings: Settings) -> Iterator[Finding]:
    if settings.pool_mode == "transaction" and settings.database_kind == "postgresql" and settings.direct_url is None:
        yield _error(
            "direct_url",
            "LISTEN does not work through a pooler in transaction mode, so a revoked key would stay valid.",
            "Set it to the server's own address, with the login of TENANTRY_SERVICE_URL.",
        )


def _check_public(settings: Settings) -> Iterator[Finding]:
    if not settings.public_url.startswith("https://"):
        yield _error(
            "public_url",
            "Customers would send their cookies in plain text."
            if "public_url" in settings.model_fields_set
            else "It is unset.",
            "Set it to the https:// origin customers see.",
        )
    for address in settings.allowed_origins:
        if address == "*":
            yield _error(
                "allowed_origins", "Every web site could call the API from a browser.", "List the origins you know."
            )
        elif address.startswith("http://"):
            yield _error("allowed_origins", f"{address} can be impersonated on a network.", "Use its https:// origin.")
    if settings.demo_issuer is not None:
        yield _error("demo_issuer", "Anybody could sign in as anybody.", "Unset it; it is for development only.")
    if settings.demo_billing is not None:
        yield _error("demo_billing", "Anybody could buy without paying.", "Unset it; it is for development only.")


def _check_encryption(settings: Settings) -> Iterator[Finding]:
    for field in _DATABASES:
        address = getattr(settings, field)
        if address is None or not is_postgresql(address) or is_encrypted(address) or stays_here(address):
            continue
        yield _error(
            field,
            "The connection to the database is not encrypted for certain.",
            "Add sslmode=verify-full to the address (or verify-ca, or require).",
        )
    for field in ("oidc_issuer", "github_base_url", *(f"{provider}_base_url" for provider in _PROVIDERS)):
        address = getattr(settings, field)
        if address is not None and address.startswith("http://") and not stays_here(address):
            yield _error(field, "Secrets would be sent in plain text.", "Use https://.")


def _check_logins(settings: Settings) -> Iterator[Finding]:
    if settings.service_url is None:
        yield _error(
            "service_url",
            "It is unset, and the API login cannot do what the service login may.",
            "Set it to the address with the service login; `tenantry db init` makes the logins.",
        )
    duties = {field: getattr(settings, field) for field in ("database_url", "service_url", "owner_url")}
    for (one, first), (other, second) in combinations(duties.items(), 2):
        if first is not None and second is not None and login_of(first) == login_of(second):
            yield _error(
                other,
                f"It has the same login as TENANTRY_{one.upper()}.",
                "Give each its own login: row level security holds only if the API login owns nothing.",
            )


def _error(field: str, problem: str, fix: str) -> Finding:
    return Finding("error", f"TENANTRY_{field.upper()}", problem, fix)
