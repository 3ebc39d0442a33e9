"""docs/benchmarks.md: each benchmark has its three commands, and they fit together and name what exists."""

import re
from pathlib import Path

import pytest
from desk import doc_commands

from safe_data.sources.all_sources import SOURCES
from safe_eval.scorers.benchmarks import BENCHMARKS
from safe_eval.scorers.rule_sources import SOURCES as RULES

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md").read_text("utf-8")
COMMANDS = doc_commands("benchmarks.md")
TITLES = {
    "AudioCaps": "audiocaps",
    "Clotho": "clotho",
    "MUSIC-AVQA": "music_avqa",
    "AVQA": "avqa",
    "VQAv2": "vqav2",
    "GQA": "gqa",
    "COCO captions": "coco_captions",
    "POPE": "pope",
    "AVHBench": "avhbench",
    "CMM": "cmm",
    "MMAU": "mmau",
}
ROW = re.compile(r"\| \[(.+?)\]\(#.+?\) \| `(\w+)` \| ([\w-]+) \| (.*?) \| `(\w+)`.* \|")


def option(words: list[str], name: str, default: str = "") -> str:
    return words[words.index(name) + 1] if name in words else default


def commands_of(source: str) -> tuple[list[str], list[str], list[str]]:
    """How a benchmark is built, asked and scored."""
    place = next(number for number, words in enumerate(COMMANDS) if option(words, "--source") == source)
    build, run, score = COMMANDS[place : place + 3]
    return build, run, score


def test_each_benchmark_has_a_section_and_a_row() -> None:
    assert re.findall(r"^## (.+)$", PAGE, re.MULTILINE) == list(TITLES)
    assert {title: source for title, source, *_ in ROW.findall(PAGE)} == TITLES
    assert len(COMMANDS) == 3 * len(TITLES)


@pytest.mark.parametrize("source", TITLES.values())
def test_its_commands_hand_on_what_the_one_before_wrote(source: str) -> None:
    build, run, score = commands_of(source)
    assert (build[:2], run[:2], score[:2]) == (
        ["safe-data", "build"],
        ["safe-eval", "run"],
        ["safe-eval", "score"],
    )
    assert source in SOURCES
    assert option(run, "--data") == build[3]
    assert score[2] == f"{option(run, '--out')}/predictions.jsonl"
    assert option(score, "--out") == option(run, "--out")


@pytest.mark.parametrize("row", ROW.findall(PAGE), ids=lambda row: row[1])
def test_its_row_says_what_the_commands_do(row: tuple[str, ...]) -> None:
    _, source, split, _, metric = row
    _, run, score = commands_of(source)
    assert option(run, "--split", "test") == split
    if source in BENCHMARKS:
        assert metric == BENCHMARKS[source].protocol
        assert option(score, "--protocol", metric) in BENCHMARKS[source].rules
    else:
        assert metric == "cider_d"


def test_the_rules_and_files_that_it_names_exist() -> None:
    protocols = re.findall(r"--protocol (\w+)", PAGE)
    assert len(protocols) >= 5
    assert set(protocols) <= set(RULES)
    for link in re.findall(r"(?<!LLaVA, )docs/(\w+\.md)", PAGE):
        assert (Path(__file__).resolve().parents[1] / "docs" / link).is_file(), link


def test_every_figure_has_a_source_and_none_is_called_ours() -> None:
    tables = re.findall(r"^\| model.*\n\| ---.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert len(tables) == len(TITLES)
    for line in "".join(tables).splitlines():
        *_, source = [cell.strip() for cell in line.strip("|").split("|")]
        assert re.search(r"[A-Za-z]{4}", source), line
    assert "none was reproduced here" in PAGE
