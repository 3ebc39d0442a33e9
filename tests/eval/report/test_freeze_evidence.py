"""What proves the freeze: shown where the run folder has it, and said to be absent where not."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from html_page import Page

from safe_data.core.errors import InputError
from safe_eval.report.freeze_evidence import FILES, read_freeze_evidence
from safe_eval.report.report import write_report

SHA, OTHER = "ab" * 32, "cd" * 32
LOGITS = {"questions": 2684, "batches": 42, "identical_batches": 42, "largest_difference": 0.0}
FREEZE = {
    "base_weights_sha256_before": SHA,
    "base_weights_sha256_after": SHA,
    "base_parameters": 294848,
    "trainable_base_parameters": 0,
    "trained_parameters": 108928,
    "gate_off": LOGITS,
}
PARITY = {
    "weights_sha256_before": SHA,
    "weights_sha256_after": SHA,
    "parameters": 294848,
    "pathways": [{"name": "x", "gate_off": LOGITS | {"same_answers": 2684}, "gate_on_difference": 1.0}],
}
AUDIT = {"parameters": 403776, "trainable": 108928, "freeze_faults": [], "checks": []}
CONTENTS = {"freeze.json": FREEZE, "parity.json": PARITY, "audit.json": AUDIT}


def folder_with(run: Path, copy: Path, files: dict[str, Any]) -> Path:
    shutil.copytree(run, copy)
    for name, content in files.items():
        (copy / name).write_text(json.dumps(content), "utf-8")
    return copy


def test_all_proof_of_a_run_is_on_the_page_with_the_hashes_of_its_files(run, tmp_path):
    said = Page(write_report(folder_with(run, tmp_path / "run", CONTENTS)).read_text()).said
    for shown in (
        f"Weights of the base sha256 {SHA} before and after yes freeze.json",
        "Parameters of the base 294 848 frozen, 0 trainable yes freeze.json",
        "Parameters trained beside it 108 928, 27.0 % of all – freeze.json",
        "Logits with the gate off bit-identical in 42 of 42 batches (2 684 questions) yes freeze.json",
        "Logits with the gate off, x bit-identical in 42 of 42 batches (2 684 questions) yes parity.json",
        "Generated answers with the gate off, x the same tokens in 2 684 of 2 684 yes parity.json",
        "Planned parameters 294 848 frozen, 108 928 trainable beside the base – audit.json",
        "Freeze as planned no parameter of the base is trained yes audit.json",
        *(f"sha256 of {name}" for name in FILES),
    ):
        assert shown in said, shown
    assert "Not part of this run" not in said
    assert "The freeze does not hold" not in said


def test_what_a_run_does_not_have_is_said_briefly(run, tmp_path):
    without = Page(write_report(run, out=tmp_path / "a.html").read_text()).said
    assert "Not part of this run: its folder has none of freeze.json, parity.json, audit.json." in without
    one = folder_with(run, tmp_path / "run", {"freeze.json": FREEZE})
    assert "Not part of this run: parity.json, audit.json." in Page(write_report(one).read_text()).said


@pytest.mark.parametrize(
    ("name", "changed", "fault"),
    [
        ("freeze.json", {"base_weights_sha256_after": OTHER}, "Weights of the base"),
        (
            "freeze.json",
            {"base_weights_sha256_before": "", "base_weights_sha256_after": ""},
            "Weights of the base",
        ),
        ("freeze.json", {"trainable_base_parameters": 3}, "Parameters of the base"),
        ("freeze.json", {"gate_off": LOGITS | {"identical_batches": 41}}, "Logits with the gate off"),
        (
            "freeze.json",
            {"gate_off": LOGITS | {"batches": 0, "identical_batches": 0}},
            "Logits with the gate off",
        ),
        (
            "parity.json",
            {"pathways": [{"name": "x", "gate_off": LOGITS | {"same_answers": 2683}}]},
            "Generated answers with the gate off, x",
        ),
        ("audit.json", {"freeze_faults": ["a base parameter is trained"]}, "Freeze as planned"),
    ],
)
def test_a_broken_freeze_stands_at_the_top_of_page_and_summary(run, tmp_path, name, changed, fault):
    broken = folder_with(run, tmp_path / "run", {name: CONTENTS[name] | changed})
    written = write_report(broken)
    page = Page(written.read_text())
    assert f"The freeze does not hold: {fault}. See what was found." in page.said
    assert page.said.index("The freeze does not hold") < page.said.index("Criterion Value")
    assert f"**The freeze does not hold**: {fault}." in written.with_suffix(".md").read_text()
    assert read_freeze_evidence(broken).faults == [fault]


@pytest.mark.parametrize("content", ["{}", "[", '{"parameters": "many"}'])
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_something_else_is_refused(run, tmp_path, name, content):
    folder = folder_with(run, tmp_path / "run", {})
    (folder / name).write_text(content, "utf-8")
    with pytest.raises(InputError) as caught:
        write_report(folder)
    assert str(caught.value).startswith(f"{folder / name}: is not what safe-train writes under this name: ")
    assert str(caught.value).endswith("; write it again, or remove it")
