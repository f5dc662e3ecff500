"""Training from packed pairs is training from the same pairs in memory."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.packed import PackedTable
from isoglot.data.pairs.packing import pack_pairs
from isoglot.training.train import train
from tests.training.test_train import losses, settings, weights
from tests.training.tiny import pair_rows


def test_packed_pairs_train_the_same_model(base: Path, tmp_path: Path) -> None:
    source = tmp_path / "made.jsonl"
    rows = pair_rows(negatives=True)
    source.write_text("".join(json.dumps(vars(row)) + "\n" for row in rows), encoding="utf-8")
    pack_pairs([source], tmp_path / "packed")
    assert isinstance(load_pairs(tmp_path / "packed"), PackedTable)
    runs = {}
    for name, pairs in (("memory", source), ("mapped", tmp_path / "packed")):
        runs[name] = tmp_path / name
        asked = settings(base, runs[name], pairs=(str(pairs),), negatives=2, steps=8, validation=(str(pairs),))
        train(asked, show=False)
    assert losses(runs["memory"]) == losses(runs["mapped"])
    one, two = (weights(run) for run in runs.values())
    assert all(np.array_equal(one[key], two[key]) for key in one)
    records = [json.loads((run / "run.json").read_text()) for run in runs.values()]
    assert records[0]["data"] == records[1]["data"]
    assert records[0]["validation"] == records[1]["validation"]


def test_a_share_of_packed_pairs_validates(base: Path, tmp_path: Path) -> None:
    source = tmp_path / "made.jsonl"
    source.write_text("".join(json.dumps(vars(row)) + "\n" for row in pair_rows(60)), encoding="utf-8")
    pack_pairs([source], tmp_path / "packed")
    asked = settings(base, tmp_path / "run", pairs=(str(tmp_path / "packed"),), validation_share=0.3, steps=4)
    assert train(asked, show=False).complete
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (record["data"]["pairs"], record["validation"]["pairs"]) == (42, 18)
