"""A workspace's slug: from a name in any script, and nobody else's."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.trials.slugs import SLUG_MAX, candidates, slug_of
from trials.owners import begin

SCRIPTS = {
    "latin": ("Müller & Söhne, Straßenbau", "muller-sohne-strassenbau"),
    "greek": ("Ελληνική Τράπεζα", "elliniki-trapeza"),
    "cyrillic": ("Привет, мир", "privet-mir"),
    "arabic": ("شركة النور", "shrkh-lnwr"),
    "hebrew": ("שלום עולם", "slvm-vlm"),
    "devanagari": ("नमस्ते दुनिया", "nmste-duniya"),
    "thai": ("สวัสดี", "swasdi"),
    "hangul": ("안녕 세계", "annyeong-segye"),
    "han": ("东京 公司", "dongjing-gongsi"),
    "kana": ("トヨタ", "toyota"),
    "georgian": ("ქართული", "kartuli"),
    "amharic": ("አማርኛ", "amarnya"),
    "apostrophes": ("O'Brien\u2019s", "obriens"),
    "emoji": ("🚀", "rocket"),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_name_in_any_script_has_a_slug(script):
    name, slug = SCRIPTS[script]
    assert slug_of(name) == slug
    assert next(candidates(name)) == slug


@pytest.mark.parametrize("name", ["𒀀𒀁", "—", "···"])
def test_a_name_without_a_latin_form_has_one_too(name):
    assert slug_of(name) == ""
    assert re.fullmatch(r"trial-[a-z0-9]{6}", next(candidates(name)))


@given(st.text(min_size=1, max_size=100))
def test_every_slug_fits(name):
    found = candidates(name)
    for slug in (next(found), next(found)):
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug)
        assert len(slug) <= SLUG_MAX


async def test_the_same_name_twice_gets_an_ending(ada, kit):
    first, second = await begin(ada, "Acme"), await begin(await kit.sign_in("grace"), "Acme")
    assert first["slug"] == "acme"
    assert re.fullmatch(r"acme-[a-z0-9]{6}", second["slug"])
    assert (first["name"], second["name"]) == ("Acme", "Acme")


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a" * 101, "\u202eA", 7])
async def test_what_cannot_be_a_name_is_refused(ada, name):
    refused = await ada.post("/v1/trials", json={"name": name})
    assert (refused.status_code, refused.json()["code"]) == (422, "request.invalid")


async def test_a_long_name_in_a_long_script_is_kept_whole(ada):
    made = await begin(ada, "株" * 100)
    assert made["name"] == "株" * 100
    assert len(made["slug"]) <= SLUG_MAX
