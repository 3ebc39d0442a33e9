"""A real run from end to end, small: tiny packages in the real formats, and every step the real one."""

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from tiny_packages import tiny_packages

from safe_data.core.errors import InputError
from safe_data.shards.dataset import ShardDataset
from safe_data.shards.layout import read_dataset
from safe_eval.predictions import read_predictions, select
from safe_train.demo_text import TWIN
from safe_train.real.made import MADE
from safe_train.real.packages import PACKAGES, Packages
from safe_train.real.real import CONDITIONS, RealConfig, run_real, seeds_of
from safe_train.real.real_text import licence_lines

# A learned gate needs more answers that hearing corrects than two steps teach.
SMALL = RealConfig(steps=2, batch_size=4, gate="entropy")
ROWS = {
    "kind of sound, other corpus": ("gcompris", "kind"),
    "kind of sound": ("stamps", "kind"),
    "which voice": ("stamps", "voice"),
    "which digit": ("stamps", "digit"),
    "does the sound fit": ("stamps", "fit"),
    "what is in the picture": ("stamps", "thing"),
}
EXIT_CODES = {"go": 0, "no-go": 1, "not measured": 2}


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, the packages and their files, its exit code and what it printed."""

    out: Path
    packages: Packages
    files: Path
    code: int
    printed: str


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    pytest.importorskip("gguf")
    folder = tmp_path_factory.mktemp("real")
    packages = tiny_packages(folder / "files")
    code, printed = _run(folder / "out", folder / "files", packages)
    return Run(folder / "out", packages, folder / "files", code, printed)


def _run(out: Path, files: Path, packages: Packages) -> tuple[int, str]:
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        code = run_real(out, files=files, config=SMALL, packages=packages)
    return code, told.getvalue()


@pytest.mark.slow
def test_everything_is_there_and_the_exit_code_is_the_verdict(run: Run) -> None:
    verdict = json.loads((run.out / "verdict.json").read_text())
    assert EXIT_CODES[verdict["decision"]] == run.code
    names = {path.name for path in run.out.iterdir()}
    assert names >= {"base", "yamnet", "shards", "seed-0", "baselines", "scores.json", "report.html"}
    assert '<section id="hearing"' in (run.out / "report.html").read_text()


@pytest.mark.slow
def test_the_base_is_what_it_was(run: Run) -> None:
    freeze = json.loads((run.out / "seed-0" / "freeze.json").read_text())
    assert freeze["base_weights_sha256_before"] == freeze["base_weights_sha256_after"]
    assert freeze["trainable_base_parameters"] == 0
    gate_off = freeze["gate_off"]
    assert gate_off["identical_batches"] == gate_off["batches"] > 0
    assert gate_off["largest_difference"] == 0


@pytest.mark.slow
def test_no_group_of_the_stamps_is_in_two_splits_and_each_split_asks_everything(run: Run) -> None:
    stamps = run.out / "shards" / "stamps"
    groups, asked = {}, {}
    for split in read_dataset(stamps).splits:
        dataset = ShardDataset(stamps, split)
        records = [dataset.record(index) for index in range(len(dataset))]
        groups[split] = {record.group for record in records}
        asked[split] = {example.question_type for record in records for example in record.examples}
    assert set(groups) == {"train", "val", "gate", "test"}
    assert sum(map(len, groups.values())) == len(set().union(*groups.values()))
    assert asked["train"] == asked["test"] == {"thing", "voice", "kind", "digit", "fit"}


@pytest.mark.parametrize("name", ["stamps", "gcompris"])
@pytest.mark.slow
def test_every_test_question_is_answered_under_all_conditions(run: Run, name: str) -> None:
    rows = read_predictions(run.out / "seed-0" / f"{name}.jsonl")
    test = ShardDataset(run.out / "shards" / name, "test")
    wanted = {example.id for index in range(len(test)) for example in test.record(index).examples}
    for condition in CONDITIONS:
        assert {one.example_id for one in select(rows, model="safe", condition=condition)} == wanted
    assert not [one for one in rows if one.error]
    base = {one.example_id: one.answer for one in select(rows, model="base", condition="full")}
    off = {one.example_id: one.answer for one in select(rows, model="safe", condition="gate_off")}
    assert off == base
    twin = read_predictions(run.out / "seed-0" / f"{name}-always-on.jsonl")
    assert {(one.model, one.condition) for one in twin} == {(TWIN, "full")}
    assert {one.example_id for one in twin} == wanted


@pytest.mark.slow
def test_the_features_of_sounds_are_standardised_over_the_training_sounds(run: Run) -> None:
    made = json.loads((run.out / "yamnet" / MADE).read_text())
    assert made["facts"]["sounds"] > 50
    assert set(made["files_sha256"]) > {"variables/variables.index"}


@pytest.mark.slow
def test_it_prints_each_step_the_licences_and_a_table_with_all_rows(run: Run) -> None:
    lines = run.printed.splitlines()
    assert [f"{step}/8" for step in range(1, 9)] == [line[:3] for line in lines if line[1:3] == "/8"]
    header = next(index for index, line in enumerate(lines) if line.startswith("accuracy (%) [95% interval]"))
    table = lines[header + 1 : header + 1 + len(ROWS)]
    assert [line.split("  ")[0] for line in table] == list(ROWS)
    for package in PACKAGES:
        assert any(package.file in line and package.licence in line for line in lines)
    assert f"report: {run.out / 'report.html'}" in run.printed


@pytest.mark.slow
def test_a_second_run_makes_nothing_again_and_ends_the_same(run: Run) -> None:
    kept = [
        path
        for folder in ("media", "yamnet", "splits", "shards", "base", "seed-0/adapter")
        for path in sorted((run.out / folder).rglob("*"))
        if path.suffix in (".npy", ".tar", ".safetensors", ".csv", ".ogg", ".flac") or path.name == MADE
    ]
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in kept}
    assert len({path.relative_to(run.out).parts[0] for path in kept}) == 6
    code, printed = _run(run.out, run.files, run.packages)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in kept} == before
    assert code == run.code
    assert _table(printed) == _table(run.printed)


def _table(printed: str) -> list[str]:
    return [line for line in printed.splitlines() if line.startswith(tuple(ROWS))]


def test_another_file_of_a_package_ends_the_run_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / PACKAGES.language.file).write_bytes(b"another")
    with pytest.raises(InputError, match=f"not {PACKAGES.language.sha256}"):
        run_real(tmp_path / "out", files=tmp_path / "files")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["options.yaml"]


def test_seeds_are_whole_numbers_and_none_is_given_twice() -> None:
    assert seeds_of("3") == (3,)
    assert RealConfig(seeds_of("2, 0,1")).seeds == (2, 0, 1)
    for text in ("", "1;2", "1,,2", "1.5", "one"):
        with pytest.raises(InputError, match="give whole numbers with commas"):
            seeds_of(text)
    for seeds in ((), (1, 1)):
        with pytest.raises(InputError, match="give at least one, and none twice"):
            RealConfig(seeds)
    with pytest.raises(InputError, match="seed"):
        RealConfig((-1,))


def test_licences_stand_in_columns() -> None:
    lines = licence_lines(PACKAGES)
    assert len(lines) == len(PACKAGES)
    starts = {line.index(package.licence) for line, package in zip(lines, PACKAGES, strict=True)}
    assert len(starts) == 1
    assert len({line.index(package.role) for line, package in zip(lines, PACKAGES, strict=True)}) == 1
