"""A request: how far the gate is open and how many tokens count, for all rows or for each."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import DIMS, sounds

from safe_data.core.errors import InputError
from safe_train.pathway.request import (
    Allowed,
    Audio,
    Request,
    allowed_tokens,
    gate_values,
    new_request,
    shares,
    token_places,
)

ROWS, TOKENS = 3, 4
BUDGETS = (1, 2, TOKENS)


def request(audio: Audio | None = None, gate: object = 1.0, tokens: object = None) -> Request | None:
    heard = sounds(ROWS) if audio is None else audio
    return new_request(heard, gate, tokens, shapes=[(DIMS,)], budgets=BUDGETS)


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


def allowed(tokens: object, batch: int = ROWS, encoders: int = 1, budgets: object = BUDGETS) -> Allowed:
    return allowed_tokens(tokens, batch, encoders=encoders, budgets=budgets)


@pytest.mark.parametrize(
    ("tokens", "most", "silent"),
    [
        (2, 2, []),
        (0, 0, [0, 1, 2]),
        (4, 4, []),
        ([2, 2, 2], 2, []),
        ([2, 0, 2], 2, [1]),
        (torch.tensor([0.0, 2.0, 0.0]), 2, [0, 2]),
    ],
)
def test_one_budget_needs_no_mask(tokens: object, most: int, silent: list[int]) -> None:
    found = allowed(tokens)
    assert found.most == most
    assert found.mask is None
    assert found.silent.nonzero().flatten().tolist() == silent


@pytest.mark.parametrize(
    ("tokens", "mask"),
    [
        ([0, 1, 4], [[1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 1, 1]]),
        ([1, 2, 1], [[1, 0], [1, 1], [1, 0]]),
        (torch.tensor([1.0, 2.0, 4.0]), [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]]),
        ([[0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]], [[0, 1, 0, 1], [1, 1, 1, 1], [1, 1, 1, 1]]),
        (torch.eye(3, 4), [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]),
        (torch.eye(3, 4).bool(), [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]),
    ],
)
def test_rows_that_differ_need_a_mask_and_one_may_be_given(tokens: object, mask: list[list[int]]) -> None:
    found = allowed(tokens)
    assert found.mask is not None
    assert found.mask.dtype == torch.bool
    assert found.mask.int().tolist() == mask
    assert found.silent.tolist() == [row == 0 or row == [0] * 4 for row in torch.as_tensor(tokens).tolist()]


@given(st.integers(1, 4), st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_rows_have_the_tokens_that_encoders_share(encoders: int, places: list[int]) -> None:
    """The mask of a row keeps of each encoder as many of its first tokens as its budget gives it."""
    choices = (0, 4, 7, 11)
    rows = [choices[place] for place in places]
    found = allowed(rows, len(rows), encoders, choices[1:])
    each = shares(found.most, encoders)
    mask = torch.ones(len(rows), found.most, dtype=torch.bool) if found.mask is None else found.mask
    for row, tokens in enumerate(rows):
        kept = [part.int().tolist() for part in mask[row].split(each)]
        wanted = shares(tokens or found.most, encoders)
        assert kept == [[1] * n + [0] * (size - n) for n, size in zip(wanted, each, strict=True)]


@given(st.integers(1, 5), st.integers(0, 20), st.integers(0, 20))
def test_fewer_tokens_are_contained_in_more(encoders: int, fewer: int, added: int) -> None:
    fewer += encoders  # each encoder makes one
    more = fewer + added
    assert all(a <= b for a, b in zip(shares(fewer, encoders), shares(more, encoders), strict=True))
    assert sum(shares(more, encoders)) == more
    places = token_places(more, encoders)
    assert sorted(places.tolist()) == list(range(more))
    assert places[places < fewer].tolist() == token_places(fewer, encoders).tolist()


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (5, "^5 audio tokens: not trained; give 0, 1, 2 or 4$"),
        (3, "^3 audio tokens: not trained; give 0, 1, 2 or 4$"),
        (-1, "-1 audio tokens: not trained"),
        ([4, 4, 3], "3 audio tokens: not trained"),
        (float("inf"), "inf audio tokens: not trained"),
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
        allowed(tokens)


def test_of_a_pathway_with_one_budget_nothing_else_is_trained() -> None:
    with pytest.raises(InputError, match=r"^2 audio tokens: not trained; give 0 or 4$"):
        allowed(2, budgets=(4,))


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
    assert made.tokens == 4
    assert made.mask is not None
    assert made.mask.any(1).all()  # attention needs something to attend to


def test_a_request_without_a_budget_attends_to_all_tokens() -> None:
    made = request(gate=0.5)
    assert made is not None
    assert (made.tokens, made.mask) == (TOKENS, None)
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
        new_request(audio, 1.0, None, shapes=shapes, budgets=BUDGETS)


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
