"""Specs: what they may say, what is an error, and how they become cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from isoglot.errors import InputError
from isoglot.study.read_spec import load_spec, parse_spec
from isoglot.study.runs import cells_of, settings_of, train_digest


def plain(**more: Any) -> dict[str, Any]:
    return {
        "name": "s",
        "question": "Which?",
        "base": "org/some-model",
        "data": [{"name": "d", "pairs": "facts:"}],
        "benchmarks": ["faq"],
        "train": {"steps": 10, "per_tuning": {"full": {"batch_size": 8}}},
        **more,
    }


def write(path: Path, values: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(values))
    return path


def test_defaults_are_filled_in_and_a_spec_reads_back(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path / "s.yaml", plain()))
    assert spec.strategy == ("mono", "cross", "hybrid")
    assert spec.evaluate.measures == ("AP", "nDCG@10", "R@1", "R@10", "R@100")
    assert [(part.name, part.kind) for part in spec.tuning] == [("lora", "lora")]
    again = parse_spec(spec.to_json(), "again")
    assert again == spec
    assert again.digest == spec.digest
    assert parse_spec(plain(seeds=[0, 1]), "x").digest != spec.digest


def test_words_change_any_key(tmp_path: Path) -> None:
    path = write(tmp_path / "s.yaml", plain())
    words = ["train.steps=300", "seeds=[0,1,2]", "data.0.amount=0.5", "learning_rates.lora=[1e-4, 5e-4]", "base=a/b"]
    spec = load_spec(path, [*words, "evaluate.languages=[de, en]"])
    assert spec.train["steps"] == 300
    assert spec.seeds == (0, 1, 2)
    assert spec.data[0].amount == (0.5,)
    assert spec.learning_rates == {"lora": (1e-4, 5e-4)}
    assert spec.base == ("a/b",)
    assert spec.evaluate.languages == ("de", "en")
    with pytest.raises(InputError, match=r"--set data\.3\.amount: '3' is no place of a list of 1"):
        load_spec(path, ["data.3.amount=0.5"])
    with pytest.raises(InputError, match=r"s\.yaml with --set: unknown key 'seed' \(did you mean 'seeds'\?\)"):
        load_spec(path, ["seed=3"])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"strategies": ["mono"]}, r"unknown key 'strategies' \(did you mean 'strategy'\?\)"),
        ({"strategy": ["hybird"]}, r"strategy: 'hybird' is none of mono, cross, hybrid"),
        ({"data": [{"name": "d", "pairs": "facts:", "ammount": 1}]}, r"data\[0\]: unknown setting 'ammount'.*'amount'"),
        ({"data": [{"name": "d"}]}, r"data\[0\]: 'pairs' is missing"),
        ({"data": [{"name": "a b", "pairs": "facts:"}]}, r"name 'a b': expected letters"),
        ({"data": [{"name": "d", "pairs": "facts:"}] * 2}, "'d' is there twice"),
        ({"data": [{"name": "d", "pairs": "facts:", "amount": 0}]}, "amount must lie above 0"),
        ({"data": {"d": {}}}, r"data\[0\]: 'name' is missing"),
        ({"base": []}, "'base' is empty"),
        ({"benchmarks": []}, "no benchmark"),
        ({"benchmarks": ["a/faq", "faq"]}, "benchmarks: 'faq' is there twice"),
        ({"tuning": ["lroa"]}, r"tuning\[0\]: unknown tuning 'lroa' \(did you mean 'lora'\?\)"),
        ({"tuning": [{"rank": 4}]}, r"tuning\[0\]: 'name' is missing"),
        ({"tuning": [{"name": "f", "kind": "full", "rank": 4}]}, "rank belong to kind 'lora'"),
        ({"tuning": [{"name": "f", "rnk": 4}]}, r"unknown setting 'rnk' \(did you mean 'rank'\?\)"),
        ({"train": {"stpes": 3}}, r"train: unknown setting 'stpes' \(did you mean 'steps'\?\)"),
        ({"train": {"strategy": "mono"}}, r"train\.strategy: is decided by 'strategy'"),
        ({"train": {"lora": {"rank": 3}}}, r"train\.lora: is decided by 'tuning'"),
        ({"train": {"scale": -1}}, "scale must be above"),
        (
            {"train": {"per_tuning": {"ful": {"steps": 3}}}},
            r"per_tuning: unknown tuning 'ful' \(did you mean 'full'\?\)",
        ),
        ({"train": {"per_tuning": {"full": {"seed": 3}}}}, r"per_tuning\.full\.seed: is decided by 'seeds'"),
        ({"learning_rates": {"lora": [1e-3, 0]}}, r"learning_rates\.lora: must be above 0"),
        ({"learning_rates": {"all": 1e-3}}, "learning_rates: unknown tuning 'all'"),
        ({"mono_share": [1.5]}, "mono_share must lie between 0 and 1"),
        ({"seeds": [-1]}, "seeds must not be negative"),
        ({"seeds": ["one"]}, "seeds: expected a whole number, got 'one'"),
        ({"evaluate": {"measures": ["nDCG@ten"]}}, "nDCG@ten"),
        ({"evaluate": {"setting": ["mono"]}}, "unknown setting 'evaluate.setting'; known: .*settings"),
        ({"selection": {"validation_share": 0}}, "selection: expected steps"),
        ({"selection": {"steps": 0}}, "selection: expected steps"),
        ({"selection": {"validation_steps": -1}}, "and validation_steps of at least 0"),
        ({"question": None}, "question: expected text"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, more: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "s.yaml", plain(**more))
    with pytest.raises(InputError, match=message) as caught:
        load_spec(path)
    assert "\n" not in str(caught.value)


def test_the_grid_multiplies_and_ids_are_stable() -> None:
    tuning = ["full", {"name": "r4", "rank": 4, "alpha": 8}]
    data = [
        {"name": "d", "pairs": "facts:", "amount": [0.5, 1]},
        {"name": "e", "pairs": "facts:", "benchmarks": ["xquad-r"]},
    ]
    spec = parse_spec(plain(mono_share=[0.25, 0.5], tuning=tuning, data=data, seeds=[0, 3]), "x")
    cells = cells_of(spec)
    trained = [cell for cell in cells if cell.kind == "trained"]
    # strategies: mono, cross and two hybrids; three (data, amount); two tunings; two seeds
    assert len(trained) == 4 * 3 * 2 * 2
    assert len({cell.id for cell in cells}) == len(cells)
    assert [cell.id for cell in cells if cell.kind == "base"] == ["base.org-some-model"]
    assert cells[0].benchmarks == ("faq", "xquad-r")
    assert "d.org-some-model.hybrid-0.25.r4.s3.a0.5" in {cell.id for cell in cells}
    assert "e.org-some-model.mono.full.s0" in {cell.id for cell in cells}
    assert {cell.mono_share for cell in trained} == {None, 0.25, 0.5}
    smaller = {cell.id for cell in cells_of(parse_spec(plain(tuning=tuning), "x"))}
    assert smaller < {cell.id for cell in cells}, "a cell keeps its id when the grid grows"


def test_settings_of_a_cell() -> None:
    spec = parse_spec(plain(tuning=["full", {"name": "r4", "rank": 4, "targets": "query"}], mono_share=[0.25]), "x")
    cells = {cell.id: cell for cell in cells_of(spec)}
    lora = settings_of(spec, cells["d.org-some-model.hybrid-0.25.r4.s0"], 2e-3)
    assert (lora.tuning, lora.lora.rank, lora.lora.targets, lora.mono_share) == ("lora", 4, ("query",), 0.25)
    assert (lora.steps, lora.batch_size, lora.learning_rate) == (10, 100, 2e-3)
    full = settings_of(spec, cells["d.org-some-model.mono.full.s0"], None)
    assert (full.tuning, full.batch_size, full.peak_learning_rate()) == ("full", 8, 3e-5)
    digest = train_digest(full, "pairs", "base")
    assert digest == train_digest(
        settings_of(spec, cells["d.org-some-model.mono.full.s0"], 3e-5, "other"), "pairs", "base"
    )
    assert digest != train_digest(settings_of(spec, cells["d.org-some-model.mono.full.s0"], 4e-5), "pairs", "base")
    assert digest != train_digest(full, "others", "base")
    assert digest != train_digest(full, "pairs", "other")
