"""Every reader of bytes with files that it takes, so that bytes can be spoiled in the tests and by a fuzzer that sees coverage.

A reader is called directly, not by its command (`tests/malformed` does that): thousands of inputs a second instead of tens.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from isoglot.errors import InputError, LineError
from tests.fuzz.trying import one_line, outcome
from tests.malformed.kinds import benchmarks, bitext, documents, pairs, sources, studies
from tests.malformed.kinds.shared import jsonl, pair_rows, write


@dataclass(frozen=True)
class Reader:
    """A reader of files.

    Attributes:
        name: of what it reads.
        files: good content by path; the first is spoiled.
        read: reads it, given the folder and the path of the spoiled file, and returns what it found.
    """

    name: str
    files: dict[str, bytes]
    read: Callable[[Path, Path], Any]

    @property
    def spoiled(self) -> str:
        return next(iter(self.files))

    @property
    def seed(self) -> bytes:
        return self.files[self.spoiled]


def try_bytes(reader: Reader, data: bytes, folder: Path) -> bool:
    """Whether bytes in the place of the file are read; they are refused in one line that names it, or an error is raised.

    Args:
        folder: that holds the other files of the reader, see `lay_out`.
    """
    path = folder / reader.spoiled
    path.write_bytes(data)
    found = outcome(lambda: reader.read(folder, path))
    if isinstance(found, InputError):
        line = one_line(found)
        assert path.name in line or path.parent.name in line, f"no file is named: {line}"
    return not isinstance(found, InputError)


def lay_out(reader: Reader, folder: Path) -> None:
    """Write the good files."""
    write(folder, reader.files)


def _drained(rows: Iterable[Any]) -> int:
    """Go through rows; those that are wrong say so in a line."""
    number = 0
    for row in rows:
        number += 1
        for part in row if isinstance(row, tuple) else ():
            if isinstance(part, LineError):
                one_line(part)
    return number


def _source(form: str) -> Callable[[Path, Path], Any]:
    """Rows of a source; DIR and FILE stand for the folder and the file."""

    def read(folder: Path, path: Path) -> int:
        from isoglot.data.pairs.source import read_source

        return _drained(read_source(form.replace("DIR", str(folder)).replace("FILE", str(path)), folder))

    return read


def _corpus(folder: Path, path: Path) -> int:
    from isoglot.data.document_rows import read_corpus

    return _drained(read_corpus(str(path)).rows)


def _texts(folder: Path, path: Path) -> int:
    from isoglot.data.corpus import read_texts

    return _drained(read_texts(str(path)))


def _page(folder: Path, path: Path) -> int:
    from isoglot.data.documents.format import format_of
    from isoglot.data.documents.sections import sections_of
    from isoglot.data.documents.settings import DocumentSettings

    format = format_of(path)
    assert format is not None
    return sum(len(sections_of(page)) for page in format.read(path, DocumentSettings()))


def _lexicon(folder: Path, path: Path) -> int:
    from isoglot.data.lexicons.loading import LexiconFile

    file = LexiconFile.parse(f"en-de={path}")
    return _drained(file.format.read(file.path))


def _benchmark(folder: Path, path: Path) -> Any:
    from isoglot.data.benchmarks.load import load_benchmark

    return load_benchmark(str(folder)).n_queries


def _spec(folder: Path, path: Path) -> Any:
    from isoglot.study.read_spec import load_spec

    return load_spec(path).digest


def _config(folder: Path, path: Path) -> Any:
    from isoglot.settings import build
    from isoglot.training.recipes import DEFAULT
    from isoglot.training.settings import TrainSettings
    from isoglot.yaml_input import read_yaml

    layers = [
        ("--recipe", {"recipe": DEFAULT}),
        (str(path), read_yaml(path)),
        ("option", {"pairs": "facts:", "output": "run"}),
    ]
    return build(TrainSettings, layers).to_flat()


def _result(folder: Path, path: Path) -> Any:
    from isoglot.evaluation.results import load_result

    return load_result(folder / "a")


def _vectors(folder: Path, path: Path) -> Any:
    from isoglot.data.benchmarks.load import load_benchmark
    from isoglot.evaluation.external import load_embeddings

    return load_embeddings(folder / "vectors", load_benchmark(str(folder)))


def _json(folder: Path, path: Path) -> Any:
    from isoglot.files import read_json

    return read_json(path)


def _yaml(folder: Path, path: Path) -> Any:
    from isoglot.yaml_input import read_yaml

    return read_yaml(path)


def _array(folder: Path, path: Path) -> Any:
    from isoglot.data.readers import read_array

    return read_array(path).shape


def _packed_study(folder: Path, path: Path) -> Any:
    from isoglot.study.packing import PackedStudy

    return PackedStudy(path)


def _packed_seed() -> bytes:
    from isoglot.study.packing import pack

    with tempfile.TemporaryDirectory() as name:
        pack(Path(name, "p"), {}, {"results": {"cells": [{"id": "a", "status": "done"}]}, "states": {"a": {}}})
        return Path(name, "p").read_bytes()


def _debias(folder: Path, path: Path) -> Any:
    from isoglot.models.language_maps import LanguageMaps

    return LanguageMaps.load(folder / "maps")


@cache
def readers() -> dict[str, Reader]:
    """All by name."""
    rows, found = pair_rows(), []

    def add(name: str, read: Callable[[Path, Path], Any], *files: tuple[str, bytes]) -> None:
        found.append(Reader(name, dict(files), read))

    add("pairs jsonl", _source("FILE"), ("p.jsonl", jsonl(rows)))
    add("pairs csv", _source("FILE"), ("p.csv", pairs.delimited(",")))
    add("pairs csv, wide", _source("FILE"), ("wide.csv", pairs.one_column_per_language()))
    add("pairs csv, sep=", _source("FILE"), ("excel.csv", pairs.delimited(";", before="sep=;\n")))
    add("pairs tsv", _source("FILE"), ("p.tsv", pairs.delimited("\t")))
    add("pairs parquet", _source("FILE"), ("p.parquet", pairs.parquet([{**row, "id": str(row["id"])} for row in rows])))
    add("pairs table, cp1252", _source("table:FILE?encoding=cp1252"), ("p.csv", pairs.delimited(";", "cp1252")))
    add("pairs table, gb18030", _source("table:FILE?encoding=gb18030"), ("p.csv", pairs.delimited(",", "gb18030")))
    utf_16 = pairs.delimited("\t", "utf-16-le")
    add("pairs table, utf-16", _source("table:FILE?encoding=utf-16-le&delimiter=tab"), ("p.txt", utf_16))
    for kind in bitext._bitext():
        form = {
            "gettext": "po:FILE",
            "gettext, compiled": "po:FILE",
            "tmx": "tmx:FILE",
            "xliff 1.2": "xliff:FILE",
            "xliff 2.0": "xliff:FILE",
            "line-aligned files": "moses:DIR/c.{lang}",
            "tatoeba": "tatoeba:DIR/sentences.csv",
            "pairs of texts": "tatoeba:FILE?languages=en,de",
        }[kind.name]
        files = dict(kind.files)
        if kind.name == "xliff 2.0":  # unpacked: a fuzzer does not learn to pack
            import gzip

            files = {"a.xlf": gzip.decompress(files["a.xlf.gz"])}
        add(kind.name, _source(form), *files.items())
    for form, layout in (
        ("mmarco", sources.mmarco_files()),
        ("mr-tydi", sources.mr_tydi_files()),
        ("mfaq", sources.mfaq_files()),
        ("squad", sources.squad_files()),
        ("squadshifts", sources.squadshifts_files()),
        ("beir", sources.beir_files()),
        ("mkqa", sources.mkqa_files()),
        ("entity-questions", sources.entity_files()),
        ("lareqa", benchmarks.lareqa_files()),
    ):
        add(form, _source(f"{form}:DIR"), *layout.items())
    add(
        "corpus jsonl",
        _corpus,
        ("c.jsonl", jsonl([{"id": n, "text": f"text {n}", "lang": "de", "year": 2000} for n in range(3)])),
    )
    add("texts", _texts, ("t.txt", b"line 1\nline 2\n"))
    add("texts jsonl", _texts, ("t.jsonl", jsonl(rows)))
    for name, text in documents.DOCUMENTS.items():
        add(f"document {name.partition('.')[2]}", _page, (name, text.replace("{lang}", "en").encode()))
    lexicons = {
        "tsv": ("en-de.tsv", b"question\tFrage\nanswer\tAntwort\n"),
        "muse": ("en-de.txt", b"question Frage\nanswer\tAntwort\n"),
        "titles": ("en-de.titles.tsv", b"Question_(text)\tFrage (Text)\nAnswer\tAntwort\n"),
    }
    for name, file in lexicons.items():
        add(f"lexicon {name}", _lexicon, file)
    from tests.lexicons import dictd_files

    add("lexicon dictd", _dictd, *sorted(dictd_files().items(), key=lambda file: not file[0].endswith(".index")))
    toy = benchmarks.benchmark_files()
    for first in ("qrels.tsv", "benchmark.json", "corpus/de.jsonl", "queries/en.jsonl"):
        add(f"benchmark {first}", _benchmark, (first, toy[first]), *toy.items())
    add("spec", _spec, ("s.yaml", studies.SPEC))
    add("settings", _config, ("c.yaml", studies.CONFIG))
    add("yaml", _yaml, ("y.yaml", studies.CONFIG + studies.SPEC.replace(b"name:", b"other:")))
    add("json", _json, ("j.json", b'{"a": [1, -2.5e-3, true, null, "\\u00e9\\n"], "b": {"c": ""}}'))
    add("exported study", _packed_study, ("packed", _packed_seed()))
    return {reader.name: reader for reader in found} | _of_results()


def _dictd(folder: Path, path: Path) -> int:
    return _lexicon(folder, next(folder.glob("*.index")))


def _of_results() -> dict[str, Reader]:
    """What takes a second to make."""
    from tests.malformed.kinds.debiasing import repair_files
    from tests.malformed.kinds.results import result_files, vector_files

    toy, vectors, results = benchmarks.benchmark_files(), vector_files(), result_files()
    maps = {name: data for name, data in repair_files().items() if name.startswith("maps/")}
    files = ("vectors/queries/de.parquet", "vectors/corpus/en.npy")
    every = [
        *((f"result {name}", name, results, _result) for name in ("a/summary.json", "a/per_query.parquet")),
        *((f"vectors {name}", name, {**toy, **vectors}, _vectors) for name in files),
        *((name, name, maps, _debias) for name in maps),
        ("array", files[1], {files[1]: vectors[files[1]]}, _array),
    ]
    return {name: Reader(name, {first: given[first], **given}, read) for name, first, given, read in every}
