"""The pages as a site, and what a release makes of README: links hold, nothing is loaded from elsewhere."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import isoglot

ROOT = Path(__file__).parents[1]


def module(path: Path) -> ModuleType:
    """A Python file that is in no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("zensical", reason="the site is built by zensical (extra dev)")
    assert module(ROOT / "docs" / "make_site.py").build(tmp_path) == 0
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert {path.relative_to(tmp_path / "site").as_posix() for path in pages} >= {
        "index.html",
        "docs/how-to/faq-csv.html",
    }
    loaded = re.compile(
        r"<(?:script|img|iframe|source)[^>]*\ssrc=\"(?:https?:)?//|<link[^>]*rel=\"(?!canonical)[^>]*href=\"https?:"
    )
    for page in pages:
        assert not loaded.search(page.read_text(encoding="utf-8")), page
    for sheet in (tmp_path / "site" / "assets").rglob("*.css"):
        assert not re.search(r"url\([\"']?https?:|@import", sheet.read_text(encoding="utf-8")), sheet
    listed = re.findall(r'= "([\w./-]+\.md)"', (ROOT / "zensical.toml").read_text())
    docs = {"docs/" + page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    assert docs <= set(listed), "zensical.toml: nav lacks a page"


def test_links_of_the_readme_hold_on_pypi() -> None:
    pytest.importorskip("hatchling", reason="builds the package")
    hook = module(ROOT / "hatch_build.py")
    text = hook.absolute((ROOT / "README.md").read_text(encoding="utf-8"), "https://example.org/me/isoglot", "v1")
    targets = re.findall(r"\]\(([^)]+)\)|src=\"([^\"]+)\"", text)
    assert all((link or source).startswith(("https://", "#")) for link, source in targets)
    assert "https://example.org/me/isoglot/blob/v1/docs/search.md)" in text
    assert "git clone https://example.org/me/isoglot isoglot" in text
    plain = hook.ReleaseLinks(str(ROOT), {"repository": ""})
    metadata: dict[str, Any] = {"version": "1"}
    plain.update(metadata)
    assert "urls" not in metadata
    released = hook.ReleaseLinks(str(ROOT), {"repository": "https://example.org/me/isoglot/"})
    released.update(metadata)
    assert metadata["urls"]["Repository"] == "https://example.org/me/isoglot"


def test_what_others_read_of_the_project_is_up_to_date() -> None:
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == isoglot.__version__
    for name in re.findall(r"\| `([a-z/_]+\.py)` \| `(\S+)/` \| `(\S+)`", (ROOT / "CONTRIBUTING.md").read_text()):
        example, folder, tests = name
        assert (ROOT / "src" / "isoglot" / example).parent == ROOT / folder
        assert (ROOT / tests).exists()


def test_hooks_before_a_commit_run() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert len(hooks) == 3
    for hook in hooks:
        program, *words = shlex.split(hook["entry"])
        found = Path(sys.executable).with_name(program)
        words += [] if hook.get("pass_filenames") is False else ["src/isoglot/errors.py"]
        assert found.exists() or shutil.which(program)
        subprocess.run([found if found.exists() else program, *words], cwd=ROOT, check=True, capture_output=True)
