"""What is left of a command that is killed at any moment, of what it reported when the power fails, and of two writers at once.

    python benchmarks/reliability.py kill                # SIGKILL before changes to files, then the same command again
    python benchmarks/reliability.py kill --moments 12   # fewer of them, evenly over all cases
    python benchmarks/reliability.py power               # as root: on a disk image that is copied without being synced
    python benchmarks/reliability.py writers

Figures go to results/reliability.json; exit code 1 where anything was blocked, lost or left. A second start must end with the
bytes of a run that was never interrupted. Compared is every file but what holds the times that a command states: fields of JSON
that match `TIMED`, TensorBoard's files, the report (which tables costs), and what a study notes of its jobs while it looks on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1")

import _small_inputs
from _moments import HUNG, ForkedPool, start

TIMED = re.compile(r"seconds|per_second|peak_memory|checkpoint_bytes|^(started|ended|created)$")
_NOT_COMPARED = re.compile(
    r"(^|/)(tensorboard/.*|report\.(html|md)|figures/.*|\.trash|checkpoint_bytes|log|phase|lost\+found)$"
)
Work = Callable[[], int]


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
        waits: a second writer waits; otherwise it is refused.
    """

    work: Work
    share: int = 2
    before: tuple[Work, ...] = ()
    again: Work | None = None
    done: str | None = None
    kept: Callable[[], bool] | None = None
    waits: bool = False


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
        measure = ["evaluate", model, bench, "--store", store, "--output", result]
        other = ["evaluate", str(self.inputs / "other"), bench, "--output", result]
        pack = ["data", "pack", pairs, "--output", packed]
        fewer = ["data", "pack", str(self.inputs / "fewer.jsonl"), "--output", packed]
        run_study = command("study", "run", spec, "--output", study, "--allow-leaks", "--threads", "1")
        export = command("study", "export", study, exported)
        return {
            "train (LoRA)": Case(command(*lora), 3, again=command(*lora, "--resume")),
            "train (full)": Case(command(*full), 3, again=command(*full, "--resume")),
            "train (validation)": Case(command(*validated), 3, again=command(*validated, "--resume")),
            "train --overwrite": Case(command(*lora, "--overwrite"), before=(command(*full),)),
            "evaluate --store, over an older result": Case(command(*measure), 3, (command(*other),), kept=self._result),
            "data pack": Case(command(*pack), done="exists already"),
            "data pack --overwrite": Case(command(*pack, "--overwrite"), before=(command(*fewer),), kept=self._packed),
            "token store": Case(self._tokens, waits=True),
            "embedding store": Case(self._embeddings, waits=True),
            "corpus cache": Case(self._corpus, 1, waits=True),
            "study run": Case(run_study, 3),
            "study export, over an older one": Case(export, before=(run_study, export), kept=self._exported),
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

        tokens.SEGMENT, tokens.IN_MEMORY = 8, 0
        table = load_pairs(self.inputs / "pairs.jsonl")
        steps = PlanDataset(table, BatchPlan(table.index, PlanSettings(batch_size=4)), 40)
        model = load_model(str(self.inputs / "model"), device="cpu")
        return not collate.Collator(model, root=self.area / "cache" / "tokens").prepare(steps, show=True)

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


def command(*words: str) -> Work:
    """A command of isoglot, with the jobs of a study in forks."""

    def work() -> int:
        from isoglot.cli.main import main
        from isoglot.study import grid

        grid.Pool = ForkedPool  # type: ignore[assignment, misc]
        return main(list(words))

    return work


def tree(folder: Path) -> dict[str, str]:
    """Every path under a folder -> digest of its content without times; folders have none."""
    digests = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not _NOT_COMPARED.search(name):
            digests[name] = "" if path.is_dir() else hashlib.sha256(_without_times(path)).hexdigest()
    return digests


def _without_times(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix in (".json", ".jsonl"):
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


def kill(place: Place, asked: int, chosen: str) -> dict[str, Any]:
    """Kill every command at moments that are spread evenly over its changes to files, and start it again."""
    cases = {name: case for name, case in place.cases().items() if chosen in name}
    shares = sum(case.share for case in cases.values())
    counts, problems = {}, []
    for name, case in cases.items():
        began = time.perf_counter()
        before = place.prepare(case)
        wanted, events = place.reference(case, before)
        moments = min(events, max(1, -(-asked * case.share // shares)))
        count = {
            "changes_to_files": events,
            "moments": moments,
            **dict.fromkeys(("same", "blocked", "lost", "left"), 0),
        }
        for step in range(moments):
            at = 1 + step * (events - 1) // max(1, moments - 1)
            outcome, why = killed_at(place, case, before, wanted, at)
            count[outcome] += 1
            if outcome != "same":
                problems.append({"case": name, "change": at, "outcome": outcome, "why": why[-600:]})
                print(f"  {name}, change {at}: {outcome}: {why[-600:]}", file=sys.stderr)
        counts[name] = count
        print(f"{name}: {count} in {time.perf_counter() - began:.0f} s", flush=True)
    total = {
        key: sum(count[key] for count in counts.values()) for key in ("moments", "same", "blocked", "lost", "left")
    }
    return {"cases": counts, "total": total, "problems": problems}


def killed_at(place: Place, case: Case, before: Path, wanted: dict[str, str], at: int) -> tuple[str, str]:
    """What becomes of a command that is killed before one of its changes: (same, blocked, lost or left; why)."""
    place.reset(before)
    child = start(case.work, place.log, place.area, at)
    if (code := child.end()) != -signal.SIGKILL:
        return "lost", f"was not killed but ended with {code}: {child.said}"
    kept = case.kept
    if kept is not None:
        child = start(lambda: not kept(), place.log, place.area)
        if child.end():
            return "lost", f"neither the older nor the new content opens: {child.said}"
    child = start(case.again or case.work, place.log, place.area)
    code = child.end()
    if code and not (case.done and case.done in child.said):
        return "blocked", f"{'hung' if code == HUNG else f'exit code {code}'}: {child.said}"
    there = tree(place.area)
    litter = [name for name in there if name not in wanted and is_litter(name)]
    if changed := difference(wanted, {name: digest for name, digest in there.items() if name not in litter}):
        return "lost", changed
    return ("left", ", ".join(litter)) if litter else ("same", "")


def writers(place: Place, chosen: str) -> dict[str, Any]:
    """Stop a command in the middle, start another one beside it, let both end."""
    outcomes, problems = {}, []
    for name, case in place.cases().items():
        if chosen not in name or case.done or "(" in name.replace("(LoRA)", ""):
            continue
        before = place.prepare(case)
        wanted, events = place.reference(case, before)
        place.reset(before)
        first = start(case.work, place.log, place.area, max(1, 2 * events // 5), signal.SIGSTOP)
        if not first.stopped():
            raise SystemExit(f"{name}: did not stop: {first.said}")
        second = start(case.work, place.home / "second", place.area)
        if case.waits:
            deadline = time.monotonic() + 60
            while "waiting for process" not in second.said and time.monotonic() < deadline:
                time.sleep(0.05)
        code = None if case.waits else second.end()
        first.go_on()
        ended = first.end()
        code = second.end() if code is None else code
        is_named = f"process {first.pid} " in second.said
        outcome = "waits" if case.waits and code == 0 else "refused" if code == 2 else f"exit code {code}"
        changed = difference(wanted, tree(place.area))
        outcomes[name] = {"second": outcome, "names_the_first": is_named, "both_end_whole": not changed and ended == 0}
        if not is_named or changed or ended or outcome != ("waits" if case.waits else "refused"):
            problems.append({"case": name, "why": f"{outcome}; {changed}; {second.said[-400:]}; {first.said[-400:]}"})
        print(f"{name}: {outcomes[name]}", flush=True)
    return {"kinds": outcomes, "problems": problems}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("kill", "power", "writers"))
    parser.add_argument("--moments", type=int, default=220, help="of kill, over all cases")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name holds this")
    parser.add_argument("--output", type=Path, default=Path("results/reliability.json"))
    options = parser.parse_args()
    from _import_all import import_all
    from _machine import conditions, write

    import_all()
    home = Path(tempfile.mkdtemp(prefix="reliability."))
    place = Place(home, home / "area")
    place.area.mkdir()
    os.environ["ISOGLOT_CACHE"] = str(place.area / "cache")
    result: dict[str, Any] = {"conditions": conditions("accelerate", "peft", "pyarrow", "safetensors")}
    began = time.perf_counter()
    try:
        making = start(lambda: not _small_inputs.make(place.inputs), place.log, place.area)
        if making.end():
            raise SystemExit(making.said)
        if options.part == "kill":
            result |= kill(place, options.moments, options.only)
        elif options.part == "writers":
            result |= writers(place, options.only)
        else:
            from _power import power

            result |= power(place, options.only)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    result["minutes"] = round((time.perf_counter() - began) / 60, 1)
    before = json.loads(options.output.read_text()) if options.output.is_file() else {}
    write(options.output, {**before, options.part: result})
    print(json.dumps(result.get("total", {})))
    sys.exit(1 if result["problems"] else 0)


if __name__ == "__main__":
    main()
