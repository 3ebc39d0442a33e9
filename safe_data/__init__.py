"""Raw corpora to shards with cached audio embeddings; reading them back; facts about them.

Names are loaded when they are first used, so that `import safe_data` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from safe_data.audit.check import check
    from safe_data.build.build import build_dataset
    from safe_data.core.errors import InputError, MediaError
    from safe_data.encoders.encoder import AudioEncoder, load_encoder
    from safe_data.media.decode import decode_audio
    from safe_data.media.picture import decode_image
    from safe_data.media.sound import Sound
    from safe_data.records import Audio, Event, Example, Record, Rejected
    from safe_data.sampling.curriculum import Curriculum, Progress
    from safe_data.sampling.curriculum_file import read_stages
    from safe_data.sampling.mixture import Mixture
    from safe_data.sampling.order import Order
    from safe_data.shards.dataset import ShardDataset
    from safe_data.shards.verify import verify_dataset
    from safe_data.shards.webdataset_view import to_webdataset

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
    "build.build": ["build_dataset"],
    "sampling.curriculum": ["Curriculum", "Progress"],
    "shards.dataset": ["ShardDataset"],
    "encoders.encoder": ["AudioEncoder", "load_encoder"],
    "core.errors": ["InputError", "MediaError"],
    "audit.check": ["check"],
    "shards.webdataset_view": ["to_webdataset"],
    "media.decode": ["decode_audio"],
    "media.picture": ["decode_image"],
    "media.sound": ["Sound"],
    "sampling.mixture": ["Mixture"],
    "sampling.order": ["Order"],
    "records": ["Audio", "Event", "Example", "Record", "Rejected"],
    "sampling.curriculum_file": ["read_stages"],
    "shards.verify": ["verify_dataset"],
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'safe_data' has no attribute {name!r}")
    return getattr(import_module(f"safe_data.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
