"""The settings of the frozen vision-language model: which, how it is loaded, and how it is asked."""

from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter
from typing import Literal, get_args

from safe_data.core.errors import InputError, check_at_least_one, check_choices, did_you_mean

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Quantization = Literal["int8", "8bit", "4bit"]
PathwayPrecision = Literal["float32", "bfloat16", "float16", "int8"]
Attention = Literal["eager", "sdpa", "flash_attention_2"]

_FIELDS = ("question", "image")


@dataclass(frozen=True)
class BackboneConfig:
    """The frozen vision-language model."""

    source: str = field(metadata={"option": "backbone"})
    """vision-language model, as a directory written by save_pretrained or as a hub id"""

    @property
    def name(self) -> str:
        """Its name in checkpoints."""
        return Path(self.source).resolve().name


@dataclass(frozen=True)
class LoadingConfig:
    """How the frozen model is loaded: its precision, and where it lies.

    Raises:
        InputError: no such choice.
    """

    dtype: Dtype = "auto"
    """precision of the frozen model; auto: the one it was saved in; the pathway is trained in float32"""

    device_map: str | None = None
    """where the frozen model lies: auto, balanced, balanced_low_0 or sequential spread it over the devices of
    one process; or one device, such as cpu or cuda:1 (default: one device a process, as accelerate says)"""

    quantization: Quantization | None = None
    """load the frozen model's matrices in fewer bits: int8 by torchao, on any device; 8bit or 4bit by
    bitsandbytes, which needs CUDA (default: none of them)"""

    attention: Attention | None = None
    """implementation of the frozen model's attention; one that transformers cannot use is refused (default:
    its own choice)"""

    def __post_init__(self) -> None:
        check_choices(self, dtype=get_args(Dtype))
        if self.quantization is not None:
            check_choices(self, quantization=get_args(Quantization))
        if self.attention is not None:
            check_choices(self, attention=get_args(Attention))


@dataclass(frozen=True)
class AskingConfig:
    """How the frozen model is asked, in training and, by the checkpoint, in every prediction.

    Raises:
        InputError: a template without {question} or with another field, or no room for an answer.
    """

    prompt_template: str | None = None
    """text that asks a question, with {question} and, for its picture, {image}, such as "USER: {image}
    {question} ASSISTANT:"; without a picture, {image} and the spaces behind it are left out (default: the
    model's chat template, or the picture's token and the question)"""

    prompt_suffix: str | None = None
    """what follows a question on a line of its own, such as "Answer the question using a single word or
    phrase."; not what asks for a caption (default: nothing)"""

    answer_tokens: int = 32
    """the most tokens that an answer may have, at least 1; a longer one is cut off"""

    def __post_init__(self) -> None:
        check_at_least_one(self, "answer_tokens")
        if self.prompt_template is not None:
            _check_template(self.prompt_template)

    @property
    def shows_pictures(self) -> bool:
        """Whether a question can be asked about a picture."""
        return self.prompt_template is None or "image" in _fields_of(self.prompt_template)

    def worded(self, prompt: str, task: str) -> str:
        """A question as it is asked: with the suffix, unless a caption is asked for.

        >>> AskingConfig(prompt_suffix="Be brief.").worded("What is it?", "vqa")
        'What is it?\\nBe brief.'
        >>> AskingConfig(prompt_suffix="Be brief.").worded("Describe it.", "caption")
        'Describe it.'
        """
        return f"{prompt}\n{self.prompt_suffix}" if self.prompt_suffix and task != "caption" else prompt


def filled(template: str, question: str, image: str | None) -> str:
    """A template with the question and the picture's token in it; None leaves out the picture.

    >>> filled("USER: {image}\\n{question} ASSISTANT:", "Who?", "<image>")
    'USER: <image>\\nWho? ASSISTANT:'
    >>> filled("USER: {image}\\n{question} ASSISTANT:", "Who?", None)
    'USER: Who? ASSISTANT:'
    """
    text, left_out = "", False
    for literal, name, _, _ in Formatter().parse(template):
        text += literal.lstrip() if left_out else literal
        left_out = name == "image" and image is None
        text += question if name == "question" else (image or "") if name == "image" else ""
    return text


def _fields_of(template: str) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(template) if name is not None]


def _check_template(template: str) -> None:
    where = f"prompt_template={template!r}"
    try:
        parts = [part for part in Formatter().parse(template) if part[1] is not None]
    except ValueError as error:
        raise InputError(f"{where}: {error}; write a brace that is no field twice, as {{{{") from None
    for _, name, spec, conversion in parts:
        if name not in _FIELDS or spec or conversion:
            shown = f"{name}{'!' + conversion if conversion else ''}{':' + spec if spec else ''}"
            hint = did_you_mean(str(name), _FIELDS, "there are {question} and {image}")
            raise InputError(f"{where}: has the field {{{shown}}}; {hint}")
    for name in _FIELDS:
        if (count := _fields_of(template).count(name)) > 1:
            raise InputError(f"{where}: has {{{name}}} {count} times; write it once")
    if "question" not in _fields_of(template):
        raise InputError(f"{where}: has no {{question}}; write it where the question belongs")
