"""Half precision where the device computes in it: float32 weights, products in bfloat16 (torch's autocast)."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal

from isoglot.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

Precision = Literal["fp32", "bf16"]

TOLERANCE, HALF = 1e-4, 2e-2
"""The largest distance of two embeddings of a text that counts as rounding, in lengths of the embedding: float32, bfloat16."""


def distance(expected: Tensor, given: Tensor) -> float:
    """The largest distance of two embeddings of a text, in lengths of the expected; infinite where the widths differ."""
    import torch

    if expected.shape != given.shape:
        return float("inf")
    lengths = expected.norm(dim=1).clamp_min(torch.finfo(expected.dtype).tiny)
    return float(((expected - given).norm(dim=1) / lengths).max())


def computes_in_bf16(device: str) -> bool:
    """Whether a kind of device ("cpu", "cuda") has instructions for bfloat16; emulated products are slower than float32."""
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False))
    if device == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False


def check_bf16(device: str) -> None:
    """InputError where `device` does not compute in bfloat16."""
    if not computes_in_bf16(device):
        raise InputError(
            f"precision bf16 needs a device that computes in it (a GPU, or a CPU with AVX512-BF16 or AMX), and this {device} "
            "does not: take precision=fp32"
        )


def computing_in(precision: Precision, device: str) -> AbstractContextManager[object]:
    """A context in which models compute in `precision`. InputError where `device` does not."""
    if precision == "fp32":
        return nullcontext()
    import torch

    check_bf16(device)
    context: AbstractContextManager[object] = torch.autocast(device, torch.bfloat16)
    return context
