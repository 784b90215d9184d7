from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient

from tenantry.web import Layout, Link, create_templates, install

ORIGIN = "https://testserver"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SAME_SITE = {"Sec-Fetch-Site": "same-origin"}

Answer = Callable[[Request], Response]


def plain_layout(_request: Request) -> Layout:
    return Layout("Coinlens", nav=(Link("Pricing", "/pricing"),), tagline="Prices", now=NOW)


@pytest.fixture
def templates_dir(tmp_path: Path) -> Path:
    """A folder in which a test puts the templates of an imagined room."""
    return tmp_path


@pytest.fixture
def site(templates_dir: Path) -> Callable[..., TestClient]:
    """Builds an application with one page at `/` (and below) and answers a client for it."""

    def build(answer: Answer, *, layout: Callable[[Request], Layout] = plain_layout, **options: object) -> TestClient:
        app = Starlette()
        install(app, create_templates([templates_dir], layout_of=layout, **options), public_origin=ORIGIN)
        app.add_route("/{path:path}", answer)
        return TestClient(app, base_url=ORIGIN)

    return build
