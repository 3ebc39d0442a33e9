"""A request: how far the gate is open and how many tokens count, for all rows or for each."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import DIMS, sounds

from safe_data.core.errors import InputError
from safe_train.pathway.request import Audio, Request, gate_values, new_request, token_mask

ROWS, TOKENS = 3, 4


def request(audio: Audio | None = None, gate: object = 1.0, tokens: object = None) -> Request | None:
    heard = sounds(ROWS) if audio is None else audio
    return new_request(heard, gate, tokens, shapes=[(DIMS,)], available=TOKENS)


def test_a_gate_is_one_number_or_one_per_row() -> None:
    assert gate_values(0.5, batch=ROWS).shape == ()
    assert gate_values([0.0, 1.0], batch=2).tolist() == [0.0, 1.0]
    assert gate_values(torch.tensor([0.25], dtype=torch.float64), batch=1).dtype == torch.float32


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        (1.5, r"gate 1\.5 is outside \[0, 1\]; 0 is off and 1 is fully on"),
        (-0.1, r"gate -0\.1 is outside"),
        (float("nan"), "gate nan is outside"),
        ([0.0, 2.0, 1.0], "gate 2 is outside"),
        (torch.tensor([0.5, 1.0, -1.0], requires_grad=True), "gate -1 is outside"),
        ([0.0, 1.0], r"gate of shape \(2,\) for a batch of 3; give one number, or one per row"),
        ([[0.0], [1.0], [1.0]], r"gate of shape \(3, 1\)"),
    ],
)
def test_what_is_no_gate(gate: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        gate_values(gate, batch=ROWS)


@pytest.mark.parametrize("tokens", [None, 2, [2, 0, 4]])
def test_a_soft_gate_keeps_its_gradient(tokens: object) -> None:
    raw = torch.zeros(ROWS, requires_grad=True)
    made = request(gate=raw.sigmoid(), tokens=tokens)
    assert made is not None
    made.gate.sum().backward()
    assert raw.grad is not None
    closed = [1] if isinstance(tokens, list) else []
    assert [row for row in range(ROWS) if raw.grad[row] == 0] == closed


@pytest.mark.parametrize(
    ("tokens", "mask"),
    [
        (2, [[1, 1, 0, 0]] * 3),
        ([0, 1, 4], [[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]]),
        (torch.tensor([1.0, 2.0, 3.0]), [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0]]),
        ([[0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]], [[0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]]),
        (torch.eye(3, 4), [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]),
        (torch.eye(3, 4).bool(), [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]),
    ],
)
def test_a_budget_is_a_number_of_tokens_or_a_mask_of_them(tokens: object, mask: list[list[int]]) -> None:
    found = token_mask(tokens, batch=ROWS, available=TOKENS)
    assert found is not None
    assert found.dtype == torch.bool
    assert found.int().tolist() == mask


@given(st.lists(st.integers(0, TOKENS), min_size=1, max_size=6))
def test_a_budget_per_row_and_its_mask_are_the_same(budgets: list[int]) -> None:
    mask = token_mask(budgets, batch=len(budgets), available=TOKENS)
    assert mask is not None
    assert mask.sum(1).tolist() == budgets
    assert torch.equal(mask, token_mask(mask.int(), batch=len(budgets), available=TOKENS))


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (5, "5 audio tokens: this pathway makes 4; give 0 to 4"),
        (-1, "-1 audio tokens: this pathway makes 4"),
        ([4, 4, 9], "9 audio tokens: this pathway makes 4"),
        (2.5, r"tokens 2\.5: a budget is a whole number of audio tokens"),
        ([2.0, 1.0, 0.5], r"tokens 0\.5: a budget is a whole number"),
        (float("nan"), "tokens nan: a budget is a whole number"),
        ([1, 2], r"tokens of shape \(2,\) for a batch of 3; give one number, one per row, or a 0/1 mask"),
        ([[1, 1, 1, 1]], r"tokens of shape \(1, 4\): a mask is 0 or 1 and of shape \(3, 4\)"),
        ([[1, 1, 1]] * 3, r"tokens of shape \(3, 3\): a mask is 0 or 1 and of shape \(3, 4\)"),
        ([[1, 1, 1, 2]] * 3, r"tokens of shape \(3, 4\): a mask is 0 or 1"),
        ([[[1]]], r"tokens of shape \(1, 1, 1\) for a batch of 3"),
    ],
)
def test_what_is_no_budget(tokens: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        token_mask(tokens, batch=ROWS, available=TOKENS)


@pytest.mark.parametrize(
    ("gate", "tokens"),
    [(0.0, None), ([0.0] * 3, None), (1.0, 0), (1.0, [0, 0, 0]), ([1.0, 0.0, 0.0], [0, 4, 4])],
)
def test_a_request_without_an_open_row_is_none(gate: object, tokens: object) -> None:
    assert request(gate=gate, tokens=tokens) is None


def test_a_row_without_tokens_has_its_gate_closed() -> None:
    made = request(gate=0.5, tokens=[2, 0, 4])
    assert made is not None
    assert made.gate.tolist() == [0.5, 0.0, 0.5]
    assert made.mask is not None
    assert made.mask.any(1).all()  # attention needs something to attend to


def test_a_request_without_a_budget_attends_to_all_tokens() -> None:
    made = request(gate=0.5)
    assert made is not None
    assert made.mask is None
    assert made.gate.shape == ()


@pytest.mark.parametrize(
    ("audio", "shapes", "message"),
    [
        (torch.zeros(2, 7), [(12,)], r"audio of shape \(2, 7\); give embeddings of shape \(batch, 12\)"),
        (torch.zeros(12), [(12,)], r"audio of shape \(12,\)"),
        (
            torch.zeros(2, 12),
            [(12,), (5, 7)],
            r"audio of shape \(2, 12\); give embeddings of shape \(batch, 12\), \(batch, 5, 7\)",
        ),
        (
            (torch.zeros(2, 12), torch.zeros(3, 5, 7)),
            [(12,), (5, 7)],
            r"audio of shape \(2, 12\), \(3, 5, 7\)",
        ),
        (
            (torch.zeros(2, 5, 7), torch.zeros(2, 12)),
            [(12,), (5, 7)],
            r"audio of shape \(2, 5, 7\), \(2, 12\)",
        ),
    ],
)
def test_embeddings_that_do_not_fit(audio: Audio, shapes: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        new_request(audio, 1.0, None, shapes=shapes, available=TOKENS)


@pytest.mark.parametrize(
    ("gate", "tokens", "is_open"),
    [
        (1.0, None, True),
        ([1.0] * ROWS, 2, True),
        (0.5, None, False),
        ([1.0, 1.0, 0.5], None, False),
        (1.0, [4, 0, 4], False),
        (torch.ones(ROWS, requires_grad=True), None, False),
    ],
)
def test_a_request_knows_whether_it_is_fully_open(gate: object, tokens: object, is_open: bool) -> None:
    made = request(gate=gate, tokens=tokens)
    assert made is not None
    assert made.is_open is is_open
