"""The toy backbone's words: a tokenizer with one token per word, in an ordinary LLaVA processor."""

from typing import Any

from safe_data.sources.synthetic.non_speech import NON_SPEECH
from safe_data.sources.synthetic.pictures import COLOURS, SHAPES, SIDE, Thing
from safe_data.sources.synthetic.questions import (
    CLASSES,
    NONE,
    NUMBERS,
    Question,
    about_picture,
    about_sound,
    about_speech,
)
from safe_data.sources.synthetic.sounds import SOUNDS
from safe_data.sources.synthetic.speech import SPOKEN
from safe_data.sources.synthetic.worlds import PLAIN, find_world

PATCH_SIDE = SIDE // 2  # pixels: one patch per cell of the picture
PAD, END, UNKNOWN, IMAGE = "<pad>", "</s>", "<unk>", "<image>"
SPECIAL = (PAD, END, UNKNOWN, IMAGE)

_CHAT_TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{{ '<image> ' if part['type'] == 'image' else part['text'] }}"
    "{% endfor %}{% endfor %}"
)


def with_sound_in_words(kind: str | None, count: int, question: Question) -> str:
    """A question about a sound, after words that describe the sound; silence has no kind.

    >>> question = about_sound(None, 0)[0]
    >>> with_sound_in_words(None, 0, question)
    'heard : zero . what sound is heard ?'
    """
    words = f"{NUMBERS[count]} {kind}" if kind else NUMBERS[count]
    return f"heard : {words} . {question.prompt}"


def vocabulary(world: str = PLAIN) -> list[str]:
    """The special tokens, then every word of every prompt and answer of a synthetic world."""
    texts = [with_sound_in_words(kind, 1, question) for kind in SOUNDS for question in about_sound(kind, 1)]
    for colour in COLOURS:
        for shape in SHAPES:
            texts += [question.prompt for question in about_picture((Thing(0, colour, shape),))]
    words = {word for text in texts for word in text.split()}
    found = find_world(world)
    silence = {NONE} if found.has_silence else set()
    speech = {*about_speech(is_speech=True).prompt.split(), *CLASSES, SPOKEN, *NON_SPEECH}
    words |= {*NUMBERS, *COLOURS, *SHAPES, *SOUNDS} | silence | (speech if found.speech else set())
    return [*SPECIAL, *sorted(words)]


def make_processor(world: str = PLAIN) -> Any:
    """Make a LlavaProcessor without a download; it pads on the left, as generation needs."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import LlavaProcessor, PreTrainedTokenizerFast
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    words = Tokenizer(WordLevel({word: i for i, word in enumerate(vocabulary(world))}, unk_token=UNKNOWN))
    words.pre_tokenizer = WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        extra_special_tokens={"image_token": IMAGE},
        padding_side="left",
    )
    # This one needs no torchvision; the usual one would fall back to it with a warning.
    pictures = CLIPImageProcessorPil(
        size={"height": SIDE, "width": SIDE},
        do_center_crop=False,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    return LlavaProcessor(
        image_processor=pictures,
        tokenizer=tokenizer,
        patch_size=PATCH_SIDE,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_CHAT_TEMPLATE,
    )
