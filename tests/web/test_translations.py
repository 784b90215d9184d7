import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.web import mark
from tenantry.web.translations import load_translators, negotiate

LANGUAGES = ("en", "de", "pt_BR")


@pytest.mark.parametrize(
    ("chosen", "header", "expected"),
    [
        (None, None, "en"),
        (None, "", "en"),
        (None, "de", "de"),
        (None, "DE-at,en;q=0.5", "de"),
        (None, "fr,de;q=0.7,en;q=0.8", "en"),
        (None, "pt-BR", "pt_BR"),
        (None, "pt", "en"),
        (None, "de;q=0,en", "en"),
        (None, "de;q=0", "en"),
        (None, "*", "en"),
        (None, "de;q=nonsense", "en"),
        (None, "de;q=2", "en"),
        ("de", "en", "de"),
        ("xx", "de", "de"),
        ("../../etc", "de", "de"),
        ("pt_BR", None, "pt_BR"),
    ],
)
def test_the_language_of_the_answer(chosen, header, expected):
    assert negotiate(LANGUAGES, chosen=chosen, accept_language=header) == expected


@given(st.text(max_size=200), st.none() | st.text(max_size=10))
def test_any_header_gives_a_language_we_have(header, chosen):
    assert negotiate(LANGUAGES, chosen=chosen, accept_language=header) in LANGUAGES


def test_english_is_the_source_and_german_is_shipped():
    translators = load_translators()
    assert translators["en"]("Sign out") == "Sign out"
    assert translators["de"]("Sign out") == "Abmelden"
    assert translators["de"].babel.text_direction == "ltr"


def test_a_text_nobody_translated_stays_english():
    assert load_translators()["de"]("A text that no catalogue holds") == "A text that no catalogue holds"


def test_an_empty_text_is_not_the_header_of_the_catalogue():
    assert load_translators()["de"]("") == ""


def test_values_are_filled_in_after_translation():
    german = load_translators()["de"]
    assert german("renews on %(day)s", day="1.2.") == "verlängert sich am 1.2."
    assert german("100% of it") == "100% of it"


def test_plural_forms(tmp_path):
    folder = tmp_path / "pl" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "tenantry.po").write_text(
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
        '"Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);\\n"\n\n'
        'msgid "%(num)d key"\nmsgid_plural "%(num)d keys"\n'
        'msgstr[0] "%(num)d klucz"\nmsgstr[1] "%(num)d klucze"\nmsgstr[2] "%(num)d kluczy"\n',
        encoding="utf-8",
    )
    polish = load_translators(tmp_path)["pl"]
    texts = [polish.plural("%(num)d key", "%(num)d keys", count) for count in (1, 2, 5, 22)]
    assert texts == ["1 klucz", "2 klucze", "5 kluczy", "22 klucze"]
    assert load_translators(tmp_path)["en"].plural("%(num)d key", "%(num)d keys", 1) == "1 key"


def test_mark_changes_nothing():
    assert mark("API keys") == "API keys"
