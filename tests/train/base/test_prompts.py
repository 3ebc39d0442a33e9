"""Prompts: a picture is loaded and processed once, and the tensors are those of the whole processor."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from safe_data.shards.dataset import ShardDataset
from safe_eval.models.token_batches import Inputs
from safe_train.base.prompts import Picture, Prompts, encode_prompt, stored_picture
from safe_train.toy.words import make_processor

QUESTIONS = ("what shape is the red object ?", "how many objects are there ?", "what sound is heard ?")


def draw(number: int) -> Image.Image:
    size = (40 + number, 30)
    pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


class Gallery:
    """Pictures that count how often they are loaded."""

    def __init__(self) -> None:
        self.loaded: Counter[int] = Counter()

    def __getitem__(self, number: int) -> Picture:
        def load() -> Image.Image:
            self.loaded[number] += 1
            return draw(number)

        return Picture(f"hash of {number}", load)


def llava_next() -> Any:
    from transformers import LlavaNextProcessor
    from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil

    pictures = LlavaNextImageProcessorPil(
        size={"shortest_edge": 32},
        crop_size={"height": 32, "width": 32},
        image_grid_pinpoints=[[32, 64], [64, 32], [64, 64]],
    )
    return LlavaNextProcessor(
        image_processor=pictures,
        tokenizer=make_processor().tokenizer,
        patch_size=16,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )


def idefics3() -> Any:
    from transformers import Idefics3Processor
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    pictures = Idefics3ImageProcessorPil(size={"longest_edge": 64}, max_image_size={"longest_edge": 32})
    return Idefics3Processor(image_processor=pictures, tokenizer=make_processor().tokenizer, image_seq_len=4)


def looks_itself() -> Any:
    """A processor that writes the brightness of the picture into the prompt: its halves are not enough."""
    processor = make_processor()
    whole = type(processor).__call__

    class Looks(type(processor)):  # type: ignore[misc]
        def __call__(self, images: Any = None, text: Any = None, **options: Any) -> Any:
            words = "" if images is None else " red" * (1 + np.asarray(images[0]).astype(int).sum() % 5)
            return whole(self, images=images, text=[text[0] + words], **options)

    processor.__class__ = Looks
    return processor


def tracked(processor: Any) -> tuple[Any, list[Any]]:
    """The processor, and the pictures that its image processor is given."""
    seen: list[Any] = []
    original = processor.image_processor

    class Tracking(type(original)):  # type: ignore[misc]
        def __call__(self, images: Any, *args: Any, **options: Any) -> Any:
            seen.append(images)
            return super().__call__(images, *args, **options)

    processor.image_processor.__class__ = Tracking
    return processor, seen


def same(ours: Inputs, theirs: Inputs) -> bool:
    return list(ours) == list(theirs) and all(
        ours[name].dtype == theirs[name].dtype and torch.equal(ours[name], theirs[name]) for name in ours
    )


@pytest.mark.parametrize(
    ("make", "loads"), [(make_processor, 1), (llava_next, 1), (idefics3, 1), (looks_itself, 3)]
)
def test_the_tensors_are_those_of_the_whole_processor(make: Callable[[], Any], loads: int) -> None:
    processor, gallery = make(), Gallery()
    prompts = Prompts(processor)
    for number in (1, 2):
        for question in (*QUESTIONS, *QUESTIONS):
            encoded = prompts.encode(question, gallery[number])
            assert same(encoded, encode_prompt(processor, question, draw(number)))
    assert gallery.loaded == {1: loads, 2: loads}
    for question in (QUESTIONS[0], QUESTIONS[0]):
        assert same(prompts.encode(question), encode_prompt(processor, question, None))


def test_questions_about_one_picture_share_it_and_process_it_once() -> None:
    processor, seen = tracked(make_processor())
    prompts, gallery = Prompts(processor), Gallery()
    first = prompts.encode(QUESTIONS[0], gallery[1])
    trials = len(seen) - 1  # the picture made to try the processor
    others = [prompts.encode(question, gallery[1]) for question in QUESTIONS]
    assert all(other["pixel_values"] is first["pixel_values"] for other in others)
    assert len({tuple(other["input_ids"][0].tolist()) for other in others}) == 3
    assert (gallery.loaded[1], len(seen)) == (1, 1 + trials)
    prompts.encode(QUESTIONS[0], gallery[2])
    assert len(seen) == 2 + trials


def test_what_was_used_longest_ago_is_forgotten_first() -> None:
    picture = sum(
        t.nbytes for n, t in encode_prompt(make_processor(), "", draw(1)).items() if n == "pixel_values"
    )
    prompts, gallery = Prompts(make_processor(), picture_bytes=2 * picture), Gallery()
    for number in (1, 2, 1, 3, 1, 2):
        prompts.encode(QUESTIONS[0], gallery[number])
    assert gallery.loaded == {1: 1, 2: 2, 3: 1}
    tiny = Prompts(make_processor(), picture_bytes=picture - 1)
    for _ in range(2):
        assert same(tiny.encode("a", gallery[9]), encode_prompt(make_processor(), "a", draw(9)))
    assert gallery.loaded[9] == 2


def test_tokens_are_forgotten_without_their_picture() -> None:
    prompts, gallery = Prompts(make_processor(), token_bytes=0), Gallery()
    for question in QUESTIONS:
        assert same(prompts.encode(question, gallery[1]), encode_prompt(make_processor(), question, draw(1)))
        assert same(prompts.encode(question), encode_prompt(make_processor(), question, None))
    assert gallery.loaded == {1: 1}


def test_many_threads_load_each_picture_once() -> None:
    prompts, gallery = Prompts(make_processor()), Gallery()
    wanted = [(question, number) for number in range(12) for question in QUESTIONS] * 3
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda want: prompts.encode(want[0], gallery[want[1]]), wanted))
    assert set(gallery.loaded.values()) == {1}
    expected = {want: encode_prompt(make_processor(), want[0], draw(want[1])) for want in set(wanted)}
    assert all(same(inputs, expected[want]) for inputs, want in zip(found, wanted, strict=True))


def test_a_stored_picture_is_named_by_its_file(test_split: ShardDataset) -> None:
    picture = stored_picture(test_split, 3)
    assert picture is not None
    assert picture.sha256 == test_split.manifest["image_sha256"][3].as_py()
    shown = test_split.image(3)
    assert shown is not None
    assert picture.load().tobytes() == shown.tobytes()
