"""What readers change on the search page, and how its address keeps it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.serving.page.reading import QUESTIONS, THAI, asks, column, expect, hit, order, settled
from tests.serving.page.stand_in import StandIn

pytestmark = pytest.mark.slow


def test_the_dial_changes_the_order_after_a_pause(opened: Any, server: StandIn) -> None:
    page = opened(asks(THAI, beside=""))
    before = order(page)
    asked = len(server.asked)
    dial = page.get_by_role("slider", name="Evenness")
    dial.focus()
    for _ in range(14):
        dial.press("ArrowRight")
    expect(page.locator("#strength-now")).to_have_text("0.70")
    expect(column(page, 0).locator(".how")).to_contain_text("standardised 0.7")
    assert order(page) != before
    assert 1 <= len(server.asked) - asked < 7  # not one request a step
    assert server.asked[-1]["strength"] == pytest.approx(0.7)
    assert "fairness=standardised&strength=0.7" in page.url
    dial.press("ArrowRight")
    expect(column(page, 0).locator(".how")).to_contain_text("standardised 0.75")
    page.get_by_label("Order").select_option("round-robin")
    settled(page)
    assert [server.asked[-1]["fairness"], "strength" in server.asked[-1]] == ["round-robin", False]
    expect(dial).to_be_disabled()
    page.go_back()
    expect(page.get_by_label("Order")).to_have_value("standardised")
    page.go_back()  # all turns of the dial were one change
    expect(page.get_by_label("Order")).to_have_value("raw")
    settled(page)
    assert order(page) == before


def test_the_left_list_can_stay_as_scored(opened: Any, server: StandIn) -> None:
    page = opened(asks(THAI, fairness="standardised", strength="1"))
    order(page)
    assert [body["fairness"] for body in server.asked] == ["standardised"] * 2
    page.get_by_label("On “After” only").check()
    settled(page)
    expect(column(page, 0).locator(".how")).to_contain_text("as scored")
    assert {body["model"]: body["fairness"] for body in server.asked[2:]} == {"base": "raw", "repaired": "standardised"}


def test_filters(opened: Any, server: StandIn) -> None:
    page = opened(asks(THAI))
    order(page)
    page.get_by_role("checkbox", name="German").check()
    page.get_by_role("checkbox", name="Hebrew").check()
    expect(page.locator(".column").nth(0).locator(".badge").first).to_have_text(re.compile("German|Hebrew"))
    page.get_by_label("source").select_option(label="handbook")
    expect(column(page, 0).locator(".hit")).to_have_count(2)
    assert set(order(page)) == {"bread-de", "bread-he"}
    page.get_by_role("checkbox", name="Shared words").check()
    settled(page)
    expect(page.locator("#filters-set")).to_have_text("4")
    body = server.asked[-1]
    assert (body["languages"], body["where"], body["hybrid"]) == (["de", "he"], {"source": "handbook"}, True)
    expect(column(page, 0).locator(".bars")).to_contain_text("Chosen")
    page.get_by_role("button", name="Clear all").click()
    expect(column(page, 0).locator(".hit")).to_have_count(20)


def test_values_of_fields_keep_their_type(opened: Any, server: StandIn) -> None:
    server.info["fields"] = {"year": [2023, 2024]}
    page = opened(asks(THAI, **{"where.year": "2024"}))
    order(page)
    assert server.asked[0]["where"] == {"year": 2024}
    expect(column(page, 0).locator(".why")).to_have_text("No document of the chosen languages is near this question.")
    expect(page.get_by_label("year")).to_have_value("1")


def test_a_search_can_be_linked_and_back_goes_back(opened: Any, server: StandIn) -> None:
    page = opened()
    for question in (THAI, QUESTIONS["bread"]["zh"]):
        page.get_by_role("searchbox").fill(question)
        page.get_by_role("button", name="Search").click()
        expect(page).to_have_title(f"{question} – Nature, briefly")
        settled(page)
    page.get_by_role("checkbox", name="Urdu").check()
    expect(column(page, 1).locator(".hit")).to_have_count(3)
    asked = parse_qs(urlsplit(page.url).query)
    assert asked == {"q": [QUESTIONS["bread"]["zh"]], "model": ["base"], "beside": ["repaired"], "lang": ["ur"]}
    linked = opened(page.url.removeprefix(server.url))
    assert set(order(linked)) == {"bread-ur", "bees-ur", "tides-ur"}
    assert order(linked, 1) == order(page, 1)
    expect(linked.get_by_role("checkbox", name="Urdu")).to_be_checked()
    page.go_back()
    expect(page.get_by_role("checkbox", name="Urdu")).not_to_be_checked()
    page.go_back()
    expect(page.get_by_role("searchbox")).to_have_value(THAI)
    assert order(page)[0] == "tides-th"
    page.go_back()
    expect(page.locator("html")).to_have_class("start")


def test_a_link_that_does_not_fit_the_index_says_so(opened: Any) -> None:
    page = opened(asks(THAI, model="gone", lang="constructor"))
    order(page)
    expect(page.get_by_role("alert")).to_have_text(
        "This link asks for what this index does not have: constructor and gone."
    )


def test_stale_answers_are_discarded(opened: Any, server: StandIn) -> None:
    page = opened(asks(THAI, beside=""))
    order(page)
    server.delays = [1.5]
    page.get_by_role("searchbox").fill(QUESTIONS["bread"]["zh"])
    page.get_by_role("button", name="Search").click()
    expect(page.locator("body")).to_have_class("busy")
    page.get_by_role("searchbox").fill(QUESTIONS["bees"]["hi"])
    page.get_by_role("button", name="Search").click()
    expect(hit(page, "bees-hi")).to_be_visible()
    assert order(page)[0] == "bees-hi"
    page.wait_for_timeout(1700)
    assert order(page)[0] == "bees-hi"


def test_answers_stay_while_others_are_on_their_way(opened: Any, server: StandIn) -> None:
    page = opened(asks(THAI, beside=""))
    order(page)
    server.delays = [1.0]
    page.get_by_label("Order").select_option("quota")
    expect(page.locator("body")).to_have_class("busy")
    expect(column(page, 0).locator(".hit")).to_have_count(20)
    expect(page.locator("#columns")).to_have_attribute("aria-busy", "true")
    settled(page)
    expect(page.get_by_role("status")).to_have_text("base: 20 answers in 12 languages.")
