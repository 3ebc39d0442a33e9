"""Tell a pause of a sound from a loss, in files that do not say how long their packets last."""

from array import array
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from safe_data.core.errors import MediaError
from safe_data.media.checks.extents import MISSING_SECONDS

BACK_SECONDS = 0.25  # a packet may begin this much before an earlier one


@dataclass
class Packets:
    """When the packets of one stream begin, and how long they last where the file says so; in seconds."""

    starts: "array[float]" = field(default_factory=lambda: array("d"))
    lengths: "array[float]" = field(default_factory=lambda: array("d"))  # 0 if the file does not say

    def add(self, start_seconds: float, length_seconds: float = 0.0) -> None:
        self.starts.append(start_seconds)
        self.lengths.append(length_seconds)

    def ends(self, longest: bool = False) -> Float64[ndarray, " packets"]:
        """When they end; where the file does not say, they last as most do, or as the longest does."""
        starts = np.array(self.starts)
        lengths = np.array(self.lengths) if self.lengths else np.zeros(len(starts))
        if len(starts) > 1:
            steps = np.diff(np.sort(starts))
            lengths[lengths == 0] = steps.max() if longest else np.median(steps)
        elif longest:
            lengths[lengths == 0] = np.inf
        ends: Float64[ndarray, " packets"] = starts + lengths
        return ends


def check_pauses(sound: Packets, pictures: list[Packets]) -> None:
    """Refuse a sound that is interrupted for more than half a second while there are no pictures either.

    A sound may pause while pictures go on; if both are missing, a part of the file is.

    Raises:
        MediaError: a part of the sound is lost, or its packets are not in order.
    """
    if len(sound.starts) < 2:
        return
    starts = np.array(sound.starts)
    back = np.diff(starts) < -BACK_SECONDS
    if back.any():
        raise MediaError(f"damaged sound: its time jumps back to {starts[1:][back][0]:g} s")
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(sound.ends()[order])
    for gap in np.flatnonzero(starts[1:] - ends[:-1] > MISSING_SECONDS):
        begin, end = ends[gap], starts[gap + 1]
        inside = (begin + (end - begin) / 4, end - (end - begin) / 4)
        shown = (np.array(picture.starts) for picture in pictures)
        if not any(((inside[0] < times) & (times < inside[1])).any() for times in shown):
            raise MediaError(f"damaged sound: nothing is there from {begin:.3f} s to {end:.3f} s")
