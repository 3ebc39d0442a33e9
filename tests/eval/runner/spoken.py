"""Functions that `safe-eval run --model python:spoken:NAME` asks."""

import os
import time
from pathlib import Path

from safe_eval.models.model import Answer, Input, ModelGoneError


def colour(given: Input) -> str:
    """A name of the middle pixel, and whether there is a sound."""
    heard = given.audio is not None and bool(given.audio.any()) and given.gate > 0
    image = given.image
    pixel = "nothing" if image is None else str(image.getpixel((image.width // 2, image.height // 2)))
    return f"{pixel} {'loud' if heard else 'quiet'}"


def slow_colour(given: Input) -> str:
    """The same, in a while, and written down: what was asked, in SAFE_TEST_ASKED."""
    with Path(os.environ["SAFE_TEST_ASKED"]).open("a") as file:
        file.write(f"{given.example.id}\n")
    time.sleep(0.002)
    return colour(given)


def failing(given: Input) -> Answer:
    """The same, but some examples fail while the file SAFE_TEST_FAILS is there."""
    if given.example.id.endswith("colour") and Path(os.environ["SAFE_TEST_FAILS"]).exists():
        raise RuntimeError("busy")
    return Answer(colour(given), confidence=0.5)


def leaving(given: Input) -> str:
    """The same, until as many were asked as the file SAFE_TEST_GONE says, if it is there."""
    gone, asked = Path(os.environ.get("SAFE_TEST_GONE", "/")), os.environ.get("SAFE_TEST_ASKED")
    if gone.is_file():
        left = int(gone.read_text())
        if not left:
            raise ModelGoneError("no server answers there any more")
        gone.write_text(str(left - 1))
    return slow_colour(given) if asked else colour(given)
