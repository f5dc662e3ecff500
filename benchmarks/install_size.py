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

from _machine import conditions, write

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extras", default="offline")
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        what = f"{ROOT}[{options.extras}]"
        subprocess.run([python, "-m", "pip", "install", "-q", "-c", str(ROOT / "constraints.txt"), what], check=True)
        listed = subprocess.run([python, "-m", "pip", "list", "--format", "json"], capture_output=True, check=True)
        packages = {package["name"]: package["version"] for package in json.loads(listed.stdout)}
        site = next(Path(folder).glob("lib/python*/site-packages"))
        sizes = {path.name: size(path) for path in site.iterdir()}
        report = {
            "conditions": conditions(),
            "extras": options.extras,
            "packages": len(packages),
            "torch": packages["torch"],
            "bytes": size(Path(folder)),
            "largest": dict(sorted(sizes.items(), key=lambda item: -item[1])[:8]),
        }
    print(json.dumps(report, indent=1))
    if options.report:
        write(options.report, report)


def size(path: Path) -> int:
    """Bytes of the files under a path; links count as nothing."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file() and not file.is_symlink())


if __name__ == "__main__":
    main()
