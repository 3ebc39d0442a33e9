"""Build the sample in shards/sample: a few clips of the synthetic world, built like any other dataset."""

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


def write_sample(out: Path) -> Summary:
    """Build the sample; it has the same bytes every time.

    Its sounds are ADPCM and its pictures JPEG, to be small. Both are decoded in integer arithmetic, so the
    hashes of decoded samples and pixels are equal on every machine.

    Raises:
        InputError: `out` holds something else, or may not be written to.
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
