"""Files, functions, doors and READMEs stay small, and nothing is called utils."""

import pytest

from house.rules import sizes
from house.rules.tree import PACKAGE, package, plant, sources, unexcused

WIDE_DOORS = {
    "__init__.py": "the front door: a declaration needs 16 words, an author's own module the rest; at most 30",
    "kernel/__init__.py": "the seven ways to ask who calls, and what every module is made of",
    "product/__init__.py": "the words of the declaration; each is one",
    "web/__init__.py": "pages, letters and the words of both, for every room that talks to people",
    "organizations/actions/__init__.py": "thirteen use cases, each one function; only this room's pages and routes ask",
    "testing/__init__.py": "the whole public test kit; authors import from nowhere else",
}
WIDE_SIGNATURES = {
    "cli/run.py:run": "each is an option of the command line",
}
RULES = [
    (sizes.long_files, {}),
    (sizes.long_functions, {}),
    (sizes.many_parameters, WIDE_SIGNATURES),
    (sizes.deep_nesting, {}),
    (sizes.wide_doors, WIDE_DOORS),
]
DEEP = "def f(a):\n  for x in a:\n    if x:\n      while x:\n        with x:\n          if a:\n            x()\n"
OFFENCES = [
    (sizes.long_files, "room/actions.py", "x = 1\n" * 301),
    (sizes.long_functions, "room/actions.py", "class A:\n    def f(self):\n" + "        a = 1\n" * 40),
    (sizes.many_parameters, "room/actions.py", "async def f(ctx, a, b, c, *, d, e, f=1): ..."),
    (sizes.deep_nesting, "room/actions.py", DEEP),
    (sizes.wide_doors, "room/__init__.py", f"__all__ = {[f'name_{number}' for number in range(13)]}"),
]
MANY_BRANCHES = "async def f(ctx, db, a, b, c, *, d, e, **rest):\n    if a: pass\n" + "".join(
    f"    elif a == {number}: pass\n" for number in range(9)
)
HARMLESS = {
    "room/__init__.py": "__all__ = ['one']",
    "room/actions.py": "async def f(ctx, db, a, b, c, *, d, e, **rest):\n    if a: pass\n"
    + MANY_BRANCHES
    + "    a = 1\n" * 29,
    "migrations/versions/0001.py": "x = 1\n" * 400,
}


@pytest.mark.parametrize(("rule", "exceptions"), RULES)
def test_the_package_stays_small(rule, exceptions):
    assert unexcused(rule(package()), exceptions) == []


@pytest.mark.parametrize(("rule", "file", "text"), OFFENCES)
def test_each_size_is_measured(rule, file, text, tmp_path):
    found = list(rule(sources(plant(tmp_path, {file: text}))))
    assert [one.place.partition(":")[0] for one in found] == [file]


@pytest.mark.parametrize(("rule", "exceptions"), RULES)
def test_what_is_small_enough_passes(rule, exceptions, tmp_path):
    assert list(rule(sources(plant(tmp_path, HARMLESS)))) == []


def test_names_say_what_is_inside():
    assert unexcused(sizes.refused_names(PACKAGE), {}) == []


@pytest.mark.parametrize("name", ["room/utils.py", "common/x.py", "room/helpers/x.py", "core.py", "services.py"])
def test_a_name_that_says_nothing_is_found(name, tmp_path):
    assert len(list(sizes.refused_names(plant(tmp_path, {name: ""})))) == 1


def test_every_folder_is_a_package_and_every_room_is_explained():
    assert unexcused(sizes.folders_without_door(PACKAGE), {}) == []
    assert unexcused(sizes.readmes(PACKAGE), {}) == []


def test_a_folder_without_door_and_a_room_without_readme_are_found(tmp_path):
    long, short = "line\n" * 61, "line\n" * 60
    plant(tmp_path, {"room/x.py": "", "room/README.md": long, "other/__init__.py": ""})
    plant(tmp_path, {"third/__init__.py": "", "third/README.md": short})
    assert [one.place for one in sizes.folders_without_door(tmp_path)] == ["room"]
    assert [one.place for one in sizes.readmes(tmp_path)] == ["other", "room"]


def test_an_exception_that_nothing_needs_any_more_is_found(tmp_path):
    findings = list(sizes.many_parameters(sources(plant(tmp_path, {"x.py": "def f(a, b, c, d, e, f): ..."}))))
    assert unexcused(findings, {"x.py:f": "a reason"}) == []
    assert unexcused([], {"x.py:f": "a reason"}) == ["x.py:f: excused (a reason), but there is nothing to excuse"]
