"""Pairs in further languages: rows, counts, the cache, kills, processes."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from isoglot.cli.main import main
from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.table import read_rows
from isoglot.data.pairs.writing import write_pairs
from isoglot.data.transform.members.translate import Translate, Translated, translate
from isoglot.data.transform.translation.cache import TranslationCache
from isoglot.data.transform.translation.library import batches
from isoglot.data.transform.translators.command import Command
from isoglot.errors import InputError
from isoglot.records import PairRow
from tests.data.translation.small import GOOD, english, program, table


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOGLOT_CACHE", str(tmp_path / "cache"))


def asked(backend: str, *to: str, **more: object) -> Translate:
    return Translate(**{"backend": backend, "to": to or ("de",), "filters": "none", **more})  # type: ignore[arg-type]


def rows_in(made: Translated, lang: str) -> list[PairRow]:
    return [row for row in read_rows(made.table.table) if row.lang == lang]


def counted(made: Translated) -> None:
    for report in made.reports.values():
        assert report.rows == report.there + report.written + sum(report.dropped.values())


def test_rows_keep_who_they_are(tmp_path: Path) -> None:
    rows = english()
    made = translate(table(rows), asked(program(tmp_path), "de", "fr"), progress=False)
    counted(made)
    assert rows_in(made, "en") == rows
    assert [row.lang for row in read_rows(made.table.table)] == ["en"] * 6 + ["de"] * 6 + ["fr"] * 6
    for old, new in zip(rows, rows_in(made, "fr")):
        assert (new.source, new.id, new.passage_id, new.document_id) == (old.source, old.id, old.passage_id, "d")
        assert new.query == " ".join(f"{word}fr" for word in old.query.split())
        assert new.negatives == ()
    assert rows_in(made, "de")[5].passage == "thingde 2de isde\n\n  thisde onede", "line breaks stay where they were"
    index = made.table.index
    assert index.n_pairs == 6
    assert index.group.tolist() == table(rows).index.group.tolist(), "a passage in two languages is one passage"


def test_each_text_once_in_however_many_rows(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = f"import sys\nopen({str(log)!r}, 'ab').write(open(0, 'rb', closefd=False).read()); sys.stdin.seek(0)\n{GOOD}"
    translate(table(english()), asked(program(tmp_path, code)), progress=False)
    lines = log.read_text().splitlines()
    assert len(lines) == len(set(lines)) == 6 + 3 + 2, "queries, passages, and the lines of a passage that has two"


def test_negatives_are_translated_where_asked_for(tmp_path: Path) -> None:
    rows = english()
    rows[0] = replace(rows[0], negatives=("not 0", rows[0].passage + " ", "boom"))
    code = GOOD.replace("print(", "print('' if 'boom' in line else ")
    made = translate(table(rows), asked(program(tmp_path, code), negatives=True), progress=False)
    counted(made)
    assert rows_in(made, "de")[1].negatives == ("notde 1de",)
    assert rows_in(made, "de")[0].negatives == ("notde 0de",), "one is empty, one has become the passage"
    assert made.reports["de"].negatives_dropped == 2


def test_rows_that_are_there_stay(tmp_path: Path) -> None:
    there = PairRow("made", "1", "de", "was ist das", "das ist es")
    made = translate(table([*english(), there]), asked(program(tmp_path), "de", "fr"), progress=False)
    counted(made)
    assert (made.reports["de"].there, made.reports["de"].written) == (1, 5)
    assert made.reports["fr"].there == 0
    assert there in rows_in(made, "de")
    assert sum(row.id == "1" for row in rows_in(made, "de")) == 1


def test_the_cache_serves_the_same_program_only(tmp_path: Path) -> None:
    pairs, backend = table(english()), program(tmp_path)
    first = translate(pairs, asked(backend), progress=False)
    assert first.taken["en", "de"] == (0, 11)
    again = translate(pairs, asked(backend, batch_size=2, workers=1, timeout=5), progress=False)
    assert again.taken["en", "de"] == (11, 11)
    assert again.table.digest == first.table.digest
    more = translate(table(english(7)), asked(backend), progress=False)
    assert more.taken["en", "de"] == (11, 13)
    assert translate(pairs, asked(backend, "fr"), progress=False).taken["en", "fr"] == (0, 11)
    assert translate(pairs, asked(backend, codes=["de=deu"]), progress=False).taken["en", "de"] == (0, 11)
    program(tmp_path, GOOD + "# another\n")
    assert translate(pairs, asked(backend), progress=False).taken["en", "de"] == (0, 11)


def test_damaged_caches_are_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    identity = {"name": "x"}
    cache = TranslationCache(identity, ("en", "de"))
    cache.add({"a": "A", "b": "B", "": "\x00"})
    assert cache.known(["a", "b", "c", ""]) == {"a": "A", "b": "B", "": "\x00"}
    with sqlite3.connect(cache.path) as base:
        base.execute("UPDATE translations SET text = 'Z' WHERE text = 'A'")
    assert cache.known(["a", "b"]) == {"b": "B"}
    assert "1 translations are damaged and are made again" in capsys.readouterr().err
    cache.path.write_bytes(b"no database, but long enough to be looked at as one" * 100)
    assert TranslationCache(identity, ("en", "de")).known(["a", "b"]) == {}
    assert f"{cache.path}: damaged (file is not a database)" in capsys.readouterr().err
    cache.path.write_bytes(cache.path.read_bytes().replace(b"CREATE TABLE", b"CREATE \xff\xfeABL"))
    assert TranslationCache(identity, ("en", "de")).known(["a", "b"]) == {}  # SQLite says what is wrong in these bytes
    assert f"{cache.path}: damaged (" in capsys.readouterr().err


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ISOGLOT_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match="file/translations"):
        translate(table(english()), asked(program(tmp_path)), progress=False)


def test_batches_hold_texts_of_one_length() -> None:
    texts = ["x" * size for size in (3, 900, 5, 4, 1000, 2500)] + ["y" * 3]
    made = list(batches(texts, 10))
    assert [len(text) for batch in made for text in batch] == [2500, 1000, 900, 5, 4, 3, 3]
    assert [len(batch) for batch in made] == [1, 2, 4], "at most 10 x 200 characters, or one text"
    assert max(map(len, batches(["a", "b", "c"], 2))) == 2


def test_killed_in_the_middle_it_goes_on(tmp_path: Path) -> None:
    """At most the batch that was under way is done again."""
    log = tmp_path / "log"
    code = f"import time\ntime.sleep(0.1)\n{GOOD}\nopen({str(log)!r}, 'a').write('x')\n"
    words = [program(tmp_path, code), "--batch-size", "2", "--filters", "none", "--to", "de"]
    write_pairs(table(english(40)), tmp_path / "in.jsonl")
    output = tmp_path / "out.jsonl"
    command = [
        sys.executable,
        "-m",
        "isoglot",
        "data",
        "translate",
        str(tmp_path / "in.jsonl"),
        "--output",
        str(output),
    ]
    process = subprocess.Popen([*command, "--backend", *words], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not log.exists() or len(log.read_text()) < 5:
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(0.3)  # its last program may still write
    done = len(log.read_text())
    assert not output.exists()
    answer = subprocess.run([*command, "--backend", *words, "--json"], capture_output=True, text=True, check=True)
    facts = json.loads(answer.stdout)
    taken, texts = facts["cache"]["en-de"]["taken"], facts["cache"]["en-de"]["texts"]
    assert 2 * (done - 1) <= taken <= 2 * done
    assert f"{taken} of {texts} texts (lines, each once) are taken from" in answer.stderr
    assert len(log.read_text()) - done <= -(-(texts - taken) // 2)
    assert facts["languages"]["de"]["written"] == 40
    assert len(load_pairs(output)) == facts["rows"] == 80


def test_several_processes_give_the_same(tmp_path: Path) -> None:
    code = f"import os, time\nopen({str(tmp_path)!r} + f'/parent{{os.getppid()}}', 'w')\ntime.sleep(0.2)\n{GOOD}"
    backend = program(tmp_path, code)
    made = translate(table(english()), asked(backend, workers=2, batch_size=2), progress=False)
    counted(made)
    assert [row.query for row in rows_in(made, "de")] == [f"whatde isde thingde {number}de" for number in range(6)], (
        "in the order of the rows"
    )
    parents = {path.name for path in tmp_path.glob("parent*")}
    assert len(parents) == 2
    assert f"parent{os.getpid()}" not in parents


def test_a_problem_in_a_process_is_one_line(tmp_path: Path) -> None:
    backend = program(tmp_path, "import sys; sys.exit('no data for this language')")
    with pytest.raises(InputError, match=r"fails on the text '1', too: it ended with exit code 1 \(no data for this"):
        translate(table(english()), asked(backend, workers=2, batch_size=2), progress=False)


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    pairs, good = table(english()), program(tmp_path)
    for settings, message in (
        ({"backend": "comand:x"}, r"unknown translator 'comand' \(did you mean 'command'\?\).*transformers:MODEL"),
        ({"backend": "command:"}, "backend 'command:': nothing behind the name; expected command:'PROGRAM"),
        ({"backend": "command:no-such-program {to}"}, "no program 'no-such-program' on this machine"),
        ({"backend": "command:'x"}, "No closing quotation"),
        ({"backend": "command:cat", "to": ["de", "fr"]}, "is the same for en-de and en-fr: write {from} and {to}"),
        ({"backend": "command:cat", "to": ["de"], "round_trip": 50}, "is the same for en-de and de-en"),
        ({"to": ["en"]}, "en is to be translated from, not into"),
        ({"to": ["xq"]}, "unknown language 'xq'"),
        ({"from_language": "es"}, r"no pairs in es \(languages there: en\)"),
        ({"filters": ["langth"]}, r"unknown filter 'langth' \(did you mean 'length'"),
        ({"codes": ["deu"]}, "codes 'deu': expected LANGUAGE=CODE such as es=spa"),
        ({"beams": 4}, "unknown setting 'beams'"),
        ({"timeout": 0}, "timeout must be above 0"),
        ({"workers": 0}, "workers must be at least 1"),
    ):
        with pytest.raises(InputError, match=message):
            translate(
                pairs, Translate(**{"backend": good, "to": ["de"], "filters": "none", **settings}), progress=False
            )


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = GOOD.replace("print(", "if '3' in line: sys.exit('three')\n    print(")
    write_pairs(table(english()), tmp_path / "in.jsonl")
    words = ["data", "translate", str(tmp_path / "in.jsonl"), "--to", "de", "--output", str(tmp_path / "out.jsonl")]
    words += [
        "--backend",
        program(tmp_path, code),
        "--filters",
        "copy",
        "length",
        "--dropped",
        str(tmp_path / "no.jsonl"),
    ]
    assert main(words) == 0
    shown = capsys.readouterr()
    assert "out.jsonl: 11 rows, 6 of them read, 5 translated" in shown.out
    assert "no translation of id '3' of source 'made' into de: query: it ended with exit code 1 (three)" in shown.err
    assert "the translated rows have no negatives (--negatives translates those that there are)" in shown.err
    (lost,) = map(json.loads, (tmp_path / "no.jsonl").read_text(encoding="utf-8").splitlines())
    assert (lost["id"], lost["lang"], lost["reason"]) == ("3", "de", "failed")
    assert len(load_pairs(tmp_path / "out.jsonl", languages=["de"])) == 5
    for more, message in (
        ([], "out.jsonl: exists already; give --overwrite"),
        (["--overwrite", "--dropped", str(tmp_path / "out.jsonl")], "out.jsonl: is --output as well"),
        (["--overwrite", "--devices", "cpu"], "unknown setting 'devices'"),
    ):
        (tmp_path / ".out.jsonl.translate.lock").touch()  # as a killed start leaves it
        assert main([*words, *more]) == 2
        assert message in capsys.readouterr().err
        assert "exists already" not in message or not (tmp_path / ".out.jsonl.translate.lock").exists()
    (tmp_path / "out.jsonl").unlink()  # as where the disk was full after the first of the two files
    assert main(words) == 0
    (tmp_path / "out.jsonl").unlink()
    (tmp_path / "no.jsonl").write_text("of somebody else\n")
    assert main(words) == 2
    assert "no.jsonl: exists already; give --overwrite" in capsys.readouterr().err


def test_words_of_the_command() -> None:
    command = Command(spec="apertium -u '{from}-{to}' x{to}", codes=["en=eng", "deu=ger"])
    assert command.words("en", "de") == ["apertium", "-u", "eng-ger", "xger"]
    assert command.words("en", "es") == ["apertium", "-u", "eng-es", "xes"]
