"""Pairs of words out of lexicons, one to one: to measure how near translations are, and to train on some of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from isoglot.data.lexicons.loading import Lexicons
from isoglot.data.lexicons.tokens import fold
from isoglot.errors import InputError, say
from isoglot.files import digest_strings


@dataclass(frozen=True)
class WordPairs:
    """Words of one language and a translation of each in another; no word stands in two pairs.

    Attributes:
        source, target: the languages.
        words, translations: the n pairs.
        accepted: of each pair the keys of all translations that the lexicons have of its word, its own among them.
    """

    source: str
    target: str
    words: tuple[str, ...]
    translations: tuple[str, ...]
    accepted: tuple[frozenset[str], ...]

    @property
    def name(self) -> str:
        """Both languages."""
        return f"{self.source}-{self.target}"

    def __len__(self) -> int:
        return len(self.words)

    def keys(self) -> list[str]:
        """What the translations are the same by, one of each pair."""
        return [fold(text, self.target) for text in self.translations]

    def take(self, numbers: Iterable[int]) -> WordPairs:
        """Some of the pairs, in the order given."""
        chosen = list(numbers)
        columns = ([column[number] for number in chosen] for column in (self.words, self.translations, self.accepted))
        words, translations, accepted = map(tuple, columns)
        return WordPairs(self.source, self.target, words, translations, accepted)  # type: ignore[arg-type]

    def drawn(self, seed: int) -> WordPairs:
        """All pairs in an order by chance; a word has one place in it, whatever pairs there are besides."""
        place = [digest_strings((str(seed), self.source, word)) for word in self.words]
        return self.take(sorted(range(len(self)), key=place.__getitem__))


def read_word_pairs(specs: Sequence[str], *, copies: bool = False) -> list[WordPairs]:
    """The word pairs of lexicons, by pair of languages in the order of the lexicons; says how many words gave none, and why.

    A word gives the first of its translations that is one word. Left out are phrases, words whose translation is spelled alike
    (which any model finds), and those whose translation an earlier word has.

    Args:
        specs: of lexicons, see `LexiconFile`; several of the same languages, in the same direction, are put together.
        copies: keep pairs of words that are spelled alike.

    Raises:
        InputError: a lexicon that cannot be read; no pairs of two languages.
    """
    merged: dict[tuple[str, str], dict[str, list[str]]] = {}
    for lexicon in Lexicons(specs).lexicons:
        table = merged.setdefault((lexicon.file.source, lexicon.file.target), defaultdict(list))
        for word, translations in lexicon.table.items():
            table[word] += translations
    return [_pairs(source, target, table, copies) for (source, target), table in merged.items()]


def _pairs(source: str, target: str, table: dict[str, list[str]], copies: bool) -> WordPairs:
    rows: list[tuple[str, str, frozenset[str]]] = []
    phrases = alike = 0
    taken: set[str] = set()
    for word, translations in table.items():
        single = next((text for text in translations if len(text.split()) == 1), None)
        if single is None or " " in word:
            phrases += 1
        elif not copies and fold(single, target) == fold(word, target):
            alike += 1
        elif fold(single, target) not in taken:
            taken.add(fold(single, target))
            rows.append((word, single, frozenset(fold(text, target) for text in translations)))
    repeated = len(table) - len(rows) - phrases - alike
    say(
        f"{source}-{target}: {len(rows):,} word pairs of {len(table):,} words; left out {phrases:,} with phrases, {alike:,} "
        f"spelled alike, {repeated:,} whose translation another word has"
    )
    if len(rows) < 2:
        raise InputError(
            f"{source}-{target}: its lexicons have {len(rows)} pair(s) of two words; two are needed at least"
        )
    words, texts, accepted = zip(*rows)
    return WordPairs(source, target, words, texts, accepted)


def split(every: Sequence[WordPairs], trained: int, control: int, seed: int) -> list[tuple[WordPairs, WordPairs]]:
    """(pairs to train on, control pairs) of every pair of languages.

    No word of a control pair, on either side, is in any pair that is trained on, of whatever languages: a lexicon en-fr has the
    English words of one en-de. What falls away is said.

    Raises:
        InputError: too few pairs.
    """
    drawn = [pairs.drawn(seed) for pairs in every]
    for pairs in drawn:
        if len(pairs) < trained + control:
            raise InputError(
                f"{pairs.name}: {len(pairs):,} word pairs, fewer than {trained:,} to train on and {control:,} control pairs; "
                "ask for fewer, or give a larger lexicon"
            )
    parts = [pairs.take(range(trained)) for pairs in drawn]
    seen = {key for part in parts for pair in _sides(part) for key in pair}
    result = []
    for pairs, part in zip(drawn, parts):
        sides = _sides(pairs)
        free = [number for number in range(trained, len(pairs)) if not seen.intersection(sides[number])][:control]
        if len(free) < 2:
            raise InputError(
                f"{pairs.name}: {len(free)} control pair(s) are left of which no word is trained on; give a larger lexicon"
            )
        if len(free) < control:
            say(f"{pairs.name}: {len(free):,} control pairs instead of {control:,}: the words of others are trained on")
        result.append((part, pairs.take(free)))
    return result


def _sides(pairs: WordPairs) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """(language, key) of both words of every pair."""
    return [((pairs.source, word), (pairs.target, key)) for word, key in zip(pairs.words, pairs.keys())]
