"""The whole job: hold out, measure, repair without training, train, average, measure each, keep the best, say why."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from isoglot.data.benchmarks.load import reader
from isoglot.disk import UnwritableError
from isoglot.errors import InputError, printable, say
from isoglot.evaluation.drawing import require_matplotlib
from isoglot.files import read_json
from isoglot.models.content import content_of
from isoglot.models.language_maps import read_record
from isoglot.models.resolve import resolve_base
from isoglot.processes import processes
from isoglot.records import several
from isoglot.repairing.choice import BASE, HELD_OUT, choose, loss
from isoglot.repairing.folder import RepairFolder
from isoglot.repairing.length import plan_training, settings_of
from isoglot.repairing.outcome import Ended, finish
from isoglot.repairing.pairs import content_of_sources, prepare_pairs
from isoglot.repairing.progress import Progress
from isoglot.repairing.settings import RepairSettings
from isoglot.repairing.systems import Measured, benchmarks_of
from isoglot.repairing.words import format_summary
from isoglot.retrieval.store import EmbeddingStore
from isoglot.settings import to_dict

_MEASURED_PAIRS = 60  # on which the strength of a correction is chosen
_AS_ENCODED, _USUAL_BATCH = 3, 32  # a text that is trained on takes as long as so many that are encoded
_USUAL = {"quick": 5.0, "length": 30.0, "outcome": 30.0}  # seconds of the stages that are short, about


@dataclass(frozen=True)
class RepairResult:
    """What a repair came to.

    Attributes:
        path: its directory.
        complete: False where it was interrupted; the same call goes on.
        summary: what summary.json says ({} while incomplete).
    """

    path: Path
    complete: bool
    summary: dict[str, Any]

    @property
    def model(self) -> Path:
        """The directory of the repaired model; there is none while incomplete."""
        return self.path / "model"

    def __str__(self) -> str:
        if not self.complete:
            return f"{self.path}: interrupted; the same call goes on"
        return printable(format_summary(self.summary), keep="\n")


def repair(
    model: str,
    sources: str | Path | Sequence[str | Path],
    output: str | Path,
    asked: RepairSettings | None = None,
    *,
    overwrite: bool = False,
    data_dir: str | Path | None = None,
    show: bool = True,
    **changes: Any,
) -> RepairResult:
    """Repair a model with parallel pairs, keep what is best on pairs that were held out, and leave a report beside it.

    Repairs: a linear correction (LSAR, no training), training by a recipe, the average of the trained weights with the base's,
    and the correction of the better of these two. Of those that lose little in mono the best one in multi nDCG@10 is kept; where
    none gains anything, the base. An interrupted repair goes on with the same call; each stage is done once.

    Args:
        model: hub id, directory, run, or offline:NAME.
        sources: of pairs, as for `isoglot.load_pairs`, and patterns of translated documents with `{lang}` in them.
        output: the directory of the repair, see `isoglot.repairing.folder`.
        asked: the defaults when None; `changes` are single fields of it: minutes=5, benchmark="faq", ...
        overwrite: throw away a repair that is there, but nothing that it did not write.
        data_dir: where files of named data sets are looked for first.
        show: progress on stderr.

    Raises:
        InputError: bad sources or settings, a model that cannot be trained, a directory that holds something else.
    """
    if processes().world > 1:
        raise InputError("a repair runs as one process: start it without a launcher")
    asked = RepairSettings(**{**(to_dict(asked) if asked else {}), **changes})
    names = several(sources)
    data_dir = None if data_dir is None else Path(data_dir)
    if not names:
        raise InputError("no pairs: give files of pairs, a built-in source or patterns of documents")
    folder = RepairFolder(Path(output))
    # better now than after the training
    require_matplotlib()
    for name in asked.benchmark:
        reader(name, data_dir)
    benchmarks_of(folder, asked)
    base = resolve_base(model)
    if base.layout != "hub" and (record := read_record(base.location)) is not None:
        raise InputError(
            f"{model}: is debiased, and only an embedding model alone is trained; repair {record.get('base')}"
        )
    given = {"model": model, "sources": names, **asked.asked()}
    given["content"] = {model: content_of(model), **content_of_sources(names)}
    with folder.opened(given, model, overwrite=overwrite):
        work = _Work(model, names, folder, asked, data_dir, show)
        if not folder.is_finished and not work.all():
            return RepairResult(folder.path, False, {})
        folder.tidy(keep_models=asked.keep_models)
    return RepairResult(folder.path, True, read_json(folder.summary))


@dataclass(frozen=True)
class _Stage:
    """A part of the work. `run` returns what it found as plain JSON values; None: it was interrupted."""

    name: str
    kind: str
    words: str
    run: Callable[[], dict[str, Any] | None]


class _Work:
    """The stages of a repair whose directory is locked."""

    def __init__(
        self,
        model: str,
        sources: Sequence[str],
        folder: RepairFolder,
        asked: RepairSettings,
        data_dir: Path | None,
        show: bool,
    ) -> None:
        self.model, self.sources, self.folder, self.asked = model, list(sources), folder, asked
        self.data_dir, self.show = data_dir, show
        self.store = EmbeddingStore(folder.vectors)
        self.benchmarks = benchmarks_of(folder, asked)
        self.measured = Measured(folder, asked, model, list(self.benchmarks))

    def all(self) -> bool:
        """Do what is not done yet; False where it was interrupted."""
        stages = list(self._stages())
        took = {name: float(found["seconds"]) for name, found in self.folder.record["stages"].items()}
        progress = Progress({stage.name: stage.kind for stage in stages}, took, show=self.show)
        progress.expected = {**_USUAL, **progress.expected}
        for stage in stages:
            if (seconds := self._training_seconds()) is not None:
                progress.expected["train"] = seconds
            if self.folder.found(stage.name) is not None:
                continue
            with progress.stage(stage.name, stage.words):
                began = time.perf_counter()
                try:
                    found = stage.run()
                except KeyboardInterrupt:
                    self.folder.stop(stage.name, began)
                    raise
                if found is None:
                    self.folder.stop(stage.name, began)
                    return False
                self.folder.finish(stage.name, found, began)
            gc.collect()  # models that refer to themselves
        self.folder.end()
        return True

    def _stages(self) -> Iterator[_Stage]:
        asked, recipe = self.asked, self.asked.recipe
        yield _Stage("pairs", "pairs", f"read {', '.join(self.sources)} and hold out a part", self._pairs)
        yield _Stage("measure base", "measure", f"measure {self.model}", lambda: self._measure(BASE, self.model))
        yield _Stage("debiased", "correct", "correct it without training (LSAR)", lambda: self._debias("debiased"))
        yield _Stage("measure debiased", "quick", "measure it", lambda: self._measure("debiased"))
        yield _Stage("length", "length", "plan the training", self._length)
        yield _Stage("trained", "train", f"train by the recipe {recipe}", lambda: self._train("trained"))
        yield _Stage("measure trained", "measure", "measure it", lambda: self._measure("trained"))
        yield _Stage("averaged", "quick", "average the trained weights with the base's", self._average)
        yield _Stage("measure averaged", "measure", "measure it", lambda: self._measure("averaged"))
        if asked.correct:
            yield _Stage("corrected", "correct", "correct the better one, too", lambda: self._debias("corrected"))
            yield _Stage("measure corrected", "quick", "measure it", lambda: self._measure("corrected"))
        for other in asked.compare:
            yield _Stage(other, "train", f"train by {other}, to compare", partial(self._train, other, other))
            yield _Stage(f"measure {other}", "measure", "measure it", partial(self._measure, other))
        yield _Stage("outcome", "outcome", "choose, and write the model and the report", self._finish)

    def _training_seconds(self) -> float | None:
        """About how long a training takes; None: nothing is known of it yet."""
        plan, base = self.folder.found("length") or {}, self.folder.found("measure base")
        if per_step := plan.get("seconds_per_step"):
            return float(per_step * plan["steps"])
        if self.asked.steps is None:
            return 60 * self.asked.minutes
        texts = self.asked.steps * 2 * plan.get("batch_size", _USUAL_BATCH)
        return _AS_ENCODED * texts / base["texts_per_second"] if base else None

    def _pairs(self) -> dict[str, Any]:
        return prepare_pairs(self.sources, self.folder, self.asked, self.data_dir, show=self.show)

    def model_of(self, system: str) -> str:
        """Where the model of a system is."""
        if system == BASE:
            return self.model
        if system in ("debiased", "averaged", "corrected"):
            return str(self.folder.models / system)
        return str(self.folder.runs / system / "model")

    def _measure(self, system: str, name: str | None = None) -> dict[str, Any]:
        """Measure a system on every benchmark; {} for one that could not be made."""
        from isoglot.evaluation.evaluate import evaluate
        from isoglot.models.load import load_model

        if (self.folder.found(system) or {}).get("skipped"):
            return {}
        model, seconds, texts = None, 0.0, 0
        for benchmark, source in self.benchmarks.items():
            result = self.folder.result(system, benchmark)
            if not (result / "summary.json").is_file():
                model = model or load_model(self.model_of(system), dtype="float32")
                own: dict[str, Any] = {"output": result, "store": self.store, "progress": self.show}
                evaluate(model, source, data_dir=self.data_dir, model_name=name or system, **own)
            summary = read_json(result / "summary.json")
            seconds += summary["seconds"]["encode_queries"] + summary["seconds"]["encode_corpus"]
            texts += sum(sum(summary["counts"][side].values()) for side in ("queries", "documents"))
        return {"texts_per_second": round(texts / max(seconds, 1e-3), 1)}

    def _debias(self, system: str) -> dict[str, Any]:
        """Correct the base, or the better one of the trained models."""
        from isoglot.evaluation.debias import debias

        of = BASE if system == "debiased" else self._better_trained()
        pairs = self.folder.found("pairs") or {}
        held = min(0.2, _MEASURED_PAIRS / pairs["pairs"]["rest"])
        own: dict[str, Any] = {"strength": "auto", "texts": self.asked.texts, "held_out": held, "seed": self.asked.seed}
        path = Path(self.model_of(system))
        try:
            record = debias(
                self.model_of(of), str(self.folder.pairs), path, store=self.store, progress=self.show, **own
            )
        except UnwritableError:
            raise
        except InputError as error:
            say(f"no correction of {of}: {error}")
            return {"skipped": str(error), "of": of}
        return {"of": of, "strength": record["strength"], "method": record["method"]["name"]}

    def _length(self) -> dict[str, Any] | None:
        encoded = float((self.folder.found("measure base") or {})["texts_per_second"])
        found = plan_training(
            self.model, self.folder.pairs, self.folder.runs / "timing", self.asked, encoded, show=self.show
        )
        if found is not None:
            say(
                f"training: {found['steps']:,} steps of {found['batch_size']} pairs ({found['why']}); the pairs are gone over "
                f"{found['passes']:g} times"
            )
        return found

    def _train(self, system: str, recipe: str | None = None) -> dict[str, Any] | None:
        from isoglot.training.train import train

        plan = self.folder.found("length") or {}
        length = {key: plan[key] for key in ("steps", "batch_size")}
        settings = settings_of(
            self.model, self.folder.pairs, self.folder.runs / system, self.asked, recipe=recipe, **length
        )
        result = train(settings, resume=True, data_dir=self.data_dir, show=self.show)
        if not result.complete:
            return None
        return {key: result.outcome[key] for key in ("steps", "first_loss", "last_loss", "device")}

    def _average(self) -> dict[str, Any]:
        from isoglot.training.average import average_weights

        share = self.asked.share
        names = [self.model_of("trained"), self.model]
        average_weights(names, (share, 1 - share), Path(self.model_of("averaged")), alike=False)
        return {"share": share}

    def _better_trained(self) -> str:
        """Of the trained models the one that would be kept: within the bound where one is."""
        base, *others = self.measured.systems(("trained", "averaged"))
        return min(
            others,
            key=lambda one: (loss(base, one) > self.asked.max_loss, -one.scores[HELD_OUT].multi),
        ).key

    def _finish(self) -> dict[str, Any]:
        systems = self.measured.systems()
        models = {system.key: self.model_of(system.key) for system in systems}
        ended = Ended(self.folder, self.asked, systems, choose(systems, self.asked.max_loss), models, self.benchmarks)
        return finish(ended, self.sources, self.store, self.data_dir)
