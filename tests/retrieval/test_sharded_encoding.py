"""Texts cut into shards, encoded into a directory: formats, resuming, damage, and what is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isoglot.cli.main import main
from isoglot.errors import InputError, IsoglotError
from isoglot.models.load import load_model
from isoglot.retrieval import shard_encoder
from isoglot.retrieval.encode import encode_texts
from isoglot.retrieval.encode_engines import ENCODE_ENGINES, Workers
from isoglot.retrieval.encode_engines.local import Local
from isoglot.retrieval.encoded import EncodedTexts
from isoglot.retrieval.shard_encoder import EncodeSettings, ModelSpec
from isoglot.retrieval.sharded_encoding import choose_engine, encode_shards
from isoglot.retrieval.text_shards import HeldShard, ShardTexts, cut_files
from tests.training.tiny import LANGUAGES, tiny_base

N = 50


def rows(n: int = N) -> list[dict[str, Any]]:
    """Texts of 1 to 9 words, some of them twice."""
    made = []
    for number in range(n):
        lang = LANGUAGES[number % 3]
        words = [f"{lang}{(number * 7 + step) % 60}" for step in range(1 + number % 9)]
        made.append({"id": f"d{number}", "lang": lang, "text": " ".join(words) if number % 11 else "de1 de2"})
    return made


def write_jsonl(path: Path, content: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in content))
    return path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_base(tmp_path_factory.mktemp("model") / "tiny"))


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def encode(base: str, texts: Path, output: Path, **settings: Any) -> EncodedTexts:
    asked = EncodeSettings(**{"shard_size": 16, **settings})
    return encode_shards(base, cut_files([texts], asked.shard_size), output, asked, progress=False)


def test_the_vectors_are_those_of_encode_texts_in_the_order_of_the_input(base: str, tmp_path: Path) -> None:
    content = rows()
    encoded = encode(base, write_jsonl(tmp_path / "t.jsonl", content), tmp_path / "out", dtype="float32")
    assert [len(vectors) for _, _, vectors in encoded.shards()] == [16, 16, 16, 2]
    ids, languages, vectors = zip(*encoded.shards())
    assert [key for part in ids for key in part] == [row["id"] for row in content]
    assert [lang for part in languages for lang in part] == [row["lang"] for row in content]
    assert encoded.meta["prompt"] == "Passage: "
    model = load_model(base, device="cpu")
    expected = encode_texts(model, [row["text"] for row in content], "passage", progress=False)
    np.testing.assert_allclose(np.concatenate(vectors), expected, atol=1e-6)
    model.prompts = {"query": "de3 ", "document": "x "}
    expected = encode_texts(model, [row["text"] for row in content], "query", progress=False)
    asked = EncodeSettings(kind="query", dtype="float32")
    spec, shards = ModelSpec(base, prompt="de3 "), cut_files([tmp_path / "t.jsonl"], 16)
    query = encode_shards(spec, shards, tmp_path / "queries", asked, progress=False)
    np.testing.assert_allclose(np.asarray(query.vectors), expected, atol=1e-6)
    assert np.abs(np.asarray(query.vectors) - np.concatenate(vectors)).max() > 1e-3
    half = encode(base, tmp_path / "t.jsonl", tmp_path / "half")
    np.testing.assert_array_equal(np.asarray(half.vectors), np.concatenate(vectors).astype(np.float16))


def test_every_format_gives_the_same_texts(tmp_path: Path) -> None:
    content = rows()
    jsonl = write_jsonl(tmp_path / "t.jsonl", content)
    (tmp_path / "packed.jsonl.gz").write_bytes(gzip.compress(jsonl.read_bytes()))
    blank = "\n\n".join(jsonl.read_text().splitlines())
    (tmp_path / "blank.jsonl").write_text(f"\n{blank}\n\n")
    lines = ["id,lang,text", *(f"{row['id']},{row['lang']},{row['text']}" for row in content)]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    pq.write_table(pa.Table.from_pylist(content), tmp_path / "t.parquet", row_group_size=7)
    expected = [shard.read() for shard in cut_files([jsonl], 16)]
    assert len(expected) == 4
    for name in ("packed.jsonl.gz", "blank.jsonl", "t.csv", "t.parquet"):
        shards = cut_files([tmp_path / name], 16)
        assert [(shard.start, shard.end) for shard in shards] == [(0, 16), (16, 32), (32, 48), (48, 50)]
        assert [shard.read() for shard in shards] == expected, name
    both = cut_files([jsonl, tmp_path / "t.csv"], 40)
    assert [(shard.start, shard.end) for shard in both] == [(0, 40), (40, 50), (50, 90), (90, 100)]


def test_ids_titles_and_languages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = [
        {"_id": 7, "title": "A title", "text": " text "},
        {"docid": "x", "title": None, "text": "b", "lang": "eng"},
        {"id": "9", "text": "", "title": "only a title", "lang": ""},
    ]
    (shard,) = cut_files([write_jsonl(tmp_path / "de.jsonl", content)], 10)
    assert shard.read() == (["7", "x", "9"], ["de", "en", "de"], ["A title  text", "b", "only a title"])
    told = capsys.readouterr().err
    assert "rows without lang (line 1 is the first) are taken to be in de" in told
    shard.read()
    assert not capsys.readouterr().err
    (shard,) = cut_files([write_jsonl(tmp_path / "my texts.jsonl", content)], 10)
    assert shard.read().languages == ["", "en", ""]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"text": "a"}', "field 'id' is missing"),
        ('{"id": "1", "text": " "}', "there is no text to encode"),
        ('{"id": "1"}', "field 'text' is missing"),
        ('{"id": "1", "text": 7}', "field 'text' must be text, found int"),
        ('{"id": "1", "text": "a", "lang": "xx-nothing"}', "unknown language"),
        ('{"id": "1", "text": "a"', "not valid JSON"),
    ],
)
def test_a_malformed_row_is_named_before_anything_is_encoded(
    line: str, problem: str, base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(f'{{"id": "0", "text": "fine"}}\n{line}\n')
    assert main(["encode", base, str(path), "--output", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith(f"isoglot: {path}:2: ")
    assert problem in said[-1]
    assert not (tmp_path / "out").exists()


def test_only_what_is_missing_is_encoded(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, out = write_jsonl(tmp_path / "t.jsonl", rows()), tmp_path / "out"
    encode(base, texts, out)
    whole, seen = files_of(out), []
    real = encode_texts

    def watched(model: Any, texts: list[str], *more: Any, **named: Any) -> Any:
        seen.append(len(texts))
        return real(model, texts, *more, **named)

    monkeypatch.setattr(shard_encoder, "encode_texts", watched)
    encode(base, texts, out)
    assert seen == []

    vectors = sorted(out.glob("rows-*.npy"))
    ids = sorted(out.glob("ids-*.parquet"))
    vectors[0].unlink()
    vectors[1].write_bytes(vectors[1].read_bytes()[:-1] + b"x")  # as long as before
    ids[2].write_bytes(ids[2].read_bytes()[:-20])
    with pytest.raises(InputError, match="missing or damaged"):
        EncodedTexts.open(out, verify=True)
    encode(base, texts, out)
    assert seen == [16, 16, 16]
    assert files_of(out) == whole

    seen.clear()
    write_jsonl(texts, [*rows(), {"id": "new", "lang": "de", "text": "de5"}])
    assert len(encode(base, texts, out)) == N + 1
    assert seen == [3], "only the shard that grew"
    assert len(files_of(out)) == 9, "what the texts were before is gone"


def test_a_directory_of_something_else_is_refused(base: str, tmp_path: Path) -> None:
    texts, out = write_jsonl(tmp_path / "t.jsonl", rows(5)), tmp_path / "out"
    encode(base, texts, out)
    before = files_of(out)
    for settings in ({"kind": "query"}, {"dtype": "float32"}, {"precision": "bf16"}, {"batch_size": 3}):
        with pytest.raises(InputError, match=f"differ in {next(iter(settings))}"):
            encode(base, texts, out, **settings)
    with pytest.raises(InputError, match="differ in model"):
        encode(str(tiny_base(tmp_path / "other", seed=1)), texts, out)
    assert files_of(out) == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "meta.json").write_text("{}")
    with pytest.raises(InputError, match="not of isoglot encode"):
        encode(base, texts, tmp_path / "mine")
    with pytest.raises(InputError, match="nothing that isoglot encode wrote"):
        EncodedTexts.open(tmp_path)


def test_an_interrupted_directory_says_so_and_is_gone_on_with(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, out = write_jsonl(tmp_path / "t.jsonl", rows()), tmp_path / "out"
    encode(base, texts, tmp_path / "whole")
    calls = 0
    real = encode_texts

    def breaks(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return real(*arguments, **named)

    monkeypatch.setattr(shard_encoder, "encode_texts", breaks)
    with pytest.raises(KeyboardInterrupt):
        encode(base, texts, out)
    with pytest.raises(InputError, match="not finished"):
        EncodedTexts.open(out)
    encode(base, texts, out)
    assert calls == 5
    assert files_of(out) == files_of(tmp_path / "whole")


def test_texts_that_change_between_cutting_and_encoding_are_noticed(base: str, tmp_path: Path) -> None:
    texts = write_jsonl(tmp_path / "t.jsonl", rows())
    shards = cut_files([texts], 16)
    changed = rows()
    changed[20]["text"] = "de9"
    write_jsonl(texts, changed)
    with pytest.raises(InputError, match=r"t\.jsonl: changed while it was encoded"):
        encode_shards(base, shards, tmp_path / "out", EncodeSettings(shard_size=16), progress=False)


def test_texts_in_memory_give_the_files_of_a_file(base: str, tmp_path: Path) -> None:
    content = rows()
    encode(base, write_jsonl(tmp_path / "t.jsonl", content), tmp_path / "out")
    columns = [[row[name] for row in content] for name in ("id", "lang", "text")]
    held = [
        HeldShard(start, ShardTexts(*(column[start : start + 16] for column in columns))) for start in range(0, N, 16)
    ]
    encode_shards(base, held, tmp_path / "held", progress=False)
    assert files_of(tmp_path / "held") == files_of(tmp_path / "out")


def test_vectors_too_long_for_float16_are_refused(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    path = tiny_base(tmp_path / "long")
    weights = load_file(path / "model.safetensors")
    key = next(key for key in weights if key.endswith("layer.1.output.LayerNorm.weight"))
    weights[key] = weights[key] + np.float32(1e6)
    save_file(weights, path / "model.safetensors", {"format": "pt"})
    texts = write_jsonl(tmp_path / "t.jsonl", rows(5))
    spec, shards = ModelSpec(str(path), similarity="dot"), cut_files([texts], 16)
    with pytest.raises(InputError, match="'d0' is too long for float16; give --dtype float32"):
        encode_shards(spec, shards, tmp_path / "out", progress=False)
    single = EncodeSettings(dtype="float32")
    assert np.abs(encode_shards(spec, shards, tmp_path / "single", single, progress=False).vectors[:]).max() > 65504


def test_what_a_worker_finds_must_be_the_same_model(base: str, tmp_path: Path) -> None:
    """A worker of another machine may have other files under the same name."""
    (shard,) = cut_files([write_jsonl(tmp_path / "t.jsonl", rows(5))], 16)
    work = shard_encoder.ShardWork(ModelSpec(base), "of another model", EncodeSettings(), tmp_path)
    answer = shard_encoder.attempt(shard_encoder.ShardEncoder(work, "cpu"), shard)
    with pytest.raises(InputError, match="a worker finds another model under this name"):
        answer.check()
    assert not list(tmp_path.glob("rows-*"))


def test_engines_and_workers_that_do_not_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_engine(None, Workers()).name == "local"
    assert choose_engine(None, Workers(2)).name == "processes"
    with pytest.raises(InputError, match="engine local is one process; for 2 workers give --engine processes or ray"):
        choose_engine("local", Workers(2))
    with pytest.raises(InputError, match="unknown engine 'rai'"):
        choose_engine("rai", Workers())
    for name, value in {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "x"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="under a launcher each process encodes its share"):
        choose_engine("processes", Workers(2))


def test_an_engine_that_leaves_shards_out_is_noticed(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a worker's disk is not this machine's."""
    monkeypatch.setattr(Local, "run", lambda *_: None)
    with pytest.raises(InputError, match="texts 1 to 16 is not there: on a disk that this machine does not see"):
        encode(base, write_jsonl(tmp_path / "t.jsonl", rows()), tmp_path / "out")


def test_shards_encoded_on_several_kinds_of_devices_are_said(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    texts, out = write_jsonl(tmp_path / "t.jsonl", rows()), tmp_path / "out"
    encode(base, texts, out)
    next(iter(sorted(out.glob("ids-*")))).unlink()
    monkeypatch.setattr(shard_encoder, "facts_of", lambda model: {"device": "cuda", "weights": "bfloat16"})
    encoded = encode(base, texts, out)
    assert "several ways (device cuda, weights bfloat16; device cpu, weights float32)" in capsys.readouterr().err
    assert len(encoded.meta["encoded"]) == 2


def test_engines_are_listed_and_none_else_has_their_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "encode-engines"]) == 0
    listed = capsys.readouterr().out
    assert all(f"  {name}" in listed for name in ENCODE_ENGINES.names())
    assert ENCODE_ENGINES.names() == ["local", "processes", "ray"]


def test_a_second_writer_waits_for_nobody(base: str, tmp_path: Path) -> None:
    from isoglot.one_writer import locked

    texts = write_jsonl(tmp_path / "t.jsonl", rows(5))
    with locked(tmp_path / "out"), pytest.raises(IsoglotError, match="is being written by"):
        encode(base, texts, tmp_path / "out")


def test_the_command_says_what_it_made(base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = write_jsonl(tmp_path / "t.jsonl", rows())
    words = ["encode", base, str(texts), "--output", str(tmp_path / "out"), "--shard-size", "20", "--prompt", "p: "]
    assert main(words) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{tmp_path / 'out'}: 50 vectors of 32 numbers (float16) in 3 shards\n"
    assert "3 of 3 shards to encode, by local: 1 worker, one thread each" in printed.err
    assert main([*words, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["n"], made["width"], made["prompt"], made["shards"]) == (50, 32, "p: ", 3)
    assert main([*words, "--gpus", "1"]) == 2
    assert "--gpus: for --engine ray" in capsys.readouterr().err
