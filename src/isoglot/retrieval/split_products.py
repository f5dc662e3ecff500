"""Matrix products of float32 vectors on bfloat16 tensor cores: each number is cut into two bfloat16 parts. Imports torch.

x = hi + lo + e with hi = bfloat16(x), lo = bfloat16(x - hi): three products of parts, hi.hi + hi.lo + lo.hi, take the place of
one in float32 (Henry, Tang and Heinecke 2019, Leveraging the bfloat16 Artificial Intelligence Datatype For Higher-Precision
Computations, arXiv 1904.06376). float16 numbers are two parts without a rest. A third part would take twice the products for a
bound that is a third less at d = 384: most of it is what sums may lose (`split_error`).
"""

from __future__ import annotations

from typing import Any

import torch

from isoglot.retrieval.scoring import UNIT

# roundings of a product of tensor cores per term, in units of 2^-24 of the sum of absolute terms
_PER_TERM = 4
_BFLOAT = 2.0**-8  # half the distance from 1 to the next bfloat16


def can_split(queries: Any) -> bool:
    """Whether queries on a device (a float32 tensor) can be multiplied in parts: on NVIDIA's tensor cores, from torch 2.8 on.

    Before that, torch rounds every product of bfloat16 matrices to bfloat16. Numbers beyond bfloat16 are left to float32.
    """
    if queries.device.type != "cuda" or torch.version.cuda is None or "dtype" not in torch.ops.aten.mm.overloads():
        return False
    has_cores = torch.cuda.get_device_capability(queries.device) >= (8, 0)
    return has_cores and bool((queries.abs() < 2.0**127).all())


def split_error(width: int) -> float:
    """How far a product of parts may be from the score, relative to the lengths of the vectors; for `margins`.

    With u = 2^-24, S = |x|.|y| (at most the product of the lengths) and d the width:

    - bfloat16 has 8 significant bits: |lo| and |x - hi| are at most 2^-8 |x|, |e| at most 2^-16 |x|. What is left out,
      lo.lo and what stands beside e, is at most 3 * 2^-16 S.
    - Tensor cores multiply without error and add blocks of products to the sum so far. Every addend may be cut off at the last
      bit of the largest (2 u instead of u), and so may the sum (Fasi, Higham, Mikaitis and Pranesh 2021, Numerical behavior of
      NVIDIA tensor cores, PeerJ CS 7:e330; Khattak and Mikaitis 2025, Accurate models of NVIDIA tensor cores, arXiv
      2512.07004). In blocks of b products that is 2 u for each of d products and 4 u for each of d / b sums, in any order:
      at most 4 d u S where b is 2 or more (2.5 d u S in blocks of 8). Sums that are rounded one by one, as on a CPU, are
      within d u S.
    - hi.hi is within 4 d u S of its sum. hi.lo + lo.hi has 2 d terms, at most 2 * 2^-8 S together, and is within 8 d u of
      that. So it is a product of its own: in one product with hi.hi, all 3 d terms might be cut off like the largest.
    - Adding the two, and rounding the score: 2 u each.

    cuBLAS sums in float32 wherever the result is float32 (cublasMath_t in its manual: reductions in less precision are those
    to the type of the result). Sizes of parts and of sums may exceed those of the numbers by 1%. Underflow is in `margins`.
    """
    roundings = _PER_TERM * (width + 4 * _BFLOAT * width) * UNIT
    return 1.01 * (roundings / (1 - roundings) + 3 * _BFLOAT**2 + 4 * UNIT)


def parts(vectors: Any, *, low_first: bool = False) -> Any:
    """bfloat16, shape (n, 2 d): the high and the low parts of float32 vectors beside each other."""
    high = vectors.to(torch.bfloat16)
    low = (vectors - high.to(torch.float32)).to(torch.bfloat16)
    return torch.cat([low, high] if low_first else [high, low], dim=1)


def split_product(queries: Any, documents: Any) -> Any:
    """float32, shape (n_queries, n_documents), from `parts` of queries and those of documents, low first."""
    width = queries.shape[1] // 2
    products = _multiply(queries, documents)
    products += _multiply(queries[:, :width], documents[:, width:])
    return products


def _multiply(queries: Any, documents: Any) -> Any:
    """The product of two bfloat16 matrices, summed in float32."""
    if queries.device.type == "cuda":
        return torch.mm(queries, documents.T, out_dtype=torch.float32)
    return queries.to(torch.float32) @ documents.to(torch.float32).T
