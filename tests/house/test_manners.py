"""No hidden imports, no kept state, no time but the clock's, no print."""

import pytest

from house.rules import manners
from house.rules.tree import package, plant, sources, unexcused

STATE = {
    "kernel/database/units.py": "only that this task holds a connection, so that nothing slow starts meanwhile",
    "kernel/logs.py": "only the request's id, for log records",
}
CLOCKS = {
    "kernel/logs.py": "a log line is stamped with the machine's time, also when a test has frozen the application's",
    "web/pages.py": "what a page shows when its caller gave no time; the application's layout gives the clock's",
}
RULES = [
    (manners.imports_inside, {}),
    (manners.kept_state, STATE),
    (manners.refused_classes, {}),
    (manners.prints, {}),
    (manners.own_clocks, CLOCKS),
    (manners.naive_times, {}),
]
OFFENCES = [
    (manners.imports_inside, "def f():\n    import json"),
    (manners.imports_inside, "class A:\n    def f(self):\n        from json import loads"),
    (manners.kept_state, "x = 1\ndef f():\n    global x"),
    (manners.kept_state, "from contextvars import ContextVar\nx = ContextVar('x')"),
    (manners.kept_state, "cache = {}\ndef f(a):\n    cache[a] = 1"),
    (manners.kept_state, "seen: list[int] = []\ndef f(a):\n    seen.append(a)"),
    (manners.kept_state, "seen = defaultdict(list)\ndef f(a):\n    del seen[a]"),
    (manners.refused_classes, "class KeyService: ..."),
    (manners.refused_classes, "class UserRepository(Base): ..."),
    (manners.prints, "print(1)"),
    (manners.own_clocks, "from datetime import UTC, datetime\nx = datetime.now(UTC)"),
    (manners.own_clocks, "import time\nx = time.time()"),
    (manners.naive_times, "x = datetime.now()"),
    (manners.naive_times, "x = datetime.utcnow()"),
    (manners.naive_times, "x = datetime.fromtimestamp(1)"),
]
HARMLESS = {
    "room/actions.py": "import json\nKNOWN = {'a': 1}\n"
    "def f(ctx, rows):\n    found = {}\n    found['a'] = KNOWN['a']\n    rows.append(1)\n    return ctx.clock.now()\n",
    "cli/run.py": "print(1)",
    "kernel/clock.py": "def now():\n    return datetime.now(UTC)\n",
}


@pytest.mark.parametrize(("rule", "exceptions"), RULES)
def test_the_package_behaves(rule, exceptions):
    assert unexcused(rule(package()), exceptions) == []


@pytest.mark.parametrize(("rule", "text"), OFFENCES)
def test_bad_manners_are_found(rule, text, tmp_path):
    assert len(list(rule(sources(plant(tmp_path, {"room/actions.py": text}))))) == 1


@pytest.mark.parametrize(("rule", "exceptions"), RULES)
def test_good_manners_pass(rule, exceptions, tmp_path):
    assert list(rule(sources(plant(tmp_path, HARMLESS)))) == []
