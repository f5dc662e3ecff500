"""The search page without a mouse, in the dark, on a phone, for people who do not see it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.serving.page.reading import THAI, asks, column, expect, order, settled

pytestmark = pytest.mark.slow


def focused(page: Any) -> str:
    return page.evaluate("document.activeElement.dataset.id ?? document.activeElement.id")


def test_keyboard(opened: Any) -> None:
    page = opened(asks(THAI))
    before, after = order(page, 0), order(page, 1)
    page.keyboard.press("/")
    assert focused(page) == "question"
    page.keyboard.press("j")  # a letter of the question
    expect(page.get_by_role("searchbox")).to_have_value("j")
    page.keyboard.press("ArrowDown")
    assert focused(page) == before[0]
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    assert focused(page) == before[2]
    page.keyboard.press("k")
    assert focused(page) == before[1]
    page.keyboard.press("2")
    assert page.evaluate("document.activeElement.closest('.column') === document.querySelectorAll('.column')[1]")
    assert focused(page) == (before[1] if before[1] in after else after[1])
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    assert focused(page) == "question"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="What is seen here")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert focused(page) == before[0]
    page.route("https://th.example.org/**", lambda route: route.fulfill(body="the document", content_type="text/plain"))
    page.keyboard.press("o")
    page.wait_for_url("https://th.example.org/wiki/tides")
    page.go_back()
    assert order(page)[0] == before[0]


def test_keys_of_one_character_can_be_switched_off(opened: Any) -> None:
    page = opened(asks(THAI))
    order(page)
    page.get_by_role("button", name="Keyboard and help").click()
    page.get_by_label("Keys of one character act").uncheck()
    page.get_by_role("button", name="Close", exact=True).click()
    page.keyboard.press("/")
    assert focused(page) != "question"
    page.reload()
    order(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_dark_and_light(opened: Any) -> None:
    page = opened(color_scheme="light")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Dark colours").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert light != dark
    page.reload()
    page.wait_for_selector("body:not(.loading)", state="attached")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
    page.get_by_role("button", name="Light colours").click()
    assert page.evaluate("[getComputedStyle(document.body).backgroundColor, localStorage.length]") == [light, 0]
    other = opened(color_scheme="dark")
    assert other.evaluate("getComputedStyle(document.body).backgroundColor") == dark


def test_on_a_phone_columns_become_tabs(opened: Any) -> None:
    page = opened(asks(THAI), viewport={"width": 390, "height": 844})
    order(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(column(page, 1)).to_be_visible()
    expect(column(page, 0)).to_be_hidden()
    page.get_by_role("button", name="Before: base").click()
    expect(column(page, 0)).to_be_visible()
    expect(page.get_by_role("button", name="Before: base")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("2")
    expect(page.get_by_role("button", name="After: repaired")).to_have_attribute("aria-pressed", "true")
    assert page.get_by_role("checkbox", name="German").is_hidden()
    page.get_by_text("Filters").click()
    page.get_by_role("checkbox", name="German").check()
    expect(column(page, 1).locator(".hit")).to_have_count(3)


@pytest.mark.parametrize("calm", ["reduce", "no-preference"])
def test_motion_is_left_out_where_it_is_not_wanted(opened: Any, calm: str) -> None:
    page = opened(asks(THAI, beside=""), reduced_motion=calm)
    order(page)
    page.evaluate(
        "() => { window.moved = 0; const animate = Element.prototype.animate;"
        " Element.prototype.animate = function (...all) { window.moved += 1; return animate.apply(this, all); } }"
    )
    page.get_by_label("Order").select_option("round-robin")
    expect(column(page, 0).locator(".how")).to_contain_text("round-robin")
    assert (page.evaluate("window.moved") > 0) == (calm == "no-preference")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_axe_finds_no_serious_fault(opened: Any, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python")
    page = opened(color_scheme=scheme, viewport={"width": width, "height": 900}, reduced_motion="reduce")

    def check(where: str) -> None:
        found = axe.Axe().run(page).response["violations"]
        grave = [fault for fault in found if fault["impact"] in ("serious", "critical")]
        told = [
            (fault["id"], [node["target"] + [node["failureSummary"]] for node in fault["nodes"][:3]]) for fault in grave
        ]
        assert told == [], where

    check("start")
    page.get_by_role("searchbox").fill(THAI)
    page.get_by_role("searchbox").press("Enter")
    order(page)
    if width == 390:
        page.get_by_text("Filters").click()
    page.get_by_label("Order").select_option("standardised")
    settled(page)
    check("answers")
    page.get_by_role("button", name="Keyboard and help").click()
    check("help")
