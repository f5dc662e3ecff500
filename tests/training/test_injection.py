"""Lexical injection: a layer learns words by adapters below it, what is saved is what was trained, control words stay unseen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from isoglot.cli.main import main
from isoglot.data.lexicons.word_pairs import WordPairs
from isoglot.errors import InputError
from isoglot.models.load import load_model
from isoglot.retrieval.layers import embed_layers
from isoglot.settings import build
from isoglot.training.injection.effect import paired
from isoglot.training.injection.inject import inject
from isoglot.training.injection.settings import InjectSettings
from isoglot.training.injection.steps import _epoch, _negatives, triplet_loss
from tests.data.test_word_pairs import made
from tests.lexicons import write_tsv
from tests.models.zoo import KINDS


@pytest.fixture
def lexicon(tmp_path: Path) -> str:
    return str(write_tsv(tmp_path / "en-de.tsv", {f"en{number}": f"de{number}" for number in range(60)}))


def asked(lexicon: str, **more: Any) -> InjectSettings:
    given = {"pairs": 30, "control_pairs": 20, "batch_size": 10, "epochs": 8, "learning_rate": 0.02, "layer": 1, **more}
    return build(InjectSettings, [("", {"lexicon": [lexicon], **given})])


def change(outcome: dict[str, Any], words: str, at: str, measure: str) -> dict[str, Any]:
    (row,) = [row for row in outcome["effects"] if (row["words"], row["at"], row["measure"]) == (words, at, measure)]
    return row


@pytest.mark.parametrize("kind", ["mean", "modernbert", "last-token-left", "weighted-mean", "t5"])
def test_encoders_and_decoders_learn_words_at_a_layer(kind: str, lexicon: str, tmp_path: Path) -> None:
    base = str(KINDS[kind](tmp_path / "base"))
    outcome = inject(base, asked(lexicon), tmp_path / "run", show=False)
    assert outcome["last_loss"] < outcome["first_loss"]
    learnt = change(outcome, "trained", "layer 1", "margin")
    assert learnt["difference"] > 0.02
    assert learnt["interval"][0] > 0
    assert learnt["d_z"] > 0
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["asked"]["lora"]["rank"] == 16
    assert len(record["losses"]) == outcome["steps"] == 8 * 3


def test_only_blocks_below_the_layer_are_trained_and_saved(
    lexicon: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = str(KINDS["mean"](tmp_path / "base"))
    inject(base, asked(lexicon), tmp_path / "run", show=False)
    said = capsys.readouterr().err
    assert "block 0 of the encoder, which get adapters; 1 to 1 are above it and would get no gradient" in said
    before, after, adapter = (
        load_model(str(path), device="cpu") for path in (base, tmp_path / "run", tmp_path / "run" / "adapter")
    )
    own, weights = before.state_dict(), after.state_dict()
    changed = {name for name, weight in weights.items() if not torch.equal(weight, own[name])}
    assert {name.partition("layer.")[2] for name in changed} == {
        f"0.attention.self.{name}.weight" for name in ("query", "value")
    }
    words = ["en1", "de1"]
    np.testing.assert_allclose(adapter.encode_query(words), after.encode_query(words), atol=1e-6)
    np.testing.assert_array_equal(embed_layers(before, words, "none")[0], embed_layers(after, words, "none")[0])
    assert before.prompts == after.prompts


def test_what_was_measured_is_what_the_saved_model_gives(lexicon: str, tmp_path: Path) -> None:
    from isoglot.data.lexicons.word_pairs import read_word_pairs, split
    from isoglot.retrieval.probe import score_layers

    base = str(KINDS["mean"](tmp_path / "base"))
    settings = asked(lexicon)
    outcome = inject(base, settings, tmp_path / "run", show=False)
    ((_, control),) = split(read_word_pairs([lexicon]), 30, 20, 0)
    for path, key in ((base, "before"), (tmp_path / "run", "after")):
        scores = score_layers(load_model(str(path), device="cpu"), control, "none")["output"]
        assert change(outcome, "control", "output", "cosine")[key] == pytest.approx(scores.cosine.mean(), abs=1e-5)


def test_the_same_seed_gives_the_same_model(lexicon: str, tmp_path: Path) -> None:
    base = str(KINDS["mean"](tmp_path / "base"))
    digests = [
        inject(base, asked(lexicon, seed=seed, epochs=1), tmp_path / str(number), show=False)["loss_digest"]
        for number, seed in enumerate((0, 0, 1))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_auto_takes_a_layer_of_the_lower_half(lexicon: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = str(KINDS["mean"](tmp_path / "base"))
    outcome = inject(base, asked(lexicon, layer="auto", epochs=1), tmp_path / "run", show=False)
    assert outcome["layer"] == 1
    assert "layer 1 of 2: the best of 1 to 1 by P@1 on the words that are trained" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--layer", "3"], "layer 3: this encoder has layers 1 to 2"),
        (["--layer", "0"], "layer: expected the number of a layer from 1, or auto, got"),
        (["--layer", "second"], "from 1, or auto"),
        (["--seed", str(1 << 32)], "seed must be below 4294967296"),
        (["--pairs", "50"], "60 word pairs, fewer than 50 to train on and 20 control pairs"),
        (["--lora-targets", "nothing"], "lora.targets nothing"),
    ],
)
def test_bad_input_leaves_nothing(
    more: list[str], message: str, lexicon: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, out = str(KINDS["mean"](tmp_path / "base")), tmp_path / "run"
    command = ["inject", base, "--lexicon", lexicon, "--pairs", "30", "--control-pairs", "20", "--output", str(out)]
    assert main([*command, *more]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_layers_of_the_adapters_are_not_asked_for(lexicon: str) -> None:
    with pytest.raises(InputError, match=r"lora\.layers follows from 'layer'"):
        asked(lexicon, lora={"layers": [1]})


def test_an_interrupted_injection_leaves_nothing(lexicon: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import isoglot.training.agreement as agreement

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(agreement, "check_saved", interrupt)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        inject(str(KINDS["mean"](tmp_path / "base")), asked(lexicon, epochs=1), tmp_path / "run", show=False)
    assert sorted(path for path in tmp_path.iterdir() if path.name != "base") == before


def test_the_command_prints_what_changed(lexicon: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, out = str(KINDS["mean"](tmp_path / "base")), tmp_path / "run"
    command = ["inject", base, "--lexicon", lexicon, "--pairs", "30", "--control-pairs", "20", "--layer", "1"]
    assert main([*command, "--epochs", "1", "--lora-rslora", "--output", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "en-de control (20)" in printed
    assert f"{out}/model: layer 1, 1 steps" in printed
    assert main([*command, "--output", str(out)]) == 2
    assert "not empty" in capsys.readouterr().err


def test_a_loss_that_is_not_finite_ends_it(lexicon: str, tmp_path: Path) -> None:
    from isoglot.training.finite import NotFiniteError

    with pytest.raises(NotFiniteError, match="lower the learning rate"):
        inject(str(KINDS["mean"](tmp_path / "base")), asked(lexicon, learning_rate=1e30), tmp_path / "run", show=False)
    assert not (tmp_path / "run").exists()


def test_the_loss_of_triplets() -> None:
    words, texts = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[3.0, 0.0], [1.0, 1.0]])
    loss = triplet_loss(words, texts, torch.tensor([1, 0]), 0.4)
    expected = (max(0, 0.4 - 1 + 0.5**0.5) + max(0, 0.4 - 0.5**0.5 + 0)) / 2
    assert float(loss) == pytest.approx(expected, abs=1e-6)


def test_a_negative_is_no_other_translation_of_the_word() -> None:
    pairs = made("en", "de", 4)
    also = (frozenset({"de0", "de1"}), *pairs.accepted[1:])
    pairs = WordPairs("en", "de", pairs.words, pairs.translations, also)
    assert _negatives(pairs).tolist() == [2, 2, 3, 0]


def test_an_epoch_has_every_pair_once_and_batches_of_one_language_pair() -> None:
    every = [made("en", "de", 23), made("en", "tr", 4)]
    batches = list(_epoch(every, 5, np.random.default_rng(0)))
    assert all(len(batch) >= 4 for batch in batches)
    for pairs in every:
        assert sorted(w for b in batches if b.name == pairs.name for w in b.words) == sorted(pairs.words)


def test_a_paired_test_says_the_same_as_its_formulas() -> None:
    random = np.random.default_rng(0)
    before, change = random.random(50), random.normal(0.1, 0.2, 50)
    found = paired(before, before + change)
    t = change.mean() / (change.std(ddof=1) / 50**0.5)
    assert found["d_z"] == pytest.approx(t / 50**0.5)
    half = 2.009575 * change.std(ddof=1) / 50**0.5  # Student's t, 49 degrees of freedom
    assert found["interval"] == pytest.approx([change.mean() - half, change.mean() + half], abs=1e-6)
    assert paired(before, before)["p"] is None
