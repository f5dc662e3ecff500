"""Claims on studies with planted effects: every verdict is reached where it should be, and no other."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from isoglot.errors import InputError
from isoglot.evaluation.contrasts import pooled
from isoglot.files import read_json, write_json
from isoglot.study.analyse import answer_of
from isoglot.study.analysis.contrasts import Comparisons
from isoglot.study.analysis.reading import read_study
from isoglot.study.analysis.systems import encoder_share
from isoglot.study.claims.claim import KINDS, Verdict
from isoglot.study.claims.judge import answer as answer_to
from isoglot.study.claims.judge import claims_of, judge_claims, parse_claims
from isoglot.study.presets import PRESETS
from tests.study.made_study import MadeStudy

RESAMPLES = 999


@pytest.fixture
def made(tmp_path: Path) -> MadeStudy:
    return MadeStudy(tmp_path / "study")


def compared(home: Path) -> Comparisons:
    return Comparisons(read_study(home), resamples=RESAMPLES)


def judged_in(comparisons: Comparisons) -> dict[str, Verdict]:
    return {verdict.name: verdict for verdict in judge_claims(comparisons, claims_of(comparisons.study))}


def judged(made: MadeStudy) -> dict[str, Verdict]:
    """All claims of the preset `lareqa`, whose name made studies bear."""
    return judged_in(compared(made.write()))


def verdict(made: MadeStudy, name: str) -> Verdict:
    return judged(made)[name]


def answer(home: Path) -> str:
    return answer_of(compared(home))


def test_an_empty_study_tests_nothing(made: MadeStudy) -> None:
    rows = judged(made)
    assert {row.outcome for row in rows.values()} == {"not tested"}
    assert all(row.note and not row.evidence for row in rows.values())
    assert answer(made.home) == "Not answered by this study: no cell is finished."


def test_every_claim_of_the_presets_says_how_it_is_tested() -> None:
    for preset in PRESETS:
        claims = parse_claims(preset.values.get("claims"), preset.name)
        for claim in claims.values():
            assert claim.statement.endswith(".")
            assert not claim.states().startswith(claim.statement)
            assert "; undecided" in claim.test or len(claim.test) > 40
            assert claim.source in {"this project"} or claim.source.startswith("arXiv 2408.10536")


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ({"of": "a", "against": "b", "not_blow": -1}, "unknown setting 'not_blow' (did you mean 'not_below'?)"),
        ({"kind": "costs"}, "claims.mine: unknown kind of claim 'costs' (did you mean 'cost'?)"),
        ({"of": {"stratgy": "mono"}, "against": "b"}, "of: unknown trait 'stratgy' (did you mean 'strategy'?)"),
        ({"of": {"steps": {"over": 3}}, "against": "b"}, "of: unknown test 'over'"),
        ({"of": "a", "against": "b", "setting": "crss"}, "setting.0: 'crss' is not one of mono, cross, multi"),
        ({"of": "a"}, "setting 'against' is missing"),
        ({"kind": "cost", "of": "a", "against": "b", "cost": "money"}, "cost: 'money' is not one of seconds, memory"),
        ({"kind": "equivalence", "of": "a", "within": 0.1}, "an equivalence has 'against' or 'among', and not both"),
        ("lareqaa", "unknown preset 'lareqaa' (did you mean 'lareqa'?)"),
        ("lareqa", "the preset 'lareqa' states no claim of this name"),
        (3, "expected a mapping of settings or the name of a preset, got 3"),
    ],
)
def test_what_is_wrong_with_a_claim_is_one_line(claim: Any, message: str) -> None:
    with pytest.raises(InputError) as error:
        parse_claims({"mine": claim}, "spec.yaml")
    assert str(error.value).startswith("spec.yaml: claims.mine: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def own_claims(made: MadeStudy, claims: dict[str, Any]) -> dict[str, Verdict]:
    """Verdicts on a study that states its claims itself."""
    home = made.write()
    write_json(home / "study.json", {"schema": 1, "name": "lareqa", "spec": {"claims": claims}})
    return judged_in(compared(home))


def test_a_claim_of_six_lines_between_systems_by_name(made: MadeStudy) -> None:
    made.add("mono").add("hybrid", 0.05, share=0.5).audited()
    for cell in made.cells:
        cell["system"], cell["stages"] = ("plain", None) if cell["strategy"] == "mono" else ("new", [{"debias": {}}])
    verdicts = own_claims(
        made,
        {
            "new-better": {
                "of": "new",
                "against": "plain",
                "measure": "nDCG@10",
                "setting": "cross",
                "better": "higher",
            },
            "new-not-worse": {"of": "new", "against": "plain", "not_below": -0.02},
            "plain-better": {"of": "plain", "against": "new"},
            "new-with-all-else-equal": {"of": {"strategy": "hybrid"}, "against": {"strategy": "mono"}},
        },
    )
    assert [verdict.outcome for verdict in verdicts.values()] == ["holds", "holds", "fails", "not tested"]
    assert verdicts["new-better"].statement == "new is higher than plain in nDCG@10 (cross)."
    assert verdicts["new-better"].findings[0].where.endswith("toy, cross: new - plain")


def test_a_study_that_states_no_claims_has_none(made: MadeStudy) -> None:
    made.add("mono").add("hybrid", 0.05).audited()
    assert own_claims(made, {}) == {}


def test_claims_of_one_family_are_corrected_together(made: MadeStudy) -> None:
    made.add("mono").add("cross", 0.02).add("hybrid", 0.05).audited()
    claims = [{"of": {"strategy": "hybrid"}, "against": {"strategy": name}} for name in ("mono", "cross")]
    alone = own_claims(made, {"one": claims[0], "two": claims[1]})
    together = own_claims(made, {str(n): {**claim, "family": "both"} for n, claim in enumerate(claims)})
    assert "Holm over 1 test(s)" in alone["one"].confidence
    assert "Holm over 2 test(s)" in together["0"].confidence
    p = [verdict.findings[0].p_holm or 0 for verdict in (alone["one"], together["0"])]
    assert p[1] == pytest.approx(2 * p[0])


def test_hybrid_best_in_multilingual(made: MadeStudy) -> None:
    made.add("mono").add("cross", 0.02).add("hybrid", 0.05).audited()
    row = verdict(made, "hybrid-multilingual")
    assert row.outcome == "holds"
    assert [finding.outcome for finding in row.findings] == ["holds", "holds"]
    values = sorted(finding.estimate or 0 for finding in row.findings)
    assert values == pytest.approx([0.03, 0.05], abs=0.005)
    assert all(f.interval and 0 < f.interval[0] < (f.estimate or 0) < f.interval[1] for f in row.findings)
    assert "2 seeds" in row.confidence
    assert "Holm over 2" in row.confidence
    assert all((made.home / place / "per_query.parquet").is_file() for place in row.evidence)
    assert len(row.evidence) == 6


def test_a_baseline_that_is_better_refutes_it(made: MadeStudy) -> None:
    made.add("mono", -0.1).add("cross", {"multi": 0.05}).add("hybrid").audited()
    rows = judged(made)
    assert rows["hybrid-multilingual"].outcome == "fails"
    assert rows["hybrid-every-base"].outcome == "fails"
    assert rows["less-bias"].outcome == "holds"


def test_no_difference_is_undecided(made: MadeStudy) -> None:
    made.add("mono").add("cross").add("hybrid").audited()
    rows = judged(made)
    for name in ("hybrid-multilingual", "hybrid-every-base", "less-bias"):
        assert rows[name].outcome == "undecided"


def test_seeds_that_disagree_are_undecided_however_many_queries(made: MadeStudy) -> None:
    """The mean is above both baselines on every query, the seeds are not."""
    made.add("mono", 0.0, spread=0.06).add("cross", 0.0, spread=0.06).add("hybrid", 0.04, spread=0.06).audited()
    row = verdict(made, "hybrid-multilingual")
    assert row.outcome == "undecided"
    assert all(finding.p_holm is not None and finding.p_holm < 0.05 for finding in row.findings)


def test_one_seed_decides_nothing_about_recipes(made: MadeStudy) -> None:
    made.add(None, -0.1).add("mono", seeds=[0]).add("cross", seeds=[0]).add("hybrid", 0.1, seeds=[0])
    made.add("hybrid", 0.0, seeds=[0], tuning="full").audited()
    rows = judged(made)
    recipes = ("hybrid-multilingual", "less-bias", "strong-zero-shot", "lora-non-inferior", "lora-superior")
    for name in recipes:
        assert rows[name].outcome == "undecided"
        assert "one seed" in rows[name].note
        assert "one seed" in rows[name].confidence
    assert "it decides nothing" in answer(made.home)


def test_the_same_model_twice_is_one_seed(made: MadeStudy) -> None:
    made.add("hybrid", seeds=[0]).add("hybrid", seeds=[0], tuning="full").audited()
    for cell in list(made.cells):
        made.cells.append({**cell, "id": cell["id"] + "-again", "seed": 1})
    row = verdict(made, "lora-non-inferior")
    assert row.outcome == "undecided"
    assert "one seed" in row.confidence


def test_missing_or_failed_cells_cannot_make_a_universal_claim_hold(made: MadeStudy) -> None:
    made.add("mono").add("cross", 0.02).add("hybrid", 0.05).audited()
    made.add("mono", tuning="full", status="failed", error="out of memory")
    row = verdict(made, "hybrid-multilingual")
    assert row.outcome == "undecided"
    assert "of its cells are not finished" in row.note
    only = MadeStudy(made.home.parent / "only").add("hybrid").audited()
    row = verdict(only, "hybrid-multilingual")
    assert row.outcome == "not tested"
    assert "no finished mono cells" in row.note


def test_what_has_not_finished_of_other_systems_is_no_business_of_a_claim(made: MadeStudy) -> None:
    made.add("mono").add("cross", 0.02).add("hybrid", 0.05).audited()
    made.add("english", status="pending")
    rows = judged(made)
    assert rows["hybrid-multilingual"].outcome == "holds"
    assert "not finished" not in rows["hybrid-multilingual"].note
    assert answer(made.home).endswith("cells are not finished.")


def test_better_for_each_base_takes_two_bases(made: MadeStudy) -> None:
    made.add("mono").add("cross", 0.02).add("hybrid", 0.06).audited()
    row = verdict(made, "hybrid-every-base")
    assert (row.outcome, len(row.findings)) == ("undecided", 6)
    assert "one base" in row.note
    made.add("mono", base="labse").add("cross", 0.02, base="labse").add("hybrid", 0.06, base="labse")
    row = verdict(made, "hybrid-every-base")
    assert (row.outcome, len(row.findings)) == ("holds", 12)


def test_less_bias_is_a_smaller_rank_distance(made: MadeStudy) -> None:
    made.add("mono", 0.05).add("hybrid", 0.0).audited()
    row = verdict(made, "less-bias")
    assert row.outcome == "fails"
    assert row.findings[0].estimate == pytest.approx(5, abs=0.5)
    assert "ranks" in row.effect


def test_strong_zero_shot_needs_an_audit_and_no_language_that_loses(made: MadeStudy) -> None:
    made.add(None).add("hybrid", 0.05)
    assert verdict(made, "strong-zero-shot").outcome == "not tested"
    assert verdict(made.audited(), "strong-zero-shot").outcome == "holds"
    loses = MadeStudy(made.home.parent / "loses").audited().add(None)
    loses.add("hybrid", {"cross": 0.1, ("cross", "sw"): -0.05, "multi": 0.1})
    row = verdict(loses, "strong-zero-shot")
    assert row.outcome == "fails"
    assert [finding.where.split("queries in ")[1][:2] for finding in row.findings if finding.outcome == "fails"] == [
        "sw"
    ]


def test_results_that_leaked_do_not_count(made: MadeStudy) -> None:
    made.add("mono").add("cross").add("hybrid", 0.1).add("hybrid", 0.0, tuning="full").audited(leaks=3)
    rows = judged(made)
    for name in ("hybrid-multilingual", "less-bias", "strong-zero-shot", "lora-superior"):
        assert rows[name].outcome == "not tested"
    assert (rows["disjoint"].outcome, rows["zero-shot"].outcome) == ("fails", "fails")
    assert rows["disjoint"].evidence == ("audit.json",)
    words = answer(made.home)
    assert words.startswith("Not answered by this study: the audit found its benchmarks")


def test_disjoint_is_less_than_nothing_seen(made: MadeStudy) -> None:
    made.add("hybrid").audited(distractors=2)
    rows = judged(made)
    assert (rows["disjoint"].outcome, rows["zero-shot"].outcome) == ("holds", "fails")
    made.audited()
    assert judged(made)["zero-shot"].outcome == "holds"
    made.audited(benchmarks=["another"])
    assert judged(made)["disjoint"].outcome == "not tested"


def test_counts_are_read_and_not_assumed(made: MadeStudy) -> None:
    eleven = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")
    seven = ("ar", "de", "en", "es", "hi", "vi", "zh")
    made.add("hybrid", seeds=[0], benchmarks=["xquad-r"], languages=eleven)
    row = verdict(made, "settings")
    assert (row.outcome, row.note) == ("undecided", "mlqa-r was not measured")
    made.add("hybrid", seeds=[0], benchmarks=["mlqa-r"], languages=seven)
    rows = judged(made)
    assert rows["settings"].outcome == rows["parallel-languages"].outcome == "holds"
    assert rows["settings"].effect == "mlqa-r: 42 cross, 7 multi, 7 mono; xquad-r: 110 cross, 11 multi, 11 mono"
    made.add("hybrid", seeds=[1], benchmarks=["mlqa-r"], languages=seven[:6])
    rows = judged(made)
    assert rows["settings"].outcome == rows["parallel-languages"].outcome == "fails"
    assert rows["miracl"].outcome == "not tested"
    made.add("hybrid", seeds=[2], benchmarks=["miracl"])
    assert judged(made)["miracl"].outcome == "holds"


def test_averages_are_recomputed(made: MadeStudy) -> None:
    made.add("hybrid").audited()
    rows = judged(made)
    assert rows["macro-averages"].outcome == rows["map"].outcome == rows["mixed-batches"].outcome == "holds"
    made.cells[0]["benchmarks"]["toy"]["settings"]["cross"]["AP"] += 1e-6
    assert judged(made)["macro-averages"].outcome == "fails"
    del made.cells[1]["benchmarks"]["toy"]["settings"]["multi"]["AP"]
    assert judged(made)["map"].outcome == "fails"


def test_a_single_language_is_no_mix(made: MadeStudy) -> None:
    assert verdict(made.add("hybrid", trained=["en"]), "mixed-batches").outcome == "fails"


@pytest.mark.parametrize(
    ("shift", "noise", "wanted"), [(0.0, 0.01, "holds"), (0.05, 0.01, "fails"), (0.0, 0.2, "undecided")]
)
def test_shares_are_stable(made: MadeStudy, shift: float, noise: float, wanted: str) -> None:
    for share in (0.2, 0.4, 0.5, 0.6):
        made.add("hybrid", shift if share == 0.6 else 0.0, share=share, noise=noise)
    row = verdict(made, "share-stable")
    assert (row.outcome, len(row.findings)) == (wanted, 9)


def test_shares_that_agree_on_average_only_are_undecided(made: MadeStudy) -> None:
    for share in (0.4, 0.5, 0.6):
        made.add("hybrid", share=share, noise=0.002, spread=0.03)
    row = verdict(made, "share-stable")
    assert row.outcome == "undecided"
    assert max(abs(finding.estimate or 0) for finding in row.findings) < 0.01


def test_shares_without_one_of_the_three_are_not_tested(made: MadeStudy) -> None:
    assert verdict(made.add("hybrid", share=0.4).add("hybrid", share=0.6), "share-stable").outcome == "not tested"


def test_a_study_of_shares_is_answered_along_them(made: MadeStudy) -> None:
    made.add(None)
    for share, shift in ((0.4, 0.1), (0.5, 0.0), (0.6, 0.05)):
        made.add("hybrid", shift, share=share, seeds=(0,))
    words = answer(made.write())
    means = [cell["benchmarks"]["toy"]["settings"]["cross"]["nDCG@10"] for cell in made.cells]
    by_share = ", ".join(f"{share}: {value:.4f}" for share, value in zip((0.4, 0.5, 0.6), means[1:]))
    assert words.startswith("Cross nDCG@10 on toy by share of monolingual batches (lora, hybrid, ")
    assert f": {by_share} (base {means[0]:.4f}). That shares of .4 to .6 do equally well: undecided." in words
    assert words.endswith("One training seed decides nothing about recipes.")


def test_an_answer_names_its_settings_and_compares_no_cost_with_an_untrained_base(made: MadeStudy) -> None:
    stated = {"of": {"tuning": "lora"}, "against": {"kind": "base"}, "setting": ["mono", "cross"], "measure": "nDCG@10"}
    comparisons = compared(made.add(None, cost=COST).add("hybrid", 0.1, cost=LESS).audited().write())
    claims = parse_claims({"better": {**stated, "called": ["LoRA", "the base"]}}, "x")
    words = answer_to(comparisons, claims, judge_claims(comparisons, claims))
    assert words.startswith("LoRA instead of the base changes nDCG@10 by +0.")
    assert " in mono on toy (" in words
    assert " in cross on toy (" in words
    assert " of the training time" not in words
    assert " memory" not in words


def test_a_study_of_amounts_is_answered_along_them_strategy_by_strategy(made: MadeStudy) -> None:
    for strategy in ("mono", "hybrid"):
        for amount in (0.25, 1.0):
            made.add(strategy, amount / 10, amount=amount)
    made.add("cross", amount=1.0)
    words = answer(made.write())
    assert words.count("Cross nDCG@10 on toy by share of the training pairs (lora, ") == 2
    assert "(lora, mono, " in words
    assert "(lora, hybrid, " in words
    assert words.count(" 0.25: 0.") == words.count(", 1: 0.") == 2


def test_ends_of_a_series_over_shares_are_the_baselines(made: MadeStudy) -> None:
    made.add("hybrid", 0.0, share=0.0).add("hybrid", 0.0, share=1.0).add("hybrid", 0.05).audited()
    assert verdict(made, "hybrid-multilingual").outcome == "holds"
    assert verdict(made, "mixed-batches").outcome == "holds"
    # cells that were asked to be mono are another recipe, and the one that counts
    made.add("mono", 0.1)
    assert verdict(made, "hybrid-multilingual").outcome == "fails"


def test_unseen_languages(made: MadeStudy) -> None:
    """Only the unseen languages count: the trained one loses."""
    shift = {("cross", "en"): -0.2, ("multi", "en"): -0.2, "cross": 0.05, "multi": 0.05, "mono": 0.0}
    made.add(None).add("hybrid", shift, trained=["en"]).audited()
    row = verdict(made, "unseen-languages")
    assert row.outcome == "holds"
    assert [finding.estimate for finding in row.findings] == pytest.approx([0.05, 0.05], abs=0.005)
    other = MadeStudy(made.home.parent / "other").add(None).audited()
    other.add(
        "hybrid", {("cross", "sw"): -0.05, ("multi", "sw"): -0.05, "cross": 0.2, "multi": 0.2}, trained=["en", "de"]
    )
    assert verdict(other, "unseen-languages").outcome in {"fails", "undecided"}
    seen = MadeStudy(made.home.parent / "seen").add(None).add("hybrid", 0.1).audited()
    assert verdict(seen, "unseen-languages").outcome == "not tested"


COST = {
    "train_seconds": 100.0,
    "peak_memory_bytes": 4000,
    "trainable_parameters": 1000,
    "adapter_bytes": None,
    "model_bytes": 4000,
}
LESS = {**COST, "train_seconds": 60.0, "peak_memory_bytes": 1000, "trainable_parameters": 10, "adapter_bytes": 40}


@pytest.mark.parametrize(
    ("shift", "noise", "inferiority", "superiority"),
    [
        (0.0, 0.01, "holds", "undecided"),
        (0.03, 0.01, "holds", "holds"),
        (-0.05, 0.01, "fails", "fails"),
        (-0.015, 0.002, "fails", "fails"),
        (-0.006, 0.002, "holds", "fails"),
        (0.0, 0.3, "undecided", "undecided"),
    ],
)
def test_lora_against_full(made: MadeStudy, shift: float, noise: float, inferiority: str, superiority: str) -> None:
    made.add("hybrid", {"cross": shift}, noise=noise, cost=LESS).add("hybrid", tuning="full", noise=noise, cost=COST)
    made.audited()
    rows = judged(made)
    assert (rows["lora-non-inferior"].outcome, rows["lora-superior"].outcome) == (inferiority, superiority)
    assert rows["lora-non-inferior"].findings[0].estimate == pytest.approx(shift, abs=5 * noise / 10)
    words = answer(made.home)
    stated = {"holds": "not inferior", "fails": "inferior by more", "undecided": "undecided"}[inferiority]
    assert f": {stated}" in words
    assert (
        "60% of the training time, 25% of the peak resident memory, 1% of the trained parameters and 1% of the bytes"
        in words
    )
    assert "2 seeds each" in words


def test_costs(made: MadeStudy) -> None:
    made.add("hybrid", cost=LESS).add("hybrid", tuning="full", cost=COST).audited()
    rows = judged(made)
    for name in ("lora-time", "lora-memory", "lora-parameters", "lora-bytes"):
        assert rows[name].outcome == "holds"
        assert rows[name].evidence == ("cost.json",)
    assert rows["lora-time"].effect == "x0.6 [0.6, 0.6] of full fine-tuning"
    first = next(cell["id"] for cell in made.cells if cell["tuning"]["kind"] == "lora")
    made.costs[first]["train_seconds"] = 140.0
    assert judged(made)["lora-time"].outcome == "undecided"
    assert "100% of the training time (60% to 140% over pairs of seeds), 25% of the peak" in answer(made.write())
    del made.costs[first]
    assert judged(made)["lora-time"].outcome == "not tested"
    slow = MadeStudy(made.home.parent / "slow").add("hybrid", cost={**LESS, "train_seconds": 200.0})
    assert verdict(slow.add("hybrid", tuning="full", cost=COST), "lora-time").outcome == "fails"


def test_the_claim_about_time_says_how_many_cells_ran_at_a_time(made: MadeStudy) -> None:
    made.add("hybrid", cost=LESS).add("hybrid", tuning="full", cost=COST).audited()
    assert judged(made)["lora-time"].confidence.endswith("; comparable if cells ran one at a time")
    made.costs = {key: {**cost, "machine": {"cells_at_a_time": 1}} for key, cost in made.costs.items()}
    assert judged(made)["lora-time"].confidence.endswith("; cells ran one at a time")
    made.costs[next(iter(made.costs))]["machine"] = {"cells_at_a_time": 2}
    assert judged(made)["lora-time"].confidence.endswith("; up to 2 cells ran at a time")


def test_times_of_runs_that_had_to_wait_are_no_comparison(made: MadeStudy) -> None:
    """A run that was suspended, or shared its core, took longer than its work did."""
    made.add("hybrid", cost={**LESS, "cpu_seconds": 59.0, "train_seconds": 60.0})
    made.add("hybrid", tuning="full", cost={**COST, "cpu_seconds": 99.0, "train_seconds": 100.0}).audited()
    assert "other work" not in judged(made)["lora-time"].confidence
    assert "Times are no comparison" not in answer(made.write())
    made.costs[made.cells[-1]["id"]]["train_seconds"] = 400.0
    assert judged(made)["lora-time"].confidence.endswith("; up to 75% of a run's time other work had the processor")
    assert "Times are no comparison: up to 75% of them other work had the processor." in answer(made.write())
    made.costs[made.cells[-1]["id"]]["machine"] = {"gpu": "one"}
    assert "other work" not in judged(made)["lora-time"].confidence, "it waits for its device"


def test_gpu_memory_counts_where_there_is_one(made: MadeStudy) -> None:
    made.add("hybrid", cost={**LESS, "gpu_peak_memory_bytes": 90}).add(
        "hybrid", tuning="full", cost={**COST, "gpu_peak_memory_bytes": 100}
    )
    assert verdict(made, "lora-memory").findings[0].estimate == pytest.approx(0.9)
    assert "90% of the peak GPU memory" in answer(made.audited().write())
    for cell in made.cells[2:]:
        made.costs[cell["id"]]["gpu_peak_memory_bytes"] = None
    assert verdict(made, "lora-memory").outcome == "not tested", "a GPU's memory is not a fraction of a process's"
    assert "memory" not in answer(made.home)


def test_trained_parameters_of_the_encoder_without_its_embeddings(made: MadeStudy) -> None:
    facts = {"trainable_parameters": 10, "parameters": 1010, "embedding_parameters": 800, "added_parameters": 10}
    made.add("hybrid", cost=LESS, train=facts).add("hybrid", tuning="full", cost=COST).audited()
    assert "1% of the trained parameters (5% of the encoder without its embeddings) and" in answer(made.write())
    for cell in made.cells[:2]:
        cell["train"] = {key: facts[key] for key in ("trainable_parameters", "parameters")}
    assert "1% of the trained parameters and" in answer(made.write()), "of runs from before it was recorded"
    assert encoder_share({"train": {**facts, "trainable_parameters": 1000}}) is None, "word embeddings are trained, too"


@pytest.mark.parametrize(
    ("shift", "noise", "wanted"),
    [
        (0.0, 0.003, ("holds", "holds")),
        (0.007, 0.002, ("holds", "fails")),
        (-0.007, 0.002, ("holds", "fails")),
        (0.0, 0.03, ("holds", "undecided")),
        (0.02, 0.003, ("fails", "fails")),
        (0.0, 0.3, ("undecided", "undecided")),
    ],
)
def test_equivalence_is_two_one_sided_tests(
    made: MadeStudy, shift: float, noise: float, wanted: tuple[str, str]
) -> None:
    made.add("hybrid", {"cross": shift}, noise=noise).add("hybrid", tuning="full", noise=noise).audited()
    rows = judged(made)
    found = [rows[name] for name in ("lora-equivalent-.01", "lora-equivalent-.005")]
    assert tuple(row.outcome for row in found) == wanted
    low, high = found[0].findings[0].interval or (0, 0)
    assert found[0].findings[0].estimate == pytest.approx(shift, abs=noise / 2)
    for row, margin in zip(found, (0.01, 0.005)):
        assert (row.outcome == "holds") == (max(-low, high) < margin)
        assert "two one-sided tests at 2.5%" in row.confidence


def test_a_tuning_is_meant_by_its_name_where_one_has_it(made: MadeStudy) -> None:
    """lora-attention and full-frozen are of the same kinds as lora and full, and are others' business."""
    made.add("hybrid").add("hybrid", tuning="full").audited()
    made.add("hybrid", {"cross": -0.2}, tuning="lora-attention").add("hybrid", {"cross": 0.2}, tuning="full-frozen")
    claims = {name: row for name, row in judged(made).items() if name.startswith("lora-") and row.findings}
    compared_in = {
        name: {finding.where.rpartition(": ")[2] for finding in row.findings} for name, row in claims.items()
    }
    assert compared_in == {
        "lora-non-inferior": {"lora - full"},
        "lora-superior": {"lora - full"},
        "lora-equivalent-.01": {"lora - full"},
        "lora-equivalent-.005": {"lora - full"},
        "lora-frozen-equivalent-.01": {"lora - full-frozen"},
        "lora-attention-equivalent-.01": {"lora-attention - lora"},
    }
    assert [row.outcome for row in claims.values()] == ["holds", "undecided", "holds", "holds", "fails", "fails"]
    # what has not finished is not replaced by another of its kind
    for cell in made.cells[2:4]:
        cell |= {"status": "failed", "benchmarks": {}}
    assert judged(made)["lora-non-inferior"].outcome == "not tested"
    # by kind where the study has none of that name
    other = MadeStudy(made.home.parent / "other").add("hybrid", tuning="lora-16").add("hybrid", tuning="full").audited()
    assert judged(other)["lora-non-inferior"].outcome == "holds"


def test_several_comparisons_are_told_apart_and_pooled(made: MadeStudy) -> None:
    made.add("hybrid", {"cross": 0.02}, benchmarks=["one", "two"], cost=LESS)
    made.add("hybrid", tuning="full", benchmarks=["one", "two"], cost=COST)
    made.add("hybrid", {"cross": -0.06}, benchmarks=["one"], base="labse").add(
        "hybrid", tuning="full", benchmarks=["one"], base="labse"
    )
    made.audited(benchmarks=["one", "two"])
    row = verdict(made, "lora-non-inferior")
    assert (row.outcome, sorted(finding.outcome for finding in row.findings)) == ("fails", ["fails", "holds", "holds"])
    assert row.effect.startswith("mean of 3 comparisons -0.00")
    comparisons = compared(made.home)
    differences = claims_of(comparisons.study)["lora-non-inferior"].compare(comparisons).counted  # type: ignore[attr-defined]
    mean = pooled([contrast.paired for contrast in differences])
    low, high = mean.interval()
    assert mean.mean == pytest.approx((0.02 + 0.02 - 0.06) / 3, abs=0.003)
    assert low < mean.mean < high
    # the mean of three is known better than the least certain of them
    assert high - low < max(contrast.interval()[1] - contrast.interval()[0] for contrast in differences)
    words = answer(made.home)
    assert words.count("95% interval") == 4
    assert "the claim of non-inferiority as a whole is: fails" in words
    assert "What it costs was not recorded (labse on data)." in words
    assert words == answer(made.home)


def test_other_ranks_are_shown_and_not_counted(made: MadeStudy) -> None:
    made.add("hybrid", tuning="lora-16").add("hybrid", tuning="full").audited()
    four = {"name": "lora-4", "kind": "lora", "rank": 4, "targets": []}
    made.add("hybrid", {"cross": -0.2}, tuning="lora-4")
    for cell in made.cells[-2:]:
        cell["tuning"] = four
    row = verdict(made, "lora-non-inferior")
    assert row.outcome == "holds"
    assert [(finding.counted, finding.outcome) for finding in row.findings] == [(True, "holds"), (False, "fails")]


def test_different_budgets_are_not_compared(made: MadeStudy) -> None:
    made.add("hybrid", steps=100).add("hybrid", tuning="full", steps=200)
    assert verdict(made, "lora-non-inferior").outcome == "not tested"
    assert "everything else equal" in answer(made.home)


def test_broken_result_files_are_not_tested_and_nothing_is_raised(made: MadeStudy) -> None:
    made.add("mono").add("cross").add("hybrid").audited()
    home = made.write()
    shutil.rmtree(home / made.cells[-1]["benchmarks"]["toy"]["path"])
    row = judged_in(compared(home))["hybrid-multilingual"]
    assert row.outcome == "not tested"
    assert "no such folder" in row.note


def test_no_study_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no study\.json and no results\.json"):
        read_study(tmp_path)
    write_json(tmp_path / "results.json", {"cells": [{"id": "a"}]})
    with pytest.raises(InputError, match="not as `isoglot study run` writes it"):
        read_study(tmp_path)
    write_json(tmp_path / "results.json", {"cells": 3})
    with pytest.raises(InputError, match="no 'cells'"):
        read_study(tmp_path)


def test_contrasts_are_those_of_compare(made: MadeStudy) -> None:
    from isoglot.evaluation.compare import compare
    from isoglot.evaluation.matching import load_systems

    made.add("mono").add("hybrid", 0.01)
    comparisons = compared(made.write())
    reference, system = comparisons.systems[1], comparisons.systems[0]
    one = comparisons.contrast(reference, system, "toy", ("cross", "nDCG@10"))
    words = [
        f"{side.name}={','.join(str(made.home / path) for path in side.paths('toy'))}" for side in (reference, system)
    ]
    other = compare(load_systems(words), measure="nDCG@10", settings=["cross"], resamples=RESAMPLES).differences[0]
    assert (one.difference, one.p) == pytest.approx((other.difference, other.p_group))
    assert one.interval() == pytest.approx(other.interval)
    summaries = [read_json(made.home / path / "summary.json") for path in one.paths]
    means = [sum(s["settings"]["cross"]["nDCG@10"] for s in summaries[side]) / 2 for side in (slice(0, 2), slice(2, 4))]
    assert one.difference == pytest.approx(means[1] - means[0])


def test_a_system_that_draws_nothing_needs_no_second_seed(made: MadeStudy) -> None:
    made.add(None)
    made.add("hybrid", 0.08, seeds=(0, 1))
    undrawn: dict[str, Any] = {"kind": "transformed", "mono_share": None, "system": "lsar", "label": "lsar"}
    made.add("mono", 0.04, seeds=(None,))  # type: ignore[arg-type]
    made.cells[-1].update(undrawn, strategy=None, tuning=None, stages=[{"debias": {"method": "lsar"}}])
    hybrid = {"strategy": "hybrid"}
    claims: dict[str, Any] = {
        "over-base": {"of": "lsar", "against": {"kind": "base"}},
        "over-lsar": {"of": {"system": "hybrid-0.5-lora"}, "against": "lsar"},
    }
    comparisons = compared(made.write())
    names = {system.name for system in comparisons.systems}
    assert names == {"base", "hybrid-0.5-lora", "lsar"}, hybrid
    first, second = judge_claims(comparisons, parse_claims(claims, "test"))
    assert (first.outcome, second.outcome) == ("holds", "holds")
    assert "nothing in these systems is drawn by chance" in first.confidence
    assert "2 seeds" in second.confidence
    made.cells = [cell for cell in made.cells if cell["seed"] != 1]
    first, second = judge_claims(compared(made.write()), parse_claims(claims, "test"))
    assert (first.outcome, second.outcome) == ("holds", "undecided"), "one seed of what draws something"


def test_a_claim_is_made_again_of_what_it_is_written_as() -> None:
    sides = {
        "of": {"strategy": "hybrid", "else": {"system": "ours"}},
        "against": ["base", {"mono_share": {"above": 0}}],
    }
    claim = KINDS["difference"](**sides)
    written = {key: value for key, value in claim.to_flat().items() if key != "name"}
    assert written["of"] == sides["of"]
    assert KINDS["difference"](**written) == claim
