"""Settings, specs and their files: read as written, the same however they are given, and refused in a line."""

from __future__ import annotations

import json
import pkgutil
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from hypothesis import assume, example, given
from hypothesis import strategies as st

import isoglot
from isoglot.errors import InputError
from isoglot.settings import Member, Settings, build
from isoglot.study.read_spec import load_spec, parse_spec
from isoglot.study.spec import StudySpec
from isoglot.training.recipes import DEFAULT
from isoglot.training.settings import TrainSettings
from isoglot.yaml_input import read_words, read_yaml
from tests.fuzz.trying import AWKWARD, NUMBERS, SCALARS, TEXTS, VALUES, folder, outcome, tried
from tests.malformed.kinds.studies import SPEC

WRITABLE = TEXTS.filter(lambda text: "\0" not in text)
"""Texts that a command can be given."""


# --- YAML


def plain(value: Any) -> bool:
    """Whether YAML files of ours can hold a value: finite numbers of at most 25 digits, texts without NUL."""
    if isinstance(value, dict):
        return all(plain(key) and plain(inner) for key, inner in value.items())
    if isinstance(value, list):
        return all(map(plain, value))
    if isinstance(value, float):
        return abs(value) < float("inf")
    return not (isinstance(value, str) and "\0" in value)


@tried(40)
@given(st.dictionaries(TEXTS, VALUES, max_size=4), st.booleans(), st.sampled_from([None, True, False]))
def test_what_pyyaml_writes_is_read(values: dict[str, Any], unicode: bool, flow: bool | None) -> None:
    assume(plain(values))
    with folder() as home:
        path, text = home / "s.yaml", yaml.safe_dump(values, allow_unicode=unicode, default_flow_style=flow)
        assume(yaml.safe_load(text) == values)  # with Unicode it writes U+0085 as it is, which is a line break
        path.write_text(text, encoding="utf-8")
        assert read_yaml(path) == values


PIECES = st.sampled_from(
    (
        *AWKWARD,
        "a: ",
        "b:\n",
        "  ",
        "\n",
        "- ",
        "? ",
        ": ",
        "&x ",
        "*x",
        "<<: *x",
        "!!int ",
        "!t ",
        "|\n",
        ">-\n",
        "%YAML 1.2\n",
        "---\n",
    )
)
YAML = st.lists(PIECES | TEXTS, max_size=12).map("".join)


@tried(100)
@given(YAML)
def test_any_yaml_is_a_mapping_or_a_line(text: str) -> None:
    with folder() as home:
        path = home / "s.yaml"
        path.write_text(text, encoding="utf-8", newline="")
        found = outcome(lambda: read_yaml(path))
        if isinstance(found, InputError):
            assert str(found).startswith(str(path))
        else:
            json.dumps(found, allow_nan=False).encode()
            assert all(isinstance(key, str) for key in found)


@tried(100)
@given(st.lists(st.sampled_from(["steps=", "lora.rank=", "pairs=[", "=", "query_prompt=", "loss="]) | YAML, max_size=4))
def test_any_words_are_settings_or_a_line(words: list[str]) -> None:
    found = outcome(lambda: read_words(["".join(words), *words], TrainSettings.reads))
    assert isinstance(found, (dict, InputError))


# --- every model of settings


@cache
def models() -> dict[str, type[Settings]]:
    """All models of settings in isoglot, whatever was imported before: the same inputs are tried in every run."""

    def below(cls: type[Settings]) -> Iterator[type[Settings]]:
        for inner in cls.__subclasses__():
            yield inner
            yield from below(inner)

    for module in pkgutil.walk_packages(isoglot.__path__, "isoglot."):
        if not module.name.endswith("__main__"):
            with suppress(ModuleNotFoundError, InputError):  # of an extra
                import_module(module.name)
    found = {
        f"{cls.__module__}.{cls.__name__}": cls for cls in below(Settings) if cls.__module__.startswith("isoglot.")
    }
    whole = [
        name
        for name, cls in found.items()
        if cls.model_fields and (not issubclass(cls, Member) or hasattr(cls, "name"))
    ]
    return {name: found[name] for name in sorted(whole)}


WORDS = (
    "mono",
    "cross",
    "hybrid",
    "multiway",
    "lora",
    "full",
    "infonce",
    "raw",
    "quota",
    "lsar",
    "faq",
    "facts:",
    "AP",
)
NAMES = st.sampled_from(WORDS)
GIVEN = st.deferred(lambda: SCALARS | NAMES | st.lists(SCALARS | NAMES, max_size=3) | VALUES)


def good(cls: type[Settings], key: str) -> Any:
    """What a setting may be: its default, numbers and names that many settings take."""
    field = cls.options().get(key)
    default = None if field is None or field.is_required() else field.get_default(call_default_factory=True)
    return st.sampled_from([default, 1, 8, 0.5, True, "de", ["de", "en"], {"de": 1.0}, "auto", 0])


@st.composite
def asked(draw: Any) -> tuple[type[Settings], dict[str, Any]]:
    cls = models()[draw(st.sampled_from(list(models())))]
    required = [key for key, field in cls.model_fields.items() if field.is_required()]
    keys = draw(st.lists(st.sampled_from([*cls.options(), *cls.model_fields]), max_size=4)) + required
    values = {key: draw(good(cls, key) | GIVEN) for key in keys}
    return cls, values | draw(st.just({}) | st.dictionaries(TEXTS, GIVEN, max_size=1))


def written(settings: Settings) -> dict[str, Any]:
    values = json.loads(json.dumps(settings.to_flat(), allow_nan=True))
    if not isinstance(values, dict):  # negatives of the rows are written as their number, where it says everything
        values = {"number": values}
    return {key: value for key, value in values.items() if not (key == "name" and isinstance(settings, Member))}


@tried(400)
@given(asked())
def test_settings_are_refused_in_a_line_or_read_back_equal(given_: tuple[type[Settings], dict[str, Any]]) -> None:
    cls, values = given_
    made = outcome(lambda: build(cls, [("here", values)]))
    if isinstance(made, InputError):
        return
    assert cls(**written(made)) == made
    # the texts of a file are UTF-8
    json.dumps(written(made), ensure_ascii=False).encode()


# --- a run, however it is asked for

LISTS = st.lists(st.sampled_from(["de", "en", "zh-TW", "no", "xx", "a b"]) | WRITABLE, min_size=1, max_size=3)
RUN = st.fixed_dictionaries(
    {"pairs": st.lists(WRITABLE, min_size=1, max_size=2), "output": WRITABLE},
    optional={
        "strategy": st.sampled_from(["mono", "cross", "hybrid", "multiway", "hybird"]),
        "mono_share": st.floats(0, 1) | st.sampled_from([0, 1, -0.1, 2]),
        "batch_size": st.integers(-1, 300) | st.just(10**30),
        "steps": st.integers(-1, 300) | st.sampled_from([2**31 - 1, 2**31]),
        "epochs": st.floats(0, 3),
        "learning_rate": st.floats(0, 1),
        "seed": st.integers(-1, 2**32),
        "base": WRITABLE,
        "languages": LISTS,
        "query_prompt": WRITABLE,
        "passage_prompt": WRITABLE,
        "precision": st.sampled_from(["auto", "fp32", "bf16", "fp64"]),
        "unpadded": st.booleans(),
        "freeze_embeddings": st.booleans(),
        "grad_cache": st.sampled_from(["auto", 0, 512, -1]),
        "language_weights": st.dictionaries(
            st.sampled_from(["de", "en", "deu", "a=b", "x"]), st.floats(-1, 9), min_size=1, max_size=3
        ),
        "report_to": st.lists(st.sampled_from(["tensorboard", "none", "x"]), min_size=1, max_size=2),
        "lora": st.fixed_dictionaries(
            {}, optional={"rank": st.integers(0, 99), "alpha": st.floats(0, 99), "rslora": st.booleans()}
        ),
        "tuning": st.sampled_from(["lora", "full"]),
        "scale": st.floats(0, 100),
    },
)


def of_python(values: dict[str, Any]) -> TrainSettings:
    return TrainSettings(recipe=DEFAULT, **values)


def of_command(*words: str) -> TrainSettings:
    from isoglot.cli.main import parser
    from isoglot.cli.train import _settings

    try:
        return _settings(parser().parse_args(["train", *words]))
    except SystemExit:
        raise InputError("refused by the parser") from None


def of_file(values: dict[str, Any]) -> TrainSettings:
    Path("run.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return of_command("--config", "run.yaml")


def of_words(values: dict[str, Any]) -> TrainSettings:
    words = []
    for key, value in values.items():
        text = value if TrainSettings.reads(key) == "text" and isinstance(value, str) else None
        flow = yaml.safe_dump(value, default_flow_style=True, width=10**9).removesuffix("\n...\n").removesuffix("\n")
        words.append(f"{key}={flow if text is None else text}")
    return of_command("--", *words)


def of_options(values: dict[str, Any]) -> TrainSettings:
    words: list[str] = []
    for key, value in values.items():
        flag = f"--{key.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        elif key == "lora":
            for inner, number in value.items():
                words.append(
                    (f"{flag}-{inner}={number}") if inner != "rslora" else f"--{'' if number else 'no-'}lora-rslora"
                )
        elif isinstance(value, dict):
            words += [flag, *(f"{name}={weight}" for name, weight in value.items())]
        elif isinstance(value, list):
            words += [flag, *value]
        else:
            words.append(f"{flag}={value}")
    return of_command(*words)


WAYS: tuple[Callable[[dict[str, Any]], TrainSettings], ...] = (of_file, of_words, of_options)


@tried(40)
@given(RUN)
def test_file_words_options_and_python_agree(values: dict[str, Any]) -> None:
    # what looks like an option is one
    assume(not any(item.startswith("-") for value in values.values() if isinstance(value, list) for item in value))
    with folder():
        expected = outcome(lambda: of_python(values))
        for way in WAYS:
            if way is of_options and values.get("lora") == {}:
                continue  # an empty group has no options
            found = outcome(lambda way=way: way(values))  # type: ignore[misc]
            if isinstance(expected, InputError):
                assert isinstance(found, InputError), (way.__name__, expected, found)
            else:
                assert found == expected, (way.__name__, found)
        if not isinstance(expected, InputError):
            assert TrainSettings(**expected.to_flat()) == expected
            if values.get("lora"):  # an empty group says something where no dotted keys do
                dotted = {f"lora.{key}": value for key, value in values["lora"].items()}
                rest = {key: value for key, value in values.items() if key != "lora"}
                assert build(TrainSettings, [("", {"recipe": DEFAULT}), ("", rest), ("", dotted)]) == expected


# --- studies


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*above, key)
        yield from places(inner, (*above, key))


GOOD = yaml.safe_load(SPEC)
PLACES = list(places(GOOD))


@st.composite
def specs(draw: Any) -> dict[str, Any]:
    """The good one with one or two of its values replaced, added to or left out."""
    spec = json.loads(json.dumps(GOOD))
    for place in draw(st.lists(st.sampled_from(PLACES), max_size=2)):
        target = spec
        try:
            for key in place[:-1]:
                target = target[key]
            how = draw(st.sampled_from(["replace", "replace", "drop", "add", "swap"]))
            if how == "drop":
                del target[place[-1]]
            elif how == "add" and isinstance(target, dict):
                target[draw(TEXTS | st.sampled_from(sorted(StudySpec.options())))] = draw(GIVEN)
            elif how == "swap":
                target[place[-1]] = json.loads(json.dumps(draw(st.sampled_from([GOOD, *GOOD.values()]))))
            else:
                target[place[-1]] = draw(GIVEN)
        except (KeyError, IndexError, TypeError):  # the first change took the place of the second
            continue
    return spec


@tried(100)
@given(specs())
def test_a_spec_is_refused_in_a_line_or_read_back_equal(values: dict[str, Any]) -> None:
    spec = outcome(lambda: parse_spec(values, "spec"))
    if isinstance(spec, InputError):
        assert str(spec).startswith("spec: ")
        return
    flat = json.loads(json.dumps(spec.to_flat()))
    again = parse_spec(flat, "again")
    assert again == spec
    assert again.digest == spec.digest
    assert [system.name for system in again.all_systems()] == [system.name for system in spec.all_systems()]
    assert len({system.key for system in spec.all_systems()}) == len(spec.all_systems()), (
        "two systems share their results"
    )
    if plain(flat):
        with folder() as home:
            (home / "s.yaml").write_text(yaml.safe_dump(flat), encoding="utf-8")
            assert load_spec(home / "s.yaml") == spec


@tried(60)
@example([(["data", "9" * 4301, "amount"], "1")])
@given(
    st.lists(
        st.tuples(
            st.lists(
                st.sampled_from([*GOOD, "0", "1", "-1", "9" * 4301, "name", "lora", "steps", "rank", "", "x"]),
                min_size=1,
                max_size=4,
            ),
            NUMBERS.map(str) | NAMES | WRITABLE,
        ),
        min_size=1,
        max_size=2,
    )
)
def test_changes_of_a_spec_by_words(changes: list[tuple[list[str], str]]) -> None:
    words = [f"{'.'.join(keys)}={value}" for keys, value in changes]
    with folder() as home:
        (home / "s.yaml").write_bytes(SPEC)
        spec = outcome(lambda: load_spec(home / "s.yaml", words))
        if isinstance(spec, InputError):
            return
        shutil.copy(home / "s.yaml", home / "t.yaml")
        assert parse_spec(spec.to_flat(), "again") == spec
