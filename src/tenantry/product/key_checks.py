"""The checks of what a product says about API keys and trials."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from .findings import Finding, choose, error
from .keys import AUTHORIZE
from .words import is_count, is_switch, repeated

if TYPE_CHECKING:
    from .declaration import Product
    from .keys import Keys, Trials

PREFIX = re.compile(r"[a-z][a-z0-9]{1,15}")
SCOPE = re.compile(r"[a-z][a-z0-9_]{0,29}(?::[a-z][a-z0-9_]{0,29})?")
GRACE_MAX = timedelta(days=30)
LENGTH_MIN, LENGTH_MAX = timedelta(hours=1), timedelta(days=400)
BODY_BYTES_MAX = 64 * 1024


def check_keys(product: Product) -> Iterator[Finding]:
    """The findings about keys and trials; none where the product has neither."""
    if product.keys is not None:
        yield from _check_keys(product, product.keys)
    if product.trials is not None:
        yield from _check_trials(product, product.trials)


def _check_keys(product: Product, keys: Keys) -> Iterator[Finding]:
    if keys.prefix and not PREFIX.fullmatch(keys.prefix):
        yield error(
            "keys.prefix",
            f'"{keys.prefix}" cannot begin a key.',
            "Use 2 to 16 lower-case letters and digits, a letter first.",
        )
    for field, limited in (("meter", keys.meter), ("count", keys.count)):
        if limited is not None and limited not in product.limited:
            yield error(f"keys.{field}", f'No plan limits "{limited.name}".', "Add it to the limits of the plans.")
    yield from _check_scopes(keys)
    yield from _check_length("keys.grace", keys.grace, timedelta(0), GRACE_MAX)
    yield from _check_length("keys.calls_kept", keys.calls_kept, timedelta(days=1), LENGTH_MAX)
    if not is_switch(keys.log_bodies):
        yield error("keys.log_bodies", f"{keys.log_bodies!r} is neither True nor False.", "Write True or False.")
    if not is_count(keys.body_bytes_max) or not 1 <= keys.body_bytes_max <= BODY_BYTES_MAX:
        yield error(
            "keys.body_bytes_max",
            f"{keys.body_bytes_max!r} is not a number of bytes from 1 to {BODY_BYTES_MAX}.",
            "Write such a number.",
        )


def _check_scopes(keys: Keys) -> Iterator[Finding]:
    for index in repeated(scope.name for scope in keys.scopes):
        yield error(f"keys.scopes[{index}]", f'"{keys.scopes[index].name}" is there twice.', "Remove one of them.")
    for index, scope in enumerate(keys.scopes):
        where = f"keys.scopes[{index}]"
        if not SCOPE.fullmatch(scope.name):
            yield error(where, f'"{scope.name}" cannot be a scope.', 'Write it like "screen" or "screen:write".')
        if scope.name == AUTHORIZE.name:
            yield error(where, f'"{scope.name}" is built in.', "Remove it, or give yours another name.")
        if not scope.description.strip():
            yield error(where, "Nobody is told what it opens.", "Say it in a sentence.")


def _check_trials(product: Product, trials: Trials) -> Iterator[Finding]:
    for field, name in (("plan", trials.plan), ("enterprise_plan", trials.enterprise_plan)):
        if (name or field == "plan") and name not in product.order:
            yield error(f"trials.{field}", f'There is no plan "{name}".', choose(name, product.order))
    yield from _check_length("trials.length", trials.length, LENGTH_MIN, LENGTH_MAX)
    for field, count in (("most", trials.most), ("ever", trials.ever)):
        if count is not None and (not is_count(count) or count < 1):
            yield error(f"trials.{field}", f"{count!r} is not a whole number above 0.", "Write 1 or more, or None.")
    if trials.extensions is not None and (not is_count(trials.extensions) or trials.extensions < 0):
        yield error(
            "trials.extensions", f"{trials.extensions!r} is not a whole number from 0.", "Write 0 or more, or None."
        )
    for index, before in enumerate(trials.reminders):
        yield from _check_length(f"trials.reminders[{index}]", before, timedelta(minutes=1), LENGTH_MAX)


def _check_length(where: str, length: object, least: timedelta, most: timedelta) -> Iterator[Finding]:
    if not isinstance(length, timedelta):
        yield error(where, f"{length!r} is not a length of time.", "Write it as a timedelta.")
    elif not least <= length <= most:
        yield error(where, f"It is {length}.", f"Make it {least} or longer, and {most} or shorter.")
