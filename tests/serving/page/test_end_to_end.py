"""The search page against the server itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.serving.page.reading import asks, column, expect, order, settled

pytest.importorskip("isoglot.serving.app")
from tests.serving.servers import running

pytestmark = pytest.mark.slow
QUESTION = "de0 de1 de2"


def test_every_control_is_understood(opened: Any, tiny_index: Path) -> None:
    with running(tiny_index) as real:
        page = opened(url=real.url + "/")
        expect(page.locator("#size")).to_have_text("72 documents in 3 languages")
        page.get_by_role("searchbox").fill(QUESTION)
        page.get_by_role("searchbox").press("Enter")
        scored = order(page, 1)
        assert len(order(page, 0)) == len(scored) == 20
        expect(column(page, 1).locator(".hit mark").first).to_be_visible()
        expect(column(page, 1).locator(".move")).to_have_count(20)
        expect(column(page, 0).get_by_role("img")).to_have_count(2)
        for fairness in ("round-robin", "quota", "standardised"):
            page.get_by_label("Order").select_option(fairness)
            expect(column(page, 1).locator(".how")).to_contain_text(fairness)
        assert order(page, 1) != scored
        page.get_by_role("slider").press("ArrowLeft")
        expect(column(page, 1).locator(".how")).to_contain_text("standardised 0.95")
        page.get_by_role("checkbox", name="Shared words").check()
        page.get_by_role("checkbox", name="German").check()
        page.get_by_label("source").select_option(label="a")
        expect(column(page, 0).locator(".hit")).to_have_count(12)
        assert all(name.startswith("de-") for name in order(page))
        page.get_by_label("year").select_option(label="2002")  # a number, which the server does not take as a text
        expect(column(page, 0).locator(".hit")).to_have_count(1)
        assert order(page, 1) == ["de-2"]
        page.get_by_label("source").select_option(label="b")
        expect(column(page, 0).locator(".why")).not_to_be_empty()  # nothing is both, and the server says why
        expect(page.locator("#notice")).to_be_hidden()


def test_a_server_with_a_token(opened: Any, faults: Any, tiny_index: Path) -> None:
    faults.expected = "status of 401"
    with running(tiny_index, token="open-sesame") as real:
        page = opened(asks(QUESTION, beside=""), url=real.url + "/", ready=False)
        dialog = page.get_by_role("dialog", name="This index asks for a token")
        dialog.get_by_label("Token").fill("open-sesame")
        dialog.get_by_label("Token").press("Enter")
        settled(page)
        assert len(order(page)) == 20
