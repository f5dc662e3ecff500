"""What `pip install isoglot` brings: a CycloneDX bill of materials, and which of it has known vulnerabilities.

    python benchmarks/supply_chain.py                          # make audit: of the package alone
    python benchmarks/supply_chain.py --extras offline,serve   # with extras
    python benchmarks/supply_chain.py --results results/reliability.json

Needs a package registry and the packages pip-audit (which brings cyclonedx-python-lib) and pip 23 or newer. pip resolves this
checkout within constraints.txt, without installing it. Exit code 0: nothing is known against any package; 1: something is; 3: the
bill is written, but what is known could not be asked for.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CLEAN, VULNERABLE, NOT_CHECKED = 0, 1, 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extras", default="", help="of isoglot, separated by commas")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "isoglot.cdx.json")
    parser.add_argument("--results", type=Path, help="add the figures to this file")
    options = parser.parse_args()
    packages = resolved(options.extras)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(bill(packages), encoding="utf-8", newline="\n")
    print(f"{options.output}: isoglot and {len(packages) - 1} packages")
    code, counts = audit(packages)
    if options.results:
        from _machine import add, conditions

        add(options.results, "supply_chain", {"conditions": conditions(), "packages": len(packages) - 1, **counts})
    return code


def resolved(extras: str) -> list[dict[str, Any]]:
    """What pip would install into an empty environment, as its report has it (`metadata`, `download_info`)."""
    what = f"{ROOT}[{extras}]" if extras else str(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        words = ["install", "-q", "--dry-run", "--ignore-installed", "--report", str(report)]
        words += ["-c", str(ROOT / "constraints.txt"), what]
        subprocess.run([sys.executable, "-m", "pip", *words], check=True)
        packages: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))["install"]
    return packages


def bill(packages: list[dict[str, Any]]) -> str:
    """The bill of materials as JSON: every package with its version, licence and SHA-256, and what needs what."""
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.license import DisjunctiveLicense
    from cyclonedx.output.json import JsonV1Dot6
    from packageurl import PackageURL
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    components: dict[str, Component] = {}
    for package in packages:
        about = package["metadata"]
        name, version = canonicalize_name(about["name"]), about["version"]
        digest = package["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256")
        licence = about.get("license_expression") or about.get("license")
        components[name] = Component(
            name=name,
            version=version,
            purl=PackageURL("pypi", None, name, version),
            bom_ref=f"{name}=={version}",
            type=ComponentType.APPLICATION if name == "isoglot" else ComponentType.LIBRARY,
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)] if digest else [],
            licenses=[DisjunctiveLicense(name=licence.splitlines()[0][:100])] if licence else [],
        )
    document = Bom(components=[each for name, each in components.items() if name != "isoglot"])
    document.metadata.component = components["isoglot"]
    for package in packages:
        wanted = [Requirement(text) for text in package["metadata"].get("requires_dist", [])]
        asked = package.get("requested_extras", [])
        needs = {
            canonicalize_name(one.name)
            for one in wanted
            if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in ["", *asked])
        }
        own = components[canonicalize_name(package["metadata"]["name"])]
        document.register_dependency(own, [components[name] for name in sorted(needs & components.keys())])
    return JsonV1Dot6(document).output_as_string(indent=1) + "\n"


def audit(packages: list[dict[str, Any]]) -> tuple[int, dict[str, int]]:
    """(exit code, counts): ask pip-audit, and say what it found, what it could not look up, or that it could not ask."""
    # a build's own mark (torch 2.13.0+cpu) is not known there; the release is
    pins = [f"{one['metadata']['name']}=={one['metadata']['version'].partition('+')[0]}" for one in packages]
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder, "pins.txt")
        asked.write_text(
            "\n".join(pin for pin in pins if not pin.startswith("isoglot==")), encoding="utf-8", newline="\n"
        )
        words = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "-f", "json", "-r", str(asked)]
        done = subprocess.run(
            [sys.executable, "-m", "pip_audit", *words],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        lines = done.stderr.strip().splitlines() or [f"pip-audit ended with {done.returncode}"]
        print(f"vulnerabilities: NOT checked, the service did not answer ({lines[-1][:200]})")
        return NOT_CHECKED, {"looked_up": 0, "vulnerabilities": 0}
    skipped = [one["name"] for one in found if "skip_reason" in one]
    if len(skipped) == len(found):
        print(
            f"vulnerabilities: NOT checked, the service knows none of the {len(found)} packages (a mirror without it?)"
        )
        return NOT_CHECKED, {"looked_up": 0, "vulnerabilities": 0}
    known = [(one, fault) for one in found for fault in one.get("vulns", ())]
    for one, fault in known:
        fixed = ", ".join(fault["fix_versions"]) or "no release"
        print(f"{one['name']} {one['version']}: {fault['id']}, mended in {fixed}")
    print(f"vulnerabilities: {len(known)} known in {len(found) - len(skipped)} packages")
    if skipped:
        print(f"vulnerabilities: NOT checked for {', '.join(skipped)}")
    code = VULNERABLE if known else NOT_CHECKED if skipped else CLEAN
    return code, {"looked_up": len(found) - len(skipped), "vulnerabilities": len(known)}


if __name__ == "__main__":
    sys.exit(main())
