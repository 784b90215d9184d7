"""Texts in the reader's language: gettext catalogues read by Babel, no build step.

`locale/<lang>/LC_MESSAGES/tenantry.po` is compiled in memory when the application is built, once a process. English is
the source language and needs no catalogue. `scripts/messages.py` keeps the catalogues complete.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

SOURCE_LOCALE = "en"
LOCALE_DIR = Path(__file__).parent / "locale"

_ACCEPT_LENGTH_MAX = 1000
_RANGE = re.compile(r"([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)(?:\s*;\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?")


def mark(message: str) -> str:
    """Mark a text for the catalogue where no reader is known yet (a module's navigation); returns it unchanged.

    Translate it later with `gettext(request)(text)`.
    """
    return message


def _noun(singular: str, plural: str) -> tuple[str, str]:
    """A noun for the catalogue, with both of its forms; `scripts/messages.py` collects the calls."""
    return plural, singular


# What products count in most often. Meters are named by the plural, so the singular is looked up from there.
_SINGULAR = dict([
    _noun("call", "calls"), _noun("error", "errors"), _noun("message", "messages"), _noun("query", "queries"),
    _noun("request", "requests"), _noun("millisecond", "milliseconds"), _noun("token", "tokens"),
])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Translator:
    """Translates into one language. Call it with the English text; named values are filled in after translation.

    `_("Signed in as %(email)s", email=email)`; with counts `_.plural("%(num)d key", "%(num)d keys", 3)`, where `num`
    is filled in by itself. A text that no catalogue holds comes back in English.
    """

    locale: str = SOURCE_LOCALE
    _translations: NullTranslations = field(default_factory=NullTranslations, repr=False)

    def __call__(self, message: str, /, **values: object) -> str:
        """The text in this language; `%(name)s` places are filled only when values are given."""
        text = self._translations.ugettext(message) if message else ""
        return text % values if values else text

    def plural(self, singular: str, plural: str, count: int, /, **values: object) -> str:
        """The form of the text that this language uses for `count`."""
        return self.form(singular, plural, count) % {"num": count, **values}

    def form(self, singular: str, plural: str, count: int, /) -> str:
        """The same form with its `%(name)s` places still open, for who fills them in with escaping."""
        return self._translations.ungettext(singular, plural, count)

    def noun(self, plural: str, count: float) -> str:
        """The noun that something is counted in, as a meter is named ("requests"), in the form for `count`.

        A noun that no catalogue holds loses an "s" at the count of 1, and is else said as it was declared.
        """
        whole = int(count) if count == int(count) else 2
        return self.form(_SINGULAR.get(plural, plural.removesuffix("s")), plural, whole)

    @property
    def babel(self) -> Locale:
        """Babel's description of the language, for numbers, dates and direction of writing."""
        return Locale.parse(self.locale)


ENGLISH = Translator()


def load_translators(folder: Path = LOCALE_DIR) -> Mapping[str, Translator]:
    """One translator for each language that has a catalogue in the folder, and English. Raises on a broken file."""
    found = {SOURCE_LOCALE: ENGLISH}
    for path in sorted(folder.glob("*/LC_MESSAGES/tenantry.po")):
        locale = path.parent.parent.name
        found[locale] = Translator(locale, _compiled(path.read_bytes(), locale))
    return found


def negotiate(available: Collection[str], *, chosen: str | None, accept_language: str | None) -> str:
    """The language to answer in: the one chosen earlier, else the best of `Accept-Language`, else English.

    A region falls back to its language (`de-AT` → `de`). What cannot be read is ignored.
    """
    if chosen in available:
        return str(chosen)
    by_tag = {name.replace("_", "-").lower(): name for name in available}
    for tag in _wanted(accept_language or ""):
        found = by_tag.get(tag) or by_tag.get(tag.partition("-")[0])
        if found:
            return found
    return SOURCE_LOCALE


def _wanted(accept_language: str) -> list[str]:
    ranges: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language[:_ACCEPT_LENGTH_MAX].split(",")):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            continue
        quality = float(match[2]) if match[2] else 1.0
        if quality > 0:
            ranges.append((-quality, place, match[1].lower()))
    return [tag for _quality, _place, tag in sorted(ranges)]


# By its bytes, so that a changed file is read anew: 20 ms each, for every application that a process makes.
@lru_cache(maxsize=16)
def _compiled(catalogue: bytes, locale: str) -> Translations:
    catalog = read_po(BytesIO(catalogue), locale=locale, domain="tenantry", abort_invalid=True)
    binary = BytesIO()
    write_mo(binary, catalog)
    binary.seek(0)
    return Translations(binary, domain="tenantry")
