"""What benchmarks/endurance.py goes by: when a process grows, when an answer is broken; and the figures that are published."""

from __future__ import annotations

import json
import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from _server import Sample  # noqa: E402
from _sharing import verdict  # noqa: E402
from _soak import grows, growth  # noqa: E402

PARTS = {"load", "soak", "memory"}
"""That are published at least; `processes` may be, and each may be several times, under further names."""


def samples(leak: float, minutes: int = 16) -> list[Sample]:
    """Every two seconds a process of 400 MB with noise, and so many MB more in an hour."""
    own, found, noise = random.Random(0), [], 0.0
    for at in range(0, 60 * minutes, 2):
        noise = 0.98 * noise + own.gauss(0, 0.5)  # what is seen is near what was seen before
        found.append(Sample(at, 400 + noise + leak * at / 3600, 300, 30, 12))
    return found


@pytest.mark.parametrize(("leak", "is_growth"), [(0, False), (100, True)])
def test_growth_is_told_from_noise(leak: float, is_growth: bool) -> None:
    found = growth(samples(leak), "rss_mb")
    assert grows(found, "rss_mb") is is_growth
    assert found["low"] <= found["per_hour"] <= found["high"]
    assert abs(found["per_hour"] - leak) < 15
    assert not grows(growth(samples(leak), "descriptors"), "descriptors")
    come_and_go = [replace(own, threads=12 + n % 9 + int(leak * n / 3000)) for n, own in enumerate(samples(0))]
    assert grows(growth(come_and_go, "threads"), "threads") is is_growth


def test_an_answer_of_two_states_is_broken() -> None:
    hits = [{"id": f"d{n}", "metadata": {"version": 1}} for n in range(90)]
    assert verdict(hits) == verdict(hits[:60]) == "right"
    assert verdict(hits[:89]) == "89 hits, 89 documents, versions [1]"
    assert verdict([*hits[:59], hits[0]]) == "60 hits, 59 documents, versions [1]"
    assert verdict([*hits[:59], {"id": "d59", "metadata": {"version": 2}}]) == "60 hits, 60 documents, versions [1, 2]"


def test_the_figures_that_are_published_have_no_failure() -> None:
    results = json.loads((ROOT / "results" / "reliability.json").read_text())
    published = [(name.split()[0], own) for name, own in results.items() if name.split()[0] in {*PARTS, "processes"}]
    assert {part for part, _ in published} >= PARTS
    for part, found in published:
        assert found["problems"] == []
        if part == "load":
            assert found["stop"]["exit_code"] == 0
            assert not found["stop"]["sent_before"].keys() & {"0", "-1"}
            assert found["flood"]["statuses"]["429"] > 0
        if part == "soak":
            assert found["minutes_soaked"] >= 20
        if part == "processes":
            assert found["total"]["broken"] == 0
            assert all(reader["right"] for own in found["backends"].values() for reader in own["readers"].values())
