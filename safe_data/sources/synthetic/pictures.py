"""Pictures of the synthetic world: one to four coloured shapes on a grid of two by two cells."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, UInt8
from numpy import ndarray

SIDE = 32
CELLS = 4
COLOURS = {"red": (220, 50, 40), "green": (40, 170, 70), "blue": (50, 80, 220), "yellow": (235, 205, 50)}
SHAPES = ("circle", "square", "triangle")
DARKEST, LIGHTEST = 20, 120

_CELL_SIDE = SIDE // 2
_PIXEL_NOISE = 8.0
_FOG_NOISE = 70.0  # standard deviation, of 255: a colour or a shape can then often only be guessed


class Thing(NamedTuple):
    """A coloured shape in one of the four cells, which are counted row by row."""

    cell: int
    colour: str
    shape: str


Scene = tuple[Thing, ...]


def draw_scene(rng: np.random.Generator) -> Scene:
    """Draw one to four things, each number equally likely, in different cells."""
    cells = rng.choice(CELLS, size=rng.integers(1, CELLS + 1), replace=False)
    return tuple(
        Thing(cell, list(COLOURS)[rng.integers(len(COLOURS))], SHAPES[rng.integers(len(SHAPES))])
        for cell in sorted(cells.tolist())
    )


def render(scene: Scene, shade: float, rng: np.random.Generator) -> UInt8[ndarray, "32 32 3"]:
    """Paint a scene on grey of this shade (0 to 255); place and size of each thing vary a little.

    Pixel noise makes two pictures of the same scene differ, so that no picture is in two splits.
    """
    pixels = np.full((SIDE, SIDE, 3), shade)
    for thing in scene:
        row, column = divmod(thing.cell, 2)
        centre = np.array([row, column]) * _CELL_SIDE + (_CELL_SIDE - 1) / 2 + rng.uniform(-1.5, 1.5, size=2)
        inside = _mask(thing.shape, centre[0], centre[1], radius=rng.uniform(4.5, 6.0))
        pixels[inside] = COLOURS[thing.colour]
    pixels += _PIXEL_NOISE * rng.standard_normal(pixels.shape)
    return np.clip(np.round(pixels), 0, 255).astype(np.uint8)


def in_fog(picture: UInt8[ndarray, "32 32 3"], rng: np.random.Generator) -> UInt8[ndarray, "32 32 3"]:
    """The picture with so much noise in each pixel that a colour or a shape may not be seen."""
    pixels = picture + _FOG_NOISE * rng.standard_normal(picture.shape)
    return np.clip(np.round(pixels), 0, 255).astype(np.uint8)


def _mask(shape: str, top: float, left: float, radius: float) -> Bool[ndarray, "32 32"]:
    """The pixels of a shape around a centre; all shapes have about the same area for the same radius."""
    down, right = np.ogrid[:SIDE, :SIDE]
    down, right = down - top, right - left
    if shape == "circle":
        return down**2 + right**2 <= radius**2
    if shape == "square":
        return np.maximum(np.abs(down), np.abs(right)) <= 0.87 * radius
    return (down <= radius) & (np.abs(right) <= (down + radius) * 0.62)
