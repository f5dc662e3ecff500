"""The pages as a site, in build/site: `make docs-site`. Nothing is loaded from elsewhere when it is looked at.

Pages link to files of the repository as they do there, so what they link to is laid out in build/pages as in the repository:
README.md as the first page, then docs/, and whatever results, sources and examples are linked to.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s#]+)(?:#[^)\s]*)?\)|src=\"(?!https?:)([^\"]+)\"")
CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def lay_out(folder: Path) -> None:
    """Write README, and everything that can be reached from it and from docs/ by links, into `folder`/pages."""
    shutil.rmtree(folder / "pages", ignore_errors=True)
    waiting, done = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], set()
    while waiting:
        file = waiting.pop()
        if file in done or not file.is_file():
            continue
        done.add(file)
        name = file.relative_to(ROOT)
        target = folder / "pages" / ("index.md" if name == Path("README.md") else name)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
        if file.suffix == ".md":
            links = LINK.finditer(CODE.sub("", file.read_text(encoding="utf-8")))
            waiting += [(file.parent / (link[1] or link[2])).resolve() for link in links]
    shutil.copyfile(ROOT / "zensical.toml", folder / "zensical.toml")


def build(folder: Path) -> int:
    """Write `folder`/site; the exit code says whether all went well, links between pages included."""
    lay_out(folder)
    words = ["zensical", "build", "--clean", "--strict", "--config-file", str(folder / "zensical.toml")]
    return subprocess.run([sys.executable, "-m", *words], check=False).returncode


if __name__ == "__main__":
    sys.exit(build(ROOT / "build"))
