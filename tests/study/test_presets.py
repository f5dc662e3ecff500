"""Presets: each is a valid spec, and says what its name promises; the command lists and shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from isoglot.cli.main import main
from isoglot.errors import InputError
from isoglot.study.presets import PRESETS, find_spec
from isoglot.study.read_spec import load_spec
from isoglot.study.runs import runs_of, stages_of
from isoglot.study.stages import Needs, needs_of
from isoglot.study.stages.train import Train

NAMES = ["alpha", "data-size", "demo", "lareqa", "lora-batch", "lora-rank", "paper", "recipe", "rivals", "unseen"]


def test_all_presets_are_there() -> None:
    assert PRESETS.names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_is_a_valid_spec(name: str) -> None:
    spec = load_spec(PRESETS[name].path)
    assert spec.name == name
    assert spec.question.endswith("?")
    for cell in runs_of(spec):
        if cell.kind == "trained":
            (training,) = (stage for stage in stages_of(spec, cell, {}) if isinstance(stage, Train))
            if training.strategy.name == "code-switch":
                continue  # its lexicons are the user's
            assert training.settings().steps


def test_grids_are_what_the_names_promise() -> None:
    specs = {name: load_spec(PRESETS[name].path) for name in NAMES}
    assert len(runs_of(specs["demo"])) == 1 + 3
    lareqa = runs_of(specs["lareqa"])
    assert {(cell.data.name, cell.benchmarks) for cell in lareqa if cell.data} == {
        ("mlqa-r", ("xquad-r",)),
        ("xquad-r", ("mlqa-r",)),
    }
    assert len(lareqa) == 1 + 2 * 3 * 4 * 5
    assert specs["alpha"].strategy_settings["mono_share"] == (0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0)
    assert specs["data-size"].data[0].amount == (0.125, 0.25, 0.5, 1.0)
    assert {tuning.method.rank for tuning in specs["lora-rank"].tuning} == {1, 4, 16, 64, 256}
    alphas = {tuning.name: tuning.method.alpha / tuning.method.rank for tuning in specs["lora-rank"].tuning}
    assert {scale for name, scale in alphas.items() if name.endswith("-2r") or name == "r16"} == {2.0}
    rivals = {system.name: system for system in specs["rivals"].all_systems()}
    assert len(rivals) == 26
    assert sum(system.has_seed for system in rivals.values()) == 14
    assert len(runs_of(specs["rivals"])) == 1 + 2 * (11 + 3 * 14)
    assert {name for name, system in rivals.items() if not needs_of(system.stages).data} == {
        "base",
        "round-robin",
        "quota",
        "bm25",
    }
    assert needs_of(rivals["tli-hybrid"].stages) == Needs(("lexicon", "parallel pairs"), "no", True)
    batches = specs["lora-batch"]
    trained = [stages_of(batches, run, {})[0] for run in runs_of(batches) if run.data]
    sizes = {stage.settings().plan.batch_size for stage in trained if isinstance(stage, Train)}
    assert sizes == {32, 128, 384}
    assert {tuning.method.targets for tuning in specs["lora-rank"].tuning} > {()}
    tested = set(specs["unseen"].evaluate.languages)
    assert all(set(part.languages) < tested for part in specs["unseen"].data)
    paper = specs["paper"]
    assert (paper.base, paper.train["batch_size"], paper.rates_of(paper.tuning[0])) == (
        ("xlm-r", "labse"),
        100,
        (3e-5,),
    )


def test_a_file_goes_before_a_preset_and_misspelt_names_are_told(tmp_path: Path) -> None:
    assert find_spec("demo") == PRESETS["demo"].path
    with pytest.raises(InputError, match=r"unknown preset 'dmeo' \(did you mean 'demo'\?\)"):
        find_spec("dmeo")
    with pytest.raises(InputError, match=r"no such file \(presets: alpha, "):
        find_spec("specs/mine.yaml")


def test_list_and_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == NAMES
    assert main(["list", "presets"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["presets", *NAMES]
    assert main(["study", "show", "demo"]) == 0
    assert capsys.readouterr().out == PRESETS["demo"].path.read_text(encoding="utf-8")
    assert main(["study", "show", "dmeo"]) == 2
    assert main(["study", "run", "nothing.yaml", "--output", "x"]) == 2
    assert main(["study", "run", "demo", "--output", "x", "--devices", "gpu0"]) == 2
    assert main(["study", "run", "demo", "--output", "x", "--devices", "cuda:99"]) == 2
    assert main(["study", "report", "/nonexistent/study"]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 5
    assert all(line.startswith("isoglot: ") for line in errors)


def test_the_sets_of_the_paper_load_from_files_in_the_hub_s_formats(tmp_path: Path) -> None:
    """The `paper` spec with folders in the place of the hub: the same sources, the same code."""
    from isoglot.data.pairs.loading import load_pairs
    from tests.data.test_mmarco import write_all_sets

    folders = write_all_sets(tmp_path)
    sources = []
    for source in load_spec(PRESETS["paper"].path).data[0].pairs:
        name, _, rest = source.partition(":")
        assert rest.startswith("hub")
        options = "?languages=en,de" if name == "mmarco" else ""
        sources.append(f"{name}:{folders[name]}{options}")
    table = load_pairs(sources)
    assert set(table.index.sources) == {source.partition(":")[0] for source in sources}
    assert table.languages == ("de", "en")
