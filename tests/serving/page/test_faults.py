"""The search page where corpora are hostile, servers busy, closed or gone."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.serving.page.reading import THAI, asks, column, expect, order, settled
from tests.serving.page.stand_in import PAGE, StandIn

pytestmark = pytest.mark.slow


def hostile() -> StandIn:
    bad = '<script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">'
    override = "invoice\u202efdp.exe"
    documents = [
        {"id": '"><b>', "lang": '"><script>', "title": bad, "url": "javascript:window.hacked=1", "text": bad},
        {"id": "override", "lang": "en", "title": override, "url": "https://example.org/\u202e", "text": override},
        {
            "id": "data",
            "lang": "und",
            "title": None,
            "url": "data:text/html,<script>1</script>",
            "text": "\u05d0\u05d1 ab",
        },
        {"id": "nothing", "lang": None, "title": "", "url": None, "text": "\ud83d half, \u2066open isolate"},
    ]
    for document in documents:
        document |= {"topic": "hostile", "sentence": [0, 7], "metadata": {bad: bad}}
    stand_in = StandIn(documents=documents)
    stand_in.info |= {"title": bad, "examples": [bad], "languages": {'"><script>': 3, "en": 1}, "fields": {bad: [bad]}}
    stand_in.info["models"] = [{"name": bad, "source": bad, "width": 1}]
    stand_in.info["default_model"] = bad
    return stand_in


def test_a_hostile_corpus_is_shown_as_text(opened: Any, server: StandIn) -> None:
    bad = hostile()
    server.documents, server.info = bad.documents, bad.info
    page = opened(asks("hostile"))
    assert set(order(page)) == {document["id"] for document in bad.documents}
    page.wait_for_timeout(200)
    assert page.evaluate("window.hacked") is None
    assert page.locator(".column .hit :is(script, img, b)").count() == 0
    expect(page.locator("#columns")).to_contain_text("<script>window.hacked = 1</script>")
    assert page.locator('a[href^="javascript:"], a[href^="data:"]').count() == 0
    # no override is left to turn what follows it; the isolate ends with its block
    assert not re.search("[\u202d\u202e]", page.locator("body").inner_text())
    assert page.locator(".hit .title a").evaluate_all("links => links.map(link => link.href)") == [
        "https://example.org/%E2%80%AE"
    ]
    expect(page.locator('.hit[data-id="data"] .snippet')).to_have_attribute("dir", "auto")
    expect(page.locator('.hit[data-id="nothing"] .badge')).to_have_text("unknown language")


def test_pages_put_no_data_into_markup() -> None:
    for script in (path for path in PAGE.iterdir() if path.name.endswith(".js")):
        text = script.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text), (
            script.name
        )
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|https?://(?!www\.w3\.org)", html)


def test_a_busy_server_is_asked_once_more(opened: Any, server: StandIn, faults: Any) -> None:
    faults.expected = "status of 429"
    busy = (429, {"Retry-After": "1"}, {"error": {"type": "busy", "message": "too many"}})
    server.scripted = [busy]
    page = opened(asks(THAI, beside=""))
    expect(page.get_by_role("alert")).to_have_text("The server is busy. Trying again in 1 s …")
    assert order(page)[0] == "tides-th"
    expect(page.locator("#notice")).to_be_hidden()
    server.scripted = [busy, busy]
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#notice")).to_have_text("The server is busy. Try again in a moment.")
    assert len(server.asked) == 4
    server.scripted = [(429, {"Retry-After": "3600"}, {})]
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#notice")).to_have_text("The server is busy. Try again in 3600 seconds.")


def test_errors_are_told_in_plain_words(opened: Any, server: StandIn, faults: Any) -> None:
    faults.expected = r"status of (422|500)"
    server.scripted = [(422, {}, {"error": {"type": "values", "message": "no background for these languages"}})]
    page = opened(asks(THAI))
    expect(page.locator(".why.error")).to_have_text("The server does not take this: no background for these languages")
    expect(page.locator(".column:has(.hit)")).to_have_count(1)  # the other column has its answers
    server.scripted = [(500, {}, {})] * 2
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("alert")).to_have_text("The server failed on this question (error 500).")


def test_a_server_that_is_gone(opened: Any, server: StandIn, faults: Any) -> None:
    faults.expected = "net::ERR"
    page = opened()
    page.route("**/search", lambda route: route.abort())
    page.get_by_role("searchbox").fill(THAI)
    page.get_by_role("searchbox").press("Enter")
    expect(page.get_by_role("alert")).to_have_text("The server cannot be reached. Is it still running?")
    page.unroute("**/search")
    page.get_by_role("button", name="Search").click()
    assert order(page)[0] == "tides-th"


def test_a_token_is_asked_for_and_kept_for_the_tab(opened: Any, server: StandIn, faults: Any) -> None:
    faults.expected = "status of 401"
    server.token = "swordfish"
    page = opened(asks(THAI), ready=False)
    dialog = page.get_by_role("dialog", name="This index asks for a token")
    dialog.get_by_label("Token").fill("guess")
    dialog.get_by_role("button", name="Go on").click()
    expect(dialog.get_by_role("alert")).to_have_text("That token was not accepted.")
    dialog.get_by_label("Token").fill("swordfish")
    dialog.get_by_label("Token").press("Enter")
    assert order(page)[0] == "tides-th"
    page.reload()
    assert order(page)[0] == "tides-th"
    expect(dialog).to_be_hidden()
    assert page.evaluate("[Object.values(sessionStorage), Object.values(localStorage)]") == [["swordfish"], []]
    server.token = "melon"  # one column is refused after the other has got the new token
    server.delays = [0, 3]
    page.get_by_role("button", name="Search").click()
    dialog.get_by_label("Token").fill("melon")
    dialog.get_by_label("Token").press("Enter")
    settled(page)
    expect(column(page, 1).locator(".hit")).to_have_count(20)
    server.token = "changed"  # two columns need it: one form asks
    page.get_by_role("button", name="Search").click()
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.locator("#notice")).to_have_text("This index asks for a token. Search again to enter one.")


def test_the_page_needs_nothing_from_elsewhere(opened: Any, server: StandIn) -> None:
    page = opened()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.url + asks(THAI))
    order(page)
    assert len(asked) > 10
    assert all(url.startswith(server.url) for url in asked)
