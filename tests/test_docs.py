"""Every code block of README and docs is run, in the order of the page, with small stand-ins for models and data.

Shell blocks run in bash with an `isoglot` before the real one that puts a tiny model, a few pairs and a small benchmark in the
place of the large ones, and that runs in a fork of one process (`tests.warm`). `git clone` gives this repository, `make` says
what it would do, `pip` looks whether extras exist; nothing else of a block is changed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.training.tiny import WORDS, pair_rows, tiny_base
from tests.warm import CLIENT

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("README.md")),
]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

SHIM = """#!{python} -SE
import os, sys
{client}
words = sys.argv[1:]
names = {names!r}
words = [names.get(word, word) for word in words]
if words[:2] == ["study", "show"]:
    print(open("{small}").read())
    sys.exit()
if words[:2] == ["study", "run"]:
    words[2] = words[2] if words[2].endswith(".yaml") else "{small}"
    words += ["--threads", "1"]
for option, value in (("--steps", "3"), ("--batch-size", "6"), ("--resamples", "99")):
    if option in words:
        words[words.index(option) + 1] = value
if words[:1] == ["train"]:
    for option, value in (("--steps", "3"), ("--batch-size", "6"), ("--base", {base!r})):
        words += [] if option in words else [option, value]
if words[:1] == ["repair"]:
    words = " ".join(words).replace("--minutes 15", "--steps 3").split()
if words[:1] == ["train"] and os.path.isdir(words[words.index("--output") + 1]):
    words += ["--overwrite"]
if words[:1] in (["evaluate"], ["compare"], ["bias"], ["probe"]) or words[:2] == ["study", "export"]:
    words += ["--overwrite"]
if words[:1] == ["serve"]:  # gets signals
    os.execv({python!r}, [{python!r}, "-m", "isoglot", *words])
warm({socket!r}, words)
"""

TOOLS = {
    "git": 'test "$1 $2 $3" = "clone REPOSITORY isoglot" && ln -sfn {root} isoglot',
    "make": '{make} -C {root} --dry-run --no-print-directory "$@" > /dev/null',
    "pip": 'for word in "$@"; do case $word in isoglot*|.*) echo "$word" >> {folder}/installed;; esac; done',
}
"""Other commands of the pages, by what they do here."""

SERVED = r"""\1 --port 0 > served & server=$!
until grep -q serves served; do kill -0 $server; sleep .1; done; kill -TERM $server; wait $server"""
"""A server that would run until it is interrupted is stopped when it serves."""

SMALL_STUDY = """
question: Does it run?
name: small
base: ["{base}"]
data: [{{name: pairs, pairs: ["{pairs}"], benchmarks: ["{benchmark}"]}}]
strategy: [hybrid]
tuning: [lora]
audit: false
train: {{steps: 2, batch_size: 6}}
evaluate: {{measures: [AP, nDCG@10]}}
"""


def blocks(page: Path, *kinds: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(page.read_text(encoding="utf-8")) if kind in kinds]


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of a process that forks for every command."""
    folder = tmp_path_factory.mktemp("warm")
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.warm", str(folder / "socket")],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "TOKENIZERS_PARALLELISM": "false"},
            stderr=log,
        )
    try:
        while not (folder / "socket").exists():
            assert server.poll() is None, (folder / "log").read_text()[-2000:]
            time.sleep(0.05)
        yield folder / "socket"
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory, warm: Path) -> Path:
    """A directory with everything that the pages take for granted, small."""
    folder = tmp_path_factory.mktemp("docs")
    sheet = (ROOT / "examples" / "faq" / "faq.csv").read_text(encoding="utf-8")
    base = tiny_base(folder / "tiny", [*WORDS, *sorted(set(re.findall(r"\w+|[^\w\s]+", sheet)))])
    (folder / "examples").symlink_to(ROOT / "examples")
    fields = ("id", "lang", "query", "passage")
    lines = [
        json.dumps({**{key: getattr(row, key) for key in fields}, "document_id": int(row.id) // 4}) + "\n"
        for row in pair_rows()
    ]
    pairs = folder / "my-pairs.jsonl"
    pairs.write_text("".join(lines))
    write_tables(folder)
    write_documents(folder)
    benchmark = folder / "my-benchmark-folder"
    for side, text in (("queries", "query"), ("corpus", "passage")):
        (benchmark / side).mkdir(parents=True)
        for lang in ("de", "en", "zh"):
            rows = [row for row in pair_rows(9) if row.lang == lang]
            written = [
                {"_id": f"{lang}-{row.id}" if side == "corpus" else row.id, "text": getattr(row, text)} for row in rows
            ]
            (benchmark / side / f"{lang}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in written))
    (benchmark / "qrels.tsv").write_text("".join(f"{r.id}\t0\t{r.lang}-{r.id}\t1\n" for r in pair_rows(9)))
    spec = folder / "small.yaml"
    spec.write_text(SMALL_STUDY.format(base=base, pairs=pairs, benchmark=benchmark))
    names = {name: str(base) for name in ("offline:multilingual-e5-small", "multilingual-e5-base")}
    names |= {name: str(pairs) for name in ("lareqa:mlqa-r", "pairs.parquet", "facts:")}
    names |= {name: str(benchmark) for name in ("xquad-r", "mlqa-r", "faq", "my-benchmark-folder/")}
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    shim = bin_folder / "isoglot"
    shim.write_text(
        SHIM.format(python=sys.executable, names=names, small=spec, client=CLIENT, socket=str(warm), base=str(base))
    )
    shim.chmod(0o755)
    for name, does in TOOLS.items():
        (bin_folder / name).write_text(
            f"#!/bin/sh\n{does.format(root=ROOT, folder=folder, make=shutil.which('make'))}\n"
        )
        (bin_folder / name).chmod(0o755)
    (bin_folder / "python").write_text(
        f"#!{sys.executable} -SE\nimport sys\n{CLIENT}\nwarm({str(warm)!r}, sys.argv[1:])\n"
    )
    (bin_folder / "python").chmod(0o755)
    run(folder, "isoglot evaluate offline:multilingual-e5-small xquad-r --output results/base")
    for name in ("mono", "h0", "h1"):
        shutil.copytree(folder / "results" / "base", folder / "results" / name)
    run(folder, f"isoglot model average {base} {base} --output as-saved")  # a directory of sentence-transformers
    for name in ("hybrid", "repaired"):
        shutil.copytree(folder / "as-saved", folder / "runs" / name / "model")
        (folder / "runs" / name / "run.json").write_text(json.dumps({"asked": {}, "versions": {}}))
    (folder / "names.json").write_text(json.dumps(names))
    return folder


def write_documents(folder: Path) -> None:
    """A folder of pages, and rows of documents."""
    (folder / "my-docs").mkdir()
    for row in pair_rows(9):
        (folder / "my-docs" / f"{row.lang}-{row.id}.md").write_text(
            f"# {row.query}\n\n{row.passage}\n", encoding="utf-8"
        )
    (folder / "more.jsonl").write_text(json.dumps({"id": "page-7", "lang": "en", "text": "more of it"}) + "\n")


def write_tables(folder: Path) -> None:
    """Spreadsheets saved as CSV."""
    by_id = {number: [row for row in pair_rows() if row.id == number] for number in map(str, range(24))}
    tables = {
        "faq.csv": ["Nr;Language;Question;Answer", *(f"{r.id};{r.lang};{r.query};{r.passage}" for r in pair_rows())],
        "fragen.csv": ["Frage;Antwort", *(f"für {row.query};{row.passage}" for row in pair_rows())],
        "wide.csv": [
            ",".join(f"{side} ({row.lang})" for row in by_id["0"] for side in ("Question", "Answer")),
            *(",".join(f"{row.query},{row.passage}" for row in rows) for rows in by_id.values()),
        ],
    }
    for name, lines in tables.items():
        (folder / name).write_text("\n".join(lines), encoding="cp1252" if name == "fragen.csv" else "utf-8")


def small(code: str, names: dict[str, str]) -> str:
    """A Python block with the stand-ins, few steps and small batches."""
    for name, replacement in names.items():
        code = code.replace(f'"{name}"', repr(replacement))
    base = f"TrainSettings(base={names['multilingual-e5-base']!r}, "
    code = re.sub(r"TrainSettings\((?![^)]*base=)", lambda _: base, code)
    return re.sub(r"batch_size=\d+", "batch_size=6", re.sub(r"(steps|minutes)=\d+", "steps=3", code))


def run(folder: Path, script: str) -> str:
    environment = {
        **os.environ,
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_shell_and_python_blocks_run(page: Path, workshop: Path) -> None:
    for kind, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "python":
            (workshop / "block.py").write_text(small(text, json.loads((workshop / "names.json").read_text())))
            run(workshop, "python block.py")
        elif kind == "sh":
            text = re.sub(r"^torchrun --nproc-per-node \d+ -m isoglot", "isoglot", text, flags=re.MULTILINE)
            run(workshop, re.sub(r"^(isoglot serve [^#&\n]*)(#.*)?$", SERVED, text, flags=re.MULTILINE))


@pytest.mark.slow
def test_the_example_in_python_runs(workshop: Path) -> None:
    code = (ROOT / "examples" / "repair.py").read_text(encoding="utf-8")
    (workshop / "block.py").write_text(small(code, json.loads((workshop / "names.json").read_text())))
    assert "trained: mono" in run(workshop, "python block.py in-python")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_json_and_yaml_blocks_can_be_read(page: Path) -> None:
    for text in blocks(page, "json"):
        assert all(json.loads(line) for line in text.splitlines())
    for text in blocks(page, "yaml"):
        assert yaml.safe_load(text)


def test_extras_that_the_pages_install_exist() -> None:
    declared = re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    named = {
        extra
        for page in PAGES
        for group in re.findall(r"isoglot\[([\w,]+)\]", page.read_text(encoding="utf-8"))
        for extra in group.split(",")
    }
    assert named <= set(declared)
    assert shutil.which("bash")


def test_pages_made_of_docstrings_and_registries_are_up_to_date(workshop: Path) -> None:
    (workshop / "block.py").write_text(
        f"import sys; sys.path.insert(0, {str(ROOT / 'docs')!r})\n"
        "from make_api import PAGES, DOCS; print([n for n, w in PAGES.items() if w() != (DOCS / n).read_text('utf-8')])"
    )
    assert run(workshop, "python block.py").strip() == "[]", "run make docs"


def test_all_public_names_can_be_imported() -> None:
    import isoglot

    assert sorted(isoglot.__all__) == sorted(isoglot._MODULES)
    for name in isoglot.__all__:
        assert getattr(isoglot, name).__doc__, name
    code = "import sys, isoglot; sys.exit('torch' in sys.modules or 'pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_files_that_the_pages_name_exist() -> None:
    for page in PAGES:
        text = BLOCK.sub("", page.read_text(encoding="utf-8"))
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
    walks = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for name in re.findall(r"`([a-z_/]+\.py)`", walks):
        assert list((ROOT / "src" / "isoglot").rglob(name)), name
    for walk in re.findall(r"## One (?:pair|query).*?(?=\n## )", walks, re.DOTALL):
        assert len(re.findall(r"^\| \d+ ", walk, re.MULTILINE)) <= 15
