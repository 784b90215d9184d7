import gzip
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tenantry.web.static import STATIC_DIR, StaticAssets


@pytest.fixture
def assets(tmp_path: Path) -> StaticAssets:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "style.css").write_text("a{}" * 500)
    (tmp_path / "pixel.png").write_bytes(b"\x89PNG" + b"\0" * 2000)
    (tmp_path / ".hidden").write_text("secret")
    (tmp_path.parent / "outside.txt").write_text("secret")
    return StaticAssets((tmp_path,), {"accent.css": b":root{}"})


@pytest.fixture
def client(assets: StaticAssets) -> TestClient:
    app = Starlette()
    app.mount("/static", assets)
    return TestClient(app)


def test_the_address_carries_the_content_and_is_kept_for_a_year(assets, client):
    url = assets.url("sub/style.css")
    assert url.startswith("/static/sub/style.css?v=")
    answer = client.get(url)
    assert answer.status_code == 200
    assert answer.text == "a{}" * 500
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("query", ["", "?v=00000000", "?v=", "?x=1"])
def test_without_the_right_hash_it_is_asked_for_again(client, query):
    assert client.get(f"/static/sub/style.css{query}").headers["cache-control"] == "public, max-age=0, must-revalidate"


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_304_for_the_bytes_the_browser_has(client, form):
    tag = client.get("/static/pixel.png").headers["etag"]
    answer = client.get("/static/pixel.png", headers={"If-None-Match": form.format(tag)})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)


def test_other_tags_get_the_bytes(client):
    assert client.get("/static/pixel.png", headers={"If-None-Match": '"other"'}).status_code == 200


def test_text_is_compressed_for_who_takes_it(client):
    packed = client.get("/static/sub/style.css", headers={"Accept-Encoding": "br, gzip;q=0.5"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "Accept-Encoding"
    assert packed.text == "a{}" * 500
    assert int(packed.headers["content-length"]) == len(gzip.compress(packed.content, 9, mtime=0))


@pytest.mark.parametrize("accept", ["identity", "gzip;q=0", "gzip; q=0.0", ""])
def test_text_is_plain_for_who_does_not(client, accept):
    answer = client.get("/static/sub/style.css", headers={"Accept-Encoding": accept})
    assert "content-encoding" not in answer.headers


def test_pictures_are_not_compressed_again(client):
    answer = client.get("/static/pixel.png", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers
    assert answer.headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    "name",
    ["", "absent.css", "sub", "sub/", "%2e%2e/outside.txt", "..%2foutside.txt", "sub/%2e%2e/%2e%2e/outside.txt",
     ".hidden",      "/etc/passwd", "sub//style.css", "sub/style.css/", "pixel.png%00.css", "sub\\style.css"],
)  # fmt: skip
def test_404_for_every_other_name(client, name):
    answer = client.get(f"/static/{name}")
    assert answer.status_code == 404
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/static/../outside.txt", "/static//etc/passwd", "/static/./pixel.png"])
async def test_404_for_a_path_that_a_server_did_not_clean(assets, path):
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "root_path": "/static", "headers": [], "query_string": b""}
    await assets(scope, None, send)
    assert sent[0]["status"] == 404


def test_405_for_changes(client):
    answer = client.post("/static/pixel.png")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_head_tells_the_length_without_the_bytes(client):
    answer = client.head("/static/pixel.png")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "2004")


def test_a_made_file_is_served_like_others(assets, client):
    assert "accent.css" in assets
    assert client.get(assets.url("accent.css")).text == ":root{}"


def test_an_unknown_name_has_no_address(assets):
    with pytest.raises(KeyError):
        assets.url("absent.css")


def test_a_later_folder_wins(tmp_path):
    (tmp_path / "favicon.svg").write_text("<svg/>")
    assets = StaticAssets((STATIC_DIR, tmp_path))
    app = Starlette()
    app.mount("/static", assets)
    answer = TestClient(app).get("/static/favicon.svg")
    assert (answer.text, answer.headers["content-type"]) == ("<svg/>", "image/svg+xml")


def test_the_same_bytes_have_the_same_address():
    assert StaticAssets().url("base.css") == StaticAssets().url("base.css")
