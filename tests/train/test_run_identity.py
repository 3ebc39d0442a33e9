"""A folder belongs to one run: another is refused, and so is a folder that cannot be written."""

import errno
import os
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tiny_runs import small_run

from safe_data.core.differences import differences
from safe_data.core.errors import InputError
from safe_data.core.only_writer import only_writer
from safe_train.run_identity import Identity, begin, check_out, identity_options
from safe_train.settings.train import TrainConfig
from safe_train.stages import stage_a as stage_a_module
from safe_train.stages.stage_a import stage_a


def identity(**changes: Any) -> Identity:
    one = Identity(
        options={
            "optim": {"projector_lr": 0.003, "epochs": None},
            "data": {"weights": {"audio": 1, "vl": 2}},
        },
        datasets={"audiocaps": "a" * 64, "vqav2": "b" * 64},
        encoders={"logmel": "1a2b"},
        base={"model.safetensors": "c" * 64},
        processes=1,
        versions={"torch": "2.9.0"},
    )
    return msgspec.structs.replace(one, **changes)


def config(**changes: Any) -> TrainConfig:
    return small_run(Path("out"), (Path("shards"),), Path("backbone"), **changes)


def test_the_place_and_the_pace_of_a_run_may_change() -> None:
    moved = small_run(Path("other"), (Path("elsewhere"),), Path("moved"), workers=5, checkpoint_steps=7)
    moved = replace(moved, run=replace(moved.run, quiet=False, force=True, trackers=("wandb",)))
    assert identity_options(moved) == identity_options(config())


def test_every_other_setting_is_a_part_of_it() -> None:
    free = {"shards", "workers", "source", "out", "drift_warning", "checkpoint_steps", "trackers"}
    free |= {"quiet", "force", "encoder_source"}
    found = {name for section in identity_options(config()).values() for name in section}
    every = {one.name for section in fields(TrainConfig) for one in fields(getattr(config(), section.name))}
    assert every - found == free
    assert identity_options(config(seed=1)) != identity_options(config())


def test_a_new_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    check_out(tmp_path / "new" / "out", force=False)
    assert list((tmp_path / "new" / "out").iterdir()) == []


def test_a_folder_of_something_else_is_refused_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("something was loaded")

    for name in ("Corpora", "load_backbone", "base_files"):
        monkeypatch.setattr(stage_a_module, name, never)
    (tmp_path / "thesis.docx").write_bytes(b"mine")
    message = f"{tmp_path}: holds something else than a run; choose another folder, or add --force"
    with pytest.raises(InputError, match="holds something else") as refused:
        stage_a(small_run(tmp_path, (Path("nowhere"),), Path("nowhere")))
    assert str(refused.value) == message
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]
    check_out(tmp_path, force=True)


def test_what_a_run_left_that_was_killed_before_its_first_step_is_not_something_else(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".identity.json.1a2b3c4d.tmp").write_bytes(b"{")
    (tmp_path / ".writable.tmp").write_bytes(b"")
    check_out(tmp_path, force=False)
    begin(tmp_path, identity(), force=False)
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["run", "identity.json"]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"")
    for out in (tmp_path / "out", tmp_path / "out" / "below"):
        with pytest.raises(InputError, match="a file is where a directory must be, or the other way round"):
            check_out(out, force=True)


@pytest.mark.parametrize(
    ("number", "fix"),
    [
        (errno.EROFS, "Read-only file system); name a directory that you may write to"),
        (errno.EACCES, "Permission denied); name a directory that you may write to"),
        (errno.ENOSPC, "No space left on device); make room and run the same command again"),
    ],
)
def test_a_folder_that_cannot_be_written_is_refused(
    number: int, fix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, data: bytes) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(InputError) as refused:
        check_out(tmp_path, force=False)
    assert str(refused.value).startswith(f"{tmp_path}: cannot be written ({fix}")


def test_the_same_run_goes_on(tmp_path: Path) -> None:
    begin(tmp_path, identity(), force=False)
    (tmp_path / "run" / "step-5").mkdir()
    begin(tmp_path, identity(), force=False)
    assert (tmp_path / "run" / "step-5").is_dir()
    check_out(tmp_path, force=False)


def test_another_run_is_refused_with_all_that_differs(tmp_path: Path) -> None:
    begin(tmp_path, identity(), force=False)
    other = identity(
        options={
            "optim": {"projector_lr": 0.001, "epochs": 2},
            "data": {"weights": {"audio": 1, "muted": 2}},
        },
        datasets={"audiocaps": "d" * 64, "vqav2": "b" * 64},
        processes=2,
    )
    with pytest.raises(InputError) as refused:
        begin(tmp_path, other, force=False)
    assert str(refused.value) == (
        f"{tmp_path}: holds another run; this one differs:\n"
        "  options.optim.projector_lr: 0.003 there, 0.001 here\n"
        "  options.optim.epochs: None there, 2 here\n"
        "  options.data.weights.vl: 2 there, None here\n"
        "  options.data.weights.muted: None there, 2 here\n"
        "  datasets.audiocaps: aaaaaaaaaaaa… there, dddddddddddd… here\n"
        "  processes: 1 there, 2 here\n"
        "choose another folder, or add --force to start over"
    )


def test_a_run_does_not_go_on_with_another_order_of_draws(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    content = msgspec.to_builtins(identity())
    del content["draw_order"]  # an older version did not write it
    (tmp_path / "run" / "identity.json").write_bytes(msgspec.json.encode(content))
    begin(tmp_path, identity(), force=False)
    with pytest.raises(
        InputError, match=r"holds another run; this one differs:\n  draw_order: 1 there, 2 here"
    ):
        begin(tmp_path, identity(draw_order=2), force=False)


def test_a_long_list_is_shown_whole_because_its_end_may_be_what_differs() -> None:
    four = ["full", "mute_audio", "swap_audio", "gate_off"]
    assert differences({"conditions": four}, {"conditions": [*four, "noise_audio"]}) == [
        f"conditions: {four} there, {[*four, 'noise_audio']} here"
    ]


def test_another_order_is_another_run(tmp_path: Path) -> None:
    """Questions are numbered in the order of the datasets, and drawn in that of the weights."""
    begin(tmp_path, identity(), force=False)
    turned = dict(reversed(identity().datasets.items()))
    with pytest.raises(
        InputError, match="  datasets: in the order audiocaps, vqav2 there, vqav2, audiocaps here"
    ):
        begin(tmp_path, identity(datasets=turned), force=False)


def test_force_starts_over_and_leaves_what_is_not_the_runs(tmp_path: Path) -> None:
    begin(tmp_path, identity(), force=False)
    for name in ("config.json", "adapter.safetensors", "predictions.jsonl", "run/step-5/state.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"{}")
    begin(tmp_path, identity(processes=2), force=True)
    left = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(left) == ["predictions.jsonl", "run/identity.json"]
    begin(tmp_path, identity(processes=2), force=False)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[1]"])
def test_an_identity_of_another_version_is_a_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "identity.json").write_bytes(content)
    with pytest.raises(
        InputError, match=r"identity\.json: is not of this version .*; add --force to start over"
    ):
        begin(tmp_path, identity(), force=False)
    begin(tmp_path, identity(), force=True)


def test_two_runs_do_not_write_one_folder(tmp_path: Path) -> None:
    with only_writer(tmp_path / "run"):
        check_out(tmp_path, force=False)  # a lock is nothing of another's
        with (
            pytest.raises(InputError, match="another process is writing it; wait for it, or name another"),
            only_writer(tmp_path / "run"),
        ):
            pass
    assert not list(tmp_path.iterdir())
