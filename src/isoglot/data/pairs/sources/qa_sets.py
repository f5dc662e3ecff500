"""English question-answer sets with one column for the question and one for the passage, see `qa_sets.yaml`."""

from pathlib import Path

from isoglot.data.pairs.qa_set import QaSet
from isoglot.data.pairs.source import SOURCES
from isoglot.data.readers import yaml_data

for name, fields in yaml_data(Path(__file__).with_name("qa_sets.yaml")).items():
    SOURCES.register(QaSet(name, **fields))
