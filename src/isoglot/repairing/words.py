"""What a repair says: tables, sentences and commands, for the terminal, the report and the card."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from isoglot.repairing.choice import BASE, HELD_OUT, MEASURE
from isoglot.repairing.folder import RepairFolder
from isoglot.tables import text_table

ABOUT_FIGURES = (
    "mono: question and answers in one language; cross: in two; multi: the answers of all languages in one list. Rank distance: "
    "how many ranks lie between the best and the worst translation of an answer; lower is better."
)


def shown_benchmark(summary: Mapping[str, Any]) -> str:
    """The benchmark that pictures and examples are of: an independent one where there is one."""
    names: list[str] = list(summary["benchmarks"])
    return names[1] if len(names) > 1 else names[0]


def in_interval(change: Mapping[str, Any], digits: int) -> str:
    """A difference with its interval."""
    text = f"{change['difference']:+.{digits}f}"
    if change["interval"] is not None:
        low, high = change["interval"]
        text += f" [{low:+.{digits}f}, {high:+.{digits}f}]"
    return text


def program() -> str:
    """How this program is called from a shell here."""
    folder = Path(sys.executable).parent
    if (found := shutil.which("isoglot")) and Path(found).parent == folder:
        return "isoglot"
    own = folder / "isoglot"
    if own.is_file():
        return shlex.quote(str(own.relative_to(Path.cwd()) if own.is_relative_to(Path.cwd()) else own))
    return f"{shlex.quote(sys.executable)} -m isoglot"


def commands(summary: Mapping[str, Any], folder: RepairFolder) -> list[str]:
    """What to type next: index documents by the base and by what is kept, search, serve both side by side."""
    shown, sources, is_changed = shown_benchmark(summary), summary["sources"], summary["kept"] != BASE
    corpus = summary["benchmarks"][shown]
    if shown == HELD_OUT and len(sources) == 1:
        corpus = sources[0]
    examples = summary["questions"].get(shown, {}).get("examples", [])
    question = examples[0]["text"] if examples else "a question in any language"
    index, name = folder.path / "index", program()

    def command(*words: object) -> str:
        return " ".join([name, *(shlex.quote(str(word)) for word in words)])

    lines = [command("index", summary["model"], corpus, "--name", "base", "--output", index)]
    if is_changed:
        lines.append(command("index", folder.model, "--name", "repaired", "--output", index))
    lines.append(command("search", index, question, *(["--model", "repaired"] if is_changed else []), "-k", 5))
    return [*lines, command("serve", index)]


def lacking() -> str:
    """Packages that those commands need and that are not installed, in words; "" where there are none."""
    missing = [extra for extra, module in (("index", "bm25s"), ("serve", "fastapi")) if find_spec(module) is None]
    return f"these need: pip install 'isoglot[{','.join(missing)}]'" if missing else ""


def table_of(summary: Mapping[str, Any], benchmark: str) -> list[list[str]]:
    """Systems by figures on a benchmark, headed."""
    rows = [["system", "mono", "cross", "multi", "rank distance", ""]]
    for system in summary["systems"]:
        own = system["scores"][benchmark]
        figures = ["-" if own[name] is None else f"{own[name]:.4f}" for name in ("mono", "cross", "multi")]
        distance = "-" if own["rank_distance"] is None else f"{own['rank_distance']:.1f}"
        rows.append([system["label"], *figures, distance, "kept" if system["key"] == summary["kept"] else ""])
    return rows


def format_summary(summary: Mapping[str, Any]) -> str:
    """What the command prints: tables, the choice, examples, where everything is."""
    lines: list[str] = []
    for name in summary["benchmarks"]:
        counts = summary["data"]
        what = (
            f"{counts['queries']:,} questions, {counts['documents']:,} answers"
            if name == HELD_OUT
            else "not used to choose"
        )
        lines += [f"{name}, {MEASURE} ({what})", *text_table(table_of(summary, name)), ""]
    lines += [f"{summary['why']}.", ""]
    for name, found in summary["questions"].items():
        lines += [f"{name}: {differences(summary['changes'][name])}", f"{name}: {fates(found)}"]
    if summary["questions"]:
        shown = shown_benchmark(summary)
        found = summary["questions"][shown]
        lines += ["", f"{shown}, where most changes: the first five before and after, right answers with *"]
        for example in found["examples"]:
            lines += ["", *_example_lines(example)]
        lines += [missing(pair) for pair in found["not_shown"]]
    return "\n".join([*lines, ""])


def differences(changes: Mapping[str, Any]) -> str:
    """What is kept less the base in every setting with its interval, and whether that may be chance where it matters."""
    parts = [f"{setting} {in_interval(change, 4)}" for setting, change in changes.items() if setting != "rank_distance"]
    text = f"kept - base, with 95% intervals: {', '.join(parts)}"
    interval = changes["multi"]["interval"]
    return f"{text}; multi may have changed by chance" if interval is None or interval[0] <= 0 <= interval[1] else text


def missing(pair: str) -> str:
    """That there is no example of two languages."""
    question, answer = map(language_name, pair.split(":"))
    return f"no question in {question} has an answer in {answer} that rose to the first five"


def fates(found: Mapping[str, Any]) -> str:
    """For how many questions the answers rose and fell, in words."""
    questions, answers = found["questions"], found["answers"]
    counts = (
        f"{questions[key]:,} {words}" for key, words in (("rose", "find more"), ("fell", "less"), ("same", "the same"))
    )
    text = f"of {questions['all']:,} questions {', '.join(counts)}"
    if answers["all"]:
        shares = [answers[key] / answers["all"] for key in ("before", "after")]
        text += f"; right answers in other languages among the first ten: {shares[0]:.1%} -> {shares[1]:.1%}"
    return text


def language_name(code: str) -> str:
    """A language by its English name; its code where that is not known."""
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(code, sep="-").get_display_name("en") or code
    except (UnknownLocaleError, ValueError):
        return code


def story(example: Mapping[str, Any]) -> str:
    """What became of the answer of an example, in words."""
    answer = example["answer"]
    verb = "rises" if answer["after"] < answer["before"] else "falls" if answer["after"] > answer["before"] else "stays"
    places = (
        f"from rank {answer['before']:,} to {answer['after']:,}" if verb != "stays" else f"at rank {answer['after']:,}"
    )
    return f"the answer in {language_name(answer['language'])} {verb} {places}"


def _example_lines(example: Mapping[str, Any]) -> list[str]:
    english = f" ({example['english']})" if example["english"] else ""
    rows = [f"{language_name(example['language'])}: {example['text']}{english}", f"  {story(example)}"]
    for when in ("before", "after"):
        rows.append(f"  {when}")
        for number, own in enumerate(example[when], start=1):
            rows.append(f"    {number} {'*' if own['right'] else ' '} {own['language']}  {short(own['text'], 96)}")
    return rows


def short(text: str, most: int) -> str:
    """A text in one line, its end left out where it is longer than `most` characters."""
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
