"""Whatever is sent to a documented route, the answer is documented too, and never a fault of ours (schemathesis)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tenantry.testing import environment_of, serve

SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
EXAMPLES = 25  # a route and phase; enough for the shapes, bounded for the clock


@pytest.mark.timeout(400)
@pytest.mark.parametrize("who", ["stranger", "signed-in"])
def test_no_input_makes_a_5xx(database, tmp_path, who):
    with serve(tmp_path, "crypto_data", **environment_of(database)) as server:
        headers = ["-H", f"Origin: {server.url}"]
        if who == "signed-in":
            with server.sign_in("ada") as ada:
                headers += ["-H", "Cookie: " + "; ".join(f"{name}={value}" for name, value in ada.cookies.items())]
        done = subprocess.run(
            [
                SCHEMATHESIS, "run", f"{server.url}/openapi.json", *headers,
                "--checks", CHECKS, "--max-examples", str(EXAMPLES), "--max-time", "25", "--seed", "20261121",
                # One: several threads that read lambdas' sources at a time are too many for this Python's own parser.
                "--workers", "1", "--exclude-path-regex", "/auth/|/readyz", "--no-color",
            ],
            cwd=tmp_path, capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "Traceback" not in server.log.read_text()
