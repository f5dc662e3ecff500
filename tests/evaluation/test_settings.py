"""What can be asked for: one model for the command, the function and studies; a measure is one class."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from isoglot.errors import InputError
from isoglot.evaluation.evaluate import evaluate
from isoglot.evaluation.measures import MEASURES, Measure, RankedQueries, parse_measure, usual_spellings
from isoglot.evaluation.settings import EvaluateSettings
from isoglot.records import FloatArray
from isoglot.registry import one_line_help
from isoglot.settings import build, to_dict
from tests.evaluation.exports import coarse, toy


def test_the_json_that_studies_are_named_by() -> None:
    assert json.dumps(to_dict(EvaluateSettings())) == (
        '{"measures": ["AP", "nDCG@10", "R@1", "R@10", "R@100"], "settings": ["mono", "cross", "multi"], "languages": [], '
        '"context": "sentence", "corpus_sample": null, "sample_seed": 0, "batch_size": null}'
    )
    asked = EvaluateSettings.of(measures=["mAP"], languages="de", passage="text", batch_size=None)
    # kept as it was written; what studies could not ask for stands there only where it is asked for
    assert to_dict(asked)["measures"] == ["mAP"]
    assert (to_dict(asked)["languages"], to_dict(asked)["passage"]) == (["de"], "text")
    assert EvaluateSettings(**to_dict(asked)) == asked


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"measures": ["mpa"]}, "spec: measures: unknown measure 'mpa'"),
        ({"measures": []}, "no measure given; expected some of AP, nDCG@10, R@1, R@10, R@100"),
        ({"settings": ["crss"]}, r"settings: unknown setting 'crss' \(did you mean 'cross'"),
        ({"settings": []}, "no setting given"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"corpus_sample": -1}, "corpus_sample must not be negative"),
        ({"context": "page"}, "context: 'page' is not one of sentence, paragraph"),
        ({"measure": ["AP"]}, r"unknown setting 'measure' \(did you mean 'measures'"),
    ],
)
def test_refusals_are_one_line(values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        build(EvaluateSettings, [("spec", values)])
    assert "\n" not in str(caught.value)


def test_evaluate_takes_settings_and_changes_of_them(tmp_path: Path) -> None:
    benchmark = toy()
    asked = EvaluateSettings(measures=("AP",), settings=("multi", "mono"), languages=("de", "en"))
    both = evaluate(coarse_part(), benchmark, asked, progress=False).summary
    assert (list(both["settings"]), list(both["settings"]["mono"])) == (["mono", "multi"], ["AP"])
    changed = evaluate(coarse_part(), benchmark, asked, measures=["R@1"], settings=None, progress=False).summary
    assert list(changed["settings"]["multi"]) == ["R@1"]
    with pytest.raises(InputError, match="unknown setting 'mesures'"):
        evaluate(coarse_part(), benchmark, mesures=["AP"])


def coarse_part() -> object:
    from isoglot.data.benchmarks.qrels import restrict

    return coarse(restrict(toy(), ["de", "en"]))


@pytest.fixture
def first_relevant() -> Iterator[type[Measure]]:
    @MEASURES.register
    class Found(Measure):
        """Found@k = 1 where anything relevant stands at rank k or better."""

        name = "Found"
        needs_cutoff = True
        mteb_name = "found"

        def per_query(self, ranked: RankedQueries, inside: FloatArray) -> FloatArray:
            return np.minimum(ranked.sum(inside), 1.0)

    yield Found
    MEASURES.remove("Found")


def test_a_measure_is_one_class(first_relevant: type[Measure]) -> None:
    assert parse_measure("found@3") == first_relevant(3)
    assert "Found@k" in usual_spellings()
    assert one_line_help(MEASURES["Found"]).startswith("Found@k = 1")
    benchmark = toy()
    summary = evaluate(coarse(benchmark), benchmark, measures=["Found@3", "Success@3"], progress=False).summary
    for scores in summary["settings"].values():
        assert scores["Found@3"] == scores["Success@3"]
