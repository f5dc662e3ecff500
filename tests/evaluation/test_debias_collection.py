"""An index and `isoglot debias`: fitted on its documents, its vectors corrected; and the commands of `isoglot bias`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoglot.cli.main import main
from isoglot.evaluation import collection_repair, debias
from isoglot.evaluation.collection_bias import collection_bias
from isoglot.evaluation.collection_repair import repairs
from isoglot.evaluation.debias_collection import collection_texts
from isoglot.models.language_maps import read_record
from isoglot.retrieval.collection import Collection, Searcher, build
from isoglot.retrieval.collection.build import index
from tests.evaluation.made_index import small_facts
from tests.training.tiny import pair_rows, tiny_base

N = 60


def corpus(path: Path, more: Sequence[dict[str, Any]] = ()) -> str:
    """Translated documents with titles, in words that the tiny model knows."""
    rows = [
        {
            "id": f"{row.lang}-{row.id}",
            "lang": row.lang,
            "title": row.query,
            "text": f"{row.passage} {row.lang}{int(row.id) % 60} {row.query}",
            "translation": row.id,
        }
        for row in pair_rows(N)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, *more]), encoding="utf-8")
    return str(path)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a tiny model and an index of documents by it."""
    small_facts(monkeypatch)
    monkeypatch.chdir(tmp_path)
    tiny_base(tmp_path / "tiny")
    index("tiny", corpus(tmp_path / "corpus.jsonl", [{"id": "fr", "lang": "fr", "text": "de1 en2 zh3"}]), Path("ix"))
    return tmp_path


@pytest.fixture
def passages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Passages that are encoded for an index or a fit."""
    seen: list[str] = []
    for module in (build, debias):
        real = module.encode_texts

        def counted(model: Any, texts: Sequence[str], kind: Any, *args: Any, real: Any = real, **options: Any) -> Any:
            seen.extend(text for text in texts if kind == "passage" and text != "width")
            return real(model, texts, kind, *args, **options)

        monkeypatch.setattr(module, "encode_texts", counted)
    return seen


def vectors(path: str, name: str) -> Any:
    with Collection.open(path) as collection:
        return collection.vectors(name)[1].astype(np.float32)


@pytest.mark.parametrize("method", ["lsar", "centring"])
def test_corrected_vectors_are_those_that_encoding_gives(
    place: Path, method: str, passages: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    fit = ["debias", "tiny", "--fit", "ix", "--method", method, "--output", "fixed", "--device", "cpu"]
    assert main([*fit, "--languages", "de", "en", "zh"]) == 0
    assert "transductive: fitted on texts of ix" in capsys.readouterr().out
    assert passages == [], "the fit took the vectors of the index"
    record = read_record("fixed") or {}
    assert (record["fit"], record["transductive"], record["languages"]) == (["ix"], ["ix"], ["de", "en", "zh"])
    assert record["texts"] == 3 * N
    assert main(["debias", "fixed", "--embeddings", "ix", "--device", "cpu"]) == 0
    assert "181 vectors of 'tiny' corrected; 'tiny-debiased' is a model of it now" in capsys.readouterr().out
    assert passages == []
    index("fixed", str(place / "corpus.jsonl"), Path("anew"), progress=False)
    assert len(passages) == 181
    found, expected = vectors("ix", "tiny-debiased"), vectors("anew", "fixed")
    np.testing.assert_allclose((found * expected).sum(axis=1), 1, atol=1e-3)
    # the rounding to float16 is divided by what the correction leaves of a vector: little of these, which are much alike
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=3e-3)
    assert np.abs(found - vectors("ix", "tiny")).max() > 0.05, "they differ from those before"
    passages.clear()
    index(None, corpus(place / "corpus.jsonl"), Path("ix"), progress=False)
    assert passages == [], "nothing is left to encode"
    with (
        Collection.open("ix") as one,
        Collection.open("anew") as other,
        Searcher(one, "tiny-debiased") as mine,
        Searcher(other) as theirs,
    ):
        for fairness in ("raw", "standardised"):
            for query in ("de1 de2", "zh4 zh5 zh6"):
                answers = [own.search([query], 5, fairness=fairness, sentences=False)[0] for own in (mine, theirs)]
                assert [hit.score for hit in answers[0].hits] == pytest.approx(
                    [hit.score for hit in answers[1].hits], abs=2e-3
                )


def test_only_what_is_new_is_corrected_and_encoded(
    place: Path, passages: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["debias", "tiny", "--fit", "ix", "--output", "fixed", "--device", "cpu"]) == 0
    for expected in (181, 0):
        capsys.readouterr()
        assert main(["debias", "fixed", "--embeddings", "ix", "--name", "own", "--json"]) == 0
        done = json.loads(capsys.readouterr().out)["index"]
        assert done == {"path": "ix", "name": "own", "base": "tiny", "corrected": expected}
    with Collection.open("ix") as collection:
        assert list(collection.models) == ["tiny", "own"]
    new = {"id": "new", "lang": "de", "text": "de7 de8 de9"}
    index(None, corpus(place / "corpus.jsonl", [new]), Path("ix"), progress=False)
    assert passages == ["de7 de8 de9"] * 2


def test_the_first_chunks_of_translations_are_drawn_together(place: Path) -> None:
    few = collection_texts("ix", 10, seed=1)
    assert few.languages == ("de", "en", "fr", "zh")
    own = few.sides["passage"]
    assert own["de"].pairs.tolist() == own["en"].pairs.tolist() == own["zh"].pairs.tolist()
    assert len(own["de"].texts) == 10
    assert all(text.startswith("de") for text in own["de"].texts)
    assert not set(own["fr"].pairs.tolist()) & set(own["de"].pairs.tolist())
    assert collection_texts("ix", 10, seed=1).digest == few.digest != collection_texts("ix", 10, seed=2).digest


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["other-fixed", "--embeddings", "ix"], "was made of other, which is no model of ix (there: tiny (tiny))"),
        (["fixed", "--embeddings", "ix", "--name", "tiny"], "'tiny' is the name of tiny there; give fixed another"),
        (["fixed", "--embeddings", "ix", "--output", "x"], "--output: not for --embeddings INDEX"),
        (["fixed", "--embeddings", "ix", "--method", "lir"], "--method: not for --embeddings INDEX"),
        (["--embeddings", "ix"], "one index, and a MODEL that isoglot debias wrote"),
        (["fixed", "--embeddings", "ix", "ix"], "one index, and a MODEL"),
        (["tiny", "--embeddings", "ix"], "holds no debias.safetensors"),
        (["fixed", "--embeddings", "ix", "--name", "a/b"], "cannot be a model's name"),
        (["tiny", "--fit", "ix", "--strength", "auto", "--output", "x"], "strength auto needs pairs"),
        (["tiny", "--fit", "ix", "--languages", "de", "sv", "--output", "x"], "ix: no texts in sv"),
        (["tiny", "--fit", "ix"], "--output is missing"),
        (["tiny", "--fit", "ix", "--name", "x", "--output", "x"], "--name is that of a model in an index"),
    ],
)
def test_what_does_not_fit_is_refused(
    place: Path, words: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_base(place / "other", seed=1)
    for base, output in (("tiny", "fixed"), ("other", "other-fixed")):
        debias.debias(base, "ix", output, device="cpu", progress=False)
    with Collection.open("ix") as collection:
        before = collection.models
    capsys.readouterr()
    assert main(["debias", *words]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert problem in error
    with Collection.open("ix") as collection:
        assert collection.models == before
    assert not (place / "x").exists()


def test_the_commands_that_are_printed_run(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = collection_bias("ix", groups=12, progress=False, device="cpu")
    mixing, debiasing, training = (way["commands"] for way in repairs(record))
    assert [len(mixing), len(debiasing), len(training)] == [2, 3, 4]
    for command in [*mixing, *debiasing, training[0]]:
        program, *words = shlex.split(command)
        assert program == "isoglot"
        assert main(words) == 0, command
    printed = capsys.readouterr().out
    assert "tiny-debiased" in printed
    assert "note: tiny-debiased: was trained or fitted on 181 of 181" in printed
    assert "tiny-pairs.jsonl: 144 pairs of 48 groups of translations" in printed
    # names that are taken now are not proposed again
    again = [
        " ".join(way["commands"]) for way in repairs(collection_bias("ix", ["tiny"], progress=False, device="cpu"))
    ]
    assert "--output tiny-debiased-2" in again[1]
    assert "--pairs tiny-pairs-2.jsonl" in again[2]


@pytest.mark.slow
def test_the_training_that_is_printed_runs(place: Path) -> None:
    commands = repairs(collection_bias("ix", groups=12, progress=False, device="cpu"))[2]["commands"]
    for command in commands:
        assert main(shlex.split(command)[1:]) == 0, command
    with Collection.open("ix") as collection:
        assert list(collection.models) == ["tiny", "tiny-trained"]


def test_without_translations_facts_are_proposed_and_a_debiased_model_alone_is_encoded(place: Path) -> None:
    record: dict[str, Any] = collection_bias("ix", groups=12, progress=False, device="cpu")
    record["questions"]["to_train"] = {"groups": 0, "pairs": {}}
    record["questions"]["facts"] = ["de", "en"]
    assert "--pairs facts:de,en" in repairs(record)[2]["commands"][0]
    record["questions"]["facts"] = ["de"]
    assert repairs(record)[2]["commands"] == []
    record["index"]["models"] = {"fixed": "somewhere"}
    record["systems"][0] |= {"model": "fixed", "source": "somewhere", "base": "org/model"}
    _, debiasing, _ = repairs(record)
    assert debiasing["commands"][:2] == [
        "isoglot debias org/model --fit ix --output model-debiased",
        "isoglot index model-debiased --name model-debiased --output ix",
    ]


def test_training_leaves_most_groups_to_train_on(place: Path) -> None:
    with Collection.open("ix") as collection:
        assert collection_repair.to_train(collection, 300)["groups"] == N // 3
        plan = collection_repair.to_train(collection, 12)
    assert plan == {"groups": 12, "pairs": {"de": 48, "en": 48, "zh": 48}}
