"""Check the vendored files against vendor.toml; with --fetch, take them from their packages again (needs npm)."""

import base64
import hashlib
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "src/tenantry/web/static/vendor"
LIST = FOLDER / "vendor.toml"


def main() -> int:
    packages: list[dict[str, Any]] = tomllib.loads(LIST.read_text(encoding="utf-8"))["package"]
    complaints = [line for package in packages for line in fetch(package)] if "--fetch" in sys.argv[1:] else []
    complaints += check(packages)
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    if not complaints:
        print("Vendored files are as declared:", *(f"{package['name']} {package['version']}" for package in packages))
    return 1 if complaints else 0


def fetch(package: dict[str, Any]) -> list[str]:
    """Write the files whose hash is the declared one; a complaint for each other file, with the hash that was found."""
    wanted = f"{package['name']}@{package['version']}"
    complaints = []
    with tempfile.TemporaryDirectory() as scratch:
        command = ["npm", "pack", "--silent", "--pack-destination", scratch, wanted]
        archive = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
        with tarfile.open(Path(scratch, archive)) as tar:
            for name, file in package["files"].items():
                member = tar.extractfile(f"package/{file['source']}")
                content = member.read() if member else b""
                if digest(content) == file["sha384"]:
                    (FOLDER / name).write_bytes(content)
                else:
                    complaints.append(
                        f"{wanted}: {name} is now {digest(content)}; put that into vendor.toml to accept it"
                    )
    return complaints


def check(packages: list[dict[str, Any]]) -> list[str]:
    declared = {name: file["sha384"] for package in packages for name, file in package["files"].items()}
    present = {path.name: digest(path.read_bytes()) for path in FOLDER.iterdir() if path != LIST}
    return [
        *(f"{name} is declared in vendor.toml but absent" for name in declared.keys() - present.keys()),
        *(f"{name} is not declared in vendor.toml" for name in present.keys() - declared.keys()),
        *(
            f"{name} is not the declared file"
            for name in declared.keys() & present.keys()
            if declared[name] != present[name]
        ),
    ]


def digest(content: bytes) -> str:
    return "sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode()


if __name__ == "__main__":
    sys.exit(main())
