"""Peak memory and time of one training step on a large batch, with and without gradient caching.

    python benchmarks/gradcache_memory.py [--quick] [--output results/speed/gradcache.json]

Each mode runs in a process of its own: the base model with LoRA, random token ids (queries of 4 to 12 tokens, passages of 8 to
40), one step of forward and backward pass without an optimizer. Peak memory is that process's largest resident set; what it
was before the step is given beside it. All modes see the same batch, and their gradients are compared.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from _machine import conditions, write

BASE = "offline:multilingual-e5-small"
UNIT = 1 if sys.platform == "darwin" else 1024


def column(rows: int, shortest: int, longest: int, seed: int) -> dict[str, Any]:
    """Random token ids, padded on the right, as the collator gives them."""
    random = torch.Generator().manual_seed(seed)
    lengths = torch.randint(shortest, longest + 1, (rows,), generator=random)
    mask = (torch.arange(longest)[None] < lengths[:, None]).long()
    ids = torch.randint(1000, 20_000, (rows, longest), generator=random) * mask + (1 - mask)
    return {"input_ids": ids, "attention_mask": mask, "lengths": lengths.tolist()}


def step(rows: int, tokens: int) -> dict[str, Any]:
    """One step in this process; tokens = 0: without caching."""
    from isoglot.models.load import load_model
    from isoglot.models.tunings.lora import Lora
    from isoglot.training.gradcache import CachedBatchLoss
    from isoglot.training.loss import BatchLoss
    from isoglot.training.losses.infonce import InfoNCE

    torch.manual_seed(0)
    model = load_model(BASE, dropout=0.0).train()
    Lora().prepare(model)
    device = model.device
    loss = CachedBatchLoss(model, [InfoNCE()], tokens=tokens) if tokens else BatchLoss(model, [InfoNCE()])

    def run(given: int) -> tuple[float, float]:
        features = [column(given, 4, 12, 1), column(given, 8, 40, 2)]
        for part in features:
            part |= {key: value.to(device) for key, value in part.items() if isinstance(value, torch.Tensor)}
        model.zero_grad()
        began = time.perf_counter()
        value = loss(features, None)
        value.backward()
        found = value.item()
        return found, time.perf_counter() - began

    run(8)  # libraries set up their buffers
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    value, seconds = run(rows)
    norm = torch.stack([p.grad.norm() for p in model.parameters() if p.grad is not None]).norm().item()
    return {
        "loss": value,
        "gradient_norm": norm,
        "seconds": round(seconds, 3),
        "memory_before_bytes": before,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT,
        "peak_device_memory_bytes": torch.cuda.max_memory_allocated() if device.type == "cuda" else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="64 rows instead of 512, one size of chunks")
    parser.add_argument("--output", type=Path, default=Path("results/speed/gradcache.json"))
    parser.add_argument("--step", nargs=2, type=int, metavar=("ROWS", "TOKENS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(step(*options.step)))
        return
    rows = 64 if options.quick else 512
    modes = {}
    for tokens in (0, 512) if options.quick else (0, 512, 2048):
        command = [sys.executable, __file__, "--step", str(rows), str(tokens)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        name = f"grad_cache={tokens}"
        modes[name] = json.loads(done.stdout.splitlines()[-1])
        print(name, modes[name])
    plain = modes["grad_cache=0"]
    for mode in modes.values():
        mode["loss_difference"] = abs(mode["loss"] - plain["loss"])
        mode["gradient_norm_relative_difference"] = abs(mode["gradient_norm"] / plain["gradient_norm"] - 1)
        mode["step_memory_ratio"] = round(
            (mode["peak_memory_bytes"] - mode["memory_before_bytes"])
            / max(1, plain["peak_memory_bytes"] - plain["memory_before_bytes"]),
            4,
        )
    write(
        options.output, {"conditions": conditions("transformers", "peft"), "base": BASE, "rows": rows, "modes": modes}
    )


if __name__ == "__main__":
    main()
