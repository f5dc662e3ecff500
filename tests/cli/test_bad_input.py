"""Every bad input: one clear line on stderr, exit code 2, nothing on stdout, nothing written."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isoglot.cli.main import main
from tests.training.tiny import tiny_base

GOOD = {"id": "1", "lang": "en", "query": "who", "passage": "me"}


def write(path: Path, *rows: Any) -> str:
    path.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8"
    )
    return str(path)


def parallel(n: int = 12, languages: tuple[str, ...] = ("de", "en")) -> list[dict[str, str]]:
    return [
        {"id": f"p{number}", "lang": lang, "query": f"q{number} {lang}", "passage": f"a{number} {lang}"}
        for number in range(n)
        for lang in languages
    ]


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must fail; gives its one line of stderr."""

    def run(*words: str, code: int = 2) -> str:
        before = sorted(tmp_path.rglob("*"))
        assert main(list(words)) == code
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1, err
        assert err.startswith("isoglot: ")
        assert "Traceback" not in err
        assert sorted(tmp_path.rglob("*")) == before, "something was written"
        return err

    return run


def train_words(tmp_path: Path, pairs: str, *more: str) -> list[str]:
    return ["train", "--pairs", pairs, "--output", str(tmp_path / "run"), "--batch-size", "4", "--steps", "2", *more]


def test_missing_file(tmp_path: Path, refused: Callable[..., str]) -> None:
    for command in (train_words(tmp_path, str(tmp_path / "no.jsonl")), ["plan", "--pairs", str(tmp_path / "no.jsonl")]):
        assert "no.jsonl: no such file" in refused(*command)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "2", "lang": "en", "query": "who"', ":2: not valid JSON"),
        ("[1, 2]", ":2: expected a JSON object, found list"),
        ({"id": "2", "lang": "en", "query": "who"}, ":2: field 'passage' is missing"),
        ({**GOOD, "id": "2", "passage": "  "}, ":2: field 'passage' is empty"),
        ({**GOOD, "id": "2", "query": ""}, ":2: field 'query' is empty"),
        ({**GOOD, "id": "2", "query": 3}, ":2: field 'query' must be text, found int"),
        ({**GOOD, "id": "2", "lang": "xq"}, ":2: unknown language 'xq'"),
        ({**GOOD, "id": "2", "negatives": "text"}, ":2: field 'negatives' must be a list"),
        (GOOD, ":2: duplicate row: id '1' in 'en' of source 'pairs' is already at"),
        ({**GOOD, "id": True}, ":2: field 'id' must be text, found bool True"),
        ({**GOOD, "id": 1.0}, ":2: field 'id' must be text or a whole number, found 1.0"),
        ({**GOOD, "id": 1 << 64}, ":2: field 'id' is a number of more than 64 bits"),
        ({**GOOD, "id": "2", "passage_id": float("nan")}, ":2: not valid JSON (NaN is no JSON number"),
        ({**GOOD, "id": "2", "passage_id": ["a"]}, ":2: field 'passage_id' must be text, found list"),
        ({**GOOD, "id": "2", "source": False}, ":2: field 'source' must be text, found bool False"),
        ({**GOOD, "id": "2", "query": "a\0b"}, ":2: field 'query' holds a NUL character"),
        ({**GOOD, "id": "2", "query": "half \ud83d"}, ":2: not valid JSON (half a surrogate pair"),
        ({**GOOD, "id": "2", "negatives": '["a"'}, ":2: field 'negatives' must be a list"),
        ({**GOOD, "id": "2", "lang": "en-../../x"}, ":2: unknown language 'en-../../x'"),
        ({**GOOD, "id": "2", "lang": "\x1b[31m"}, ":2: unknown language"),
        ('{"id": "2", "id": "3", "lang": "en", "query": "q", "passage": "p"}', ":2: not valid JSON (key 'id' is given"),
        ('{"id": ' + "9" * 5000 + "}", ":2: not valid JSON (a whole number of 5000 digits"),
        ("[" * 100_000, ":2: not valid JSON (nested too deeply"),
    ],
)
def test_a_malformed_line_names_file_and_line(
    tmp_path: Path, refused: Callable[..., str], line: Any, message: str
) -> None:
    path = write(tmp_path / "pairs.jsonl", GOOD, line)
    assert path + message in refused(*train_words(tmp_path, path))
    said = refused("plan", "--pairs", path)
    assert path + message in said
    assert said.rstrip("\n").isprintable()


def test_bytes_that_are_not_utf8(tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "pairs.jsonl").write_bytes(json.dumps(GOOD).encode() + b'\n{"id": "\xff"}\n')
    assert "pairs.jsonl:2: not UTF-8" in refused("plan", "--pairs", str(tmp_path / "pairs.jsonl"))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("p.csv", b"id,lang,query,passage\n1,en,who,\xff\n", "p.csv:2: not UTF-8 (invalid"),
        (
            "p.csv",
            "id,lang,query,passage\n1,en,who,☃\n2,en,caf\xff,x\n".encode().replace(b"\xc3", b""),
            "p.csv:3: not UTF-8",
        ),
        ("p.csv", "id,lang,query,passage\n".encode("utf-32"), "p.csv:1: UTF-32 (by its byte order mark)"),
        ("p.tsv", "id\tlang\tquery\tpassage\n".encode("utf-16-le"), "p.tsv:1: header lacks id, lang, passage, query"),
        ("p.csv", b"id,lang,query,passage\n" + b"1,en,q,p\n" * 700 + b"2,en,\xff,p\n", "p.csv:3: duplicate row"),
        ("p.csv", b"id,id,lang,query,passage\n1,2,en,q,p\n", "p.csv:1: column 'id' is there twice"),
        ("p.jsonl", json.dumps(GOOD).encode("utf-16"), "p.jsonl:1: not UTF-8 but UTF-16"),
        (
            "p.JSONL.GZ",
            gzip.compress(json.dumps(GOOD).encode() * 99, mtime=0)[:-9],
            "p.JSONL.GZ: not a complete gzip file",
        ),
        ("p.jsonl.gz", b"plain", "p.jsonl.gz: not a complete gzip file"),
    ],
)
def test_encodings_and_packing(
    tmp_path: Path, refused: Callable[..., str], name: str, data: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(data)
    assert message in refused("plan", "--pairs", str(tmp_path / name))


@pytest.mark.parametrize("name", ["p.jsonl", "p.csv", "p.parquet"])
def test_a_pipe_does_not_hang(tmp_path: Path, refused: Callable[..., str], name: str) -> None:
    os.mkfifo(tmp_path / name)
    assert f"{name}: is a pipe; expected a file" in refused("plan", "--pairs", str(tmp_path / name))


def test_a_bad_byte_in_a_csv_spoils_one_row_and_names_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [b"%d,en,who %d,me %d" % (n, n, n) for n in range(1000)]
    rows[3] = rows[700] = b"x,en,\xff,me"
    rows[9] = b'9,en,"two\nlines",me'
    (tmp_path / "p.csv").write_bytes(b"\xef\xbb\xbfid,lang,query,passage\r\n" + b"\r\n".join(rows))
    assert main(["data", "check", str(tmp_path / "p.csv"), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert [problem.rpartition("p.csv:")[2].partition(":")[0] for problem in report["problems"]] == ["5", "703"]
    assert report["rows_read"] == 1000 == report["sources"]["p"]["rows"]["en"] + 2


def test_a_cell_of_any_length(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.csv").write_text(f"id,lang,query,passage\n1,en,q,{'x' * 200_000}\n")
    assert main(["data", "check", str(tmp_path / "p.csv")]) == 0
    assert "200000" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([float("nan"), 2.0]), ":1: field 'passage_id' must be text or a whole number, found nan"),
        (
            pa.array([1.0, 2.0]),
            ":1: field 'passage_id' must be text or a whole number, found 1.0 (whole numbers with gaps",
        ),
        (pa.array([True, False]), ":1: field 'passage_id' must be text, found bool True"),
        (pa.array([b"\xff", b"x"]), ":1: field 'passage_id' must be text, found bytes"),
        (
            pa.array([b"\xff", b"x"]).view(pa.string()),
            ": not a Parquet file, or damaged (In column 4: Invalid: Invalid UTF8",
        ),
        (pa.array([2**31 - 1] * 2, pa.date32()), ": not a Parquet file, or damaged ("),
    ],
)
def test_columns_of_parquet(tmp_path: Path, refused: Callable[..., str], column: Any, message: str) -> None:
    table = pa.table(
        {"id": [1, 2], "lang": ["en"] * 2, "query": ["a", "b"], "passage": ["c", "d"], "passage_id": column}
    )
    pq.write_table(table, tmp_path / "p.parquet")
    assert f"p.parquet{message}" in refused("plan", "--pairs", str(tmp_path / "p.parquet"))


def test_files_of_another_kind(tmp_path: Path, refused: Callable[..., str]) -> None:
    assert "unknown format" in refused("plan", "--pairs", write(tmp_path / "pairs.docx", "x"))
    assert "not a Parquet file" in refused("plan", "--pairs", write(tmp_path / "pairs.parquet", "x"))
    assert "header lacks passage" in refused("plan", "--pairs", write(tmp_path / "pairs.csv", "id,lang,query"))
    bad = write(tmp_path / "bad.csv", "id,lang,query,passage", "1,en,who,me", "2,en,who")
    assert f"{bad}:3: expected 4 columns" in refused("plan", "--pairs", bad)
    assert "no rows" in refused("plan", "--pairs", write(tmp_path / "empty.jsonl"))
    assert "is a directory" in refused("plan", "--pairs", str(tmp_path))
    assert "unknown language 'klingon'" in refused("plan", "--pairs", "facts:klingon")


@pytest.mark.parametrize("strategy", ["cross", "hybrid"])
def test_one_language_cannot_cross(tmp_path: Path, refused: Callable[..., str], strategy: str) -> None:
    path = write(tmp_path / "pairs.jsonl", *parallel(languages=("en",)))
    assert "two or more languages" in refused(*train_words(tmp_path, path, "--strategy", strategy))


def test_a_language_that_is_not_there(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = write(tmp_path / "pairs.jsonl", *parallel())
    assert "no pairs in zh (languages there: de, en)" in refused(
        *train_words(tmp_path, path, "--languages", "de", "zh")
    )
    assert "unknown language 'xq'" in refused(*train_words(tmp_path, path, "--languages", "xq"))


def test_batches_larger_than_the_data(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = write(tmp_path / "pairs.jsonl", *parallel(n=3))
    assert "take a smaller batch" in refused(*train_words(tmp_path, path))


def test_settings(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = write(tmp_path / "pairs.jsonl", *parallel())
    assert "did you mean 'scale'" in refused(*train_words(tmp_path, path), "scael=3")
    assert "expected key=value" in refused(*train_words(tmp_path, path), "scale")
    assert "scale: expected a number, got 'high'" in refused(*train_words(tmp_path, path), "scale=high")
    assert "lora.rank: expected a whole number" in refused(*train_words(tmp_path, path), "lora.rank=2.5")
    assert "unknown setting 'lora.rnk'" in refused(*train_words(tmp_path, path), "lora.rnk=2")
    assert "unknown strategy 'both'; known: code-switch, cross, hybrid, mono" in refused(
        *train_words(tmp_path, path), "strategy=both"
    )
    config = write(tmp_path / "config.yaml", "scale: 3", "stepps: 4")
    assert f"{config}: unknown setting 'stepps'" in refused(*train_words(tmp_path, path, "--config", config))
    for line, message in {
        "scale: high": "scale: expected a number, got 'high'",
        "batch_size: 1": "batch_size must be at least 2, got 1",
        "mono_share: 3": "mono_share must be at most 1, got 3",
        "seed: 4294967296": "seed must be below 4294967296, got 4294967296",
        "lora: {rank: 0}": "lora.rank must be above 0, got 0",
        "loss: {nope: 1}": "loss: unknown loss term 'nope'",
    }.items():
        config = write(tmp_path / "config.yaml", line)
        said = refused("train", "--pairs", path, "--output", str(tmp_path / "run"), "--config", config)
        assert f"isoglot: {config}: {message}" in said, "the file is named, wherever the setting is kept inside"
    broken = write(tmp_path / "broken.yaml", "scale: 3", "lora: [1")
    assert f"{broken}:" in refused(*train_words(tmp_path, path, "--config", broken))
    assert "no such file" in refused(*train_words(tmp_path, path, "--config", str(tmp_path / "none.yaml")))
    assert "--pairs is missing" in refused("train", "--output", str(tmp_path / "run"))
    assert "--output is missing" in refused("train", "--pairs", path)


def test_unknown_base(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = write(tmp_path / "pairs.jsonl", *parallel())
    message = refused(*train_words(tmp_path, path, "--base", "no-such-model"))
    assert "no model 'no-such-model'" in message


def test_unknown_benchmark_measure_setting_language(tmp_path: Path, refused: Callable[..., str]) -> None:
    base = str(tiny_base(tmp_path / "base"))
    message = refused("evaluate", base, "xqad-r")
    assert "xqad-r" in message
    assert "xquad-r" in message
    assert "folder" in message
    assert "unknown measure 'mpa'" in refused("evaluate", base, "faq", "--measures", "mpa")
    assert "unknown setting 'all'" in refused("evaluate", base, "faq", "--settings", "all")
    assert "fr" in refused("evaluate", base, "faq", "--languages", "fr")
    assert "--trec-depth must be at least 1" in refused("evaluate", base, "faq", "--trec-depth", "0")
    assert "--trec-depth: expected a whole number, got '1e3'" in refused("evaluate", base, "faq", "--trec-depth", "1e3")
    assert "device 'meta': expected cpu" in refused("evaluate", base, "faq", "--device", "meta")
    assert "device 'cuda:99' cannot be used on this machine" in refused("evaluate", base, "faq", "--device", "cuda:99")
    assert "no model" in refused("evaluate", str(tmp_path / "none"), "faq")


def test_usage_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["nonsense"], ["train", "--strategy", "both"], ["evaluate"]):
        with pytest.raises(SystemExit) as caught:
            main(words)
        assert caught.value.code == 2


def test_data_check_lists_every_malformed_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "pairs.jsonl", *parallel(), "{", {**GOOD, "lang": "xq"}, parallel()[0])
    assert main(["data", "check", path]) == 1
    out, err = capsys.readouterr()
    assert "3 malformed line(s)" in out
    for number, what in ((25, "not valid JSON"), (26, "unknown language"), (27, "duplicate row")):
        assert f"{path}:{number}: {what}" in out
    assert err.count("\n") == 1
