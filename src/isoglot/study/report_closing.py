"""The chapters at the end of a report: costs, limitations, how to reproduce it, versions and digests."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from isoglot.study.document import Block, Bullets, Cell, Code, CodeBlock, Column, Paragraph, Row, Section, Table, cells
from isoglot.study.report_data import STRATEGIES, Arena, Json, StudyFiles, System, finished, systems
from isoglot.study.report_format import NOTHING, duration, listed, mean, number, plural, size, value_text
from isoglot.study.results_view import at_a_time

_FEWEST_LOSSES = 10
_COSTS = (
    ("train_seconds", "training"),
    ("pairs_per_second", "pairs/s"),
    ("tokens_per_second", "tokens/s"),
    ("peak_memory_bytes", "peak memory"),
    ("gpu_peak_memory_bytes", "peak GPU memory"),
    ("trainable_parameters", "trained parameters"),
    ("adapter_bytes", "adapter"),
    ("checkpoint_bytes", "checkpoint"),
    ("model_bytes", "model"),
)


def cost_section(files: StudyFiles, figures: Sequence[Block]) -> Section:
    """What every system cost, seeds averaged, and pictures of quality against cost."""
    done = [cell for cell in files.cells if finished(cell) and cell.get("kind") != "base"]
    gathered = [system for system in systems(done) if any(files.cost.get(cell["id"]) for cell in system.cells)]
    gathered.sort(key=lambda system: (str(system.traits["data"]), str(system.traits["base"])))
    if not gathered:
        words = "No costs: no trained cell has finished, or there is no cost.json."
        return Section("Cost", (Paragraph(words, "note"),))
    known = [(key, name) for key, name in _COSTS if any(_costs(files, system, key) is not None for system in gathered)]
    rows: list[Row] = []
    for system in gathered:
        values = [_shown(key, _costs(files, system, key)) for key, _ in known]
        evaluation = mean([_evaluation(files.cost.get(cell["id"])) for cell in system.cells])
        rows.append(cells(Cell(system.label, plural(len(system.cells), "seed")), *values, duration(evaluation)))
    columns = (Column("system", False), *(Column(name) for _, name in known), Column("measuring"))
    together = at_a_time(files.cost.get(cell["id"]) for system in gathered for cell in system.cells)
    note = (
        "Training: the steps alone, without loading and measuring. Peak memory: of the training process. "
        f"{f'Here {together}. ' if together else ''}Cells that ran beside others, or on other machines, do not have the times of "
        "cells that ran alone; machines are listed at the end."
    )
    blocks: list[Block] = [Table("Cost, means over seeds", columns, tuple(rows), note), *_ratios(files, gathered)]
    return Section("Cost", (*blocks, *figures))


def _costs(files: StudyFiles, system: System, key: str) -> float | None:
    return mean([(files.cost.get(cell["id"]) or {}).get(key) for cell in system.cells])


def _evaluation(cost: Any) -> float | None:
    seconds = (cost or {}).get("evaluate_seconds")
    return sum(map(float, seconds.values())) if isinstance(seconds, dict) and seconds else None


def _shown(key: str, value: float | None) -> str:
    if key.endswith("_bytes"):
        return size(value)
    return duration(value) if key.endswith("_seconds") else number(value, 1 if key == "pairs_per_second" else 0)


def _ratios(files: StudyFiles, gathered: Sequence[System]) -> list[Block]:
    """LoRA over full fine-tuning, cost by cost, where both were trained."""
    rows: list[Row] = []
    keys = ("train_seconds", "peak_memory_bytes", "gpu_peak_memory_bytes", "trainable_parameters", "checkpoint_bytes")
    known = [key for key in keys if any(_costs(files, system, key) for system in gathered)]
    for lora in gathered:
        for full in gathered:
            same = all(lora.traits[name] == full.traits[name] for name in lora.traits if name != "tuning")
            if (lora.tuning_kind, full.tuning_kind) != ("lora", "full") or not same:
                continue
            pairs = [(_costs(files, lora, key), _costs(files, full, key)) for key in known]
            shown = [f"{100 * a / b:.3g}%" if a is not None and b else NOTHING for a, b in pairs]
            rows.append(cells(f"{lora.label} / {full.label}", *shown))
    if not rows:
        return []
    names = dict(_COSTS)
    columns = (Column("ratio", False), *(Column(names[key]) for key in known))
    return [Table("LoRA's cost as a share of full fine-tuning's", columns, tuple(rows))]


def limitations_section(files: StudyFiles, found: Sequence[Arena], notes: Sequence[str]) -> Section:
    """What the figures cannot say, from the facts of this study."""
    trained = [cell for cell in files.cells if cell.get("kind") != "base"]
    done = [cell for cell in trained if finished(cell)]
    lines = [
        *_seeds(done),
        *_budget(files, done),
        *_ends(files),
        *_scope(files, done),
        *_missing_arenas(files, found),
        *notes,
    ]
    blocks: list[Block] = [Bullets(tuple(lines))] if lines else []
    blocks += _unfinished(files)
    if not blocks:
        blocks.append(Paragraph("No trained cell has finished: there is nothing to limit.", "note"))
    return Section("Limitations", tuple(blocks))


def _seeds(done: Sequence[Json]) -> list[str]:
    counts = sorted({len(system.cells) for system in systems(done)})
    if not counts:
        return []
    if counts == [1]:
        return [
            "One training seed per system: intervals and p values hold for these very models, not for their recipes."
        ]
    lines = []
    if counts[0] < 5:
        each = plural(counts[0], "seed") if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"
        lines.append(f"{each} per system: with so few, intervals are too narrow where seeds differ a lot.")
    return lines


def _budget(files: StudyFiles, done: Sequence[Json]) -> list[str]:
    if not done:
        return []
    seen = sorted({(c.get("steps") or 0) * (c.get("batch_size") or 0) for c in done})
    lines = [
        f"Training drew {listed([number(n) for n in seen])} pairs per cell "
        f"({listed(sorted({plural(c.get('steps') or 0, 'step') for c in done}))}){_passes(done)}. {_flattening(done)}longer "
        "training may change the order of systems."
    ]
    if not any((files.cost.get(c["id"]) or {}).get("gpu_peak_memory_bytes") for c in done):
        lines.append("No GPU was used: times and memory are those of CPUs, and ratios on a GPU may be others.")
    return lines


def _passes(done: Sequence[Json]) -> str:
    """How often a cell saw each of its pairs, in some language."""
    known = [(c, (c.get("train") or {}).get("pairs")) for c in done]
    passes = [(c.get("steps") or 0) * (c.get("batch_size") or 0) / pairs for c, pairs in known if pairs]
    if not passes:
        return ""
    few, many = f"{min(passes):.1f}", f"{max(passes):.1f}"
    return f": each of its pairs {few if few == many else f'{few} to {many}'} times on average"


def _ends(files: StudyFiles) -> list[str]:
    """Choices of a learning rate beyond which nothing was tried."""
    found: dict[tuple[str, float], list[str]] = {}
    for part in files.results.get("selection") or []:
        rates = [candidate["learning_rate"] for candidate in part.get("candidates") or []]
        for end, rate in (("smallest", min(rates, default=None)), ("largest", max(rates, default=None))):
            if len(rates) > 1 and rate == part.get("chosen"):
                found.setdefault((end, rate), []).append(f"{part['tuning']} on {part['data']}")
    return [
        f"The learning rate chosen for {listed(who)} is the {end} candidate ({rate:g}): "
        f"a {end[:-3]}er one was not tried and may do better."
        for (end, rate), who in found.items()
    ]


def _flattening(done: Sequence[Json]) -> str:
    """How far the training loss still fell at the end, by strategy: the last fifth of the steps against the fifth before."""
    shown = []
    for strategy in STRATEGIES:
        ends: list[tuple[float, float]] = []
        for cell in done:
            losses = (cell.get("train") or {}).get("losses") or []
            if cell.get("strategy") == strategy and len(losses) >= _FEWEST_LOSSES:
                fifth = len(losses) // 5
                ends.append((sum(losses[-2 * fifth : -fifth]) / fifth, sum(losses[-fifth:]) / fifth))
        if ends:
            before, after = (sum(part) / len(ends) for part in zip(*ends))
            shown.append(f"{before:.3f} to {after:.3f} ({strategy}, {plural(len(ends), 'cell')})")
    if not shown:
        return "Whether the loss had flattened is to be seen from the loss curves; "
    return (
        f"From the fourth fifth of the steps to the last, the mean training loss went from {listed(shown)}; where it still "
        "falls, "
    )


def _scope(files: StudyFiles, done: Sequence[Json]) -> list[str]:
    lines = []
    bases = sorted({str(cell.get("base")) for cell in files.cells})
    if len(bases) == 1:
        lines.append(f"One base model ({bases[0]}): nothing is said about others.")
    if any("offline:" in base for base in bases):
        lines.append(
            "The offline base has 4-bit weights that were unpacked; the original may behave a little differently."
        )
    names = sorted({name for cell in files.cells for name in cell.get("benchmarks") or {}})
    if len(names) == 1:
        lines.append(f"One benchmark ({names[0]}).")
    if (files.spec.get("evaluate") or {}).get("context", "sentence") == "sentence" and any(
        name in ("xquad-r", "mlqa-r") for name in names
    ):
        lines.append(
            "Candidates are sentences without their paragraphs, which makes XQuAD-R and MLQA-R harder than LAReQA's own."
        )
    if "faq" in names:
        lines.append(
            "The benchmark faq is small and was written for isoglot: it checks the whole path and ranks no systems."
        )
    if (files.spec.get("evaluate") or {}).get("corpus_sample"):
        lines.append(
            "Corpora were sampled: figures are higher than on the whole corpora and not comparable with others."
        )
    if (files.results.get("audit") or {}).get("leaks"):
        lines.append("The audit found leaks, and the study was run all the same: figures are not zero-shot everywhere.")
    return lines if done or names else []


def _missing_arenas(files: StudyFiles, found: Sequence[Arena]) -> list[str]:
    """Data and benchmarks of the spec that no finished cell has anything about."""
    have = {(arena.data, arena.benchmark) for arena in found if arena.trained}
    planned = [part for part in files.spec.get("data") or [] if isinstance(part, dict)]
    names = [
        (part.get("name"), n) for part in planned for n in part.get("benchmarks") or files.spec.get("benchmarks") or []
    ]
    return [
        f"No cell of {data} that is measured on {name} has finished."
        for data, name in names
        if not {(data, name), (data, str(name).rsplit("/", 1)[-1])} & have
    ]


def _unfinished(files: StudyFiles) -> list[Block]:
    rows: list[Row] = []
    open_cells = [cell for cell in files.cells if not finished(cell)]
    for cell in open_cells:
        status = str(cell.get("status"))
        tone = Cell(status, tone="bad" if status == "failed" else "open")
        rows.append(cells(Cell((Code(str(cell["id"])),)), tone, str(cell.get("error") or NOTHING)))
    if not rows:
        return []
    columns = (Column("cell", False), Column("status", False), Column("error", False))
    failed = sum(cell.get("status") == "failed" for cell in open_cells)
    caption = f"Cells that have not finished: {failed} failed, {len(open_cells) - failed} not run to their end"
    return [Table(caption, columns, tuple(rows))]


def reproduce_section(files: StudyFiles, name: str) -> Section:
    """Commands, versions, digests, machines; the study's directory is called `name`."""
    folder = shlex.quote(name or "study").replace("\n", " ")
    take = "import json, sys; print(json.dumps(json.load(sys.stdin)['spec'], ensure_ascii=False))"
    commands = [
        f'python -c "{take}" < {folder}/study.json > spec.yaml',
        "isoglot study run spec.yaml --output again",
        "isoglot study report again",
    ]
    blocks: list[Block] = [CodeBlock("\n".join(commands)), *_versions(files)]
    return Section("Reproducing it", (*blocks, *_machines(files), *_digests(files)))


def _versions(files: StudyFiles) -> list[Block]:
    facts = [("study", files.study.get("name")), ("made", files.study.get("created"))]
    facts.append(("digest of the spec", files.results.get("spec_digest") or files.study.get("spec_digest")))
    versions = files.study.get("versions") or {}
    facts += list(versions.items()) if isinstance(versions, dict) else []
    rows = tuple(cells(str(name), Cell((Code(value_text(value)),))) for name, value in facts if value)
    return [Table("Versions", (Column("what", False), Column("value", False)), rows)] if rows else []


def _machines(files: StudyFiles) -> list[Block]:
    seen: dict[str, int] = {}
    for cost in files.cost.values():
        if isinstance(cost, dict) and cost.get("machine"):
            text = value_text(cost["machine"])
            seen[text] = seen.get(text, 0) + 1
    rows = tuple(cells(text, number(count)) for text, count in seen.items())
    return [Table("Machines", (Column("machine", False), Column("cells")), rows)] if rows else []


def _digests(files: StudyFiles) -> list[Block]:
    rows: list[Row] = []
    benchmarks: dict[str, str] = {}
    for cell in files.cells:
        rows.append(cells(Cell((Code(str(cell["id"])),)), Cell((Code(str(cell.get("digest") or NOTHING)[:16]),))))
        for name, part in (cell.get("benchmarks") or {}).items():
            digest = (part.get("digests") or {}).get("benchmark")
            if digest:
                benchmarks.setdefault(name, str(digest))
    for name, digest in benchmarks.items():
        rows.append(cells(f"benchmark {name}", Cell((Code(digest[:16]),))))
    if not rows:
        return []
    columns = (Column("what", False), Column("SHA-256, first 16 digits", False))
    return [Table("Digests", columns, tuple(rows), small=True)]
