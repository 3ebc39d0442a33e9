"""A training's progress line has what was measured, in one order, and nothing that was not."""

import pytest

from safe_train.stages.progress import training_progress, training_values


class Clock:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_line_of_a_training(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with training_progress("stage A", 800, clock=clock) as progress:
        clock.now = 14.0
        values = training_values(loss=0.4119, audio_accuracy=0.6123, vl_accuracy=0.991, gate=0.6)
        progress.update(120, items=5768, shown=values)
    assert capsys.readouterr().err == (
        "stage A 120/800  loss 0.412  audio 61.2 %  VL 99.1 %  gate 0.60  412 samples/s  ETA 1 min 19 s\n"
    )


def test_what_was_never_measured_is_left_out_and_what_was_stays(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with training_progress("stage A", 3, start=1, clock=clock) as progress:
        clock.now = 10.0
        progress.update(items=80, shown=training_values(loss=0.0, gate=0.0))
        clock.now = 20.0
        progress.update(items=80, shown=training_values(audio_accuracy=0.0))
    assert capsys.readouterr().err.splitlines() == [
        "stage A 2/3  loss 0.000  gate 0.00  8 samples/s  ETA 10 s",
        "stage A 3/3  loss 0.000  audio 0 %  gate 0.00  8 samples/s  took 20 s",
    ]


def test_a_short_training_ends_with_a_line_unless_it_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    for quiet in (False, True):
        clock = Clock()
        with training_progress("stage A", 2, quiet=quiet, clock=clock) as progress:
            clock.now = 1.0
            progress.update(2, items=160, shown=training_values(loss=1.5))
    assert capsys.readouterr().err == "stage A 2/2  loss 1.500  160 samples/s  took 1 s\n"
