"""Parts of the facts by relation and entity: what one leaves out, the other has, in every language."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoglot.cli.main import main
from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.facts.frozen import frozen
from isoglot.data.facts.generate import generate_facts, place, same_passages
from isoglot.data.pairs.loading import read_pairs
from isoglot.errors import InputError
from isoglot.records import PairRow

RELATIONS = frozen().relations
CODES = "en,ja"
ALL = [row for row, _, _ in read_pairs([f"facts:{CODES}"], None, None, unique=True)]
ENTITY = {
    f"{relation}/{key}": next(iter(slots.items())) for relation, items in frozen().items.items() for key, slots in items
}


def rows_of(options: str) -> list[PairRow]:
    return [row for row, _, _ in read_pairs([f"facts:{CODES}?{options}"], None, None, unique=True)]


def entities(rows: list[PairRow]) -> set[tuple[str, str]]:
    return {ENTITY[row.id] for row in rows}


def assert_complementary(part: list[PairRow], rest: list[PairRow]) -> None:
    """Together all facts, in their order; no fact, query or passage in both."""
    ids = {row.id for row in part}
    assert part == [row for row in ALL if row.id in ids]
    assert rest == [row for row in ALL if row.id not in ids]
    for side in ("id", "query", "passage", "passage_id"):
        texts = [{(row.lang, getattr(row, side)) for row in rows} for rows in (part, rest)]
        assert not texts[0] & texts[1], side


@settings(max_examples=8, deadline=None)
@given(st.decimals(min_value="0.0001", max_value="99.9999", places=4))
def test_a_share_of_the_entities_and_the_rest(percent: Decimal) -> None:
    part, rest = (rows_or_none(f"{option}={percent}%") for option in ("entities", "without-entities"))
    assert_complementary(part, rest)
    assert not entities(part) & entities(rest)


def rows_or_none(options: str) -> list[PairRow]:
    """A very small share may have no entity in it, which is refused."""
    try:
        return rows_of(options)
    except InputError as error:
        if not str(error).endswith("no rows"):
            raise
        return []


@settings(max_examples=8, deadline=None)
@given(st.sets(st.sampled_from(RELATIONS), min_size=1, max_size=6))
def test_relations_and_the_rest(names: set[str]) -> None:
    part, rest = (rows_of(f"{option}={','.join(names)}") for option in ("relations", "without-relations"))
    assert_complementary(part, rest)
    assert {row.id.partition("/")[0] for row in part} == same_passages(names)


def test_shares_are_near_what_was_asked_for_and_nested() -> None:
    ten, thirty = (entities(rows_of(f"entities={percent}%")) for percent in (10, 30))
    assert ten < thirty
    assert len(thirty) / len(entities(ALL)) == pytest.approx(0.3, abs=0.03)


def test_both_kinds_together_are_what_both_leave() -> None:
    options = "relations=endonym,currency-of", "without-entities=20%", "entities=60%"
    common = {row.id for row in ALL}.intersection(*({row.id for row in rows_of(option)} for option in options))
    assert [row.id for row in rows_of("&".join(options))] == [row.id for row in ALL if row.id in common]


def test_all_that_is_asked_about_an_entity_is_in_one_part() -> None:
    relations = defaultdict(set)
    for row in rows_of("entities=20%"):
        relations[ENTITY[row.id]].add(row.id.partition("/")[0])
    assert max(map(len, relations.values())) >= 5
    # the town, not the country that it is in
    assert ENTITY["city-territory/Asia/Tokyo"] == ENTITY["city-zone/Asia/Tokyo"] == ("city", "Asia/Tokyo")
    assert ENTITY["currency-country/JP"] == ENTITY["speaker-share/JP-ja"] == ("territory", "JP")


def test_places_never_change() -> None:
    """A model trained on one part is tested on the other, perhaps by another version."""
    assert [round(place({"territory": code}), 6) for code in ("CH", "JP", "VN")] == [0.910971, 0.80483, 0.237852]
    assert all(0 <= place(slots) < 1 for items in frozen().items.values() for _, slots in items)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("relation=endonym", r"unknown option 'relation' \(did you mean 'relations'\?\)"),
        ("relations=currency", r"unknown relation 'currency'.*known: city-territory"),
        ("relations=week-start", "unknown relation 'week-start'"),
        ("relations=", "'relations=': expected option=value"),
        ("version=2", "unknown version '2'; known: 1"),
        ("version=01", "unknown version '01'"),
        ("entities=20", r"entities=20: expected a share between 0% and 100%, such as 20%"),
        ("entities=0.0%", "expected a share"),
        ("without-entities=100%", "expected a share"),
        ("entities=20%&entities=30%", "option 'entities' is given twice"),
        ("entities=20%&without-entities=20%", "no entity is left"),
        ("relations=endonym&without-relations=endonym", "no relation is left"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rows_of(options)


def test_a_benchmark_of_the_part_that_was_not_trained_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "held-out"
    words = ["data", "benchmark", "facts:de,en,fr?relations=endonym", "--output", str(output), "--json"]
    assert main(words) == 0
    made = json.loads(capsys.readouterr().out)
    benchmark = load_benchmark(output)
    assert made["queries"] == benchmark.n_queries
    trained = {row.query for row in rows_of("without-relations=endonym")}
    assert not trained & {text for _, _, text in benchmark.pooled_queries()}


def test_counts_by_language_are_those_of_the_docs() -> None:
    text = Path(__file__).parents[2].joinpath("docs/pairs.md").read_text(encoding="utf-8")
    said = {
        lang: int(count.replace(",", ""))
        for codes, count in re.findall(r"^\| ([a-z ]+) \| ([\d,]+) \|$", text, re.MULTILINE)
        for lang in codes.split()
    }
    assert said == Counter(fact.lang for fact in generate_facts())
    assert all(f"`{relation}`" in text for relation in RELATIONS)
