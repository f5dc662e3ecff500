"""Training on switched batches: the same bytes after a break, no token ids of other texts, the lexicons part of the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from isoglot.batching.plan import BatchPlan, PlanSettings
from isoglot.batching.sampler import PlanDataset
from isoglot.errors import InputError
from isoglot.models.load import load_model
from isoglot.study.read_spec import parse_spec
from isoglot.study.runs import runs_of
from isoglot.training.collate import Collator
from isoglot.training.settings import TrainSettings
from isoglot.training.train import train
from tests.lexicons import write_tsv
from tests.study.small import small_spec
from tests.training.crash import train_until
from tests.training.test_train import losses, settings, weights
from tests.training.tiny import pair_table


@pytest.fixture
def lexicons(tmp_path: Path) -> list[str]:
    return [
        str(write_tsv(tmp_path / f"en-{lang}.tsv", {f"en{k}": f"{lang}{k}" for k in range(60)}))
        for lang in ("de", "zh")
    ]


@pytest.fixture
def asked(base: Path, tmp_path: Path, lexicons: list[str]) -> TrainSettings:
    return settings(base, tmp_path / "run", strategy="code-switch", lexicon=lexicons, save_steps=2, negatives=1)


ENGLISH: dict[str, Any] = {"negatives": True, "languages": ("en",)}


def test_a_resumed_run_has_the_same_bytes(
    asked: TrainSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pair_table(**ENGLISH)
    train_until(5, asked, table)
    assert train(asked, table=table, resume=True, show=False).complete
    whole = asked.replace(output=str(tmp_path / "whole"))
    train(whole, table=table, show=False)
    assert losses(tmp_path / "run") == losses(tmp_path / "whole")
    parts = weights(tmp_path / "run"), weights(tmp_path / "whole")
    assert all(np.array_equal(weight, parts[1][name]) for name, weight in parts[0].items())
    assert "code-switch: en -> zh (direct): 100% of the words of 24 queries and passages" in capsys.readouterr().err
    files = json.loads((tmp_path / "run" / "run.json").read_text())["strategy"]["lexicon"]
    assert [file[:3] for file in files] == [["en", "de", "tsv"], ["en", "zh", "tsv"]]
    plain = settings(Path(asked.base), tmp_path / "plain", strategy="mono", negatives=1)
    train(plain, table=table, show=False)
    assert losses(tmp_path / "plain") != losses(tmp_path / "whole")


def test_a_run_is_not_resumed_with_another_lexicon(asked: TrainSettings, lexicons: list[str]) -> None:
    table, before = pair_table(**ENGLISH), asked.deciding()
    train_until(3, asked, table)
    write_tsv(Path(lexicons[0]), {"en1": "de1"})
    with pytest.raises(InputError, match="cannot resume, the files of the strategy changed since this run began"):
        train(asked, table=table, resume=True, show=False)
    assert asked.deciding() != before


def test_where_lexicons_lie_decides_nothing(asked: TrainSettings, lexicons: list[str], tmp_path: Path) -> None:
    (tmp_path / "moved").mkdir()
    moved = [str(Path(path).rename(tmp_path / "moved" / Path(path).name)) for path in lexicons]
    (copies := asked.replace(lexicon=moved)).deciding()
    for path in moved:
        Path(path).rename(tmp_path / Path(path).name)
    before = asked.deciding()
    for path in moved:
        (tmp_path / Path(path).name).rename(path)
    assert copies.deciding() == before


def test_steps_have_the_tokens_of_their_own_texts(base: Path, lexicons: list[str], tmp_path: Path) -> None:
    table, model = pair_table(**ENGLISH), load_model(str(base), device="cpu")
    plan = BatchPlan(table.index, PlanSettings(strategy="code-switch", lexicon=lexicons, batch_size=8))
    steps = PlanDataset(table, plan, 20, negatives=1)
    collator = Collator(model, root=tmp_path / "tokens")
    assert not collator.prepare(steps)
    assert not (tmp_path / "tokens").exists()
    unknown = model.tokenizer.unk_token_id
    for step in range(20):
        batch = collator([steps[step]])
        for name, texts in (
            ("query", steps[step].queries),
            ("passage", steps[step].passages),
            ("negative", steps[step].negatives),
        ):
            prompt = model.prompts.get("query" if name == "query" else "document") or ""
            assert torch.equal(
                batch[f"{name}_input_ids"],
                model.tokenizer([prompt + text for text in texts], padding=True, return_tensors="pt")["input_ids"],
            )
        words = model.tokenizer.convert_ids_to_tokens(batch["query_input_ids"].flatten())
        assert {word[:2] for word in words if word[0] in "dz"} <= {"de", "zh"}
    assert unknown is not None


def test_switched_texts_are_not_in_the_pivot_language(base: Path, asked: TrainSettings, tmp_path: Path) -> None:
    """A term that looks for English in the batch must not take half-German texts for it; a teacher reads the English rows."""
    from isoglot.training.teacher import _languages

    table = pair_table(**ENGLISH)
    more = {"lexicon": list(asked.plan.strategy.lexicon), "switch_languages": ["de", "en"], "batch_size": 8}
    plan = BatchPlan(table.index, PlanSettings(strategy="code-switch", **more))
    batch = plan[0]
    assert batch.queries.targets is not None
    assert set(batch.queries.targets.tolist()) == {-1, 0}
    assert np.array_equal(_languages(batch.queries) == table.languages.index("en"), batch.queries.targets == -1)
    terms = {"infonce": 1, "rankings": 0.5, "pivot": 0.5, "distill": 0.5}
    train(asked.replace(loss=terms, steps=2, output=str(tmp_path / "terms")), table=table, show=False)
    assert np.isfinite(losses(tmp_path / "terms")).all()


def test_validation_pairs_are_switched_too(asked: TrainSettings, tmp_path: Path) -> None:
    from isoglot.training.data import _validation_steps

    table = pair_table(**ENGLISH)
    steps = _validation_steps(asked.replace(validation_share=0.4), table)
    assert steps.rewrites
    # pairs of one language that a strategy for several cannot draw are validated in one language per batch
    hybrid = TrainSettings(**{**asked.to_flat(), "strategy": "hybrid", "validation_share": 0.4})
    assert _validation_steps(hybrid, table)[0].batch.kind == "mono"
    run = asked.replace(validation_share=0.4, batch_size=4, eval_steps=3, steps=6, save_steps=0)
    train(run, table=table, show=False)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["outcome"]["best_validation_loss"] > 0


def test_studies_take_the_strategy(tmp_path: Path, lexicons: list[str]) -> None:
    given = {"strategy": "code-switch", "lexicon": lexicons, "switch_mode": "multilingual", "tuning": "full"}
    spec = small_spec(tmp_path / "in", strategy="mono", tuning="full", systems={"switched": [{"train": given}]})
    ids = [run.id.split(".", 2)[2] for run in runs_of(parse_spec(spec, "spec"))[1:]]
    assert ids == ["mono.full.s0", "switched.s0"]
    grid = {"strategy": ["mono", "code-switch"], "lexicon": [lexicons], "switch_probability": [0.25, 0.5]}
    spec = small_spec(tmp_path / "in", tuning="full", **grid)
    parsed = parse_spec(spec, "spec")
    ids = [run.id.split(".", 2)[2] for run in runs_of(parsed)[1:]]
    assert parse_spec(parsed.to_flat(), "spec") == parsed
    switched = [f"code-switch-bilingual-{p}-en-de-en-zh.full.s0" for p in ("0.25", "0.5")]
    assert ids == ["mono.full.s0", *switched]
    with pytest.raises(InputError, match=r"lexicon"):
        parse_spec(small_spec(tmp_path / "in", strategy="code-switch"), "spec")
