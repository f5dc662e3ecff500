"""Import once what commands import, so that a fork of this process begins at once."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

_LIBRARIES = (
    *(
        "accelerate",
        "datasets",
        "matplotlib.backends.backend_agg",
        "matplotlib.backends.backend_svg",
        "peft",
        "peft.tuners.lora",
    ),
    *(
        "sentence_transformers",
        "torch.utils.tensorboard",
        "tokenizers",
        "transformers.models.bert.modeling_bert",
        "xxhash",
    ),
    *(
        "transformers",
        "transformers.trainer",
        "pyarrow.parquet",
        "pyarrow.compute",
        "datasketch",
        "tensorboard",
        "babel.dates",
    ),
)


def import_all() -> None:
    """Every module of isoglot, and the libraries that they import late; one thread each."""
    import isoglot

    for module in pkgutil.walk_packages(isoglot.__path__, "isoglot."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in _LIBRARIES:
        importlib.import_module(name)
    import pyarrow as pa
    import torch

    torch.set_num_threads(1)
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    sys.path.insert(0, str(Path(__file__).parent))
