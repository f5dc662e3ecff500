"""Specs: what they may say, what is an error, and how they become cells."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from isoglot.errors import InputError
from isoglot.settings import to_dict
from isoglot.study.inputs import Inputs
from isoglot.study.layout import Layout
from isoglot.study.rates import plan_trials, stages_to_try, trial_stage
from isoglot.study.read_spec import load_spec, parse_spec
from isoglot.study.runs import RateKey, Run, evaluation_digests, runs_of, stages_of, weights_digests
from isoglot.study.spec import StudySpec
from isoglot.study.stages.train import Train
from isoglot.tables import exact
from isoglot.training.settings import TrainSettings


def plain(**more: Any) -> dict[str, Any]:
    return {
        "name": "s",
        "question": "Which?",
        "base": "org/some-model",
        "data": [{"name": "d", "pairs": "facts:"}],
        "benchmarks": ["faq"],
        "train": {"steps": 10, "per_tuning": {"full": {"batch_size": 8}}},
        **more,
    }


def write(path: Path, values: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(values))
    return path


def test_defaults_are_filled_in_and_a_spec_reads_back(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path / "s.yaml", plain()))
    assert sorted(spec.strategy) == ["cross", "hybrid", "mono"]
    assert spec.evaluate.measures == ("AP", "nDCG@10", "R@1", "R@10", "R@100")
    assert [(tuning.name, tuning.kind) for tuning in spec.tuning] == [("lora", "lora")]
    again = parse_spec(spec.to_flat(), "again")
    assert again == spec
    assert again.digest == spec.digest
    assert parse_spec(plain(seeds=[0, 1]), "x").digest != spec.digest


def test_claims_of_a_preset_are_stated_in_full() -> None:
    spec = parse_spec(plain(claims={"disjoint": "lareqa"}), "x")
    assert spec.claims["disjoint"]["kind"] == "audit"
    assert parse_spec(spec.to_flat(), "again") == spec


def test_words_change_any_key(tmp_path: Path) -> None:
    path = write(tmp_path / "s.yaml", plain())
    words = ["train.steps=300", "seeds=[0,1,2]", "data.0.amount=0.5", "learning_rates.lora=[1e-4, 5e-4]", "base=a/b"]
    spec = load_spec(path, [*words, "evaluate.languages=[de, en]"])
    assert spec.train["steps"] == 300
    assert spec.seeds == (0, 1, 2)
    assert spec.data[0].amount == (0.5,)
    assert spec.learning_rates == {"lora": (1e-4, 5e-4)}
    assert spec.base == ("a/b",)
    assert spec.evaluate.languages == ("de", "en")
    with pytest.raises(InputError, match=r"--set data\.3\.amount: '3' is not a position in a list of 1"):
        load_spec(path, ["data.3.amount=0.5"])
    with pytest.raises(InputError, match=r"s\.yaml with --set: unknown setting 'seed' \(did you mean 'seeds'\?\)"):
        load_spec(path, ["seed=3"])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"strategies": ["mono"]}, r"unknown setting 'strategies' \(did you mean 'strategy'\?\)"),
        ({"strategy": ["hybird"]}, r"unknown strategy 'hybird' \(did you mean 'hybrid'\?\)"),
        (
            {"data": [{"name": "d", "pairs": "facts:", "ammount": 1}]},
            r"unknown setting 'data\.0\.ammount' \(did you mean 'data\.0\.amount'\?\)",
        ),
        ({"data": [{"name": "d"}]}, r"setting 'data\.0\.pairs' is missing"),
        ({"data": [{"name": "a b", "pairs": "facts:"}]}, r"data\.0\.name: 'a b': expected letters"),
        ({"data": [{"name": "d", "pairs": "facts:"}] * 2}, "data: 'd' occurs twice"),
        ({"data": [{"name": "d", "pairs": "facts:", "amount": 0}]}, r"data\.0\.amount\.0 must be above 0, got 0"),
        ({"data": {"d": {}}}, r"unknown setting 'data\.0\.d' \(did you mean"),
        ({"base": []}, "'base' is empty"),
        ({"mono_share": []}, "'mono_share' is empty"),
        ({"benchmarks": []}, "no benchmark"),
        ({"benchmarks": ["a/faq", "faq"]}, "benchmarks: 'faq' occurs twice"),
        ({"tuning": ["lroa"]}, r"unknown tuning 'lroa' \(did you mean 'lora'\?\)"),
        ({"tuning": [{"rank": 4}]}, r"setting 'tuning\.0\.name' is missing"),
        (
            {"tuning": [{"name": "f", "kind": "full", "rank": 4}]},
            r"tuning\.0: 'rank' is a setting of kind 'lora', not of 'full'",
        ),
        (
            {"tuning": [{"name": "f", "rnk": 4}]},
            r"unknown setting 'tuning\.0\.rnk' \(did you mean 'tuning\.0\.rank'\?\)",
        ),
        ({"train": {"stpes": 3}}, r"train: unknown setting 'stpes' \(did you mean 'steps'\?\)"),
        ({"train": {"strategy": "mono"}}, "train: 'strategy' is decided by 'strategy'"),
        ({"train": {"lora": {"rank": 3}}}, "train: 'lora' is decided by 'tuning'"),
        ({"train": {"scale": -1}}, "scale must be above"),
        (
            {"train": {"per_tuning": {"ful": {"steps": 3}}}},
            r"per_tuning: unknown tuning 'ful' \(did you mean 'full'\?\)",
        ),
        ({"train": {"per_tuning": {"full": {"seed": 3}}}}, r"per_tuning\.full: 'seed' is decided by 'seeds'"),
        ({"learning_rates": {"lora": [1e-3, 0]}}, r"learning_rates\.lora\.1 must be above 0"),
        ({"learning_rates": {"all": 1e-3}}, "learning_rates: unknown tuning 'all'"),
        ({"mono_share": [1.5]}, r"mono_share must be at most 1, got 1\.5"),
        ({"seeds": [-1]}, r"seeds\.0 must not be negative"),
        ({"seeds": [1 << 32]}, r"seeds\.0 must be below 4294967296"),
        ({"seeds": ["one"]}, r"seeds\.0: expected a whole number, got 'one'"),
        ({"evaluate": {"measures": ["nDCG@ten"]}}, "nDCG@ten"),
        (
            {"evaluate": {"setting": ["mono"]}},
            r"unknown setting 'evaluate\.setting' \(did you mean 'evaluate\.settings'\?\)",
        ),
        ({"selection": {"validation_share": 0}}, r"selection\.validation_share must be above 0"),
        ({"selection": {"steps": 0}}, r"selection\.steps must be at least 1"),
        ({"selection": {"validation_steps": -1}}, r"selection\.validation_steps must not be negative"),
        ({"question": None}, "question: expected text"),
        (
            {"data": [{"name": n, "pairs": "facts:", "benchmarks": f"{n}/bench"} for n in "de"]},
            "benchmarks: 'bench' occurs twice",
        ),
        ({"claims": {"a": {"of": "mono-lora"}}}, r"s\.yaml: claims\.a: setting 'against' is missing"),
        ({"claims": {"a": "lareqa"}}, r"s\.yaml: claims\.a: the preset 'lareqa' states no claim of this name"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, more: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "s.yaml", plain(**more))
    with pytest.raises(InputError, match=message) as caught:
        load_spec(path)
    assert "\n" not in str(caught.value)


def test_the_grid_multiplies_and_ids_are_stable() -> None:
    tuning = ["full", {"name": "r4", "rank": 4, "alpha": 8}]
    data = [
        {"name": "d", "pairs": "facts:", "amount": [0.5, 1]},
        {"name": "e", "pairs": "facts:", "benchmarks": ["xquad-r"]},
    ]
    spec = parse_spec(plain(mono_share=[0.25, 0.5], tuning=tuning, data=data, seeds=[0, 3]), "x")
    cells = runs_of(spec)
    trained = [cell for cell in cells if cell.kind == "trained"]
    # strategies: mono, cross and two hybrids; three (data, amount); two tunings; two seeds
    assert len(trained) == 4 * 3 * 2 * 2
    assert len({cell.id for cell in cells}) == len(cells)
    assert [cell.id for cell in cells if cell.kind == "base"] == ["base.org-some-model"]
    assert cells[0].benchmarks == ("faq", "xquad-r")
    assert "d.org-some-model.hybrid-0.25.r4.s3.a0.5" in {cell.id for cell in cells}
    assert "e.org-some-model.mono.full.s0" in {cell.id for cell in cells}
    strategies = [cell.system.stages[0].strategy for cell in trained]
    assert {getattr(strategy, "mono_share", None) for strategy in strategies} == {None, 0.25, 0.5}
    smaller = {cell.id for cell in runs_of(parse_spec(plain(tuning=tuning), "x"))}
    assert smaller < {cell.id for cell in cells}, "a cell keeps its id when the grid grows"


def settings(spec: StudySpec, run: Run, rate: float | None = None) -> TrainSettings:
    """What the first training of a run is asked for."""
    (data,), (base,) = spec.data, spec.base
    rates = {RateKey(data.name, base, tuning.name): rate for tuning in spec.tunings()}
    stage = stages_of(spec, run, rates)[0]
    assert isinstance(stage, Train)
    return stage.settings()


def digests(spec: StudySpec, run: Run, rate: float | None, base: str = "base", pairs: str = "pairs") -> list[str]:
    rates = {RateKey(spec.data[0].name, spec.base[0], tuning.name): rate for tuning in spec.tunings()}
    return weights_digests(stages_of(spec, run, rates), base, pairs)


def two_tunings() -> StudySpec:
    return parse_spec(plain(tuning=["full", {"name": "r4", "rank": 4, "targets": "query"}], mono_share=[0.25]), "x")


def test_settings_of_a_cell() -> None:
    spec = two_tunings()
    cells = {cell.id: cell for cell in runs_of(spec)}
    lora = settings(spec, cells["d.org-some-model.hybrid-0.25.r4.s0"], 2e-3)
    assert to_dict(lora.tuning)["name"] == "lora"
    assert (lora.tuning.rank, lora.tuning.targets, lora.plan.strategy.mono_share) == (4, ("query",), 0.25)
    assert (lora.steps, lora.plan.batch_size, lora.learning_rate) == (10, 100, 2e-3)
    mono = cells["d.org-some-model.mono.full.s0"]
    full = settings(spec, mono)
    assert (full.tuning.name, full.plan.batch_size, full.peak_learning_rate()) == ("full", 8, 3e-5)
    digest = digests(spec, mono, None)
    assert digest == digests(spec, mono, 3e-5)
    assert digest != digests(spec, mono, 4e-5)
    assert digest != digests(spec, mono, None, pairs="others")
    assert digest != digests(spec, mono, None, base="other")


def test_a_study_that_an_earlier_version_began_keeps_its_digests() -> None:
    """Of the version that had no systems: else everything that was trained with it would be trained again."""
    spec = two_tunings()
    assert {run.id: digests(spec, run, 2e-3)[0][:12] for run in runs_of(spec) if run.kind == "trained"} == {
        "d.org-some-model.mono.full.s0": "5658d4d4bbe2",
        "d.org-some-model.mono.r4.s0": "5e4396feccb8",
        "d.org-some-model.cross.full.s0": "ecdff834e706",
        "d.org-some-model.cross.r4.s0": "808418b12514",
        "d.org-some-model.hybrid-0.25.full.s0": "c1a6dbdeb5eb",
        "d.org-some-model.hybrid-0.25.r4.s0": "7c5264930a16",
    }
    trials = [trial_stage(spec, spec.data[0], spec.base[0], tried, 1e-3) for tried in stages_to_try(spec).values()]
    assert [trial.digest("base", "pairs")[:12] for trial in trials] == ["93321a8c2502", "1e2f2eb0307e"]
    assert evaluation_digests(spec, runs_of(spec)[0], {"faq": "x"})["faq"].startswith("92fbd5fbf1e1")


def test_ids_and_labels_tell_settings_apart_to_their_last_digit() -> None:
    more = {"data": {"name": "d", "pairs": "p", "amount": [0.1, 0.10000001]}, "strategy": "hybrid"}
    spec = parse_spec(
        plain(**more, mono_share=[0.9, 0.9000001], tuning="full", learning_rates={"full": [1e-3, 0.00100000001]}), "x"
    )
    trained = [run for run in runs_of(spec) if run.kind == "trained"]
    assert len({run.id for run in trained}) == 4
    assert {run.system.label for run in trained} == {"hybrid 0.9, full", "hybrid 0.9000001, full"}
    assert "d.org-some-model.hybrid-0.9000001.full.s0.a0.10000001" in {run.id for run in trained}
    inputs = Inputs(spec, Layout(Path("x")), None, {"org/some-model": "b"}, table_digests={("d", 0.10000001): "t"})
    trials = [trial for jobs in plan_trials(inputs).values() for trial in jobs]
    assert [trial.id.partition(".lr")[2] for trial in trials] == ["0.001", "0.00100000001"]
    assert exact(0.5) == "0.5"
    assert exact(300) == "300"
    assert float(exact(1 / 3)) == 1 / 3


def test_a_learning_rate_for_every_way_to_train() -> None:
    spec = parse_spec(
        plain(
            strategy=["mono", "hybrid"],
            tuning=[{"name": "r4", "rank": 4}],
            seeds=[0, 1],
            learning_rates={"r4": [1e-3, 1e-2]},
            selection={"per": "strategy", "seed": 7, "steps": 5},
            systems={
                "sharper": [
                    {"train": {"strategy": "mono", "scale": 100, "steps": 60, "tuning": "r4"}},
                    {"average": 0.5},
                ],
                "again": ["sharper", {"train": {"strategy": "cross", "tuning": "r4"}}],
                "known": [{"train": {"strategy": "cross", "tuning": "r4", "learning_rate": 0.5}}],
                "mono": [{"train": {"strategy": "mono", "scale": 30, "tuning": "r4"}}],
            },
        ),
        "x",
    )
    inputs = Inputs(spec, Layout(Path("x")), None, {"org/some-model": "b"}, table_digests={("d", 1.0): "t"})
    trials = plan_trials(inputs)
    recipes = {key.recipe: [job.stage for job in jobs] for key, jobs in trials.items()}
    assert set(recipes) == {"mono", "hybrid-0.5", "sharper", "cross", "mono-2"}, "one for each, whatever system has it"
    assert len({job.folder.path for jobs in trials.values() for job in jobs}) == 10
    for recipe, scale in (("mono", 50.0), ("sharper", 100.0), ("mono-2", 30.0)):
        slow, fast = (stage.settings() for stage in recipes[recipe] if isinstance(stage, Train))
        assert (slow.learning_rate, fast.learning_rate, slow.plan.seed, slow.plan.strategy.name) == (
            1e-3,
            1e-2,
            7,
            "mono",
        )
        assert (slow.to_flat()["scale"], slow.steps, slow.eval_steps, slow.validation_share) == (scale, 5, 5, 0.1)
    # each training takes the rate that was chosen for it
    rates = {RateKey("d", "org/some-model", "r4", recipe): 0.1 * number for number, recipe in enumerate(recipes, 1)}
    runs = {run.id: run for run in runs_of(spec)}
    taken = {
        name: [stage.settings().learning_rate for stage in stages_of(spec, run, rates) if isinstance(stage, Train)]
        for name, run in runs.items()
        if name.endswith(".s1")
    }
    rate_of = {key.recipe: rate for key, rate in rates.items()}
    start = "d.org-some-model"
    assert taken == {
        f"{start}.mono.r4.s1": [rate_of["mono"]],
        f"{start}.hybrid-0.5.r4.s1": [rate_of["hybrid-0.5"]],
        f"{start}.sharper.s1": [rate_of["sharper"]],
        f"{start}.again.s1": [rate_of["sharper"], rate_of["cross"]],
        f"{start}.known.s1": [0.5],
        f"{start}.mono.s1": [rate_of["mono-2"]],
    }
    assert runs[f"{start}.known.s1"].rate_keys(spec) == []
    assert [key.recipe for key in runs[f"{start}.again.s1"].rate_keys(spec)] == ["sharper", "cross"]
    assert parse_spec(spec.to_flat(), "x") == spec


def test_one_learning_rate_per_tuning_is_the_default_and_leaves_the_digest_of_a_spec() -> None:
    systems = {"sharper": [{"train": {"strategy": "cross", "scale": 100}}]}
    spec = parse_spec(plain(systems=systems, strategy="mono", learning_rates={"lora": [1e-3, 1e-2]}), "x")
    assert "per" not in spec.to_flat()["selection"]
    inputs = Inputs(spec, Layout(Path("x")), None, {"org/some-model": "b"}, table_digests={("d", 1.0): "t"})
    trials = plan_trials(inputs)
    assert list(trials) == [("d", "org/some-model", "lora", "")]
    assert [job.id for jobs in trials.values() for job in jobs] == [
        "selection/d.org-some-model.lora.lr0.001",
        "selection/d.org-some-model.lora.lr0.01",
    ]
    rates = {RateKey("d", "org/some-model", "lora"): 0.3}
    trained = [stages_of(spec, run, rates) for run in runs_of(spec) if run.kind == "trained"]
    assert [stage.settings().learning_rate for stages in trained for stage in stages if isinstance(stage, Train)] == [
        0.3
    ] * 2
    with pytest.raises(InputError, match=r"selection\.per"):
        parse_spec(plain(selection={"per": "seed"}), "x")


LSAR = {"debias": {"method": "lsar", "rank": 3}}


def test_systems_begin_with_others_and_have_names() -> None:
    systems = {
        "lsar": [LSAR],
        "repaired": ["hybrid-0.5-lora", LSAR],
        "more": ["repaired", {"average": 0.75}],
        "own": [{"train": {"strategy": "mono", "tuning": "r4", "batch_size": 16, "learning_rate": 1e-2}}],
    }
    tuning = ["lora", {"name": "r4", "rank": 4}]
    spec = parse_spec(plain(strategy="hybrid", tuning=tuning, systems=systems, seeds=[0, 1]), "x")
    assert parse_spec(spec.to_flat(), "again") == spec
    known = {system.name: [stage.name for stage in system.stages] for system in spec.all_systems()}
    assert known == {
        "base": [],
        "hybrid-0.5-lora": ["train"],
        "hybrid-0.5-r4": ["train"],
        "lsar": ["debias"],
        "repaired": ["train", "debias"],
        "more": ["train", "debias", "average"],
        "own": ["train"],
    }
    runs = {run.id: run for run in runs_of(spec)}
    assert "d.org-some-model.lsar" in runs, "no seed decides anything there"
    assert {"d.org-some-model.repaired.s0", "d.org-some-model.repaired.s1", "d.org-some-model.own.s1"} < runs.keys()
    assert runs["d.org-some-model.lsar"].kind == "transformed"
    begun = digests(spec, runs["d.org-some-model.more.s1"], 1e-3)
    assert begun[:2] == digests(spec, runs["d.org-some-model.repaired.s1"], 1e-3)
    assert begun[:1] == digests(spec, runs["d.org-some-model.hybrid-0.5.lora.s1"], 1e-3)
    assert begun[0] != digests(spec, runs["d.org-some-model.more.s0"], 1e-3)[0]
    own = settings(spec, runs["d.org-some-model.own.s1"], 1e-3)
    assert (own.tuning.rank, own.plan.batch_size, own.learning_rate, own.plan.seed) == (4, 16, 1e-2, 1)
    alone = parse_spec(plain(systems={"lsar": [LSAR]}), "x")
    assert [run.id for run in runs_of(alone)] == ["base.org-some-model", "d.org-some-model.lsar"]
    gridded = parse_spec(plain(grid={"strategy": ["mono"], "tuning": ["full"]}, systems={"lsar": [LSAR]}), "x")
    assert [system.name for system in gridded.all_systems()] == ["base", "mono-full", "lsar"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"systems": {"a": []}}, "systems: 'a' is empty"),
        ({"systems": {"a b": [LSAR]}}, r"systems\.a b.*: expected letters"),
        (
            {"systems": {"a": ["lora-hybrid", LSAR]}, "strategy": "hybrid"},
            r"systems\.a: unknown system.*hybrid-0\.5-lora",
        ),
        ({"systems": {"a": ["b", LSAR], "b": ["a", LSAR]}}, r"systems\.a: begins with itself \(a, b, a\)"),
        ({"systems": {"a": [LSAR, "b"]}}, r"systems\.a: expected one stage and its settings.*got 'b'"),
        ({"systems": {"a": [LSAR], "b": [LSAR]}}, r"systems\.b: is the same as system 'a'"),
        ({"systems": {"mono-lora": [LSAR]}, "strategy": "mono"}, r"systems: 'mono-lora' is the name of another system"),
        ({"systems": {"a": [{"debais": {}}]}}, r"systems\.a: unknown stage 'debais' \(did you mean 'debias'\?\)"),
        (
            {"systems": {"a": ["mono-lora", {"average": {"share": 0.5, "others": ["mono-full"]}}]}, "strategy": "mono"},
            r"systems\.a: unknown system 'mono-full' .*mono-lora",
        ),
        (
            {"systems": {"a": ["mono-lora", {"average": {"share": 0.5, "others": ["a"]}}]}, "strategy": "mono"},
            r"systems\.a: goes on with 'a', which needs it \(a, a\)",
        ),
        (
            {"systems": {"a": [{"average": {"share": 0.5, "others": ["mono-lora"]}}]}, "strategy": "mono"},
            r"systems\.a: goes on with 'mono-lora', which is another one with every seed",
        ),
        (
            {"systems": {"a": ["mono-lora", {"average": {"share": 0.5, "others": ["base"]}}]}, "strategy": "mono"},
            r"systems\.a: goes on with 'base'; the base is what it is averaged with",
        ),
        ({"systems": {"a": [{"average": 2}]}}, r"systems\.a: average: share must be at most 1, got 2"),
        (
            {"systems": {"a": [{"average": {"shares": 1}}]}},
            r"average: unknown setting 'shares' \(did you mean 'share'\?\)",
        ),
        (
            {"systems": {"a": [{"train": {"stpes": 2}}]}},
            r"systems\.a: train: unknown setting 'stpes' \(did you mean 'steps'",
        ),
        ({"systems": {"a": [{"train": {"seed": 2}}]}}, r"systems\.a: train: 'seed' is decided by 'seeds'"),
        ({"systems": {"a": [{"debias": "lsra"}]}}, r"systems\.a: debias: method: unknown debiasing method 'lsra'"),
        ({"grid": {"strategy": ["mono"]}, "strategy": ["mono"]}, "'strategy' stands in grid and beside it"),
        ({"systems": ["lsar"]}, r"systems: expected a mapping, got \['lsar'\]"),
        ({"grid": ["mono"]}, r"grid: expected a mapping, got \['mono'\]"),
        ({"grid": {"seeds": [1]}}, "unknown key of grid 'seeds'"),
        (
            {"base": ["org/a-b", "org/a_b"]},
            "on base 'org/a-b' .* and .* on base 'org/a_b' .* both have the id 'base.org-a-b'",
        ),
    ],
)
def test_what_is_wrong_with_systems_is_named(more: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        runs_of(parse_spec(plain(**more), "s.yaml"))
    assert "\n" not in str(caught.value)


def test_the_spec_of_the_documentation_is_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "study.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```yaml\n(name: .*?systems:.*?)^```$", page, re.MULTILINE | re.DOTALL)
    spec = parse_spec(yaml.safe_load(text), "docs/study.md")
    named = {system.name: [stage.name for stage in system.stages] for system in spec.all_systems()}
    assert named["lsar"] == ["debias"]
    assert named["hybrid-lsar"] == ["train", "debias"]
    assert len(runs_of(spec)) == 2 + 3 * (4 + 3)
