"""Static files, read once into memory, named with the hash of their bytes and cached for a year by browsers.

Starlette's StaticFiles asks the disk at every request and knows no content hash, so these 100 lines replace it.
"""

import gzip
import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

STATIC_DIR = Path(__file__).parent / "static"
STATIC_PATH = "/static"

_IMMUTABLE = "public, max-age=31536000, immutable"
_REVALIDATE = "public, max-age=0, must-revalidate"
_GZIP_BYTES_MIN = 1024
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its bytes, the same compressed (empty when that does not pay), its type and its hash."""

    body: bytes
    compressed: bytes
    media_type: str
    version: str

    @staticmethod
    @lru_cache(maxsize=256)
    def of(name: str, body: bytes) -> "Asset":
        """Hash, type and compress a file's bytes; once a process, for every application that it makes."""
        suffix = Path(name).suffix.lower()
        media_type = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        worth_it = len(body) >= _GZIP_BYTES_MIN and (media_type.startswith("text/") or suffix in {".svg", ".json"})
        packed = gzip.compress(body, 9, mtime=0) if worth_it else b""
        return Asset(body, packed, media_type, sha256(body).hexdigest()[:8])


class StaticAssets:
    """An ASGI app that serves the files of some folders by exact name; a name in a later folder wins.

    Only names that were found at start exist, so no path can lead anywhere else: all others answer 404.
    """

    def __init__(self, folders: Sequence[Path] = (STATIC_DIR,), extra: Mapping[str, bytes] | None = None) -> None:
        files = {name: body for folder in folders for name, body in _read(folder).items()}
        files.update(extra or {})
        self._assets = {name: Asset.of(name, body) for name, body in files.items()}

    def __contains__(self, name: object) -> bool:
        return name in self._assets

    def url(self, name: str) -> str:
        """The address with the content hash: `base.css` → `/static/base.css?v=1a2b3c4d`. Unknown names: KeyError."""
        return f"{STATIC_PATH}/{name}?v={self._assets[name].version}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request below the path where the app is mounted."""
        # One line of the metrics for all files.
        scope["route_template"] = "/static/{name}"
        request = Request(scope, receive)
        name = scope["path"].removeprefix(scope.get("root_path", "")).removeprefix("/")
        response = self._answer(request, name)
        response.headers["X-Content-Type-Options"] = "nosniff"
        await response(scope, receive, send)

    def _answer(self, request: Request, name: str) -> Response:
        if request.method not in {"GET", "HEAD"}:
            return PlainTextResponse("Method Not Allowed", 405, headers={"Allow": "GET, HEAD"})
        asset = self._assets.get(name)
        if asset is None:
            return PlainTextResponse("Not Found", 404)
        asked = parse_qs(request.url.query).get("v", [""])[0]
        headers = {
            "ETag": f'"{asset.version}"',
            "Cache-Control": _IMMUTABLE if asked == asset.version else _REVALIDATE,
            "Vary": "Accept-Encoding",
        }
        if _matches(request.headers.get("if-none-match", ""), asset.version):
            return Response(status_code=304, headers=headers)
        body = asset.body
        if asset.compressed and _takes_gzip(request.headers.get("accept-encoding", "")):
            body, headers["Content-Encoding"] = asset.compressed, "gzip"
        response = Response(body, headers=headers, media_type=None)
        response.headers["Content-Type"] = asset.media_type
        return response


def _read(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _matches(if_none_match: str, version: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in tags or f'"{version}"' in tags


def _takes_gzip(accept_encoding: str) -> bool:
    for part in accept_encoding.lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() == "gzip":
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
