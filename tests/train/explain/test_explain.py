"""The command as it is typed: what it writes, how it decides, goes on and refuses."""

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_checkpoints import SHAPE

from safe_data.core.errors import InputError
from safe_eval.judging.verdict import EXIT_CODES
from safe_train.base.backbone import Backbone
from safe_train.cli import main
from safe_train.explain.explain import explain_checkpoint
from safe_train.explain.explained import read_explained
from safe_train.explain.shuffling import cascade, shuffled
from safe_train.pathway.model import SafeModel, new_pathway
from safe_train.settings.explain import ExplainConfig


def test_it_explains_whole_groups_and_writes_what_it_found(explained: Any) -> None:
    found, out = explained.found, explained.out
    assert 15 < found.questions <= 30
    assert found.left_out == {}
    assert (found.gate, found.tokens, found.split) == (None, 4, "test")
    with (out / "items.csv").open(encoding="utf-8") as file:
        items = list(csv.DictReader(file))
    assert len(items) == found.questions
    assert len({item["group"] for item in items}) == found.groups > 1
    for item in items:
        parts = sum(float(item[f"shapley_{name}"]) for name in ("words", "picture", "sound"))
        assert parts == pytest.approx(float(item["difference"]), abs=1e-4)
    page = (out / "explain.md").read_text("utf-8")
    for said in ("Not shown:", "Attention is no explanation", "insertion beats random", "of 4 segments"):
        assert said in page
    assert "curves.svg" in page
    assert (out / "curves.svg").read_text("utf-8").startswith("<svg")


def test_every_question_has_one_mode(explained: Any) -> None:
    counts: Counter[str] = Counter()
    for row in explained.found.modes:
        counts[row.slice] += row.count
        assert 0 <= row.share.low <= row.share.value <= row.share.high <= 1
    sizes = {row.slice: row.nats.n for row in explained.found.attribution}
    assert counts == sizes
    assert counts["audio"] + counts["vl"] == counts["all"] == explained.found.questions


def test_the_exit_code_is_that_of_the_checks(explained: Any) -> None:
    assert explained.code == EXIT_CODES[explained.found.decision]
    names = [one.name for one in explained.found.checks]
    assert len(names) == 6
    assert {"deletion beats random order", "insertion beats random order"} < {*names}
    assert any(line.startswith("sanity checks: ") for line in explained.lines)
    assert all(len(line) <= 80 or str(explained.out) in line for line in explained.lines)
    correlations = [row.correlation.value for row in explained.found.shuffled]
    assert all(-1 <= one < 0.99 for one in correlations)


def test_influence_is_that_of_predictions(explained: Any) -> None:
    rows = {(row.slice, row.answers): row for row in explained.found.influence}
    both = [rows["all", name].mean.n for name in ("changed", "kept") if ("all", name) in rows]
    assert sum(both) == rows["all", "all"].mean.n == explained.found.questions
    assert rows["all", "all"].mean.value > 0


def test_it_goes_on_where_it_stopped(
    explained: Any,
    adapter: Path,
    shards: Path,
    untaught: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a run that was killed, whole lines are kept; what was cut off is explained again."""
    out = tmp_path / "explain"
    out.mkdir()
    content = (explained.out / "explained.jsonl").read_bytes()
    lines = content.split(b"\n")
    (out / "explained.jsonl").write_bytes(b"\n".join(lines[:-3]) + b"\n" + lines[-3][:40])
    config = ExplainConfig(questions=30, checked=1, steps=2, stages=1, random_orders=1, quiet=True)
    monkeypatch.setattr("safe_train.explain.explain.can_draw", lambda: False)
    explain_checkpoint(adapter, shards, backbone=untaught, out=out, config=config)
    again = read_explained(out / "explained.jsonl")
    before = read_explained(explained.out / "explained.jsonl")
    assert [one.example_id for one in again] == [one.example_id for one in before]
    assert again[:-2] == before[:-2]
    assert again[-1].shapley == pytest.approx(before[-1].shapley, abs=1e-6)
    written = json.loads((out / "explain.json").read_text("utf-8"))
    assert [one["decision"] for one in written["checks"]][2:] == ["not measured"] * 2  # no group is so small
    with pytest.raises(InputError, match=r"explain\.json: is there already"):
        explain_checkpoint(adapter, shards, backbone=untaught, out=out, config=config)
    with pytest.raises(
        InputError, match=r"was begun with another options; name another --out, or add --force"
    ):
        read_explained(out / "explained.jsonl", {**json.loads(lines[0]), "options": {"steps": 5}})


def _shuffled_and_stopped(before: torch.Tensor, weight: torch.Tensor) -> None:
    assert not torch.equal(before, weight)
    assert torch.equal(before.flatten().sort()[0], weight.detach().flatten().sort()[0])
    raise KeyboardInterrupt


def test_shuffled_weights_are_put_back_to_the_last_bit(backbone: Backbone) -> None:
    model = SafeModel(backbone.model, new_pathway(SHAPE, backbone.model, [(512,)], seed=0))
    stages = cascade(model, 2)
    assert [stage.name for stage in stages] == ["output", "layers 4 to 3", "layers 2 to 1", "projector"]
    modules = [module for stage in stages for module in stage.modules]
    weights = [weight for module in modules for weight in module.parameters()]
    before = [weight.clone() for weight in weights]
    with pytest.raises(KeyboardInterrupt), shuffled(modules, 3):  # as when a run is stopped
        _shuffled_and_stopped(before[0], weights[0])
    assert all(torch.equal(one, other) for one, other in zip(before, weights, strict=True))


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("--steps=1", "steps=1: must be at least 2"),
        ("--most-similar=1", "most_similar=1.0: must be above 0 and below 1"),
        ("--questions=0", "questions=0: must be at least 1"),
        ("--questions=1", "none of the 0 questions drawn from split 'test' has a sound; raise --questions"),
    ],
)
def test_what_cannot_be_explained_is_refused(
    word: str,
    said: str,
    adapter: Path,
    shards: Path,
    untaught: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [str(adapter), str(shards), "--backbone", str(untaught), "--out", str(tmp_path / "out"), word]
    assert main(["explain", *words]) == 3
    assert said in capsys.readouterr().err
