"""Compare systems from their result files: differences, intervals, tests, effect sizes, wins.

`compare` is every system against the first in every setting. For other questions (averages with intervals, any two of many
systems, some languages only, a margin, a family of tests of one's own) there is `isoglot.evaluation.contrasts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from isoglot.errors import InputError, unknown
from isoglot.evaluation import significance
from isoglot.evaluation.comparison import FALSE_DISCOVERY_RATE, CellDifference, Comparison, Difference
from isoglot.evaluation.contrasts import RESAMPLES, SEED, Contrast, PairedRows
from isoglot.evaluation.leak import leak_notes, prompt_notes
from isoglot.evaluation.matching import (
    RANK_DISTANCE,
    System,
    all_results,
    measures_of,
    read_systems,
    require_comparable,
)
from isoglot.evaluation.measures import parse_measure
from isoglot.evaluation.results import Result
from isoglot.evaluation.significance import ALPHA, benjamini_hochberg, holm
from isoglot.records import NATURAL, SETTINGS, several

COMPARED_SETTINGS = (*SETTINGS, *NATURAL, RANK_DISTANCE)
_EQUAL = 1e-12  # differences below are rounding
# below some twenty clusters, intervals from resampled clusters are too narrow (Cameron, Gelbach and Miller 2008)
_FEW_GROUPS = 20
# where seeds decide, nominal 95% intervals cover 81% with 2 seeds of each system, 90% with 3 and 93% with 5 (simulation)
_FEW_SEEDS = 5
Measured = System | Result | str | Path
"""What can be compared: a system, one result in memory, or the word for one as `load_systems` reads it."""


def compare(
    systems: Sequence[Measured] | Mapping[str, str | Path | Result],
    *,
    measure: str = "nDCG@10",
    settings: str | Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Comparison:
    """Compare every system with the first.

    Args:
        systems: at least two: results, folders of results, or systems of several training seeds (see `load_systems`); a mapping
            gives them names.
        measure: a column of the per-query rows; spellings as in `parse_measure`.
        settings: of mono, cross, multi and rank_distance; None: those that all systems have.
        resamples, seed: of the bootstrap and of the permutation test.

    Raises:
        InputError: results of different benchmarks, contexts, samples, languages or tie rules, a measure or setting that is
            missing, rows that do not match.

    >>> import isoglot
    >>> measured = [isoglot.evaluate(isoglot.BM25(b=b), "faq", languages=["de", "en"], progress=False) for b in (0.5, 1)]
    >>> comparison = compare({"half": measured[0], "full": measured[1]}, settings="mono", resamples=99)
    >>> print(str(comparison).splitlines()[0])
    full against half on faq: nDCG@10 (132 query ids)
    """
    systems = _systems(systems)
    if resamples < 99 or seed < 0:
        raise InputError(f"resamples must be at least 99 and the seed at least 0, got {resamples} and {seed}")
    require_comparable(systems)
    column = _column(systems, measure)
    chosen, notes = _settings(systems, None if settings is None else several(settings))
    differences: list[Difference] = []
    for setting in chosen:
        rows = PairedRows(systems, setting, column, resamples=resamples, seed=seed)
        differences += [_difference(rows.contrast(systems[0].name, other.name)) for other in systems[1:]]
    adjusted = holm([item.p for item in differences]).tolist()
    summary = systems[0].results[0].summary
    models = {system.name: [str(result.summary.get("model")) for result in system.results] for system in systems}
    return Comparison(
        benchmark=summary["benchmark"],
        context=summary["context"],
        measure=column,
        reference=systems[0].name,
        systems={s.name: {"results": list(s.folders), "models": models[s.name]} for s in systems},
        differences=tuple(replace(item, p_holm=p) for item, p in zip(differences, adjusted)),
        resamples=resamples,
        seed=seed,
        notes=(*notes, *_notes(systems, differences)),
    )


def _systems(given: Sequence[Measured] | Mapping[str, str | Path | Result]) -> list[System]:
    """At least two systems, each under a name of its own; see `compare`.

    A result in memory is called by its model, with a number where several have one name.

    Raises:
        InputError: fewer than two, a name given twice, a folder that cannot be read.
    """
    listed = [given] if isinstance(given, (str, Path, Result, System)) else list(given)
    if len(listed) < 2:
        raise InputError("nothing to compare: at least two systems are needed")
    if isinstance(given, Mapping):
        systems = [
            System(name, (measured,), (name,)) if isinstance(measured, Result) else _named(name, measured)
            for name, measured in given.items()
        ]
    else:
        words = [str(item) for item in listed if isinstance(item, (str, Path))]
        read = iter(read_systems(words))
        systems = []
        for item in listed:
            if isinstance(item, Result):
                name = _free(str(item.summary.get("model")), [system.name for system in systems])
                systems.append(System(name, (item,), (name,)))
            else:
                systems.append(item if isinstance(item, System) else next(read))
    if twice := [system.name for n, system in enumerate(systems) if system.name in {s.name for s in systems[:n]}]:
        raise InputError(f"'{twice[0]}' names two systems; call them differently")
    return systems


def _free(name: str, taken: Sequence[str]) -> str:
    """The name, with a number where it is taken."""
    numbered = (f"{name} ({number})" if number > 1 else name for number in range(1, len(taken) + 2))
    return next(free for free in numbered if free not in taken)


def _named(name: str, folders: str | Path) -> System:
    (system,) = read_systems([str(folders)])
    return System(name, system.results, system.folders)


def _column(systems: Sequence[System], measure: str) -> str:
    """The name of the measure's column in every result."""
    if measure == RANK_DISTANCE:
        raise InputError(f"'{RANK_DISTANCE}' is compared as a setting: --setting {RANK_DISTANCE}")
    columns = [(folder, measures_of(result.per_query)) for folder, result in all_results(systems)]
    wanted = measure if all(measure in names for _, names in columns) else str(parse_measure(measure))
    for folder, names in columns:
        if wanted not in names:
            raise InputError(f"{folder}: has no measure '{wanted}'; it has: {', '.join(names)}")
    return wanted


def _settings(systems: Sequence[System], names: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """The settings to compare in their usual order, and notes about those that not all results have."""
    have = [(system.folders[0], system.settings) for system in systems]
    common = set.intersection(*(settings for _, settings in have))
    for name in names or ():
        if name not in COMPARED_SETTINGS:
            raise unknown("setting", name, COMPARED_SETTINGS)
        for folder, settings in have:
            if name not in settings:
                raise InputError(f"{folder}: has no setting '{name}'; it has: {', '.join(sorted(settings))}")
    if not common:
        raise InputError("the results have no setting in common")
    chosen = [setting for setting in COMPARED_SETTINGS if setting in (common if names is None else names)]
    dropped = [] if names else [s for s in COMPARED_SETTINGS if s not in common and any(s in own for _, own in have)]
    return chosen, [f"{setting} was left out: not all results have it" for setting in dropped]


def _difference(contrast: Contrast) -> Difference:
    """A contrast with all its figures; p_holm is still p."""
    cells, p = contrast.rows.cells, contrast.p_id
    before, after = (significance.cell_means(cells, values) for values in (contrast.before, contrast.after))
    adjusted = benjamini_hochberg(p[1:])
    columns = [column.tolist() for column in (cells.sizes, before, after, after - before, p[1:], adjusted)]
    gains = (after - before) * (1 if contrast.higher_is_better else -1)
    better, worse, significant = gains > _EQUAL, gains < -_EQUAL, adjusted <= FALSE_DISCOVERY_RATE
    reference, value = float(before.mean()), float(after.mean())
    standard_error = float(contrast.distribution.std(ddof=1))
    return Difference(
        system=contrast.system,
        setting=contrast.setting,
        measure=contrast.measure,
        higher_is_better=contrast.higher_is_better,
        n_ids=cells.n_units,
        n_groups=cells.n_groups,
        reference=reference,
        value=value,
        difference=value - reference,
        relative=(value - reference) / reference if reference else None,
        interval=contrast.interval(),
        interval_90=contrast.interval(1 - 2 * ALPHA),
        standard_error=standard_error,
        p=float(p[0]),
        p_holm=float(p[0]),
        p_group=contrast.p_group,
        effect_size=significance.effect_size(contrast.by_id[:, 0]),
        wins=int(better.sum()),
        ties=int((~better & ~worse).sum()),
        losses=int(worse.sum()),
        significant_wins=int((better & significant).sum()),
        significant_losses=int((worse & significant).sum()),
        resolvable=significance.resolvable(standard_error) if standard_error > _EQUAL else None,
        cells=tuple(CellDifference(*pair, *numbers) for pair, *numbers in zip(contrast.rows.names, *columns)),
    )


def _notes(systems: Sequence[System], differences: Sequence[Difference]) -> list[str]:
    """What limits the figures."""
    seeds = {system.name: len(system.results) for system in systems}
    single = ", ".join(name for name, n in seeds.items() if n == 1)
    few = ", ".join(name for name, n in seeds.items() if 1 < n < _FEW_SEEDS)
    same = [system.name for system in systems if system.n_models < len(system.results)]
    several = max(seeds.values()) > 1
    ungrouped, n_groups = all(item.n_groups == item.n_ids for item in differences), differences[0].n_groups
    notes = {
        f"one training seed of {single}: intervals and p values hold for that model, not for its recipe": single,
        "p values are those of the mean over the training seeds at hand; intervals include other seeds": several,
        f"few training seeds of {few}: intervals are too narrow where seeds differ a lot": few,
        **{f"{name}: two of its results are of the very same model, not of two training seeds": name for name in same},
        "no paragraphs in this benchmark: intervals resample query ids": ungrouped,
        f"only {n_groups} groups of queries: intervals are somewhat too narrow": n_groups < _FEW_GROUPS,
    }
    seen = {
        (system.name, note): None
        for system in systems
        for r in system.results
        for note in (*leak_notes(r.summary.get("leak")), *prompt_notes(r.summary))
    }
    return [*(note for note, holds in notes.items() if holds), *(f"{name}: {note}" for name, note in seen)]
