"""The commands that `reliability.py` interrupts: what they do in one folder, and what they leave there."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from _moments import ForkedPool, ForkedProcess, start

TIMED = re.compile(
    r"seconds|per_second|peak_memory|checkpoint_bytes|^(started|ended|created|made|spent|evaluation_time|stamp)$"
    r"|^(summary\.json|report\.(html|md))$"  # digests of files that hold times
)
_NOT_COMPARED = re.compile(
    r"(^|/)(tensorboard/.*|report\.(html|md)|figures/.*|\.trash|checkpoint_bytes|log|memory|phase|lost\+found|.*-(wal|shm))$"
)
_OF_INDEX = re.compile(r"(keys|rows)-\d{6}-[0-9a-f]{16}\.npy")
Work = Callable[[], int]


@dataclass(frozen=True, init=False)
class Command:
    """A command of isoglot; jobs of a study in forks: one by one in its group, or (`own_groups`) as the pool has it."""

    words: tuple[str, ...]
    own_groups: bool = False

    def __init__(self, *words: str, own_groups: bool = False) -> None:
        object.__setattr__(self, "words", words)
        object.__setattr__(self, "own_groups", own_groups)

    def __call__(self) -> int:
        from isoglot.cli.main import main
        from isoglot.study import grid
        from isoglot.study.engines import processes

        if self.own_groups:
            processes.launch = ForkedProcess  # type: ignore[assignment]
        else:
            grid.Pool = ForkedPool  # type: ignore[assignment, misc]
        return main(list(self.words))


@dataclass(frozen=True)
class Case:
    """One command.

    Attributes:
        work: the command.
        share: of the moments at which it is killed, relative to other cases.
        before: commands that make what is there already.
        again: how it is started after a kill (None: in the same way).
        done: said by a second start that finds everything done, and refuses.
        kept: after a kill, does the older or the new content open?
        second: what becomes of a second writer: "refused" or "waits" ("": another case has the same kind of folder).
    """

    work: Work
    share: int = 2
    before: tuple[Work, ...] = ()
    again: Work | None = None
    done: str | None = None
    kept: Callable[[], bool] | None = None
    second: str = ""


@dataclass
class Place:
    """Folders of one session, and what the commands do in them."""

    home: Path
    area: Path
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.inputs, self.log = self.home / "inputs", self.home / "log"

    def cases(self) -> dict[str, Case]:
        """All commands by name."""
        pairs, model, bench = (str(self.inputs / name) for name in ("pairs.jsonl", "model", "bench"))
        run, result, store, packed = (str(self.area / name) for name in ("run", "result", "store", "packed"))
        study, exported, spec = str(self.area / "study"), str(self.area / "exported"), str(self.inputs / "study.yaml")
        train = ["--pairs", pairs, "--base", model, "--output", run, "--batch-size", "4", "--steps", "6"]
        words = ["train", "save_steps=2", "threads=1"]
        lora, full = [*words, "lora.rank=4", *train, "--tuning", "lora"], [*words, *train, "--tuning", "full"]
        checked = ["validation_share=0.25", "eval_steps=2", "validation_steps=2"]
        validated = [*words, *checked, *train, "--tuning", "full"]
        measure = ["evaluate", model, bench, "--store", store, "--output", result, "--overwrite"]
        other = ["evaluate", str(self.inputs / "other"), bench, "--output", result, "--overwrite"]
        pack = ["data", "pack", pairs, "--output", packed]
        fewer = ["data", "pack", str(self.inputs / "fewer.jsonl"), "--output", packed]
        mine = ["data", "mine", pairs, "--model", model, "--margin", "-2", "--output", str(self.area / "mined.jsonl")]
        mine += ["--store", store]
        translate = ["data", "translate", pairs, "--from", "en", "--to", "fr", "--backend", "command:tr a-z b-za"]
        translate += ["--batch-size", "4", "--output", str(self.area / "translated.jsonl")]
        translate += ["--dropped", str(self.area / "dropped.jsonl")]
        switch = ["data", "switch", pairs, "--lexicon", str(self.inputs / "en-de.tsv"), "--switch-probability", "1"]
        switch += ["--output", str(self.area / "switched.jsonl")]
        clean = ["data", "check", pairs, "--clean", str(self.area / "clean.jsonl")]
        documents = ["data", "from-docs", str(self.inputs / "docs/{lang}/*.md"), "--source-language", "en"]
        documents += ["--holdout", "25%", "--output", str(self.area / "documents.jsonl")]
        documents += ["--benchmark", str(self.area / "held-out")]
        run_study = Command("study", "run", spec, "--output", study, "--allow-leaks", "--threads", "1")
        export = Command("study", "export", study, exported, "--overwrite")
        from _outputs import others

        return {
            "train (LoRA)": Case(Command(*lora), 3, again=Command(*lora, "--resume"), second="refused"),
            "train (full)": Case(Command(*full), 3, again=Command(*full, "--resume")),
            "train (validation)": Case(Command(*validated), 3, again=Command(*validated, "--resume")),
            "train --overwrite": Case(Command(*lora, "--overwrite"), before=(Command(*full),), second="refused"),
            "evaluate --store, over an older result": Case(
                Command(*measure), 3, (Command(*other),), kept=self._result, second="refused"
            ),
            "data pack": Case(Command(*pack), done="exists already"),
            "data mine": Case(Command(*mine), done="exists already"),
            "data translate": Case(Command(*translate), done="exists already"),
            "data from-docs --holdout": Case(Command(*documents), done="exists already"),
            "data switch": Case(Command(*switch), 1, done="exists already"),
            "data check --clean": Case(Command(*clean), 1, done="exists already"),
            "data pack --overwrite": Case(
                Command(*pack, "--overwrite"), before=(Command(*fewer),), kept=self._packed, second="refused"
            ),
            "token store": Case(self._tokens, second="waits"),
            "embedding store": Case(self._embeddings, second="waits"),
            "corpus cache": Case(self._corpus, 1, second="waits"),
            "study run": Case(run_study, 3, second="refused"),
            "study export, over an older one": Case(
                export, before=(run_study, export), kept=self._exported, second="refused"
            ),
            **others(self.inputs, self.area),
        }

    def _result(self) -> bool:
        from isoglot.evaluation.results import load_result

        result = load_result(self.area / "result")
        return Path(result.summary["model"]).name in ("model", "other") and len(result.per_query) > 0

    def _packed(self) -> bool:
        from isoglot.data.pairs.packed import open_packed

        return open_packed(self.area / "packed", everything=True).facts["rows"] in (48, 64)

    def _exported(self) -> bool:
        from isoglot.study.analysis.reading import read_study

        return not read_study(self.area / "exported").missing

    def _tokens(self) -> int:
        from isoglot.batching.plan import BatchPlan, PlanSettings
        from isoglot.batching.sampler import PlanDataset
        from isoglot.data.pairs.loading import load_pairs
        from isoglot.models.load import load_model
        from isoglot.training import collate, tokens

        tokens.SEGMENT, tokens.IN_MEMORY, tokens._KEEP_FREE = 8, 0, 0
        table = load_pairs(self.inputs / "pairs.jsonl")
        steps = PlanDataset(table, BatchPlan(table.index, PlanSettings(batch_size=4)), 40)
        model = load_model(str(self.inputs / "model"), device="cpu")
        # False where they cannot be kept: training does without
        collate.Collator(model, root=self.area / "cache" / "tokens").prepare(steps, show=True)
        return 0

    def _embeddings(self) -> int:
        from isoglot.models.load import load_model
        from isoglot.retrieval.store import EmbeddingStore

        model = load_model(str(self.inputs / "model"), device="cpu")
        texts = [f"de{i % 50} en{i}" for i in range(60)]
        EmbeddingStore(self.area / "store").encode(model, "digest", "", texts, "passage", shard_size=6)
        return 0

    def _corpus(self) -> int:
        from isoglot.data.benchmarks.mapped import map_corpus

        return not len(map_corpus([self.inputs / "corpus.jsonl"], "toy").ids)

    def reset(self, before: Path | None = None) -> None:
        """The area as it was before the command."""
        for path in self.area.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if before is not None:
            shutil.copytree(before, self.area, dirs_exist_ok=True)

    def prepare(self, case: Case) -> Path:
        """Run what comes before, and keep what it makes."""
        self.reset()
        for work in case.before:
            child = start(work, self.log, self.area)
            if child.end():
                raise SystemExit(f"could not prepare: {child.said}")
        before = Path(tempfile.mkdtemp(dir=self.home))
        shutil.copytree(self.area, before, dirs_exist_ok=True)
        return before

    def reference(self, case: Case, before: Path) -> tuple[dict[str, str], int]:
        """What the command leaves when nobody interrupts it (the same twice, or SystemExit), and its changes to files."""
        trees = []
        for _ in range(2):
            self.reset(before)
            child = start(case.work, self.log, self.area)
            if child.end():
                raise SystemExit(f"fails by itself: {child.said}")
            trees.append(tree(self.area))
        if changed := difference(*trees):
            raise SystemExit(f"two runs differ by themselves: {changed}")
        return trees[1], child.events


def tree(folder: Path) -> dict[str, str]:
    """Every path under a folder -> digest of its content without times; folders have none."""
    digests, vectors = {}, set()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if _OF_INDEX.fullmatch(path.name):  # in which files they lie depends on where an earlier start ended
            vectors.add(path.parent)
        elif not _NOT_COMPARED.search(name):
            digests[name] = "" if path.is_dir() else hashlib.sha256(_without_times(path)).hexdigest()
    for place in vectors:
        keys, rows = (
            [row.tobytes() for path in sorted(place.glob(f"{kind}-*.npy")) for row in np.load(path)]
            for kind in ("keys", "rows")
        )
        whole = repr(sorted(zip(keys, rows))).encode()
        digests[f"{place.relative_to(folder).as_posix()}/vectors"] = hashlib.sha256(whole).hexdigest()
    return digests


def _without_times(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".sqlite":  # its rows: in which order they came decides the bytes
        with closing(sqlite3.connect(path)) as base:
            tables = sorted(name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'"))
            content = repr(
                [(name, sorted(base.execute(f"SELECT * FROM {name}"), key=repr)) for name in tables]
            ).encode()
    elif path.suffix in (".json", ".jsonl"):
        values = [json.loads(line) for line in content.splitlines()] if path.suffix == ".jsonl" else json.loads(content)
        content = json.dumps(_untimed(values, path)).encode()
    return content


def _untimed(value: Any, path: Path) -> Any:
    if isinstance(value, list):
        return [_untimed(entry, path) for entry in value]
    if not isinstance(value, dict):
        return value
    return {key: _untimed(entry, path) for key, entry in value.items() if not TIMED.search(key)}


def difference(wanted: dict[str, str], there: dict[str, str]) -> str:
    """The first paths in which two trees differ; "" where they are equal."""
    names = [name for name in sorted({*wanted, *there}) if wanted.get(name) != there.get(name)]
    kinds = [f"{'missing ' * (name not in there)}{'more: ' * (name not in wanted)}{name}" for name in names]
    return ", ".join(kinds[:5])


def is_litter(name: str) -> bool:
    """Is it a lock or a temporary file?"""
    last = name.rpartition("/")[2]
    return last.startswith(".") or ".next." in last


def is_chosen(name: str, chosen: list[str]) -> bool:
    """Does it hold one of the texts, if there are any?"""
    return not chosen or any(text in name for text in chosen)
