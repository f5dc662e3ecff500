"""An encoder that onnxruntime computes: a model directory with `onnx/model.onnx` in the place of torch's weights.

The directory is the one that sentence-transformers loads with `backend="onnx"`. It does that by optimum-onnx, no release of
which works with transformers 5 so far, so the graph is put in its place here. Imports torch, so load it late.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers.modeling_outputs import BaseModelOutput

from isoglot.errors import InputError, first_line
from isoglot.files import digest_file
from isoglot.models.weights import ONNX_GRAPH, ONNX_STORED
from isoglot.optional import needed

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

OUTPUT = "last_hidden_state"
"""What the graph gives for every token, as optimum calls it."""


_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class OnnxEncoder(torch.nn.Module):
    """A graph in the place of a transformers encoder, on the CPU, with as many threads as torch has.

    Args:
        config: of the encoder, from transformers.
        graph: the file. Its inputs are int64 of shape (n, tokens): `input_ids`, `attention_mask` and perhaps `token_type_ids`;
            of its outputs `last_hidden_state` is taken, float32 of shape (n, tokens, d).

    Raises:
        InputError: onnxruntime is not installed, or cannot load the file, or its inputs or outputs are others.
    """

    def __init__(self, config: Any, graph: Path) -> None:
        super().__init__()
        self.config, self.graph = config, graph
        # what tells models with other weights apart: a graph has no parameters of torch
        self.register_buffer("sha256", torch.tensor(list(bytes.fromhex(digest_file(graph))), dtype=torch.uint8))
        self._session = _session(graph)
        self._inputs = {node.name for node in self._session.get_inputs()}
        outputs = {node.name for node in self._session.get_outputs()}
        if not {"input_ids", "attention_mask"} <= self._inputs <= set(_INPUTS) or OUTPUT not in outputs:
            raise InputError(
                f"{graph}: takes {', '.join(sorted(self._inputs))} and gives {', '.join(sorted(outputs))}; expected "
                f"{', '.join(_INPUTS[:2])} (and {_INPUTS[2]}), and {OUTPUT}"
            )

    @property
    def device(self) -> torch.device:
        """Always the CPU."""
        return torch.device("cpu")

    @property
    def stored(self) -> str:
        """The type of the numbers that the weights are stored in, as the graph's metadata say: "float32" where they do not."""
        return str(self._session.get_modelmeta().custom_metadata_map.get(ONNX_STORED, "float32"))

    def get_input_embeddings(self) -> None:
        """There is no table of torch's."""

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **others: Any) -> BaseModelOutput:
        """Hidden states of the last layer, float32, shape (n, tokens, d)."""
        types = others.get("token_type_ids")
        given = {"input_ids": input_ids, "attention_mask": attention_mask}
        given["token_type_ids"] = torch.zeros_like(input_ids) if types is None else types
        feed = {name: given[name].numpy() for name in self._inputs}
        return BaseModelOutput(last_hidden_state=torch.from_numpy(self._session.run([OUTPUT], feed)[0]))

    def save_pretrained(self, folder: str | Path, **_: Any) -> None:
        """Write the configuration and the graph into a model's folder, as sentence-transformers asks its encoder to."""
        target = Path(folder) / ONNX_GRAPH
        target.parent.mkdir(parents=True, exist_ok=True)
        self.config.save_pretrained(folder)
        for path in self.graph.parent.glob(f"{self.graph.name}*"):  # a large one has its weights in a file beside it
            if not (target.parent / path.name).exists():
                shutil.copyfile(path, target.parent / path.name)


def load_around(graph: Path, device: str | None) -> SentenceTransformer:
    """The model of the directory that a graph lies in, as sentence-transformers loads it with `backend="onnx"`.

    Raises:
        InputError: see `OnnxEncoder`; a device that is not the CPU is asked for.
    """
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import transformer

    if device not in (None, "cpu"):
        raise InputError(f"its encoder is an ONNX graph, which runs on the CPU here and not on {device}")
    folder, theirs = graph.parents[ONNX_GRAPH.count("/")], transformer.load_onnx_model
    transformer.load_onnx_model = lambda model_name_or_path, config, task_name, **_: OnnxEncoder(config, graph)
    try:
        return SentenceTransformer(str(folder), device="cpu", backend="onnx", local_files_only=True)
    finally:
        transformer.load_onnx_model = theirs


def _session(graph: Path) -> Any:
    runtime = needed("onnxruntime", f"{graph}: a model in ONNX needs the package onnxruntime", "onnx")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors
    try:
        return runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no base
        raise InputError(f"{graph}: onnxruntime cannot load it ({first_line(error)})") from None
