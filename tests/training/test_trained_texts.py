"""What a model was trained on is written beside it, and said wherever it is measured on that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isoglot.batching.plan import PlanSettings
from isoglot.data.audit import trained as module
from isoglot.data.audit.trained import FILE, Sample, TrainedTexts, read_trained, text_hash, trained_of
from isoglot.data.benchmarks.catalog import BENCHMARKS
from isoglot.data.benchmarks.qrels import Judgments, make_benchmark
from isoglot.data.pairs.table import PairTable
from isoglot.errors import InputError
from isoglot.evaluation import leak as module_of_leaks
from isoglot.evaluation.compare import compare
from isoglot.evaluation.evaluate import evaluate
from isoglot.evaluation.leak import leak_notes, leak_of
from isoglot.evaluation.matching import load_systems
from isoglot.models.load import load_model
from isoglot.models.resolve import Base
from isoglot.records import Benchmark, PairRow, Texts
from isoglot.training.average import average_weights
from isoglot.training.settings import TrainSettings
from isoglot.training.train import train

N = 24


def rows(first: int, upper: bool = False) -> list[PairRow]:
    """Pairs whose texts are long enough to be no coincidence; `upper`: with other white space, the same texts."""
    gap = "\u00a0 " if upper else " "
    words = [
        (f"what is thing number en{n}, of them all?", f"thing number en{n} is one of very many things")
        for n in range(first, first + N)
    ]
    return [
        PairRow("s", f"{n:024d}", lang, f"{lang} {q}".replace(" ", gap), f"{lang} {p}".replace(" ", gap))
        for n, (q, p) in enumerate(words, start=first)
        for lang in ("de", "en")
    ]


def benchmark_of(pairs: list[PairRow], name: str = "own") -> Benchmark:
    sides = [
        {
            lang: Texts([r.id for r in pairs if r.lang == lang], [getattr(r, side) for r in pairs if r.lang == lang])
            for lang in ("de", "en")
        }
        for side in ("query", "passage")
    ]
    numbers = np.arange(len(pairs))
    return make_benchmark(name, *sides, Judgments(numbers, numbers, np.ones(len(pairs))))


@pytest.fixture(scope="module")
def run(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("trained") / "run"
    plan = PlanSettings(strategy="cross", batch_size=8)
    settings = TrainSettings(
        pairs=("own",), base=str(base), output=str(output), plan=plan, steps=12, tuning={"name": "lora", "rank": 2}
    )
    train(settings, table=PairTable.from_rows(rows(0)), show=False)
    return output


def test_training_pairs_used_as_the_benchmark_are_said_everywhere(run: Path, base: Path, tmp_path: Path) -> None:
    measured = benchmark_of(rows(N // 2, upper=True))  # the first half was trained on
    model = load_model(str(run), device="cpu")
    result = evaluate(model, measured, output=tmp_path / "after", progress=False)
    half = {"shared": N, "of": 2 * N}
    assert result.summary["leak"] == {
        "queries": half,
        "passages": half,
        "ids": {"shared": N // 2, "of": N},
        "known": [],
    }
    shared = f"{N} of {2 * N} questions, {N} of {2 * N} answer passages, {N // 2} of {N} question ids"
    line = f"not zero-shot: the model was trained or fitted on {shared} of this benchmark"
    assert str(result).splitlines()[-1] == f"note: {line}"
    foreign = evaluate(load_model(str(base), device="cpu"), measured, output=tmp_path / "before", progress=False)
    assert "leak" not in foreign.summary
    shown = str(compare(load_systems([str(tmp_path / "before"), str(tmp_path / "after")]), resamples=99))
    assert shown.splitlines()[-1] == f"note: after: {line}"


def test_a_clean_benchmark_is_said_to_be_clean(run: Path) -> None:
    leak = leak_of(load_model(str(run / "adapter"), device="cpu"), benchmark_of(rows(2 * N)))
    assert leak is not None
    assert [leak[side]["shared"] for side in ("queries", "passages", "ids")] == [0, 0, 0]


def test_short_questions_count_with_their_answers() -> None:
    """A short text is in two places by chance; a question with its answer is not."""
    short = [PairRow("s", str(n), "de", f"Wer {n}?", "Ich" if n % 2 else "Du") for n in range(6)]
    pairs = PairTable.from_rows(short[:4])
    record = TrainedTexts.of(pairs, np.arange(4), np.arange(4))
    numbers = np.arange(6)
    texts = {"de": Texts([row.id for row in short], [row.query for row in short])}
    corpus = {"de": Texts([row.id for row in short], [f"{row.passage}" for row in short])}
    measured = make_benchmark("own", texts, corpus, Judgments(numbers, numbers, np.ones(6)))
    found = module_of_leaks._pairs(record, measured)
    assert (found.shared, found.of) == (4, 6)
    leak = {"queries": {"shared": 0, "of": 0}, "pairs": found._asdict(), "known": []}
    shown = "not zero-shot: the model was trained or fitted on 4 of 6 questions with their answers of this benchmark"
    assert leak_notes(leak) == [shown]


def test_models_made_from_it_keep_the_record(run: Path, base: Path, tmp_path: Path) -> None:
    average_weights([str(run), str(base)], [0.5, 0.5], tmp_path / "average", alike=False)
    own, kept = read_trained(run / "model"), read_trained(tmp_path / "average")
    assert own is not None
    assert kept is not None
    assert {side: sample.hashes.tolist() for side, sample in own.sides.items()} == {
        side: sample.hashes.tolist() for side, sample in kept.sides.items()
    }


def test_the_same_texts_give_the_same_file_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    table, every = PairTable.from_rows(rows(0)), np.arange(2 * N)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        TrainedTexts.of(table, every, every).save(tmp_path / name)
    data = (tmp_path / "a" / FILE).read_bytes()
    assert data == (tmp_path / "b" / FILE).read_bytes()
    (tmp_path / "b" / FILE).write_bytes(data[:-9])
    with pytest.raises(InputError, match=f"{FILE}: not what isoglot wrote there"):
        read_trained(tmp_path / "b")


def test_of_more_texts_than_are_kept_a_fair_sample_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 500)
    trained = [text_hash(f"text {n}") for n in range(4000)]
    parts = [Sample.of(trained[start::4]) for start in range(4)]
    sample = parts[0] | parts[1] | parts[2] | parts[3]
    assert sample.hashes.tolist() == sorted(trained)[:500]
    seen = sample.seen(text_hash(f"text {n}") for n in range(2000, 6000))  # half of these were trained on
    assert 300 < seen.of < 700
    assert abs(seen.shared / seen.of - 0.5) < 0.08


@pytest.mark.parametrize(
    ("name", "benchmark", "said"),
    [
        ("intfloat/multilingual-e5-base", "xquad-r", True),
        ("intfloat/multilingual-e5-base", "mlqa-r", False),
        ("sentence-transformers/LaBSE", "xquad-r", False),
    ],
)
def test_what_authors_say_of_published_models_is_said(name: str, benchmark: str, said: bool, tmp_path: Path) -> None:
    class Model:
        loaded_from = Base(name, name, "hub", name)

    # whatever a folder is called: its files say what they are
    texts, about = benchmark_of(rows(0), "../data"), BENCHMARKS[benchmark]
    for says in ({"name": benchmark}, {"source": about.source, "license": about.license}):
        assert (leak_of(Model(), replace(texts, about=says)) is not None) == said
    assert leak_of(Model(), texts) is None
    leak = leak_of(Model(), benchmark_of(rows(0), benchmark))
    assert (leak is not None) == said
    if leak:
        assert leak["known"][0].startswith("not zero-shot: multilingual-e5-base was trained on SQuAD's training split")
    # a model that was trained from it keeps the name; a folder of that name is nobody's
    (TrainedTexts({}) | trained_of(Model())).save(tmp_path)
    Model.loaded_from = Base(str(tmp_path), str(tmp_path), "sentence-transformers", str(tmp_path))
    assert (leak_of(Model(), benchmark_of(rows(0), benchmark)) is not None) == said
    Model.loaded_from = Base(f"runs/{name}", f"runs/{name}", "sentence-transformers", f"runs/{name}")
    assert leak_of(Model(), benchmark_of(rows(0), benchmark)) is None
