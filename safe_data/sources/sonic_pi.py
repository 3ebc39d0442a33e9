"""Sonic Pi: samples to play music with, drums, instruments and noises, asked what kind of sound each is.

- Program: https://sonic-pi.net, by Sam Aaron; the samples are by contributors of Freesound.
- Get: the Debian package sonic-pi-samples (3.2.2 was read; 22 MB), unpacked or installed. Licence: the
  samples are CC0-1.0, as their README.md says. Size: 165 recordings, of which 105
  (under 3 min) are records.

Expected under ROOT, which may also be `usr/share/sonic-pi` or the folder `samples` itself:

    usr/share/sonic-pi/samples/{name}.flac

A sample whose name tells its kind (`PATTERNS`) is a record with one question: the kind, one of `KINDS`. The
others are left out: loops, what rings (bells, chimes), hums and drones, and names that may be anything, such
as `bass_hit_c`, `glitch_perc1` and `mehackit_robot1`; so are noises of less than 0.1 s. A kind means what it
means in `safe_data.sources.gcompris`.

`group` is the instrument: what is left of the name without its number, note and way of playing, so that
`tabla_ke1` and `tabla_ke2`, or `drum_snare_soft` and `drum_snare_hard`, stay together. There are no official
splits: of the groups of a kind, in the order of their hashes, every fifth is in `val`, the others in `train`.

Faults: two thirds of the records are drums, and one is an animal, so this corpus alone teaches no kinds.
`tabla_ke1` to `tabla_ke3` last 76 ms or less. Most `drum_*` are of one kit, and all tablas of one player, so
`val` is not far from `train`. README.md spells some names otherwise (`perc_bell_2`), so it is not read.
"""

import hashlib
import re
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from safe_data.core.errors import InputError
from safe_data.records import Audio, Record, Records
from safe_data.sources.ids import id_of
from safe_data.sources.media_files import list_folders
from safe_data.sources.sound_kinds import kind_example

DATASET = "sonic_pi"
GET = "the Debian package sonic-pi-samples"
LICENCE = "CC0-1.0"
FOLDERS = (".", "samples", "usr/share/sonic-pi/samples")
SUFFIXES = (".flac",)
EVERY = 5  # of so many groups, one is in val

PATTERNS = {
    "animal": "misc_crow",
    "drum": "bd_* drum_* sn_* tabla_* elec_*snare elec_*kick elec_*tom elec_cymbal",
    "instrument": "ambi_piano bass_[!h]* bass_hard_c guit_*",
    "noise": "ambi_dark_woosh ambi_sauna ambi_soft_buzz ambi_swoosh elec_beep elec_blip* elec_blup elec_plip "
    "elec_twip loop_3d_printer perc_door perc_swash perc_swoosh perc_till vinyl_*",
}

# How one instrument is played: its number, a stroke of a drum or a tabla, or the note of a bass.
_WAY = re.compile(r"(?<=\D)\d+\Z|_(hard|soft|open|closed|pedal|o|s|m|ne)\Z|(_hit)?_c\Z")


def read(root: Path) -> Records:
    """Yield the samples whose names tell their kinds, by name.

    Raises:
        InputError: the folder is missing, or holds no such sample.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give the one that holds the corpus")
    listed = list_folders(root, FOLDERS, SUFFIXES)
    found = {
        name: (folder, kind)
        for folder in reversed(FOLDERS)
        for name in listed.get(folder, ())
        if (kind := kind_of(name))
    }
    if not found:
        raise InputError(f"{root}: holds no bd_808.flac or other sample; get them from {GET}")
    splits = splits_of({group_of(Path(name).stem): kind for name, (_, kind) in found.items()})
    for name, (folder, kind) in sorted(found.items()):
        yield _record(f"{folder}/{name}", kind, splits[group_of(Path(name).stem)])


def kind_of(file_name: str) -> str | None:
    """The kind of sound that the name of a sample tells, or None.

    >>> kind_of("bd_808.flac"), kind_of("vinyl_hiss.flac"), kind_of("loop_amen.flac")
    ('drum', 'noise', None)
    """
    name = Path(file_name).stem
    told = (
        kind for kind, patterns in PATTERNS.items() if any(fnmatchcase(name, one) for one in patterns.split())
    )
    return next(told, None)


def group_of(name: str) -> str:
    """The instrument that a sample is of.

    >>> [group_of(name) for name in ("tabla_ke2", "drum_tom_hi_soft", "bass_voxy_hit_c", "bd_808")]
    ['tabla_ke', 'drum_tom_hi', 'bass_voxy', 'bd_808']
    """
    return name if name.startswith("bd_") else _WAY.sub("", name)


def splits_of(kinds: dict[str, str]) -> dict[str, str]:
    """The split of each group, `train` or `val`, by the hashes of the groups of its kind.

    >>> list(splits_of(dict.fromkeys("abcdef", "drum")).values()).count("val")
    1
    """
    groups = sorted(kinds, key=lambda group: hashlib.sha256(group.encode(errors="surrogatepass")).digest())
    of_kind: dict[str, list[str]] = {}
    for group in groups:
        of_kind.setdefault(kinds[group], []).append(group)
    return {
        group: "train" if (place + 1) % EVERY else "val"
        for same in of_kind.values()
        for place, group in enumerate(same)
    }


def _record(path: str, kind: str, split: str) -> Record:
    file = PurePosixPath(path)
    record_id = id_of(file.stem)
    return Record(
        id=record_id,
        dataset=DATASET,
        split=split,
        group=group_of(file.stem),
        label=kind,
        audio=Audio(path=str(file)),
        examples=(kind_example(record_id, kind),),
        metadata={"file_name": file.name, "license": LICENCE},
    )
