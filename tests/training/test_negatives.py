"""Training with negatives: their token ids are stored, their texts recorded, what they come from decides the run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoglot.data.audit.trained import read_trained, text_hash
from isoglot.data.pairs.table import PairTable
from isoglot.errors import InputError
from isoglot.models.load import load_model
from isoglot.records import PairRow
from isoglot.study.read_spec import parse_spec
from isoglot.study.runs import data_with_documents, runs_of, stages_of, weights_digests
from isoglot.training import tokens
from isoglot.training.settings import TrainSettings
from isoglot.training.train import train
from tests.study.test_spec import plain
from tests.training.test_tokens import assert_like_preprocess, dataset
from tests.training.test_train import losses, settings
from tests.training.tiny import pair_rows

ABROAD = {"name": "document", "number": 2, "other_languages": 0.5}


def rows_with_documents() -> list[PairRow]:
    return [
        replace(
            row,
            document_id=str(int(row.id) // 4),
            document_passages=(f"{row.lang}{row.id} {row.lang}58", f"{row.lang}57"),
        )
        for row in pair_rows(24)
    ]


@pytest.mark.parametrize("asked", [1, "document", ABROAD])
def test_token_ids_are_stored_and_are_those_of_preprocess(
    asked: Any, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("IN_MEMORY", 0), ("SEGMENT", 10)):
        monkeypatch.setattr(tokens, name, value)
    rows = [replace(row, negatives=("de1", "en2 en3", "zh5")) for row in rows_with_documents()]
    model = load_model(str(base), device="cpu")
    for rank in (0, 1):
        steps = dataset(PairTable.from_rows(rows), negatives=asked, rank=rank, world=2)
        assert any(item.negatives for item in steps)
        assert_like_preprocess(model, steps, tmp_path / "cache")
    # other documents, other numbers: their token ids lie elsewhere
    rows = [replace(row, document_id=row.id) for row in rows]
    assert_like_preprocess(model, dataset(PairTable.from_rows(rows), negatives=asked), tmp_path / "cache")


def test_a_run_with_documents(base: Path, tmp_path: Path) -> None:
    rows = rows_with_documents()
    table = PairTable.from_rows(rows)
    asked = settings(base, tmp_path / "run", steps=3, negatives=ABROAD)
    train(asked, table=table, show=False)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["asked"]["negatives"] == ABROAD
    assert TrainSettings(**record["asked"]).negatives == asked.negatives
    assert record["data"]["documents"] == table.document_digest
    trained = read_trained(tmp_path / "run" / "model")
    assert trained is not None
    known = [text_hash(text) for row in rows for text in row.document_passages]
    assert np.isin(np.array(known, dtype=np.uint64), trained.sides["passages"].hashes).all()

    plain_run = settings(base, tmp_path / "plain", steps=3)
    train(plain_run, table=table, show=False)
    assert losses(tmp_path / "plain")[0] < losses(tmp_path / "run")[0], "more candidates, larger loss"
    record = json.loads((tmp_path / "plain" / "run.json").read_text())
    assert (record["asked"]["negatives"], "documents" in record["data"]) == (1, False)


def test_a_run_on_other_documents_is_not_resumed(base: Path, tmp_path: Path) -> None:
    from tests.training.crash import train_until

    rows = rows_with_documents()
    asked = settings(base, tmp_path / "run", steps=4, save_steps=2, negatives="document")
    train_until(2, asked, PairTable.from_rows(rows))
    rows[0] = replace(rows[0], document_id="another")
    with pytest.raises(InputError, match=r"the data changed since this run began \(documents\)"):
        train(asked, table=PairTable.from_rows(rows), resume=True, show=False)
    bare = PairTable.from_rows([replace(row, document_id=None, document_passages=()) for row in rows])
    new = settings(base, tmp_path / "new", steps=4, negatives="document")
    with pytest.raises(InputError, match="needs pairs with documents"):
        train(new, table=bare, show=False)
    assert not (tmp_path / "new" / "run.json").exists(), "nothing is written before"


def test_documents_decide_what_a_study_trains_where_they_are_drawn_from() -> None:
    more = {"strategy": "mono", "tuning": "full"}
    usual = parse_spec(plain(**more), "x")
    systems = {"hard": [{"train": {**more, "negatives": "document"}}]}
    spec = parse_spec(plain(**more, systems=systems), "x")
    assert data_with_documents(usual) == set()
    assert data_with_documents(spec) == {spec.data[0].name}
    stages = {run.system.name: stages_of(spec, run, {}) for run in runs_of(spec) if run.data}
    ends = {
        name: [weights_digests(stage, "base", "pairs", documents)[-1] for documents in ("one", "other")]
        for name, stage in stages.items()
    }
    assert ends.keys() == {"mono-full", "hard"}
    assert len(set(ends["mono-full"])) == 1
    assert len({*ends["hard"], *ends["mono-full"]}) == 3


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["negatives=2"], 2),
        (["negatives=document"], {"name": "document", "number": 1, "other_languages": 0.0}),
        (["negatives={name: document, number: 2, other_languages: .5}"], ABROAD),
        (["negatives=document", "negatives.number=2", "negatives.other_languages=.5"], ABROAD),
        (["negatives.number=3"], 3),
        (
            ["negatives=2", "negatives.other_languages=.5"],
            "'negatives' is given as 2, and 'negatives.other_languages' as well",
        ),
        (["negatives=dokument"], "unknown kind of negatives 'dokument' .did you mean 'document'"),
        (["negatives=-1"], "negatives.number must not be negative, got -1"),
        (["negatives={name: document, nmber: 2}"], "did you mean 'negatives.number'"),
    ],
)
def test_how_negatives_are_asked_for(words: list[str], expected: Any) -> None:
    from isoglot.settings import build
    from isoglot.yaml_input import read_words

    def asked() -> Any:
        values = read_words(words, TrainSettings.reads)
        return build(TrainSettings, [("", {"pairs": "x", "output": "y"}), ("word", values)]).to_flat()["negatives"]

    if isinstance(expected, str):
        with pytest.raises(InputError, match=expected):
            asked()
    else:
        assert asked() == expected
