"""Compare systems from their result files: differences, intervals, tests, effect sizes, wins.

`compare` is every system against the first in every setting. For other questions (averages with intervals, any two of many
systems, some languages only, a margin, a family of tests of one's own) there is `isoglot.evaluation.contrasts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from isoglot.errors import InputError, unknown
from isoglot.evaluation import significance
from isoglot.evaluation.comparison import FALSE_DISCOVERY_RATE, CellDifference, Comparison, Difference
from isoglot.evaluation.contrasts import Contrast, PairedRows
from isoglot.evaluation.matching import RANK_DISTANCE, System, measures_of, require_comparable, settings_of
from isoglot.evaluation.measures import parse_measure
from isoglot.evaluation.multiple import benjamini_hochberg, holm
from isoglot.evaluation.significance import ALPHA
from isoglot.records import SETTINGS

COMPARED_SETTINGS = (*SETTINGS, RANK_DISTANCE)
_EQUAL = 1e-12  # differences below are rounding
# below some twenty clusters, intervals from resampled clusters are too narrow (Cameron, Gelbach and Miller 2008)
_FEW_GROUPS = 20
# where seeds decide, nominal 95% intervals cover 81% with 2 seeds of each system, 90% with 3 and 93% with 5 (simulation)
_FEW_SEEDS = 5


def compare(
    systems: Sequence[System],
    *,
    measure: str = "nDCG@10",
    settings: Sequence[str] | None = None,
    resamples: int = 9999,
    seed: int = 0,
) -> Comparison:
    """Compare every system with the first.

    Args:
        systems: at least two; see `load_systems`.
        measure: a column of the per-query rows; spellings as in `parse_measure`.
        settings: of mono, cross, multi and rank_distance; None: those that all systems have.
        resamples: of the bootstrap and of the permutation test.
        seed: of both.

    Raises:
        InputError: results of different benchmarks, contexts, samples, languages or tie rules, a measure or setting that is
            missing, rows that do not match.
    """
    if len(systems) < 2:
        raise InputError("nothing to compare: at least two systems are needed")
    if resamples < 99 or seed < 0:
        raise InputError(f"resamples must be at least 99 and the seed at least 0, got {resamples} and {seed}")
    require_comparable(systems)
    column = _column(systems, measure)
    chosen, notes = _settings(systems, settings)
    differences: list[Difference] = []
    for setting in chosen:
        rows = PairedRows(systems, setting, column, resamples=resamples, seed=seed)
        reference, *others = rows.names
        differences += [_difference(rows.contrast(reference, other)) for other in others]
    adjusted = holm([item.p for item in differences])
    summary = systems[0].results[0].summary
    return Comparison(
        benchmark=summary["benchmark"],
        context=summary["context"],
        measure=column,
        reference=systems[0].name,
        systems={system.name: _origin(system) for system in systems},
        differences=tuple(replace(item, p_holm=float(p)) for item, p in zip(differences, adjusted)),
        resamples=resamples,
        seed=seed,
        notes=(*notes, *_notes(systems, differences)),
    )


def _origin(system: System) -> dict[str, list[str]]:
    return {
        "results": list(system.places),
        "models": [str(result.summary.get("model")) for result in system.results],
    }


def _column(systems: Sequence[System], measure: str) -> str:
    """The name of the measure's column in every result."""
    tables = [(place, result.per_query) for system in systems for place, result in zip(system.places, system.results)]
    wanted = measure if all(measure in measures_of(table) for _, table in tables) else str(parse_measure(measure))
    for place, table in tables:
        if wanted not in measures_of(table):
            known = ", ".join(name for name in measures_of(table) if name != RANK_DISTANCE)
            raise InputError(f"{place}: has no measure '{wanted}'; it has: {known}")
    if wanted == RANK_DISTANCE:
        raise InputError(f"'{RANK_DISTANCE}' is compared as a setting: --setting {RANK_DISTANCE}")
    return wanted


def _settings(systems: Sequence[System], names: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """The settings to compare in their usual order, and notes about those that not all results have."""
    have = [settings_of(system) for system in systems]
    if names is None:
        common = [setting for setting in COMPARED_SETTINGS if all(setting in own for own in have)]
        if not common:
            raise InputError("the results have no setting in common")
        dropped = [s for s in COMPARED_SETTINGS if s not in common and any(s in own for own in have)]
        return common, [f"{setting} was left out: not all results have it" for setting in dropped]
    for name in names:
        if name not in COMPARED_SETTINGS:
            raise unknown("setting", name, COMPARED_SETTINGS)
        for system, own in zip(systems, have):
            if name not in own:
                raise InputError(f"{system.places[0]}: has no setting '{name}'; it has: {', '.join(sorted(own))}")
    return [setting for setting in COMPARED_SETTINGS if setting in names], []


def _difference(contrast: Contrast) -> Difference:
    """A contrast with all its figures; p_holm is still p."""
    parts, cells = contrast.by_id, contrast.rows.cells
    by_cell, reference, value = _by_cell(contrast)
    gains = np.array([cell.difference for cell in by_cell]) * (1 if contrast.higher_is_better else -1)
    significant = np.array([cell.p_adjusted for cell in by_cell]) <= FALSE_DISCOVERY_RATE
    better, worse = gains > _EQUAL, gains < -_EQUAL
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
        p=float(contrast.p_id[0]),
        p_holm=float(contrast.p_id[0]),
        p_group=contrast.p_group,
        effect_size=significance.effect_size(parts[:, 0]),
        wins=int(better.sum()),
        ties=int((~better & ~worse).sum()),
        losses=int(worse.sum()),
        significant_wins=int((better & significant).sum()),
        significant_losses=int((worse & significant).sum()),
        resolvable=significance.resolvable(standard_error) if standard_error > _EQUAL else None,
        cells=by_cell,
    )


def _by_cell(contrast: Contrast) -> tuple[tuple[CellDifference, ...], float, float]:
    """The cells, and the macro-averages of reference and system."""
    cells, p = contrast.rows.cells, contrast.p_id[1:]
    before, after = (significance.cell_means(cells, values) for values in (contrast.before, contrast.after))
    columns = [cells.sizes, before, after, after - before, p, benjamini_hochberg(p)]
    rows = zip(contrast.rows.names, *(column.tolist() for column in columns))
    by_cell = tuple(CellDifference(*pair, *numbers) for pair, *numbers in rows)
    return by_cell, float(before.mean()), float(after.mean())


def _notes(systems: Sequence[System], differences: Sequence[Difference]) -> list[str]:
    """What limits the figures."""
    notes = []
    if single := [system.name for system in systems if len(system.results) == 1]:
        notes.append(
            f"one training seed of {', '.join(single)}: intervals and p values hold for that model, not for its recipe"
        )
    if any(len(system.results) > 1 for system in systems):
        notes.append("p values are those of the mean over the training seeds at hand; intervals include other seeds")
    if few := [system.name for system in systems if 1 < len(system.results) < _FEW_SEEDS]:
        notes.append(f"few training seeds of {', '.join(few)}: intervals are too narrow where seeds differ a lot")
    for system in systems:
        digests = [result.summary["digests"].get("model") for result in system.results]
        known = [digest for digest in digests if digest]
        if len(set(known)) < len(known):
            notes.append(f"{system.name}: two of its results are of the very same model, not of two training seeds")
    first = differences[0]
    if all(item.n_groups == item.n_ids for item in differences):
        notes.append("no paragraphs in this benchmark: intervals resample query ids")
    if first.n_groups < _FEW_GROUPS:
        notes.append(f"only {first.n_groups} groups of queries: intervals are somewhat too narrow")
    return notes
