"""What published models are known to have been trained on that benchmarks here are made from, as their authors say."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from isoglot.data.readers import yaml_data


def exposures(models: Sequence[str], benchmarks: Collection[str]) -> Iterator[str]:
    """A sentence with its source for each: by MTEB's rule, figures of such a model on such a benchmark are not zero-shot.

    Args:
        models: names of published models, such as `intfloat/multilingual-e5-small` or `offline:multilingual-e5-small`.
        benchmarks: names that the benchmark goes by.
    """
    names = dict.fromkeys(model.rpartition("/")[2].rpartition(":")[2].lower() for model in models)
    for entry in yaml_data(Path(__file__).with_suffix(".yaml"))["models"]:
        for name in names:
            for what in (
                what for key, what in entry["benchmarks"].items() if key in benchmarks and name in entry["names"]
            ):
                yield f"not zero-shot: {name} was trained on {what} ({entry['source']})"


def known_of(models: Sequence[str]) -> list[str]:
    """What is known of models and any benchmark that has a name here, as sentences for a card."""
    from isoglot.data.benchmarks.catalog import BENCHMARKS

    said = exposures(models, [member.name for member in BENCHMARKS])
    return list(dict.fromkeys(f"{line[0].upper()}{line[1:]}." for line in said))
