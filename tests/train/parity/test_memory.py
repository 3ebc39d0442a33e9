"""Memory: the tensors that live at a time, counted by hand."""

import torch
from torch import nn

from safe_train.parity.memory import LIVE_TENSORS, bytes_of, peak_bytes

CPU = torch.device("cpu")


def test_what_lives_at_a_time_is_counted_and_views_and_inputs_are_not() -> None:
    given = torch.ones(1000)

    def run() -> None:
        one = given + 1  # 4,000 bytes
        view = one.view(10, 100).T
        two = view * 2  # 4,000 more
        del one, view
        three = two.to(torch.float64)  # 8,000 more, and 4,000 less
        del two, three
        given.view(-1).add_(0)

    assert peak_bytes(run, CPU) == (12_000, LIVE_TENSORS)


def test_a_second_run_begins_anew() -> None:
    assert peak_bytes(lambda: torch.ones(250).sum(), CPU)[0] == 1004
    assert peak_bytes(lambda: torch.ones(10).sum(), CPU)[0] == 44


def test_weights_and_buffers() -> None:
    assert bytes_of(nn.BatchNorm1d(10)) == 4 * 40 + 8
