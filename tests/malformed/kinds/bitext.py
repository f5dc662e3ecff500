"""Plain bitext."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

from tests.malformed.kinds.shared import LANGUAGES, Kind, N, Wrong, accepted, register, run, same


def check_bitext(pattern: str) -> Callable[[Path, Path], None]:
    """Rows and what is left out add up to the texts that were seen; what is checked is what loads."""

    def check(folder: Path, spoiled: Path) -> None:
        spec = pattern.replace("DIR", str(folder))
        answer = run("data", "check", spec, "--json")
        if not accepted(answer, spoiled):
            return
        report = json.loads(answer.out)
        rows = sum(sum(source["rows"].values()) for source in report["sources"].values())
        said = re.search(r"([0-9,]+) rows of ([0-9,]+) texts(?:; left out: ([^;\n]*))?", answer.err)
        if said is None:
            raise Wrong("uncounted", f"no line of counts: {answer.err!r}")
        written, texts = (int(said[group].replace(",", "")) for group in (1, 2))
        left = sum(int(number.replace(",", "")) for number in re.findall(r"(\d[\d,]*) [^,]+", said[3] or ""))
        same("texts", texts, written + left)
        duplicates = sum("duplicate row" in problem for problem in report["problems"])
        same("rows", written, rows + duplicates)

    return check


@register
def _bitext() -> list[Kind]:
    lines = [(f"text {i} of {N}", f"Text {i} von {N}") for i in range(N)]
    po = 'msgid ""\nmsgstr ""\n"Language: de\\n"\n"Plural-Forms: nplurals=2; plural=n != 1;\\n"\n\n'
    po += "".join(f'#: a.c:{i}\nmsgctxt "c{i}"\nmsgid "{a}"\nmsgstr "{b}"\n\n' for i, (a, b) in enumerate(lines))
    po += 'msgid "a file"\nmsgid_plural "%d files"\nmsgstr[0] "eine Datei"\nmsgstr[1] "%d Dateien"\n\n'
    po += '#, fuzzy\nmsgid "x"\nmsgstr "y"\n\n#~ msgid "old"\n#~ msgstr "alt"\n'
    tmx = '<?xml version="1.0"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n<tmx version="1.4"><header srclang="en"/><body>\n'
    xliff = (
        '<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">\n<file original="a" source-language="en" '
    )
    xliff += 'target-language="de"><body>\n'
    xliff2 = (
        '<xliff version="2.0" xmlns="urn:oasis:names:tc:xliff:document:2.0" srcLang="en" trgLang="de">\n<file id="f">\n'
    )
    for i, (a, b) in enumerate(lines):
        tmx += (
            f'<tu><tuv xml:lang="en"><seg>{a}<ph>&lt;br></ph></seg></tuv><tuv xml:lang="de"><seg>{b}</seg></tuv></tu>\n'
        )
        xliff += f'<trans-unit id="{i}"><source>{a}</source><target>{b}</target></trans-unit>\n'
        xliff2 += (
            f'<unit id="{i}"><segment><source>{a} <pc id="1">b</pc></source><target>{b}</target></segment></unit>\n'
        )
    columns = [{"en": a, "de": b} for a, b in lines]
    corpus = {f"c.{lang}": "".join(f"{row[lang]}\n" for row in columns).encode() for lang in LANGUAGES}
    sentences = "".join(f"{i + 1}\teng\t{a}\n{i + 11}\tdeu\t{b}\n" for i, (a, b) in enumerate(lines))
    links = "".join(f"{i + 1}\t{i + 11}\n{i + 11}\t{i + 1}\n" for i in range(N))
    return [
        Kind("gettext", {"app.po": po.encode()}, check_bitext("po:DIR/app.po")),
        Kind("gettext, compiled", {"app.mo": compiled(po)}, check_bitext("po:DIR/app.mo")),
        Kind("tmx", {"m.tmx": f"{tmx}</body></tmx>\n".encode()}, check_bitext("tmx:DIR/m.tmx")),
        Kind("xliff 1.2", {"a.xlf": f"{xliff}</body></file></xliff>\n".encode()}, check_bitext("xliff:DIR/*.xlf")),
        Kind(
            "xliff 2.0",
            {"a.xlf.gz": gzip.compress(f"{xliff2}</file></xliff>\n".encode(), mtime=0)},
            check_bitext("xliff:DIR/a.xlf"),
        ),
        Kind("line-aligned files", corpus, check_bitext("moses:DIR/c.{lang}")),
        Kind(
            "tatoeba",
            {"sentences.csv": sentences.encode(), "links.csv": links.encode()},
            check_bitext("tatoeba:DIR/sentences.csv"),
        ),
        Kind(
            "pairs of texts",
            {"deu.txt": "".join(f"{a}\t{b}\n" for a, b in lines).encode()},
            check_bitext("tatoeba:DIR/deu.txt?languages=en,de"),
        ),
    ]


def compiled(po: str) -> bytes:
    import polib

    data: bytes = polib.pofile(po).to_binary()
    return data
