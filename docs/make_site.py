"""The pages as a site: `make docs-site`, into build/site. Nothing is loaded from elsewhere when it is looked at.

Pages link to files in the repository as they do there, so what they link to is laid out in build/pages as it is in the repository:
README.md as the first page, then docs/, and whatever results, sources and examples are linked to.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "build" / "pages"
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s#]+)(?:#[^)\s]*)?\)|src=\"(?!https?:)([^\"]+)\"")
CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def lay_out() -> None:
    """Write build/pages: README, and everything that can be reached from it by links."""
    shutil.rmtree(PAGES, ignore_errors=True)
    waiting, done = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], set()
    while waiting:
        page = waiting.pop()
        if page in done or not page.exists():
            continue
        done.add(page)
        target = PAGES / page.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        if page.suffix != ".md":
            shutil.copy(page, target)
            continue
        text = page.read_text(encoding="utf-8")
        for link in LINK.finditer(CODE.sub("", text)):
            waiting.append((page.parent / (link[1] or link[2])).resolve())
        (PAGES / "index.md" if page == ROOT / "README.md" else target).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    lay_out()
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict", "--config-file", str(ROOT / "zensical.toml")]
    sys.exit(subprocess.run(command, check=False).returncode)
