"""The command as it is typed: every precision answers the same questions, and what cannot run says why."""

import contextlib
import csv
import io
import platform
import shutil
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pytest
import torch
from tiny_models import SHORT

from safe_data.core.files import write_json
from safe_eval.options import Sampling
from safe_train.checkpoint import CONFIG, attach_checkpoint, read_checkpoint, read_config
from safe_train.cli import main
from safe_train.gates.all_gates import Recipe, make_gate
from safe_train.parity.comparison import Comparison
from safe_train.parity.parity import PathwayParity
from safe_train.precision import measured
from safe_train.precision.asked import Said, answered, read_questionnaire
from safe_train.precision.precision_text import conclusion
from safe_train.precision.result import Precisions
from safe_train.settings.precision import PrecisionConfig

QUICK = ("--questions=12", "--alone=8", "--repeats=8", "--batch-size=6", "--quiet")


class Typed(NamedTuple):
    """What the command left: its exit code, its lines, its folder, and the measurement in it."""

    code: int
    lines: list[str]
    out: Path
    found: Precisions


@pytest.fixture(scope="module")
def typed(shards: Path, untaught: Path, adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Typed:
    folder, said = tmp_path_factory.mktemp("precisions"), io.StringIO()
    short, out = folder / "adapter", folder / "out"
    shutil.copytree(adapter, short)  # of short answers: an untaught base seldom ends one by itself
    write_json(short / CONFIG, msgspec.structs.replace(read_config(short / CONFIG), asking=SHORT))
    words = [str(short), str(shards), "--backbone", str(untaught), "--out", str(out)]
    with contextlib.redirect_stdout(said):
        code = main(["precision", *words, "--precision", "float32", "bfloat16", "int8", "8bit", *QUICK])
    found = msgspec.json.decode((out / "precision.json").read_bytes(), type=Precisions)
    return Typed(code, said.getvalue().splitlines(), out, found)


def test_every_precision_is_compared_with_the_first(typed: Typed) -> None:
    first, half, eighth, absent = typed.found.rows
    assert [row.name for row in typed.found.rows] == ["float32", "bfloat16", "int8", "8bit"]
    assert (first.answered.kl_mean, first.answered.same_answers) == (0.0, 1.0)
    assert (first.answered.audio.difference, first.times.latency_ratio) == (None, None)
    for row in (half, eighth):
        assert 0 < row.answered.kl_mean < 0.05
        assert row.answered.kl_mean <= row.answered.kl_p95 * 12
        assert row.answered.audio.questions + row.answered.vl.questions == 12
        assert row.answered.vl.difference_low <= row.answered.vl.difference <= row.answered.vl.difference_high
        assert row.times.latency_ratio.pairs == row.times.batch_ratio.pairs == 8
    assert absent.not_run.startswith("quantization=8bit: needs ")


def test_a_closed_gate_leaves_the_base_at_its_precision(typed: Typed) -> None:
    ran = typed.found.rows[:3]
    assert typed.code == 0
    assert [row.gate_off_holds for row in ran] == [True] * 3
    assert len({row.gate_off.gate_off.checksum for row in ran}) == 3  # each is equal to another base
    assert all(row.gate_off.gate_on_difference > 0 for row in ran)


def test_weights_shrink(typed: Typed) -> None:
    whole, half, eighth = (row.memory for row in typed.found.rows[:3])
    assert 0.5 <= half.base / whole.base < 0.51
    assert eighth.base < half.base
    assert eighth.pathway < half.pathway < whole.pathway
    assert min(whole.peak, half.peak, eighth.peak) > 0


def test_the_tables_are_of_80_columns_and_say_nothing_of_the_host(typed: Typed) -> None:
    assert [line for line in typed.lines[:-1] if len(line) > 80] == []
    assert {path.name for path in typed.out.iterdir()} == {
        "precision.json", "precision.md", "precision.csv", "options.yaml",
    }  # fmt: skip
    for name in ("precision.json", "precision.md", "precision.csv"):
        text = (typed.out / name).read_text("utf-8")
        assert platform.node() not in text
        assert str(typed.out.parents[1]) not in text
    rows = list(csv.DictReader(io.StringIO((typed.out / "precision.csv").read_text("utf-8"))))
    assert [row["precision"] for row in rows] == ["float32", "bfloat16", "int8", "8bit"]
    assert float(rows[2]["base_bytes"]) == typed.found.rows[2].memory.base
    assert rows[3]["not_run"].startswith("quantization=8bit: needs")
    assert any("8bit: not run: quantization=8bit" in line for line in typed.lines)


def test_another_measurement_is_kept(
    typed: Typed, shards: Path, untaught: Path, adapter: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(adapter), str(shards), "--backbone", str(untaught), "--out", str(typed.out)]
    assert main(["precision", *words]) == 3
    assert "precision.json: is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--precision", "fp8"],
            "precision=fp8: is no precision; choose from float32, bfloat16, float16, int8",
        ),
        (["--precision", "int8", "int8"], "precision=int8: is named twice; name each once"),
        (["--repeats=7"], "repeats=7: must be at least 8"),
        (["--gate=never"], "gate='never': is no choice; choose from saved, always"),
    ],
)
def test_bad_settings_are_one_line(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["precision", "c", "s", "--backbone", "b", "--out", str(tmp_path / "o"), *words]) == 3
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


@pytest.fixture(scope="module")
def questionnaire(adapter: Path, shards: Path):  # type: ignore[no-untyped-def]
    return read_questionnaire(read_checkpoint(adapter), shards, PrecisionConfig(questions=12))


def said(count: int, right: list[int], texts: list[str], logits: float = 0.0) -> Said:
    first = torch.zeros(count, 5)
    first[:, 0] = logits
    return Said(tuple(texts[n] if n in right else "?" for n in range(count)), first, np.ones(count, bool))


def test_scores_changes_and_kl_are_those_of_the_answers(questionnaire) -> None:  # type: ignore[no-untyped-def]
    texts = [one.example.references[0] for one in questionnaire.asked]
    every = list(range(12))
    first, other = said(12, every, texts), said(12, every[3:], texts, logits=1.0)
    found = answered(questionnaire, first, other, Sampling())
    lost = (found.audio.lost or 0) + (found.vl.lost or 0)
    assert (lost, found.audio.gained, found.same_answers) == (3, 0, 0.75)
    apart = torch.zeros(5).log_softmax(-1), other.first[0].log_softmax(-1)
    assert found.kl_mean == pytest.approx(float((apart[0].exp() * (apart[0] - apart[1])).sum()), rel=1e-4)
    assert answered(questionnaire, first, first, Sampling()).vl.mcnemar is None


def test_logits_that_are_not_finite_are_counted_and_have_no_kl(questionnaire) -> None:  # type: ignore[no-untyped-def]
    first, other = said(12, [], ["?"] * 12), said(12, [], ["?"] * 12)
    other.first[2, 1] = torch.nan
    other.first[3, 1] = torch.inf
    first.first[:, 4] = other.first[:, 4] = -torch.inf  # what may not be said
    found = answered(questionnaire, first, other, Sampling())
    assert (found.not_finite, found.kl_mean, found.kl_p95) == (2, None, None)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (
            RuntimeError("\"addmm_impl_cpu_\" not implemented for 'Half'"),
            '"addmm_impl_cpu_" not implemented for',
        ),
        (MemoryError(), "it does not fit the memory"),
        (measured.NotHereError("needs a card"), "needs a card"),
        (RuntimeError("shapes differ"), None),
        (ValueError("not implemented for"), None),
    ],
)
def test_only_what_a_machine_lacks_is_not_run(error: Exception, why: str | None) -> None:
    found = measured.why_not(error)
    assert found is None if why is None else (found or "").startswith(why)


def test_a_gate_that_needs_a_state_decides_for_each_question(
    questionnaire,
    adapter: Path,
    backbone,  # type: ignore[no-untyped-def]
) -> None:
    model = attach_checkpoint(read_checkpoint(adapter), backbone)
    for threshold, share in ((0.0, 1.0), (1.0005, 0.0)):
        gate = make_gate(Recipe("entropy", (), threshold, 4, (0, 4)), {})
        assert questionnaire.say(model, backbone, gate).listens.mean() == share


def with_gate(found: Precisions, differs: bool, opened: float) -> Precisions:
    first = found.rows[0]
    off: Comparison = first.gate_off.gate_off
    changed = msgspec.structs.replace(off, identical_batches=off.batches - differs)
    row = msgspec.structs.replace(first, gate_off=PathwayParity("float32", changed, opened))
    return msgspec.structs.replace(found, rows=(row,))


def test_the_exit_code_follows_from_the_closed_gate(typed: Typed) -> None:
    broken, silent = with_gate(typed.found, True, 1.0), with_gate(typed.found, False, 0.0)
    assert (broken.exit_code, silent.exit_code) == (1, 2)
    assert conclusion(broken) == "A closed gate changes what the base says at float32."
    assert conclusion(silent) == "It is not known whether a closed gate changes the base at float32."
    absent = msgspec.structs.replace(typed.found, rows=typed.found.rows[::-1])
    assert absent.exit_code == 2
