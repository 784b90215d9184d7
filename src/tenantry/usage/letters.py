"""What people are told about how far their limit is used."""

from datetime import datetime

import msgspec

from tenantry.kernel import Context
from tenantry.product import Meter
from tenantry.web import Formats, Letter, Translator


class Reached(msgspec.Struct, frozen=True):
    """A percent of a window's limit that is used, and what the mail about it needs."""

    meter: Meter
    percent: int
    used: int
    limit: int
    window_end: datetime


def reached_letter(ctx: Context, words: Translator, reached: Reached, *, organization: str | None = None) -> Letter:
    """To the holder's person: how much is used, what that means, and when the count starts again.

    `organization`: its name, to the owner and the admins of one.
    """
    formats = Formats(words)
    values = {
        "used": formats.number(min(reached.used, reached.limit)),
        "limit": formats.number(reached.limit),
        "meter": words.noun(reached.meter.name.replace("_", " "), reached.limit),
        "product": ctx.product.name,
        "time": formats.utc(reached.window_end),
        "percent": formats.percent(reached.percent / 100),
    }
    is_all = reached.percent >= 100
    return Letter(
        words("Your limit is reached: %(used)s of %(limit)s %(meter)s", **values)
        if is_all
        else words("%(percent)s of your %(limit)s %(meter)s are used", **values),
        [
            *([words("This is about the organization %(name)s.", name=organization)] if organization else []),
            _said(words, reached.meter, values, is_all=is_all),
            _what_then(words, values, is_all=is_all),
        ],
        action=(words("Look at your usage"), f"{ctx.settings.public_url}/usage"),
        closing=[
            words(
                "A larger plan allows more: %(address)s. You get this mail only once until the count starts again.",
                address=f"{ctx.settings.public_url}/pricing",
            )
        ],
    )


def _said(words: Translator, meter: Meter, values: dict[str, str], *, is_all: bool) -> str:
    if meter.per == "day":
        if is_all:
            return words("Today's %(limit)s %(meter)s on %(product)s are used up.", **values)
        return words("Today you have used %(used)s of %(limit)s %(meter)s on %(product)s.", **values)
    if is_all:
        return words("This month's %(limit)s %(meter)s on %(product)s are used up.", **values)
    return words("This month you have used %(used)s of %(limit)s %(meter)s on %(product)s.", **values)


def _what_then(words: Translator, values: dict[str, str], *, is_all: bool) -> str:
    if is_all:
        return words("Further calls are refused until the count starts again on %(time)s.", **values)
    return words("At the limit further calls are refused. The count starts again on %(time)s.", **values)
