"""Recipes: what they stand for, and what wins beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from isoglot.cli.main import main
from isoglot.errors import InputError
from isoglot.files import read_json
from isoglot.study.stages import read_stage
from isoglot.training.recipes import DEFAULT, RECIPES
from isoglot.training.settings import TrainSettings
from isoglot.training.train import train
from tests.training.tiny import pair_table


def made(**values: object) -> TrainSettings:
    return TrainSettings(**{"pairs": ("p",), "output": "o", **values})  # type: ignore[arg-type]


def test_the_papers_recipe_is_the_papers() -> None:
    paper = made(recipe="paper")
    assert (paper.plan.strategy.label, paper.tuning.name, paper.plan.batch_size) == ("hybrid 0.5", "full", 100)
    assert (paper.learning_rate, paper.weight_decay, paper.negatives.number) == (3e-5, 1e-2, 0)
    assert [term.name for term in paper.loss] == ["infonce"]


@pytest.mark.parametrize("name", RECIPES.names())
def test_what_is_given_beside_a_recipe_wins(name: str) -> None:
    own = made(recipe=name)
    assert made(**own.to_flat()) == own, "what run.json says makes the same run"
    lora = made(recipe=name, tuning="lora", lora={"rank": 4}, batch_size=8, strategy="mono")
    assert (lora.tuning.name, lora.tuning.rank, lora.plan.batch_size, lora.plan.strategy.name) == (  # type: ignore[attr-defined]
        "lora",
        4,
        8,
        "mono",
    )
    assert lora.learning_rate == RECIPES[name].under({"tuning": "lora"})["learning_rate"] != own.learning_rate
    assert made(recipe=name, mono_share=0.3).plan.strategy.label == "hybrid 0.3"
    assert made(recipe=name, lora={"rank": 4}).tuning == lora.tuning, "settings of a tuning choose it"
    assert made(recipe=name, tuning="lora", learning_rate=1e-4).learning_rate == 1e-4
    assert [term.name for term in made(recipe=name, loss={"infonce": 1}).loss] == ["infonce"]
    assert made(recipe=name, loss={"infonce": 1}, scale=20).loss[0].scale == 20  # type: ignore[attr-defined]


def test_a_stage_of_a_study_takes_recipes() -> None:
    stage = read_stage({"train": {"recipe": DEFAULT, "tuning": "lora", "steps": 5}}, {})
    assert stage.strategy.name == made(recipe=DEFAULT).plan.strategy.name  # type: ignore[attr-defined]
    assert stage.values["learning_rate"] == made(recipe=DEFAULT, tuning="lora").learning_rate  # type: ignore[attr-defined]
    assert read_stage(stage.written(), {}) == stage


def test_unknown_recipes_are_refused() -> None:
    with pytest.raises(InputError, match=r"unknown recipe 'papr' .did you mean 'paper'"):
        made(recipe="papr")


def test_every_recipe_trains_and_the_command_takes_the_default(base: Path, tmp_path: Path) -> None:
    given = {"base": str(base), "pairs": ("p",), "steps": 2, "batch_size": 8}
    runs = {}
    for name in RECIPES.names():
        asked = TrainSettings(recipe=name, output=str(tmp_path / name), **given)  # type: ignore[arg-type]
        assert train(asked, table=pair_table(), show=False).complete
        runs[name] = read_json(tmp_path / name / "run.json")["asked"]
    assert runs["paper"] != runs[DEFAULT]
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("\n".join(lines()), encoding="utf-8")
    words = ["--pairs", str(pairs), "--base", str(base), "--steps", "2", "--batch-size", "8"]
    assert main(["train", *words, "--output", str(tmp_path / "command")]) == 0
    asked = read_json(tmp_path / "command" / "run.json")["asked"]
    differing = {key for key in asked if asked[key] != runs[DEFAULT].get(key)}
    assert differing <= {"pairs", "output"}


def lines() -> list[str]:
    import json

    return [
        json.dumps({key: row[key] for key in ("id", "lang", "query", "passage")})
        for row in pair_table().table.to_pylist()
    ]


@pytest.mark.parametrize(
    ("beside", "message"),
    [
        ({"tuning": "full", "lora": {"rank": 4}}, "lora: settings of another tuning than full"),
        ({"loss": {"infonce": 1}, "teacher": {"model": "other"}}, "teacher.model .* none is asked for"),
        ({"loss": {"infonce": 1, "reverse": 1}, "teacher": {"model": "other"}}, "teacher.model .* none is asked for"),
        ({"loss": {"infonce": 1}, "teacher": {"language": "de"}}, "teacher.language .* none is asked for"),
    ],
)
def test_what_would_not_be_used_is_refused(beside: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        made(**beside)


def test_the_command_line_chooses_another_tuning_than_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a file says of its own tuning gives way; what the command says is refused where it cannot be used."""
    config = tmp_path / "run.yaml"
    config.write_text(f"pairs: [nowhere.jsonl]\noutput: {tmp_path / 'run'}\nlora: {{rank: 4}}\n", "utf-8")
    assert main(["train", "tuning=full", "--config", str(config)]) == 2
    assert "nowhere.jsonl" in capsys.readouterr().err
    assert main(["train", "lora.rank=8", "--tuning", "full", "--config", str(config)]) == 2
    assert "lora: settings of another tuning than full" in capsys.readouterr().err
