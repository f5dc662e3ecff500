"""Compare systems from their result files: differences, intervals, tests, effect sizes, wins.

`compare` is every system against the first in every setting. For other questions (averages with intervals, any two of many
systems, some languages only, a margin, a family of tests of one's own) there is `isoglot.evaluation.contrasts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from isoglot.errors import InputError, unknown
from isoglot.evaluation import significance
from isoglot.evaluation.contrasts import RESAMPLES, SEED, Contrast, PairedRows
from isoglot.evaluation.leak import leak_notes, prompt_notes
from isoglot.evaluation.matching import RANK_DISTANCE, System, all_results, measures_of, require_comparable
from isoglot.evaluation.measures import parse_measure
from isoglot.evaluation.significance import ALPHA, POWER, Interval, benjamini_hochberg, holm
from isoglot.records import NATURAL, SETTINGS

FALSE_DISCOVERY_RATE = 0.05
COMPARED_SETTINGS = (*SETTINGS, *NATURAL, RANK_DISTANCE)
_EQUAL = 1e-12  # differences below are rounding
# below some twenty clusters, intervals from resampled clusters are too narrow (Cameron, Gelbach and Miller 2008)
_FEW_GROUPS = 20
# where seeds decide, nominal 95% intervals cover 81% with 2 seeds of each system, 90% with 3 and 93% with 5 (simulation)
_FEW_SEEDS = 5


@dataclass(frozen=True)
class CellDifference:
    """One language, or pair of languages: means over its `n` queries; `difference` is system minus reference.

    `p` is by sign flips of query ids, `p_adjusted` that after Benjamini and Hochberg over the cells of the setting.
    """

    query_lang: str
    doc_lang: str
    n: int
    reference: float
    value: float
    difference: float
    p: float
    p_adjusted: float


@dataclass(frozen=True)
class Difference:
    """A system against the reference in one setting; differences are system minus reference.

    Attributes:
        system, setting, measure: what is compared.
        higher_is_better: False for rank distance only.
        n_ids, n_groups: query ids (what is permuted) and groups (what is resampled).
        reference, value: macro-averages, means over training seeds.
        difference, relative: value - reference, and that over the reference (None where it is 0).
        interval, interval_90, standard_error: of the difference, by bootstrap.
        p: sign-flip permutation over query ids; p_holm: adjusted over all systems and settings of the comparison.
        p_group: the same test with all ids of a group flipped together. The test over ids takes the ids of one paragraph to be
            independent; where their differences correlate (by 0.1, five to a paragraph) it is wrong 10% of the time
            instead of 5%, and this one is not.
        effect_size: Cohen's d_z over query ids (None where it does not exist).
        wins, ties, losses: cells in which the system is better, equal, worse.
        significant_wins, significant_losses: those of them at a false discovery rate of 0.05.
        resolvable: the smallest difference found with power 0.8 at 0.05 (None where the systems do not differ at all).
        cells: the difference by language or pair of languages.
    """

    system: str
    setting: str
    measure: str
    higher_is_better: bool
    n_ids: int
    n_groups: int
    reference: float
    value: float
    difference: float
    relative: float | None
    interval: Interval
    interval_90: Interval
    standard_error: float
    p: float
    p_holm: float
    p_group: float
    effect_size: float | None
    wins: int
    ties: int
    losses: int
    significant_wins: int
    significant_losses: int
    resolvable: float | None
    cells: tuple[CellDifference, ...]


@dataclass(frozen=True)
class Comparison:
    """Systems against the first of them, the reference.

    Attributes:
        benchmark, context, measure: what was measured.
        reference: the name of the reference.
        systems: {name: {"results": folders, "models": names}}, the reference first.
        differences: by setting, then by system.
        resamples, seed: of bootstrap and permutation.
        notes: what a reader has to know about the figures.
    """

    benchmark: str
    context: str
    measure: str
    reference: str
    systems: dict[str, dict[str, list[str]]]
    differences: tuple[Difference, ...]
    resamples: int
    seed: int
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, with the levels and rules that the figures stand on."""
        values = asdict(self)
        differences = values.pop("differences")
        levels = {"alpha": ALPHA, "power": POWER, "false_discovery_rate": FALSE_DISCOVERY_RATE}
        return {**values, **levels, "differences": differences}


def compare(
    systems: Sequence[System],
    *,
    measure: str = "nDCG@10",
    settings: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Comparison:
    """Compare every system with the first.

    Args:
        systems: at least two; see `load_systems`.
        measure: a column of the per-query rows; spellings as in `parse_measure`.
        settings: of mono, cross, multi and rank_distance; None: those that all systems have.
        resamples, seed: of the bootstrap and of the permutation test.

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
    several = any(n > 1 for n in seeds.values())
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
