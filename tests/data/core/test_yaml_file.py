"""YAML files: repeated keys, hostile nesting and aliases are refused at once; all else reads as before."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_data.cli import main as safe_data
from safe_data.core.errors import InputError
from safe_data.core.yaml_file import load_yaml, read_yaml
from safe_data.sampling.curriculum_file import read_stages
from safe_data.sources.hub_load import read_specification
from safe_eval.judging.criteria_file import read_criteria

ALIAS_BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}]\n" for i in range(1, 40)
)
HOSTILE = {
    "alias bomb": (ALIAS_BOMB, "stands for more than 100,000 values"),
    "wide aliases": (f"a: &a [{'x, ' * 1000}]\nb: [{'*a, ' * 1000}]", "stands for more than 100,000 values"),
    "itself": ("a: &a [*a]", "an alias stands for itself"),
    "flow levels": ("[" * 5000, "nested more than 50 levels deep"),
    "mapping levels": ("{a: " * 5000, "nested more than 50 levels deep"),
    "block levels": ("- " * 5000, "nested more than 50 levels deep"),
    "indented levels": ("\n".join(" " * i + "a:" for i in range(5000)), "nested more than 50 levels deep"),
    "a key twice": ("a: 1\nb: 2\na: 3", r"'a' is given twice.* line 3"),
    "a key twice below": ("a:\n  - b: 1\n    b: 1", r"'b' is given twice.* line 3"),
    "a key twice in braces": ("{a: {b: 1, b: 2}}", "'b' is given twice"),
    "one key in two spellings": ("1: a\n0x1: b", "1 is given twice"),
    "two merges": ("a: &a {b: 1}\nc: {<<: *a, <<: *a}", "'<<' is given twice"),
    "no date": ("a: 2001-13-45", "holds a value that cannot be read"),
    "no flag": ("a: !!bool x", "holds a value that cannot be read"),
    "an object": ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
}
texts = st.text(
    st.characters(codec="latin-1", categories=["L", "N", "P", "S"], include_characters=" "), max_size=8
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(("text", "words"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_yaml_is_refused_at_once(text: str, words: str, tmp_path: Path) -> None:
    (file := tmp_path / "f.yaml").write_text(text)
    started = time.process_time()
    with pytest.raises(InputError, match=rf"f\.yaml: is not YAML: .*{words}"):
        read_yaml(file)
    assert time.process_time() - started < 2


def test_aliases_and_merges_that_a_person_writes_are_read() -> None:
    text = "a: &a {b: 1, c: 2}\nd: {<<: *a, c: 3}\ne: [*a, *a]"
    both = {"b": 1, "c": 2}
    assert load_yaml(text) == {"a": both, "d": {"b": 1, "c": 3}, "e": [both, both]}
    assert load_yaml("") is None
    assert load_yaml("[" * 49 + "]" * 49) == yaml.safe_load("[" * 49 + "]" * 49)


@settings(deadline=None)
@given(values)
def test_what_was_written_is_read(content: Any) -> None:
    assert load_yaml(yaml.safe_dump(content, allow_unicode=True)) == content


@settings(deadline=None)
@given(st.text(alphabet="ab01:-[]{}&*!<,'\"|>?#% \n\t~.", max_size=40) | st.text(max_size=20))
def test_any_text_is_content_or_not_yaml(text: str) -> None:
    try:
        expected = yaml.safe_load(text)
    except Exception:
        expected = None
    with contextlib.suppress(yaml.YAMLError):
        assert load_yaml(text) == expected


def of_a_folder(file: Path) -> object:
    return read_specification(file.parent)


@pytest.mark.parametrize("read", [read_criteria, read_stages, of_a_folder])
@pytest.mark.parametrize("text", ["criteria: []\ncriteria: []", "[" * 5000, ALIAS_BOMB])
def test_every_reader_refuses_it(read: Callable[[Path], object], text: str, tmp_path: Path) -> None:
    (file := tmp_path / "hub.yaml").write_text(text)
    with pytest.raises(InputError, match="is not YAML"):
        read(file)


@pytest.mark.parametrize("text", ["seed: 1\nseed: 2", "[" * 5000, ALIAS_BOMB])
def test_options_files_refuse_it(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file := tmp_path / "o.yaml").write_text(text)
    assert safe_data(["synth", "--config", str(file), "--out", str(tmp_path / "made")]) == 3
    said = capsys.readouterr().err
    assert "o.yaml: is not YAML: " in said
    assert any(
        words in said for words in ("'seed' is given twice", "levels deep", "more than 100,000 values")
    )
