"""Stamps: what is asked about pictures, voices, sounds and digits, and that nothing is in two splits."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import pytest
from broken_sounds import encoded, ogg_pages, replaced, tone, with_checksum
from corpora import rejected, touch, usable
from pictures import photo, saved

from safe_data.build.build import build_dataset
from safe_data.core.errors import InputError
from safe_data.records import ID_PATTERN, LONGEST_ID, Example, Record
from safe_data.sources.sound_kinds import KINDS
from safe_data.sources.stamp_files import read_tree, without_serials
from safe_data.sources.stamp_groups import rank
from safe_data.sources.stamp_kinds import SILENT, SOUNDS, THING_KINDS, THINGS
from safe_data.sources.stamps import DIGITS as DIGIT_NAMES
from safe_data.sources.stamps import LANGUAGES, VOICES_PER_STAMP, WORDINGS, read

ANIMALS = tuple(
    f"animals/{place}/a{letter}" for place in ("birds", "mammals", "fish") for letter in "bcdefghij"
)
ANSWERS = {
    "thing": THING_KINDS,
    "voice": tuple(LANGUAGES.values()),
    "kind": KINDS,
    "digit": DIGIT_NAMES,
    "fit": ("yes", "no"),
}
TOOLS = tuple(f"household/tools/t{letter}" for letter in "bcdef")


def stamp(root: Path, path: str, *endings: str, name: str | None = None) -> None:
    """A stamp with its names and these files, whose content is their name: sources decode nothing."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / f"{path}.txt").write_text(f"{name or path}.\nfr.utf8=é\n", encoding="utf-8")
    for ending in endings:
        (root / f"{path}{ending}").write_bytes(f"{path}{ending}".encode())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    voices = tuple(f"_desc_{code}.ogg" for code in LANGUAGES)
    for path in (*ANIMALS, *TOOLS):
        stamp(tmp_path, path, ".png", ".ogg", *voices)
    stamp(tmp_path, "hobbies/music/percussion/drumkit", ".png", ".ogg", "_desc.ogg")
    stamp(tmp_path, "hobbies/music/string/cello", ".svg", ".wav", "_desc_nl.ogg")
    for digit in DIGIT_NAMES:
        stamp(tmp_path, f"symbols/math/{digit}", ".png", ".ogg", "_fr.ogg", "_zh_tw.ogg", "_desc_fr.ogg")
    stamp(tmp_path, "symbols/alphabets/asl/a", ".png", ".ogg", "_desc.ogg")
    return tmp_path


def of_type(records: Sequence[Record], question_type: str) -> list[Record]:
    return [one for one in records if any(each.question_type == question_type for each in one.examples)]


def question(record: Record, question_type: str) -> Example:
    (found,) = (each for each in record.examples if each.question_type == question_type)
    return found


def test_each_question_has_its_media_its_answer_and_one_wording(root: Path) -> None:
    records = usable(read(root))
    count = Counter(each.question_type for one in records for each in one.examples)
    heard = len(ANIMALS) + len(TOOLS)
    assert count["thing"] == heard + 1 + len(DIGIT_NAMES)
    assert count["voice"] == heard * VOICES_PER_STAMP + len(DIGIT_NAMES)
    assert count["kind"] == heard + 3
    assert count["digit"] == 3 * len(DIGIT_NAMES)
    assert count["fit"] > 4 * (heard // 2 - 3)
    media = {"voice": (True, True), "fit": (True, True)}
    for one in records:
        about = one.examples[0].question_type or ""
        beside = [each.question_type for each in one.examples[1:]]
        assert beside in ([], ["thing"])
        assert not beside or about == "voice"
        assert (one.image is not None, one.audio is not None) == (
            (True, False) if about == "thing" else media.get(about, (False, True))
        )
        assert one.label == (None if about == "fit" else one.examples[0].references[0])
        assert ID_PATTERN.fullmatch(one.id)
        assert len(one.id) <= LONGEST_ID
        assert one.metadata["licence"] == "GPL-2"
        for example in one.examples:
            asked = example.question_type or ""
            assert example.needs_audio == (asked != "thing")
            assert example.choices is None
            assert example.references[0] in ANSWERS[asked]
            assert asked == "kind" or example.prompt in WORDINGS[asked]
    for asked, wordings in WORDINGS.items():
        assert {question(one, asked).prompt for one in of_type(records, asked)} == set(wordings)


def test_each_picture_is_asked_for_its_thing_once_beside_a_voice_where_there_is_one(root: Path) -> None:
    things = of_type(usable(read(root)), "thing")
    assert len({one.image for one in things}) == len(things)
    assert {one.image for one in things if one.audio} >= {f"{path}.png" for path in (*ANIMALS, *TOOLS)}
    assert [one.image for one in things if not one.audio] == ["hobbies/music/percussion/drumkit.png"]


def test_answers_are_those_of_the_files(root: Path) -> None:
    records = usable(read(root))
    for one in of_type(records, "voice"):
        assert one.audio is not None
        code = Path(one.audio.path).stem.partition("_desc_")[2]
        assert one.label == LANGUAGES[code]
        assert one.metadata["language"] == code
    for one in of_type(records, "digit"):
        assert one.audio is not None
        assert Path(one.audio.path).name[0] == one.label
    kinds = {one.audio.path: one.label for one in of_type(records, "kind") if one.audio}
    assert kinds["hobbies/music/percussion/drumkit.ogg"] == "drum"
    assert kinds["hobbies/music/percussion/drumkit_desc.ogg"] == "speech"
    assert kinds["hobbies/music/string/cello.wav"] == "instrument"
    assert (kinds[f"{ANIMALS[0]}.ogg"], kinds[f"{TOOLS[0]}.ogg"]) == ("animal", "noise")
    things = {one.image: question(one, "thing").references[0] for one in of_type(records, "thing")}
    assert (things[f"{ANIMALS[0]}.png"], things["symbols/math/7.png"]) == ("bird", "number")
    assert not [one for one in records if "alphabets" in one.group]


def test_the_root_of_the_package_gives_the_same_records(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    package = tmp_path_factory.mktemp("package")
    (package / "usr/share/tuxpaint").mkdir(parents=True)
    (package / "usr/share/tuxpaint/stamps").symlink_to(root)
    inside = package / "usr/share/tuxpaint"
    one = [(record.id, record.split, record.group) for record in usable(read(root))]
    (inside / "stamps").unlink()
    root.rename(inside / "stamps")
    again = usable(read(package))
    assert [(record.id, record.split, record.group) for record in again] == one
    assert str(again[0].image).startswith("usr/share/tuxpaint/stamps/")


def test_no_group_and_no_content_is_in_two_splits(root: Path) -> None:
    birds, mammals = ANIMALS[0], ANIMALS[9]
    (root / f"{mammals}.ogg").write_bytes((root / f"{birds}.ogg").read_bytes())
    (root / f"{ANIMALS[1]}_desc_fr.ogg").write_bytes((root / f"{TOOLS[1]}_desc_fr.ogg").read_bytes())
    stamp(root, "animals/birds/cartoon/ab", ".png", name=ANIMALS[0])
    stamp(root, f"{ANIMALS[2]}-1", ".png")
    records = usable(read(root))
    splits: defaultdict[object, set[str]] = defaultdict(set)
    groups: defaultdict[object, set[str]] = defaultdict(set)
    for one in records:
        splits[one.group].add(one.split)
        for file in (one.image, one.audio.path if one.audio else None):
            if file is not None:
                content = (root / file).read_bytes()
                splits[content].add(one.split)
                groups[content].add(one.group)
    assert {len(found) for found in splits.values()} == {1}
    assert {len(found) for found in groups.values()} == {1}
    shares = Counter(one.split for one in records)
    assert set(shares) == {"train", "val", "test"}
    assert shares["train"] > shares["val"] + shares["test"] - len(records) // 5
    of = {one.metadata["name"]: one.group for one in of_type(records, "thing")}
    assert of[f"{birds}."] == of[f"{mammals}."]
    assert of[f"{ANIMALS[1]}."] == of[f"{TOOLS[1]}."]
    assert of[f"{ANIMALS[2]}-1."] == of[f"{ANIMALS[2]}."]
    kinds = [
        one for one in of_type(records, "kind") if one.audio and one.audio.path.startswith((birds, mammals))
    ]
    assert len(kinds) == 1, "one recording is asked about once"


def test_sounds_that_do_not_fit_are_of_other_stamps_of_the_split(root: Path) -> None:
    records = of_type(usable(read(root)), "fit")
    whole: defaultdict[frozenset[str], list[Record]] = defaultdict(list)
    for one in records:
        assert one.image
        assert one.audio
        of_picture, of_sound = (Path(file).with_suffix("").as_posix() for file in (one.image, one.audio.path))
        assert one.examples[0].references == ("yes" if of_picture == of_sound else "no",)
        names = (one.metadata["name"], one.metadata["name_of_sound"])
        assert names == (f"{of_picture}.", f"{of_sound}.")
        if of_picture != of_sound:
            whole[frozenset((of_picture, of_sound))].append(one)
            assert of_picture.rpartition("/")[0] != of_sound.rpartition("/")[0], "kinds differ where they can"
    assert {len(pair) for pair in whole.values()} == {2}
    assert {
        (first.split, first.group) == (second.split, second.group) for first, second in whole.values()
    } == {True}
    partners = Counter(path for couple in whole for path in couple)
    assert set(partners.values()) == {1}
    answers = Counter(one.examples[0].references for one in records)
    assert answers["yes",] == answers["no",]


def test_couples_are_not_made_of_one_thing_or_one_sound(tmp_path: Path) -> None:
    stamp(tmp_path, "animals/birds/duck", ".png", ".ogg")
    stamp(tmp_path, "animals/birds/duck2", ".png", ".ogg")
    assert not of_type(usable(read(tmp_path)), "fit")
    for path in SILENT:
        stamp(tmp_path, path, ".png", ".ogg")
    records = usable(read(tmp_path))
    assert not of_type(records, "fit")
    assert len(of_type(records, "kind")) == 2


def test_languages_are_balanced_in_each_split(root: Path) -> None:
    for split in ("train", "val", "test"):
        voices = [one for one in of_type(usable(read(root)), "voice") if one.split == split]
        named = Counter(one.label for one in voices)
        assert set(named) == set(LANGUAGES.values())
        assert max(named.values()) - min(named.values()) <= 2


def test_faults_are_rejected_rows(root: Path) -> None:
    bird, mammal, fish, tool, last = ANIMALS[0], ANIMALS[9], ANIMALS[18], TOOLS[0], ANIMALS[3]
    (root / f"{bird}.txt").write_bytes("é".encode("latin-1"))
    (root / f"{mammal}.txt").unlink()
    (root / f"{fish}.txt").write_text("\n", encoding="utf-8")
    (root / f"{tool}.png").write_bytes(b"")
    (root / "symbols/math/3_fr.ogg").write_bytes(b"")
    (root / f"{last}.ogg").unlink()
    (root / f"{last}.ogg").symlink_to("/dev/null")
    touch(root, "animals/birds/mirror_mirror.png", "animals/birds/x_desc_da.ogg.ogg")
    (root / "animals/birds/AB_desc_fr.ogg").write_bytes(b"a voice of another case")
    (root / "symbols/\udcff.png").write_bytes(b"a name that is no text")
    entries = list(read(root))
    found = {entry.path: entry.reason for entry in rejected(iter(entries))}
    assert found[f"{bird}.png"] == f"faulty row: {bird}.txt: byte 0 is not UTF-8; unpack the package again"
    assert found[f"{mammal}.png"] == f"no such file: {mammal}.txt"
    assert found[f"{fish}.png"] == (
        f"faulty row: {fish}.txt:1: is empty; an official file begins with the English name"
    )
    assert found[f"{tool}.png"] == f"empty file: {tool}.png; unpack the package again"
    assert found["symbols/math/3_fr.ogg"].startswith("empty file: ")
    assert found[f"{last}.ogg"].startswith("unreadable file: ")
    assert len(found) == 6
    assert len({entry.id for entry in entries}) == len(entries)
    of_tool = [one for one in entries if isinstance(one, Record) and one.metadata["name"] == f"{tool}."]
    assert [one.label for one in of_tool] == ["noise"], "what needs no picture is asked"
    splits = defaultdict(set)
    for entry in entries:
        splits[entry.group].add(entry.split)
    assert {len(one) for one in splits.values()} == {1}


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds neither folders of stamps.*tuxpaint-stamps-default"):
        list(read(tmp_path))


def test_a_recording_encoded_twice_is_known_by_its_content(tmp_path: Path) -> None:
    data = encoded("OGG", "VORBIS")
    again = b"".join(with_checksum(replaced(page, 14, b"abcd")) for page in ogg_pages(data))
    assert data != again
    assert without_serials(data) == without_serials(again)
    assert without_serials(data[:-9]) != without_serials(data)
    assert without_serials(b"OggS") == b"OggS"
    for path, content in (("animals/birds/crow", data), ("animals/mammals/bear", again)):
        stamp(tmp_path, path, ".png")
        (tmp_path / f"{path}.ogg").write_bytes(content)
    assert len(set(read_tree(tmp_path).contents.values())) == 3
    assert len({one.group for one in usable(read(tmp_path))}) == 1


def test_shards_are_built_of_real_media(tmp_path: Path) -> None:
    source = tmp_path / "stamps"
    for path in ("animals/birds/crow", "animals/mammals/bear", "household/tools/saw"):
        stamp(source, path, ".png", ".ogg", "_desc_fr.ogg")
        for place, ending in enumerate((".ogg", "_desc_fr.ogg")):
            sound = encoded("OGG", "VORBIS", tone(0.3 + 0.1 * place, 16_000) * (1 + rank(path) % 7) / 8)
            (source / f"{path}{ending}").write_bytes(sound)
        (source / f"{path}.png").write_bytes(saved(photo(40 + rank(path) % 9, 40)))
    summary = build_dataset(source, tmp_path / "out", source="stamps", quiet=True)
    assert (summary.rows, summary.rejected) == (6, 0)


def test_tables_name_only_kinds_that_are_choices() -> None:
    assert {kind for kind in SOUNDS.values() if kind} <= set(KINDS)
    assert {kind for kind in THINGS.values() if kind} == set(THING_KINDS)
    assert tuple(sorted(THING_KINDS)) == THING_KINDS
