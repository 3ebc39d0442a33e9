"""The EfficientNet of transformers computes what EfficientNet-lite0 does, with the weights of its file."""

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_vision import Weights, lite0, random_lite0
from torch import Tensor

from safe_data.core.errors import InputError
from safe_train.real.vision_tower import FEATURES, PATCH_SIDE, load_weights, renamed, vision_config


@pytest.fixture(scope="module")
def weights() -> Weights:
    return random_lite0()


@pytest.fixture(scope="module")
def file(weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "lite0.pth"
    torch.save(weights, path)
    return path


@pytest.fixture(scope="module")
def tower(file: Path) -> Any:
    made = new_tower()
    load_weights(made, file)
    return made


def new_tower() -> Any:
    from transformers import EfficientNetModel

    return EfficientNetModel(vision_config()).eval()


def noise(side: int) -> Tensor:
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(side))


@pytest.mark.parametrize("side", [64, 128])
def test_pictures_are_seen_as_by_the_original(tower: Any, weights: Weights, side: int) -> None:
    pixels = noise(side)
    with torch.no_grad():
        seen = tower(pixels).last_hidden_state
    wanted = lite0(weights, pixels)
    assert seen.shape == wanted.shape == (2, FEATURES, side // PATCH_SIDE, side // PATCH_SIDE)
    assert wanted.std() > 0.1
    assert wanted.max() <= 6
    torch.testing.assert_close(seen, wanted, atol=1e-4, rtol=1e-4)


def test_each_weight_matters(weights: Weights) -> None:
    """Else the comparison above could not find one that is in another's place."""
    pixels = noise(64)
    usual = lite0(weights, pixels)
    for name in ("_conv_stem.weight", "_blocks.2._depthwise_conv.weight", "_blocks.15._bn2.running_var"):
        assert not torch.allclose(lite0(weights | {name: weights[name] * 1.1}, pixels), usual, atol=1e-3)


def test_what_the_lite_networks_lack_multiplies_by_exactly_one(tower: Any) -> None:
    factors: list[Tensor] = []
    hooks = [
        block.squeeze_excite.register_forward_hook(lambda part, given, made: factors.append(made / given[0]))
        for block in tower.encoder.blocks
    ]
    with torch.no_grad():
        tower(noise(64) * 50)
    for hook in hooks:
        hook.remove()
    assert len(factors) == 16
    for factor in factors:
        assert set(factor.nan_to_num(1.0).flatten().tolist()) == {1.0}


def test_every_weight_of_the_file_but_the_classifier_is_used(weights: Weights, tower: Any) -> None:
    used = renamed(weights, 16)
    assert len(used) == len([name for name in weights if not name.startswith("_fc")])
    state = tower.state_dict()
    assert all(torch.equal(state[name], weight) for name, weight in used.items())


@pytest.mark.parametrize("name", ["_conv_stem.weight", "_blocks.7._bn1.running_var", "_bn1.bias"])
def test_a_missing_weight_is_named(weights: Weights, tmp_path: Path, name: str) -> None:
    torch.save({one: weight for one, weight in weights.items() if one != name}, tmp_path / "lite0.pth")
    with pytest.raises(InputError, match=rf"lite0\.pth: does not hold the weights of .*{name}"):
        load_weights(new_tower(), tmp_path / "lite0.pth")


def _others(weights: Weights) -> Iterator[Any]:
    wide = torch.zeros(64, 3, 3, 3)
    yield weights | {"_conv_stem.weight": wide}  # of another width
    yield list(weights)
    yield {}
    yield {"model": weights}
    yield weights | {"_bn0.bias": "a word"}
    yield weights | {"_bn0.bias": None}


@pytest.mark.parametrize("which", range(6))
def test_other_weights_are_refused(weights: Weights, tmp_path: Path, which: int) -> None:
    torch.save(list(_others(weights))[which], tmp_path / "lite0.pth")
    with pytest.raises(InputError, match=r"lite0\.pth: does not hold the weights"):
        load_weights(new_tower(), tmp_path / "lite0.pth")


class Touch:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    trap, touched = tmp_path / "trap.pth", tmp_path / "touched"
    for save in (torch.save, lambda made, path: path.write_bytes(pickle.dumps(made, 2))):
        save({"_conv_stem.weight": Touch(touched)}, trap)
        with pytest.raises(InputError, match=r"trap\.pth: does not hold the weights"):
            load_weights(new_tower(), trap)
        assert not touched.exists()
    pickle.loads(trap.read_bytes())
    assert touched.exists()  # so the trap works


def test_a_file_that_is_cut_off_or_no_weights_is_refused(file: Path, tmp_path: Path) -> None:
    whole, cut = file.read_bytes(), tmp_path / "cut.pth"
    tower = new_tower()
    for data in (
        b"",
        b"PK",
        b"no weights",
        whole[:1000],
        whole[: len(whole) // 2],
        whole[:-1000],
        whole[:-1],
    ):
        cut.write_bytes(data)
        with pytest.raises(InputError, match=r"cut\.pth: does not hold the weights"):
            load_weights(tower, cut)
    with pytest.raises(InputError, match=r"missing\.pth"):
        load_weights(tower, tmp_path / "missing.pth")
