"""The sample in shards/sample: clips of the synthetic world, built like any other dataset."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import soundfile
from PIL import Image

from safe_data.build.build import Summary, build_dataset
from safe_data.sources.synthetic.world import FEWEST_CLIPS, write_world

NAME = "sample"
CLIPS = 12
SEED = 0
MAX_BYTES = 200_000


def write_sample(out: Path) -> Summary:
    """Build the sample; the same bytes every time.

    To be small, its sounds are ADPCM and its pictures JPEG: both are decoded by integer arithmetic, so the
    hashes of what is in them are the same on every machine.
    """
    with TemporaryDirectory() as folder:
        world = Path(folder) / NAME
        write_world(world, clips=FEWEST_CLIPS, seed=SEED)
        metadata = world / "metadata.jsonl"
        rows = [json.loads(line) for line in metadata.read_text(encoding="utf-8").splitlines()[:CLIPS]]
        for row in rows:
            _shrink(world, row)
        metadata.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return build_dataset(world, out, name=NAME)


def _shrink(world: Path, row: dict[str, str]) -> None:
    sound, picture = world / row["audio_file_name"], world / row["image_file_name"]
    samples, rate = soundfile.read(sound, dtype="int16")
    soundfile.write(sound, samples, rate, subtype="MS_ADPCM")
    small = picture.with_suffix(".jpg")
    Image.open(picture).save(small, quality=85)
    row["image_file_name"] = str(small.relative_to(world))
