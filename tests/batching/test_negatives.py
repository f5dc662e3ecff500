"""Negatives: never an answer, the same in every process and after a resume, drawn as they were asked for."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from isoglot.batching.draw import _subsets
from isoglot.batching.negatives import read_negatives
from isoglot.batching.plan import BatchPlan, PlanSettings
from isoglot.batching.sampler import PlanDataset
from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.table import PairTable
from isoglot.data.sameness import text_key
from isoglot.errors import InputError
from isoglot.records import PairRow
from tests.realdata import lareqa_dir

LANGUAGES = ("de", "en", "th", "zh")
STEPS = 60


def random_rows(seed: int, n: int = 60) -> list[PairRow]:
    """Few texts for many pairs: shared, untranslated and differently spaced passages, documents in two sources, missing rows."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        source = "ab"[number % 2]
        for lang in LANGUAGES:
            if random.random() < 0.2:
                continue
            spoken = "" if random.random() < 0.1 else f" {lang}"  # some texts are not translated
            passage, *more = (f"text {k}{spoken}" for k in random.integers(0, 80, 4))
            if random.random() < 0.3:
                passage = passage.replace(" ", "\u00a0 ")
            rows.append(
                PairRow(
                    source,
                    f"{number}",
                    lang,
                    f"query {number if random.random() < 0.95 else 0} {lang}",
                    passage,
                    None,
                    tuple(more[: random.integers(0, 4)]),
                    f"doc {random.integers(0, 5)}" if random.random() < 0.9 else None,
                    tuple(more[: random.integers(0, 4)]),
                )
            )
    return rows


def steps_of(table: PairTable, negatives: Any, **more: Any) -> PlanDataset:
    asked = {"strategy": "cross", "batch_size": 2, "seed": 3, **more.pop("plan", {})}
    return PlanDataset(
        table, BatchPlan(table.index, PlanSettings(**asked)), more.pop("steps", STEPS), negatives=negatives, **more
    )


def groups_of(rows: list[PairRow]) -> dict[tuple[str, str], set[tuple[str, str]]]:
    """Pair -> the pairs that it shares a passage or query with, directly or through others; by going through all of them."""
    texts: dict[tuple[str, str], set[bytes]] = {}
    for row in rows:
        own = texts.setdefault((row.source, row.id), set())
        own |= {b"q" + text_key(row.query), b"p" + text_key(row.passage)}
    groups = {pair: {pair} for pair in texts}
    for one in texts:
        for other in texts:
            if texts[one] & texts[other]:
                joined = groups[one] | groups[other]
                for pair in joined:
                    groups[pair] = joined
    return groups


def beside(rows: list[PairRow], row: PairRow, groups: Any) -> set[bytes]:
    """What may be a negative from the document of a row, by the definition."""
    own = groups[row.source, row.id]
    gold = {text_key(other.passage) for other in rows if (other.source, other.id) in own}
    document = [
        other
        for other in rows
        if (other.source, other.lang, other.document_id) == (row.source, row.lang, row.document_id)
        and (row.document_id is not None or other is row)
    ]
    texts = {text_key(text) for other in document for text in (other.passage, *other.document_passages)}
    return texts - gold


@pytest.mark.parametrize("seed", range(4))
def test_documents_hold_what_the_definition_says_and_never_an_answer(seed: int) -> None:
    rows = random_rows(seed)
    table, groups = PairTable.from_rows(rows), groups_of(rows)
    steps = steps_of(table, {"name": "document", "number": 10_000}, steps=1)
    assert steps.pool is not None
    every = np.arange(len(rows))
    counts = steps.pool.counts(every)
    allowed = [beside(rows, row, groups) for row in rows]
    assert counts.tolist() == list(map(len, allowed))
    assert counts.max() > 5
    for row, count in enumerate(counts.tolist()):
        numbers = steps.pool.numbers(np.full(count, row), np.arange(count))
        assert {text_key(text) for text in steps.pool.texts(numbers).to_pylist()} == allowed[row]
        assert set(numbers.tolist()) <= set(steps.pool.every(np.array([row])).tolist())


@pytest.mark.parametrize("strategy", ["mono", "cross", "multiway"])
@pytest.mark.parametrize(
    "asked",
    [
        "rows",
        "document",
        {"name": "document", "number": 3, "other_languages": 0.6},
        {"number": 2, "other_languages": 1},
    ],
)
def test_no_negative_of_a_batch_is_a_passage_of_it_in_any_language(strategy: str, asked: Any) -> None:
    drawn = 0
    for seed in range(3):
        rows = random_rows(seed)
        table, groups = PairTable.from_rows(rows), groups_of(rows)
        steps = steps_of(table, asked, plan={"strategy": strategy})
        number = steps._asked.number
        for step, item in enumerate(steps):
            pairs = {(rows[r].source, rows[r].id) for r in item.batch.query_rows}
            if steps._asked.name == "document":  # nor of pairs that share a passage or query with one of it
                pairs = set().union(*(groups[pair] for pair in pairs))
            gold = {text_key(row.passage) for row in rows if (row.source, row.id) in pairs}
            keys = list(map(text_key, item.negatives))
            assert not gold & set(keys), f"step {step}"
            assert len(keys) == len(set(keys)) <= number * len(item.batch.passage_rows)
            drawn += len(keys)
    assert drawn > STEPS


def as_before(table: PairTable, steps: PlanDataset, step: int, most: int) -> list[str]:
    """What the first version gave: the first texts of each passage row's list, one after the other."""
    batch = steps._plan[step]
    rows = table.index.rows[batch.queries.pairs]
    seen = {text_key(text) for text in table.column("passage", rows[rows >= 0])}
    negatives = []
    for texts in table.column("negatives", batch.passage_rows):
        for text in texts[:most]:
            if text_key(text) not in seen:
                seen.add(text_key(text))
                negatives.append(text)
    return negatives


def test_rows_give_their_whole_lists_as_ever_and_chance_decides_on_longer_ones() -> None:
    table = PairTable.from_rows(random_rows(0))
    longest = max(map(len, table.table.column("negatives").to_pylist()))
    whole = steps_of(table, longest)
    assert sum(len(item.negatives) for item in whole) > STEPS
    for step, item in enumerate(whole):
        assert item.negatives == as_before(table, whole, step, longest)
    counts: Counter[str] = Counter()
    rows = [replace(row, negatives=tuple(f"{row.id} {row.lang} {n}" for n in range(6))) for row in random_rows(0)]
    table = PairTable.from_rows(rows)
    for item in steps_of(table, 2, steps=1500):
        lists = table.column("negatives", item.batch.passage_rows)
        assert [len(set(texts) & set(item.negatives)) for texts in lists] == [2, 2]
        counts.update(text.rpartition(" ")[2] for text in item.negatives)
    assert len(counts) == 6
    assert max(counts.values()) < 1.15 * min(counts.values())  # 1,000 expected each, standard deviation 26


def test_subsets_are_uniform() -> None:
    sizes, wanted = np.array([5] * 20_000 + [2, 0, 3]), np.array([2] * 20_000 + [4, 2, 0])
    places = _subsets(sizes, wanted, lambda: np.random.default_rng(0))
    assert [row[row >= 0].tolist() for row in places[-3:]] == [[0, 1], [], []]
    counts = Counter(map(tuple, places[:-3].tolist()))
    assert set(counts) == {(a, b) for b in range(5) for a in range(b)}
    assert max(abs(count - 2000) for count in counts.values()) < 4 * np.sqrt(1800)


@pytest.mark.parametrize("asked", [1, {"name": "document", "number": 2, "other_languages": 0.5}])
def test_a_resumed_run_and_several_processes_have_the_same_negatives(asked: Any) -> None:
    table = PairTable.from_rows(random_rows(1))
    whole = [steps_of(table, asked)[step].negatives for step in range(STEPS)]
    again = steps_of(PairTable.from_rows(random_rows(1)), asked)
    for step in (37, 3, 59, 37):
        assert again[step].negatives == whole[step]
    shares = [steps_of(table, asked, rank=rank, world=2) for rank in (0, 1)]
    for step in range(STEPS):
        assert [text for share in shares for text in share[step].negatives] == whole[step]
    other = steps_of(table, asked, plan={"seed": 4})
    assert [item.negatives for item in other] != whole


def test_a_share_of_the_negatives_is_in_other_languages_each_alike() -> None:
    rows = [
        PairRow(
            "s", f"{n}", lang, f"q{n} {lang}", f"p{n} {lang}", None, (), "d", tuple(f"{k} {lang}" for k in range(400))
        )
        for n in range(40)
        for lang in (LANGUAGES if n % 2 else LANGUAGES[:3])
    ]
    table = PairTable.from_rows(rows)
    for share in (0.0, 0.3, 1.0):
        asked = {"name": "document", "number": 5, "other_languages": share}
        counts = np.zeros((4, 4))
        # one pair of the batch after the other: what is drawn twice counts once
        for item in steps_of(table, asked, plan={"strategy": "mono"}, steps=800):
            own = LANGUAGES.index(str(item.batch.language))
            for text in item.negatives:
                counts[own, LANGUAGES.index(text.rpartition(" ")[2])] += 1
        abroad = 1 - counts.diagonal().sum() / counts.sum()
        assert abs(abroad - share) < 0.02
        if share:
            from_zh = counts[3, :3] / counts[3, :3].sum()  # all of these pairs have four languages
            assert np.abs(from_zh - 1 / 3).max() < 0.04
            from_de = counts[0, 1:] / counts[0, 1:].sum()  # every other pair has no zh: (1/2 + 1/3) / 2 and 1/3 / 2
            assert np.abs(from_de - [5 / 12, 5 / 12, 1 / 6]).max() < 0.04


def test_candidates_are_all_that_may_be_drawn() -> None:
    for asked in ("rows", "document", {"name": "document", "number": 2, "other_languages": 0.5}):
        steps = steps_of(PairTable.from_rows(random_rows(2)), asked, steps=10)
        drawn = {int(number) for item in steps for number in item.negative_numbers}
        _, passages = steps.used_rows()
        numbers = steps.candidates(passages)
        assert drawn <= set(numbers.tolist())
        assert (np.diff(numbers) > 0).all()
        assert list(steps.candidate_texts(passages)) == steps.pool.texts(numbers).to_pylist()  # type: ignore[union-attr]


def test_documents_that_are_not_there_are_asked_for_in_one_line() -> None:
    rows = [replace(row, document_id=None, document_passages=()) for row in random_rows(0)]
    with pytest.raises(InputError, match="'document' needs pairs with documents, and these have none"):
        steps_of(PairTable.from_rows(rows), "document")
    assert steps_of(PairTable.from_rows([replace(row, negatives=()) for row in rows]), 1)[0].negatives == []


@pytest.mark.realdata
@pytest.mark.parametrize(("source", "least"), [("lareqa", 80), ("lareqa-paragraphs", 20)])
def test_negatives_of_real_documents(source: str, least: int) -> None:
    table = load_pairs([f"{source}:{lareqa_dir('mlqa-r')}"])
    rows = table.table.to_pylist()
    where = {}
    for row in rows:
        for text in (row["passage"], *(row["document_passages"] or ())):
            where.setdefault((text_key(text), row["lang"]), set()).add(row["document_id"])
    steps = steps_of(table, "document", plan={"strategy": "mono", "batch_size": 100}, steps=5)
    for item in steps:
        pairs = {rows[r]["id"] for r in item.batch.query_rows}
        gold = {text_key(row["passage"]) for row in rows if row["id"] in pairs}
        documents = {rows[r]["document_id"] for r in item.batch.passage_rows}
        assert len(item.negatives) >= least
        for text in item.negatives:
            assert text_key(text) not in gold
            assert where[text_key(text), item.batch.language] & documents
    if source == "lareqa":  # a digest that runs and studies know: documents are not in it
        assert table.digest.startswith("88e944b07288b7cd")
        assert {row["document_id"].count(":") for row in rows} == {2}
        assert not any(row["passage"] in row["document_passages"] for row in rows)


def test_hard_ones_are_the_rows_own_else_those_of_documents_else_none() -> None:
    rows = random_rows(1)
    bare = [replace(row, negatives=()) for row in rows]
    alone = [replace(row, document_id=None, document_passages=()) for row in bare]
    asked = {"name": "hard", "number": 2}
    for given, like in ((rows, "rows"), (bare, "document")):
        table = PairTable.from_rows(given)
        hard, other = ([step.negatives for step in steps_of(table, {**asked, "name": name})] for name in ("hard", like))
        assert hard == other
        assert any(hard)
    assert not any(step.negatives for step in steps_of(PairTable.from_rows(alone), asked))
    notes = [read_negatives(asked).note(PairTable.from_rows(given)) for given in (rows, bare, alone)]
    assert notes[:2] == ["", ""]
    assert "neither negatives nor documents" in notes[2]
