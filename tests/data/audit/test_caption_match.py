"""A CLAP finds captions that belong to another sound; where it is not there, nothing is said."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from folders import row, write_media, write_rows
from tiny_text_models import save_clap_that_reads

from safe_data.audit.caption_match import caption_matches
from safe_data.audit.corpus import open_corpus
from safe_data.audit.facts.all_facts import FACTS, compute_facts
from safe_data.audit.facts.fact import Fact
from safe_data.build.build import build_dataset
from safe_data.core.numerals import share_text
from safe_data.encoders.clap_text import ClapText
from safe_data.shards.dataset import ShardDataset

CAPTIONS = (
    "a dog barks",
    "rain falls on the tin roof",
    "two men talk",
    "wind blows",
    "a cat sleeps and rain falls",
    "two men talk while a dog barks",
    "the cat",
    "wind , rain and a cat",
)


@pytest.fixture(scope="module")
def clap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_clap_that_reads(tmp_path_factory.mktemp("clap"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, clap: Path) -> Path:
    """Captioned sounds, embedded by the tiny CLAP, and two whose captions are about the picture or empty."""
    folder = tmp_path_factory.mktemp("captioned")
    rows = [captioned(number, caption) for number, caption in enumerate(CAPTIONS)]
    rows.append(captioned(8, "a roof", needs_audio=False))
    rows.append(captioned(9, " "))
    write_media(folder / "world", rows)
    write_rows(folder / "world", rows)
    build_dataset(folder / "world", str(folder / "shards"), encoders=(f"clap:{clap}",), quiet=True)
    return folder / "shards"


def captioned(number: int, caption: str, **asked: object) -> dict[str, object]:
    example = {"id": f"c{number}", "task": "caption", "prompt": "?", "references": [caption]}
    split = "test" if number % 3 == 2 else "train"
    return row(number, split=split, group=f"g{number}", examples=[{**example, "needs_audio": True, **asked}])


def heard(built: Path, root: Path, clap: Path, said: dict[str, str]) -> Fact:
    """The fact about a copy whose sounds have the embeddings of what is `said` in them."""
    shutil.copytree(built, root)
    for split in ("train", "test"):
        data = ShardDataset(root, split)
        vectors = []
        for index in range(len(data)):
            name = data.value(index, "id")
            vectors.append(said.get(name) or data.record(index).examples[0].references[0].strip() or "the")
        [path] = (root / split).glob("*.npy")
        np.save(path, ClapText(clap).encode(vectors).astype("<f2"))
    return FACTS["caption_match"].compute(open_corpus([str(root)]))


def test_sounds_that_are_what_is_said_match(built: Path, clap: Path, tmp_path: Path) -> None:
    found = heard(built, tmp_path / "same", clap, {})
    assert (found.value, found.among, found.offenders) == (1, 8, ())
    assert found.detail.startswith("mean cosine 1.00 with the own caption, ")


def test_a_caption_of_another_sound_is_found(built: Path, clap: Path, tmp_path: Path) -> None:
    vectors = ClapText(clap).encode(CAPTIONS)
    own = int((vectors @ vectors[0]).argmin())  # the words that are the least like the first caption
    found = heard(built, tmp_path / "swapped", clap, {"clip-000": CAPTIONS[own]})
    assert (found.value, found.among) == (7 / 8, 8)
    [offender] = found.offenders
    assert offender.records == ("train/clip-000",)
    nearer = np.mean(vectors[1:] @ vectors[own] > vectors[0] @ vectors[own])
    share = share_text(float(nearer))
    assert offender.what == f"nearer to {share} of other captions than to its own, 'a dog barks'"


def test_captions_of_the_same_group_or_label_are_no_others(clap: Path, tmp_path: Path) -> None:
    rows = [captioned(number, caption) for number, caption in enumerate(CAPTIONS[:4])]
    for number, fields in enumerate(rows):
        fields |= {"split": "train"} | ({"group": "all"} if number < 2 else {"label": "cat"})
    write_media(tmp_path / "world", rows)
    write_rows(tmp_path / "world", rows)
    root = tmp_path / "shards"
    build_dataset(tmp_path / "world", str(root), encoders=(f"clap:{clap}",), quiet=True)
    pairs, _ = caption_matches(open_corpus([str(root)]))
    text, sounds = ClapText(clap).encode(CAPTIONS[:4]), ShardDataset(root, "train")
    for one in pairs[:2]:
        sound = sounds.embeddings([one.row])[0].astype("f4")
        cosines = text[2:] @ (sound / np.linalg.norm(sound))
        assert one.others == pytest.approx(cosines.mean(), abs=1e-5)
        assert one.nearer == np.mean(cosines > one.cosine)


def test_two_datasets_are_each_compared_with_themselves(built: Path) -> None:
    alone = FACTS["caption_match"].compute(open_corpus([str(built)]))
    both = FACTS["caption_match"].compute(open_corpus([f"one={built}", f"two={built}"]))
    assert (both.value, both.among) == (alone.value, 2 * (alone.among or 0))


def test_a_clap_that_is_gone_is_not_missed(built: Path, clap: Path) -> None:
    away = clap.rename(clap.with_name("away"))
    try:
        found = FACTS["caption_match"].compute(open_corpus([str(built)]))
    finally:
        away.rename(clap)
    assert not found.applies
    assert (found.why_not or "").endswith(f"has embeddings by a CLAP that is not on this machine: {clap}")


def test_another_clap_in_its_place_is_not_used(built: Path, clap: Path) -> None:
    settings = clap / "preprocessor_config.json"
    before = settings.read_bytes()
    settings.write_bytes(before.replace(b'"frequency_min": 0', b'"frequency_min": 60'))
    assert settings.read_bytes() != before
    try:
        found = FACTS["caption_match"].compute(open_corpus([str(built)]))
    finally:
        settings.write_bytes(before)
    assert not found.applies
    assert "another CLAP" in (found.why_not or "")


def test_damaged_weights_are_not_measured(built: Path, clap: Path) -> None:
    weights = clap / "vocab.txt" if (clap / "vocab.txt").exists() else clap / "tokenizer.json"
    before = weights.read_bytes()
    weights.write_bytes(b"{")
    try:
        [found] = compute_facts(open_corpus([str(built)]), ["caption_match"]).values()
    finally:
        weights.write_bytes(before)
    assert (found.value, found.applies) == (None, True)


def test_a_dataset_without_clap_has_nothing_to_compare(tmp_path: Path) -> None:
    rows = [captioned(0, "a dog barks")]
    write_media(tmp_path / "world", rows)
    write_rows(tmp_path / "world", rows)
    build_dataset(tmp_path / "world", str(tmp_path / "shards"), encoders=(), quiet=True)
    found = FACTS["caption_match"].compute(open_corpus([str(tmp_path / "shards")]))
    assert (found.applies, found.why_not) == (False, "world has no CLAP embeddings")
