"""Embeddings become audio tokens; the encoder's scale does not matter."""

import torch

from safe_train.pathway.projector import AudioProjector


def projector() -> AudioProjector:
    torch.manual_seed(0)
    return AudioProjector(12, tokens=3, width=8, bottleneck=5)


def test_shape_and_size() -> None:
    built = projector()
    assert built(torch.randn(4, 12)).shape == (4, 3, 8)
    # norm, down and up, each with a bias
    assert sum(p.numel() for p in built.parameters()) == 2 * 12 + (12 + 1) * 5 + (5 + 1) * 3 * 8


def test_the_published_size_of_sixteen_tokens_for_a_13b_model() -> None:
    with torch.device("meta"):
        built = AudioProjector(512, tokens=16, width=5120, bottleneck=1024)
    linear = sum(p.numel() for name, p in built.named_parameters() if not name.startswith("norm"))
    assert linear == 84_493_312


def test_an_encoder_of_another_scale_gives_the_same_tokens() -> None:
    built, loud = projector(), torch.randn(4, 12) * 40
    assert torch.allclose(built(loud), built(loud / 1000), atol=1e-2)
    assert not torch.allclose(built(loud), built(-loud), atol=1e-2)


def test_half_precision_embeddings_are_taken() -> None:
    assert projector()(torch.randn(2, 12).half()).dtype == torch.float32


def test_silence_is_a_finite_input() -> None:
    assert projector()(torch.full((1, 12), -1.0)).isfinite().all()
