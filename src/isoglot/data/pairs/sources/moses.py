"""Line-aligned files as Moses reads them and OPUS gives them out (`corpus.de-en.de`, `corpus.de-en.en`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby, zip_longest
from operator import attrgetter

from isoglot.data.languages import language
from isoglot.data.opening import opened
from isoglot.data.pairs.bitext import Bitext, Tally, Unit
from isoglot.data.pairs.patterns import FilePattern, LanguageFile
from isoglot.data.pairs.source import SOURCES
from isoglot.errors import InputError, LineError
from isoglot.reading import not_utf8


class Moses(Bitext):
    """line-aligned files, one per language (also .gz): line n of each is one text; option source: whose copies are left out"""

    name = "moses"
    example = "corpus.{lang}"
    options = ("source",)

    def units(self, files: FilePattern, tally: Tally) -> Iterator[Unit | LineError]:
        source = files.language("source", "en")
        corpora = [list(group) for _, group in groupby(sorted(files.files, key=attrgetter("rest")), attrgetter("rest"))]
        for corpus in corpora:
            langs = [language(file.lang) for file in corpus if file.lang]
            if len(langs) < 2 or len(set(langs)) < len(langs):
                raise InputError(
                    f"{files.spec}: {', '.join(str(file.path) for file in corpus)}: expected a file each of two or more "
                    "languages, with {lang} in the place of the language"
                )
            ordered = sorted(zip(langs, corpus), key=lambda item: item[0] != source)
            start = f"{corpus[0].rest}:" if len(corpora) > 1 else ""
            yield from _units(ordered, start)


def _units(files: Sequence[tuple[str, LanguageFile]], start: str) -> Iterator[Unit | LineError]:
    path = files[0][1].path
    with ExitStack() as stack:
        sources = [stack.enter_context(opened(file.path)) for _, file in files]
        for number, data in enumerate(zip_longest(*sources), start=1):
            if None in data:
                ended, more = (
                    next(f.path for (_, f), d in zip(files, data) if (d is None) is end) for end in (True, False)
                )
                problem = f"ends before this line, which {more.name} has; expected as many lines in each language"
                yield LineError(ended, number, problem)
                return
            texts = []
            for (lang, file), line in zip(files, data):
                try:
                    texts.append((lang, line.decode("utf-8-sig" if number == 1 else "utf-8")))
                except UnicodeDecodeError as error:
                    yield LineError(file.path, number, not_utf8(line, error))
                    break
            else:
                yield Unit(path, number, f"{start}{number}", texts)


SOURCES.register(Moses())
