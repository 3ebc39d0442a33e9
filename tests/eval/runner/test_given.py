"""What each record gives in an arm: the facts of what is sent, and an error that costs one record."""

from collections.abc import Sequence

import numpy as np
import pytest
from made_listener import ToneDataset
from PIL import Image

from safe_data.media.sound import Sound
from safe_eval.runner.given import Given, Giver
from safe_eval.runner.media import pixel_hash
from safe_eval.runner.plan import Arm, make_plan
from safe_eval.runner.row import hear

CONDITIONS = ("full", "gate_off", "mute_audio", "swap_audio", "noise_audio", "snr_10db", "mute_vision")
DATASET = ToneDataset(10)
WITHOUT_SOUND = {4, 9}


def give(condition: str, *, hears: bool = True, of: Sequence[int] = range(10)) -> dict[int, Given | str]:
    plan = make_plan(DATASET, [Arm("m", name) for name in CONDITIONS], seed=3, batch_size=4)
    records = {index: DATASET.record(index) for index in of}
    return Giver(DATASET, plan, 3).give(Arm("m", condition), records, hears=hears)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_facts_are_those_of_what_is_sent(condition: str) -> None:
    for index, one in give(condition).items():
        assert isinstance(one, Given)
        if index in WITHOUT_SOUND:
            assert (one.sound, one.heard, one.gate, one.note["sound"]) == (None, None, 0.0, None)
            continue
        assert one.sound is not None
        assert one.heard == hear(one.sound())
        assert one.gate == one.note["gate"] == (0.0 if condition == "gate_off" else 1.0)
        assert one.note["sound_seconds"] == round(one.heard.duration_seconds, 6)


def test_a_model_that_does_not_hear_is_given_no_sound() -> None:
    for one in give("full", hears=False).values():
        assert isinstance(one, Given)
        assert (one.sound, one.heard, one.gate) == (None, None, 0.0)
        assert (one.note["sound"], one.note["picture"]) == (None, "own")


def test_a_model_that_does_not_see_is_given_no_picture() -> None:
    plan = make_plan(DATASET, [Arm("m", "full")], seed=3, batch_size=4)
    given = Giver(DATASET, plan, 3).give(Arm("m", "full"), {0: DATASET.record(0)}, hears=True, sees=False)
    assert isinstance(given[0], Given)
    assert (given[0].picture, given[0].picture_sha256, given[0].note["picture"]) == (None, None, None)
    assert given[0].sound is not None


def test_a_changed_picture_has_the_hash_of_its_own_pixels() -> None:
    for index, one in give("mute_vision").items():
        assert isinstance(one, Given)
        assert one.picture is not None
        assert one.picture_sha256 == pixel_hash(Image.new("RGB", (2, 2), (128, 128, 128)))
        own = give("full", of=[index])[index]
        assert isinstance(own, Given)
        assert own.picture_sha256 == pixel_hash(DATASET.image(index))


def test_a_broken_sound_is_an_error_of_its_record_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    original = ToneDataset.audio

    def audio(self: ToneDataset, index: int) -> Sound | None:
        if index == 3:
            raise ValueError("cannot\ndecode")
        return original(self, index)

    monkeypatch.setattr(ToneDataset, "audio", audio)
    given = give("noise_audio")
    assert given.pop(3) == "ValueError: cannot decode"
    assert all(isinstance(one, Given) for one in given.values())


def test_the_same_sound_is_sent_whatever_else_is_asked() -> None:
    alone, together = give("noise_audio", of=[2])[2], give("noise_audio")[2]
    assert isinstance(alone, Given)
    assert isinstance(together, Given)
    assert alone.sound is not None
    assert together.sound is not None
    assert np.array_equal(alone.sound().samples, together.sound().samples)
