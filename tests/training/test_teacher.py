"""Teachers: which text of a pair they read, that they are frozen, and that a run keeps to the one it began with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from isoglot.batching.plan import BatchPlan, PlanSettings
from isoglot.batching.sampler import PlanDataset
from isoglot.batching.strategies.mono import Mono
from isoglot.data.pairs.table import PairTable
from isoglot.errors import InputError
from isoglot.models.content import content_of
from isoglot.models.load import load_model
from isoglot.models.tunings.lora import Lora
from isoglot.retrieval.stored import StoredVectors
from isoglot.training import teacher as module
from isoglot.training.settings import TrainSettings
from isoglot.training.teacher import Marker, used_pairs
from isoglot.training.train import train
from tests.training.crash import train_until
from tests.training.tiny import pair_rows, pair_table, tiny_base


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOGLOT_CACHE", str(tmp_path / "cache"))


def settings(base: Path, output: Any, **more: Any) -> TrainSettings:
    given = {"pairs": ("made",), "base": str(base), "output": str(output), "batch_size": 8, "steps": 4, "dropout": 0.0}
    loss = {"infonce": 1, "distill": 0.5}
    return TrainSettings(**{**given, "loss": loss, "strategy": "cross", "tuning": Lora(rank=4), **more})


def some_pairs() -> PairTable:
    """24 pairs; those with a number that 3 divides are not in English, those that 5 divides only in German."""
    rows = [row for row in pair_rows() if row.lang == "de" or int(row.id) % 5]
    return PairTable.from_rows([row for row in rows if row.lang != "en" or int(row.id) % 3])


@pytest.mark.parametrize("language", ["en", "best"])
def test_each_pair_is_read_in_its_pivot_language(
    base: Path, language: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = some_pairs()
    asked = settings(base, "run", teacher={"language": language}, query_prompt="ask: ")
    model = load_model(str(base), device="cpu")
    marker = Marker(asked, table, model, content_of(str(base)))
    plan = BatchPlan(table.index, PlanSettings(strategy=Mono(), batch_size=4))
    steps = PlanDataset(table, plan, 2)
    capsys.readouterr()
    marker.prepare([steps], show=False)
    used = used_pairs(steps).tolist()
    drawn = sorted({pair for step in range(2) for pair in plan[step].queries.pairs.tolist()})
    assert used == drawn, "what no step uses is not read"
    alone = load_model(str(base), device="cpu", query_prompt="ask: ")
    lacking = 0
    expected: dict[int, list[Any]] = {}
    for pair in used:
        rows = {lang: row for lang, row in zip(table.languages, table.index.rows[pair].tolist()) if row >= 0}
        read = {
            lang: [
                encode(table.column(name, np.array([row])), normalize_embeddings=True)[0].astype(np.float64)
                for name, encode in (("query", alone.encode_query), ("passage", alone.encode_document))
            ]
            for lang, row in rows.items()
        }
        lacking += "en" not in rows
        chosen = (
            "en" if language == "en" and "en" in rows else max(read, key=lambda lang: read[lang][0] @ read[lang][1])
        )
        expected[pair] = read[chosen]
    for step in range(2):
        features = marker(steps[step])
        for side, name in enumerate(("query", "passage")):
            pairs = (steps[step].batch.queries, steps[step].batch.passages)[side].pairs.tolist()
            given = features[f"{name}_teachers"]
            assert given.dtype == torch.float32
            assert not given.requires_grad
            assert np.abs(given.numpy() - [expected[pair][side] for pair in pairs]).max() < 1e-6
    said = f"{lacking} of {len(used)} pairs are not in 'en': the teacher reads them in the language in which"
    assert 0 < lacking < len(used)
    assert (said in capsys.readouterr().err) == (language == "en")
    unused = next(pair for pair in range(table.index.n_pairs) if pair not in used)
    with pytest.raises(KeyError, match="has not read"):
        marker._vectors[steps].take("query", np.array([unused]))
    # a second run reads what the first one has stored
    monkeypatch.setattr("isoglot.retrieval.store.encode_texts", None)
    again = Marker(asked, table, model, content_of(str(base)))
    again.prepare([steps])
    assert torch.equal(again(steps[1])["passage_teachers"], marker(steps[1])["passage_teachers"])


def test_a_step_knows_its_languages(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = settings(base, "run", loss={"infonce": 1, "rankings": 1})
    table, without = pair_table(), pair_table(languages=("de", "zh"))
    marker = Marker(asked, table, load_model(str(base), device="cpu"), {})
    assert marker.about == {}
    datasets = [PlanDataset(t, BatchPlan(t.index, asked.plan), 1) for t in (table, without)]
    capsys.readouterr()
    marker.prepare(datasets)
    said = "isoglot: no pair (languages de, zh) is in the pivot language 'en': terms that look for it do without\n"
    assert capsys.readouterr().err == said
    for steps, pivot in zip(datasets, (1, -1)):
        features, batch = marker(steps[0]), steps[0].batch
        assert features["query_pivot"] == pivot
        assert features["query_languages"].tolist() == batch.queries.languages.tolist()
        assert features["passage_languages"].tolist() == batch.passages.languages.tolist()
        assert len(features) == 3


def losses(run: Path) -> list[float]:
    lines = [json.loads(text) for text in (run / "log.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def test_before_its_first_step_the_base_is_its_own_teacher(base: Path, tmp_path: Path) -> None:
    """Whatever the run does to prompts: in the pivot language nothing is to be learnt, and much is after a few steps."""
    for loss in ({"distill": 1}, {"pivot": 1}):
        run, more = tmp_path / next(iter(loss)), {"query_prompt": "ask: ", "learning_rate": 1e-2, "warmup": 0}
        asked = settings(base, run, loss=loss, languages=("en",), strategy="mono", tuning="full", **more)
        train(asked, table=pair_table(languages=("en",)), show=False)
        assert abs(losses(run)[0]) < 1e-5
        train(asked.replace(output=f"{run}-cross", languages=(), strategy="cross"), table=pair_table(), show=False)
        assert losses(Path(f"{run}-cross"))[0] > 0.01


def test_no_teacher_is_loaded_where_no_term_needs_one(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "load_model", None)
    loss = {"infonce": 1, "queries": 1, "passages": 1, "rankings": 1, "reverse": 1}
    asked = settings(base, tmp_path / "run", loss=loss, strategy="multiway", validation_share=0.4, eval_steps=2)
    train(asked, table=pair_table(), show=False)
    assert "teacher" not in json.loads((tmp_path / "run" / "run.json").read_text())
    with pytest.raises(TypeError):
        train(asked.replace(output=str(tmp_path / "two"), loss={"distill": 1}), table=pair_table(), show=False)
    assert not (tmp_path / "two" / "run.json").exists()


def test_a_run_goes_on_with_the_teacher_it_began_with(base: Path, tmp_path: Path) -> None:
    teacher = tiny_base(tmp_path / "teacher", seed=3)
    asked = settings(
        base, tmp_path / "whole", loss={"infonce": 1, "distill": 1, "pivot": 1}, teacher={"model": str(teacher)},
        save_steps=2, validation_share=0.4, eval_steps=2,
    )  # fmt: skip
    train(asked, table=pair_table(), show=False)
    record = json.loads((tmp_path / "whole" / "run.json").read_text())
    assert record["teacher"] == {"name": str(teacher), "language": "en", **content_of(str(teacher))}
    broken = asked.replace(output=str(tmp_path / "broken"))
    train_until(3, broken, pair_table())
    with pytest.raises(InputError, match="cannot resume with other settings"):
        train(broken.replace(teacher={"model": str(base)}), table=pair_table(), resume=True, show=False)
    shutil.move(teacher, tmp_path / "kept")
    tiny_base(teacher, seed=4)
    before = asked.deciding()
    with pytest.raises(InputError, match=r"the teacher changed since this run began \(digest\)"):
        train(broken, table=pair_table(), resume=True, show=False)
    shutil.rmtree(teacher)
    shutil.move(tmp_path / "kept", teacher)
    assert asked.deciding() != before, "studies know a teacher by content"
    train(broken, table=pair_table(), resume=True, show=False)
    assert losses(tmp_path / "broken") == losses(tmp_path / "whole")
    one, two = ((tmp_path / name / "model" / "model.safetensors").read_bytes() for name in ("whole", "broken"))
    assert one == two
    with pytest.raises(InputError, match=r"the teacher .* lies there, or it lies in the teacher"):
        train(asked.replace(output=str(teacher / "run")), table=pair_table(), show=False)


def test_a_teacher_of_another_width(base: Path, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    teacher = SentenceTransformer(str(base), device="cpu", truncate_dim=16)
    teacher.save_pretrained(str(tmp_path / "teacher"))
    asked = settings(base, tmp_path / "run", teacher={"model": str(tmp_path / "teacher")}, loss={"distill": 1})
    assert train(asked, table=pair_table(), show=False).complete
    with pytest.raises(InputError, match="loss term pivot: the teacher's vectors have 16 dimensions, the model's 32"):
        train(asked.replace(output=str(tmp_path / "two"), loss={"pivot": 1}), table=pair_table(), show=False)
    assert not (tmp_path / "two" / "run.json").exists()


@pytest.mark.parametrize("apart", [False, True])
def test_stored_vectors_teach_as_the_model_that_made_them(base: Path, tmp_path: Path, apart: bool) -> None:
    """With a kind, where the model has other vectors for a text as a query than as a passage; in any order."""
    model, table = load_model(str(base), query_prompt="q: " if apart else "", device="cpu"), pair_table()
    rows: list[dict[str, Any]] = []
    for kind, encode in (("query", model.encode_query), ("passage", model.encode_document)):
        texts = sorted(set(table.column(kind, np.arange(len(table)))), reverse=True)
        rows += [
            {"text": text, "vector": (3 * vector).tolist(), "kind": kind} for text, vector in zip(texts, encode(texts))
        ]
    if not apart:
        rows = [{"text": row["text"], "vector": row["vector"]} for row in {row["text"]: row for row in rows}.values()]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "v.parquet")
    asked = settings(base, tmp_path / "model", loss={"distill": 1, "pivot": 1}, query_prompt="q: " if apart else "")
    train(asked, table=table, show=False)
    stored = asked.replace(output=str(tmp_path / "stored"), teacher={"model": str(tmp_path / "v.parquet")})
    train(stored, table=table, show=False)
    assert losses(tmp_path / "stored") == pytest.approx(losses(tmp_path / "model"), rel=1e-4)
    assert asked.deciding() != stored.deciding()
    del rows[len(rows) // 2 :]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "v.parquet")
    with pytest.raises(InputError, match=r"v.parquet: no vector of the (query|passage) .*\(\d+ of "):
        train(stored.replace(output=str(tmp_path / "lacking")), table=table, show=False)
    assert not (tmp_path / "lacking" / "run.json").exists()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"text": "a"}], "no column vector"),
        ([{"text": "a", "vector": [1.0]}, {"text": "b", "vector": [1.0, 2.0]}], "vectors of 1, 2 numbers"),
        ([{"text": "a", "vector": [1.0, 0.0]}, {"text": "b", "vector": [0.0, 0.0]}], "vector of row 2 is 0"),
        ([{"text": "a", "vector": [1.0, float("nan")]}], "vector of row 1 .* no finite number"),
        ([{"text": "a", "vector": [1.0, None]}], "with 1 gaps"),
        ([{"text": "a", "vector": "1 0"}], "holds string"),
        ([{"text": "a", "vector": None}, {"text": "b", "vector": [1.0]}], "vectors of 1, None numbers"),
        ([{"text": "a", "vector": [1.0]}, {"text": "a", "vector": [2.0]}], "a text is there twice"),
        ([{"text": "a", "vector": [1.0], "kind": "document"}], "kind 'document'; expected query or passage"),
    ],
)
def test_stored_vectors_that_are_none(tmp_path: Path, rows: list[dict[str, Any]], message: str) -> None:
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "v.parquet")
    with pytest.raises(InputError, match=message):
        StoredVectors(tmp_path / "v.parquet")
