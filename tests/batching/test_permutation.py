from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from isoglot.batching.permutation import Permutation
from isoglot.batching.schedule import BLOCK, Schedule


@pytest.mark.parametrize("n", [1, 2, 3, 100, 65536, 65537, 200_003])
def test_is_a_permutation(n: int) -> None:
    values = Permutation(n, 3, 1)(np.arange(n))
    assert np.array_equal(np.sort(values), np.arange(n))


def test_depends_on_every_part_of_the_key() -> None:
    n = 100_000
    head = np.arange(50)
    answers = [Permutation(n, *key)(head).tolist() for key in ((0, 1), (1, 0), (0, 2), (0, 1, 0))]
    assert len({tuple(answer) for answer in answers}) == 4


def test_large_domains_look_shuffled() -> None:
    n = 1 << 20
    values = Permutation(n, 5)(np.arange(n))
    # correlation of position and value of a random permutation has standard deviation 1 / sqrt(n) ~ 0.001
    assert abs(np.corrcoef(np.arange(n), values)[0, 1]) < 0.006
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.006


def test_schedule_counts_earlier_draws() -> None:
    schedule = Schedule(np.array([0.2, 0.5, 0.3]), seed=4)
    counts = [0, 0, 0]
    for step in range(2 * BLOCK + 10):
        stratum, draw = schedule.at(step)
        assert draw == counts[stratum]
        counts[stratum] += 1
    fresh = Schedule(np.array([0.2, 0.5, 0.3]), seed=4)
    assert fresh.at(2 * BLOCK + 9) == Schedule(np.array([0.2, 0.5, 0.3]), seed=4).at(2 * BLOCK + 9)
    assert abs(counts[1] / sum(counts) - 0.5) < 0.03
    with pytest.raises(IndexError):
        schedule.at(-1)


def test_threads_that_share_a_schedule_count_right(monkeypatch: pytest.MonkeyPatch) -> None:
    shares, steps = np.array([0.5, 0.3, 0.2]), [block * BLOCK for block in range(4)]
    expected = list(map(Schedule(shares, seed=0).at, steps))
    counts = Schedule._counts

    def slowly(schedule: Schedule, block: int) -> Any:
        time.sleep(0.001)
        return counts(schedule, block)

    monkeypatch.setattr(Schedule, "_counts", slowly)
    schedule = Schedule(shares, seed=0)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(schedule.at, steps[-1:] * 4))
    assert list(map(schedule.at, steps)) == expected
