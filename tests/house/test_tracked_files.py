"""No file says where the project was made or names a package registry's host."""

import importlib.util
from pathlib import Path

import pytest

from house.rules.tracked import loose_words, tracked_files
from house.rules.tree import ROOT, plant, unexcused

NAMES_THEM = {
    "tests/house/rules/sizes.py": "refuses a word as a file's name",
    "tests/house/test_sizes.py": "plants it",
    "src/tenantry/identity/webauthn.py": "imports a module that its library calls so",
}


def test_no_file_says_where_it_was_made():
    files = tracked_files(ROOT)
    assert ROOT / "pyproject.toml" in files
    assert unexcused(loose_words(ROOT, files), NAMES_THEM) == []


LINES = [
    "see /" + "work/main/x",
    "/" + "root/.cache",
    "cd /" + "home/ada/x",
    "open('/" + "tmp/x.db')",
    "made in session" + " 1",
    "see DEVELOPER" + "S.md",
    "see shared" + "/DESIGN.md",
]


@pytest.mark.parametrize("line", LINES)
def test_a_line_that_says_it_is_found(line, tmp_path):
    plant(tmp_path, {"docs/page.md": f"Fine.\n{line}\n"})
    assert [(one.place, one.line) for one in loose_words(tmp_path, tracked_files(tmp_path))] == [("docs/page.md", 2)]


def test_harmless_lines_pass(tmp_path):
    page = "The homework/main idea; https://example.org/home/x; 1 session, 1 minute; sources/shared.py\n"
    plant(tmp_path, {"docs/page.md": page, "tests/test_x.py": "DATA = ROOT / '..' / 'shared" + "/data'\n"})
    assert list(loose_words(tmp_path, tracked_files(tmp_path))) == []


def hosts(root: Path) -> list[str]:
    spec = importlib.util.spec_from_file_location("house_guard", ROOT / "scripts" / "guard.py")
    guard = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(guard)
    guard.ROOT = root
    return [f"{path.name}" for path in tracked_files(root) if guard.REGISTRIES.search(path.read_bytes())]


def test_no_file_names_a_registry():
    assert hosts(ROOT) == []


def test_a_named_registry_is_found(tmp_path):
    plant(tmp_path, {"requirements.lock": "--index-url https://py" + "pi.org/simple\n", "README.md": "fine\n"})
    assert hosts(tmp_path) == ["requirements.lock"]
