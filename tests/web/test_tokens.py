"""The colours keep WCAG 2.2 AA, worked out from `tokens.css` itself, for every hue a product may choose."""

import re
from math import cos, radians, sin

import pytest

from tenantry.web.static import STATIC_DIR

TOKENS = (STATIC_DIR / "tokens.css").read_text(encoding="utf-8")
OKLCH = r"oklch\(([\d.]+)% ([\d.]+) ([\d.]+|var\(--accent-hue\))\)"
TEXT_ON_GROUND = [
    *(
        (ink, ground)
        for ink in ("ink", "ink-2", "ink-3", "accent-text")
        for ground in ("paper", "surface", "sunken", "raised")
    ),
    ("on-accent", "accent"),
    ("on-accent", "accent-hover"),
    ("accent-text", "accent-soft"),
    ("accent-text", "accent-line"),
    ("ink-2", "neutral-soft"),
    ("danger", "surface"),
    ("danger", "paper"),
    ("paper", "ink"),
    *(
        (ink, f"{tone}-soft")
        for tone in ("success", "warning", "danger", "info")
        for ink in (tone, "ink", "accent-text")
    ),
]
SHAPES_ON_GROUND = [
    *(
        (shape, ground)
        for shape in ("line-control", "accent", "accent-fill", "danger-fill")
        for ground in ("paper", "surface")
    ),
    ("success-fill", "success-soft"),
    ("danger-fill", "danger-soft"),
]


def colours(hue: float, theme: str) -> dict[str, tuple[float, float, float]]:
    found = {}
    for name, light, dark in re.findall(r"--([\w-]+): light-dark\((oklch\([^)]*\)?\)), (oklch\([^)]*\)?\))\);", TOKENS):
        parts = re.fullmatch(OKLCH, light if theme == "light" else dark)
        assert parts, name
        found[name] = (float(parts[1]) / 100, float(parts[2]), hue if parts[3].startswith("var") else float(parts[3]))
    return found


def luminance(colour: tuple[float, float, float]) -> float:
    """Relative luminance of an oklch colour, clipped to sRGB. Matrices: CSS Color 4, sample code for oklab."""
    light, chroma, hue = colour
    a, b = chroma * cos(radians(hue)), chroma * sin(radians(hue))
    long = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (light - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    red, green, blue = (min(max(part, 0), 1) for part in (red, green, blue))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def too_weak(pairs, theme, least):
    weak = []
    for hue in range(0, 360, 5):
        found = colours(hue, theme)
        weak += [
            (hue, ink, ground, round(contrast(found[ink], found[ground]), 2))
            for ink, ground in pairs
            if contrast(found[ink], found[ground]) < least
        ]
    return weak


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_on_its_ground(theme):
    assert too_weak(TEXT_ON_GROUND, theme, 4.5) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_controls_and_bars_stand_out_from_their_ground(theme):
    assert too_weak(SHAPES_ON_GROUND, theme, 3) == []


def test_the_arithmetic_knows_black_on_white():
    assert contrast((0, 0, 0), (1, 0, 0)) == pytest.approx(21, abs=0.01)


def test_every_token_that_is_used_is_declared():
    declared = set(re.findall(r"(--[\w-]+):", TOKENS))
    for path in STATIC_DIR.glob("*.css"):
        text = path.read_text(encoding="utf-8")
        used = set(re.findall(r"var\((--[\w-]+)", text))
        assert used - declared - set(re.findall(r"(--[\w-]+):", text)) == set(), path.name
