"""The structural checks of a declaration: what can be said about it without settings, database or network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from .billing_checks import check_billing
from .credit_checks import check_credits
from .findings import Finding, choose, error, warning
from .key_checks import check_keys
from .organization_checks import check_organizations
from .plan_checks import check_limits, check_plans
from .sign_in import GitHub, MagicLink, Passkey, Password, Provider
from .words import BILLED, NAME, NAME_RULE, STATUSES, is_switch, repeated

if TYPE_CHECKING:
    from .declaration import Product

NAME_CHARACTERS_MAX = 80
# Browsers keep no cookie longer than 400 days (RFC 6265bis), so a longer session would be a promise not kept.
SESSION_MIN, SESSION_MAX = timedelta(minutes=1), timedelta(days=400)
SLUG = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
SLUG_CHARACTERS_MAX = 50
# /auth/{name}/start shares its first part with these doors.
SIGN_IN_WORDS_TAKEN = (
    "signout", "magic-link", "password", "verify", "link", "passkey", "reset", "second-factor", "confirm",
)  # fmt: skip
PASSWORD_LENGTH_MIN, PASSWORD_LENGTH_MIN_MAX = 8, 64
SCOPE = re.compile(r"[!#-\[\]-~]{1,200}")
"""RFC 6749, 3.3: printable ASCII without blank, quote and backslash. The length is ours."""
OFFLINE = "offline_access"


def check_product(product: Product) -> list[Finding]:
    """Every finding about the declaration: the product's own words first, then part by part, credits last."""
    findings = (
        *_check_words(product),
        *_check_sessions(product),
        *_check_sign_in(product),
        *check_plans(product),
        *check_limits(product),
        *_check_source_names(product),
        *_check_sources(product),
        *check_keys(product),
        *check_billing(product),
        *check_organizations(product),
        *check_credits(product),
    )
    # A thing that several plans mention is told once.
    return list(dict.fromkeys(findings))


def _check_words(product: Product) -> Iterator[Finding]:
    if not product.name.strip():
        yield error("name", "The product has no name.", "Give it the name that customers know it by.")
    if len(product.name) > NAME_CHARACTERS_MAX:
        yield error(
            "name",
            f"The name has {len(product.name)} characters.",
            f"Shorten it to {NAME_CHARACTERS_MAX}; the tagline and the description may be longer.",
        )
    if product.billed not in BILLED:
        yield error("billed", f'"{product.billed}" cannot hold a plan.', choose(product.billed, BILLED))


def _check_sessions(product: Product) -> Iterator[Finding]:
    lifetime, longest = product.session_lifetime, product.session_lifetime_max
    wrong = [*_check_lifetime("session_lifetime", lifetime), *_check_lifetime("session_lifetime_max", longest)]
    yield from wrong
    if not is_switch(product.sliding):
        yield error("sliding", f"{product.sliding!r} is neither True nor False.", "Write True or False.")
    elif product.sliding and not wrong and lifetime > longest:
        yield error(
            "session_lifetime_max",
            f"Sessions end after {longest} for good, before one session_lifetime is over.",
            "Make it longer than session_lifetime, or session_lifetime shorter.",
        )


def _check_lifetime(where: str, lifetime: object) -> Iterator[Finding]:
    if not isinstance(lifetime, timedelta):
        yield error(
            where,
            f"{lifetime!r} is not a length of time.",
            "Write it as a timedelta, for example timedelta(minutes=60).",
        )
    elif lifetime < SESSION_MIN:
        yield error(where, f"Sessions end after {lifetime}.", "Make it one minute or longer.")
    elif lifetime > SESSION_MAX:
        yield error(where, f"Sessions end after {lifetime}.", "Make it 400 days or shorter.")


def _check_sign_in(product: Product) -> Iterator[Finding]:
    if not product.sign_in:
        yield error("sign_in", "Nobody can sign in.", "Add a way in, for example sign_in=[Google()].")
    for index in repeated(way.name for way in product.sign_in):
        yield error(
            f"sign_in[{index}]",
            f'"{product.sign_in[index].name}" is there twice.',
            "Remove one of them; two OpenIDConnect() need two names.",
        )
    for index, way in enumerate(product.sign_in):
        if isinstance(way, Password):
            yield from _check_password(f"sign_in[{index}].length_min", way)
        if isinstance(way, Password | MagicLink | Passkey):
            continue
        if way.name in SIGN_IN_WORDS_TAKEN:
            yield error(f"sign_in[{index}].name", f'"{way.name}" is the address of another page.', "Rename it.")
        elif not NAME.fullmatch(way.name):
            yield error(f"sign_in[{index}].name", f'"{way.name}" cannot be a name.', NAME_RULE)
        if not way.label.strip():
            yield error(f"sign_in[{index}].label", "The button has no words.", "Say what people sign in with.")
        yield from _check_scopes(f"sign_in[{index}].scopes", way)


def _check_scopes(where: str, way: Provider) -> Iterator[Finding]:
    for index, scope in enumerate(way.scopes):
        if not SCOPE.fullmatch(scope):
            yield error(
                f"{where}[{index}]",
                f"{scope!r} is no scope.",
                "Write each scope by itself, as the provider's documentation spells it, without blanks and quotes.",
            )
    for index in repeated(way.scopes):
        yield error(f"{where}[{index}]", f'"{way.scopes[index]}" is there twice.', "Remove one of them.")
    if OFFLINE in way.scopes:
        # Google knows no such scope, and others grant it only with a parameter beside it.
        yield error(
            f"{where}[{way.scopes.index(OFFLINE)}]",
            f'"{OFFLINE}" is not asked for by its name.',
            "Take it out." if isinstance(way, GitHub) else f"Write {type(way).__name__}(offline=True) instead.",
        )


def _check_password(where: str, way: Password) -> Iterator[Finding]:
    if way.length_min < PASSWORD_LENGTH_MIN:
        yield error(where, f"Passwords of {way.length_min} characters are guessed.", "Ask for 8 or more.")
    if way.length_min > PASSWORD_LENGTH_MIN_MAX:
        yield error(where, f"Nobody types {way.length_min} characters.", "Ask for 64 at most.")


def _check_source_names(product: Product) -> Iterator[Finding]:
    for index in repeated(source.name for source in product.sources):
        name = product.sources[index].name
        yield error(f"sources[{index}].name", f'Another source is called "{name}" too.', "Rename one of them.")
    for index in repeated(source.key for source in product.sources):
        key = product.sources[index].key
        yield error(f"sources[{index}].key", f'Another source has the key "{key}" too.', "Change one of them.")
    for index, source in enumerate(product.sources):
        if not source.name.strip():
            yield error(f"sources[{index}].name", "The source has no name.", "Name it as customers should see it.")
        if not SLUG.fullmatch(source.key) or len(source.key) > SLUG_CHARACTERS_MAX:
            yield error(
                f"sources[{index}].key",
                f'"{source.key}" cannot stand in an address.',
                f"Use lower-case letters, digits and hyphens, at most {SLUG_CHARACTERS_MAX}, a letter first.",
            )


def _check_sources(product: Product) -> Iterator[Finding]:
    for index, source in enumerate(product.sources):
        if product.plans and source.availability not in product.order:
            yield error(
                f"sources[{index}].availability",
                f'There is no plan "{source.availability}".',
                choose(source.availability, product.order),
            )
        if source.status not in STATUSES:
            yield error(f"sources[{index}].status", f'"{source.status}" is no status.', choose(source.status, STATUSES))
        if source.status == "active" and source.adapter is None:
            yield error(
                f"sources[{index}].adapter",
                f'"{source.name}" is active, but nothing fetches its data.',
                'Give it an adapter, or make its status "planned".',
            )
    if product.meter_of_sources is None and any(source.status == "active" for source in product.sources):
        yield warning(
            "meter_of_sources",
            "Calls of the sources are counted on no meter, so no plan limits them.",
            "Add a Meter to the limits of the plans.",
        )
