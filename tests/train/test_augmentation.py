"""Augmentation: masks and shifts by hand, draws that cover their range, and runs that hear the same again."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_encoders import save_whisper
from tiny_runs import Killed, differing, kill, killing, small_run

from safe_data.core.errors import InputError
from safe_data.encoders.logmel import LogMelEncoder
from safe_data.sampling.curriculum import Progress
from safe_data.sampling.curriculum_file import Stage
from safe_data.shards.dataset import ShardDataset
from safe_train.augmentation import Augmentation, Change, Ranges, shifted
from safe_train.base.backbone import Backbone
from safe_train.batches import Loader
from safe_train.corpora import Corpora
from safe_train.questions import Questions
from safe_train.settings.data import DataConfig
from safe_train.stages.sampler import Step, StepSampler
from safe_train.stages.stage_a import stage_a

RANGES = Ranges(freq_mask=5, time_mask=10, time_shift_ms=50)
WEIGHTS = {"audio": 0.5, "vl": 0.25, "muted": 0.25}
AUGMENTED = {"freq_mask": 5, "time_mask": 10, "time_shift_ms": 50.0}


def test_a_mask_by_hand() -> None:
    mel = np.float32([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]])  # 3 frames, 4 bands, mean 5.5
    # 2 bands fit in 3 places, of which .5 is the second; 1 frame in 3 places, of which .9 is the last.
    found = Change(bands=2, band_at=0.5, frames=1, frame_at=0.9).masked(mel)
    assert found.tolist() == [[0, 5.5, 5.5, 3], [4, 5.5, 5.5, 7], [5.5, 5.5, 5.5, 5.5]]
    assert mel[0, 1] == 1  # not changed itself
    assert Change(frames=9).masked(mel).tolist() == [[5.5] * 4] * 3
    assert Change().masked(mel).tolist() == mel.tolist()


@pytest.mark.parametrize(
    ("by", "wanted"),
    [
        (0, [1, 2, 3, 4, 5]),
        (2, [0, 0, 1, 2, 3]),
        (-1, [2, 3, 4, 5, 0]),
        (99, [0, 0, 1, 2, 3]),
        (-99, [3, 4, 5, 0, 0]),
    ],
)
def test_a_shift_is_exact_and_not_circular(by: int, wanted: list[float]) -> None:
    assert shifted(np.float32([1, 2, 3, 4, 5]), by).tolist() == wanted


def test_draws_cover_their_range_uniformly() -> None:
    drawn = RANGES.draw(0, 0, 6000)
    assert np.bincount([change.bands for change in drawn], minlength=6).tolist() == pytest.approx(
        [1000] * 6, rel=0.1
    )
    frames = np.bincount([change.frames for change in drawn])
    assert len(frames) == 11
    assert frames.tolist() == pytest.approx([6000 / 11] * 11, rel=0.2)
    shifts = np.array([change.shift_seconds for change in drawn])
    assert -0.05 <= shifts.min() < -0.0499
    assert 0.0499 < shifts.max() <= 0.05
    assert abs(shifts.mean()) < 0.002
    starts = {
        change._replace(bands=62, frames=0).masked(np.arange(64, dtype=np.float32)[None]).tobytes()
        for change in drawn
    }
    assert len(starts) == 3  # 62 of 64 bands fit in three places, and each is drawn


def test_a_draw_follows_from_seed_step_and_row() -> None:
    few, many = RANGES.draw(0, 7, 3), RANGES.draw(0, 7, 50)
    assert few == many[:3]
    assert len({few[0], *RANGES.draw(1, 7, 1), *RANGES.draw(0, 8, 1), few[1]}) == 4


def heard(root: Path, *encoders: str) -> list[ShardDataset]:
    return [ShardDataset(root, "train").with_encoder(name) for name in encoders]


def test_width_and_shift_0_are_the_stored_bytes(shards: Path, twice_heard: Path) -> None:
    for root, names in ((shards, ("logmel",)), (twice_heard, ("logmel", "whisper"))):
        datasets = heard(root, *names)
        augmentation = Augmentation(datasets)
        index = int(np.flatnonzero(datasets[0].has_audio)[0])
        assert augmentation.embed(datasets[0], index, Change()) is None
        assert (
            augmentation.embed(datasets[0], index, Change(shift_seconds=1e-6)) is None
        )  # less than a sample
        # The same way without a change: what is different afterwards is the change alone.
        whole = Change(frames=1, frame_at=0.5)._replace(frames=0, bands=0)
        sound = datasets[0].audio(index)
        assert sound is not None
        for dataset, encoder in zip(datasets, augmentation._encoders, strict=True):
            clip = sound.resampled(encoder.sample_rate_hz).samples
            stored = dataset.embeddings([index])[0]
            assert encoder.encode([clip], [None])[0].tobytes() == stored.tobytes()
            assert encoder.encode([clip], [whole.masked])[0].tobytes() == stored.tobytes()


def test_each_encoder_hears_the_change(twice_heard: Path) -> None:
    datasets = heard(twice_heard, "logmel", "whisper")
    augmentation = Augmentation(datasets)
    stored = [dataset.embeddings([0])[0] for dataset in datasets]
    seen = set()
    for change in (Change(bands=5, band_at=0.3), Change(frames=10, frame_at=0.2), Change(shift_seconds=0.05)):
        found = augmentation.embed(datasets[0], 0, change)
        assert found is not None
        for embedding, before in zip(found, stored, strict=True):
            assert embedding.shape == before.shape
            assert np.isfinite(embedding).all()
            assert embedding.tobytes() != before.tobytes()
            seen.add(embedding.tobytes())
    assert len(seen) == 6


def test_a_masked_band_changes_its_band_of_logmel_alone(shards: Path) -> None:
    (dataset,) = heard(shards, "logmel")
    found = Augmentation([dataset]).embed(dataset, 0, Change(bands=3, band_at=0.5))
    assert found is not None
    before, after = (one.reshape(8, 64) for one in (dataset.embeddings([0])[0], found[0]))
    changed = np.flatnonzero((before != after).any(0))
    assert set(changed) <= {31, 32, 33}  # of 62 places, .5 is number 31
    assert len(set(after[:, 31]) | set(after[:, 32])) == 1  # the mean, in every part


def test_a_shift_is_by_samples_of_the_stored_sound(shards: Path) -> None:
    (dataset,) = heard(shards, "logmel")
    sound = dataset.audio(0)
    assert sound is not None
    found = Augmentation([dataset]).embed(dataset, 0, Change(shift_seconds=-0.03))
    moved = shifted(sound.samples, -round(0.03 * sound.sample_rate_hz))
    clip = type(sound)(moved, sound.sample_rate_hz, sound.source_rate_hz, 1).resampled(8000).samples
    assert found is not None
    assert found[0].tobytes() == LogMelEncoder().encode([clip])[0].tobytes()


@pytest.fixture
def drawn(questions: Questions) -> Step:
    stages = (Stage(name="all", weights=WEIGHTS),)
    sampler = StepSampler(questions, stages, batch_size=20, silent_fraction=0.25, seed=0, ranges=RANGES)
    return sampler.sample(Progress())


def test_only_audio_questions_are_changed(drawn: Step, questions: Questions) -> None:
    assert {row.role for row in drawn.asked if row.change} == {"audio"}
    assert all(row.change for row in drawn.asked if row.role == "audio")
    plain = StepSampler(
        questions, (Stage(name="all", weights=WEIGHTS),), batch_size=20, silent_fraction=0.25, seed=0
    ).sample(Progress())
    assert [row._replace(change=None) for row in drawn.asked] == list(plain.asked)


def test_what_a_row_hears_depends_neither_on_ranks_nor_passes_nor_threads(
    drawn: Step, questions: Questions, backbone: Backbone
) -> None:
    loader = Loader(questions, backbone.processor, augmentation=Augmentation(questions.corpora.sounding))

    def sounds(parts: list[tuple[int, int]], rows: int) -> dict[int, bytes]:
        with ThreadPoolExecutor(4) as threads:
            made = threads.map(lambda part: loader.batches(drawn.asked[part[0] :: part[1]], rows), parts)
            batches = [batch for batches in made for batch in batches]
        places = {id(row): number for number, row in enumerate(drawn.asked)}
        return {
            places[id(row)]: batch.audio[0][at].numpy().tobytes()
            for batch in batches
            for at, row in enumerate(batch.asked)
        }

    alone = sounds([(0, 1)], 20)
    assert sounds([(0, 2), (1, 2)], 3) == alone
    stored = questions.corpora.embeddings([row.heard for row in drawn.asked])[0]
    for number, row in enumerate(drawn.asked):
        if row.change is None:
            assert alone[number] == stored[number].tobytes()
    assert any(alone[n] != stored[n].tobytes() for n, row in enumerate(drawn.asked) if row.change)


def test_torchs_threads_are_left_alone(drawn: Step, questions: Questions) -> None:
    heard = next(asked.heard for asked in drawn.asked if asked.heard >= 0)
    dataset, index = questions.corpora.place(heard)
    before = torch.get_num_threads()
    with ThreadPoolExecutor(2) as threads:
        augmentation = Augmentation(questions.corpora.sounding)
        made = [threads.submit(augmentation.embed, dataset, index, Change(bands=4)) for _ in range(8)]
        assert len({one.result()[0].tobytes() for one in made}) == 1
    assert torch.get_num_threads() == before


def test_a_stopped_run_hears_the_same(
    shards: Path, untaught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage_a(small_run(tmp_path / "whole", [shards], untaught, **AUGMENTED))
    with monkeypatch.context() as patch:
        killing(patch, "_show", 4, kill)
        with pytest.raises(Killed):
            stage_a(small_run(tmp_path / "parts", [shards], untaught, **AUGMENTED))
    stage_a(small_run(tmp_path / "parts", [shards], untaught, workers=4, **AUGMENTED))
    assert differing(tmp_path / "whole", tmp_path / "parts") == []
    stage_a(small_run(tmp_path / "plain", [shards], untaught))
    assert "adapter.safetensors" in differing(tmp_path / "whole", tmp_path / "plain")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"freq_mask": -1}, "freq_mask=-1: must be 0 or more, and finite"),
        ({"time_shift_ms": float("nan")}, "time_shift_ms=nan: must be 0 or more, and finite"),
        (
            {"encoder_source": ("logmel",)},
            "encoder_source=['logmel']: no sound is encoded without --freq-mask, --time-mask or "
            "--time-shift-ms; give one of them, or leave it out",
        ),
    ],
)
def test_settings_that_make_no_sense(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        DataConfig(shards=(), **options)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_an_encoder_that_cannot_be_had(twice_heard: Path, tmp_path: Path) -> None:
    (dataset,) = heard(twice_heard, "whisper")
    source = dataset.encoder_source
    assert source
    moved = Path(source.partition(":")[2])
    fix = "say where it is with --encoder-source whisper:SOURCE, or leave out the augmentation"
    elsewhere = moved.rename(tmp_path / "elsewhere")
    try:
        with pytest.raises(InputError) as caught:
            Augmentation([dataset])
        assert str(caught.value) == (
            f"encoder {source}: {dataset.root} names it, and {moved} is no folder here; {fix}; SOURCE is a "
            "folder or the hub id to fetch"
        )
        found = Augmentation([dataset], [f"whisper:{elsewhere}"]).embed(dataset, 0, Change(bands=4))
        assert found is not None
    finally:
        elsewhere.rename(moved)
    other = save_whisper(tmp_path / "other", seed=1)
    with pytest.raises(InputError, match=rf"encoder whisper:.*other: is whisper .* are of whisper .*; {fix}"):
        Augmentation([dataset], [f"whisper:{other}"])
    with pytest.raises(
        InputError, match="name each of whisper at most once, and no other, such as whisper:SOURCE"
    ):
        Augmentation([dataset], ["clap:x"])


def test_corpora_of_one_step_share_the_encoder(vl_only: Path, audio_only: Path) -> None:
    corpora = Corpora([vl_only, audio_only], "train")
    assert [encoder.name for encoder in Augmentation(corpora.sounding)._encoders] == ["logmel"]
