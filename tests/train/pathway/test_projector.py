"""Embeddings become audio tokens, whatever the encoder's scale, and however many states it gives."""

import re
from typing import Any

import pytest
import torch

from safe_data.core.errors import InputError
from safe_train.pathway.projector import AudioProjector


def projector(**settings: Any) -> AudioProjector:
    torch.manual_seed(0)
    return AudioProjector(12, 8, 3, **{"bottleneck": 5, **settings}).eval()


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def embeddings(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def test_the_plans_call() -> None:
    made = AudioProjector(audio_embed_dim=512, llm_hidden_size=768, num_audio_tokens=8)
    assert made(torch.randn(2, 512)).shape == (2, 8, 768)


@pytest.mark.parametrize(("tokens", "published"), [(16, 84_493_312), (32, 168_461_312)])
def test_the_published_size_for_a_13b_model(tokens: int, published: int) -> None:
    with torch.device("meta"):
        made = AudioProjector(512, 5120, tokens, bottleneck=1024, norm=False)
        normed = AudioProjector(512, 5120, tokens, bottleneck=1024, norm=True)
    assert parameters(made) == published
    assert parameters(normed) == published + 2 * 512


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
@pytest.mark.parametrize("bottleneck", [5, None])
def test_shape_and_size(depth: int, bottleneck: int | None) -> None:
    made = projector(depth=depth, bottleneck=bottleneck)
    inner = 8 if bottleneck is None else bottleneck
    assert made(embeddings(4, 12)).shape == (4, 3, 8)
    hidden = (depth - 2) * (inner + 1) * inner
    assert parameters(made) == 2 * 12 + (12 + 1) * inner + hidden + (inner + 1) * 3 * 8


def test_layers_are_not_linear_together() -> None:
    made, x = projector(norm=False), embeddings(2, 12)
    assert not torch.allclose(made(x[:1] + x[1:]) + made(0 * x[:1]), made(x[:1]) + made(x[1:]), atol=1e-3)


@pytest.mark.parametrize(
    ("sequence", "shape", "message"),
    [
        (False, (2, 3, 12), r"embeddings of shape (2, 3, 12); give (batch, 12)"),
        (False, (12,), r"embeddings of shape (12,); give (batch, 12)"),
        (True, (2, 12), r"embeddings of shape (2, 12); give (batch, states, 12)"),
        (True, (2, 3, 11), r"embeddings of shape (2, 3, 11); give (batch, states, 12)"),
    ],
)
def test_embeddings_of_another_shape_are_refused(
    sequence: bool, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        projector(sequence=sequence)(embeddings(*shape))


def test_a_scale_of_0_would_silence_every_sound() -> None:
    with pytest.raises(InputError, match="tanh_scale=0: must be above 0; None is linear"):
        projector(tanh_scale=0)


@pytest.mark.parametrize("scale", [10.0, 2.0])
def test_tanh_bounds_the_output_at_its_scale(scale: float) -> None:
    bounded, free = projector(norm=False, tanh_scale=scale), projector(norm=False)
    loud = 1e4 * embeddings(8, 12)
    assert bounded(loud).abs().max() == scale
    assert free(loud).abs().max() > 100
    x = embeddings(4, 12)
    assert torch.allclose(bounded(x), scale * torch.tanh(free(x)))


def test_with_a_norm_an_encoder_of_another_scale_gives_the_same_tokens() -> None:
    normed, bare, loud = projector(), projector(norm=False), embeddings(4, 12) * 40
    assert torch.allclose(normed(loud), normed(loud / 1000), atol=1e-2)
    assert not torch.allclose(normed(loud), normed(-loud), atol=1e-2)
    assert not torch.allclose(bare(loud), bare(loud / 1000), atol=1e-2)


def test_standardised_embeddings_of_any_scale_and_mean_give_the_same_tokens() -> None:
    x = embeddings(20, 12)
    scale, shift = torch.linspace(0.01, 100, 12), torch.linspace(-50, 50, 12)
    made = [projector(norm=False) for _ in range(2)]
    for one, seen in zip(made, (x, x * scale + shift), strict=True):
        one.standardise(seen.mean(0), seen.std(0, correction=0))
    assert torch.allclose(made[0](x), made[1](x * scale + shift), atol=1e-3)
    assert not torch.allclose(made[0](x), projector(norm=False)(x), atol=1e-2)


def test_the_statistics_are_stored_with_the_weights_and_do_not_learn() -> None:
    made = projector()
    made.standardise(torch.arange(12.0), torch.full((12,), 3.0))
    assert {"mean", "deviation"}.isdisjoint(name for name, _ in made.named_parameters())
    again = projector()
    again.load_state_dict(made.state_dict())
    assert again.mean.tolist() == list(range(12))
    assert torch.equal(again(embeddings(2, 12)), made(embeddings(2, 12)))


def test_a_constant_dimension_keeps_its_scale() -> None:
    made = projector()
    deviation = torch.ones(12)
    deviation[4] = 0.0
    made.standardise(torch.zeros(12), deviation)
    assert made.deviation.tolist() == [1.0] * 12
    assert made(embeddings(2, 12)).isfinite().all()


@pytest.mark.parametrize("states", [1, 3, 7, 32])
def test_a_sequence_becomes_as_many_tokens_whatever_its_length(states: int) -> None:
    made = projector(sequence=True)
    assert made(embeddings(2, states, 12)).shape == (2, 3, 8)
    assert parameters(made) == 2 * 12 + (12 + 1) * 5 + (5 + 1) * 8


def test_each_token_of_a_sequence_hears_an_equal_part_of_it() -> None:
    made, x = projector(sequence=True), embeddings(2, 9, 12)
    averaged = x.view(2, 3, 3, 12).mean(2)
    assert torch.allclose(made(x), made(averaged), atol=1e-6)
    changed = x.clone()
    changed[:, 3:6] *= -1  # a norm hides what is added to all dimensions
    moved = (made(changed) - made(x)).abs().amax((0, 2))
    assert moved[1] > 1e-3
    assert moved[[0, 2]].max() < 1e-6


def test_a_sequence_is_standardised_by_one_mean_per_dimension() -> None:
    made = projector(sequence=True, norm=False)
    x = embeddings(2, 6, 12) * 5 + 40
    plain = made((x - x.mean((0, 1))) / x.std((0, 1)))
    made.standardise(x.mean((0, 1)), x.std((0, 1)))
    assert torch.allclose(made(x), plain, atol=1e-4)


def test_dropout_works_in_training_only() -> None:
    made, x = projector(dropout=0.5), embeddings(4, 12)
    assert torch.equal(made(x), made(x))
    assert torch.equal(made(x), projector()(x))
    made.train()
    assert not torch.allclose(made(x), made(x), atol=1e-3)


def test_half_precision_embeddings_are_taken() -> None:
    assert projector()(embeddings(2, 12).half()).dtype == torch.float32


def test_silence_is_a_finite_input() -> None:
    assert projector()(torch.full((1, 12), -1.0)).isfinite().all()


@pytest.mark.parametrize(
    ("sizes", "settings"),
    [
        ((0, 8, 3), {}),
        ((12, 0, 3), {}),
        ((12, 8, 0), {}),
        ((12, 8, 3), {"depth": 1}),
        ((12, 8, 3), {"bottleneck": 0}),
    ],
)
def test_a_projector_that_cannot_be(sizes: tuple[int, int, int], settings: dict[str, int]) -> None:
    with pytest.raises(
        InputError, match=r"a projector from \d+ dimensions by \d layers of \d+ to \d+ tokens"
    ):
        AudioProjector(*sizes, **settings)
