"""Tones and coloured pictures in memory, and a model that tells them apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from safe_data.media.sound import Sound
from safe_data.records import Audio, Example, Record
from safe_eval.models.model import Answer, Input

RATE_HZ = 8000
TONES_HZ = {"low": 200, "middle": 800, "high": 3000}
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


@dataclass(frozen=True)
class Item:
    record: Record
    sound: Sound | None
    picture: Image.Image


class ToneDataset:
    """A dataset in memory: each record has a coloured picture, and four in five have a tone."""

    def __init__(self, size: int) -> None:
        rng = np.random.default_rng(0)
        self.items = [self._item(number, rng) for number in range(size)]

    @staticmethod
    def _item(number: int, rng: np.random.Generator) -> Item:
        tone, colour = rng.choice(list(TONES_HZ)), rng.choice(list(COLOURS))
        times = np.arange(800 + number) / RATE_HZ
        samples = (rng.uniform(0.1, 0.5) * np.sin(2 * np.pi * TONES_HZ[tone] * times)).astype(np.float32)
        has_sound = number % 5 != 4
        examples = [("colour", "what colour ?", colour, False)]
        if has_sound:
            examples.append(("tone", "which tone ?", tone, True))
        record = Record(
            id=f"r{number}",
            dataset="tones",
            split="test",
            group=f"g{number // 2}",
            image="i.png",
            audio=Audio(path="s.wav") if has_sound else None,
            examples=tuple(
                Example(
                    id=f"r{number}-{kind}",
                    task="vqa",
                    prompt=prompt,
                    references=(answer,),
                    question_type=kind,
                    needs_audio=needs_audio,
                )
                for kind, prompt, answer, needs_audio in examples
            ),
        )
        sound = Sound(samples, RATE_HZ, RATE_HZ, 1) if has_sound else None
        return Item(record, sound, Image.new("RGB", (2, 2), COLOURS[colour]))

    def __len__(self) -> int:
        return len(self.items)

    def record(self, index: int) -> Record:
        return self.items[index].record

    def audio(self, index: int) -> Sound | None:
        return self.items[index].sound

    def image(self, index: int) -> Image.Image | None:
        return self.items[index].picture


class Listener:
    """Tells a tone by its spectrum and a colour by its pixels; says "silence" without either."""

    def __init__(self, name: str = "listener") -> None:
        self.name = name
        self.batches: list[int] = []

    def answer(self, inputs: Sequence[Input]) -> Sequence[Answer]:
        self.batches.append(len(inputs))
        return [self._answer(given) for given in inputs]

    def _answer(self, given: Input) -> Answer:
        if given.example.question_type == "colour":
            pixel = np.array(given.image.getpixel((0, 0)))
            distances = {name: np.abs(pixel - rgb).sum() for name, rgb in COLOURS.items()}
            return Answer(min(distances, key=distances.get), consulted=False)
        if given.audio is None or given.gate == 0 or not given.audio.any():
            return Answer("silence", confidence=np.float32(0.5), consulted=np.bool_(False))
        spectrum = np.abs(np.fft.rfft(given.audio))
        peak_hz = spectrum.argmax() * given.sample_rate_hz / len(given.audio)
        nearest = min(TONES_HZ, key=lambda name: abs(TONES_HZ[name] - peak_hz))
        return Answer(
            nearest, confidence=0.9, choice_probabilities={nearest: np.float64(0.9)}, audio_tokens=1
        )
