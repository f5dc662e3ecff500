"""Whole runs on a tiny model: what they write, that they resume exactly, that they learn."""

from __future__ import annotations

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file
from transformers import TrainerControl, TrainerState

from isoglot.errors import InputError
from isoglot.training.finite import NotFiniteError
from isoglot.training.progress import Progress, StopOnSignal
from isoglot.training.settings import TrainSettings
from isoglot.training.train import train
from tests.training.crash import train_until
from tests.training.tiny import pair_table, small_lora

TEXTS = ["en1 en2 en3", "de5 de6", "zh7 zh8 zh9 zh10"]


def settings(base: Path, output: Path, **more: Any) -> TrainSettings:
    given = {
        "pairs": ("made",),
        "base": str(base),
        "output": str(output),
        "batch_size": 8,
        "steps": 12,
        "learning_rate": 5e-3,
        "scale": 20.0,
        **small_lora(more),
    }
    return TrainSettings(**{**given, **more})


def losses(run: Path) -> list[float]:
    lines = [json.loads(text) for text in (run / "log.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def weights(run: Path) -> dict[str, np.ndarray]:
    return load_file(run / "model" / "model.safetensors")


def test_a_resumed_run_has_the_memory_of_the_process_that_did_the_work(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = settings(base, tmp_path / "run", steps=4, save_steps=2)
    with monkeypatch.context() as before:
        before.setattr("isoglot.training.progress.peak_memory", lambda: 1 << 50)
        before.setattr("isoglot.training.progress.allocated", lambda: {"peak_allocated_bytes": 1 << 40})
        train_until(3, asked, pair_table())
    monkeypatch.setattr("isoglot.training.progress.allocated", lambda: {"peak_allocated_bytes": 1})
    outcome = train(asked, table=pair_table(), resume=True, show=False).outcome
    assert outcome is not None
    assert (outcome["peak_memory_bytes"], outcome["peak_allocated_bytes"]) == (1 << 50, 1 << 40)


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_run_directory(base: Path, tmp_path: Path, tuning: str) -> None:
    from sentence_transformers import SentenceTransformer

    run = tmp_path / "run"
    asked = settings(base, run, tuning=tuning, pairs=tmp_path / "made.jsonl")
    result = train(asked, table=pair_table(), show=False)
    assert result.complete
    assert result.steps == 12
    record = json.loads((run / "run.json").read_text())
    assert record["asked"]["tuning"] == tuning
    assert record["data"]["pairs"] == 24
    assert record["outcome"]["steps"] == 12
    assert {"torch", "transformers", "sentence-transformers", "isoglot"} <= set(record["versions"])
    lines = [json.loads(text) for text in (run / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 13))
    assert all(line["pairs_per_second"] > 0 and line["tokens_per_second"] > 0 for line in lines)
    assert list((run / "tensorboard").glob("events*"))
    assert not (run / "checkpoints").exists()
    assert (run / "adapter").exists() == (tuning == "lora")
    (table,) = (array.size for name, array in weights(run).items() if name.endswith("word_embeddings.weight"))
    assert record["base"]["embedding_parameters"] == table
    assert record["base"]["parameters"] - record["base"]["added_parameters"] == sum(
        a.size for a in weights(run).values()
    )
    assert record["base"]["added_parameters"] == (record["base"]["trainable_parameters"] if tuning == "lora" else 0)
    assert not list(run.rglob("*.bin"))
    assert not list(run.rglob("*.pt"))
    model = SentenceTransformer(str(result.model), device="cpu")
    assert model.prompts["query"] == "Query: "
    assert model.prompts["document"] == "Passage: "
    card = (run / "model" / "README.md").read_text()
    assert "encode_query" in card
    header = yaml.safe_load(card.split("---")[1])
    assert header["language"] == ["de", "en", "zh"]
    assert "base_model" not in header  # a folder is nobody's model by its name
    assert f"Trained from `{base.name}` by" in card
    assert "24 parallel pairs in de, en, zh from `made.jsonl`." in card
    assert "- Texts are cut at 64 tokens." in card
    for path in filter(Path.is_file, (run / "model").rglob("*")):
        assert not any(os.fsencode(place) in path.read_bytes() for place in (base, tmp_path)), path


def test_model_and_adapter_embed_alike_in_plain_libraries(base: Path, tmp_path: Path) -> None:
    """Three ways to one embedding: our loader, plain sentence-transformers, PEFT over the base."""
    from peft import PeftModel
    from sentence_transformers import SentenceTransformer
    from transformers import AutoModel

    from isoglot.models.load import load_model

    run = tmp_path / "run"
    train(settings(base, run), table=pair_table(), show=False)
    ours = load_model(str(run), device="cpu").encode_query(TEXTS)
    plain = SentenceTransformer(str(run / "model"), device="cpu").encode_query(TEXTS)
    assert np.abs(ours - plain).max() < 1e-6
    by_adapter = load_model(str(run / "adapter"), device="cpu").encode_query(TEXTS)
    assert np.abs(by_adapter - plain).max() < 1e-5
    model = SentenceTransformer(str(base), device="cpu", prompts={"query": "Query: "})
    encoder = PeftModel.from_pretrained(AutoModel.from_pretrained(base), str(run / "adapter"))
    before = model.encode_query(TEXTS)
    model[0].model = encoder
    with_peft = model.encode_query(TEXTS)
    assert np.abs(with_peft - plain).max() < 1e-5
    assert np.abs(before - plain).max() > 1e-2, "training changed nothing"


def test_training_lowers_the_loss(base: Path, tmp_path: Path) -> None:
    train(settings(base, tmp_path / "run", steps=60, tuning="full"), table=pair_table(), show=False)
    curve = losses(tmp_path / "run")
    assert np.mean(curve[-10:]) < 0.7 * np.mean(curve[:10])


def test_no_attention_plans_while_it_trains(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    seen = []
    noted = Progress.on_step_end

    def note(self: Progress, *given: Any, **more: Any) -> None:
        seen.append(torch.backends.cuda.cudnn_sdp_enabled())
        noted(self, *given, **more)

    monkeypatch.setattr(Progress, "on_step_end", note)
    assert torch.backends.cuda.cudnn_sdp_enabled()
    train(settings(base, tmp_path / "run", steps=2), table=pair_table(), show=False)
    assert seen == [False, False]
    assert torch.backends.cuda.cudnn_sdp_enabled()


@pytest.mark.parametrize("tuning", ["lora", "full"])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_resume_equals_an_unbroken_run_bit_for_bit(base: Path, tmp_path: Path, tuning: str, dropout: float) -> None:
    asked = settings(base, tmp_path / "whole", tuning=tuning, dropout=dropout, save_steps=5)
    train(asked, table=pair_table(), show=False)

    broken = asked.replace(output=str(tmp_path / "broken"))
    train_until(8, broken, pair_table())
    assert not (tmp_path / "broken" / "model").exists()
    with pytest.raises(InputError, match="--resume"):
        train(broken, table=pair_table(), show=False)
    train(broken, table=pair_table(), resume=True, show=False)
    assert losses(tmp_path / "broken") == losses(tmp_path / "whole")
    one, two = weights(tmp_path / "whole"), weights(tmp_path / "broken")
    assert one.keys() == two.keys()
    assert all(one[name].tobytes() == two[name].tobytes() for name in one)


def test_signal_stops_with_a_checkpoint_and_resumes(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = settings(base, tmp_path / "run", save_steps=100)
    original = Progress.on_step_end

    def interrupt(self: Progress, args: Any, state: Any, control: Any, **more: Any) -> None:
        original(self, args, state, control, **more)
        if state.global_step == 4:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "on_step_end", interrupt)
        result = train(asked, table=pair_table(), show=False)
    assert not result.complete
    assert result.steps in (4, 5)
    assert not (tmp_path / "run" / "model").exists()
    again = train(asked, table=pair_table(), resume=True, show=False)
    assert again.complete
    train(asked.replace(output=str(tmp_path / "whole")), table=pair_table(), show=False)
    assert losses(tmp_path / "run") == losses(tmp_path / "whole")


def test_a_signal_while_the_processes_are_being_asked_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are asked at the end of every step, which takes as long as the slowest of them."""
    stop = StopOnSignal()

    def asked(flag: bool) -> bool:
        signal.raise_signal(signal.SIGTERM)
        return flag

    with stop:
        for any_process, stops in ((asked, False), (bool, True)):
            control = TrainerControl()
            monkeypatch.setattr("isoglot.training.progress.any_process", any_process)
            stop.on_step_end(None, TrainerState(), control)  # type: ignore[arg-type]
            assert (control.should_save, control.should_training_stop) == (stops, stops)
    assert stop.stopped


def test_same_seed_same_losses_other_seed_others(base: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(settings(base, tmp_path / name, seed=seed, steps=5), table=pair_table(), show=False)
    assert losses(tmp_path / "a") == losses(tmp_path / "b") != losses(tmp_path / "c")


def test_validation_stops_early_and_keeps_the_best(base: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    # a learning rate that must diverge from the first good checkpoint
    asked = settings(
        base,
        run,
        tuning="full",
        steps=200,
        learning_rate=0.3,
        validation_share=0.3,
        eval_steps=5,
        patience=2,
        batch_size=4,
    )
    result = train(asked, table=pair_table(), show=False)
    assert result.complete
    assert result.steps < 200
    record = json.loads((run / "run.json").read_text())
    assert record["data"]["pairs"] + record["validation"]["pairs"] == 24
    lines = [json.loads(text) for text in (run / "log.jsonl").read_text().splitlines()]
    validations = [line["validation_loss"] for line in lines if "validation_loss" in line]
    assert len(validations) >= 3
    assert record["outcome"]["best_validation_loss"] == min(validations) < validations[-1]


def test_a_run_that_stops_before_a_line_of_its_log_is_due_has_its_loss(base: Path, tmp_path: Path) -> None:
    asked = {"tuning": "full", "steps": 40, "learning_rate": 0.5, "validation_share": 0.3, "batch_size": 4}
    result = train(
        settings(base, tmp_path / "run", **asked, log_steps=30, eval_steps=2, patience=1),
        table=pair_table(),
        show=False,
    )
    assert result.complete
    assert result.steps < 30
    assert len(losses(tmp_path / "run")) == result.steps // 2
    assert result.outcome["last_loss"] is not None


def test_validation_steps_draw_few_pairs_in_more_batches(base: Path, tmp_path: Path) -> None:
    from isoglot.training.data import _validation_steps

    asked = settings(base, tmp_path / "run", validation_share=0.3, batch_size=4)
    _, held = pair_table().split(0.3, asked.plan.seed)
    assert len(_validation_steps(asked, held)) == 2, "one pass over 7 pairs"
    more = _validation_steps(asked.replace(validation_steps=9), held)
    assert len(more) == 9
    assert len({tuple(more[step].batch.query_rows.tolist()) for step in range(9)}) == 9, "drawn anew, not repeated"


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU")
def test_a_compiled_encoder_gives_the_same_losses_and_an_ordinary_model(base: Path, tmp_path: Path) -> None:
    for name in ("plain", "compiled"):
        asked = settings(base, tmp_path / name, steps=3, dropout=0.0, compile=name == "compiled")
        train(asked, table=pair_table(), show=False)
    assert losses(tmp_path / "compiled") == pytest.approx(losses(tmp_path / "plain"), abs=1e-4)
    plain, compiled = weights(tmp_path / "plain"), weights(tmp_path / "compiled")
    assert plain.keys() == compiled.keys()


def test_explicit_negatives_are_used_and_never_a_positive(base: Path, tmp_path: Path) -> None:
    from isoglot.batching.plan import BatchPlan, PlanSettings
    from isoglot.batching.sampler import PlanDataset

    table = pair_table(negatives=True)
    plan = BatchPlan(table.index, PlanSettings(batch_size=8))
    with_negatives = PlanDataset(table, plan, 20, negatives=2)
    assert all(item.negatives for item in map(with_negatives.__getitem__, range(20)))
    assert not PlanDataset(table, plan, 20, negatives=0)[0].negatives
    # a negative that is another pair's passage, in the same batch, is dropped
    rows = [replace(row, negatives=("trap",)) for row in map(_row, table.table.to_pylist())]
    rows = [replace(row, passage="trap") if row.id == "3" and row.lang == "en" else row for row in rows]
    from isoglot.data.pairs.table import PairTable

    trapped = PairTable.from_rows(rows)
    steps = PlanDataset(trapped, BatchPlan(trapped.index, PlanSettings(batch_size=8)), 40, negatives=1)
    for step in range(40):
        batch = steps._plan[step]
        holds = "3" in trapped.column("id", batch.query_rows)
        assert steps[step].negatives == ([] if holds else ["trap"])
    train(settings(base, tmp_path / "a", steps=3, negatives=2), table=table, show=False)
    train(settings(base, tmp_path / "b", steps=3, negatives=0), table=table, show=False)
    assert losses(tmp_path / "a")[0] > losses(tmp_path / "b")[0], "more candidates, larger loss"


def _row(fields: dict[str, Any]) -> Any:
    from isoglot.records import PairRow

    return PairRow(**{**fields, "negatives": tuple(fields["negatives"] or ())})


def test_resume_refuses_other_settings_and_other_data(base: Path, tmp_path: Path) -> None:
    asked = settings(base, tmp_path / "run", steps=3)
    train(asked, table=pair_table(), show=False)
    with pytest.raises(InputError, match=r"scale was 20\.0, is 10\.0"):
        train(asked.replace(scale=10.0), table=pair_table(), resume=True, show=False)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    del record["outcome"]
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="data changed"):
        train(asked, table=pair_table(n=16), resume=True, show=False)


def test_a_finished_run_is_not_done_again(base: Path, tmp_path: Path) -> None:
    asked = settings(base, tmp_path / "run", steps=3)
    first = train(asked, table=pair_table(), show=False)
    stamp = (first.model / "model.safetensors").stat().st_mtime_ns
    again = train(asked, table=pair_table(), resume=True, show=False)
    assert again.outcome == first.outcome
    assert (first.model / "model.safetensors").stat().st_mtime_ns == stamp


def test_other_peoples_directories_are_left_alone(base: Path, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "love.txt").write_text("dear")
    for flags in ({}, {"overwrite": True}, {"resume": True}):
        with pytest.raises(InputError, match="not a run"):
            train(settings(base, tmp_path / "letters"), table=pair_table(), show=False, **flags)
    assert (tmp_path / "letters" / "love.txt").read_text() == "dear"


def test_a_loss_that_is_not_finite_stops_the_run(base: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFiniteError, match="not finite at step"):
        train(
            settings(base, tmp_path / "run", tuning="full", learning_rate=1e30, steps=20, max_gradient_norm=0.0),
            table=pair_table(),
            show=False,
        )
    assert not (tmp_path / "run" / "model").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"steps": 0}, "at least 1"),
        ({"steps": 3, "epochs": 1.0}, "not both"),
        ({"learning_rate": -1.0}, "above 0"),
        ({"dropout": 1.0}, "dropout must be below 1"),
        ({"seed": 2**32}, "seed must be below"),
        ({"seed": -1}, "seed must not be negative"),
        *[
            ({name: float("nan")}, f"{name}: expected a number")
            for name in ("warmup", "weight_decay", "max_gradient_norm", "learning_rate", "scale")
        ],
        ({"steps": None, "epochs": float("inf")}, "epochs: expected a number"),
        ({"steps": None, "epochs": 2e9}, "steps must be at least 1 and at most"),
        ({"steps": 10**30}, "steps must be at most 2147483647, got"),
        ({"validation_steps": "9" * 4400}, "validation_steps: expected a whole number of at most 64 bits"),
        ({"batch_size": 10**30}, "batch_size must be at most"),
        ({"max_length": 0}, "max_length must be at least 1"),
        ({"max_length": 65}, "positions for 64 tokens"),
        ({"lora": {"rank": 10**9}}, "lora.rank must be at most"),
        ({"log_steps": 13}, "log_steps 13 is more than the 12 steps"),
        ({"eval_steps": 13, "validation_share": 0.4}, "eval_steps 13 is more than the 12 steps"),
        ({"language_weights": {"de": 1e308, "en": 1e308}}, "too far from 1"),
        ({"source_temperature": 1e-300}, "too far from 1"),
        ({"patience": 2}, "needs a validation set"),
        ({"batch_size": 999}, "take a smaller batch"),
    ],
)
def test_bad_settings_write_nothing(base: Path, tmp_path: Path, more: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        train(settings(base, tmp_path / "run", **more), table=pair_table(), show=False)
    assert not (tmp_path / "run").exists()


def test_epochs_become_steps() -> None:
    asked = TrainSettings(pairs=("x",), output="y", epochs=2.5)
    assert asked.total_steps(steps_per_epoch=10) == 25
    assert TrainSettings(pairs=("x",), output="y").total_steps(10) == 10
