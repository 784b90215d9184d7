import re
from datetime import date, timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.web.charts import Rate, bar_chart, bars_alone, sparkline
from tenantry.web.translations import load_translators

DAY = date(2026, 11, 21)
VALUES = st.floats(min_value=0, max_value=1e15, allow_nan=False)


def chart(*values, limit=None, **options):
    points = [(DAY + timedelta(days=place), value) for place, value in enumerate(values)]
    return ET.fromstring(bar_chart(points, label="Requests by day", unit="requests", limit=limit, **options))


def bars(figure):
    return [rect for rect in figure.iter("rect") if "chart-bar" in rect.get("class", "")]


def test_a_chart_can_be_read_without_seeing_it():
    figure = chart(3, 0, 120, limit=100)
    svg = figure.find(".//svg[@role='img']")
    assert svg is not None
    named = [figure.find(f".//*[@id='{key}']").text for key in svg.get("aria-labelledby").split()]
    assert named == [
        "Requests by day",
        "Nov 21, 2026 to Nov 23, 2026. Highest: 120 requests, Nov 23, 2026. Limit: 100.",
    ]
    rows = [[cell.text for cell in row] for row in figure.findall(".//tbody/tr")]
    assert rows == [["Nov 21, 2026", "3"], ["Nov 22, 2026", "0"], ["Nov 23, 2026", "120"]]


def test_each_bar_says_its_day_and_value():
    figure = chart(3, 1200)
    assert [title.text for title in figure.iterfind(".//g/title")] == [
        "Nov 21, 2026: 3 requests",
        "Nov 22, 2026: 1,200 requests",
    ]


@pytest.mark.parametrize(
    ("locale", "unit", "said"),
    [
        ("en", "requests", ["0 requests", "1 request", "2 requests", "1.5 requests"]),
        ("en", "queries", ["0 queries", "1 query", "2 queries", "1.5 queries"]),
        ("en", "lookups", ["0 lookups", "1 lookup", "2 lookups", "1.5 lookups"]),
        ("en", "fish", ["0 fish", "1 fish", "2 fish", "1.5 fish"]),
        ("de", "requests", ["0 Anfragen", "1 Anfrage", "2 Anfragen", "1,5 Anfragen"]),
    ],
)
def test_a_number_and_its_noun_agree(locale, unit, said):
    figure = ET.fromstring(
        bar_chart([("a", 0), ("b", 1), ("c", 2), ("d", 1.5)], label="l", unit=unit, words=load_translators()[locale])
    )
    assert [title.text.partition(": ")[2] for title in figure.iterfind(".//g/title")] == said


def test_the_heading_of_one_call_is_not_plural():
    assert "".join(chart(0, 1).find(".//figcaption").itertext()).endswith("1 request")
    assert "Highest: 1 request, Nov 22, 2026." in "".join(chart(0, 1).itertext())


def test_no_points_give_a_sentence():
    figure = chart()
    assert figure.find(".//p").text == "Nothing was counted in this time yet."
    assert figure.find(".//rect") is None


def test_one_point_is_a_narrow_bar():
    (bar,) = bars(chart(5))
    assert float(bar.get("width").rstrip("%")) <= 7


def test_zero_has_no_height_and_one_is_visible_beside_a_million():
    low, tiny, high = (float(bar.get("height")) for bar in bars(chart(0, 1, 1_000_000)))
    assert low == 0
    assert tiny == 2
    assert high == 168


def test_all_zero():
    figure = chart(0, 0)
    assert [float(bar.get("height")) for bar in bars(figure)] == [0, 0]
    assert [tick.text for tick in figure.find(".//div[@class='chart-axis']")] == ["1", "0"]


def test_bars_at_the_limit_are_marked():
    assert ["is-full" in bar.get("class") for bar in bars(chart(99, 100, 101, limit=100))] == [False, True, True]


def test_a_limit_far_above_the_bars_is_named_but_does_not_flatten_them():
    figure = chart(3, 9, limit=1000)
    assert "Limit 1,000" in "".join(figure.find(".//figcaption").itertext())
    assert figure.find(".//div//line[@class='chart-limit']") is None
    assert max(float(bar.get("height")) for bar in bars(figure)) > 100


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [
        (1, ["1", "0"]),
        (4, ["4", "3", "2", "1", "0"]),
        (10, ["10", "5", "0"]),
        (97, ["100", "75", "50", "25", "0"]),
        (1000, ["1,000", "750", "500", "250", "0"]),
        (3_000_000, ["3M", "2M", "1M", "0"]),
    ],
)
def test_the_axis_has_round_steps(highest, ticks):
    assert [tick.text for tick in chart(highest).find(".//div[@class='chart-axis']")] == ticks


def test_texts_follow_the_language():
    text = "".join(chart(1200, limit=5000, words=load_translators()["de"]).itertext())
    assert "Limit 5.000" in text
    assert "21. Nov." in text
    assert "21.11.2026: 1.200 Anfragen" in text


def test_words_are_escaped():
    markup = bar_chart([("<b>", 1)], label="<i>", unit='"&')
    assert "<b>" not in markup
    assert "<i>" not in markup
    ET.fromstring(markup)


def test_nothing_needs_a_style_attribute():
    assert not re.search(r"\sstyle=", bar_chart([("a", 1)], label="l", unit="u", limit=1) + sparkline([1, 2]))


def test_a_negative_value_is_refused():
    with pytest.raises(ValueError, match="negative"):
        chart(1, -1)


@given(st.lists(VALUES, min_size=1, max_size=60), st.none() | VALUES)
def test_bars_stay_inside_the_chart(values, limit):
    for bar in bars(chart(*values, limit=limit)):
        assert 0 <= float(bar.get("x").rstrip("%")) <= 100
        assert float(bar.get("y")) >= 0
        assert float(bar.get("y")) + float(bar.get("height")) <= 168.02


@pytest.mark.parametrize("points", [[1], [0, 0], [5, 5, 5], [1, 9, 2], [1e15, 0]])
def test_a_sparkline_fits_its_box(points):
    svg = ET.fromstring(sparkline(points))
    corners = [tuple(map(float, pair.split(","))) for pair in svg.find("polyline").get("points").split()]
    assert all(0 <= x <= 100 and 0 <= y <= 28 for x, y in corners)
    assert svg.get("aria-hidden") == "true"


def test_a_sparkline_with_a_label_is_a_picture():
    svg = ET.fromstring(sparkline([1, 2], label="Calls <1h>"))
    assert (svg.get("role"), svg.get("aria-label")) == ("img", "Calls <1h>")


def test_no_points_give_no_sparkline():
    assert sparkline([]) == ""


@pytest.mark.parametrize(("bars", "labels"), [(1, 1), (5, 5), (6, 6), (7, 7), (8, 5), (30, 5), (400, 5)])
def test_few_bars_are_all_named_and_of_many_some(bars, labels):
    text = bar_chart([(f"No {number}", 1) for number in range(bars)], label="Bars", unit="calls")
    assert text.count("<text ") == labels


def test_bars_alone_are_the_same_without_the_table():
    whole, alone = (draw([("Mon", 1)], label="Bars", unit="calls") for draw in (bar_chart, bars_alone))
    assert "<table" in whole
    assert "<table" not in alone
    assert alone.removesuffix("</figure>") == whole.partition("<details")[0]


def test_times_have_no_sum():
    units = ("calls", "milliseconds", Rate("USD im Monat"))
    counted, timed, rated = (bar_chart([("a", 2), ("b", 3)], label="x", unit=unit) for unit in units)
    assert '<span class="chart-total"><strong>5</strong> calls</span>' in counted
    assert '<span class="chart-total">milliseconds</span>' in timed
    assert '<span class="chart-total">USD im Monat</span>' in rated
