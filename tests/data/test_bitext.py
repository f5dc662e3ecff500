"""Plain bitext: layouts of gettext, XLIFF, TMX, line-aligned files and Tatoeba; what is left out and counted; what is refused."""

from __future__ import annotations

import gzip
import re
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polib
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from isoglot.data.pairs.check import check_pairs
from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.packed import open_packed
from isoglot.data.pairs.packing import pack_pairs
from isoglot.data.pairs.patterns import FilePattern
from isoglot.data.pairs.source import read_source
from isoglot.errors import InputError, LineError
from isoglot.files import write_jsonl
from isoglot.records import PairRow

Said = Callable[[], str]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    return lambda: capsys.readouterr().err


def rows_of(spec: str) -> list[PairRow]:
    rows = []
    for row, _, _ in read_source(spec):
        assert isinstance(row, PairRow), row
        assert row.query == row.passage
        rows.append(row)
    return rows


def units_of(spec: str) -> list[dict[str, str]]:
    """The texts of each pair by language, in the order of the rows."""
    units: dict[str, dict[str, str]] = {}
    for row in rows_of(spec):
        assert row.lang not in units.setdefault(row.id, {})
        units[row.id][row.lang] = row.query
    return list(units.values())


def problems_of(spec: str) -> list[str]:
    return [str(row) for row, _, _ in read_source(spec) if isinstance(row, LineError)]


def balance(line: str) -> tuple[int, int, dict[str, int]]:
    """(rows, texts, left out by reason) of the line that a source says; they must add up."""
    match = re.search(r"([\d,]+) rows of ([\d,]+) texts(?:; left out: ([^;\n]*))?", line)
    assert match, line
    left = {
        reason: int(number.replace(",", "")) for number, reason in re.findall(r"(\d[\d,]*) ([^,]+)", match[3] or "")
    }
    rows, texts = (int(match[n].replace(",", "")) for n in (1, 2))
    assert rows + sum(left.values()) == texts
    return rows, texts, left


# gettext: the manual's sections "PO Files", "Filling in the Header Entry", "Plural forms", "Fuzzy Entries", "Obsolete Entries"

PO_DE = r"""# Comment of a translator.
msgid ""
msgstr ""
"Project-Id-Version: app 1\n"
"Language: de\n"
"Content-Type: text/plain; charset=UTF-8\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\n"

#. from the source
#: main.c:12
msgid "Open the file"
msgstr ""
"Die Datei "
"öffnen"

msgctxt "door"
msgid "Open"
msgstr "Offen"

msgctxt "verb"
msgid "Open"
msgstr "Öffnen"

#, c-format
msgid "%d file was removed"
msgid_plural "%d files were removed"
msgstr[0] "%d Datei wurde entfernt"
msgstr[1] "%d Dateien wurden entfernt"

#, fuzzy
#| msgid "Close"
msgid "Close it"
msgstr "Schließen"

msgid "Not yet"
msgstr ""

msgid "GIMP"
msgstr "GIMP"

msgid "<b>%s</b>: {name}"
msgstr "<b>%s</b> - {name}"

#~ msgid "Old"
#~ msgstr "Alt"
"""
PO_RU = r"""msgid ""
msgstr ""
"Language: ru\n"
"Content-Type: text/plain; charset=koi8-r\n"
"Plural-Forms: nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);\n"

msgctxt "verb"
msgid "Open"
msgstr "Открыть"

msgid "%d file was removed"
msgid_plural "%d files were removed"
msgstr[0] "Удалён %d файл"
msgstr[1] "Удалено %d файла"
msgstr[2] "Удалено %d файлов"
"""


def write_po(folder: Path) -> Path:
    for lang, text, encoding in (("de", PO_DE, "utf-8"), ("ru", PO_RU, "koi8-r")):
        path = folder / f"locale/{lang}/LC_MESSAGES/app.po"
        path.parent.mkdir(parents=True)
        path.write_bytes(text.encode(encoding))
    return folder / "locale"


def test_gettext(tmp_path: Path, said: Said) -> None:
    home = write_po(tmp_path)
    spec = f"po:{home}/{{lang}}/LC_MESSAGES/app.po"
    assert units_of(spec) == [
        {"en": "Open the file", "de": "Die Datei öffnen"},
        {"en": "Open", "de": "Offen"},
        {"en": "Open", "de": "Öffnen", "ru": "Открыть"},
        {"en": "%d file was removed", "de": "%d Datei wurde entfernt", "ru": "Удалён %d файл"},
        {"en": "%d files were removed", "de": "%d Dateien wurden entfernt", "ru": "Удалено %d файлов"},
    ]
    (line,) = said().splitlines()
    reasons = ("fuzzy", "untranslated", "copies of the source text", "obsolete", "further plural forms")
    left = dict.fromkeys(reasons, 1) | {"without letters beside tags and placeholders": 1}
    assert balance(line) == (13, 19, left)
    assert "msgids taken to be in en" in line
    assert {row.source for row in rows_of(spec)} == {"app"}


def test_languages_of_catalogues(tmp_path: Path, said: Said) -> None:
    """The header says the language where the pattern does not; an option says that of the msgids."""
    home = write_po(tmp_path)
    by_path, by_header = (units_of(f"po:{home}/{part}/LC_MESSAGES/app.po") for part in ("{lang}", "*"))
    assert by_path == by_header
    said()
    swedish = units_of(f"po:{home}/*/LC_MESSAGES/app.po?source=sv&name=x")
    assert [{"sv" if lang == "en" else lang: text for lang, text in unit.items()} for unit in by_path] == swedish
    assert "taken to be" not in said()
    de = home / "de/LC_MESSAGES/app.po"
    assert "files in de itself, not read: 1" in (list(read_source(f"po:{de}?source=de")), said())[1]
    de.write_text(de.read_text(encoding="utf-8").replace("Language: de", "Language: "), encoding="utf-8")
    (problem,) = problems_of(f"po:{de}")
    assert re.search(r"app.po:1: its header has no 'Language:'; write \{lang\}", problem)
    (tmp_path / "LINGUAS").write_text("de ru")
    for name in ("sr@latin", "pt_BR", "LINGUAS"):
        (tmp_path / f"{name}.po").write_text(PO_DE)
    assert {row.lang for row in rows_of(f"po:{tmp_path}/{{lang}}.po")} == {"en", "sr-Latn", "pt-BR"}
    assert re.search(r"files named after no language: .*LINGUAS.po", said())


def test_compiled_catalogues(tmp_path: Path) -> None:
    """.mo by the manual's "MO Files": msgctxt before EOT, plural forms behind NUL; no fuzzy and no obsolete entries."""
    home = write_po(tmp_path)
    for path in home.glob("*/LC_MESSAGES/app.po"):
        polib.pofile(str(path)).save_as_mofile(str(path.with_suffix(".mo")))
    from_po, from_mo = (units_of(f"po:{home}/{{lang}}/LC_MESSAGES/app.{kind}") for kind in ("po", "mo"))
    assert sorted(map(sorted, (unit.items() for unit in from_po))) == sorted(map(sorted, (u.items() for u in from_mo)))


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda text: text[: text.index('öffnen"') + 3], ":14: .*a string without its second quote"),
        (lambda text: text.replace("UTF-8", "ASCII"), ":1: not in the encoding of its header"),
        (lambda text: text.replace('msgid "GIMP"', "GIMP"), r":38: not a catalogue of gettext .syntax error"),
    ],
)
def test_spoiled_catalogues_are_refused(tmp_path: Path, spoil: Callable[[str], str], problem: str) -> None:
    (tmp_path / "de.po").write_text(spoil(PO_DE), encoding="utf-8")
    assert re.search(f"de.po{problem}", *problems_of(f"po:{tmp_path}/{{lang}}.po"))


def test_plural_forms_that_are_not_understood_are_said(tmp_path: Path, said: Said) -> None:
    (tmp_path / "de.po").write_text(PO_DE.replace("(n != 1)", "n%0"), encoding="utf-8")
    assert len(rows_of(f"po:{tmp_path}/{{lang}}.po")) == 10
    assert "de.po: Plural-Forms not understood and taken to be n != 1" in said()


WORDS = st.text(st.characters(categories=["L", "M", "N", "P", "S", "Zs"]), min_size=1, max_size=30).map(
    lambda text: " ".join(f"a{text}".split())
)
UNITS = st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=6, unique_by=lambda unit: unit[0])
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def expected(units: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"en": source, "de": f"de {target}"} for source, target in units]


@QUICK
@given(UNITS)
def test_what_polib_writes_is_read(tmp_path_factory: pytest.TempPathFactory, units: list[tuple[str, str]]) -> None:
    folder = tmp_path_factory.mktemp("po")
    catalogue = polib.POFile()
    catalogue.metadata = {"Language": "de", "Content-Type": "text/plain; charset=UTF-8"}
    catalogue.extend(polib.POEntry(msgid=source, msgstr=f"de {target}") for source, target in units)
    catalogue.save(str(folder / "app.po"))
    catalogue.save_as_mofile(str(folder / "app.mo"))
    assert units_of(f"po:{folder}/app.po") == expected(units)
    assert sorted(map(str, units_of(f"po:{folder}/app.mo"))) == sorted(map(str, expected(units)))


@QUICK
@given(UNITS)
def test_what_lxml_writes_is_read(tmp_path_factory: pytest.TempPathFactory, units: list[tuple[str, str]]) -> None:
    folder = tmp_path_factory.mktemp("xml")
    tmx = etree.Element("tmx", version="1.4")
    etree.SubElement(tmx, "header", srclang="en")
    xliff = etree.Element("{urn:oasis:names:tc:xliff:document:2.0}xliff", version="2.0", srcLang="en", trgLang="de")
    body, file = (
        etree.SubElement(tmx, "body"),
        etree.SubElement(xliff, "{*}file".replace("*", xliff.nsmap["ns0"]), id="f"),
    )
    for number, (source, target) in enumerate(units):
        unit = etree.SubElement(body, "tu")
        segment = etree.SubElement(
            etree.SubElement(file, f"{{{xliff.nsmap['ns0']}}}unit", id=str(number)), f"{{{xliff.nsmap['ns0']}}}segment"
        )
        for lang, side, text in (("de", "target", f"de {target}"), ("en", "source", source)):
            variant = etree.SubElement(unit, "tuv", {"{http://www.w3.org/XML/1998/namespace}lang": lang})
            etree.SubElement(variant, "seg").text = text
            etree.SubElement(segment, f"{{{xliff.nsmap['ns0']}}}{side}").text = text
    etree.ElementTree(tmx).write(str(folder / "m.tmx"), encoding="utf-16", xml_declaration=True)
    (folder / "m.xlf.gz").write_bytes(gzip.compress(etree.tostring(xliff)))
    assert units_of(f"tmx:{folder}/m.tmx") == expected(units)
    assert units_of(f"xliff:{folder}/m.xlf") == expected(units)


@QUICK
@given(UNITS)
def test_line_aligned_files_are_read(tmp_path_factory: pytest.TempPathFactory, units: list[tuple[str, str]]) -> None:
    folder = tmp_path_factory.mktemp("moses")
    (folder / "c.en").write_bytes("".join(f"{source}\n" for source, _ in units).encode())
    (folder / "c.de.gz").write_bytes(gzip.compress("".join(f"de {target}\r\n" for _, target in units).encode()))
    assert units_of(f"moses:{folder}/c.{{lang}}") == expected(units)


# XLIFF: OASIS Standards 1.2 (sections 2 and 2.4, inline elements) and 2.1 (sections 4.2 and 4.7)

XLIFF_12 = """<?xml version="1.0" encoding="UTF-8"?>
<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">
 <file original="app.html" source-language="en-US" target-language="de" datatype="html">
  <header><note>n</note></header>
  <body>
   <group id="g">
    <trans-unit id="1"><source>Save <g id="b">all</g> files<x id="n" ctype="lb"/>now</source>
     <seg-source><mrk mtype="seg" mid="1">not this</mrk></seg-source>
     <target state="translated">Alle Dateien <g id="b">jetzt</g> sichern</target>
     <alt-trans><source>no</source><target>nein</target></alt-trans></trans-unit>
   </group>
   <trans-unit id="2"><source>Hello <x id="i" equiv-text="{{name}}"/>, <bpt id="1">&lt;b><sub>alt</sub></bpt>you<ept id="1"/>!
    </source>
    <target>Hallo <x id="i" equiv-text="{{name}}"/>, <mrk mtype="x">du</mrk>!</target></trans-unit>
   <trans-unit id="3" translate="no"><source>ID</source><target>Ausweis</target></trans-unit>
   <trans-unit id="4"><source>Later</source></trans-unit>
   <trans-unit id="5"><source>Draft</source><target state="needs-review-translation">Entwurf</target></trans-unit>
   <trans-unit id="6"><source>New</source><target state="new">New</target></trans-unit>
   <trans-unit id="7"><source>Same</source><target>Same</target></trans-unit>
   <trans-unit id="8"><source>French</source><target xml:lang="fr">Français</target></trans-unit>
  </body>
 </file>
</xliff>
"""
XLIFF_21 = """<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.1" srcLang="en" trgLang="{lang}">
 <file id="f1" original="app.html">
  <group id="g1"><unit id="u1">
   <originalData><data id="d1">&lt;br/></data></originalData>
   <segment id="s1" state="final"><source>First <pc id="1">bold</pc> text.</source>
    <target>1 <pc id="1">{lang}</pc> Text.</target></segment>
   <ignorable><source> </source></ignorable>
   <segment><source>Press <ph id="2" equiv="Ctrl"/> or<ph id="3" dataRef="d1"/>not<sc id="4"/>.</source>
    <target>2 {lang}</target></segment>
   <segment state="initial"><source>Untouched</source><target>Untouched {lang}</target></segment>
  </unit></group>
  <unit id="u2" translate="no"><segment><source>X</source><target>Y</target></segment></unit>
 </file>
</xliff>
"""


def test_xliff_1_2(tmp_path: Path, said: Said) -> None:
    (tmp_path / "a.xlf").write_text(XLIFF_12, encoding="utf-8")
    assert units_of(f"xliff:{tmp_path}/*.xlf") == [
        {"en": "Save all files now", "de": "Alle Dateien jetzt sichern"},
        {"en": "Hello {{name}}, you!", "de": "Hallo {{name}}, du!"},
        {"en": "French", "fr": "Français"},
    ]
    reasons = ("not to be translated", "fuzzy (state needs-...)", "copies of the source text")
    assert balance(said()) == (6, 11, {"untranslated": 2, **dict.fromkeys(reasons, 1)})


def test_xliff_2_in_several_languages(tmp_path: Path, said: Said) -> None:
    for lang in ("de", "fr"):
        (tmp_path / f"{lang}.xlf").write_text(XLIFF_21.replace("{lang}", lang), encoding="utf-8")
    assert units_of(f"xliff:{tmp_path}/*.xlf") == [
        {"en": "First bold text.", "de": "1 de Text.", "fr": "1 fr Text."},
        {"en": "Press Ctrl or not.", "de": "2 de", "fr": "2 fr"},
    ]
    assert balance(said()) == (6, 10, {"untranslated": 2, "not to be translated": 2})


# TMX 1.4b: sections "Detailed specifications" and "Content markup"

TMX = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4">
 <header creationtool="t" creationtoolversion="1" segtype="sentence" o-tmf="x" adminlang="en" srclang="EN-US" datatype="html">
  <prop type="p">x</prop></header>
 <body>
  <tu tuid="1"><note>n</note>
   <tuv xml:lang="DE"><prop type="q">y</prop><seg>Ein <bpt i="1">&lt;b&gt;</bpt>fettes<ept i="1">&lt;/b&gt;</ept> Wort</seg></tuv>
   <tuv xml:lang="EN-US"><seg>A <bpt i="1">&lt;b&gt;<sub>sub</sub></bpt>bold<ept i="1"/> <hi type="x">word</hi></seg></tuv>
   <tuv xml:lang="fr-FR"><seg>Un<ph>&lt;br&gt;</ph>mot<it pos="begin">&lt;i&gt;</it> gras<!-- c --></seg></tuv>
   <tuv xml:lang="de-DE"><seg>Noch eins</seg></tuv></tu>
  <tu><tuv xml:lang="en"><seg>Alone</seg></tuv></tu>
  <tu><tuv xml:lang="en"><seg>Copy</seg></tuv><tuv xml:lang="de"><seg>Copy</seg></tuv><tuv xml:lang="fr"><seg> </seg></tuv></tu>
  <tu srclang="fr"><tuv lang="de"><seg>Tags</seg></tuv><tuv xml:lang="fr"><seg><ph>&lt;hr&gt;</ph>1, 2</seg></tuv></tu>
 </body>
</tmx>
"""


def test_tmx(tmp_path: Path, said: Said) -> None:
    (tmp_path / "m.tmx").write_text(TMX, encoding="utf-8")
    assert units_of(f"tmx:{tmp_path}/m.tmx") == [{"en": "A bold word", "de": "Ein fettes Wort", "fr": "Un mot gras"}]
    rows, texts, left = balance(said())
    assert (rows, texts, left["without a translation"], left["empty"]) == (3, 10, 3, 1)
    assert left["further in the same language"] == left["copies of the source text"] == 1
    assert next(row.lang for row in rows_of(f"tmx:{tmp_path}/m.tmx")) == "en"


BOMB = """<?xml version="1.0"?><!DOCTYPE tmx [<!ENTITY a "aaaaaaaaaa">
{entities}<!ENTITY out SYSTEM "file:///etc/passwd">]>
<tmx version="1.4"><header srclang="en"/><body>
<tu><tuv xml:lang="en"><seg>{body}</seg></tuv><tuv xml:lang="de"><seg>b</seg></tuv></tu></body></tmx>"""


@pytest.mark.parametrize("body", ["&j;", "&out;", "none"])
def test_entities_are_refused(tmp_path: Path, body: str) -> None:
    """A billion laughs, a file of the machine: neither is read, in text or in an attribute."""
    entities = "\n".join(f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefghi", "bcdefghij"))
    path = tmp_path / "m.tmx"
    path.write_text(BOMB.replace("{entities}", entities).replace("{body}", body))
    tracemalloc.start()
    (problem,) = problems_of(f"tmx:{path}")
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
    assert re.search(r"m.tmx:\d+: declares entities \(a, b, c", problem)
    path.write_text(BOMB.replace("{entities}", entities).replace('version="1.4"', 'version="&j;"'))
    (problem,) = problems_of(f"tmx:{path}")
    assert re.search(r"m.tmx:\d+: ", problem)
    assert "expected <tmx>" not in problem


def test_undeclared_entities_and_deep_elements_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.tmx"
    path.write_text(TMX.replace("Alone", "Al&nbsp;one"), encoding="utf-8")
    (problem,) = problems_of(f"tmx:{path}")
    assert re.search(r"m.tmx:12: entity &nbsp; is not replaced", problem)
    path.write_text(TMX.replace("Alone", "<hi>" * 150 + "x" + "</hi>" * 150), encoding="utf-8")
    (problem,) = problems_of(f"tmx:{path}")
    assert re.search(r"m.tmx:12: elements in each other too deeply", problem)


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is measured by Linux's /proc")
def test_a_large_tmx_is_a_stream(tmp_path: Path, said: Said) -> None:
    """300,000 units, 45 MB of XML, in the memory of a few: none of the tree is kept, and lines are counted on."""
    n, path = 300_000, tmp_path / "large.tmx"
    with path.open("w", encoding="utf-8") as sink:
        sink.write('<tmx version="1.4"><header srclang="en"/><body>\n')
        unit = '<tu><tuv xml:lang="en"><seg>text <hi>en</hi> {0}</seg></tuv><tuv xml:lang="de"><seg>Text {0}</seg></tuv></tu>\n'
        sink.writelines(map(unit.format, range(n)))
        sink.write("</body></tmx>\n")
    rows = iter(read_source(f"tmx:{path}"))
    next(rows)
    before = most = resident()
    for count, item in enumerate(rows, start=2):
        last = item
        if count % 50_000 == 0:
            most = max(most, resident())
    assert isinstance(last[0], PairRow)
    assert (count, last[0].query, last[2]) == (2 * n, f"Text {n - 1}", n + 1)
    assert most - before < 20e6  # the tree would take over 500 MB
    assert balance(said())[:2] == (2 * n, 2 * n)


# Moses: line n of each file; OPUS's downloads in that format have README, LICENSE and .ids beside them


def test_line_aligned_files(tmp_path: Path, said: Said) -> None:
    texts = {
        "de": "eins\n\nGIMP\n<b>4</b>\nfünf\u2028Zeilen\n",
        "en": "one\ntwo\nGIMP\n4\nfive\n",
        "fr": "un\ndeux\nGIMP\n4\ncinq",
    }
    for lang, text in texts.items():
        (tmp_path / f"Books.{lang}").write_bytes(text.encode())
    (tmp_path / "Books.xml").write_text("no language")
    spec = f"moses:{tmp_path}/Books.{{lang}}"
    assert units_of(spec) == [
        {"en": "one", "de": "eins", "fr": "un"},
        {"en": "two", "fr": "deux"},
        {"en": "five", "de": "fünf Zeilen", "fr": "cinq"},
    ]
    line = said()
    left = {
        "without letters beside tags and placeholders": 3,
        "copies of the source text": 2,
        "without a translation": 1,
    }
    assert balance(line) == (8, 15, left | {"empty": 1})
    assert re.search("files named after no language: .*Books.xml", line)
    assert next((row.lang, row.id, row.source) for row in rows_of(spec)) == ("en", "1", "Books")


def test_files_that_are_not_aligned_are_refused(tmp_path: Path) -> None:
    (tmp_path / "c.en").write_bytes(b"one\ntwo\nthree\n")
    (tmp_path / "c.de").write_bytes(b"eins\n\xff\n")
    first, second = problems_of(f"moses:{tmp_path}/c.{{lang}}")
    assert re.search(r"c.de:2: not UTF-8", first)
    assert re.search(r"c.de:3: ends before this line, which c.en has", second)
    (tmp_path / "c.de").unlink()
    with pytest.raises(InputError, match="expected a file each of two or more languages"):
        list(read_source(f"moses:{tmp_path}/c.{{lang}}"))
    with pytest.raises(InputError, match=r"no such file; expected moses:FILE, where \{lang\} stands"):
        list(read_source(f"moses:{tmp_path}/d.{{lang}}"))


# Tatoeba: the field lists of https://tatoeba.org/downloads ("Sentences", "Links", "Sentence pairs")

SENTENCES = """1	cmn	我們試試看！
77	deu	Lass uns etwas versuchen!
1276	eng	Let's try something.
9	\\N	Lost
10	eng	Let's try it.
11	eng	Alone
"""
LINKS = "1\t77\n77\t1\n1276\t1\n1\t1276\n77\t1276\n1276\t77\n1276\t10\n9\t1276\n99\t77\n"


def test_tatoeba(tmp_path: Path, said: Said) -> None:
    (tmp_path / "sentences.csv").write_text(SENTENCES, encoding="utf-8")
    (tmp_path / "links.csv").write_text(LINKS, encoding="utf-8")
    zh, de, en = "我們試試看！", "Lass uns etwas versuchen!", "Let's try something."
    assert units_of(f"tatoeba:{tmp_path}/sentences.csv") == [
        {"zh": zh, "de": de},
        {"zh": zh, "en": en},
        {"de": de, "en": en},
    ]
    line = said()
    left = {"of links to sentences that are not here": 4, "further in the same language": 1, "without a translation": 1}
    assert balance(line) == (6, 12, left)
    assert r"1 sentences of no known language (\N)" in line
    (tmp_path / "links.csv").rename(tmp_path / "other")
    only = units_of(f"tatoeba:{tmp_path}/sentences.csv?links={tmp_path}/other&languages=de,en")
    assert only == [{"de": de, "en": en}]
    with pytest.raises(InputError, match=r"no links.csv beside sentences.csv; name the file of links: \?links=FILE"):
        list(read_source(f"tatoeba:{tmp_path}/sentences.csv"))


@pytest.mark.parametrize(
    "text",
    [
        "12\tHello.\t45\tHallo.\n",
        "Hello.\tHallo.\n",
        "Hello.\tHallo.\tCC-BY 2.0 (France) Attribution: tatoeba.org #1\n",
    ],
)
def test_pairs_of_texts(tmp_path: Path, said: Said, text: str) -> None:
    path = tmp_path / "deu.txt"
    path.write_text(text + "x\n", encoding="utf-8")
    with pytest.raises(InputError, match="pairs of texts; say their two languages"):
        list(read_source(f"tatoeba:{path}"))
    items = list(read_source(f"tatoeba:{path}?languages=en,de"))
    assert [(row.lang, row.query) for row, _, _ in items[:2] if isinstance(row, PairRow)] == [
        ("en", "Hello."),
        ("de", "Hallo."),
    ]
    assert "deu.txt:2: 1 columns separated by tabs" in str(items[2][0])
    assert "read as pairs of texts, first en, then de" in said()


def test_links_are_no_sentences(tmp_path: Path) -> None:
    (tmp_path / "links.csv").write_text(LINKS)
    with pytest.raises(InputError, match=r"links.csv:1: expected id, language and text.*found 2 column\(s\) of ids"):
        list(read_source(f"tatoeba:{tmp_path}/links.csv"))


# all of them


def test_names_of_patterns(tmp_path: Path) -> None:
    for name in ("po/de.po", "locale/de/LC_MESSAGES/app.po", "a-de.de", "de/x.y.tmx.gz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    for pattern, name in (
        ("po/{lang}.po", "po"),
        ("locale/{lang}/LC_MESSAGES/app.po", "app"),
        ("locale/{lang}/LC_MESSAGES/*.po", "locale"),
        ("a-{lang}.{lang}", "a"),
        ("{lang}/x.y.tmx", "x.y"),
        ("po/*.po?name=mine", "mine"),
    ):
        found = FilePattern.parse(f"po:{tmp_path}/{pattern}", ("name",))
        assert found.name == name
        assert found.files[0].lang == ("de" if "{lang}" in pattern else None)
    with pytest.raises(InputError, match=r"unknown option 'nam' .did you mean 'name'"):
        FilePattern.parse(f"po:{tmp_path}/po/*.po?nam=x", ("name",))


def bitext_specs(folder: Path) -> Iterator[str]:
    write_po(folder)
    files = {
        "a.xlf": XLIFF_12,
        "m.tmx": TMX,
        "c.en": "one\n",
        "c.de": "eins\n",
        "sentences.csv": SENTENCES,
        "links.csv": LINKS,
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    yield from (f"po:{folder}/locale/*/LC_MESSAGES/app.po", f"xliff:{folder}/a.xlf", f"tmx:{folder}/m.tmx")
    yield from (f"moses:{folder}/c.{{lang}}", f"tatoeba:{folder}/sentences.csv")


def test_every_source_is_checked_packed_and_said_to_be_bitext(tmp_path: Path, said: Said) -> None:
    specs = list(bitext_specs(tmp_path))
    names = ("a", "app", "c", "m", "sentences")
    table = load_pairs(specs)
    assert table.index.bitext == names
    assert said().count("a, app, c, m, sentences: plain bitext, no questions and answers") == 1
    report = check_pairs(specs)
    assert not report.problems
    assert sum(source.rows_without_question for source in report.sources.values()) == report.rows_read == len(table)
    said()
    pack_pairs(specs, tmp_path / "packed")
    assert said().count("plain bitext") == 1
    packed = open_packed(tmp_path / "packed")
    assert packed.index.bitext == names
    assert packed.digest == table.digest


def test_a_source_with_a_question_is_no_bitext(tmp_path: Path, said: Said) -> None:
    rows: list[dict[str, Any]] = [
        {"source": source, "id": i, "lang": lang, "query": f"{i} {lang}", "passage": f"{i} {lang}{' a' * (i == asks)}"}
        for source, asks in (("mixed", 3), ("plain", -1))
        for i in range(5)
        for lang in ("de", "en")
    ]
    write_jsonl(tmp_path / "p.jsonl", rows)
    table = load_pairs(tmp_path / "p.jsonl")
    assert table.index.bitext == ("plain",)
    assert "isoglot: plain: plain bitext" in said()
    assert [source.rows_without_question for source in check_pairs([f"{tmp_path}/p.jsonl"]).sources.values()] == [8, 10]
    assert pack_pairs([tmp_path / "p.jsonl"], tmp_path / "packed")["bitext"] == ["plain"]
