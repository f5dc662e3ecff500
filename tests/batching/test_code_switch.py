"""Switched batches: a pure function of seed and step, the same in every process, true to the languages that they name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from isoglot.batching.describe import composition, format_batch
from isoglot.batching.plan import BatchPlan, PlanSettings
from isoglot.batching.sampler import PlanDataset
from isoglot.cli.main import main
from isoglot.data.pairs.table import PairTable
from isoglot.errors import InputError
from isoglot.records import PairRow
from tests.lexicons import write_tsv

N = 40
Plan = Callable[..., PlanDataset]


def pair_table(*languages: str) -> PairTable:
    """English pairs of words en0, en1, ..., each with two negatives of its own."""
    return PairTable.from_rows(
        [
            PairRow(
                *(
                    "s",
                    str(number),
                    lang,
                    " ".join(f"{lang}{number + k}" for k in range(4)),
                    f"{lang}{number}, is {lang}7!",
                ),
                *(None, (f"{lang}{number} no", f"{lang}{number + 1} no")),
            )
            for number in range(N)
            for lang in languages or ("en",)
        ]
    )


@pytest.fixture
def lexicons(tmp_path: Path) -> list[str]:
    """Word k of English is word k of the other languages."""
    return [
        str(write_tsv(tmp_path / f"en-{lang}.tsv", {f"en{k}": f"{lang}{k}" for k in range(N + 4)}))
        for lang in ("de", "fr", "tr")
    ]


@pytest.fixture
def steps(lexicons: list[str]) -> Plan:
    def make(table: PairTable | None = None, **more: Any) -> PlanDataset:
        table = table or pair_table()
        around = {key: more.pop(key) for key in ("negatives", "rank", "world") if key in more}
        asked = {"strategy": "code-switch", "lexicon": lexicons, "batch_size": 8, **more}
        return PlanDataset(table, BatchPlan(table.index, PlanSettings(**asked)), 30, **around)

    return make


def texts(steps: PlanDataset, step: int) -> tuple[list[str], list[str], list[str]]:
    item = steps[step]
    return item.queries, item.passages, item.negatives


def languages_of(text: str) -> set[str]:
    return {word[:2] for word in text.replace(",", "").replace("!", "").split()} - {"is", "no"}


def test_a_pure_function_of_seed_and_step(steps: Plan) -> None:
    first, again, other = steps(negatives=1), steps(negatives=1), steps(negatives=1, seed=1)
    forwards = [texts(first, step) for step in range(30)]
    assert [texts(again, step) for step in reversed(range(30))] == forwards[::-1]
    assert [texts(other, step) for step in range(30)] != forwards
    # 40 pairs in batches of 8: a pair comes again after five steps, and is switched anew
    assert len({text for queries, _, _ in forwards for text in queries}) > 2 * N


def test_processes_share_out_one_batch(steps: Plan) -> None:
    whole, parts = steps(negatives=1), [steps(negatives=1, rank=rank, world=4) for rank in range(4)]
    for step in range(30):
        shares = [texts(part, step) for part in parts]
        for side, expected in enumerate(texts(whole, step)):
            assert [text for share in shares for text in share[side]] == expected


def test_query_and_passage_go_into_different_languages(steps: Plan) -> None:
    every = steps(switch_probability=1.0)
    counts = composition(every._plan, every.table, 30)["switched_pairs"]
    assert counts.keys() == {"de", "fr", "tr"}
    assert all(counts[lang].keys() == counts.keys() - {lang} for lang in counts)
    assert min(n for row in counts.values() for n in row.values()) > 30 * 8 / 6 / 2, "about as often each"
    for step in range(10):
        batch = every[step].batch
        assert batch.rewrite is not None
        for column, side in (("query", batch.queries), ("passage", batch.passages)):
            given = every.table.column(column, side.rows)
            assert side.targets is not None
            for text, old, target in zip(batch.texts(column, given), given, side.targets):
                assert text == old.replace("en", batch.rewrite.languages[target])


def test_a_pair_is_one_row_and_groups_stay_apart(steps: Plan) -> None:
    """False negatives are kept out of a batch by the pairs as they were."""
    rows = [PairRow("s", str(number), "en", f"en{number}", f"en{number // 2} en1") for number in range(N)]
    table = PairTable.from_rows(rows)
    every = steps(table)
    for step in range(30):
        pairs = every[step].batch.queries.pairs
        assert len(set(table.index.group[pairs].tolist())) == len(pairs) == 8
        assert every[step].batch.is_aligned


def test_negatives_are_switched_as_passages_are(steps: Plan) -> None:
    every = steps(negatives=2, switch_probability=1.0)
    found = [languages_of(text) for step in range(10) for text in every[step].negatives]
    assert {lang for langs in found for lang in langs} == {"de", "fr", "tr"}
    assert all(len(langs) == 1 for langs in found)
    for step in range(5):
        assert all(languages_of(text) == {"en"} for text in steps(negatives=2, switch_sides="queries")[step].negatives)
    with pytest.raises(InputError, match=r"negatives\.other_languages must be 0"):
        steps(pair_table("de", "en"), negatives={"name": "rows", "number": 1, "other_languages": 0.5})


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_the_share_of_words_is_the_one_asked_for(steps: Plan, p: float) -> None:
    every = steps(switch_probability=p)
    words = [word for step in range(30) for text in every[step].queries for word in text.split()]
    assert sum(not word.startswith("en") for word in words) / len(words) == pytest.approx(p, abs=0.05)


def test_modes_sides_and_the_language_itself(steps: Plan) -> None:
    mixed = steps(switch_mode="multilingual", switch_probability=1.0)
    assert composition(mixed._plan, mixed.table, 30)["switched_pairs"] == {"mul": {"mul": 240}}
    assert max(len(languages_of(text)) for text in mixed[0].queries) == 3
    one = steps(switch_languages=["tr"], switch_probability=1.0)
    assert {frozenset(languages_of(text)) for step in range(5) for text in one[step].queries} == {frozenset({"tr"})}
    half = steps(switch_languages=["de", "en"], switch_probability=1.0)
    assert composition(half._plan, half.table, 30)["switched_pairs"].keys() == {"de", "en"}
    sides = steps(switch_sides="passages", switch_probability=1.0)
    assert {frozenset(languages_of(text)) for text in sides[0].queries} == {frozenset({"en"})}
    assert "en>" in format_batch(sides[0].batch, sides.table)


def test_several_languages_of_pairs(steps: Plan, lexicons: list[str]) -> None:
    """Of German and English pairs both are switched: German ones by the lexicon the other way round, and through English."""
    table = pair_table("de", "en")
    every = steps(table, switch_probability=1.0)
    sources = {every[step].batch.language for step in range(30)}
    assert sources == {"de", "en"}
    german = next(every[step] for step in range(30) if every[step].batch.language == "de")
    assert german.batch.rewrite is not None
    assert german.batch.rewrite.languages == ("en", "fr", "tr")
    assert not any("de" in text for text in german.queries)
    notes = every._plan.notes(table)
    # six words of seven: `is` has no entry
    assert "de -> fr (through en): 86% of the words of 40 queries and passages have an entry" in notes
    assert "en -> de (direct)" in " ".join(notes)
    with pytest.raises(InputError, match="strategy 'code-switch': no lexicon leads from 'sw' to 'de'"):
        steps(pair_table("sw", "en"))
    table = pair_table("sw", "en")
    english = steps(table, language_weights={"en": 1})
    assert english[0].batch.language == "en"
    assert {note.partition(" ")[0] for note in english._plan.notes(table)} == {"en"}, "nothing of what is not drawn"


def test_labels_tell_settings_apart(lexicons: list[str]) -> None:
    def label(**more: Any) -> str:
        return PlanSettings(strategy="code-switch", lexicon=lexicons[:1], **more).strategy.label

    assert label() == "code-switch bilingual 0.5 en-de"
    more = [
        {"switch_probability": 0.25},
        {"switch_sides": "queries"},
        {"switch_languages": ["de"]},
        {"switch_mode": "titles"},
    ]
    assert len({label(), label(switch_translations=1), *(label(**given) for given in more)}) == 6


def test_the_command_shows_what_is_trained_on(
    lexicons: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = tmp_path / "pairs.jsonl"
    fields = ("id", "lang", "query", "passage")
    table = pair_table()
    pairs.write_text("".join(json.dumps({key: row[key] for key in fields}) + "\n" for row in table.table.to_pylist()))
    command = ["plan", "--pairs", str(pairs), "--strategy", "code-switch", "--lexicon", *lexicons, "--batch-size", "8"]
    assert main(command) == 0
    shown = capsys.readouterr()
    assert "en>de: " in shown.out
    assert "pairs of switched texts, by the languages that they go into" in shown.out
    assert "code-switch: en -> tr (direct): 86% of the words" in shown.err
    assert main([*command, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["composition"]["switched_pairs"].keys() == {"de", "fr", "tr"}
    assert {lang for batch in report["batches"] for lang in batch["query_languages"]} == {"en>de", "en>fr", "en>tr"}
    assert main(["plan", "--pairs", str(pairs), "--strategy", "code-switch"]) == 2
    assert "setting 'lexicon' is missing" in capsys.readouterr().err
