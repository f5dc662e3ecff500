"""Every kind of input: good files, the commands that read them, and what must hold of the answer."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from isoglot.cli.main import main
from isoglot.data.fit_texts import read_sources
from isoglot.errors import InputError

N = 4  # pairs, queries or passages of a file
LANGUAGES = ("de", "en")


class Wrong(AssertionError):
    """What a command did is neither right nor a clean refusal; `what`: uncounted, unnamed, traceback."""

    def __init__(self, what: str, detail: str) -> None:
        super().__init__(f"{what}: {detail}")
        self.what = what


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Attributes:
        files: good content by path.
        check: runs the commands on a folder that holds the files, `spoiled` being one of them; Wrong where something is.
        spoils: of the files those that are spoiled; () for all.
        seconds: of the processor that it may take.
        every: the tool spoils it in every so many rounds over the kinds: it is slow.
    """

    name: str
    files: Mapping[str, bytes]
    check: Callable[[Path, Path], None]
    spoils: tuple[str, ...] = ()
    seconds: int = 5
    every: int = 1

    @property
    def targets(self) -> tuple[str, ...]:
        return self.spoils or tuple(self.files)


@dataclass
class Answer:
    code: int
    out: str
    err: str


def run(*words: str) -> Answer:
    """A command in this process; a warning that is printed is no harm, a traceback is."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(word) for word in words])
        except SystemExit as exit:
            code = exit.code if isinstance(exit.code, int) else 2
    answer = Answer(code, out.getvalue(), err.getvalue())
    if "Traceback" in answer.err:
        raise Wrong("traceback", answer.err)
    return answer


def refused(message: str, spoiled: Path | None) -> None:
    """A last line of plain characters that names the file, or the folder that it is missing in."""
    message = message.rstrip("\n")
    *notes, error = message.split("\n")
    if not error or not all(line.startswith("isoglot: ") for line in notes):
        raise Wrong("unnamed", f"not one line: {message!r}")
    for character in error:
        if unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs") or character in "\u202e\u2066\u200f":
            raise Wrong("unnamed", f"control character {character!r} in {message!r}")
    if spoiled is not None and spoiled.name not in message and spoiled.parent.name not in message:
        raise Wrong("unnamed", f"no file named: {message!r}")


def accepted(answer: Answer, spoiled: Path | None) -> bool:
    """Whether the command did its work; Wrong where it neither did nor refused as it should."""
    if answer.code == 2:
        refused(answer.err, spoiled)
    elif answer.code not in (0, 1):
        raise Wrong("unnamed", f"exit code {answer.code}: {answer.err!r}")
    return answer.code != 2


def same(what: str, expected: object, found: object) -> None:
    if expected != found:
        raise Wrong("uncounted", f"{what}: {expected} in the file, {found} accounted for")


def filled_lines(path: Path) -> int:
    """Lines that are not blank, counted without the readers; a mark of byte order is no content."""
    if path.suffix == ".gz":
        with gzip.open(path) as source:
            data = source.read()
    else:
        data = path.read_bytes()
    return sum(bool(line.decode("utf-8", "replace").strip("\ufeff").strip()) for line in data.split(b"\n"))


# pairs


def pair_rows() -> list[dict[str, Any]]:
    return [
        {
            "id": f"p{number}" if number else 7,
            "lang": lang,
            "query": f"question {number} {lang}?",
            "passage": f"answer {number}, {lang}",
            "passage_id": f"a{number}",
            "negatives": [f"other {number} {lang}"],
        }
        for number in range(N)
        for lang in LANGUAGES
    ]


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def delimited(delimiter: str, encoding: str = "utf-8", before: str = "") -> bytes:
    sink = io.StringIO()
    sink.write(before)
    rows = [{**row, "negatives": json.dumps(row["negatives"])} for row in pair_rows()]
    writer = csv.DictWriter(sink, list(rows[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return sink.getvalue().encode(encoding)


def one_column_per_language() -> bytes:
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(["id", *(f"{side}_{lang}" for lang in LANGUAGES for side in ("query", "passage"))])
    writer.writerows([n, *(f"{side} {n} {lang}" for lang in LANGUAGES for side in "qp")] for n in range(N))
    return sink.getvalue().encode()


def parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def n_rows(path: Path) -> int | None:
    """Rows of a file of pairs, counted without the readers; None where quotes decide."""
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        return int(pq.ParquetFile(path).metadata.num_rows)
    return filled_lines(path) if name.endswith(".jsonl") else None


def check_pairs(folder: Path, spoiled: Path) -> None:
    """`data check` counts every row; what it lets pass loads and makes a plan, what it does not is refused."""
    from isoglot.data.pairs.loading import load_pairs

    answer = run("data", "check", str(spoiled), "--json")
    if accepted(answer, spoiled):
        report = json.loads(answer.out)
        rows = sum(sum(source["rows"].values()) for source in report["sources"].values())
        if (expected := n_rows(spoiled)) is not None:
            same("rows", expected, rows + len(report["problems"]))
    try:
        table = load_pairs(spoiled)
    except InputError as error:
        refused(str(error), spoiled)
        if answer.code == 0:
            raise Wrong("unnamed", f"data check passes what does not load: {error}") from None
        return
    if answer.code != 0:
        raise Wrong("unnamed", f"data check refuses what loads: {answer.err}")
    same("rows", rows, len(table))
    assert table.digest
    accepted(run("plan", "--pairs", str(spoiled), "--batch-size", "2", "--steps", "2"), None)


def pairs_kind(name: str, data: bytes, what: str = "") -> Kind:
    return Kind(f"pairs {what or name.partition('.')[2]}", {name: data}, check_pairs)


def check_table(options: str) -> Callable[[Path, Path], None]:
    """A table that is written otherwise: what `data check --clean` keeps and drops is all that it reads."""

    def check(folder: Path, spoiled: Path) -> None:
        clean = folder.parent / "clean.jsonl"
        answer = run("data", "check", f"table:{spoiled}?{options}", "--clean", str(clean), "--overwrite", "--json")
        if accepted(answer, spoiled):
            report = json.loads(answer.out)
            rows = sum(sum(source["rows"].values()) for source in report["sources"].values())
            same("rows", report["rows_read"], rows + len(report["problems"]))
            same("kept and dropped", report["rows_read"], report["rows_kept"] + sum(report["rows_dropped"].values()))
            same("written", report["rows_kept"], filled_lines(clean))

    return check


def check_source(form: str) -> Callable[[Path, Path], None]:
    def check(folder: Path, spoiled: Path) -> None:
        accepted(run("data", "check", f"{form}:{folder}", "--json"), spoiled)

    return check


def check_lexicon(name: str) -> Callable[[Path, Path], None]:
    """`data switch` counts every translation of a lexicon and every row of the pairs."""

    def check(folder: Path, spoiled: Path) -> None:
        pairs, out = str(folder / "p.jsonl"), folder.parent / "switched.jsonl"
        command = ["data", "switch", pairs, "--lexicon", str(folder / name), "--output", str(out)]
        answer = run(*command, "--overwrite", "--switch-probability", "1", "--json")
        if not accepted(answer, spoiled):
            return
        report = json.loads(answer.out)
        same("rows", filled_lines(out), report["rows_written"])
        same("rows", report["rows_written"], report["rows_read"] + sum(report["rows_added"].values()))
        (lexicon,) = report["lexicons"]
        if not name.endswith(".index"):  # there an entry has several
            same("translations", filled_lines(folder / name), lexicon["translations"] + lexicon["left_out"])

    return check


def lexicon_kinds() -> list[Kind]:
    from tests.lexicons import dictd_files

    pairs = {"p.jsonl": jsonl([row for row in pair_rows() if row["lang"] == "en"])}
    files = {
        "en-de.tsv": b"question\tFrage\nanswer\tAntwort\nother\tandere\n",
        "en-de.txt": b"question Frage\nanswer\tAntwort\nother andere\n",
        "en-de.titles.tsv": b"Question_(text)\tFrage (Text)\nAnswer\tAntwort\n",
    }
    kinds = [
        Kind(f"lexicon {name.partition('.')[2]}", {**pairs, name: data}, check_lexicon(name), (name,))
        for name, data in files.items()
    ]
    dictd = dictd_files()
    check = check_lexicon("freedict-eng-deu.index")
    return [*kinds, Kind("lexicon dictd", {**pairs, **dictd}, check, tuple(dictd))]


# benchmarks


def texts(side: str, lang: str) -> bytes:
    title = {"title": f"title {lang}"} if side == "d" else {}
    return jsonl(
        [{"_id": f"{side}{i}{lang if side == 'd' else ''}", **title, "text": f"{side} {i} {lang}"} for i in range(N)]
    )


def benchmark_files() -> dict[str, bytes]:
    sides = {"queries": "q", "corpus": "d"}
    files = {f"{name}/{lang}.jsonl": texts(side, lang) for name, side in sides.items() for lang in LANGUAGES}
    qrels = "".join(f"q{i} 0 d{i}{lang} {1 + i % 2}\n" for i in range(N) for lang in LANGUAGES)
    about = {"name": "toy", "license": "CC0", "source": "made", "year": 2020}
    return {**files, "qrels.tsv": qrels.encode(), "benchmark.json": json.dumps(about).encode()}


def check_benchmark(folder: Path, spoiled: Path) -> None:
    answer = run("data", "texts", str(folder), str(folder.parent / "texts"))
    if not accepted(answer, spoiled):
        return
    counts = [int(number) for number in re.findall(r"(\d+) (?:queries|documents)", answer.out)]
    inside = [sum(map(filled_lines, (folder / name).glob("*.jsonl*"))) for name in ("queries", "corpus")]
    same("texts", inside, counts)


def check_evaluated(folder: Path, spoiled: Path) -> None:
    answer = run("evaluate", "bm25", str(folder), "--measures", "nDCG@10", "--json")
    if accepted(answer, spoiled):
        finite(json.loads(answer.out)["settings"])


def finite(scores: Any) -> None:
    if not np.isfinite([value for by in scores.values() for value in by.values()]).all():
        raise Wrong("uncounted", f"a figure that is no number: {scores}")


def lareqa_files() -> dict[str, bytes]:
    def paragraph(lang: str, number: int) -> dict[str, Any]:
        sentences = [f"First {number} {lang}.", f"Second {number} {lang}."]
        ends = [len(sentences[0]), len(sentences[0]) + len(sentences[1])]
        asked = [
            {
                "id": f"q{number}{i}",
                "question": f"what {number} {i} {lang}?",
                "answers": [{"text": "x", "answer_start": 9 * i}],
            }
            for i in range(2)
        ]
        context = {"context": "".join(sentences), "sentences": sentences, "sentence_breaks": [[0, ends[0]], ends]}
        return {**context, "qas": asked}

    return {
        f"{lang}.json": json.dumps(
            {"data": [{"title": "T", "paragraphs": [paragraph(lang, i) for i in range(2)]}]}
        ).encode()
        for lang in LANGUAGES
    }


def check_lareqa(folder: Path, spoiled: Path) -> None:
    answer = run("data", "check", f"lareqa:{folder}", "--json")
    accepted(answer, spoiled)
    accepted(run("data", "texts", str(folder), str(folder.parent / "texts")), spoiled)


def miracl_files() -> dict[str, bytes]:
    corpus = jsonl([{"docid": f"{i}#0", "title": f"t{i}", "text": f"maandishi {i}"} for i in range(N)])
    return {
        "miracl-v1.0-sw/topics/topics.miracl-v1.0-sw-dev.tsv": "".join(f"{i}\tswali {i}\n" for i in range(N)).encode(),
        "miracl-v1.0-sw/qrels/qrels.miracl-v1.0-sw-dev.tsv": "".join(f"{i}\tQ0\t{i}#0\t1\n" for i in range(N)).encode(),
        "corpus/sw/docs-0.jsonl.gz": gzip.compress(corpus, mtime=0),
    }


def check_miracl(folder: Path, spoiled: Path) -> None:
    target = str(folder.parent / "texts")
    answer = run("data", "texts", "miracl", target, "--languages", "sw", "--data-dir", str(folder))
    nothing_judged = answer.code == 2 and "no query has a relevant document" in answer.err  # in no file of several
    if accepted(answer, None if nothing_judged else spoiled):
        counts = [int(number) for number in re.findall(r"(\d+) (?:queries|documents)", answer.out)]
        files = list(miracl_files())
        same("texts", [filled_lines(folder / files[0]), filled_lines(folder / files[2])], counts)


def belebele_files() -> dict[str, bytes]:
    rows = [
        {"link": f"l{i // 2}", "question_number": i, "flores_passage": f"passage {i // 2}", "question": f"what {i}?"}
        for i in range(N)
    ]
    return {"eng_Latn.jsonl": jsonl(rows), "deu_Latn.parquet": parquet(rows)}


def check_belebele(folder: Path, spoiled: Path) -> None:
    accepted(run("data", "texts", "belebele", str(folder.parent / "texts"), "--data-dir", str(folder)), spoiled)


# vectors


def vector_files() -> dict[str, bytes]:
    files = {}
    for number, side in enumerate("qd"):
        for lang in LANGUAGES:
            rows = np.random.default_rng([number, *lang.encode()]).normal(size=(N, 3)).astype(np.float32)
            folder = "vectors/queries" if side == "q" else "vectors/corpus"
            if lang == "de":
                ids = [json.loads(line)["_id"] for line in texts(side, lang).splitlines()]
                files[f"{folder}/{lang}.parquet"] = parquet(
                    [{"id": k, "embedding": row.tolist()} for k, row in zip(ids, rows)]
                )
            else:
                sink = io.BytesIO()
                np.save(sink, rows)
                files[f"{folder}/{lang}.npy"] = sink.getvalue()
    return files


def check_vectors(folder: Path, spoiled: Path) -> None:
    words = ("--embeddings", str(folder / "vectors"), "--measures", "nDCG@10", "--json")
    answer = run("evaluate", "given", str(folder), *words)
    if accepted(answer, spoiled):
        finite(json.loads(answer.out)["settings"])


def repair_files() -> dict[str, bytes]:
    """A corpus of texts with their languages, vectors to fit on, and maps that were fitted on them."""
    import tempfile

    rows = [{"id": number, "lang": lang, "text": f"text {number} {lang}"} for number in range(N) for lang in LANGUAGES]
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        write(home, vector_files())
        vectors = str(home / "vectors")
        words = ("--fit", vectors, "--embeddings", vectors, "--method", "centring")
        assert run("debias", *words, "--output", str(home / "out")).code == 0
        maps = {f"maps/{file}": (home / "out" / file).read_bytes() for file in ("debias.json", "debias.safetensors")}
    return {"texts.jsonl": jsonl(rows), **vector_files(), **maps}


def check_repair(folder: Path, spoiled: Path) -> None:
    import tempfile

    vectors = str(folder / "vectors")
    with tempfile.TemporaryDirectory() as out:
        fit = ("--fit", vectors, "--method", "centring")
        for number, words in enumerate(((str(folder / "maps"),), fit)):
            answer = run("debias", *words, "--embeddings", vectors, "--output", f"{out}/{number}", "--json")
            if accepted(answer, spoiled):
                same("vectors", 4 * N, json.loads(answer.out)["corrected"]["vectors"])
    if spoiled.name == "texts.jsonl":
        try:
            read = read_sources([str(spoiled)])
        except InputError as error:
            refused(f"isoglot: {error}", spoiled)
        else:
            same("texts", filled_lines(spoiled), len(read.texts))


# results, runs and studies


@cache
def result_files() -> dict[str, bytes]:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        write(home / "toy", {**benchmark_files(), **vector_files()})
        for result, measures in (("a", "nDCG@10"), ("b", "nDCG@10")):
            words = (
                "--embeddings",
                str(home / "toy/vectors"),
                "--measures",
                measures,
                "AP",
                "--output",
                str(home / result),
            )
            assert run("evaluate", result, str(home / "toy"), *words).code == 0
        return {f"{r}/{f}": (home / r / f).read_bytes() for r in "ab" for f in ("summary.json", "per_query.parquet")}


def earlier_result_files() -> dict[str, bytes]:
    """Without the digest that tells damage at once: as earlier versions wrote them."""
    files = dict(result_files())
    for name in (name for name in files if name.endswith(".json")):
        summary = json.loads(files[name])
        summary["digests"].pop("per_query", None)
        files[name] = json.dumps(summary).encode()
    return files


def check_compare(folder: Path, spoiled: Path) -> None:
    answer = run("compare", str(folder / "a"), str(folder / "b"), "--resamples", "99", "--json")
    if accepted(answer, spoiled):
        json.loads(answer.out)
    accepted(run("compare", str(folder / "a"), str(folder / "b"), "--resamples", "99"), spoiled)


SPEC = b"""\
name: toy
question: Does it?   # a comment
base: [offline:multilingual-e5-small]
data: [{name: facts, pairs: ["facts:"], benchmarks: [faq], amount: [0.5, 1], languages: [en, de]}]
grid: {strategy: [mono, hybrid], mono_share: [0.2, .5], tuning: [lora, {name: small, kind: lora, rank: 4}]}
systems:
  fixed: [{debias: {method: lsar, fit: pairs}}]
  more: [hybrid-0.5-lora, {average: 0.75}]
seeds: [0, 1]
train: {steps: 20, batch_size: 8, warmup: 0.1, query_prompt: "query: ", per_tuning: {lora: {steps: 30}}}
learning_rates: {lora: [1e-3, 1e-4]}
selection: {steps: 5, validation_share: 0.1}
evaluate: {measures: [nDCG@10, AP], settings: [mono, cross, multi]}
claims:
  better: {of: {strategy: hybrid}, against: {strategy: mono}, measure: nDCG@10, setting: cross}
audit: false
"""


def check_spec(folder: Path, spoiled: Path) -> None:
    from isoglot.study.read_spec import load_spec

    try:
        spec = load_spec(spoiled)
        assert spec.digest
        assert spec.all_systems()
    except InputError as error:
        refused(str(error), spoiled)


CONFIG = b"""\
pairs: [facts:]
output: run
languages: [de, en]
strategy: hybrid
mono_share: 0.5
batch_size: 8
steps: 3
learning_rate: 1e-4
warmup: 0.1
weight_decay: 0
query_prompt: "query: "
passage_prompt: 'passage: '
max_length: 128
precision: fp32
unpadded: false
seed: 3
lora: {rank: 8, alpha: 16}
loss: {infonce: {scale: 20}}
"""


def settings_of(*words: str) -> None:
    """The settings of `isoglot train` as the command makes them."""
    from isoglot.cli.main import parser
    from isoglot.cli.train import _settings

    settings = _settings(parser().parse_args(["train", *words]))
    assert json.dumps(settings.to_flat(), allow_nan=False)


def check_config(folder: Path, spoiled: Path) -> None:
    try:
        settings_of("--config", str(spoiled), "--pairs", "facts:", "--output", "run")
    except InputError as error:
        refused(str(error), spoiled)


def check_words(folder: Path, spoiled: Path) -> None:
    """A file of words: `key=value` for train, and changes of a spec."""
    from isoglot.study.read_spec import load_spec

    words = spoiled.read_bytes().decode("utf-8", "surrogateescape").replace("\0", "").splitlines()
    spec = folder / "spec.yaml"
    for attempt in (
        lambda: settings_of("--pairs", "facts:", "--output", "run", *words),
        lambda: load_spec(spec, [f"train.{word}" for word in words]),
        lambda: load_spec(spec, words),
    ):
        try:
            with contextlib.redirect_stderr(io.StringIO()) as err:
                attempt()
        except InputError as error:
            refused(str(error), None)
        except SystemExit:
            if "error:" not in err.getvalue():
                raise Wrong("unnamed", "usage without an error") from None


WORDS = (
    b"steps=3\nquery_prompt=query: \nlanguages=[en,no]\nlora.rank=8\nwarmup=.1\nloss={infonce: 1}\nscale=20\nseed=1\n"
)


def check_run(folder: Path, spoiled: Path) -> None:
    """The record of a run: resumed, and as what it says of a model."""
    from isoglot.training.rundir import RunDirectory
    from isoglot.training.settings import TrainSettings

    settings = TrainSettings(pairs=("facts:",), output=str(folder / "run"), steps=3)
    try:
        RunDirectory(folder / "run").check(settings, resume=True, overwrite=False)
    except InputError as error:
        refused(str(error), spoiled)


def run_files() -> dict[str, bytes]:
    from isoglot.training.settings import TrainSettings

    asked = TrainSettings(pairs=("facts:",), output="run", steps=3).to_flat()
    record = {"asked": asked, "data": {"digest": "x"}, "base": {"digest": "y"}, "outcome": {"steps": 3}}
    return {"run/run.json": json.dumps(record).encode()}


def study_files() -> dict[str, bytes]:
    home = Path(__file__).parents[2] / "results/demo"
    names = ("study.json", "results.json", "cost.json", "audit.json", "export.json", "per_query.parquet")
    return {f"study/{name}": (home / name).read_bytes() for name in names}


def check_study(folder: Path, spoiled: Path) -> None:
    accepted(run("study", "report", str(folder / "study"), "--no-figures"), spoiled)


# sources in the layouts of their publishers


def mmarco_files() -> dict[str, bytes]:
    return {
        "triples.train.ids.small.tsv": b"".join(b"%d\t%d\t%d\n" % (i, 10 + i, 20 + i) for i in range(N)),
        "english_queries.train.tsv": b"".join(b"%d\twhat %d\n" % (i, i) for i in range(N)),
        "english_collection.tsv": b"".join(b"%d\ttext %d\n" % (i, i) for i in range(30)),
    }


def mr_tydi_files() -> dict[str, bytes]:
    rows = [
        {
            "query_id": str(i),
            "query": f"what {i}?",
            "positive_passages": [{"docid": f"{i}#0", "title": "", "text": f"p {i}"}],
        }
        for i in range(N)
    ]
    return {"train.jsonl": jsonl(rows)}


def qa_files() -> dict[str, bytes]:
    return {"train-0.parquet": parquet([{"question": f"q {i}?", "answer": f"a {i}", "label": 1} for i in range(N)])}


def mfaq_files() -> dict[str, bytes]:
    rows = [{"qa_pairs": [{"question": f"q {i} {j}?", "answer": f"a {j}"} for j in range(2)]} for i in range(N)]
    return {"train.jsonl": jsonl(rows)}


# plain bitext


def check_bitext(pattern: str) -> Callable[[Path, Path], None]:
    """Rows and what is left out add up to the texts that were seen; what is checked is what loads."""

    def check(folder: Path, spoiled: Path) -> None:
        spec = pattern.replace("DIR", str(folder))
        answer = run("data", "check", spec, "--json")
        if not accepted(answer, spoiled):
            return
        report = json.loads(answer.out)
        rows = sum(sum(source["rows"].values()) for source in report["sources"].values())
        said = re.search(r"([0-9,]+) rows of ([0-9,]+) texts(?:; left out: ([^;\n]*))?", answer.err)
        if said is None:
            raise Wrong("uncounted", f"no line of counts: {answer.err!r}")
        written, texts = (int(said[group].replace(",", "")) for group in (1, 2))
        left = sum(int(number.replace(",", "")) for number in re.findall(r"(\d[\d,]*) [^,]+", said[3] or ""))
        same("texts", texts, written + left)
        duplicates = sum("duplicate row" in problem for problem in report["problems"])
        same("rows", written, rows + duplicates)

    return check


def bitext_kinds() -> list[Kind]:
    lines = [(f"text {i} of {N}", f"Text {i} von {N}") for i in range(N)]
    po = 'msgid ""\nmsgstr ""\n"Language: de\\n"\n"Plural-Forms: nplurals=2; plural=n != 1;\\n"\n\n'
    po += "".join(f'#: a.c:{i}\nmsgctxt "c{i}"\nmsgid "{a}"\nmsgstr "{b}"\n\n' for i, (a, b) in enumerate(lines))
    po += 'msgid "a file"\nmsgid_plural "%d files"\nmsgstr[0] "eine Datei"\nmsgstr[1] "%d Dateien"\n\n'
    po += '#, fuzzy\nmsgid "x"\nmsgstr "y"\n\n#~ msgid "old"\n#~ msgstr "alt"\n'
    tmx = '<?xml version="1.0"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n<tmx version="1.4"><header srclang="en"/><body>\n'
    xliff = (
        '<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">\n<file original="a" source-language="en" '
    )
    xliff += 'target-language="de"><body>\n'
    xliff2 = (
        '<xliff version="2.0" xmlns="urn:oasis:names:tc:xliff:document:2.0" srcLang="en" trgLang="de">\n<file id="f">\n'
    )
    for i, (a, b) in enumerate(lines):
        tmx += (
            f'<tu><tuv xml:lang="en"><seg>{a}<ph>&lt;br></ph></seg></tuv><tuv xml:lang="de"><seg>{b}</seg></tuv></tu>\n'
        )
        xliff += f'<trans-unit id="{i}"><source>{a}</source><target>{b}</target></trans-unit>\n'
        xliff2 += (
            f'<unit id="{i}"><segment><source>{a} <pc id="1">b</pc></source><target>{b}</target></segment></unit>\n'
        )
    columns = [{"en": a, "de": b} for a, b in lines]
    corpus = {f"c.{lang}": "".join(f"{row[lang]}\n" for row in columns).encode() for lang in LANGUAGES}
    sentences = "".join(f"{i + 1}\teng\t{a}\n{i + 11}\tdeu\t{b}\n" for i, (a, b) in enumerate(lines))
    links = "".join(f"{i + 1}\t{i + 11}\n{i + 11}\t{i + 1}\n" for i in range(N))
    return [
        Kind("gettext", {"app.po": po.encode()}, check_bitext("po:DIR/app.po")),
        Kind("gettext, compiled", {"app.mo": compiled(po)}, check_bitext("po:DIR/app.mo")),
        Kind("tmx", {"m.tmx": f"{tmx}</body></tmx>\n".encode()}, check_bitext("tmx:DIR/m.tmx")),
        Kind("xliff 1.2", {"a.xlf": f"{xliff}</body></file></xliff>\n".encode()}, check_bitext("xliff:DIR/*.xlf")),
        Kind(
            "xliff 2.0",
            {"a.xlf.gz": gzip.compress(f"{xliff2}</file></xliff>\n".encode(), mtime=0)},
            check_bitext("xliff:DIR/a.xlf"),
        ),
        Kind("line-aligned files", corpus, check_bitext("moses:DIR/c.{lang}")),
        Kind(
            "tatoeba",
            {"sentences.csv": sentences.encode(), "links.csv": links.encode()},
            check_bitext("tatoeba:DIR/sentences.csv"),
        ),
        Kind(
            "pairs of texts",
            {"deu.txt": "".join(f"{a}\t{b}\n" for a, b in lines).encode()},
            check_bitext("tatoeba:DIR/deu.txt?languages=en,de"),
        ),
    ]


def compiled(po: str) -> bytes:
    import polib

    data: bytes = polib.pofile(po).to_binary()
    return data


# translated documents

DOCUMENTS = {
    "a.md": "# Title {lang}\n\nWords of {lang}, as many as that.\n\n## Next\n\n- one of {lang} and then some more\n",
    "b.html": "<html><head><title>T</title></head><body><h1 id='x'>Title {lang}</h1><p>Page of {lang} with words.</p>",
    "c.rst": "Title {lang}\n=============\n\nText of {lang} in that format.\n\n.. note:: Mind {lang} here.\n",
    "d.txt": "Title {lang}\n========\n\nPlain text of {lang} that nobody marked up.\n",
    "e.xml": "<article><title>Title {lang}</title><section id='s'><title>S</title><para>Book of {lang} that has words.</para>"
    "</section></article>",
    "f.page": "<page id='p'><title>Title {lang}</title><p>Mallard of {lang}, a page that has words.</p></page>",
    "g.xhp": "<helpdocument><body><h1 id='h'>Title {lang}</h1><paragraph>Help of {lang}, a page that has words.</paragraph>"
    "</body></helpdocument>",
    "h.csv": "key,heading,text\n1,Title {lang},Cells of {lang} that have words enough\n",
}


def document_files() -> dict[str, bytes]:
    from docx import Document

    files = {}
    for lang in LANGUAGES:
        document, sink = Document(), io.BytesIO()
        document.add_heading(f"Title {lang}", 1)
        document.add_paragraph(f"Document of {lang} that has words enough.")
        document.save(sink)
        files[f"{lang}/i.docx"] = sink.getvalue()
        files |= {f"{lang}/{name}": text.replace("{lang}", lang).encode() for name, text in DOCUMENTS.items()}
    return files


def check_documents(folder: Path, spoiled: Path) -> None:
    """Every section is a row or counted by the reason why it is none."""
    output = folder.parent / "pairs.jsonl"
    output.unlink(missing_ok=True)
    answer = run(
        "data",
        "from-docs",
        f"{folder}/{{lang}}/*",
        "--output",
        str(output),
        "--json",
        "--quiet",
        "--source-language",
        "en",
    )
    if not accepted(answer, spoiled):
        if output.exists():
            raise Wrong("unnamed", "pairs are written, and the command says that it failed")
        return
    facts = json.loads(answer.out)
    for lang, count in facts["sections"].items():
        same("sections", count, facts["rows"].get(lang, 0) + sum(facts["left_out"].get(lang, {}).values()))
    same("rows", filled_lines(output), sum(facts["rows"].values()))


def squad_files() -> dict[str, bytes]:
    def question(lang: str, number: int) -> dict[str, Any]:
        answers = [{"text": "x", "answer_start": 4}] if number else []
        return {
            "id": f"q{number}",
            "question": f"what {number} {lang}?",
            "answers": answers,
            "is_impossible": not number,
        }

    return {
        f"{lang}.json": json.dumps(
            {
                "version": "v2.0",
                "data": [
                    {
                        "title": "T",
                        "paragraphs": [{"context": f"One {lang}. Two.", "qas": [question(lang, i) for i in range(N)]}],
                    }
                ],
            }
        ).encode()
        for lang in LANGUAGES
    }


def beir_files() -> dict[str, bytes]:
    return {
        "corpus.jsonl": jsonl([{"_id": f"d{i}", "title": f"t{i}", "text": f"text {i}"} for i in range(N)]),
        "queries.jsonl": jsonl([{"_id": f"q{i}", "text": f"what {i}?"} for i in range(N)]),
        "qrels/train.tsv": b"query-id\tcorpus-id\tscore\n" + b"".join(b"q%d\td%d\t1\n" % (i, i) for i in range(N)),
    }


def mkqa_files() -> dict[str, bytes]:
    rows = [
        {
            "example_id": i,
            "queries": {lang: f"what {i} {lang}" for lang in LANGUAGES},
            "answers": {lang: [{"type": "entity", "text": f"it {i} {lang}"}] for lang in LANGUAGES},
        }
        for i in range(N)
    ]
    return {"mkqa.jsonl": jsonl(rows)}


def entity_files() -> dict[str, bytes]:
    rows = [{"question": f"where {i}?", "answers": [f"there {i}"]} for i in range(N)]
    return {f"dataset/train/P{n}.train.json": json.dumps(rows).encode() for n in (17, 19)}


# addresses and options

ADDRESSES = (
    "facts:eo\nlareqa:mlqa-r\nmmarco:.?languages=en&limit=3\nmfaq:hub\npairs.jsonl\nen/../..\nmr-tydi:\nnq:.?limit=2\n"
    "facts:en?entities=20%&without-relations=endonym\n"
    "po:{lang}/*.po?source=en\n"
    "facts:eo\nlareqa:mlqa-r\nmmarco:.?languages=en&limit=3\nmfaq:hub\nhub:a/b?query=q&lang=en\n"
    "squad:./{lang}.json?passage=sentence\nbeir:.?split=dev\npairs.jsonl\nen/../..\nmr-tydi:\nnq:.?limit=2\n"
)


def check_addresses(folder: Path, spoiled: Path) -> None:
    import os

    os.chdir(folder)
    for word in spoiled.read_bytes().decode("utf-8", "surrogateescape").replace("\0", "").split("\n"):
        for command in (("data", "check", "--json"), ("plan", "--batch-size", "2", "--steps", "1", "--pairs")):
            if not word.startswith("-"):
                accepted(run(*command[:2], word, *command[2:]) if command[0] == "data" else run(*command, word), None)


OPTIONS = "--resamples 99\n--seed 3\n--steps 2\n--show 1\n--batch-size 4\n--mono-share 0.5\n--trec-depth 5\n--corpus-sample 3\n"


def check_options(folder: Path, spoiled: Path) -> None:
    for line in spoiled.read_bytes().decode("utf-8", "surrogateescape").replace("\0", "").split("\n"):
        words = line.split(" ", 1)
        bench, vectors = str(folder / "toy"), ("--embeddings", str(folder / "toy/vectors"), "--measures", "AP")
        for command in (
            ("compare", str(folder / "a"), str(folder / "b")),
            ("plan", "--pairs", str(folder / "pairs.jsonl"), "--batch-size", "2", "--steps", "2"),
            ("evaluate", "x", bench, *vectors),
        ):
            answer = run(*command, *words)
            if answer.code not in (0, 1) and "error:" not in answer.err:
                accepted(answer, None)


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@cache
def kinds() -> dict[str, Kind]:
    rows = pair_rows()
    toy = benchmark_files()
    every = [
        pairs_kind("p.jsonl", jsonl(rows)),
        pairs_kind("p.csv", delimited(",")),
        pairs_kind("p.tsv", delimited("\t")),
        pairs_kind("wide.csv", one_column_per_language(), "one column per language"),
        pairs_kind("excel.csv", delimited(";", before="sep=;\n"), "csv with sep="),
        Kind("table cp1252", {"p.csv": delimited(";", "cp1252")}, check_table("encoding=cp1252")),
        Kind("table utf-16", {"p.txt": delimited("\t", "utf-16-le")}, check_table("encoding=utf-16-le&delimiter=tab")),
        pairs_kind("p.parquet", parquet([{**row, "id": str(row["id"])} for row in rows])),
        pairs_kind("p.jsonl.gz", gzip.compress(jsonl(rows), mtime=0)),
        pairs_kind("p.CSV.GZ", gzip.compress(delimited(","), mtime=0)),
        *lexicon_kinds(),
        Kind("benchmark folder", toy, check_benchmark),
        Kind("benchmark folder, measured", toy, check_evaluated),
        Kind("lareqa", lareqa_files(), check_lareqa),
        Kind("miracl", miracl_files(), check_miracl),
        Kind("belebele", belebele_files(), check_belebele),
        Kind("vectors", {**toy, **vector_files()}, check_vectors, tuple(vector_files())),
        Kind("debiasing", repair_files(), check_repair, seconds=10),
        Kind("results", result_files(), check_compare),
        Kind("results of earlier versions", earlier_result_files(), check_compare),
        Kind("study spec", {"spec.yaml": SPEC}, check_spec),
        Kind("train config", {"train.yaml": CONFIG}, check_config),
        Kind("key=value words", {"words": WORDS, "spec.yaml": SPEC}, check_words, ("words",)),
        Kind("run record", run_files(), check_run),
        Kind("study results", study_files(), check_study, seconds=20, every=5),
        Kind("mmarco", mmarco_files(), check_source("mmarco")),
        Kind("mr-tydi", mr_tydi_files(), check_source("mr-tydi")),
        Kind("wikiqa", qa_files(), check_source("wikiqa")),
        Kind("mfaq", mfaq_files(), check_source("mfaq")),
        *bitext_kinds(),
        Kind("documents", document_files(), check_documents, seconds=10),
        Kind("squad", squad_files(), check_source("squad")),
        Kind("beir", beir_files(), check_source("beir")),
        Kind("mkqa", mkqa_files(), check_source("mkqa")),
        Kind("entity-questions", entity_files(), check_source("entity-questions")),
        Kind(
            "addresses", {"addresses": ADDRESSES.encode(), "pairs.jsonl": jsonl(rows)}, check_addresses, ("addresses",)
        ),
    ]
    inside = {f"toy/{name}": data for name, data in {**toy, **vector_files()}.items()}
    files = {"options": OPTIONS.encode(), "pairs.jsonl": jsonl(rows), **inside, **result_files()}
    every.append(Kind("options", files, check_options, ("options",)))
    return {kind.name: kind for kind in every}
