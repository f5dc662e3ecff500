"""What a release adds to the package's metadata: the repository's address, and links of the README that hold away from it.

The address stands in one place, `repository` under `[tool.hatch.metadata.hooks.custom]` in pyproject.toml. Without one there
are no project URLs, and the README's links stay relative, as they hold in the repository.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

RELATIVE = re.compile(r"\]\((?!https?:|#|mailto:)([^)\s]+)\)|src=\"(?!https?:)([^\"]+)\"")


class ReleaseLinks(MetadataHookInterface):
    """Fills in `readme` and `urls`."""

    def update(self, metadata: dict[str, Any]) -> None:
        root = Path(self.root)
        text = (root / "README.md").read_text(encoding="utf-8")
        address = self.config.get("repository", "").rstrip("/")
        if address:
            text = absolute(text, address, f"v{metadata['version']}" if "version" in metadata else "HEAD")
            metadata["urls"] = {
                "Repository": address,
                "Documentation": f"{address}/tree/HEAD/docs",
                "Changes": f"{address}/blob/HEAD/CHANGELOG.md",
                "Issues": f"{address}/issues",
            }
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def absolute(text: str, address: str, version: str) -> str:
    """The README with links and pictures that hold anywhere, and the address in the line that clones."""

    def link(found: re.Match[str]) -> str:
        target = found[1] or found[2]
        kind = "raw" if target.endswith((".svg", ".png")) else "blob"
        whole = f"{address}/{kind}/{version}/{target}"
        return f"]({whole})" if found[1] else f'src="{whole}"'

    text = re.sub(r" *# REPOSITORY: .*", "", text).replace("git clone REPOSITORY ", f"git clone {address} ")
    return RELATIVE.sub(link, text)
