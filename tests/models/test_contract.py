"""Loading is a contract: what is missing, foreign, cut or guessed is an error or is said; no weight is random."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoglot.errors import InputError
from isoglot.evaluation.results import model_digest
from isoglot.models import load
from isoglot.models.facts import Loaded, describe, in_one_line
from isoglot.models.foreign import activation_problem, module_problem
from isoglot.models.limits import check_length
from isoglot.models.load import load_model
from tests.models.zoo import KINDS, modules, plain

Tensors = dict[str, Any]
TEXTS = ["en1 en2", "zh3 zh4 zh5", "de6"]


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models that tests copy and break."""
    root = tmp_path_factory.mktemp("kinds")
    for kind in ("bert-plain", "masked-lm", "labse", "static", "mean", "adapter-inside", "gpt2-plain", "router"):
        (KINDS | {"gpt2-plain": plain("gpt2", pad_token=False, last=True)})[kind](root / kind)
    return root


@pytest.fixture
def copy(kinds: Path, tmp_path: Path) -> Callable[[str], Path]:
    def made(kind: str) -> Path:
        return Path(shutil.copytree(kinds / kind, tmp_path / kind))

    return made


def change_tensors(path: Path, change: Callable[[Tensors], Tensors]) -> None:
    from safetensors.torch import load_file, save_file

    save_file(change(load_file(path)), path, metadata={"format": "pt"})


def change_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        load_model(str(path), device="cpu", **options)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)
    return str(caught.value)


def without(*parts: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {name: value for name, value in tensors.items() if not any(part in name for part in parts)}


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        (
            "bert-plain",
            lambda t: {f"module.{name}": v for name, v in t.items()},
            r"37 weights missing.*'module\.'.*DataParallel",
        ),
        ("bert-plain", lambda t: {f"0.auto_model.{name}": v for name, v in t.items()}, r"missing.*'0\.auto_model\.'"),
        (
            "bert-plain",
            without("layer.1.output.dense.bias"),
            r"1 weight missing \(encoder\.layer\.1\.output\.dense\.bias\).*cut",
        ),
        ("bert-plain", without("layer.1."), r"16 weights missing \(encoder\.layer\.1\.attention.*, \.\.\.\)"),
        ("bert-plain", without("word_embeddings"), r"1 weight missing \(embeddings\.word_embeddings"),
        ("masked-lm", without("roberta.encoder.layer.0"), r"16 weights missing"),
        ("mean", without("layer.0.attention.self.query.weight"), r"1 weight missing"),
        ("router", without("layer.0.attention.self.query.weight"), r"1 weight missing"),
    ],
)
def test_missing_weights_are_named(
    kind: str, change: Callable[[Tensors], Tensors], message: str, copy: Callable[[str], Path]
) -> None:
    path = copy(kind)
    change_tensors(next(path.rglob("model.safetensors")), change)
    assert re.search(message, refusal(path)), refusal(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"intermediate_size": 96}, r"weights of another shape .*intermediate.*\[64\] in the file, \[96\]"),
        ({"vocab_size": 200}, r"1 weight of another shape"),
        ({"num_hidden_layers": 1}, r"16 weights without a place \(encoder\.layer\.1"),
        ({"num_hidden_layers": 3}, r"16 weights missing"),
        ({"model_type": "distilbert"}, r"\d+ weights missing"),
    ],
)
def test_a_configuration_of_another_model_is_refused(
    changes: dict[str, Any], message: str, copy: Callable[[str], Path]
) -> None:
    path = copy("bert-plain")
    change_json(path / "config.json", **changes)
    assert re.search(message, refusal(path)), refusal(path)


def test_weights_that_nothing_reads_are_said_and_are_the_same_every_time(
    copy: Callable[[str], Path], kinds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copy("bert-plain")
    change_tensors(path / "model.safetensors", without("pooler"))
    first, again = (load_model(str(path), device="cpu") for _ in range(2))
    assert model_digest(first) == model_digest(again)
    whole = load_model(str(kinds / "bert-plain"), device="cpu")
    np.testing.assert_array_equal(first.encode_query(TEXTS), whole.encode_query(TEXTS))
    err = capsys.readouterr().err
    assert err.count("not in the file and not used, set to 0: pooler.dense.bias, pooler.dense.weight") == 1
    with_head = load_model(str(kinds / "masked-lm"), device="cpu")
    assert "in the file and not used: lm_head" in in_one_line(with_head)


def pointer(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 99\n")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def looped(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def pickled(path: Path) -> None:
    import torch

    torch.save({"weight": torch.zeros(2)}, path.with_name("pytorch_model.bin"))
    path.unlink()


@pytest.mark.parametrize(
    ("kind", "file", "harm", "message"),
    [
        ("bert-plain", "model.safetensors", pointer, "git lfs pull"),
        ("bert-plain", "tokenizer.json", pointer, "git lfs pull"),
        ("labse", "2_Dense/model.safetensors", pointer, "git lfs pull"),
        ("bert-plain", "model.safetensors", cut, "cut or damaged"),
        ("labse", "2_Dense/model.safetensors", cut, "cut or damaged"),
        ("static", "0_StaticEmbedding/model.safetensors", cut, "cut or damaged"),
        ("bert-plain", "model.safetensors", pickled, "pickle"),
        ("labse", "2_Dense/model.safetensors", pickled, "pickle"),
        *(
            ("labse", file, piped, "not a regular file")
            for file in ("config.json", "modules.json", "model.safetensors")
        ),
        ("labse", "2_Dense/model.safetensors", piped, "not a regular file"),
        ("labse", "tokenizer.json", looped, "not a regular file"),
        ("bert-plain", "config.json", lambda path: path.write_text("[" * 100_000), "not valid JSON"),
        ("bert-plain", "config.json", lambda path: path.write_text(f'{{"a": {"1" * 5000}}}'), "not valid JSON"),
        ("bert-plain", "model.safetensors", Path.unlink, "cannot be loaded"),
        ("bert-plain", "tokenizer.json", cut, "cannot be loaded"),
        ("bert-plain", "config.json", cut, "not valid JSON"),
        ("labse", "modules.json", cut, "not valid JSON"),
        ("labse", "1_Pooling/config.json", cut, "cannot be loaded"),
        ("labse", "config_sentence_transformers.json", cut, "not valid JSON"),
        ("labse", "modules.json", lambda path: path.write_text("{}"), "expected a list of modules"),
        ("labse", "config_sentence_transformers.json", lambda path: path.write_text("[]"), "expected a JSON object"),
    ],
)
def test_files_that_stand_for_weights_and_are_none(
    kind: str, file: str, harm: Callable[[Path], Any], message: str, copy: Callable[[str], Path]
) -> None:
    path = copy(kind)
    target = path / file if (path / file).exists() else path / Path(file).name
    harm(target)
    assert message in refusal(path)


def test_json_that_is_not_by_the_letter_is_read_as_transformers_reads_it(copy: Callable[[str], Path]) -> None:
    path = copy("bert-plain")
    expected = load_model(str(path), device="cpu").encode(TEXTS)
    config = (path / "config.json").read_text().lstrip()
    (path / "config.json").write_text('{"hidden_size": 7, "limits": [0.0, Infinity], ' + config[1:])
    change_json(path / "tokenizer_config.json", model_max_length=int(1e30))
    assert np.array_equal(load_model(str(path), device="cpu").encode(TEXTS), expected)


@pytest.mark.parametrize(
    ("kind", "file", "change", "message"),
    [
        ("labse", "2_Dense/model.safetensors", without("bias"), "linear.bias"),
        (
            "labse",
            "2_Dense/model.safetensors",
            lambda t: {name: v[:8].clone() for name, v in t.items()},
            "size mismatch",
        ),
        ("labse", "2_Dense/model.safetensors", lambda t: t | {"more": t["linear.bias"].clone()}, "more"),
        ("static", "model.safetensors", lambda t: {"other": t["embedding.weight"]}, "missing"),
        (
            "static",
            "model.safetensors",
            lambda t: {"embedding.weight": t["embedding.weight"][:9].clone()},
            "embeddings of the first 9 only",
        ),
    ],
)
def test_weights_of_other_modules(
    kind: str, file: str, change: Callable[[Tensors], Tensors], message: str, copy: Callable[[str], Path]
) -> None:
    path = copy(kind)
    change_tensors(next(path.rglob(file)), change)
    assert message in refusal(path)


def test_no_code_of_a_model_is_run(copy: Callable[[str], Path]) -> None:
    path = copy("labse")
    listed = json.loads((path / "modules.json").read_text())
    (path / "own.py").write_text("raise SystemExit('was run')")
    (path / "modules.json").write_text(json.dumps([*listed, {**listed[-1], "name": "4", "type": "own.Module"}]))
    assert "module own.Module is code of its own" in refusal(path)
    (path / "modules.json").write_text(json.dumps(listed))
    change_json(path / "2_Dense" / "config.json", activation_function="own.Tanh")
    assert "activation own.Tanh is code of its own" in refusal(path)
    change_json(path / "2_Dense" / "config.json", activation_function="torch.nn.modules.activation.Tanh")
    change_json(path / "config.json", model_type="own", auto_map={"AutoModel": "own.Model"})
    assert "auto_map" in refusal(path)


@pytest.mark.parametrize(
    "kind",
    [
        "own.Module",
        "os.system",
        "sentence_transformers",
        "sentence_transformers.util.misc.import_from_string",
        "sentence_transformers.base.modules.transformer.torch",
        "sentence_transformers.base.model.Path",
    ],
)
def test_only_classes_of_modules_are_modules(kind: str) -> None:
    assert module_problem(kind, "1_Pooling") == f"its module {kind} is code of its own, which is not run"


def test_modules_lie_inside_of_the_model(copy: Callable[[str], Path]) -> None:
    kinds = ["models.Transformer", "models.Dense.Dense", "sentence_transformer.modules.pooling.Pooling"]
    assert [module_problem(f"sentence_transformers.{kind}", "") for kind in kinds] == [None] * 3
    for folder in ("../other", "/etc", "a/../../b", "..\\b"):
        assert "outside of the model" in (module_problem("sentence_transformers.models.Dense", folder) or "")
    path = copy("labse")
    listed = json.loads((path / "modules.json").read_text())
    (path / "modules.json").write_text(json.dumps([*listed[:-1], {**listed[-1], "path": "../labse"}]))
    assert "lies in ../labse, outside of the model" in refusal(path)


@pytest.mark.parametrize(
    "name", ["torch.hub.load", "torch.load", "torch.nn.functional.tanh", "torch.utils.data.Dataset"]
)
def test_an_activation_is_a_layer_of_torch(name: str) -> None:
    assert activation_problem(name) == f"the activation {name} is code of its own, which is not run"
    assert activation_problem("torch.nn.modules.linear.Identity") is activation_problem("torch.nn.Tanh") is None


def test_routes_are_held_to_the_same(copy: Callable[[str], Path]) -> None:
    path = copy("router")
    config = path / "router_config.json"
    types = json.loads(config.read_text())["types"]
    first = next(iter(types))
    (path / "own.py").write_text("raise SystemExit('was run')")
    change_json(config, types={**types, first: "own.Module"})
    assert "module own.Module is code of its own" in refusal(path)
    change_json(config, types=types)
    pickled(path / first / "model.safetensors")
    assert "pytorch_model.bin: weights in a pickle are not opened" in refusal(path)


def test_pickles_that_no_list_of_files_tells_are_not_opened(
    copy: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    path, load = copy("labse"), torch.load
    monkeypatch.setattr("isoglot.models.layout.check_files", lambda *_: None)  # as for a model on the hub
    pickled(path / "2_Dense" / "model.safetensors")
    assert "labse: weights in a pickle are not opened" in refusal(path)
    assert torch.load is load


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("config.json", {"attn_implementation": "evil/kernel"}, "its attention evil/kernel is code from the hub"),
        ("sentence_bert_config.json", {"model_args": {"attn_implementation": "evil/kernel"}}, "code from the hub"),
        ("sentence_bert_config.json", {"model_kwargs": {"allow_all_kernels": True}}, "say allow_all_kernels"),
        ("sentence_bert_config.json", {"model_kwargs": {"offload_folder": "../x"}}, "say offload_folder"),
    ],
)
def test_settings_run_no_code_of_the_hub_and_write_nowhere(
    file: str, changes: dict[str, Any], message: str, copy: Callable[[str], Path]
) -> None:
    path = copy("labse")
    change_json(path / file, **changes)
    assert message in refusal(path)


def test_an_adapter_of_a_part_is_refused(copy: Callable[[str], Path]) -> None:
    path = copy("router")
    first = next(iter(json.loads((path / "router_config.json").read_text())["types"]))
    (path / first / "adapter_config.json").write_text("{}")
    assert f"{first} holds an adapter" in refusal(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"similarity_fn_name": "angle"}, "similarity_fn_name 'angle' is not known"),
        ({"truncate_dim": 33}, "truncate_dim is 33; expected 1 to 32"),
        ({"truncate_dim": -5}, "truncate_dim is -5"),
        ({"truncate_dim": "8"}, "truncate_dim is '8'"),
        ({"default_prompt_name": "absent"}, "absent"),
        ({"prompts": {"query": 3}}, "expected texts by name"),
    ],
)
def test_settings_that_a_library_would_pass_over(
    changes: dict[str, Any], message: str, copy: Callable[[str], Path]
) -> None:
    path = copy("labse")
    change_json(path / "config_sentence_transformers.json", **changes)
    assert message in refusal(path)


def test_a_tokenizer_that_is_not_the_one_in_the_file(tmp_path: Path) -> None:
    """transformers gives every qwen2 a byte-level tokenizer."""
    path = plain("qwen3", last=True)(tmp_path / "qwen")
    change_json(path / "config.json", model_type="qwen2", architectures=["Qwen2Model"])
    change_tensors(path / "model.safetensors", without("q_norm", "k_norm"))
    assert "its tokenizer.json is of the kind WordLevel, transformers makes a BPE of it for a qwen2" in refusal(path)


# prompts


def saved(path: Path, prompts: Any, name: str = "model") -> Path:
    return modules(plain("bert"), prompts=prompts)(path / name)


@pytest.mark.parametrize(
    ("prompts", "expected", "source"),
    [
        ({"query": "", "document": ""}, ("", ""), "saved with the model"),
        ({"query": "Q ", "document": "D "}, ("Q ", "D "), "saved with the model"),
        ({"query": "Q ", "passage": "P "}, ("Q ", "P "), "saved with the model"),
        ({"query": "Q ", "corpus": "C "}, ("Q ", "C "), "saved with the model"),
        ({"task": "T "}, ("", ""), "saved with the model, which has others (task) for other tasks"),
    ],
)
def test_saved_prompts_win(
    prompts: dict[str, str], expected: tuple[str, str], source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = load_model(str(saved(tmp_path, prompts, "multilingual-e5-small")), device="cpu")
    told = describe(model)["prompts"]
    assert "called like the family e5" in told.pop("lacking")  # which is said, and changes nothing
    assert told == {"query": expected[0], "passage": expected[1], "source": source, "guessed": False}
    assert (model.prompts["query"], model.prompts["document"]) == expected
    assert f"prompts {expected[0]!r} and {expected[1]!r} ({source})" in capsys.readouterr().err


def test_a_folder_name_is_no_reason_for_prompts(copy: Callable[[str], Path], tmp_path: Path) -> None:
    path = saved(tmp_path, {}, "intfloat") / "multilingual-e5-small"
    shutil.copytree(path.parent, path)
    change_json(path / "config_sentence_transformers.json", prompts={})
    model = load_model(str(path), device="cpu")
    assert describe(model)["prompts"]["source"] == "none were saved with the model"
    assert model.prompts["query"] == ""
    named = copy("bert-plain").rename(tmp_path / "e5-base-noprompt")
    told = describe(load_model(str(named), device="cpu"))["prompts"]
    assert (told["query"], told["guessed"]) == ("Query: ", True)
    change_json(named / "config.json", _name_or_path="intfloat/multilingual-e5-base")
    told = describe(load_model(str(named), device="cpu"))["prompts"]
    assert (told["query"], told["source"]) == ("query: ", "guessed: it is intfloat/multilingual-e5-base")
    told = describe(load_model(str(named), device="cpu", query_prompt="", passage_prompt="P "))["prompts"]
    assert "is used without: --query-prompt" in told.pop("lacking")
    assert told == {"query": "", "passage": "P ", "source": "given", "guessed": False}


def test_what_transformers_warns_of_is_said(kinds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where its warnings are switched off, as they are on the command line."""
    import transformers
    from transformers import AutoConfig

    original = AutoConfig.from_pretrained

    def warns(*args: Any, **options: Any) -> Any:
        transformers.utils.logging.get_logger("transformers.anything").warning("this tokenizer\nis known to be wrong")
        return original(*args, **options)

    monkeypatch.setattr(AutoConfig, "from_pretrained", warns)
    before = transformers.utils.logging.get_verbosity()
    transformers.utils.logging.set_verbosity_error()
    model = load_model(str(kinds / "bert-plain"), device="cpu")
    assert "this tokenizer is known to be wrong" in describe(model)["notes"]
    transformers.utils.logging.set_verbosity(before)


def test_given_prompts_are_saved_and_read_again(kinds: Path, tmp_path: Path) -> None:
    model = load_model(str(kinds / "bert-plain"), device="cpu", query_prompt="", passage_prompt="")
    model.save_pretrained(str(tmp_path / "e5-base"), create_model_card=False)
    again = load_model(str(tmp_path / "e5-base"), device="cpu")
    assert (again.prompts["query"], again.prompts["document"]) == ("", "")
    change_json(tmp_path / "e5-base" / "config_sentence_transformers.json", prompts={"query": ["a"]})
    assert "expected texts by name" in refusal(tmp_path / "e5-base")


# limits, padding, device, types


@pytest.mark.parametrize(("kind", "most"), [("bert-plain", 64), ("masked-lm", 64), ("gpt2-plain", 64), ("mean", 64)])
def test_texts_are_cut_where_positions_end(kind: str, most: int, copy: Callable[[str], Path]) -> None:
    """XLM-R has 66 positions here: two are the padding's."""
    path = copy(kind)
    change_json(path / "tokenizer_config.json", model_max_length=512)
    model = load_model(str(path), device="cpu")
    assert model.max_seq_length == most
    assert f"at most {most} tokens" in in_one_line(model)
    model.encode_query(" ".join(["en1"] * 100))
    for length in (0, -5, most + 1, 512):
        with pytest.raises(InputError, match=f"max_length.*{length}"):
            check_length(model, length, "max_length")
    check_length(model, most, "max_length")


@pytest.mark.parametrize("length", [0, -5])
def test_a_saved_limit_below_one_is_refused(length: int, copy: Callable[[str], Path]) -> None:
    path = copy("bert-plain")
    change_json(path / "tokenizer_config.json", model_max_length=length)
    assert f"max_seq_length is {length}" in refusal(path)


def test_a_tokenizer_that_cannot_pad_is_refused(copy: Callable[[str], Path]) -> None:
    path = copy("gpt2-plain")
    change_json(path / "tokenizer_config.json", eos_token=None)
    assert "neither a padding token nor an end token" in refusal(path)


def test_a_device_that_is_not_there(kinds: Path) -> None:
    import torch

    device = "cuda:7" if torch.cuda.is_available() else "cuda"
    with pytest.raises(InputError, match=f"device '{device}' cannot be used"):
        load_model(str(kinds / "bert-plain"), device=device)


def test_similarity_can_be_asked_for(kinds: Path) -> None:
    assert load_model(str(kinds / "bert-plain"), device="cpu", similarity="dot").similarity_fn_name == "dot"
    with pytest.raises(InputError, match="similarity 'maxsim': expected one of cosine, dot"):
        load_model(str(kinds / "bert-plain"), device="cpu", similarity="maxsim")


def test_the_record_stays_with_the_model(kinds: Path) -> None:
    loaded = Loaded.of(load_model(str(kinds / "mean"), device="cpu"))
    assert loaded is not None
    assert (loaded.name, loaded.stored) == (str(kinds / "mean"), "float32")


def test_dimensions_are_those_of_the_vectors(copy: Callable[[str], Path]) -> None:
    path = copy("mean")
    change_json(path / "1_Pooling" / "config.json", embedding_dimension=7)
    assert "gives 32 dimensions for a query, 32 for a passage, and says 7" in refusal(path)


def test_weights_that_are_not_finite_are_refused(copy: Callable[[str], Path]) -> None:
    path = copy("mean")
    change_tensors(path / "model.safetensors", lambda t: {name: value * float("nan") for name, value in t.items()})
    assert "weights are not finite" in refusal(path)


def test_a_hub_id_is_known_by_its_name_and_loaded_from_the_cache(
    kinds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository as the hub's client keeps it, in sentence-transformers' layout without prompts, as e5's is."""
    commit = "0" * 40
    folder = tmp_path / "models--intfloat--multilingual-e5-small"
    shutil.copytree(kinds / "mean", folder / "snapshots" / commit)
    change_json(folder / "snapshots" / commit / "config_sentence_transformers.json", prompts={})
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("isoglot.models.load.hub_reachable", lambda: False)
    model = load_model("multilingual-e5-small", device="cpu")
    told = describe(model)["prompts"]
    assert (told["query"], told["passage"], told["guessed"]) == ("query: ", "passage: ", True)
    assert told["source"] == "guessed: it is intfloat/multilingual-e5-small"
    with pytest.raises(InputError, match="cannot load 'org/absent' from the hub"):
        load_model("org/absent", device="cpu")


def test_threads_that_load_at_once_leave_libraries_as_they_were(kinds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from transformers import PreTrainedModel

    before = (torch.load, PreTrainedModel.__dict__["from_pretrained"])
    construct, starts = load._construct, iter((0.1, 0.3))

    def slowly(*args: Any) -> Any:  # the first to begin is the first to end
        time.sleep(next(starts))
        return construct(*args)

    monkeypatch.setattr(load, "_construct", slowly)
    with ThreadPoolExecutor(2) as pool:
        models = list(pool.map(lambda _: load_model(str(kinds / "mean"), device="cpu"), range(2)))
    assert (torch.load, PreTrainedModel.__dict__["from_pretrained"]) == before
    assert np.array_equal(*(model.encode_query(TEXTS) for model in models))
