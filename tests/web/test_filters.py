from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from tenantry.web.filters import Formats
from tenantry.web.translations import load_translators

EN, DE = (Formats(load_translators()[locale]) for locale in ("en", "de"))
NOON = datetime(2026, 11, 21, 12, 5, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minor", "currency", "english", "german"),
    [
        (0, "USD", "$0", "0\xa0$"),
        (1900, "USD", "$19", "19\xa0$"),
        (1950, "EUR", "€19.50", "19,50\xa0€"),
        (123456789, "USD", "$1,234,567.89", "1.234.567,89\xa0$"),
        (500, "JPY", "¥500", "500\xa0¥"),
        (1234, "KWD", "KWD1.234", "1,234\xa0KWD"),
        (-1900, "USD", "-$19", "-19\xa0$"),
    ],
)
def test_money(minor, currency, english, german):
    assert EN.money(minor, currency).replace("\xa0", "") == english
    assert DE.money(minor, currency) == german


def test_numbers_have_the_separators_of_the_language():
    assert (EN.number(1234567.5), DE.number(1234567.5)) == ("1,234,567.5", "1.234.567,5")
    assert EN.percent(0.345) == "34%"
    assert DE.percent(1) == "100\xa0%"


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (9999, "9,999"), (10_000, "10K"), (1_250_000, "1.2M"), (-25_000, "-25K")]
)
def test_short_numbers(value, text):
    assert EN.compact(value) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1 kB"), (52_428_800, "52.4 MB"), (999_949, "999.9 kB"),
     (999_950, "1 MB"), (10**9, "1 GB"), (10**12, "1 TB"), (5 * 10**18, "5,000 PB")],
)  # fmt: skip
def test_sizes(size, text):
    assert EN.size(size) == text


def test_sizes_in_german():
    assert (DE.size(1), DE.size(52_428_800)) == ("1 Byte", "52,4 MB")


def test_a_day_is_a_time_element():
    assert EN.day(date(2026, 11, 21)) == '<time datetime="2026-11-21">Nov 21, 2026</time>'
    assert DE.day(date(2026, 11, 21)) == '<time datetime="2026-11-21">21.11.2026</time>'
    late = datetime(2026, 11, 21, 1, 0, tzinfo=timezone(timedelta(hours=3)))
    assert 'datetime="2026-11-20"' in EN.day(late)


def test_a_moment_is_in_utc_and_may_be_shown_locally():
    text = EN.moment(NOON.astimezone(timezone(timedelta(hours=-5)))).replace("\u202f", " ")
    assert text == '<time datetime="2026-11-21T12:05:30Z" data-local>Nov 21, 2026, 12:05 PM UTC</time>'
    assert "21.11.2026, 12:05 UTC" in DE.moment(NOON)
    assert ' data-local="zone">' in EN.moment(NOON, zone=True)
    assert EN.utc(NOON).replace("\u202f", " ") == "Nov 21, 2026, 12:05 PM UTC"


def test_the_distance_from_now():
    assert ">in 5 hours<" in EN.relative(NOON + timedelta(hours=5), NOON)
    assert ">vor 3 Tagen<" in DE.relative(NOON - timedelta(days=3), NOON)
    there = EN.relative(NOON, NOON).replace("\u202f", " ")
    assert 'title="Nov 21, 2026, 12:05 PM UTC" data-local="title"' in there


@pytest.mark.parametrize(
    ("seconds", "english", "german"),
    [
        (1, "in 1 minute", "in 1 Minute"),
        (61, "in 2 minutes", "in 2 Minuten"),
        (14 * 60, "in 14 minutes", "in 14 Minuten"),
        (59 * 60, "in 59 minutes", "in 59 Minuten"),
        (3601, "in 2 hours", "in 2 Stunden"),
        (23 * 3600 + 1, "in 1 day", "in 1 Tag"),
    ],
)
def test_a_wait_is_never_told_too_short(seconds, english, german):
    assert (EN.wait(seconds), DE.wait(seconds)) == (english, german)


@pytest.mark.parametrize("show", [EN.moment, EN.day, lambda when: EN.relative(when, NOON)])
def test_a_time_without_a_zone_is_refused(show):
    with pytest.raises(ValueError, match="without a zone"):
        show(NOON.replace(tzinfo=None))
