"""What was measured, by content: digests of models, and the versions at work."""

from __future__ import annotations

import hashlib
import platform
from typing import Any

import numpy as np

from isoglot.files import package_versions
from isoglot.retrieval.encode import Embeddings

_PACKAGES = ("babel", "numpy", "sentence-transformers", "torch", "transformers")


def model_digest(model: Any) -> str | None:
    """SHA-256 (hex) of a model's parameters and buffers with their names, shapes and types; None where it has none.

    For `Embeddings` it is that of the vectors. The same weights give the same digest on every device.
    """
    digest = hashlib.sha256()
    if isinstance(model, Embeddings):
        for array in (model.queries, np.asarray(model.documents[:])):
            digest.update(f"{array.shape} {array.dtype};".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()
    if not hasattr(model, "state_dict"):
        return None
    import torch

    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype};".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python, isoglot and the packages that decide a number (Babel: it words the distractors of `faq`)."""
    return package_versions(["isoglot"]) | {"python": platform.python_version()} | package_versions(_PACKAGES)
