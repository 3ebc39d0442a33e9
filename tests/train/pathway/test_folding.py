"""The short way through a cross-attention gives what the plain one gives, but for rounding."""

from typing import Any

import pytest
import torch
from tiny_models import DIMS, awake_pathway, llava_inputs, sounds

from safe_data.core.errors import InputError
from safe_train.pathway import folding
from safe_train.pathway.folding import Folded, can_fold
from safe_train.pathway.model import SafeModel

ROWS = 3
GENERATION = {"max_new_tokens": 6, "do_sample": False}
SHAPES: dict[str, dict[str, Any]] = {
    "one budget": {"tokens": 8},
    "no norms": {"tokens": 8, "hidden_norm": False, "token_norm": False},
    "scaled": {"tokens": 8, "residual_scale": 0.3},
    "two encoders": {"tokens": (3, 8), "shapes": ((DIMS,), (7,))},
    "at the input": {"tokens": (3, 8), "layers": (0,)},
}
REQUESTS: dict[str, dict[str, Any]] = {
    "open": {},
    "half open": {"gate": 0.5},
    "each its gate": {"gate": [1.0, 0.0, 0.25]},
}


def heard(llava: Any, model: SafeModel, audio: Any, inputs: Any = None, **request: Any) -> torch.Tensor:
    with torch.no_grad(), model.fuse(audio=audio, **request):
        return llava(**(inputs or llava_inputs(ROWS, left_padding=2))).logits


def pair(llava: Any, **settings: Any) -> tuple[SafeModel, SafeModel]:
    """The same pathway by both ways; one is attached at a time."""
    pathway = awake_pathway(**settings).eval()
    plain, folded = (SafeModel(llava, pathway, folds=folds) for folds in (False, True))
    plain.detach()
    folded.detach()
    return plain, folded


@pytest.fixture
def folds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The layers that took the short way, in their order."""
    found: list[int] = []
    call = Folded.__call__
    monkeypatch.setattr(Folded, "__call__", lambda self, x, n: found.append(n) or call(self, x, n))
    return found


@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_both_ways_are_equal_but_for_rounding(llava, folds: list[int], shape: str, request_name: str) -> None:
    settings, request = SHAPES[shape], dict(REQUESTS[request_name])
    shapes = settings.get("shapes", ((DIMS,),))
    audio = tuple(torch.randn(ROWS, *one, generator=torch.Generator().manual_seed(1)) for one in shapes)
    if settings["tokens"] == (3, 8):
        request["tokens"] = [3, 8, 0]
    before = llava(**llava_inputs(ROWS, left_padding=2)).logits
    plain, folded = pair(llava, **settings)
    found = []
    for model in (plain, folded):
        model.attach()
        found.append(heard(llava, model, audio, **request))
        model.detach()
    assert folds == list(plain.pathway.config.layers)
    moved = (found[0] - before).abs().max()
    assert moved > 0.1
    assert (found[1] - found[0]).abs().max() <= 1e-5 * found[0].abs().max()
    closed = {1} if request_name == "each its gate" else set()
    closed |= {2} if "tokens" in request else set()
    for row in closed:
        assert torch.equal(found[1][row], before[row])


@pytest.mark.parametrize("beams", [1, 3])
def test_answers_are_the_same_with_beams_and_cache_and_one_by_one(
    llava, folds: list[int], beams: int
) -> None:
    inputs = llava_inputs(ROWS)
    plain, folded = pair(llava, tokens=(2, 4))
    request = {"gate": [1.0, 0.5, 1.0], "tokens": [2, 4, 0]}
    options = GENERATION | {"num_beams": beams}
    plain.attach()
    with plain.fuse(audio=sounds(ROWS), **request):
        wanted = llava.generate(**inputs, **options)
    plain.detach()
    assert folds == []
    folded.attach()
    for use_cache in (True, False):
        with folded.fuse(audio=sounds(ROWS), **request):
            assert torch.equal(llava.generate(**inputs, **options, use_cache=use_cache), wanted)
    assert folds
    for row in range(ROWS):
        one = {name: value[row : row + 1] for name, value in inputs.items()}
        chosen = {name: value[row] for name, value in request.items()}
        with folded.fuse(audio=sounds(ROWS)[row : row + 1], **chosen):
            alone = llava.generate(**one, **options)
        assert torch.equal(alone[0], wanted[row, : alone.shape[1]])


def test_a_closed_row_survives_an_infinite_sound(llava, folds: list[int]) -> None:
    inputs = llava_inputs(2)
    before = llava(**inputs).logits
    audio = sounds(2)
    audio[0] = float("inf")
    _, folded = pair(llava)
    folded.attach()
    assert torch.equal(heard(llava, folded, audio, inputs, gate=[0.0, 1.0])[0], before[0])
    assert torch.equal(heard(llava, folded, audio, inputs, gate=0.0), before)
    assert folds == [1, 3]


def test_training_takes_the_plain_way(llava, folds: list[int]) -> None:
    _, model = pair(llava, dropout=0.5)
    model.attach()
    inputs = llava_inputs(2)
    with model.fuse(audio=sounds(2)):
        llava(**inputs).logits.square().mean().backward()
    assert model.pathway.block(1).query.weight.grad is not None
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16), model.fuse(audio=sounds(2)):
        llava(**inputs)
    model.train()
    heard(llava, model, sounds(2), inputs)
    assert folds == []
    model.eval()
    heard(llava, model, sounds(2), inputs)
    assert folds == [1, 3]


def test_what_cannot_be_folded_takes_the_plain_way(
    llava, folds: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pathway = awake_pathway(design="lora").eval()
    keys_values = pathway((sounds(1),))[1]
    assert not can_fold(pathway.block(1), keys_values)
    plain, folded = pair(llava, tokens=4)
    keys_values = plain.pathway((sounds(ROWS),))[1]
    size = 2 * ROWS * 4 * 4 * 32 * 4  # rows, heads, tokens, width, bytes
    for bytes_, fits in ((size, True), (size - 1, False)):
        monkeypatch.setattr(folding, "FOLDED_BYTES", bytes_)
        assert can_fold(plain.pathway.block(1), keys_values) is fits
    folded.attach()
    heard(llava, folded, sounds(ROWS))
    assert folds == []


def test_sequences_that_do_not_share_the_sounds_are_refused(llava) -> None:
    _, folded = pair(llava)
    folded.attach()
    with pytest.raises(InputError, match="layer 1: 3 sequences for 2 sounds; give one sound per prompt"):
        heard(llava, folded, sounds(2), llava_inputs(3))
