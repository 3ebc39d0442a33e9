"""Raw corpora to shards with cached audio embeddings; reading them back; facts about them.

Names are loaded when they are first used, so that `import safe_data` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from safe_data.build import build_dataset
    from safe_data.curriculum import Curriculum, Progress
    from safe_data.dataset import ShardDataset
    from safe_data.encoders import AudioEncoder, load_encoder
    from safe_data.errors import InputError, MediaError
    from safe_data.expect import check
    from safe_data.interop import to_webdataset
    from safe_data.media import Sound, decode_audio, decode_image
    from safe_data.mixture import Mixture
    from safe_data.order import Order
    from safe_data.records import Audio, Event, Example, Record, Rejected
    from safe_data.stages import read_stages
    from safe_data.verify import verify_dataset

__all__ = [
    "Audio",
    "AudioEncoder",
    "Curriculum",
    "Event",
    "Example",
    "InputError",
    "MediaError",
    "Mixture",
    "Order",
    "Progress",
    "Record",
    "Rejected",
    "ShardDataset",
    "Sound",
    "build_dataset",
    "check",
    "decode_audio",
    "decode_image",
    "load_encoder",
    "read_stages",
    "to_webdataset",
    "verify_dataset",
]

_HOMES = {
    "build": ["build_dataset"],
    "curriculum": ["Curriculum", "Progress"],
    "dataset": ["ShardDataset"],
    "encoders": ["AudioEncoder", "load_encoder"],
    "errors": ["InputError", "MediaError"],
    "expect": ["check"],
    "interop": ["to_webdataset"],
    "media": ["Sound", "decode_audio", "decode_image"],
    "mixture": ["Mixture"],
    "order": ["Order"],
    "records": ["Audio", "Event", "Example", "Record", "Rejected"],
    "stages": ["read_stages"],
    "verify": ["verify_dataset"],
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'safe_data' has no attribute {name!r}")
    return getattr(import_module(f"safe_data.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
