"""No text of the data is markup, in either form of a report, and no link leads out of the study."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from isoglot.files import read_json, write_json
from isoglot.study.analyse import analyse
from isoglot.study.analysis.reading import clean
from isoglot.study.render import link
from isoglot.study.report import write_report
from tests.study.fabricate import FULL, LORA, make_cell, write_study
from tests.study.page import page

HOSTILE = "<script>alert(1)</script> & | `x` ``y`` *b* _i_ [l](javascript:alert(1)) \"q\" 'a' </style> $x$ ~~s~~"


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isoglot.study.report.analyse", lambda home: analyse(home, resamples=199))


def hostile_study(home: Path) -> Path:
    languages = ["en", "<b>", "a|b"]
    options: dict[str, Any] = {"benchmarks": {"x&<i>`|": languages}, "base": HOSTILE, "data": HOSTILE}
    tuning = {**LORA, "name": HOSTILE, "targets": [HOSTILE]}
    cells = [
        make_cell(home, "one", strategy="hybrid", mono_share=0.5, tuning=tuning, languages=languages, **options),
        make_cell(home, "two", strategy="mono", tuning=FULL, status="failed", error=HOSTILE + "\x00\x1b\n# no"),
    ]
    summary = [HOSTILE, "# no heading", "1. no list"]
    write_study(home, cells, name=HOSTILE, question=HOSTILE, audit={"leaks": True, "allowed": True, "summary": summary})
    study = read_json(home / "study.json")
    study["versions"] = {HOSTILE: HOSTILE}
    study["spec"]["train"] = {HOSTILE: HOSTILE}
    write_json(home / "study.json", study)
    return home


def test_texts_of_the_data_are_no_markup(tmp_path: Path) -> None:
    home = tmp_path / "study"
    hostile_study(home)
    pictures = write_report(home)[2:]

    source = (home / "report.html").read_text(encoding="utf-8")
    html = page(home)
    assert not {"script", "b1", "i"} & set(html.tags)
    assert source.count("</style>") == 1 + html.tags.count("svg")  # matplotlib's own, in every picture
    assert not any(link.lower().startswith("javascript") for link in html.links)
    assert any(HOSTILE in word for word in html.words)
    assert "\x00" not in source
    for picture in pictures:
        ET.parse(picture)


def test_markdown_is_escaped_and_its_tables_keep_their_columns(tmp_path: Path) -> None:
    hostile_study(tmp_path)
    write_report(tmp_path)
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")

    without_blocks = re.sub(r"^```.*?^```$", "", markdown, flags=re.M | re.S)
    outside_code = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", without_blocks.replace("\\`", ""))
    assert "<" not in outside_code
    assert not re.search(r"(?<!\\)\]\(javascript", outside_code)
    assert "\n# no" not in markdown
    assert "\n- \\# no heading\n- 1\\. no list\n" in markdown
    blocks = re.findall(r"(?:^\|.*\n)+", markdown, flags=re.M)
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1, block
    assert len(blocks) > 8


def test_links_lead_into_the_study_only(tmp_path: Path) -> None:
    (tmp_path / "a b(1)").mkdir()
    assert link("a b(1)", tmp_path) == "[a b(1)](a%20b%281%29)"
    for path in ("javascript:alert(1)", "../x", "/etc/passwd", "missing", ""):
        assert "](" not in link(path, tmp_path)


def test_clean_keeps_every_script_and_drops_control_characters() -> None:
    assert clean({"a": ["नमस्ते 中文", "x\x00\ud800\x1b"]}) == {"a": ["नमस्ते 中文", "x\ufffd\ufffd\ufffd"]}
