"""What is kept, and why."""

from __future__ import annotations

import pytest

from isoglot.repairing.choice import BASE, HELD_OUT, Scores, System, choose
from isoglot.repairing.progress import Progress, in_words


def system(key: str, mono: float | None, multi: float, *, candidate: bool = True) -> System:
    return System(key, key, "", {HELD_OUT: Scores(mono, 0.5, multi, 10.0)}, candidate)


def test_the_best_of_those_that_lose_little_is_kept() -> None:
    systems = [
        system(BASE, 0.8, 0.4),
        system("careless", 0.78, 0.9),
        system("good", 0.795, 0.7),
        system("better", 0.81, 0.6),
        system("only compared", 0.9, 0.95, candidate=False),
    ]
    chosen = choose(systems, 0.01)
    assert chosen.key == "good"
    assert "0.4000 -> 0.7000" in chosen.why
    assert "within one language -0.0050" in chosen.why
    assert "(1 lost more)" in chosen.why
    assert choose(systems, 0.03).key == "careless"
    assert choose(systems, 0.0).key == "better"


def test_the_first_of_equal_ones_is_kept() -> None:
    assert choose([system(BASE, 0.8, 0.4), system("one", 0.8, 0.5), system("two", 0.8, 0.5)], 0.01).key == "one"


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ([system("careless", 0.7, 0.9)], "loses more than 0.01"),
        ([system("idle", 0.8, 0.4)], "none is above the base's"),
        ([], "nothing could be tried"),
    ],
)
def test_the_base_is_kept_where_nothing_is_better(others: list[System], said: str) -> None:
    chosen = choose([system(BASE, 0.8, 0.4), *others], 0.01)
    assert chosen.key == BASE
    assert said in chosen.why
    assert "the base is kept" in chosen.why


def test_without_a_setting_within_one_language_nothing_is_lost_there() -> None:
    assert choose([system(BASE, None, 0.4), system("one", None, 0.5)], 0.0).key == "one"


def test_the_time_that_is_left_is_said_once_it_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress({"first": "measure", "long": "train", "last": "measure"}, {})
    progress.expected["train"] = 600.0
    with progress.stage("first", "measure it"):
        pass
    with progress.stage("long", "train it"):
        pass
    assert capsys.readouterr().err.splitlines() == [
        "isoglot: [1/3] measure it",
        "isoglot: [2/3] train it (10 min left)",
    ]
    assert [in_words(seconds) for seconds in (40.2, 100, 5400)] == ["40 s", "2 min", "1.5 h"]
