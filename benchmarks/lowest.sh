#!/usr/bin/env bash
# Are the lower bounds of pyproject.toml true? Installs the lowest versions that they allow into an environment of its own, imports
# every module that needs no extra, and runs the heart of the tests. Figures go to results/reliability.json (or RESULTS).
#
#   PYTHON=python3.10 bash benchmarks/lowest.sh [WORK]      # WORK: a folder that is made (default: a temporary one)
#   RESOLUTION=highest PYTHON=python3.13 bash benchmarks/lowest.sh [WORK]      # the newest versions that they allow
#
# torch is the one that constraints.txt allows, or TORCH (such as "torch==2.13.0+cpu"): the lowest brings gigabytes of CUDA.
# Needs a package registry.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
WORK=${1:-$(mktemp -d)}
mkdir -p "$WORK"
"${PYTHON:-python3}" -m venv "$WORK/tools"
"$WORK/tools/bin/python" -m pip install --quiet --disable-pip-version-check uv
uv() { "$WORK/tools/bin/uv" "$@"; }
version=$("$WORK/tools/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
grep '^torch' "$HERE/constraints.txt" > "$WORK/torch.txt"
if [ -n "${TORCH:-}" ]; then echo "$TORCH" > "$WORK/torch.txt"; fi
uv pip compile --quiet --resolution "${RESOLUTION:-lowest-direct}" --python-version "$version" --override "$WORK/torch.txt" \
  "$HERE/pyproject.toml" --output-file "$WORK/lowest.txt"
uv venv --quiet --python "$WORK/tools/bin/python" "$WORK/venv"
uv pip install --quiet --python "$WORK/venv/bin/python" -r "$WORK/lowest.txt"
uv pip install --quiet --python "$WORK/venv/bin/python" -c "$WORK/lowest.txt" pytest pytest-timeout hypothesis ir-measures
uv pip install --quiet --python "$WORK/venv/bin/python" --no-deps --editable "$HERE"  # results name its version
cd "$HERE"
export OMP_NUM_THREADS=1
"$WORK/venv/bin/python" - "$WORK/modules" << 'IMPORTS'
import importlib, pkgutil, sys

import isoglot
from isoglot.errors import InputError

fine, faults = 0, []
for module in pkgutil.walk_packages(isoglot.__path__, "isoglot.", onerror=lambda _: None):
    if module.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(module.name)
        fine += 1
    except (ModuleNotFoundError, InputError):
        pass  # of an extra
    except Exception as error:
        faults.append(f"{module.name}: {type(error).__name__}: {error}")
print(f"{fine} modules imported", *faults, sep="\n")
open(sys.argv[1], "w").write(str(fine))
sys.exit(bool(faults))
IMPORTS
code=0
"$WORK/venv/bin/python" -m pytest --junitxml "$WORK/tests.xml" -q -p no:cacheprovider -m "not slow and not nightly" tests/batching tests/data/test_pairs.py \
  tests/retrieval/test_ranks.py tests/evaluation/test_measures.py tests/training/test_loss.py tests/study/test_spec.py \
  tests/models/test_adapters.py tests/test_disk.py tests/training/test_train.py || code=$?
PYTHONPATH="$HERE/benchmarks" "$WORK/venv/bin/python" - "$WORK" "${RESULTS:-$HERE/results/reliability.json}" "${RESOLUTION:-lowest}" << 'RESULT'
import platform, sys
from pathlib import Path
from xml.etree import ElementTree

from _machine import add, conditions

work, results, resolution = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
suite = ElementTree.parse(work / "tests.xml").getroot().find("testsuite").attrib
failed, skipped = int(suite["failures"]) + int(suite["errors"]), int(suite["skipped"])
add(
    results,
    f"versions_{resolution.partition('-')[0]}",
    {
        "conditions": conditions("tokenizers", "peft", "datasets", "pyarrow", "pydantic", "accelerate", "safetensors"),
        "python": platform.python_version(),
        "packages": sum("==" in line for line in (work / "lowest.txt").read_text().splitlines()),
        "modules_imported": int((work / "modules").read_text()),
        "tests": {"passed": int(suite["tests"]) - failed - skipped, "failed": failed, "skipped": skipped},
    },
)
RESULT
exit $code
