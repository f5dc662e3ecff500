"""Nothing that lies in the working directory is imported, whatever it is called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.study.small import write_pairs
from tests.training.tiny import tiny_base

LIBRARIES = (
    *(
        "accelerate",
        "babel",
        "datasets",
        "filelock",
        "huggingface_hub",
        "jinja2",
        "numpy",
        "peft",
        "pyarrow",
        "pydantic",
    ),
    *("queue", "random", "safetensors", "scipy", "secrets", "sentence_transformers", "sitecustomize", "tensorboard"),
    *("tokenizers", "torch", "tqdm", "transformers", "usercustomize", "yaml"),
)


def test_a_module_run_imports_nothing_from_the_working_directory(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    for name in LIBRARIES:
        (here / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write('{name} ')")
    tiny_base(tmp_path / "base")
    write_pairs(tmp_path / "pairs.jsonl")
    words = ["train", "--pairs", "../pairs.jsonl", "--base", "../base", "--steps", "1", "--batch-size", "4"]
    command = [sys.executable, "-m", "isoglot", *words, "--output", "../run"]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "ran").exists(), (tmp_path / "ran").read_text()
