"""Tests patch nothing of ours, wait for states and assert no speed; warnings are errors."""

import tomllib

import pytest

from house.rules import testing_manners
from house.rules.tree import ROOT, plant, sources, unexcused

RULES = [(testing_manners.patches, {}), (testing_manners.naps, {}), (testing_manners.speeds, {})]
OFFENCES = [
    (testing_manners.patches, "from unittest import mock"),
    (testing_manners.patches, "from unittest.mock import patch"),
    (testing_manners.patches, "import unittest.mock"),
    (testing_manners.patches, "def test_x(monkeypatch):\n    monkeypatch.setattr('tenantry.x', 1)"),
    (testing_manners.patches, "from tenantry.kernel import ids\nids.new_id = None"),
    (testing_manners.patches, "import tenantry.kernel\ntenantry.kernel.new_id = None"),
    (testing_manners.naps, "import time\ntime.sleep(1)"),
    (testing_manners.naps, "import time\ntime.sleep(pause)"),
    (
        testing_manners.patches,
        "from tenantry.kernel import ids\ndef test_x(monkeypatch):\n    monkeypatch.setattr(ids, 'x', 1)",
    ),
    (testing_manners.speeds, "assert elapsed < 2"),
    (testing_manners.speeds, "assert time.monotonic() - start <= 2"),
    (testing_manners.speeds, "assert 2 > took"),
]
HARMLESS = """
async def test_x(monkeypatch):
    monkeypatch.setenv("TENANTRY_PORT", "1")
    monkeypatch.setattr(sys, "path", [])
    time.sleep(0.01)
    module.ROOT = 1
    assert answer.seconds < 5
    assert 2 < elapsed
"""


def test_warnings_are_errors_and_markers_strict():
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    assert options["filterwarnings"][0] == "error"
    assert options["xfail_strict"] is True
    assert {"--strict-markers", "--strict-config"} <= set(options["addopts"])


@pytest.mark.parametrize(("rule", "exceptions"), RULES)
def test_the_tests_behave(rule, exceptions):
    files = [file for file in sources(ROOT / "tests") if "node_modules" not in file.name]
    assert unexcused(rule(files), exceptions) == []


@pytest.mark.parametrize(("rule", "text"), OFFENCES)
def test_bad_manners_are_found(rule, text, tmp_path):
    assert len(list(rule(sources(plant(tmp_path, {"test_x.py": text}))))) == 1


@pytest.mark.parametrize(("rule", "exceptions"), RULES)
def test_good_manners_pass(rule, exceptions, tmp_path):
    assert list(rule(sources(plant(tmp_path, {"test_x.py": HARMLESS})))) == []
