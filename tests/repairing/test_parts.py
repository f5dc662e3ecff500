"""Pairs that are held out, the length of the training, questions before and after."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.pair_benchmark import make_pair_benchmark
from isoglot.data.pairs.loading import load_pairs
from isoglot.data.sameness import text_key
from isoglot.errors import InputError
from isoglot.files import write_json
from isoglot.one_writer import LOCK
from isoglot.repairing import length
from isoglot.repairing.examples import View, compare_views
from isoglot.repairing.folder import RepairFolder
from isoglot.repairing.pairs import content_of_sources, is_documents, prepare_pairs
from isoglot.repairing.settings import RepairSettings
from tests.training.tiny import pair_rows, pair_table

FIELDS = ("id", "lang", "query", "passage")


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def made(n: int = 24) -> list[dict[str, Any]]:
    return [{key: getattr(row, key) for key in FIELDS} for row in pair_rows(n)]


def prepare(tmp_path: Path, source: str, **asked: Any) -> dict[str, Any]:
    folder = RepairFolder(tmp_path / "out")
    folder.work.mkdir(parents=True, exist_ok=True)
    return prepare_pairs([source], folder, RepairSettings(clean=False, **asked), None, show=False)


def test_no_text_that_is_measured_on_is_trained_on(tmp_path: Path) -> None:
    rows = made()
    for row in rows[::5]:
        row["query"] = f"{row['lang']}1 the same question"
    facts = prepare(tmp_path, write(tmp_path / "pairs.jsonl", rows), holdout=".3")
    held, rest = load_benchmark(tmp_path / "out" / "held-out"), load_pairs(tmp_path / "out" / "work" / "pairs.jsonl")
    every = np.arange(len(rest))
    trained = {(lang, text_key(text)) for lang, text in zip(rest.column("lang", every), rest.column("query", every))}
    measured = {(lang, text_key(text)) for lang, _, text in held.pooled_queries()}
    assert measured
    assert not measured & trained
    assert facts["pairs"]["benchmark"] + facts["pairs"]["rest"] == facts["pairs"]["read"] == 24
    assert facts["pairs"]["benchmark"] > 1


def test_no_more_pairs_are_held_out_than_are_needed(tmp_path: Path) -> None:
    facts = prepare(tmp_path, write(tmp_path / "pairs.jsonl", made(60)), holdout=0.5, most_held_out=6)
    assert 2 <= facts["pairs"]["benchmark"] <= 10


def write_documents(tmp_path: Path, number_of: int, sections: int) -> str:
    for number in range(number_of):
        for lang, words in (("en", "about the thing that is"), ("de", "über die Sache, die so ist")):
            path = tmp_path / "docs" / lang / f"page{number}.md"
            path.parent.mkdir(parents=True, exist_ok=True)
            parts = [
                f"## {lang} {number} {part}\n\n{words} number {number} and {part} here\n" for part in range(sections)
            ]
            path.write_text(f"# Page {number}\n\n" + "\n".join(parts), encoding="utf-8")
    return str(tmp_path / "docs" / "{lang}" / "*.md")


def test_documents_are_held_out_whole(tmp_path: Path) -> None:
    pattern = write_documents(tmp_path, 8, 3)
    assert is_documents(pattern)
    assert content_of_sources([pattern]).keys() == {pattern}
    facts = prepare(tmp_path, pattern, holdout=0.25)
    rest = load_pairs(tmp_path / "out" / "work" / "pairs.jsonl")
    documents = set(rest.table.column("document_id").to_pylist())
    assert facts["whole_documents"]
    assert len(documents) == 6
    assert facts["groups"] == 2


def test_of_one_document_sections_are_held_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = prepare(tmp_path, write_documents(tmp_path, 1, 20))
    assert not facts["whole_documents"]
    assert (facts["pairs"]["benchmark"], facts["pairs"]["rest"]) == (2, 18)
    assert "all pairs are of one document" in capsys.readouterr().err


def test_a_table_of_wide_columns_is_no_pattern_of_documents() -> None:
    assert not is_documents("table:faq.csv?query=question_{lang}&passage=answer_{lang}")
    assert not is_documents("facts:")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: [row for row in rows if row["lang"] == "de"], "no pair is there in two languages"),
        (lambda rows: [{**row, "passage": row["query"]} for row in rows], "plain bitext"),
        (lambda rows: rows[:6], "too few"),
        (lambda rows: [*rows[:7], {"id": "x"}], "pairs.jsonl:8: "),
    ],
)
def test_pairs_that_cannot_be_used_are_refused(change: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        prepare(tmp_path, write(tmp_path / "pairs.jsonl", change(made())))
    with pytest.raises(InputError, match="no pairs in fr"):
        prepare(tmp_path, write(tmp_path / "pairs.jsonl", made()), languages=("fr",))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"recipe": "isoglott"}, "did you mean 'isoglot'"),
        ({"compare": "isoglot"}, "that is the recipe itself"),
        ({"examples": "th-de"}, "question:answer"),
        ({"train": {"base": "x"}}, "sets that itself"),
        ({"holdout": "110%"}, "below 1"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        RepairSettings(**values)


def test_a_repair_that_is_begun_again_finds_no_results_of_the_last_one(tmp_path: Path) -> None:
    """Also where what is large lies on another disk, behind a link."""
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    (elsewhere / "base").mkdir(parents=True)
    (out / "work" / "runs").mkdir(parents=True)
    (out / "results").symlink_to(elsewhere, target_is_directory=True)
    write_json(out / "repair.json", {"asked": {}, "stages": {"pairs": {}}})
    with RepairFolder(out).opened({}, "base", overwrite=True):
        assert {path.name for path in out.iterdir()} == {"repair.json", LOCK}
    assert (elsewhere / "base").is_dir()


def fake_training(seconds: float, warm: float) -> Any:
    """A training whose first four steps take `warm` seconds each and all later ones `seconds`."""

    def train(settings: Any, **_: Any) -> Any:
        run = Path(settings.output)
        run.mkdir(parents=True)
        took = np.cumsum([warm] * 4 + [seconds] * (settings.steps - 4))
        lines = [{"step": number + 1, "loss": 1.0, "seconds": end} for number, end in enumerate(took.tolist())]
        write(run / "log.jsonl", lines)
        (run / "run.json").write_text("{}")
        return SimpleNamespace(complete=True)

    return train


@pytest.mark.parametrize(
    ("asked", "steps", "why"),
    [
        ({"minutes": 1}, 29, "2.00 s a step"),
        ({"minutes": 1, "passes": 2}, 12, "2 passes over the pairs are enough"),
        ({"minutes": 0.1}, 10, "of no use"),
        ({"minutes": 1, "passes": 0.5}, 10, "fewer than 10 are of no use"),
        ({"steps": 7}, 7, "as asked for"),
    ],
)
def test_the_length_follows_from_the_rate_of_the_first_steps(
    asked: dict[str, Any], steps: int, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(length, "train", fake_training(2.0, 50.0))
    pairs = Path(write(tmp_path / "pairs.jsonl", made()))
    settings = RepairSettings(train={"batch_size": 4}, **asked)
    found = length.plan_training("base", pairs, tmp_path / "timing", settings, 100.0, show=False)
    assert found is not None
    assert (found["steps"], found["batch_size"]) == (steps, 4)
    assert why in found["why"]
    assert found["passes"] == round(steps * 4 / 24, 2)
    assert not (tmp_path / "timing").exists()


def test_batches_are_no_larger_than_the_pairs_allow(tmp_path: Path) -> None:
    pairs = Path(write(tmp_path / "pairs.jsonl", made()))
    found = length.plan_training("base", pairs, tmp_path / "timing", RepairSettings(steps=3), 100.0, show=False)
    assert found is not None
    assert found["batch_size"] == 16


def test_questions_are_counted_and_examples_chosen_by_what_rose() -> None:
    benchmark = make_pair_benchmark(pair_table(12), "made", "parallel")
    n_judged, n_queries = len(benchmark.relevant), benchmark.n_queries
    ranks = np.full(n_judged, 20)
    values = np.full(n_queries, 0.5)
    top = np.tile(np.arange(5), (n_queries, 1))
    before = View(ranks, values, top)
    after_ranks, after_values = ranks.copy(), values.copy()
    query = np.repeat(np.arange(n_queries), np.diff(benchmark.indptr))
    # the answer in Chinese of the first German question, in English of the second, and what is lost of a Chinese one
    rose, also, fell = 2, 4, n_judged - 3
    after_ranks[[rose, also, fell]] = 1, 3, 40
    after_values[query[[rose, also]]] = 0.9
    after_values[query[fell]] = 0.1
    found = compare_views(benchmark, before, View(after_ranks, after_values, top), ("de:en", "en:zh"), shown=1)
    assert found["questions"] == {"all": n_queries, "rose": 2, "fell": 1, "same": n_queries - 3}
    assert (found["answers"]["before"], found["answers"]["after"]) == (0, 2)
    assert found["not_shown"] == ["en:zh"]
    shown, lost = found["examples"]
    assert (shown["language"], shown["answer"]["language"]) == ("de", "en")
    assert (shown["answer"]["before"], shown["answer"]["after"]) == (20, 3)
    assert shown["rose"]
    assert not lost["rose"]
    assert lost["language"] == "zh"
    relevant = set(benchmark.relevant[query == query[also]].tolist())
    assert [own["right"] for own in shown["after"]] == [number in relevant for number in range(5)]
    assert shown["english"] == next(t for lang, key, t in benchmark.pooled_queries() if (lang, key) == ("en", "1"))
