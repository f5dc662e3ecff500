"""What the search page shows of answers."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.serving.page.reading import QUESTIONS, THAI, asks, column, expect, hit, order, settled
from tests.serving.page.stand_in import CORPUS, StandIn

pytestmark = pytest.mark.slow


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


def test_long_texts_are_cut_around_their_sentence(opened: Any, server: StandIn) -> None:
    text = "ต้นเรื่อง" * 60 + "นี่คือคำตอบ" + "ท้ายเรื่อง" * 60
    server.documents[9] |= {"text": text, "sentence": [540, 551]}
    page = opened(asks("tides", beside=""))
    order(page)
    snippet = hit(page, "tides-th").locator(".snippet")
    expect(snippet.locator("mark")).to_have_text("นี่คือคำตอบ")
    shown = snippet.inner_text()
    assert (shown[0], shown[-1]) == ("…", "…")
    assert len(shown) < 450
    hit(page, "tides-th").get_by_role("button", name="More").click()
    expect(snippet).to_have_text(text)
    hit(page, "tides-th").get_by_role("button", name="Less").click()
    expect(snippet).to_have_text(shown)


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
        "Asked in English: 3 of 20 answers are in English, as are 39% of all documents."
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
