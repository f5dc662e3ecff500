"""What a vocabulary of 250,037 words costs per step of full fine-tuning: dense gradients and AdamW against rows.

    OMP_NUM_THREADS=2 python benchmarks/embedding_cost.py
    python benchmarks/embedding_cost.py --quick                   (a trial, a tenth of the vocabulary)

Only the embedding matrix of offline:multilingual-e5-small (rows x 384, float32) is there, no encoder: word numbers of a step,
drawn by Zipf's law, are looked up in chunks and a gradient comes back. Milliseconds are medians over --repeats steps, bytes
are those of the tensors. Both sides do the same steps, and end with the same matrix up to float32 rounding (checked).
Written to results/speed/embedding_cost.json.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from _machine import conditions, write
from torch import Tensor

from isoglot.training.optimizer import RowAdamW, clip_gradients

ROWS, WIDTH = 250_037, 384
LEARNING_RATE = 3e-5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=8192, help="words of a step, all columns together")
    parser.add_argument("--chunks", type=int, default=12, help="forward passes of a step, all columns together")
    parser.add_argument("--active", type=int, default=20_000, help="rows that have had a gradient when time is taken")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--output", type=Path, default=Path("results/speed/embedding_cost.json"))
    asked = parser.parse_args()
    rows = ROWS // 10 if asked.quick else ROWS
    dense, dense_weight = measure(False, rows, asked)
    sparse, sparse_weight = measure(True, rows, asked)
    difference = float((dense_weight - sparse_weight).abs().max())
    # a step moves a value by the learning rate at most, plus rounding: anything near it would be another method
    if difference > 0.02 * LEARNING_RATE:
        raise SystemExit(f"row-wise AdamW left the path of dense AdamW: {difference}")
    write(
        asked.output,
        {
            **conditions(),
            "asked": {key: value for key, value in vars(asked).items() if key != "output"},
            "matrix": {"rows": rows, "width": WIDTH, "bytes": rows * WIDTH * 4},
            "dense": dense,
            "rows": sparse,
            "largest_difference": difference,
            "speedup": round(dense["ms"]["total"] / sparse["ms"]["total"], 2),
            "bytes_saved": dense["bytes"]["total"] - sparse["bytes"]["total"],
        },
    )
    for name, side in (("dense", dense), ("rows", sparse)):
        print(name, side)


def measure(sparse: bool, rows: int, asked: argparse.Namespace) -> tuple[dict[str, Any], Tensor]:
    """(milliseconds and bytes per part, the matrix after all steps) of one side."""
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(rows, WIDTH, device=asked.device) * 0.02)
    kind = RowAdamW if sparse else torch.optim.AdamW
    optimizer = kind([weight], lr=LEARNING_RATE, weight_decay=1e-2, fused=True)
    clock = Clock(asked.device)
    active = min(asked.active, rows // 2)
    for step, ids in enumerate([active_ids(rows, active), *draws(rows, active, asked)]):
        target = torch.Generator().manual_seed(step)
        for part in ids.to(asked.device).chunk(asked.chunks):
            words = torch.nn.functional.embedding(part, weight, sparse=sparse)
            arrived = torch.randn(WIDTH, generator=target).to(asked.device).expand_as(words).contiguous()
            clock.take("backward", lambda words=words, arrived=arrived: words.backward(arrived))
        clock.take("norm_and_clip", lambda: clip_gradients([weight], 1.0))
        clock.take("step", optimizer.step)
        gradient = bytes_of_gradient(weight)
        clock.take("zero_grad", optimizer.zero_grad)
        clock.end_of_step()
    state = [value for value in optimizer.state[weight].values() if isinstance(value, Tensor)]
    moments = sum(value.numel() * value.element_size() for value in state)
    sizes = {"gradient": gradient, "optimizer_state": moments, "total": gradient + moments}
    return {"ms": clock.medians(), "bytes": sizes}, weight.detach()


def active_ids(rows: int, active: int) -> Tensor:
    """The first step reaches all rows that the later ones draw from (not timed)."""
    return torch.randperm(rows, generator=torch.Generator().manual_seed(1))[:active]


def draws(rows: int, active: int, asked: argparse.Namespace) -> list[Tensor]:
    """Word numbers of the timed steps: among the active rows, the i-th as often as 1/i."""
    ids = active_ids(rows, active)
    frequency = 1 / torch.arange(1, active + 1, dtype=torch.float64)
    source = torch.Generator().manual_seed(2)
    return [
        ids[torch.multinomial(frequency, asked.tokens, replacement=True, generator=source)]
        for _ in range(asked.repeats)
    ]


def bytes_of_gradient(weight: Tensor) -> int:
    gradient = weight.grad
    assert gradient is not None
    if not gradient.is_sparse:
        return gradient.numel() * gradient.element_size()
    return sum(part.numel() * part.element_size() for part in (gradient.values(), gradient.indices()))


class Clock:
    """Milliseconds of named parts, summed within a step; the first step is left out."""

    def __init__(self, device: str) -> None:
        self._cuda = device.startswith("cuda")
        self._now: dict[str, float] = {}
        self._steps: list[dict[str, float]] = []

    def take(self, name: str, work: Callable[[], Any]) -> None:
        self._wait()
        began = time.perf_counter()
        work()
        self._wait()
        self._now[name] = self._now.get(name, 0.0) + (time.perf_counter() - began) * 1e3

    def end_of_step(self) -> None:
        self._steps.append({**self._now, "total": sum(self._now.values())})
        self._now = {}

    def medians(self) -> dict[str, float]:
        timed = self._steps[1:]
        return {name: round(statistics.median(step[name] for step in timed), 2) for name in timed[0]}

    def _wait(self) -> None:
        if self._cuda:
            torch.cuda.synchronize()


if __name__ == "__main__":
    main()
