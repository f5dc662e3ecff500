"""The search page in a headless Chromium, against a stand-in of the server (`stand_in`)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.serving.page.stand_in import StandIn, serve

SWITCHES = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


class Faults(list[str]):
    """What the browser's console complained of; `expected`: a pattern of complaints that a test brings about."""

    expected: str | None = None


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=SWITCHES)
        yield chromium
        chromium.close()


@pytest.fixture
def server() -> Iterator[StandIn]:
    with serve(StandIn()) as running:
        yield running


@pytest.fixture
def faults() -> Iterator[Faults]:
    """Errors and violations of the Content-Security-Policy, of every page that a test opens: there must be none."""
    said = Faults()
    yield said
    assert [line for line in said if not (said.expected and re.search(said.expected, line))] == []


@pytest.fixture
def opened(browser: Any, server: StandIn, faults: Faults) -> Iterator[Callable[..., Any]]:
    """Opens an address of the server in a fresh context; `ready`: waits until the page knows what there is."""
    with ExitStack() as stack:

        def at(address: str = "", *, url: str | None = None, ready: bool = True, **context: Any) -> Any:
            made = browser.new_context(**{"locale": "en-GB", "viewport": {"width": 1440, "height": 1000}, **context})
            stack.callback(made.close)
            page = made.new_page()
            page.set_default_timeout(10_000)
            page.on("console", lambda line: faults.append(line.text) if line.type in ("error", "warning") else None)
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.goto((url or server.url) + address)
            if ready:
                page.wait_for_selector("body:not(.loading)", state="attached")
            return page

        yield at
