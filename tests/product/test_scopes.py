"""Scopes that a product asks for beside what signing in needs."""

import pytest

from tenantry import GitHub, Google, OpenIDConnect, Plan, Product


def findings(*ways):
    found = Product("Acme", sign_in=list(ways), plans=[Plan("free", price=0)]).check()
    return [(one.level, one.where, one.fix) for one in found]


def test_they_are_kept_as_a_tuple_and_compared():
    assert Google(scopes=["a", "b"]).scopes == ("a", "b")
    assert hash(Google(scopes=["a"], offline=True)) == hash(Google(scopes=("a",), offline=True))
    assert Google() != Google(offline=True)
    assert (OpenIDConnect().scopes, OpenIDConnect().offline, GitHub().scopes) == ((), False, ())


@pytest.mark.parametrize(
    "scope", ["repo", "https://www.googleapis.com/auth/calendar.readonly", "read:org", "a,b", "x[1]", "!", "~"]
)
def test_what_the_standard_lets_a_scope_be(scope):
    assert findings(Google(scopes=[scope]), GitHub(scopes=[scope]), OpenIDConnect(scopes=[scope])) == []


@pytest.mark.parametrize("scope", ["", "repo gist", " repo", 'a"b', "a\\b", "größe", "a\n", "a" * 201])
@pytest.mark.parametrize("way", [Google, GitHub, OpenIDConnect])
def test_what_is_no_scope_is_an_error(way, scope):
    [(level, where, fix)] = findings(way(scopes=["fine", scope]))
    assert (level, where) == ("error", "sign_in[0].scopes[1]")
    assert "without blanks" in fix


def test_twice_is_an_error():
    [(level, where, _)] = findings(GitHub(scopes=["repo", "gist", "repo"]))
    assert (level, where) == ("error", "sign_in[0].scopes[2]")


@pytest.mark.parametrize(
    ("way", "fix"),
    [(Google, "Google(offline=True)"), (OpenIDConnect, "OpenIDConnect(offline=True)"), (GitHub, "Take it out.")],
)
def test_offline_access_has_a_word_of_its_own(way, fix):
    [(level, where, told)] = findings(way(scopes=["x", "offline_access"]))
    assert (level, where) == ("error", "sign_in[0].scopes[1]")
    assert fix in told


@pytest.mark.parametrize(
    "made",
    [
        lambda: Google(scopes="repo"),
        lambda: GitHub(scopes=[1]),
        lambda: OpenIDConnect(scopes=None),
        lambda: Google(offline="yes"),
        lambda: OpenIDConnect(offline=1),
    ],
)
def test_type_misuse_raises_where_it_is_written(made):
    with pytest.raises(TypeError):
        made()
