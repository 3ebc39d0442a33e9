"""Turn raw corpora into shards with cached audio embeddings, read them back, and check them.

Names are loaded when they are first used, so that `import safe_data` costs nothing.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from safe_data.audit.auditing import audit_datasets
    from safe_data.audit.check import check
    from safe_data.build.add_encoder import add_encoder
    from safe_data.build.build import Summary, build_dataset
    from safe_data.build.sample import write_sample
    from safe_data.core.errors import InputError, MediaError
    from safe_data.encoders.encoder import AudioEncoder, load_encoder
    from safe_data.media.decode import decode_audio
    from safe_data.media.picture import decode_image
    from safe_data.media.sound import Sound
    from safe_data.media.video_frames import video_frames
    from safe_data.records import Audio, Event, Example, Record, Rejected
    from safe_data.sampling.curriculum import Curriculum, Progress
    from safe_data.sampling.curriculum_file import read_stages
    from safe_data.sampling.mixture import Mixture
    from safe_data.sampling.order import Order
    from safe_data.sampling.outlook import check_sampling
    from safe_data.shards.croissant import croissant
    from safe_data.shards.dataset import ShardDataset
    from safe_data.shards.info import Info, read_info
    from safe_data.shards.rejected import Rejects, read_rejected
    from safe_data.shards.verify import Verified, verify_dataset
    from safe_data.shards.webdataset_view import to_webdataset
    from safe_data.sources.synthetic.world import write_world
    from safe_data.splitting.command import split

__all__ = [
    "Audio",
    "AudioEncoder",
    "Curriculum",
    "Event",
    "Example",
    "Info",
    "InputError",
    "MediaError",
    "Mixture",
    "Order",
    "Progress",
    "Record",
    "Rejected",
    "Rejects",
    "ShardDataset",
    "Sound",
    "Summary",
    "Verified",
    "add_encoder",
    "audit_datasets",
    "build_dataset",
    "check",
    "check_sampling",
    "croissant",
    "decode_audio",
    "decode_image",
    "load_encoder",
    "read_info",
    "read_rejected",
    "read_stages",
    "split",
    "to_webdataset",
    "verify_dataset",
    "video_frames",
    "write_sample",
    "write_world",
]

_NAMES = {
    "core.errors": ["InputError", "MediaError"],
    "records": ["Audio", "Event", "Example", "Record", "Rejected"],
    "media.decode": ["decode_audio"],
    "media.picture": ["decode_image"],
    "media.sound": ["Sound"],
    "media.video_frames": ["video_frames"],
    "sources.synthetic.world": ["write_world"],
    "encoders.encoder": ["AudioEncoder", "load_encoder"],
    "shards.dataset": ["ShardDataset"],
    "shards.info": ["Info", "read_info"],
    "shards.rejected": ["Rejects", "read_rejected"],
    "shards.croissant": ["croissant"],
    "splitting.command": ["split"],
    "shards.verify": ["Verified", "verify_dataset"],
    "shards.webdataset_view": ["to_webdataset"],
    "build.build": ["Summary", "build_dataset"],
    "build.add_encoder": ["add_encoder"],
    "build.sample": ["write_sample"],
    "sampling.curriculum": ["Curriculum", "Progress"],
    "sampling.curriculum_file": ["read_stages"],
    "sampling.mixture": ["Mixture"],
    "sampling.order": ["Order"],
    "sampling.outlook": ["check_sampling"],
    "audit.auditing": ["audit_datasets"],
    "audit.check": ["check"],
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}


# Where torchao is installed, transformers imports it with the first model, and it warns of kernels for other
# machines.
for _logger in ("torchao", "torch.utils._pytree"):
    logging.getLogger(_logger).setLevel(logging.ERROR)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'safe_data' has no attribute {name!r}")
    return getattr(import_module(f"safe_data.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__
