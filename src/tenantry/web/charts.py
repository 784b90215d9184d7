"""Charts drawn on the server as SVG: no script, printable, readable by a screen reader.

Everything is placed in per cent of the width and pixels of the height, so a chart fills any width without scaling
its text. Colours come from classes in `components.css`; nothing uses a style attribute.
"""

from collections.abc import Sequence
from datetime import date
from hashlib import sha256
from math import ceil, floor, log10
from typing import NamedTuple

from babel.dates import format_date, format_skeleton
from markupsafe import Markup

from .filters import Formats
from .translations import ENGLISH, Translator

_HEIGHT = 168
_LABELS_MAX, _ALL_LABELLED_UP_TO = 5, 7
_BAR_SHARE = 0.68
_BAR_WIDTH_MAX = 7.0
_VISIBLE_MIN = 2
_WITHOUT_SUM = frozenset({"milliseconds"})  # times are not added up
_LIMIT_SHOWN_UP_TO = 4  # a limit more than this many times the highest bar would flatten the bars; it is only named


class Rate(str):
    """A unit of amounts that are not added up, translated already: money a month."""

    __slots__ = ()


class Point(NamedTuple):
    """One bar: what it stands for (a day, or a word) and its value."""

    at: date | str
    value: float


def bar_chart(
    points: Sequence[tuple[date | str, float]],
    *,
    label: str,
    unit: str,
    limit: float | None = None,
    words: Translator = ENGLISH,
) -> Markup:
    """A `<figure>` with bars, an optional line at `limit`, and the same numbers as a table to open.

    A point is a day (or a word) and its value, which is never below 0. `label` is the heading, already translated.
    `unit` is the plural noun of the values, as a meter is named ("requests"), and said in the form each number asks
    for; the amounts of a `Rate` are not added up. Bars at or above the limit are marked. No points at all gives a
    sentence instead of an axis. A negative value: ValueError.
    """
    formats, bars = Formats(words), [Point(*point) for point in points]
    drawn = _drawn(bars, label=label, unit=unit, limit=limit, formats=formats)
    table = _table(bars, label, unit, formats) if bars else ""
    return Markup('<figure class="chart">{}{}</figure>').format(drawn, table)


def bars_alone(
    points: Sequence[tuple[date | str, float]],
    *,
    label: str,
    unit: str,
    limit: float | None = None,
    words: Translator = ENGLISH,
) -> Markup:
    """A `bar_chart` without its table, for a page that has the same numbers in one of its own."""
    bars = [Point(*point) for point in points]
    drawn = _drawn(bars, label=label, unit=unit, limit=limit, formats=Formats(words))
    return Markup('<figure class="chart">{}</figure>').format(drawn)


def sparkline(points: Sequence[float], *, label: str = "") -> Markup:
    """A line without axes for a tile. Without a label it is decoration beside a number and hidden from readers."""
    if not points:
        return Markup("")
    low, high = min(0.0, *points), max(points)
    span = (high - low) or 1
    values = list(points) if len(points) > 1 else [points[0], points[0]]
    step = 100 / (len(values) - 1)
    corners = ((place * step, 26 - (value - low) / span * 24) for place, value in enumerate(values))
    path = " ".join(f"{_short(x)},{_short(y)}" for x, y in corners)
    name = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup(
        '<svg class="sparkline" viewBox="0 0 100 28" preserveAspectRatio="none" focusable="false" {}>'
        '<polygon class="sparkline-area" points="0,28 {} 100,28"/><polyline points="{}"/></svg>'
    ).format(name, path, path)


def _drawn(bars: Sequence[Point], *, label: str, unit: str, limit: float | None, formats: Formats) -> Markup:
    if any(bar.value < 0 for bar in bars):
        raise ValueError("a bar cannot show a negative value")
    head = _head(bars, label=label, unit=unit, limit=limit, formats=formats)
    if not bars:
        empty = Markup('<p class="chart-empty">{}</p>').format(formats.words("Nothing was counted in this time yet."))
        return head + empty
    return head + _plot(bars, label=label, unit=unit, limit=limit, formats=formats)


def _head(points: Sequence[Point], *, label: str, unit: str, limit: float | None, formats: Formats) -> Markup:
    total, noun = _whole(sum(point.value for point in points)), formats.words.noun(unit, 2)
    told = noun if unit in _WITHOUT_SUM or isinstance(unit, Rate) else Markup("<strong>{}</strong> {}").format(
        formats.number(total), formats.words.noun(unit, total)
    )  # fmt: skip
    key = Markup("")
    if limit is not None:
        text = formats.words("Limit %(limit)s", limit=formats.number(_whole(limit)))
        key = Markup(
            '<span class="chart-key"><svg width="18" height="2" aria-hidden="true" focusable="false">'
            '<line class="chart-limit" x1="0" x2="18" y1="1" y2="1"/></svg>{}</span>'
        ).format(text)
    return Markup(
        '<figcaption class="chart-head"><span class="chart-title">{}</span>'
        '<span class="chart-total">{}</span>{}</figcaption>'
    ).format(label, told, key)


def _plot(points: Sequence[Point], *, label: str, unit: str, limit: float | None, formats: Formats) -> Markup:
    highest = max(point.value for point in points)
    is_drawn = limit is not None and limit <= max(highest, 1) * _LIMIT_SHOWN_UP_TO
    step, top = _scale(max(highest, limit or 0) if is_drawn else highest)
    ticks = [top - step * place for place in range(round(top / step) + 1)]
    axis = Markup("").join(Markup("<span>{}</span>").format(formats.compact(_whole(tick))) for tick in ticks)
    parts = [_grid(len(ticks)), _bars(points, top=top, unit=unit, limit=limit, formats=formats)]
    if limit is not None and is_drawn:
        parts.append(_limit_line(limit / top))
    parts.append(_x_labels(points, formats.words))
    svg = _svg(Markup("").join(parts), title=label, text=_summary(points, unit=unit, limit=limit, formats=formats))
    frame = Markup('<div class="chart-plot"><div class="chart-axis" aria-hidden="true">{}</div>{}</div>')
    return frame.format(axis, svg)


def _svg(content: Markup, *, title: str, text: str) -> Markup:
    mark = sha256(f"{title}\0{text}\0{content}".encode()).hexdigest()[:10]
    return Markup(
        '<svg class="chart-svg" role="img" aria-labelledby="c{}t c{}d" focusable="false" width="100%" height="{}">'
        '<title id="c{}t">{}</title><desc id="c{}d">{}</desc>{}</svg>'
    ).format(mark, mark, _HEIGHT + 24, mark, title, mark, text, content)


def _grid(count: int) -> Markup:
    lines = (_HEIGHT * place / (count - 1) for place in range(count))
    return Markup("").join(
        Markup('<line class="{}" x1="0" x2="100%" y1="{}" y2="{}"/>').format(
            "chart-base" if y == _HEIGHT else "chart-line", _short(y), _short(y)
        )
        for y in lines
    )


def _bars(points: Sequence[Point], *, top: float, unit: str, limit: float | None, formats: Formats) -> Markup:
    band = 100 / len(points)
    wide = min(band * _BAR_SHARE, _BAR_WIDTH_MAX)
    bars: list[Markup] = []
    for place, point in enumerate(points):
        tall = max(point.value / top * _HEIGHT, _VISIBLE_MIN) if point.value else 0.0
        kind = "chart-bar is-full" if limit is not None and point.value >= limit else "chart-bar"
        text = f"{_long(point.at, formats.words)}: {_counted(point.value, unit, formats)}"
        bars.append(
            Markup(
                '<g class="chart-band"><title>{}</title><rect class="chart-hit" x="{}%" y="0" width="{}%" height="{}"/>'
                '<rect class="{}" x="{}%" y="{}" width="{}%" height="{}" rx="2"/></g>'
            ).format(
                text,
                _short(place * band),
                _short(band),
                _HEIGHT,
                kind,
                _short((place + 0.5) * band - wide / 2),
                _short(_HEIGHT - tall),
                _short(wide),
                _short(tall),
            )
        )
    return Markup("").join(bars)


def _limit_line(share: float) -> Markup:
    y = _short(_HEIGHT * (1 - share))
    return Markup('<line class="chart-limit" x1="0" x2="100%" y1="{}" y2="{}"/>').format(y, y)


def _x_labels(points: Sequence[Point], words: Translator) -> Markup:
    band, last = 100 / len(points), len(points) - 1
    count = len(points) if len(points) <= _ALL_LABELLED_UP_TO else _LABELS_MAX
    places = sorted({round(last * part / (count - 1)) for part in range(count)}) if count > 1 else [0]
    labels: list[Markup] = []
    for order, place in enumerate(places):
        kind = "chart-label is-extra" if order % 2 and len(places) >= _LABELS_MAX else "chart-label"
        x, anchor = (place + 0.5) * band, "middle"
        if last >= _ALL_LABELLED_UP_TO and place in {0, last}:
            x, anchor = (0.0, "start") if place == 0 else (100.0, "end")
        text = Markup('<text class="{}" x="{}%" y="{}" text-anchor="{}">{}</text>')
        labels.append(text.format(kind, _short(x), _HEIGHT + 18, anchor, _brief(points[place].at, words)))
    return Markup("").join(labels)


def _table(points: Sequence[Point], label: str, unit: str, formats: Formats) -> Markup:
    rows = Markup("").join(
        Markup('<tr><th scope="row">{}</th><td>{}</td></tr>').format(
            _long(point.at, formats.words), formats.number(_whole(point.value))
        )
        for point in points
    )
    return Markup(
        '<details class="chart-data"><summary>{}</summary><div class="chart-scroll" tabindex="0" role="group" '
        'aria-label="{}"><table><thead><tr><th scope="col">{}</th><th scope="col">{}</th></tr></thead>'
        "<tbody>{}</tbody></table></div></details>"
    ).format(formats.words("Show the numbers"), label, formats.words("When"), formats.words.noun(unit, 2), rows)


def _summary(points: Sequence[Point], *, unit: str, limit: float | None, formats: Formats) -> str:
    highest = max(points, key=lambda point: point.value)
    text = formats.words(
        "%(start)s to %(end)s. Highest: %(counted)s, %(when)s.",
        start=_long(points[0].at, formats.words),
        end=_long(points[-1].at, formats.words),
        counted=_counted(highest.value, unit, formats),
        when=_long(highest.at, formats.words),
    )
    if limit is not None:
        text += " " + formats.words("Limit: %(limit)s.", limit=formats.number(_whole(limit)))
    return text


def _counted(value: float, unit: str, formats: Formats) -> str:
    """A number with its noun: "1 request", "1,200 requests"."""
    shown = _whole(value)
    return f"{formats.number(shown)} {formats.words.noun(unit, shown)}"


def _scale(highest: float) -> tuple[float, float]:
    """The distance of the grid lines and the top of the axis: 2 to 5 steps of 1, 2, 2.5 or 5 times a power of ten."""
    if highest <= 0:
        return 1.0, 1.0
    power = 10.0 ** floor(log10(highest / 4)) if highest > 4 else 1.0
    factors = (1, 2, 2.5, 5, 10) if power >= 10 else (1, 2, 5, 10)  # counts have no halves
    step = next(power * factor for factor in factors if power * factor * 4 >= highest)
    step = step if highest > 4 else 1.0
    return step, step * max(1, ceil(round(highest / step, 9)))


def _brief(at: date | str, words: Translator) -> str:
    return at if isinstance(at, str) else str(format_skeleton("MMMd", at, locale=words.locale))


def _long(at: date | str, words: Translator) -> str:
    return at if isinstance(at, str) else format_date(at, "medium", locale=words.locale)


def _whole(value: float) -> float:
    return int(value) if value == int(value) else round(value, 2)


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
