"""A sound may pause while pictures go on; where nothing goes on, a part of the file is lost."""

import numpy as np
import pytest

from safe_data.core.errors import MediaError
from safe_data.media.checks.pauses import Packets, check_pauses


def packets(*ranges: tuple[float, float], step: float = 0.02) -> Packets:
    found = Packets()
    for start, end in ranges:
        for time in np.arange(start, end - step / 2, step):
            found.add(float(time))
    return found


def test_a_pause_is_none_while_pictures_go_on() -> None:
    sound = packets((0.0, 1.0), (3.0, 4.0))
    check_pauses(sound, [packets((0.0, 4.0), step=0.04)])
    check_pauses(packets((0.0, 1.0), (1.4, 2.0)), [])
    check_pauses(Packets(), [])


@pytest.mark.parametrize(
    "pictures", [[], [packets((0.0, 1.0), (3.0, 4.0), step=0.04)], [packets((0.0, 0.5))]]
)
def test_where_nothing_goes_on_a_part_is_lost(pictures: list[Packets]) -> None:
    with pytest.raises(MediaError, match=r"^damaged sound: nothing is there from 1\.000 s to 3\.000 s$"):
        check_pauses(packets((0.0, 1.0), (3.0, 4.0)), pictures)


def test_long_packets_leave_no_gap() -> None:
    check_pauses(packets((0.0, 20.0), step=4.0), [])
    stated = Packets()
    for start, length in ((0.0, 0.02), (0.02, 1.98), (2.0, 0.02)):
        stated.add(start, length)
    check_pauses(stated, [])


def test_packets_come_in_order() -> None:
    check_pauses(packets((0.0, 1.0), (0.98, 2.0)), [])
    with pytest.raises(MediaError, match=r"^damaged sound: its time jumps back to 0\.5 s$"):
        check_pauses(packets((0.0, 1.0), (0.5, 2.0)), [])


def test_the_last_packet_lasts_as_long_as_others() -> None:
    assert packets((0.0, 1.0)).ends().max() == pytest.approx(1.0)
    assert packets((0.0, 1.0), (3.0, 4.0)).ends(longest=True).max() == pytest.approx(6.0)
    assert packets((0.0, 0.02)).ends(longest=True).max() == np.inf
