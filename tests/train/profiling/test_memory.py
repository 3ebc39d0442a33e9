"""Memory: the line and its errors, what fits a card, and the count of a GPU by planted numbers."""

import pytest
import torch

from safe_data.core.errors import InputError
from safe_train.profiling import gauge
from safe_train.profiling.fitting_rows import Lasting, largest_of, taken_at
from safe_train.profiling.gauge import beside_tensors, counted_by, pass_memory
from safe_train.profiling.memory_model import MemoryModel, model_of
from safe_train.profiling.quantiles import Quantile
from safe_train.profiling.result import PassMemory, TrainingRung


def test_a_line_is_found_exactly() -> None:
    found = model_of({rows: 1000 + 30 * rows for rows in (1, 2, 4, 8, 16)}, always=500)
    assert found.intercept_bytes == pytest.approx(1000)
    assert found.bytes_per_row == pytest.approx(30)
    assert found.error == pytest.approx(0, abs=1e-12)
    assert found.bytes_of(100) == pytest.approx(4000)


def test_a_largest_size_that_leaves_the_line_is_found_out() -> None:
    """At 16 rows the kernel is another one and takes twice as much: the others do not predict it."""
    peaks = {1: 10.0, 2: 20.0, 4: 40.0, 8: 80.0, 16: 320.0}
    found = model_of(peaks, always=0)
    assert found.left_out_error == pytest.approx(-0.5)
    assert found.error > 0.4


def test_errors_are_shares_of_all_tensors() -> None:
    peaks = {1: 40.0, 2: 20.0, 4: 40.0, 8: 80.0}
    alone, beside = model_of(peaks, always=0), model_of(peaks, always=10_000)
    assert alone.worst_error == alone.pass_error == beside.pass_error > 0.2
    assert beside.worst_error < 0.01
    assert beside.always_bytes == 10_000


@pytest.mark.parametrize("peaks", [{1: 1.0, 2: 2.0, 4: 4.0}, {1: 0.0, 2: 2.0, 4: 4.0, 8: 8.0}])
def test_what_has_no_line_is_refused(peaks: dict[int, float]) -> None:
    with pytest.raises(InputError):
        model_of(peaks, always=0)


LINE = model_of({rows: 100 + 10 * rows for rows in (1, 2, 4, 8)}, always=0)


def most(card: int, *, always: int = 50, model: MemoryModel | None = LINE, most_run: int = 16) -> object:
    ran: list[int] = []

    def check(rows: int) -> PassMemory:
        ran.append(rows)
        return PassMemory(100 + 10 * rows)

    found = largest_of(
        model, always=always, card=card, card_from="x", headroom=0.1, most_run=most_run, check=check
    )
    assert ran == ([] if found.checked_bytes is None else [found.rows])
    return found.rows, found.checked_bytes


def test_the_most_rows_leave_the_headroom_and_are_run_if_that_is_not_far() -> None:
    assert most(300) == (12, 270)  # 0.9 · 300 = 50 + 100 + 10 · 12
    assert most(299) == (11, 260)
    assert most(3000) == (255, None)
    assert most(170) == (None, None)
    assert most(300, model=None) == (None, None)


def test_what_lasts_is_summed_and_what_is_not_known_is_not_guessed() -> None:
    assert Lasting(1, 2, 3, 4, 5).total == 15
    assert Lasting(1, 2, 3, 4, None).total == 10


def test_what_a_gpu_reserved_counts_where_it_is_more() -> None:
    def rung(reserved: int | None) -> TrainingRung:
        once = Quantile(1.0, None, None, 1)
        return TrainingRung(rows=1, positions=1, pass_ms=once, memory=PassMemory(50, 20, reserved))

    assert taken_at(rung(None), always=150, beside=30) == 200
    assert taken_at(rung(160), always=150, beside=30) == 200
    assert taken_at(rung(190), always=150, beside=30) == 220


def test_on_a_gpu_its_allocator_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The branch for CUDA, by a card that holds 1000 before, 1500 between and 1900 at most."""
    held = iter([1000, 1500])
    card = torch.device("cuda:0")
    for name, value in {
        "synchronize": lambda _: None,
        "empty_cache": lambda: None,
        "reset_peak_memory_stats": lambda _: None,
        "memory_allocated": lambda _: next(held),
        "max_memory_allocated": lambda _: 1900,
        "max_memory_reserved": lambda _: 2048,
        "memory_reserved": lambda _: 2000,
        "mem_get_info": lambda _: (7000, 10_000),
    }.items():
        monkeypatch.setattr(gauge.torch.cuda, name, value)
    assert pass_memory(card, lambda counted: counted.now) == PassMemory(900, 500, 2048)
    assert beside_tensors(card, tensors=1000, resident=None) == 1000
    assert counted_by(card) == "torch.cuda.max_memory_allocated"


def test_on_a_cpu_living_tensors_are_counted() -> None:
    def run(counted: gauge.Gauge) -> int:
        kept = torch.ones(100)
        held = counted.now
        del kept
        torch.ones(50)
        return held

    assert pass_memory(torch.device("cpu"), run) == PassMemory(400, 400, None)
