"""Questions of several datasets: in roles, with sounds that are unrelated to them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_corpora import Row, asking, build_corpus, only_heard, only_seen

from safe_data.core.errors import InputError
from safe_data.encoders.encoder import embed_silence
from safe_data.encoders.logmel import LogMelEncoder
from safe_data.shards.dataset import ShardDataset
from safe_train import corpora as module
from safe_train.corpora import SILENCE, Corpora
from safe_train.questions import Questions, drawn_questions, likeliest, read_questions


def read(*folders: Path, split: str = "train") -> Questions:
    return read_questions(Corpora(folders, split), quiet=True)


def test_clips_are_numbered_through_all_datasets(vl_only: Path, audio_only: Path, both: Questions) -> None:
    corpora = both.corpora
    seen, heard = (ShardDataset(folder, "train") for folder in (vl_only, audio_only))
    assert corpora.names == ("vl_only", "audio_only")
    assert corpora.starts.tolist() == [0, len(seen), len(seen) + len(heard)]
    assert corpora.record(0) == seen.record(0)
    assert corpora.record(len(seen) - 1) == seen.record(len(seen) - 1)
    assert corpora.record(len(seen) + 2) == heard.record(2)
    assert corpora.has_audio.tolist() == [False] * len(seen) + [True] * len(heard)
    assert corpora.picture(0) is not None
    assert corpora.picture(len(seen)) is None


def test_embeddings_are_those_of_the_clips_and_of_silence(audio_only: Path, both: Questions) -> None:
    corpora = both.corpora
    first = int(corpora.starts[1])
    (found,) = corpora.embeddings([first + 3, SILENCE, first, first + 3])
    stored = ShardDataset(audio_only, "train").embeddings([3, 0]).astype(np.float32)
    assert found.dtype == np.float32
    assert np.array_equal(found[[0, 2]], stored)
    assert np.array_equal(found[3], stored[0])
    assert np.array_equal(found[1], embed_silence(LogMelEncoder()).astype(np.float32))
    assert corpora.shapes == ((512,),)


def test_two_encoders_are_heard_side_by_side(twice_heard: Path) -> None:
    corpora = Corpora([twice_heard], "train", ["whisper:elsewhere", "logmel"])
    assert corpora.shapes == ((32, 16), (512,))
    states, vectors = corpora.embeddings([1, SILENCE])
    assert states.shape == (2, 32, 16)
    dataset = ShardDataset(twice_heard, "train", "whisper")
    assert np.array_equal(states[0], dataset.embeddings([1])[0].astype(np.float32))
    assert np.array_equal(states[1], dataset.silence.astype(np.float32))
    assert np.array_equal(vectors, Corpora([twice_heard], "train", ["logmel"]).embeddings([1, SILENCE])[0])
    for found, encoder in zip(corpora.statistics(), ("whisper", "logmel"), strict=True):
        rows = ShardDataset(twice_heard, "train", encoder).embeddings(range(len(dataset)))
        flat = rows.reshape(-1, rows.shape[-1]).astype(np.float64)
        assert np.allclose(found[0], flat.mean(0), atol=1e-6)
        assert np.allclose(found[1], flat.std(0), atol=1e-6)


@pytest.mark.parametrize("clips_read", [256, 3])
def test_statistics_are_those_of_all_sounds(
    audio_only: Path, both: Questions, monkeypatch: pytest.MonkeyPatch, clips_read: int
) -> None:
    monkeypatch.setattr(module, "_CLIPS_READ", clips_read)
    heard = ShardDataset(audio_only, "train")
    rows = heard.embeddings(range(len(heard))).astype(np.float64)
    ((mean, deviation),) = both.corpora.statistics()
    assert np.allclose(mean, rows.mean(0), rtol=1e-6, atol=1e-7)
    assert np.allclose(deviation, rows.std(0), rtol=1e-5, atol=1e-6)
    assert mean.dtype == deviation.dtype == np.float32
    monkeypatch.setattr(module, "STATISTICS_CLIPS", 5)
    ((fewer, _),) = both.corpora.statistics()
    assert not np.allclose(fewer, mean)


def test_a_constant_dimension_has_no_deviation(both: Questions, monkeypatch: pytest.MonkeyPatch) -> None:
    """However large its value is; a float32 sum of squares would leave a last bit of it."""
    corpora = both.corpora
    constant = np.array([0.1, 1000.3, 0.0, -3.7], np.float16).astype(np.float32)

    def embeddings(clips: Any) -> tuple[np.ndarray]:
        varied = np.arange(len(clips), dtype=np.float32)[:, None]
        return (np.hstack([np.tile(constant, (len(clips), 1)), varied, 5000 + varied / 100]),)

    monkeypatch.setattr(corpora, "embeddings", embeddings)
    monkeypatch.setattr(type(corpora), "shapes", ((6,),))
    ((mean, deviation),) = corpora.statistics()
    assert np.allclose(mean[:4], constant)
    assert deviation[:4].tolist() == [0.0] * 4
    expected = np.arange(len(corpora.with_sound)).std()
    assert deviation[4:] == pytest.approx([expected, expected / 100], rel=1e-2)


@pytest.mark.parametrize(
    ("name", "datasets", "needs_audio"),
    [
        ("audio", {"both", "heard"}, True),
        ("muted", {"both", "heard"}, True),
        ("vl", {"both", "seen"}, False),
        ("both/audio", {"both"}, True),
        ("both/vl", {"both"}, False),
        ("both/muted", {"both"}, True),
        ("heard/audio", {"heard"}, True),
        ("seen/vl", {"seen"}, False),
    ],
)
def test_a_pool_is_a_role_or_a_role_of_one_dataset(
    three: Questions, name: str, datasets: set[str], needs_audio: bool
) -> None:
    pool = three.pool(name)
    wanted = [
        question
        for question in range(len(three))
        if three.of(question).needs_audio is needs_audio
        and three.corpora.place(int(three.clip[question]))[0].name in datasets
    ]
    assert pool.tolist() == wanted
    assert {three.corpora.place(int(clip))[0].name for clip in three.clip[pool]} == datasets


@pytest.fixture(scope="module")
def three(
    shards: Path, vl_only: Path, audio_only: Path, tmp_path_factory: pytest.TempPathFactory
) -> Questions:
    """Questions of a dataset of both kinds, and of two of one kind each."""
    folder = tmp_path_factory.mktemp("three")
    for source, name in ((shards, "both"), (vl_only, "seen"), (audio_only, "heard")):
        shutil.copytree(source, folder / name)
        renamed(folder / name, name)
    return read(folder / "both", folder / "seen", folder / "heard")


def renamed(folder: Path, name: str) -> None:
    change(folder, lambda facts: facts | {"name": name})


def change(folder: Path, edit: Callable[[Row], Row]) -> None:
    """Edit a dataset.json."""
    path = folder / "dataset.json"
    path.write_text(json.dumps(edit(json.loads(path.read_text("utf-8")))), "utf-8")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("audi", "'audi' is no pool of questions; did you mean 'audio'?"),
        ("vl_onli/vl", "'vl_onli/vl' is no pool of questions; did you mean 'vl_only/vl'?"),
        ("zzz", "'zzz' is no pool of questions; there are audio, vl, muted, vl_only/audio, vl_only/vl, "),
    ],
)
def test_what_is_no_pool(both: Questions, name: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        both.pool(name)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("vl_only/audio", "has needs_audio true and a sound"),
        ("vl_only/muted", "has needs_audio true and a sound"),
        ("audio_only/vl", "has needs_audio false"),
    ],
)
def test_an_empty_pool_is_named(both: Questions, name: str, wanted: str) -> None:
    message = (
        f"vl_only, audio_only: none of the {len(both)} questions with references in split 'train' {wanted}, "
        f"so '{name}' is empty; add a dataset that has some, or give it no weight"
    )
    with pytest.raises(InputError) as caught:
        both.pool(name)
    assert str(caught.value) == message


def test_a_question_that_cannot_be_trained_on_is_left_out(tmp_path: Path) -> None:
    """It does not say whether it needs the sound, has no reference, or its clip lacks the sound it needs."""
    number = iter(range(10**6))

    def edit(row: Row) -> Row:
        match next(number) % 4:
            case 0:
                row["examples"] = [one | {"needs_audio": None} for one in row["examples"]]
            case 1:
                row["examples"] = [one | {"references": []} for one in row["examples"]]
            case 2:
                del row["audio_file_name"], row["events"]
        return row

    folder = build_corpus(tmp_path, "mixed", edit)
    dataset = ShardDataset(folder, "train")
    found = read(folder)
    kept = [(int(clip), int(place)) for clip, place in zip(found.clip, found.example, strict=True)]
    wanted = [
        (clip, place)
        for clip in range(len(dataset))
        for place, example in enumerate(dataset.record(clip).examples)
        if example.references
        and example.needs_audio is not None
        and (dataset.has_audio[clip] or not example.needs_audio)
    ]
    assert kept == wanted
    assert 0 < len(wanted) < 4 * len(dataset)
    assert found.needs_audio.tolist() == [found.of(question).needs_audio for question in range(len(found))]


def test_a_split_without_a_question_that_can_be_trained_on(tmp_path: Path) -> None:
    def edit(row: Row) -> Row:
        return row | {"examples": [one | {"needs_audio": None} for one in row["examples"]]}

    folder = build_corpus(tmp_path, "unsure", edit)
    message = r"unsure: no question of split 'train' has references and says whether it needs the sound"
    with pytest.raises(InputError, match=message):
        read(folder)


def test_answers_are_all_captions_and_the_likeliest_reference_of_others(tmp_path: Path) -> None:
    def edit(row: Row) -> Row:
        first, second, *_ = asking(True, row)["examples"]
        caption = {"task": "caption", "references": ["a bell", "it rings"]}
        return row | {"examples": [first | caption, second | {"references": ["two", "one", "one"]}]}

    found = read(build_corpus(tmp_path, "told", edit))
    assert found.answers == {"a bell", "it rings", "one"}
    assert found.is_caption.tolist() == [True, False] * (len(found) // 2)
    assert found.references.tolist() == [2, 3] * (len(found) // 2)
    assert set(found.difficulty) <= {"easy", "medium", "hard"}
    assert likeliest(("b", "a", "a", "b")) == "b"


def test_each_question_is_of_one_kind(questions: Questions, train_split: ShardDataset) -> None:
    audio, seen = questions.pool("audio"), questions.pool("vl")
    assert len(audio) == len(seen) == 2 * len(train_split)
    assert not set(audio.tolist()) & set(seen.tolist())


def test_an_unrelated_sound_is_any_of_another_group_in_any_dataset(shards: Path, audio_only: Path) -> None:
    """Groups of one name in two datasets are one group: a video may be in both."""
    corpora = Corpora([shards, audio_only], "train")
    names = [str(dataset.value(i, "group")) for dataset in corpora.datasets for i in range(len(dataset))]
    clips = np.arange(len(names))
    rng = np.random.default_rng(0)
    heard = np.stack([corpora.unrelated(clips, rng) for _ in range(400)], 1)
    first, second = (set(names[: corpora.starts[1]]), set(names[corpora.starts[1] :]))
    assert first & second  # so that the datasets have a group in common
    for clip in clips:
        others = {other for other in range(len(names)) if names[other] != names[clip]}
        assert set(heard[clip].tolist()) == others  # all of them, and nothing else
    counts = np.bincount(heard[0], minlength=len(names))
    expected = 400 / len(set(heard[0].tolist()))
    assert counts.max() < expected + 5 * np.sqrt(expected)  # all equally likely


def test_unrelated_sounds_follow_from_the_generator(both: Questions) -> None:
    clips = both.clip[both.pool("vl")]
    one, again, other = (both.corpora.unrelated(clips, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert both.corpora.has_audio[one].all()


def test_without_a_sound_there_is_nothing_to_train_on(vl_only: Path, shards: Path) -> None:
    with pytest.raises(InputError) as caught:
        Corpora([vl_only], "train")
    assert str(caught.value) == (f"{vl_only}: no clip of split 'train' has a sound; add a dataset that has")
    assert len(Corpora([vl_only, shards], "train").with_sound)


def test_without_a_sound_of_another_group_there_is_no_unrelated_one(vl_only: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def edit(row: Row) -> Row:
        return only_heard(row) | {"group": "one", "split": "train"}

    alone = build_corpus(tmp_path, "alone", edit)
    message = f"{alone}: all sounds of split 'train' are of group 'one'; training needs sounds of several"
    with pytest.raises(InputError, match=message):
        Corpora([alone], "train").unrelated(np.array([0, 1]), rng)
    mixed = Corpora([vl_only, alone], "train")  # they are unrelated to the pictures
    assert mixed.unrelated(np.array([0, 1]), rng).min() >= mixed.starts[1]


def test_two_datasets_of_one_name(shards: Path, tmp_path: Path) -> None:
    shutil.copytree(shards, tmp_path / "again")
    name = ShardDataset(shards, "train").name
    with pytest.raises(InputError, match=f"again: both are named '{name}'; give each once, or build with"):
        Corpora([shards, tmp_path / "again"], "train")


def test_a_dataset_without_sounds_needs_no_embeddings(audio_only: Path, tmp_path: Path) -> None:
    """Nor those of the encoder that others are heard by."""
    folder = build_corpus(tmp_path, "unheard", only_seen, encoders=())
    for encoders in ([], ["logmel"]):
        corpora = Corpora([folder, audio_only], "train", encoders)
        first = int(corpora.starts[1])
        (found,) = corpora.embeddings([0, first, SILENCE])
        silence = ShardDataset(audio_only, "train").silence.astype(np.float32)
        assert np.array_equal(found[0], silence)
        assert np.array_equal(found[2], silence)
        assert not np.array_equal(found[1], silence)
        assert [dataset.name for dataset in corpora.sounding] == ["audio_only"]
    assert len(read(folder, audio_only).pool("unheard/vl"))


def test_a_clip_without_a_sound_is_silent_beside_others_that_have_one(tmp_path: Path) -> None:
    number = iter(range(10**6))
    folder = build_corpus(tmp_path, "mixed", lambda row: only_seen(row) if next(number) % 2 else row)
    corpora = Corpora([folder], "train")
    silent = np.flatnonzero(~corpora.has_audio)
    assert 0 < len(silent) < len(corpora.has_audio)
    (found,) = corpora.embeddings(silent)
    assert np.array_equal(found, corpora.embeddings([SILENCE] * len(silent))[0])


def test_embeddings_of_another_version_of_the_encoder(shards: Path, audio_only: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(audio_only, other)
    old = json.loads((other / "dataset.json").read_text("utf-8"))["encoders"][0]["fingerprint"]
    text = (other / "dataset.json").read_text("utf-8").replace(old, "f" * 16).replace(old[:8], "f" * 8)
    (other / "dataset.json").write_text(text, "utf-8")
    for path in other.rglob(f"*{old[:8]}*"):
        shutil.move(path, path.with_name(path.name.replace(old[:8], "f" * 8)))
    message = (
        f"{other}: its embeddings are of logmel {'f' * 16}, those of {shards} of logmel {old}; "
        "build both with one encoder"
    )
    with pytest.raises(InputError, match=message):
        Corpora([shards, other], "train")


@pytest.mark.parametrize(
    ("split", "encoders", "message"),
    [
        ("dev", [], "no split 'dev'; it has "),
        ("train", ["clap"], "no embeddings are named 'clap'; it has logmel-"),
        ("train", ["logmel", "clap:somewhere"], "no embeddings are named 'clap'; it has logmel-"),
    ],
)
def test_a_split_or_encoder_that_is_not_there(
    audio_only: Path, split: str, encoders: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Corpora([audio_only], split, encoders)


def test_one_of_two_encoders_must_be_chosen(twice_heard: Path) -> None:
    message = f"{twice_heard}: no encoder chosen for the embeddings; it has logmel-.*, whisper-"
    with pytest.raises(InputError, match=message):
        Corpora([twice_heard], "train")


def test_so_many_questions_are_drawn_by_the_seed_in_their_order(questions: Questions) -> None:
    drawn = drawn_questions(questions, 20, seed=0)
    ids = [drawn.of(number).id for number in range(len(drawn))]
    every = [questions.of(number).id for number in range(len(questions))]
    assert len(ids) == len(set(ids)) == 20
    assert ids == [one for one in every if one in ids]
    assert {len(drawn.pool(role)) for role in ("audio", "vl")} <= set(range(1, 20))
    of_another = drawn_questions(questions, 20, seed=1)
    assert ids != [of_another.of(number).id for number in range(20)]
    assert [questions.answer[every.index(one)] for one in ids] == list(drawn.answer)
    assert drawn_questions(questions, len(questions) + 1, seed=0) is questions
