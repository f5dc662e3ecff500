"""How much disk does isoglot take? Installs this checkout into an empty virtual environment and adds up what lies there.

python benchmarks/install_size.py --extras offline --report results/install.json

Which torch is installed, and so most of the size, depends on pip's index: constraints.txt keeps to a release, not to a build.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import venv
from pathlib import Path
from typing import Any

from _machine import conditions, write

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extras", default="offline")
    parser.add_argument("--environment", type=Path, help="one with just this installed, instead of making a new one")
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = options.environment or install(Path(folder), options.extras)
        report = {"conditions": conditions(), "extras": options.extras, **measure(environment)}
    print(json.dumps(report, indent=1))
    if options.report:
        write(options.report, report)


def install(folder: Path, extras: str) -> Path:
    """An environment with this checkout and what it needs."""
    venv.create(folder, with_pip=True)
    words = ["install", "-q", "-c", str(ROOT / "constraints.txt"), f"{ROOT}[{extras}]"]
    subprocess.run([folder / "bin" / "python", "-m", "pip", *words], check=True)
    return folder


def measure(environment: Path) -> dict[str, Any]:
    """Bytes of an environment, and of its largest packages."""
    command = [environment / "bin" / "python", "-m", "pip", "list", "--format", "json"]
    listed = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    site = next(environment.glob("lib/python*/site-packages"))
    sizes = sorted(((size(path), path.name) for path in site.iterdir()), reverse=True)
    return {
        "packages": len(listed),
        "torch": {package["name"]: package["version"] for package in listed}["torch"],
        "bytes": size(environment),
        "largest": {name: bytes_ for bytes_, name in sizes[:8]},
    }


def size(path: Path) -> int:
    """Bytes of the files under a path; links count as nothing."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file() and not file.is_symlink())


if __name__ == "__main__":
    main()
