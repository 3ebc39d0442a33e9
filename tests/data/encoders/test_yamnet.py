"""YamnetEncoder on made weights: mel and network as written down twice, the same bytes in any batch."""

from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float32
from numpy import ndarray
from safetensors.numpy import save_file
from tensor_bundles import AS_WIDE, NARROW, PREFIX, SUFFIX, save_yamnet, write_bundle, yamnet_tensors
from tiny_encoders import sound

from safe_data.core.errors import InputError
from safe_data.encoders import yamnet, yamnet_mel
from safe_data.encoders.encoder import embed_silence, load_encoder
from safe_data.encoders.tensor_bundle import DATA, INDEX
from safe_data.encoders.yamnet import YamnetEncoder, fit_standardisation

RATE = 16_000
CLIPS = [sound(seconds, RATE, seed) for seed, seconds in enumerate((0.975, 1, 0.01, 2.3, 0.5, 4))]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_yamnet(tmp_path_factory.mktemp("yamnet"))


def plain_log_mel(samples: Float32[ndarray, " samples"]) -> ndarray:
    """The features of 0.975 seconds, each weight worked out on its own."""

    def mel(hertz: float) -> float:
        return float(2595 * np.log10(1 + hertz / 700))

    edges = [mel(125) + (mel(7500) - mel(125)) * index / 65 for index in range(66)]
    weights = np.zeros((257, 64))
    for band in range(64):
        low, centre, high = edges[band : band + 3]
        for index in range(1, 257):
            place = mel(index * 31.25)
            slopes = (place - low) / (centre - low), (high - place) / (high - centre)
            weights[index, band] = max(0, min(slopes))
    window = 0.5 * (1 - np.cos(2 * np.pi * np.arange(400) / 400))
    parts = np.stack([samples[start : start + 400] * window for start in range(0, 96 * 160, 160)])
    magnitudes = np.abs(np.fft.fft(np.pad(parts, ((0, 0), (0, 112))))[:, :257])
    features: ndarray = np.log(magnitudes @ weights + 0.001)
    return features


def plain_network(tensors: dict[str, ndarray], widths: tuple[int, ...]) -> torch.nn.Module:
    """YAMNet of torch's own layers, in evaluation."""
    layers: list[torch.nn.Module] = []

    def add(layer: int, depthwise: bool, before: int, after: int, side: int, stride: int) -> None:
        name = f"{PREFIX}{layer}/{'depthwise_kernel' if depthwise else 'kernel'}{SUFFIX}"
        kernel = torch.from_numpy(tensors[name])
        groups = before if depthwise else 1
        convolution = torch.nn.Conv2d(before, after, side, stride, groups=groups, bias=False)
        order = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
        convolution.weight.data = kernel.permute(order).contiguous()
        normalisation = torch.nn.BatchNorm2d(after, eps=1e-4)
        parts = {"beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
        for stored, part in parts.items():
            value = torch.from_numpy(tensors[f"{PREFIX}{layer + 1}/{stored}{SUFFIX}"])
            getattr(normalisation, part).data.copy_(value)
        if side == 3:  # as TensorFlow's "same" for even sides: in all, side - stride rows, the odd one last
            layers.append(torch.nn.ZeroPad2d((2 - stride, 1, 2 - stride, 1)))
        layers.extend([convolution, normalisation, torch.nn.ReLU()])

    add(0, False, 1, widths[0], 3, 2)
    for block, stride in enumerate([1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]):
        add(4 * block + 2, True, widths[block], widths[block], 3, stride)
        add(4 * block + 4, False, widths[block], widths[block + 1], 1, 1)
    return torch.nn.Sequential(*layers).eval()


@pytest.mark.parametrize("clip", [CLIPS[0], np.zeros(15_600, np.float32)], ids=["sound", "silence"])
def test_the_features_are_those_that_are_written_down(clip: ndarray) -> None:
    found = yamnet_mel.yamnet_mel(torch.from_numpy(clip)[None])
    assert found.shape == (1, 1, 96, 64)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found[0, 0].numpy(), plain_log_mel(clip), atol=1e-5)


def test_an_embedding_is_the_mean_over_patches_of_the_network(model: Path) -> None:
    encoder = YamnetEncoder(model)
    clip = np.divide(CLIPS[3], np.abs(CLIPS[3]).max())  # 2.3 s: patches at 0, 0.48, 0.96 and 1.44 s
    padded = np.pad(clip, (0, 3 * 7680 + 15_600 - len(clip)))
    patches = torch.from_numpy(np.stack([padded[7680 * i : 7680 * i + 15_600] for i in range(4)]))
    with torch.inference_mode():
        states = plain_network(yamnet_tensors(), NARROW)(yamnet_mel.yamnet_mel(patches))
        assert states.shape == (4, 24, 3, 2)
        expected = states.mean((0, 2, 3)).numpy()
    (raw,) = encoder.raw([CLIPS[3]])
    np.testing.assert_allclose(raw, expected, atol=1e-5)
    assert (raw > 0).sum() >= 12
    found = encoder.encode([CLIPS[3]])
    assert found.dtype == np.float16
    assert found.shape == (1, *encoder.shape) == (1, 24)
    np.testing.assert_array_equal(found[0], raw.astype(np.float16))


def test_a_sound_has_the_same_bytes_in_any_batch_order_and_number_of_threads(tmp_path: Path) -> None:
    encoder = YamnetEncoder(save_yamnet(tmp_path, AS_WIDE))
    together = encoder.encode(CLIPS)
    assert together.shape == (len(CLIPS), 1024)
    assert len(np.unique(together, axis=0)) == len(CLIPS)
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        alone = [YamnetEncoder(tmp_path).encode([clip]) for clip in reversed(CLIPS)]
    finally:
        torch.set_num_threads(threads)
    assert np.concatenate(alone[::-1]).tobytes() == together.tobytes()


def test_a_short_sound_is_followed_by_silence(model: Path) -> None:
    encoder = YamnetEncoder(model)
    filled = np.pad(CLIPS[4], (0, 15_600 - len(CLIPS[4])))
    assert encoder.encode([CLIPS[4]]).tobytes() == encoder.encode([filled]).tobytes()
    empty, silence = encoder.encode([np.zeros(0, np.float32), np.zeros(15_600, np.float32)])
    assert empty.tobytes() == silence.tobytes() == embed_silence(encoder).tobytes()
    assert np.isfinite(silence).all()


def test_loudness_is_not_heard(model: Path) -> None:
    encoder = YamnetEncoder(model)
    loud, quiet, tiny = encoder.encode([CLIPS[1], CLIPS[1] / 1024, CLIPS[1] * np.float32(2.0**-100)])
    assert loud.tobytes() == quiet.tobytes() == tiny.tobytes()
    assert loud.tobytes() != embed_silence(encoder).tobytes()


def test_a_sound_that_is_not_finite_is_refused(model: Path) -> None:
    for wrong in (np.nan, np.inf):
        clip = CLIPS[1].copy()
        clip[5000] = wrong
        with pytest.raises(InputError, match="an embedding is not finite in float16"):
            YamnetEncoder(model).encode([clip])


def test_patches_of_a_long_sound_are_spread_over_it() -> None:
    minute = yamnet_mel.patch_starts(60 * RATE)
    assert minute == [7680 * index for index in range(124)]
    longer = yamnet_mel.patch_starts(60 * RATE + 1_000_000)
    assert len(longer) == 124
    assert longer[0] == 0
    assert longer[-1] + 15_600 == 60 * RATE + 1_000_000


def test_the_spec_opens_it_and_its_folder_of_variables_will_do(model: Path) -> None:
    encoder = load_encoder(f"yamnet:{model}")
    inner = load_encoder(f"yamnet:{model / 'variables'}")
    assert (encoder.name, encoder.sample_rate_hz, encoder.shape) == ("yamnet", RATE, (24,))
    assert inner.fingerprint == encoder.fingerprint
    assert inner.encode(CLIPS[:1]).tobytes() == encoder.encode(CLIPS[:1]).tobytes()


def test_embeddings_are_standardised_by_the_clips_it_was_fitted_on(tmp_path: Path) -> None:
    before = YamnetEncoder(save_yamnet(tmp_path))
    raw = np.stack(list(before.raw(CLIPS)))
    assert fit_standardisation(tmp_path, iter(CLIPS)) == tmp_path / "standardisation.safetensors"
    after = YamnetEncoder(tmp_path)
    deviation = raw.std(axis=0)
    expected = (raw - raw.mean(axis=0)) / np.where(deviation == 0, 1, deviation)
    np.testing.assert_allclose(after.encode(CLIPS), expected, atol=5e-3)
    assert before.encode(CLIPS).tobytes() == raw.astype(np.float16).tobytes()
    assert after.fingerprint != before.fingerprint
    fit_standardisation(after, CLIPS)  # on what the network gives, not on what is standardised
    assert YamnetEncoder(tmp_path).fingerprint == after.fingerprint
    fit_standardisation(str(tmp_path), CLIPS[:3])
    assert YamnetEncoder(tmp_path).fingerprint not in (before.fingerprint, after.fingerprint)


def test_a_standardisation_needs_two_clips_and_the_width_of_the_model(tmp_path: Path) -> None:
    save_yamnet(tmp_path)
    with pytest.raises(InputError, match="fitted on 1 sounds; give at least 2"):
        fit_standardisation(tmp_path, CLIPS[:1])
    ones = np.ones(1024, np.float32)
    save_file({"mean": ones, "deviation": ones}, tmp_path / "standardisation.safetensors")
    with pytest.raises(InputError, match=r"shape \(1024,\), not float32 of \(24,\); fit it again"):
        YamnetEncoder(tmp_path)


def test_the_fingerprint_covers_weights_and_every_parameter(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = YamnetEncoder(model).fingerprint
    assert len(original) == 16
    assert YamnetEncoder(save_yamnet(tmp_path / "same")).fingerprint == original
    assert YamnetEncoder(save_yamnet(tmp_path / "other", seed=1)).fingerprint != original
    numbers = {name for name, value in vars(yamnet_mel).items() if type(value) in (int, float)}
    assert numbers - {"PATCH_SAMPLES", "PATCH_HOP_SAMPLES"} == set(yamnet_mel.PARAMETERS)
    places = [(yamnet_mel, name) for name in yamnet_mel.PARAMETERS]
    places += [(yamnet, "EPSILON"), (yamnet, "STRIDES"), (yamnet, "_VERSION")]
    for module, name in places:
        with monkeypatch.context() as patch:
            encoder = YamnetEncoder(model)
            patch.setattr(module, name, 7)
            assert encoder.fingerprint != original, name


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("0/kernel", None, r"has 0 variables '…layer_with_weights-0/kernel"),
        ("0/kernel", (3, 3, 4), "has 0 variables"),
        ("0/kernel", (5, 5, 1, 4), r"has the shape \(5, 5, 1, 4\), YAMNet's would be \(3, 3, 1, 4\)"),
        ("4/kernel", None, r"has no variable '.*layer_with_weights-4/kernel/"),
        ("4/kernel", (), r"has the shape \(\), YAMNet's would be \(1, 1, 4, 0\)"),
        ("52/kernel", (1, 1, 24, 0), r"has the shape \(1, 1, 24, 0\)"),
        ("2/depthwise_kernel", (3, 3, 4, 2), r"YAMNet's would be \(3, 3, 4, 1\)"),
        ("53/moving_variance", None, r"has no variable '.*53/moving_variance/"),
        ("1/beta", (5,), r"has the shape \(5,\), YAMNet's would be \(4,\)"),
    ],
)
def test_variables_of_another_model_are_refused(
    tmp_path: Path, name: str, shape: tuple[int, ...] | None, message: str
) -> None:
    tensors = yamnet_tensors()
    del tensors[PREFIX + name + SUFFIX]
    if shape is not None:
        tensors[PREFIX + name + SUFFIX] = np.ones(shape, np.float32)
    write_bundle(tmp_path / "variables", tensors)
    with pytest.raises(InputError, match=message):
        YamnetEncoder(tmp_path)


def test_two_models_in_one_file_are_refused(tmp_path: Path) -> None:
    tensors = yamnet_tensors()
    second = {f"other/{name}": tensor for name, tensor in tensors.items()}
    write_bundle(tmp_path, tensors | second)
    with pytest.raises(InputError, match="has 2 variables"):
        YamnetEncoder(tmp_path)


def test_weights_of_another_type_or_damaged_or_not_finite_are_refused_on_first_use(tmp_path: Path) -> None:
    name = f"{PREFIX}53/moving_variance{SUFFIX}"
    for wrong, message in (
        (np.ones(24, np.int64), "has the data type 9"),
        (np.full(24, -1, np.float32), "or what follows is not finite"),
    ):
        write_bundle(tmp_path, yamnet_tensors() | {name: wrong})
        with pytest.raises(InputError, match=message):
            YamnetEncoder(tmp_path).encode(CLIPS[:1])
    write_bundle(tmp_path, yamnet_tensors())
    data = bytearray((tmp_path / DATA).read_bytes())
    data[100] ^= 1
    (tmp_path / DATA).write_bytes(data)
    with pytest.raises(InputError, match="is damaged in"):
        YamnetEncoder(tmp_path).encode(CLIPS[:1])


def test_a_folder_without_variables_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match=rf"has no variables/{INDEX}; give the folder of a TensorFlow"):
            YamnetEncoder(path)
