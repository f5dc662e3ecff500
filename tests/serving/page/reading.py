"""Reading the search page."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.serving.page.stand_in import CORPUS

sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
expect = sync_api.expect
QUESTIONS = CORPUS["questions"]
THAI = QUESTIONS["tides"]["th"]


def asks(question: str, **more: str) -> str:
    """The address of a search."""
    return "?" + "&".join(f"{key}={quote(value)}" for key, value in {"q": question, **more}.items())


def column(page: Any, place: int) -> Any:
    return page.locator(".column").nth(place)


def settled(page: Any) -> None:
    """Wait until nothing is on its way."""
    page.wait_for_selector("#columns[aria-busy=false]", state="attached")


def order(page: Any, place: int = 0) -> list[str]:
    """Ids of a column's documents, best first, once there are answers."""
    page.wait_for_selector("body:not(.busy) .hit, body:not(.busy) .why:not(:empty)", state="attached")
    return column(page, place).locator(".hit").evaluate_all("items => items.map(item => item.dataset.id)")


def hit(page: Any, name: str, place: int = 0) -> Any:
    """A document of a column."""
    return column(page, place).locator(f'.hit[data-id="{name}"]')
