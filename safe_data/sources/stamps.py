"""Tux Paint's stamps: pictures of things, the sounds they make, and their names in many languages, spoken.

- Get: the Debian package `tuxpaint-stamps-default` (2022.06.04-1, 161 MB): `apt-get download
  tuxpaint-stamps-default`, and unpack it with `dpkg-deb -x`. Site: https://tuxpaint.org/stamps.
  Licence: GPL-2. Size: 627 pictures outside the alphabets, 112 sounds of things, 210 spoken digits, 6,500
  spoken names, nearly all shorter than 3 s.

Expected under ROOT, which is the folder of the stamps or that of the unpacked package
(usr/share/tuxpaint/stamps):

    {folder}/{NAME}.png                          the picture; a stamp that is drawn as .svg has none
    {folder}/{NAME}.txt                          the English name in the first line, others after it
    {folder}/{NAME}.ogg                          its own sound; or .wav, here and below
    {folder}/{NAME}_desc.ogg, _desc_{XX}.ogg     its name, spoken in English or in another language
    symbols/math/{0-9}.ogg, {0-9}_{XX}.ogg       a digit, spoken in English or in another language

A record asks one question, or two, in free words, as to score choices takes a pass for each. `question_type`
names them:

- `thing`, the picture: what kind of thing it shows, of the 19 kinds in `stamp_kinds`. It is asked beside the
  first of the picture's voices, which has nothing to do with it, or of the picture alone where none is asked.
- `voice`, a picture and its spoken name: in which of `LANGUAGES`; `VOICES_PER_STAMP` of each picture, so
  chosen that a split has as many of each language as it can. `needs_audio`, as are all that follow.
- `kind`, a sound alone: what kind of sound it is, one of `sound_kinds.KINDS`; an English name is speech.
- `digit`, a sound alone: which digit is spoken, in any of 22 languages.
- `fit`, a picture and a sound of a thing: whether they fit. Two stamps of a split are a couple, and each
  picture has both sounds; so every picture and every sound is asked with yes as often as with no.

There are no official splits. 60 % of the things are in `train`, 20 % each in `val` and `test`, which need a
few dozen sounds each; the things of a kind take turns in the order of their hashes. Stamps are one thing if
they share a folder and a name but for a number at its end, an English name, a picture or a recording, or if
their pictures look alike (`stamp_groups.ALIKE`). `group` is the first stamp of all the things that couples
join, so it holds whole compositions; that of a digit is the recording, or in English its picture's. A
recording that two stamps have is asked about once.

Faults: 25 stamps' recordings have other names than their pictures, mostly in another case, and are left out,
like the mirrored pictures; mosquito.ogg and wallaby_desc.ogg have no file of names, and are rejected; the
lightning bolt is white on nothing, so its picture is left out; a silent recording stands for the giraffe,
iguana, rhea and wombat, and is left out; the badger has the beaver's sound, and the ram the mountain goat's,
in files that differ by a serial number. Each language was recorded with its own equipment by one speaker or a
few: loudness, noise and duration alone tell most voices apart, so compare with these. `safe-data check`
takes records with one sound for one record, so it finds conflicting answers wherever `fit` is asked.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from safe_data.records import Audio, Example, Record, Records, Rejected
from safe_data.sources.ids import id_of
from safe_data.sources.sound_kinds import kind_example, worded
from safe_data.sources.stamp_files import ENGLISH, Digit, Stamp, Tree, read_tree
from safe_data.sources.stamp_groups import Groups, group_stamps, rank
from safe_data.sources.stamp_kinds import SILENT, SOUNDS, THINGS, kind_in

DATASET = "stamps"
LICENCE = "GPL-2"
VOICES_PER_STAMP = 2
LANGUAGES = {
    "be": "Belarusian",
    "bg": "Bulgarian",
    "ca": "Catalan",
    "el": "Greek",
    "es": "Spanish",
    "fr": "French",
    "ro": "Romanian",
    "ru": "Russian",
}
DIGITS = tuple("0123456789")
WORDINGS = {
    "thing": (
        "What kind of thing is in the picture?",
        "What kind of thing does the picture show?",
        "Which kind of thing is this?",
        "What kind of thing do you see?",
    ),
    "voice": (
        "Which language is spoken?",
        "What language is the voice speaking?",
        "In which language is the word spoken?",
    ),
    "digit": ("Which digit is spoken?", "What digit do you hear?", "Which digit does the voice say?"),
    "fit": (
        "Does the sound fit the picture?",
        "Does the sound belong to the picture?",
        "Do the picture and the sound fit together?",
    ),
}


def read(root: Path) -> Records:
    """Yield what is asked about each stamp, in the order of their paths, then digits, couples and faults.

    Raises:
        InputError: the root holds no folder of stamps.
    """
    tree = read_tree(root)
    groups = group_stamps(tree)
    spoken = _chosen_voices(tree, groups)
    heard: set[str] = set()
    for stamp in tree.stamps:
        for entry in _of_stamp(stamp, spoken.get(stamp.path, ()), groups):
            if _is_new(entry, tree, heard):
                yield entry
    for digit in tree.digits:
        if _is_new(entry := _of_digit(digit, groups), tree, heard):
            yield entry
    for one, other in groups.couples:
        for picture, sound in ((one, one), (other, other), (one, other), (other, one)):
            yield _fit(picture, sound, groups)
    for file, (path, reason) in tree.faults.items():
        yield _rejected(f"{id_of(file)}-file", path, groups, reason, file)


def _is_new(entry: Record | Rejected, tree: Tree, heard: set[str]) -> bool:
    """Whether a record's recording was not asked about yet, as that of another stamp; it now is."""
    if not isinstance(entry, Record) or entry.audio is None:
        return True
    content = tree.contents[entry.audio.path]
    is_new = content not in heard
    heard.add(content)
    return is_new


def _chosen_voices(tree: Tree, groups: Groups) -> dict[str, tuple[str, ...]]:
    """The languages in which the name of each picture is asked about, the rarest so far of its split.

    Pictures with the fewest languages come first, so that the others can make up for what these must take.
    """
    used: Counter[tuple[str, str]] = Counter()
    heard: set[str] = set()  # a recording of two stamps is asked about once
    chosen = {}
    pictured = [stamp for stamp in tree.stamps if stamp.picture and stamp.name]
    for stamp in sorted(pictured, key=lambda one: (len(LANGUAGES.keys() & one.voices), rank(one.path))):
        split = groups.splits[stamp.path]
        codes = sorted(LANGUAGES.keys() & stamp.voices, key=lambda code: rank(f"{stamp.path} {code}"))
        new = [code for code in codes if tree.contents[stamp.voices[code]] not in heard]
        rarest = sorted(new, key=lambda code: used[split, code])[:VOICES_PER_STAMP]
        used.update((split, code) for code in rarest)
        heard.update(tree.contents[stamp.voices[code]] for code in rarest)
        chosen[stamp.path] = tuple(rarest)
    return chosen


def _of_stamp(stamp: Stamp, languages: tuple[str, ...], groups: Groups) -> Iterator[Record | Rejected]:
    english = stamp.voices.get(ENGLISH)
    if stamp.name is None:
        # Where there are only voices, they are another stamp's under a wrong name.
        if medium := stamp.picture or stamp.sound or english:
            yield _rejected(id_of(stamp.path), stamp.path, groups, stamp.fault, medium)
        return
    about = {"name": stamp.name}
    thing = kind_in(THINGS, stamp.path) if stamp.picture else None
    if thing and not languages:
        yield _record(stamp.path, "thing", thing, groups, about, image=stamp.picture)
    for place, code in enumerate(languages):
        told = about | {"language": code}
        media = {"image": stamp.picture, "sound": stamp.voices[code]}
        record = _record(stamp.path, f"voice-{code}", LANGUAGES[code], groups, told, **media)
        if thing and not place:
            asked = _example(f"{id_of(stamp.path)}-thing", "thing", thing, needs_audio=False)
            record = record.model_copy(update={"examples": (*record.examples, asked)})
        yield record
    if stamp.sound and stamp.path not in SILENT and (kind := kind_in(SOUNDS, stamp.path)):
        yield _record(stamp.path, "kind-sound", kind, groups, about, sound=stamp.sound)
    if english:
        told = about | {"language": ENGLISH}
        yield _record(stamp.path, "kind-name", "speech", groups, told, sound=english)


def _of_digit(digit: Digit, groups: Groups) -> Record:
    about = {"name": digit.digit, "language": digit.language}
    return _record(digit.path, "digit", digit.digit, groups, about, sound=digit.sound)


def _fit(picture: Stamp, sound: Stamp, groups: Groups) -> Record:
    """Whether the sound of a stamp fits the picture of the same or of its partner."""
    answer = "yes" if picture is sound else "no"
    about = {"name": picture.name or "", "name_of_sound": sound.name or ""}
    media = {"image": picture.picture, "sound": sound.sound}
    return _record(picture.path, f"fit-{answer}", answer, groups, about, **media)


def _record(
    path: str,
    asked: str,
    label: str,
    groups: Groups,
    about: dict[str, str],
    *,
    image: str | None = None,
    sound: str | None = None,
) -> Record:
    """A record with one question; `asked` is its type, then what tells it from others of its stamp."""
    record_id = f"{id_of(path)}-{asked}"
    question_type = asked.partition("-")[0]
    return Record(
        id=record_id,
        dataset=DATASET,
        split=groups.splits[path],
        group=groups.groups[path],
        label=None if question_type == "fit" else label,  # a label is of the thing or the sound
        image=image,
        audio=Audio(path=sound) if sound else None,
        examples=(
            kind_example(record_id, label)
            if question_type == "kind"
            else _example(record_id, question_type, label, needs_audio=sound is not None),
        ),
        metadata={"asked": question_type, **about, "licence": LICENCE},
    )


def _example(example_id: str, question_type: str, reference: str, *, needs_audio: bool) -> Example:
    return Example(
        id=example_id,
        task="vqa",
        prompt=worded(example_id, WORDINGS[question_type]),
        references=(reference,),
        question_type=question_type,
        needs_audio=needs_audio,
    )


def _rejected(record_id: str, path: str, groups: Groups, reason: str, medium: str) -> Rejected:
    split, group = groups.splits[path], groups.groups[path]
    return Rejected(id=record_id, dataset=DATASET, split=split, group=group, reason=reason, path=medium)
