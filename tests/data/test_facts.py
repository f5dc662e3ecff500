"""The built-in generator of parallel facts."""

import hashlib
import json
import lzma
import re
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import astuple
from importlib.metadata import version
from pathlib import Path

import pytest

from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.benchmarks.qrels import benchmark_digest
from isoglot.data.facts import freeze, names
from isoglot.data.facts.freeze import HELD_OUT, RELATIONS
from isoglot.data.facts.frozen import FOLDER, VERSIONS, frozen
from isoglot.data.facts.generate import generate_facts
from isoglot.data.facts.names import has_own_letter, name_of
from isoglot.data.facts.wordings import CORE, LANGUAGES, wording
from isoglot.data.pairs.loading import load_pairs
from isoglot.files import digest_strings
from isoglot.records import PairRow

BABEL = "2.19.0"
# of the facts as the templates in Python worded them
FACTS_DIGEST = "770e436f96c9f30a9e682d78a4ee892360e166d1acfc5d0bfa5aa748b615d060"
FAQ_DIGEST = "449b3b2402d226d452dcd66aeb207f08d4ee3ed691d312259a743bc7dbd70cfc"
# by version: of all fields of the facts of all languages and relations; no digest here ever changes
VERSION_DIGESTS = {1: "ed642f9ac7d90aa950c88570bf3f6fda5d14620bab9072b9ebec690455fe10b0"}
RESULTS = Path(__file__).parents[2] / "results"


def relation_of(fact: PairRow) -> str:
    return fact.id.partition("/")[0]


def fields_of(fact: PairRow) -> tuple[str, ...]:
    """In the order in which the first release digested them."""
    return (fact.id, relation_of(fact), fact.lang, fact.query, fact.passage, str(fact.passage_id))


@pytest.fixture(scope="module")
def training() -> list[PairRow]:
    return list(generate_facts(CORE))


@pytest.fixture(scope="module")
def held_out() -> list[PairRow]:
    return list(generate_facts(CORE, HELD_OUT))


@pytest.fixture(scope="module")
def everything() -> list[PairRow]:
    """Of all languages and relations."""
    return list(generate_facts(relations=RELATIONS + HELD_OUT))


@pytest.fixture(scope="module")
def by_key(everything: list[PairRow]) -> dict[tuple[str, str], PairRow]:
    return {(fact.id, fact.lang): fact for fact in everything}


def _digest(found: list[PairRow]) -> str:
    return hashlib.sha256("\n".join(map(repr, found)).encode()).hexdigest()


def test_languages() -> None:
    assert CORE == ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")
    assert set(CORE) < set(LANGUAGES)
    assert list(LANGUAGES) == sorted(LANGUAGES)
    assert len(LANGUAGES) == 25


def test_there_are_enough_pairs(training: list[PairRow], held_out: list[PairRow]) -> None:
    assert len(training) >= 3000 * len(CORE)
    assert len(held_out) >= 200 * len(CORE)
    assert {relation_of(fact) for fact in training} == set(RELATIONS)
    assert {relation_of(fact) for fact in held_out} == set(HELD_OUT)


def test_every_pair_exists_in_all_core_languages_in_order(training: list[PairRow], held_out: list[PairRow]) -> None:
    for found in (training, held_out):
        for start in range(0, len(found), len(CORE)):
            block = found[start : start + len(CORE)]
            assert tuple(fact.lang for fact in block) == CORE
            assert len({(fact.id, relation_of(fact), fact.passage_id) for fact in block}) == 1


def test_relations_come_in_the_order_asked_for() -> None:
    asked = ["script-code", "currency-of"]
    relations = [relation_of(fact) for fact in generate_facts(["en"], asked)]
    assert list(dict.fromkeys(relations)) == asked


def test_a_subset_of_languages_changes_nothing_but_the_languages(training: list[PairRow]) -> None:
    subset = list(generate_facts(["tr", "en"]))
    assert [fact.lang for fact in subset[:4]] == ["tr", "en", "tr", "en"]
    for lang in ("tr", "en"):
        assert [fact for fact in subset if fact.lang == lang] == [fact for fact in training if fact.lang == lang]


def test_facts_are_the_same_in_a_fresh_process_with_other_hash_seeds() -> None:
    code = (
        "import hashlib, sys; from isoglot.data.facts.generate import generate_facts;"
        "facts = generate_facts(['en', 'fr', 'ja'], entities=(0.2, 0.5)); assert 'babel' not in sys.modules;"
        "print(hashlib.sha256('\\n'.join(map(repr, facts)).encode()).hexdigest())"
    )
    paths = ":".join(path for path in sys.path if path)
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": "12345", "PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == _digest(list(generate_facts(["en", "fr", "ja"], entities=(0.2, 0.5))))


def test_no_query_occurs_twice_in_a_language(everything: list[PairRow]) -> None:
    counts = Counter((fact.lang, fact.query.casefold()) for fact in everything)
    assert [key for key, count in counts.items() if count > 1] == []


def test_a_passage_has_one_passage_id_and_the_reverse(everything: list[PairRow]) -> None:
    ids, passages = defaultdict(set), defaultdict(set)
    for fact in everything:
        ids[fact.lang, fact.passage.casefold()].add(fact.passage_id)
        passages[fact.lang, fact.passage_id].add(fact.passage)
    assert [key for key, found in ids.items() if len(found) > 1] == []
    assert [key for key, found in passages.items() if len(found) > 1] == []


def test_reverse_questions_share_the_passage(by_key: dict[tuple[str, str], PairRow]) -> None:
    for lang in LANGUAGES:
        forward, reverse = by_key["currency-of/JP", lang], by_key["currency-country/JP", lang]
        assert reverse.passage_id == forward.passage_id == "currency-of/JP"
        assert reverse.passage == forward.passage
        assert reverse.query != forward.query


def test_only_reverse_questions_have_a_foreign_passage_id(training: list[PairRow]) -> None:
    foreign = {relation_of(fact) for fact in training if fact.passage_id != fact.id}
    assert foreign == {"currency-country", "territory-of-code", "language-of-code", "currency-of-code"}


def test_held_out_relations_are_not_trained_on(training: list[PairRow], held_out: list[PairRow]) -> None:
    assert len(HELD_OUT) >= 2
    assert not set(HELD_OUT) & set(RELATIONS)
    assert not {fact.passage for fact in held_out} & {fact.passage for fact in training}
    assert not {fact.query for fact in held_out} & {fact.query for fact in training}


def test_texts_are_in_the_script_of_their_language(everything: list[PairRow]) -> None:
    for fact in everything:
        assert has_own_letter(fact.query, fact.lang), fact
        assert has_own_letter(fact.passage, fact.lang), fact


def test_own_letters_are_told_apart() -> None:
    assert has_own_letter("ISO «Швейцария»", "ru")
    assert not has_own_letter("Schweiz 12", "ru")
    assert not has_own_letter("Швейцария", "zh")


def test_texts_are_clean(everything: list[PairRow]) -> None:
    for fact in everything:
        for text in (fact.query, fact.passage):
            assert not re.search(r"[{}\u00a0\u202f\u200e\u200f]|None|  |\d{6}", text), fact
            assert text == text.strip(), fact
            first = text.lstrip("¿«“„")[0]
            assert first == first.upper() or text[0] in "«“„", fact


def test_all_templates_are_used(everything: list[PairRow]) -> None:
    texts_of = defaultdict(list)
    for fact in everything:
        texts_of[fact.lang, relation_of(fact), "query"].append(fact.query)
        texts_of[fact.lang, relation_of(fact), "passage"].append(fact.passage)
    for lang in LANGUAGES:
        for relation, sides in wording(lang).templates.items():
            for field, templates in (("query", sides["queries"]), ("passage", sides.get("passages", ()))):
                texts = texts_of[lang, relation, field]
                for template in templates:
                    pattern = re.sub(r"\\{\w+\\}", ".+", re.escape(template))
                    share = sum(bool(re.fullmatch(pattern, text, re.IGNORECASE)) for text in texts) / len(texts)
                    assert share > 0.1, (lang, relation, template, share)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_template_can_be_filled_for_every_item(lang: str) -> None:
    """Not only the one that an item draws."""
    for relation, items in frozen().items.items():
        sides = wording(lang).templates[relation].values()
        for _, slots in items:
            values = {slot: name_of(slot, value, lang) for slot, value in slots.items()}
            if "territory" in slots:
                values["in_territory"] = name_of("in_territory", slots["territory"], lang)
            if None not in values.values():
                for template in (template for templates in sides for template in templates):
                    text = template.format_map(values)
                    assert not re.search(r"[{}]|  |^\s|\s$", text), (lang, relation, text)


@pytest.mark.parametrize("lang", sorted(set(LANGUAGES) - set(CORE)))
def test_a_further_language_lacks_few_facts_and_none_that_are_circular(lang: str, everything: list[PairRow]) -> None:
    count = Counter(fact.lang for fact in everything)
    assert count[lang] >= 0.99 * count["en"]
    assert f"endonym/{lang}" not in {fact.id for fact in everything if fact.lang == lang}
    for zone, slots in frozen().items["city-territory"]:
        names = [name_of(slot, code, lang) for slot, code in slots.items()]
        if None not in names and (names[0] in names[1] or names[1] in names[0]):  # type: ignore[operator]
            assert f"city-territory/{zone}" not in {fact.id for fact in everything if fact.lang == lang}


def test_templates_are_parallel_over_languages() -> None:
    for lang in LANGUAGES:
        assert set(wording(lang).separators) == {",", "."}
        templates = wording(lang).templates
        assert set(templates) == set(RELATIONS) | set(HELD_OUT), lang
        for relation, sides in templates.items():
            assert set(sides) == set(templates_of_english(relation)), (lang, relation)
            assert len(sides["queries"]) >= 2, (lang, relation)
            assert len(set(sides["queries"])) == len(sides["queries"]), (lang, relation)
            assert len(sides.get("passages", ())) != 1, (lang, relation)


def templates_of_english(relation: str) -> list[str]:
    """Which of "queries" and "passages" a relation has."""
    return list(wording("en").templates[relation])


def test_all_facts_are_those_of_the_first_release(training: list[PairRow], held_out: list[PairRow]) -> None:
    assert len(training + held_out) == 59_972
    assert digest_strings(text for fact in training + held_out for text in fields_of(fact)) == FACTS_DIGEST
    assert benchmark_digest(load_benchmark("faq")) == FAQ_DIGEST


def test_a_version_never_changes(everything: list[PairRow]) -> None:
    assert tuple(VERSION_DIGESTS) == VERSIONS
    for number, digest in VERSION_DIGESTS.items():
        facts = frozen(number)
        rows = everything if number == VERSIONS[-1] else generate_facts(relations=tuple(facts.items), version=number)
        assert digest_strings(str(field) for fact in rows for field in astuple(fact)) == digest


@pytest.mark.slow
@pytest.mark.parametrize("study", ["demo", "english-only"])
def test_committed_results_are_of_these_texts(study: str) -> None:
    comparisons = json.loads((RESULTS / study / "audit.json").read_text(encoding="utf-8"))["comparisons"]
    digests = {found["benchmark"]: found["digests"] for found in comparisons}
    assert digests["faq"]["benchmark"] == FAQ_DIGEST
    spec = json.loads((RESULTS / study / "study.json").read_text(encoding="utf-8"))["spec"]
    pairs = spec["data"][0]["pairs"]
    if pairs[0].startswith("facts:"):
        assert load_pairs(pairs).digest == digests["faq"]["data"]


@pytest.mark.slow
@pytest.mark.skipif(version("babel") != BABEL, reason=f"the newest version has the names of Babel {BABEL}")
def test_the_newest_version_is_of_the_wordings_beside_it() -> None:
    text = (FOLDER / f"facts-{VERSIONS[-1]}.json.xz").read_bytes()
    assert json.loads(lzma.decompress(text)) == json.loads(json.dumps(freeze.contents())), "freeze another version"


def test_a_version_that_is_there_is_not_made_again() -> None:
    with pytest.raises(SystemExit, match="a version never changes"):
        freeze.main(VERSIONS[-1])


@pytest.mark.parametrize(
    ("lang", "slots"),
    [
        ("de", ("in der Schweiz", "Deutsch, Französisch und Italienisch")),
        ("en", ("Switzerland", "German, French, and Italian")),
    ],
)
def test_names_are_put_into_the_grammar_of_the_language(lang: str, slots: tuple[str, str]) -> None:
    assert (name_of("in_territory", "CH", lang) or "").endswith(slots[0])
    assert name_of("languages", "de fr it", lang) == slots[1]


def test_a_missing_name_is_none() -> None:
    assert name_of("territory", "Q1", "ru") is None
    assert name_of("languages", "de qqq", "en") is None


def test_a_name_in_a_foreign_script_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(names._CLDR_NAMES, "territory", lambda code, lang: "Switzerland")
    assert name_of.__wrapped__("territory", "CH", "en") == "Switzerland"
    assert name_of.__wrapped__("territory", "CH", "ru") is None


def test_an_item_that_repeats_another_is_dropped_in_all_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    slots = {"territory": "CH", "currency": "CHF"}
    sources = {relation: lambda: iter(()) for relation in RELATIONS + HELD_OUT}
    monkeypatch.setattr(freeze, "SOURCES", {**sources, "currency-of": lambda: ((key, slots) for key in "ABCDEF")})
    items = freeze.core_items.__wrapped__()
    assert items["currency-of"] == [("A", slots)]
    lacking = freeze.lacking({"currency-of": [(key, slots) for key in "ABCDEF"]}, "fr")
    assert len(lacking) >= 3  # of six, there are three questions to ask it by
    assert "currency-of/A" not in lacking


def test_a_passage_may_come_again_under_its_own_id_only() -> None:
    fact = PairRow("facts", "b/1", "en", "Which?", "This.", "a/1")
    assert freeze._claim_texts([fact], {("en", "passage", "this."): "a/1"})
    assert not freeze._claim_texts([fact], {("en", "passage", "this."): "a/2"})
    assert not freeze._claim_texts([fact], {("en", "query", "which?"): "b/0"})


@pytest.mark.parametrize(
    ("lang", "currency"),
    [
        ("de", "Schweizer Franken"),
        ("el", "Φράγκο Ελβετίας"),
        ("en", "Swiss Franc"),
        ("es", "franco suizo"),
        ("hi", "स्विस फ़्रैंक"),
        ("ru", "швейцарский франк"),
        ("fr", "franc suisse"),
        ("ja", "スイス フラン"),
        ("tr", "İsviçre frangı"),
        ("zh", "瑞士法郎"),
    ],
)
def test_switzerland_pays_in_francs(by_key: dict[tuple[str, str], PairRow], lang: str, currency: str) -> None:
    fact = by_key["currency-of/CH", lang]
    assert currency in fact.passage
    assert currency not in fact.query
    country = name_of("territory", "CH", lang)
    assert country
    assert country in fact.query
    assert country in fact.passage


@pytest.mark.parametrize(
    ("fact_id", "answer"),
    [
        ("official-language/AT", "German"),
        ("language-code/el", "“el”"),
        ("language-script/ru", "Cyrillic"),
        ("script-code/Grek", "Grek"),
        ("currency-code/TRY", "TRY"),
        ("currency-country/TH", "Thailand"),
        ("city-territory/Europe/Zurich", "Switzerland"),
        ("city-zone/Asia/Tokyo", "Japan"),
        ("endonym/fi", "suomi"),
        ("week-start/US", "Sunday"),
        ("decimal-separator/de", "comma"),
    ],
)
def test_answers_are_right(by_key: dict[tuple[str, str], PairRow], fact_id: str, answer: str) -> None:
    assert answer in by_key[fact_id, "en"].passage


def test_a_question_with_many_answers_is_not_asked(by_key: dict[tuple[str, str], PairRow]) -> None:
    # The first country of each shared currency: a later one would be dropped as a repeated query anyway.
    for country in ("AD", "AI", "AS", "CH"):
        assert (f"currency-of/{country}", "en") in by_key
        assert (f"currency-country/{country}", "en") not in by_key


def test_codes_without_a_country_are_skipped(training: list[PairRow]) -> None:
    keys = {fact.id.split("/")[1] for fact in training if relation_of(fact) == "territory-code"}
    assert not keys & {"EU", "UN", "QO", "ZZ", "XA", "XB", "001", "150"}


@pytest.mark.parametrize("unknown", ["xx", "EN", "zh_Hans"])
def test_an_unknown_language_is_named_at_once(unknown: str) -> None:
    with pytest.raises(ValueError, match=rf"language '{unknown}'.*ar, cs, da"):
        generate_facts(["en", unknown])
    with pytest.raises(ValueError, match=unknown):
        generate_facts([unknown], HELD_OUT)


def test_an_unknown_relation_is_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"relation 'capital-of'.*currency-of.*week-start"):
        generate_facts(relations=["capital-of"])


def test_an_unknown_version_is_named_at_once() -> None:
    with pytest.raises(ValueError, match="unknown version 7; known: 1"):
        generate_facts(version=7)
