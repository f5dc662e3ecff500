"""The end of a repair: the model that is kept with its card, the summary, the report, and what is printed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from isoglot.data.audit.trained import trained_of
from isoglot.errors import InputError
from isoglot.evaluation.contrasts import PairedRows
from isoglot.evaluation.matching import RANK_DISTANCE, one_result
from isoglot.evaluation.matching import System as Measured
from isoglot.evaluation.settings import EvaluateSettings
from isoglot.files import atomic_directory, read_json, write_json
from isoglot.models.card import write_card_of
from isoglot.repairing.choice import BASE, HELD_OUT, MEASURE, Choice, System
from isoglot.repairing.examples import View, compare_views, look
from isoglot.repairing.folder import RepairFolder
from isoglot.repairing.settings import RepairSettings
from isoglot.repairing.words import ABOUT_FIGURES, commands, in_interval
from isoglot.retrieval.store import EmbeddingStore
from isoglot.tables import code_span, escape, markdown_table


@dataclass(frozen=True)
class Ended:
    """A repair of which everything is measured.

    Attributes:
        systems: the base first.
        chosen: which of them is kept.
        models: where they are, by key.
        benchmarks: sources by name, the pairs held out first.
    """

    folder: RepairFolder
    asked: RepairSettings
    systems: Sequence[System]
    chosen: Choice
    models: Mapping[str, str]
    benchmarks: Mapping[str, str]

    @property
    def kept(self) -> System:
        return next(system for system in self.systems if system.key == self.chosen.key)


def finish(ended: Ended, sources: Sequence[str], store: EmbeddingStore, data_dir: Path | None) -> dict[str, Any]:
    """Write all that a repair leaves; what is there of an attempt that was interrupted is written again.

    Args:
        sources: of the pairs.
        store: of the vectors of all evaluations.
    """
    from isoglot.repairing.page import write_report

    folder, kept, benchmarks = ended.folder, ended.kept, ended.benchmarks
    is_changed = kept.key != BASE
    notes = {name: read_json(folder.result(kept.key, name) / "summary.json")["notes"] for name in benchmarks}
    summary: dict[str, Any] = {
        "model": ended.models[BASE],
        "sources": list(sources),
        "kept": kept.key,
        "why": ended.chosen.why,
        "measure": MEASURE,
        "benchmarks": dict(benchmarks),
        "systems": [asdict(system) for system in ended.systems],
        "changes": {name: _changes(ended, name) for name in benchmarks} if is_changed else {},
        "questions": _questions(ended, store, data_dir) if is_changed else {},
        "notes": notes,
        "data": folder.found("pairs"),
        "training": folder.found("length"),
        "settings": ended.asked.to_flat(),
        "seconds": round(sum(stage["seconds"] for stage in folder.record["stages"].values()), 1),
        "versions": folder.record["versions"],
        "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    summary["commands"] = commands(summary, folder)
    _write_model(folder, ended.models[kept.key], kept, ended.chosen, _card(summary))
    write_report(folder, summary)
    write_json(folder.summary, summary)
    return {"kept": kept.key}


def _changes(ended: Ended, benchmark: str) -> dict[str, dict[str, Any]]:
    """By setting, how what is kept differs from the base: "before", "after", "difference" and its 95% "interval" (None where
    all questions are of one group)."""
    keys = (BASE, ended.kept.key)
    systems = [Measured(key, one_result(str(ended.folder.result(key, benchmark))).results, (key,)) for key in keys]
    before, after = (asdict(system.scores[benchmark]) for system in (ended.systems[0], ended.kept))
    found: dict[str, dict[str, Any]] = {}
    for setting, value in before.items():
        if value is None or after[setting] is None:
            continue
        interval: list[float] | None = None
        with suppress(InputError):
            contrast = PairedRows(systems, setting, MEASURE).contrast(*keys)
            interval = [round(end, 5) for end in contrast.interval()]
        figures = {"before": value, "after": after[setting], "difference": after[setting] - value}
        found[setting] = {**{key: round(number, 5) for key, number in figures.items()}, "interval": interval}
    return found


def _questions(ended: Ended, store: EmbeddingStore, data_dir: Path | None) -> dict[str, Any]:
    """What became of the questions of every benchmark, see `compare_views`."""
    from isoglot.models.load import load_model

    loaded = {name: EvaluateSettings().load(source, data_dir) for name, source in ended.benchmarks.items()}
    views: dict[str, dict[str, View]] = {}
    for key in (BASE, ended.kept.key):
        model = load_model(ended.models[key], dtype="float32")
        views[key] = {name: look(model, benchmark, store) for name, benchmark in loaded.items()}
    before, after = views.values()
    return {name: compare_views(loaded[name], before[name], after[name], ended.asked.examples) for name in loaded}


def _write_model(folder: RepairFolder, source: str, kept: System, chosen: Choice, figures: str) -> None:
    """`model/`: what is kept, as a plain sentence-transformers directory with a card."""
    from isoglot.models.load import load_model

    model = load_model(source, device="cpu")
    with atomic_directory(folder.model) as path:
        if kept.key == BASE:
            model.save_pretrained(str(path), create_model_card=False)
            trained_of(model).save(path)
        else:
            shutil.copytree(source, path, dirs_exist_ok=True)
        how = f"{kept.how} {chosen.why[0].upper()}{chosen.why[1:]}."
        write_card_of(path / "README.md", how, model.prompts, made="repaired", more=figures)


def _card(summary: Mapping[str, Any]) -> str:
    """The chapters of the card on figures and data."""
    data = summary["data"]
    lines = ["## Evaluation", "", f"{MEASURE}, and rank distance. {ABOUT_FIGURES}", ""]
    for name in summary["benchmarks"]:
        rows = [["benchmark", "setting", "base", "this model", "difference, 95% interval"]]
        for setting, change in summary["changes"].get(name, {}).items():
            digits = 1 if setting == RANK_DISTANCE else 4
            rows.append(
                [
                    escape(name),
                    setting.replace("_", " "),
                    f"{change['before']:.{digits}f}",
                    f"{change['after']:.{digits}f}",
                    in_interval(change, digits),
                ]
            )
        if len(rows) == 1:
            own = summary["systems"][0]["scores"][name]  # what is kept is the base
            rows = [["benchmark", "setting", "value"]]
            rows += [
                [escape(name), key.replace("_", " "), f"{value:.4f}"] for key, value in own.items() if value is not None
            ]
        lines += [*markdown_table(rows, text_columns=2), ""]
        lines += [f"{escape(note[0].upper() + note[1:])}." for note in summary["notes"][name]]
    pairs = data["pairs"]
    lines += [
        "",
        f"`{HELD_OUT}`: {pairs['benchmark']:,} of {pairs['read']:,} parallel pairs, which nothing was trained on; the model was "
        "chosen by them. Intervals: bootstrap over groups of questions, for this model.",
        "",
        "## Data",
        "",
        f"{pairs['rest']:,} parallel pairs in {', '.join(data['languages'])} from "
        f"{', '.join(code_span(Path(source).name) for source in summary['sources'])}.",
        "",
    ]
    return "\n".join(lines)
