"""Stage A on two datasets: it learns, the base does not change, and the settings alone say what comes out."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import yaml
from accelerate import Accelerator
from tiny_corpora import build_corpus, only_heard
from tiny_runs import SMALL, files_of, interrupt, killing, lines_of, small_run

from safe_data.core.errors import InputError
from safe_train.base.backbone import Backbone, load_backbone
from safe_train.base.freeze import audit_freeze
from safe_train.checkpoint import attach_checkpoint, read_checkpoint
from safe_train.settings.train import TrainConfig
from safe_train.stages import stage_a as stage_a_module
from safe_train.stages.logs import read_losses
from safe_train.stages.loop import Loop
from safe_train.stages.stage_a import StageAResult, stage_a

LONG = {"steps": 25, "eval_steps": 10, "checkpoint_steps": 10, "warm_up_steps": 5, "projector_lr": 0.006}


class Run(NamedTuple):
    """A run, and the backbone that it trained for."""

    config: TrainConfig
    result: StageAResult
    backbone: Backbone


@pytest.fixture(scope="module")
def trained(audio_only: Path, vl_only: Path, untaught: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of 25 steps."""
    out = tmp_path_factory.mktemp("trained") / "out"
    config = small_run(out, (audio_only, vl_only), untaught, **LONG)
    backbone = load_backbone(untaught)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage_a_module, "load_backbone", lambda source, loading: backbone)
        return Run(config, stage_a(config), backbone)


def our_hooks(backbone: Backbone) -> int:
    """How many hooks of ours a base has; transformers has hooks too."""
    modules = backbone.model.modules()
    hooks = [hook for m in modules for hook in (*m._forward_hooks.values(), *m._forward_pre_hooks.values())]
    return sum(hook.__module__.startswith("safe_train.") for hook in hooks)


def test_it_learns_to_hear(trained: Run) -> None:
    losses = trained.result.losses
    assert [loss.step for loss in losses] == list(range(25))
    assert losses[0].distillation == pytest.approx(0, abs=1e-6)  # a pathway that says nothing is the base
    first, last = (sum(loss.cross_entropy or 0 for loss in part) for part in (losses[:5], losses[-5:]))
    assert last < 0.8 * first


def test_the_base_is_unchanged_and_its_hooks_are_gone(trained: Run, untaught: Path) -> None:
    audit = audit_freeze(trained.backbone.model)
    assert audit == audit_freeze(load_backbone(untaught).model)
    assert audit.weights_sha256 == trained.result.checkpoint.base.weights_sha256
    assert our_hooks(trained.backbone) == 0
    attached = attach_checkpoint(read_checkpoint(trained.config.run.out), trained.backbone)
    assert our_hooks(trained.backbone) == 4
    attached.detach()


def test_the_checkpoint_is_the_last_state(trained: Run) -> None:
    out = trained.config.run.out
    adapter = (out / "adapter.safetensors").read_bytes()
    assert adapter == (out / "run/step-25/pathway.safetensors").read_bytes()
    checkpoint = read_checkpoint(out)
    assert checkpoint.config == trained.result.checkpoint
    assert [one.name for one in checkpoint.config.datasets] == ["audio_only", "vl_only"]
    assert (checkpoint.config.step, checkpoint.config.optim.epochs) == (25, None)


def test_these_files_are_written(trained: Run) -> None:
    names = {name for name in files_of(trained.config.run.out) if not name.startswith("run/step-")}
    logs = {"losses.jsonl", "evaluations.jsonl", "epochs.jsonl"}
    assert names == {"adapter.safetensors", "config.json", "run/identity.json", *logs}
    states = {path.name for path in trained.config.run.out.glob("run/step-*")}
    assert "step-25" in states
    assert len(states) <= 2  # and the best


def test_each_step_is_a_line_with_all_that_happened_in_it(trained: Run) -> None:
    lines = lines_of(trained.config.run.out / "losses.jsonl")
    assert [line["step"] for line in lines] == list(range(25))
    for line in lines:
        assert line["loss"] == pytest.approx(line["cross_entropy"] + 3.0 * line["distillation"], rel=1e-5)
        assert list(line["gradient_norms"]) == ["projector 1", *(f"layer {n}" for n in range(1, 5))]
        squares = sum(norm**2 for norm in line["gradient_norms"].values())
        assert line["gradient_norm"] ** 2 == pytest.approx(squares, rel=1e-3)
        assert line["counts"] == {"audio": 8, "vl": 8, "muted": 4}
        assert line["audio_ratio"] == 0.4
        assert line["gate"] == 1.0
        assert 0 < line["fusion_lr"] / 0.003 == pytest.approx(line["projector_lr"] / 0.006)
    assert lines[0]["projector_lr"] == pytest.approx(0.006 / 5)
    assert lines[24]["projector_lr"] < 0.0001
    assert {line["unique"] for line in lines} <= set(range(12, 21))


def test_the_evaluations_are_a_line_each(trained: Run) -> None:
    lines = lines_of(trained.config.run.out / "evaluations.jsonl")
    assert [line["step"] for line in lines] == [10, 20, 25]
    assert {name: value for name, value in lines[-1].items() if name != "step"} == trained.result.metrics
    cases = ("vl_accuracy", "vl_drift", "vl_drift_low", "vl_drift_high", "vl_flips", "vl_kl")
    silent = tuple(name.replace("vl", "vl_silent") for name in cases)
    assert {"audio_accuracy", "vl_questions", *cases, *silent} <= set(trained.result.metrics)


def test_lines_are_there_as_they_come(
    audio_only: Path, vl_only: Path, untaught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def look(loop: Loop, *_: object) -> None:
        seen.append(len(lines_of(tmp_path / "out/losses.jsonl")))

    monkeypatch.setattr(Loop, "_show", look)
    stage_a(small_run(tmp_path / "out", (audio_only, vl_only), untaught, steps=3))
    assert seen == [1, 2, 3]


def test_the_same_settings_give_the_same_bytes_and_another_seed_gives_others(
    audio_only: Path, vl_only: Path, untaught: Path, tmp_path: Path
) -> None:
    found = []
    for number, seed in enumerate([0, 0, 1]):
        torch.manual_seed(number)  # whatever the surroundings did before
        state = torch.get_rng_state()
        out = tmp_path / str(number)
        stage_a(small_run(out, (audio_only, vl_only), untaught, steps=3, seed=seed))
        assert torch.equal(torch.get_rng_state(), state)
        found.append(files_of(out))
    same = {name for name in found[0] if found[0][name] == found[1][name]}
    assert same == set(found[0]) == set(found[1])
    for name in ("adapter.safetensors", "losses.jsonl", "run/identity.json"):
        assert found[0][name] != found[2][name]


def test_a_complete_run_is_returned_as_it_is(trained: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a step was taken")

    out = trained.config.run.out
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    monkeypatch.setattr(stage_a_module, "train", never)
    assert stage_a(trained.config) == trained.result
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}


def test_the_settings_are_stored_whole_and_nested(trained: Run) -> None:
    stored = yaml.safe_load((trained.config.run.out / "options.yaml").read_text())
    assert list(stored) == [
        "data",
        "backbone",
        "run",
        "loading",
        "asking",
        "pathway",
        "loss",
        "optim",
        "adaptation",
    ]
    assert stored["optim"]["projector_lr"] == 0.006
    assert stored["pathway"]["bottleneck"] == SMALL["bottleneck"]
    assert stored["data"]["weights"] == {"audio": 0.4, "vl": 0.4, "muted": 0.2}


def test_without_steps_the_audio_questions_are_drawn_once(
    audio_only: Path, vl_only: Path, untaught: Path, tmp_path: Path
) -> None:
    config = small_run(tmp_path / "out", (audio_only, vl_only), untaught, batch_size=50, eval_steps=0)
    once = stage_a(replace(config, optim=replace(config.optim, steps=None)))
    (epoch,) = lines_of(tmp_path / "out" / "epochs.jsonl")
    assert once.checkpoint.step == len(once.losses) == epoch["last_step"] + 1
    assert once.metrics == {}


@pytest.mark.parametrize("preset", ["no_retention", "kl"])
def test_a_pass_whose_rows_have_no_loss_changes_nothing(
    preset: str, audio_only: Path, vl_only: Path, untaught: Path, tmp_path: Path
) -> None:
    """Without distillation, a pass of vision questions alone has no loss: passes are divided by length."""
    losses = []
    for rows in (20, 4):
        settings = {"steps": 3, "rows_per_forward": rows, "dropout": 0.0, "eval_steps": 0}
        config = small_run(tmp_path / str(rows), (audio_only, vl_only), untaught, **settings)
        loss = replace(config.loss, kl_weight=0.0 if preset == "no_retention" else 1.0)
        losses.append(stage_a(replace(config, loss=loss)).losses)
    for one, other in zip(*losses, strict=True):
        assert one[:3] == pytest.approx(other[:3], abs=1e-5)
        assert (one.distillation is None) is (preset == "no_retention")
        assert (one.distillation or 0) == pytest.approx(other.distillation or 0, abs=1e-5)


def test_nothing_is_overwritten_without_force(
    audio_only: Path, vl_only: Path, untaught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, again = tmp_path / "out", tmp_path / "again"
    both = (audio_only, vl_only)
    with monkeypatch.context() as patch:
        killing(patch, "_show", 3, interrupt)
        with pytest.raises(KeyboardInterrupt):
            stage_a(small_run(out, both, untaught))
    before = files_of(out)
    with pytest.raises(InputError) as refused:
        stage_a(small_run(out, both, untaught, projector_lr=0.001, tokens=2, seed=3, force=False))
    assert str(refused.value) == (
        f"{out}: holds another run; this one differs:\n"
        "  options.run.seed: 0 there, 3 here\n"
        "  options.pathway.tokens: [4, 8, 12] there, 2 here\n"
        "  options.optim.projector_lr: 0.003 there, 0.001 here\n"
        "choose another folder, or add --force to start over"
    )
    assert files_of(out) == before
    stage_a(small_run(out, both, untaught, seed=3, force=True))
    stage_a(small_run(again, both, untaught, seed=3))
    assert files_of(out) == files_of(again)


def test_another_dataset_base_or_order_is_refused(
    audio_only: Path, vl_only: Path, twice_heard: Path, untaught: Path, trained: Run, tmp_path: Path
) -> None:
    out = trained.config.run.out
    other = build_corpus(tmp_path, "audio_only", only_heard, clips=36, seed=9)
    base = tmp_path / "base"
    backbone = load_backbone(untaught)
    with torch.no_grad():
        next(backbone.model.parameters()).add_(1)
    backbone.model.save_pretrained(base)
    backbone.processor.save_pretrained(base)

    def refusal(shards: tuple[Path, ...], backbone: Path, **changes: object) -> str:
        with pytest.raises(InputError, match="holds another run; this one differs") as refused:
            stage_a(small_run(out, shards, backbone, **(LONG | changes)))
        return str(refused.value)

    assert "  datasets.audio_only: " in refusal((other, vl_only), untaught)
    added = refusal((audio_only, vl_only, twice_heard), untaught, encoder=("logmel",))
    assert "  datasets.twice_heard: None there, " in added
    assert "  options.data.encoder: [] there, ['logmel'] here" in added
    moved = refusal((vl_only, audio_only), untaught)
    assert "  datasets: in the order audio_only, vl_only there, vl_only, audio_only here\n" in moved
    assert "  base.model.safetensors: " in refusal((audio_only, vl_only), base)


def test_a_batch_that_leaves_a_process_without_a_row_is_refused(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would wait for the others' gradients, and they for its own, for ever."""

    class Three(Accelerator):
        num_processes = 3

    monkeypatch.setattr(stage_a_module, "Accelerator", Three)
    config = replace(trained.config, optim=replace(trained.config.optim, batch_size=2))
    config = replace(config, run=replace(config.run, out=tmp_path / "out"))
    with pytest.raises(InputError, match="batch_size=2: each of 3 processes needs a question"):
        stage_a(config)


@pytest.mark.parametrize("name", ["adapter.safetensors", "losses.jsonl", "evaluations.jsonl"])
def test_a_complete_run_that_lost_a_file_says_which(name: str, trained: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(trained.config.run.out, out)
    (out / name).unlink()
    config = replace(trained.config, run=replace(trained.config.run, out=out))
    with pytest.raises(InputError, match=f"{name}: is missing, and the run is complete; restore it, "):
        stage_a(config)


@pytest.mark.parametrize("content", [b"{", b'{"step": 0}\n', b"[]\n", b"1\n"])
def test_losses_that_no_run_wrote_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "losses.jsonl").write_bytes(content)
    with pytest.raises(InputError, match=r"losses\.jsonl: is not the losses of a run"):
        read_losses(tmp_path / "losses.jsonl")
