"""The search page in a headless Chromium, against a stand-in of the server (`page_stand_in`)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tests.serving.page_stand_in import CORPUS, PAGE, StandIn, serve

pytestmark = pytest.mark.slow
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
if CHROMIUM is None:
    pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
expect = sync_api.expect

SWITCHES = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
QUESTIONS = CORPUS["questions"]
THAI = QUESTIONS["tides"]["th"]


class Faults(list[str]):
    """What the browser's console complained of; `expected`: complaints that a test brings about."""

    expected: str | None = None


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield chromium
        chromium.close()


@pytest.fixture
def server() -> Iterator[StandIn]:
    with serve(StandIn()) as running:
        yield running


@pytest.fixture
def faults() -> Iterator[Faults]:
    """Errors, and violations of the Content-Security-Policy, of every page that a test opens: there must be none."""
    said = Faults()
    yield said
    assert [line for line in said if not (said.expected and re.search(said.expected, line))] == []


@pytest.fixture
def opened(browser: Any, server: StandIn, faults: Faults) -> Iterator[Callable[..., Any]]:
    """Opens an address of the server in a fresh context."""
    with ExitStack() as stack:

        def at(address: str = "", **context: Any) -> Any:
            made = browser.new_context(**{"locale": "en-GB", "viewport": {"width": 1440, "height": 1000}, **context})
            stack.callback(made.close)
            page = made.new_page()
            page.set_default_timeout(10_000)
            page.on("console", lambda line: faults.append(line.text) if line.type in ("error", "warning") else None)
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.goto(server.url + address)
            page.wait_for_selector("body:not(.loading)", state="attached")
            return page

        yield at


def asks(question: str, **more: str) -> str:
    return "?" + "&".join(f"{key}={quote(value)}" for key, value in {"q": question, **more}.items())


def column(page: Any, place: int) -> Any:
    return page.locator(".column").nth(place)


def order(page: Any, place: int = 0) -> list[str]:
    """Ids of a column's documents, best first, once nothing is on its way."""
    page.wait_for_selector("body:not(.busy) .hit, body:not(.busy) .why:not(:empty)", state="attached")
    return column(page, place).locator(".hit").evaluate_all("items => items.map(item => item.dataset.id)")


def settled(page: Any) -> None:
    page.wait_for_selector("#columns[aria-busy=false]", state="attached")


def hit(page: Any, name: str, place: int = 0) -> Any:
    return column(page, place).locator(f'.hit[data-id="{name}"]')


def test_a_thai_question_finds_the_german_answer(opened: Any) -> None:
    page = opened()
    expect(page.locator("h1")).to_have_text("A question in any language finds answers in every language.")
    expect(page.locator("#size")).to_have_text("13,295 documents in 12 languages")
    page.get_by_role("searchbox").fill(THAI)
    page.get_by_role("searchbox").press("Enter")
    german = hit(page, "tides-de")
    expect(german.locator(".badge")).to_have_text("German")
    expect(german.locator(".badge")).to_have_attribute("title", "de")
    expect(german.get_by_role("link", name="Gezeiten")).to_have_attribute("href", "https://de.example.org/wiki/tides")
    expect(german.locator("mark")).to_have_text(re.compile("^Zweimal am Tag .* entstehen lässt\\.$"))
    expect(page).to_have_title(f"{THAI} – Nature, briefly")


def test_languages_are_named_in_the_reader_s_words(opened: Any) -> None:
    page = opened(asks(THAI), locale="de-DE")
    expect(hit(page, "tides-th").locator(".badge")).to_have_text("Thailändisch")
    expect(page.locator("#size")).to_contain_text("13.295")


def test_examples_are_links_that_search(opened: Any) -> None:
    page = opened()
    hebrew = page.get_by_role("link", name=QUESTIONS["bees"]["he"])
    assert page.evaluate("element => getComputedStyle(element).direction", hebrew.element_handle()) == "rtl"
    hebrew.click()
    assert "bees-he" in order(page)
    expect(page.get_by_role("searchbox")).to_have_value(QUESTIONS["bees"]["he"])


def test_offsets_of_the_sentence_are_code_points(opened: Any) -> None:
    page = opened(asks("bees"))
    assert ord(max(CORPUS["documents"][24]["text"][0])) > 0xFFFF  # or the test would show nothing
    expect(hit(page, "bees-en").locator("mark")).to_have_text(re.compile(r"^She finds .* first flights\.$"))


def test_before_and_after_stand_side_by_side_with_movement(opened: Any, server: StandIn) -> None:
    page = opened(asks(THAI))
    before, after = order(page, 0), order(page, 1)
    assert {body["model"] for body in server.asked} == {"base", "repaired"}
    assert all(body["k"] == 20 for body in server.asked)
    assert before != after
    for rank, name in enumerate(after, 1):
        mark = hit(page, name, 1).locator(".move")
        was = before.index(name) + 1 if name in before else None
        if was is None:
            expect(mark).to_have_text("new")
        elif was == rank:
            expect(mark).to_have_text("=same place")
        else:
            expect(mark).to_have_text(f"▲ up from {was}" if was > rank else f"▼ down from {was}")
    gone = set(before) - set(after)
    assert gone
    expect(column(page, 0).locator(".move")).to_have_text(["drops out"] * len(gone))
    page.locator("select").filter(has_text="repaired").nth(0).select_option("repaired")  # left: the two change places
    expect(column(page, 0).locator("select")).to_have_value("repaired")
    expect(column(page, 1).locator("select")).to_have_value("base")
    settled(page)
    assert order(page, 1) == before
    page.get_by_role("button", name="Close this column").click()
    expect(column(page, 1)).to_be_hidden()
    page.get_by_role("button", name="Compare models").click()
    expect(column(page, 1)).to_be_visible()


def test_the_same_document_in_the_other_column_is_lit(opened: Any) -> None:
    page = opened(asks(THAI))
    order(page)
    hit(page, "tides-de").hover()
    expect(hit(page, "tides-de", 1)).to_have_class("hit twin")
    expect(page.locator(".twin")).to_have_count(2)


def test_one_model_is_compared_with_its_own_order(opened: Any, server: StandIn) -> None:
    server.info["models"] = server.info["models"][:1]
    page = opened(asks(THAI))
    order(page)
    assert len(server.asked) == 1
    page.get_by_role("button", name="Compare orders").click()
    expect(column(page, 1).locator(".how")).to_contain_text("standardised 1")
    assert order(page, 0) != order(page, 1)
    assert {(body["fairness"], body.get("strength")) for body in server.asked[1:]} == {
        ("raw", None),
        ("standardised", 1),
    }


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
    page.get_by_label("Order").select_option("round-robin")
    settled(page)
    assert [server.asked[-1]["fairness"], "strength" in server.asked[-1]] == ["round-robin", False]
    expect(dial).to_be_disabled()
    page.go_back()
    expect(page.get_by_label("Order")).to_have_value("standardised")


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


def test_the_mix_of_languages_is_told_in_words_too(opened: Any) -> None:
    page = opened(asks(QUESTIONS["tides"]["en"], beside=""))
    order(page)
    bars = column(page, 0).get_by_role("img")
    expect(bars).to_have_count(2)
    assert re.match(r"Languages of the top 20: English 3, German \d", bars.nth(0).get_attribute("aria-label"))
    expect(bars.nth(1)).to_have_attribute("aria-label", re.compile("Languages of the index: English 5,210"))
    widths = bars.nth(1).locator(".part").evaluate_all("parts => parts.map(part => part.getBoundingClientRect().width)")
    assert widths[0] / widths[1] == pytest.approx(5210 / 2480, rel=0.1)
    expect(column(page, 0).locator("summary")).to_have_text(
        "Asked in English: 3 of 20 answers are in English, as is 39% of the index."
    )
    expect(column(page, 0).locator(".legend li").first).to_have_text("English 339%")


def test_texts_have_their_language_and_direction(opened: Any) -> None:
    page = opened(asks("tides", beside=""))
    order(page)
    for lang, direction in {"ar": "rtl", "he": "rtl", "ur": "rtl", "th": "ltr", "zh": "ltr"}.items():
        for part in ("title", "snippet"):
            text = hit(page, f"tides-{lang}").locator(f".{part}")
            expect(text).to_have_attribute("lang", lang)
            expect(text).to_have_attribute("dir", direction)
        expect(hit(page, f"tides-{lang}").locator(".address")).to_have_attribute("dir", "ltr")


def test_the_question_box_turns_with_its_script(opened: Any) -> None:
    page = opened()
    box = page.get_by_role("searchbox")
    for question, direction in ((QUESTIONS["tides"]["ar"], "rtl"), (THAI, "ltr")):
        box.fill(question)
        assert box.evaluate("element => getComputedStyle(element).direction") == direction


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
    expect(page.locator("body")).to_have_class("start")


def test_a_link_that_does_not_fit_the_index_says_so(opened: Any) -> None:
    page = opened(asks(THAI, model="gone", lang="constructor"))
    order(page)
    expect(page.get_by_role("alert")).to_have_text(
        "This link asks for what this index does not have: constructor and gone."
    )


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


def test_long_texts_are_cut_around_their_sentence(opened: Any, server: StandIn) -> None:
    text = "ต้นเรื่อง" * 60 + "นี่คือคำตอบ" + "ท้ายเรื่อง" * 60
    server.documents[9] |= {"text": text, "sentence": [540, 551]}
    page = opened(asks("tides", beside=""))
    order(page)
    snippet = hit(page, "tides-th").locator(".snippet")
    expect(snippet.locator("mark")).to_have_text("นี่คือคำตอบ")
    shown = snippet.inner_text()
    assert shown.startswith("…") and shown.endswith("…") and len(shown) < 450
    hit(page, "tides-th").get_by_role("button", name="More").click()
    expect(snippet).to_have_text(text)
    hit(page, "tides-th").get_by_role("button", name="Less").click()
    expect(snippet).to_have_text(shown)


def test_a_busy_server_is_asked_once_more(opened: Any, server: StandIn, faults: Faults) -> None:
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


def test_errors_are_told_in_plain_words(opened: Any, server: StandIn, faults: Faults) -> None:
    faults.expected = r"status of (422|500)"
    server.scripted = [(422, {}, {"error": {"type": "values", "message": "no background for these languages"}})]
    page = opened(asks(THAI))
    expect(page.locator(".why.error")).to_have_text("The server does not take this: no background for these languages")
    expect(page.locator(".column:has(.hit)")).to_have_count(1)  # the other column has its answers
    server.scripted = [(500, {}, {})] * 2
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("alert")).to_have_text("The server failed on this question (error 500).")


def test_a_server_that_is_gone(opened: Any, server: StandIn, faults: Faults) -> None:
    faults.expected = "net::ERR"
    page = opened()
    page.route("**/search", lambda route: route.abort())
    page.get_by_role("searchbox").fill(THAI)
    page.get_by_role("searchbox").press("Enter")
    expect(page.get_by_role("alert")).to_have_text("The server cannot be reached. Is it still running?")
    page.unroute("**/search")
    page.get_by_role("button", name="Search").click()
    assert order(page)[0] == "tides-th"


def test_a_token_is_asked_for_and_kept_for_the_tab(browser: Any, server: StandIn, faults: Faults) -> None:
    faults.expected = "status of 401"
    server.token = "swordfish"
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    page.goto(server.url + asks(THAI))
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
    server.token = "changed"  # two columns need it: one form asks
    page.get_by_role("button", name="Search").click()
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.locator("#notice")).to_have_text("This index asks for a token. Search again to enter one.")
    context.close()


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


def test_the_page_needs_nothing_from_elsewhere(opened: Any, server: StandIn) -> None:
    page = opened()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.url + asks(THAI))
    order(page)
    assert asked and all(url.startswith(server.url) for url in asked)
