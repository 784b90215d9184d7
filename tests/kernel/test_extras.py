import json
import sys
from pathlib import Path

import pytest

from tenantry.kernel.extras import ExtraMissing, extra, require_installed


def test_what_is_installed_is_loaded() -> None:
    assert extra("json") is json


def test_what_is_missing_names_the_command() -> None:
    with pytest.raises(ExtraMissing, match=r"no_such_sdk is not installed. Run: pip install 'tenantry\[stripe\]'"):
        extra("no_such_sdk.client", name="stripe")
    with pytest.raises(ExtraMissing, match=r"tenantry\[no_such_sdk\]"):
        extra("no_such_sdk")


def test_a_package_that_fails_inside_keeps_its_own_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_installed_sdk.py").write_text("import a_dependency_it_lacks\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(ModuleNotFoundError, match="a_dependency_it_lacks") as caught:
        extra("half_installed_sdk")
    assert not isinstance(caught.value, ExtraMissing)


def test_what_is_loaded_later_is_missed_at_once() -> None:
    require_installed("json")
    with pytest.raises(ExtraMissing, match="no_such_sdk is not installed"):
        require_installed("no_such_sdk")
