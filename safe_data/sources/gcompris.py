"""GCompris: the sounds of a program for children, asked what kind of sound each is.

- Program: https://gcompris.net, by its authors and KDE.
- Get: the Debian package gcompris-qt-data (3.1-2 was read; 44 MB), unpacked or installed. Licence: the
  program's is GPL-3+; that of each sound is in its metadata, after Debian's copyright file and, where that
  names no sound, the README beside it. Size: 135 recordings, of which 94 (8 min) are records.

Expected under ROOT, which may also be the folder `rcc` itself, or `usr/share/gcompris-qt`:

    usr/share/gcompris-qt/rcc/{activity}.rcc        resource files of Qt, see `safe_data.sources.qt_resources`

A sound of `SOUNDS` is a record with one question: its kind, one of `KINDS`. All are in the split `test`: the
corpus exists to test on, with recordings from elsewhere than those that one trains on. `group` is the
recording's content. The sounds are copied to ROOT/media/, so ROOT must be writable; a sound that the files
hold twice is one record, the first. Of an activity whose file is missing, nothing is read; a sound that is
missing in its file is rejected.

What a kind means: `drum` is a drum or other percussion without pitch, `instrument` has pitch and is played,
`noise` is what nobody plays or says: things, machines, weather, beeps. No recording is of `speech`: the
voices of GCompris are other packages. Sounds are left out whose kind their name does not settle: songs, what
rings (gong, triangle), jingles, harbours, frogs in a storm, and names such as `LRWeird_1_LA`; so are `eat`,
`eraser1` and `eraser2`, which glide in pitch as a voice does, and three that last 0.1 s or less.

Faults: `click.wav` of two activities is `smudge.wav` of core; `bubble.wav` of watercycle differs from that of
clickgame by at most two steps of 16 bits, and is left out. Debian's copyright file says CC-BY-3.0 of
`car.wav`, the README beside it CC-BY-SA-3.0; the former is used. The page of `drum_kit.ogg` now says
CC-BY-NC-3.0. `pickaxe.wav` has 8 kHz, `train.wav` 11 kHz. Nearly half of the records are noise, and 15 of
these 44 are shorter than half a second, as only two others are: report what the majority and durations give.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from safe_data.core.errors import InputError
from safe_data.records import Audio, Record, Records, Rejected
from safe_data.sources.hub_media import MediaFolder
from safe_data.sources.ids import id_of
from safe_data.sources.media_files import SOUNDS as SUFFIXES
from safe_data.sources.qt_resources import Resource, list_resources, read_resource
from safe_data.sources.sound_kinds import kind_example

DATASET = "gcompris"
SPLIT = "test"
GET = "the Debian package gcompris-qt-data"
FOLDERS = ("", "rcc", "usr/share/gcompris-qt/rcc")


class Sounds(NamedTuple):
    """Sounds of an activity that have a kind and a licence in common, by their names without suffix."""

    activity: str
    kind: str
    licence: str
    names: str


SOUNDS = (
    Sounds("explore_farm_animals", "animal", "GPL-3", "cat chickens cow dog duck horse owl pig sheep"),
    Sounds("memory-sound", "animal", "Free Art", "LRBark_1_LA_cut LRBark_3_LA_cut"),
    Sounds("instruments", "drum", "GPL-3+", "bongo castanets cymbal maracas snare_drum tambourine timpani"),
    Sounds("instruments", "drum", "CC-sampling-plus-1.0", "drum_kit"),
    Sounds("explore_world_music", "drum", "CC0-1.0", "africa japan"),
    Sounds("instruments", "instrument", "GPL-3+", "accordion banjo cello clarinet electric_guitar"),
    Sounds("instruments", "instrument", "GPL-3+", "flute_traversiere guitar harmonica harp horn organ"),
    Sounds("instruments", "instrument", "GPL-3+", "piano saxophone trombone trumpet tuba violin"),
    Sounds("explore_world_music", "instrument", "public domain", "australia"),
    Sounds("explore_world_music", "instrument", "CC0-1.0", "beethoven"),
    Sounds("explore_world_music", "instrument", "CC-BY-3.0", "ireland"),
    Sounds("melody", "instrument", "GPL-3", "xylofon_son1 xylofon_son2 xylofon_son3 xylofon_son4"),
    Sounds("memory-sound", "instrument", "GPL-3+", "guitar_son1 guitar_son2 guitar_son3 guitar_son4"),
    Sounds("memory-sound", "instrument", "GPL-3+", "guitar_melody"),
    Sounds("memory-sound", "noise", "Free Art", "LRApplauses_1_LA_cut LRDoor_Open_2_LA LRFireballs_01_LA"),
    Sounds("memory-sound", "noise", "Free Art", "LRObject_falling_01_LA LRObject_falling_02_LA"),
    Sounds("memory-sound", "noise", "Free Art", "LRRain_in_garden_01_LA_cut LRTrain_slowing_down_01_LA_cut"),
    Sounds("memory-sound", "noise", "Free Art", " ".join(f"LRFactory_noise_0{n}_LA" for n in range(1, 7))),
    Sounds("memory-sound", "noise", "GPL-3+", "LRStartAndStopCarEngine1LACut"),
    Sounds("align4_2players", "noise", "CC0-1.0 and CC-BY-3.0", "slide"),
    Sounds("babymatch", "noise", "GPL-3+", "drop slideIn slideOut"),
    Sounds("canal_lock", "noise", "CC0-1.0", "door_close door_open"),
    Sounds("canal_lock", "noise", "CC-BY-3.0", "lock water_fill"),
    Sounds("clickgame", "noise", "GPL-3+", "bubble"),
    Sounds("core", "noise", "GPL-3+", "bleep brick crash smudge water"),
    Sounds("guessnumber", "noise", "CC-BY-3.0", "helicopter"),
    Sounds("melody", "noise", "GPL-3", "knock"),
    Sounds("memory", "noise", "CC-BY-3.0", "card_flip"),
    Sounds("mining", "noise", "CC-BY-SA-4.0", "pickaxe"),
    Sounds("money", "noise", "CC0-1.0", "money1 money2"),
    Sounds("morse_code", "noise", "Apache-2.0", "dash dot"),
    Sounds("nine_men_morris", "noise", "CC-BY-SA-4.0", "click"),
    Sounds("play_rhythm", "noise", "GPL-3+", "click"),
    Sounds("railroad", "noise", "GPL-3+", "train"),
    Sounds("redraw", "noise", "CC0-1.0", "brush eraser"),
    Sounds("reversecount", "noise", "CC-BY-3.0", "icy_walk"),
    Sounds("scalesboard", "noise", "CC-BY-3.0", "metal_hit"),
    Sounds("target", "noise", "CC0-1.0 and CC-BY-3.0", "arrow"),
    Sounds("tic_tac_toe", "noise", "CC-BY-SA-4.0", "click"),
    Sounds("traffic", "noise", "CC-BY-3.0", "car"),
)


def read(root: Path) -> Records:
    """Yield the sounds in the order of `SOUNDS`, and those that their resource file lacks as rejected.

    Raises:
        InputError: no resource file is there, one is damaged, or ROOT/media/ cannot be written.
    """
    listed: dict[Path, dict[str, tuple[str, Resource]]] = {}
    seen: set[str] = set()
    for sounds, file in _with_files(root):
        if file not in listed:
            listed[file] = _by_name(list_resources(file))
        for name in sounds.names.split():
            entry = _entry(root, sounds, file, name, listed[file].get(name))
            if isinstance(entry, Record):
                if entry.group in seen:
                    continue
                seen.add(entry.group)
            yield entry


def _with_files(root: Path) -> Iterator[tuple[Sounds, Path]]:
    """The sounds of activities whose resource file is there, with that file."""
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give the one that holds the corpus")
    folder = next((root / place for place in FOLDERS if any((root / place).glob("*.rcc"))), None)
    found = [(sounds, folder / f"{sounds.activity}.rcc") for sounds in SOUNDS] if folder else []
    there = [(sounds, file) for sounds, file in found if file.is_file()]
    if not there:
        raise InputError(
            f"{root}: holds no {SOUNDS[0].activity}.rcc or other file of sounds; get it from {GET}"
        )
    yield from there


def _by_name(resources: dict[str, Resource]) -> dict[str, tuple[str, Resource]]:
    """The sounds in a resource file by their names without folders and suffix."""
    paths = {name: PurePosixPath(name) for name in resources}
    return {
        path.stem: (path.name, resources[name])
        for name, path in paths.items()
        if path.suffix.lower() in SUFFIXES
    }


def _entry(
    root: Path, sounds: Sounds, file: Path, name: str, found: tuple[str, Resource] | None
) -> Record | Rejected:
    about: dict[str, Any] = {"id": id_of(f"{sounds.activity}-{name}"), "dataset": DATASET, "split": SPLIT}
    if found is None:
        return Rejected(**about, reason=f"no such file: {name} in {file.name}")
    file_name, resource = found
    try:
        data = read_resource(file, resource)
    except InputError as error:
        return Rejected(**about, reason=f"unreadable file: {file_name}: {error}")
    path = _placed(root, data, file_name)
    return Record(
        **about,
        group=f"sound-{PurePosixPath(path).stem}",
        label=sounds.kind,
        audio=Audio(path=path),
        examples=(kind_example(about["id"], sounds.kind),),
        metadata={"activity": sounds.activity, "file_name": file_name, "license": sounds.licence},
    )


def _placed(root: Path, data: bytes, file_name: str) -> str:
    """Copy a sound below the root; its path there, which is named by the hash of the content.

    Raises:
        InputError: the root cannot be written to.
    """
    try:
        return str(MediaFolder(root).place({"bytes": data, "path": file_name}))
    except InputError as error:
        raise InputError(
            *error.lines, f"the sounds are copied to {root / 'media'}: copy the corpus to where you may write"
        ) from None
