"""Journeys go through a real server process, started as a person starts it, on either database."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Request, sync_playwright

from tenantry.testing import Server, TestDatabase, environment_of, serve

# What other rooms' tests share: `from identity.mailbox import ...`.
sys.path.append(str(Path(__file__).parents[1]))

AXE = Path(__file__).parents[1] / "node" / "node_modules" / "axe-core" / "axe.min.js"
Serve = Callable[..., AbstractContextManager[Server]]


@pytest.fixture
def run_server(database: TestDatabase, tmp_path: Path) -> Serve:
    """What starts a blueprint on the test's database, with more arguments of `tenantry run` if need be."""
    return lambda *arguments, blueprint="crypto_data": serve(
        tmp_path, blueprint, *arguments, **environment_of(database)
    )


@pytest.fixture
def server(run_server: Serve) -> Iterator[Server]:
    with run_server() as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, never one that was downloaded."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not program:
        pytest.fail("no Chromium on this machine; install the package `chromium` or set CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run"],
        )
        yield browser
        browser.close()


@pytest.fixture
def browse(chromium: Browser) -> Iterator[Callable[..., "Tab"]]:
    """What opens a window of its own on a server, as wide, dark or far away as wanted, with or without scripts."""
    with ExitStack() as stack:

        def open_tab(
            server: Server, *, dark: bool = False, phone: bool = False, scripts: bool = True, zone: str | None = None
        ) -> "Tab":
            window = chromium.new_context(
                base_url=server.url,
                timezone_id=zone,
                color_scheme="dark" if dark else "light",
                viewport={"width": 390, "height": 844} if phone else {"width": 1280, "height": 900},
                java_script_enabled=scripts,
            )
            stack.callback(window.close)
            return Tab(window.new_page())

        yield open_tab


class Tab:
    """A page that remembers what went wrong in it. `clean()` fails on console errors and failed requests.

    A request that the browser itself gave up (ERR_ABORTED) is none of them: the page was left while it loaded.
    """

    def __init__(self, page):
        self.page = page
        self.clicks = 0
        self.faults: list[str] = []
        page.on("console", lambda message: message.type == "error" and self.faults.append(message.text))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("requestfailed", self._failed)

    def click(self, role: str, name: str) -> None:
        """Click the one element of that role and name, and count the click."""
        self.page.get_by_role(role, name=name).first.click()
        self.clicks += 1

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":
            self.faults.append(f"{request.url}: {request.failure}")

    def fits(self) -> None:
        """The page is accessible, as far as axe-core can tell, and does not scroll sideways."""
        if not AXE.exists():
            pytest.fail("axe-core is missing; run `npm ci` in tests/node")
        # The page's own policy forbids foreign scripts, so the checker is evaluated, not added as a tag.
        self.page.evaluate(AXE.read_text())
        found = self.page.evaluate("axe.run()")
        assert [(self.page.url, one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
        wide, seen = self.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= seen, f"{self.page.url} scrolls sideways: {wide} > {seen}"

    def clean(self) -> None:
        assert self.faults == []
