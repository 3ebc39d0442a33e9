"""Prompts: an example's text and picture as tokens and pixels, one at a time and as a batch.

Each prompt is processed alone and padded here, in training and in prediction alike, so that it has the same
tokens in every batch. Prompts are padded on the left and answers on the right, so that all answers begin in
one column.
"""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from jaxtyping import Int64
from torch import Tensor

from safe_data.core.errors import InputError
from safe_data.core.recent import Recent
from safe_data.shards.dataset import ShardDataset
from safe_eval.models.processors import picture_token, plain_text, process
from safe_eval.models.token_batches import PER_TOKEN, Inputs
from safe_train.settings.backbone import AskingConfig, filled

if TYPE_CHECKING:
    from PIL.Image import Image

PICTURE_CACHE_BYTES = 2**30
TOKEN_CACHE_BYTES = 2**28
_LOCKS = 64


class Picture(NamedTuple):
    """A picture: a hash that names it, and how to load it where it is not remembered."""

    sha256: str
    load: "Callable[[], Image]"


def stored_picture(dataset: ShardDataset, index: int) -> Picture | None:
    """The picture of a sample, named by the hash of its file; None for a sample without one."""
    sha256 = dataset.value(index, "image_sha256")
    return None if sha256 is None else Picture(sha256, partial(_load, dataset, index))


def _load(dataset: ShardDataset, index: int) -> "Image":
    image = dataset.image(index)
    if image is None:
        raise InputError(f"{dataset.root}: sample {index} has the hash of a picture, and no picture")
    return image


def check_pictures(asking: AskingConfig, datasets: Sequence[ShardDataset]) -> None:
    """Check that questions about pictures can be asked with them, before anything is loaded.

    Raises:
        InputError: a dataset has pictures, and the template has no place for one.
    """
    if asking.shows_pictures:
        return
    for dataset in datasets:
        if any(dataset.value(index, "image_sha256") for index in range(len(dataset))):
            raise InputError(
                f"prompt_template={asking.prompt_template!r}: has no {{image}}, and {dataset.root} has "
                "pictures; write {image} where the picture belongs"
            )


def prompt_text(processor: Any, prompt: str, *, has_image: bool, template: str | None = None) -> str:
    """The text that asks a question: by the template, or the model's own, or as its family documents it."""
    if template is not None:
        return filled(template, prompt, picture_token(processor) if has_image else None)
    if getattr(processor, "chat_template", None):
        content = [{"type": "image"}] * has_image + [{"type": "text", "text": prompt}]
        text: str = processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )
        return text
    return plain_text(processor, prompt, has_image=has_image)


def encode_prompt(processor: Any, prompt: str, image: "Image | None", template: str | None = None) -> Inputs:
    """Encode one prompt with its picture as a batch of one."""
    text = prompt_text(processor, prompt, has_image=image is not None, template=template)
    encoded = process(processor, text, image).items()
    return {name: value for name, value in encoded if isinstance(value, Tensor) and name != "labels"}


class _Processed(NamedTuple):
    """A picture behind the processor: its size, what the image processor made of it, and the tensors."""

    size: tuple[int, int]
    output: Mapping[str, Any]
    tensors: Inputs


class _Encoded(NamedTuple):
    """The tensors of one prompt: its own, and the names of all; the others are those of its picture."""

    own: Inputs
    names: tuple[str, ...]


class Prompts:
    """Encodes prompts with a processor; a picture is loaded and processed once, while it is remembered.

    The tensors are those of `encode_prompt`, bit for bit. Prompts about one picture share the tensors that
    describe it, so do not change them in place. Safe for several threads.
    """

    def __init__(
        self,
        processor: Any,
        asking: AskingConfig | None = None,
        *,
        picture_bytes: int = PICTURE_CACHE_BYTES,
        token_bytes: int = TOKEN_CACHE_BYTES,
    ) -> None:
        self.processor = processor
        self.asking = asking or AskingConfig()
        self._pictures: Recent[_Processed] = Recent(picture_bytes)
        self._prompts: Recent[_Encoded] = Recent(token_bytes)
        self._locks = [Lock() for _ in range(_LOCKS)]
        self._tokenizer_lock = Lock()  # a tokenizer is not made for several threads
        self._can_repeat: bool | None = None

    def encode(self, prompt: str, picture: Picture | None = None) -> Inputs:
        """Encode one prompt with its picture as a batch of one."""
        if picture is None:
            return self._encode_words(prompt)
        # A second thread that needs the same picture waits for it instead of processing it too.
        with self._locks[hash(picture.sha256) % _LOCKS]:
            seen = self._pictures.get(picture.sha256)
            encoded = self._prompts.get((prompt, picture.sha256))
            if seen is None or encoded is None:
                inputs, seen = self._encode(prompt, picture, seen)
                known = seen.tensors
                own = {n: t for n, t in inputs.items() if n not in known or not _is_same(t, known[n])}
                encoded = _Encoded(own, tuple(inputs))
                self._prompts.put((prompt, picture.sha256), encoded, _bytes(own.values()))
        return {n: encoded.own[n] if n in encoded.own else seen.tensors[n] for n in encoded.names}

    def _encode_words(self, prompt: str) -> Inputs:
        encoded = self._prompts.get((prompt, None))
        if encoded is None:
            with self._tokenizer_lock:
                inputs = encode_prompt(self.processor, prompt, None, self.asking.prompt_template)
            encoded = _Encoded(inputs, tuple(inputs))
            self._prompts.put((prompt, None), encoded, _bytes(inputs.values()))
        return dict(encoded.own)

    def _encode(self, prompt: str, picture: Picture, seen: _Processed | None) -> tuple[Inputs, _Processed]:
        """The tensors of a prompt, and its picture as it is to be remembered."""
        if seen is not None and seen.output:
            return self._in_halves(prompt, _blank(seen.size), seen.output)[0], seen
        image = picture.load()
        output: Mapping[str, Any] = {}
        if self._repeats():
            inputs, output = self._in_halves(prompt, image)
        else:
            with self._tokenizer_lock:
                inputs = encode_prompt(self.processor, prompt, image, self.asking.prompt_template)
        tensors = {name: tensor for name, tensor in inputs.items() if name not in PER_TOKEN}
        processed = _Processed(image.size, output, tensors)
        self._pictures.put(picture.sha256, processed, _bytes([*tensors.values(), *output.values()]))
        return inputs, processed

    def _in_halves(
        self, prompt: str, image: "Image", output: Mapping[str, Any] | None = None
    ) -> tuple[Inputs, Mapping[str, Any]]:
        """Encode a prompt by a processor whose image processor repeats an earlier output, if one is given.

        Raises:
            ValueError: the processor does not call its image processor exactly once.
        """
        processor, outputs = copy.copy(self.processor), []

        def see(*args: Any, **options: Any) -> Any:
            made = self.processor.image_processor(*args, **options) if output is None else output
            outputs.append(made)
            return copy.copy(made)  # a processor may take away what only it needs

        def read(*args: Any, **options: Any) -> Any:
            with self._tokenizer_lock:
                return self.processor.tokenizer(*args, **options)

        processor.image_processor = _StandIn(self.processor.image_processor, see)
        processor.tokenizer = _StandIn(self.processor.tokenizer, read)
        inputs = encode_prompt(processor, prompt, image, self.asking.prompt_template)
        if len(outputs) != 1 or not isinstance(outputs[0], Mapping):
            raise ValueError(
                f"{type(self.processor).__name__}: {len(outputs)} outputs of its image processor"
            )
        return inputs, outputs[0]

    def _repeats(self) -> bool:
        """Whether the processor needs nothing of a picture but its size and its image processor's output.

        It is tried once, on a picture made here; a processor that fails is called as a whole every time.
        """
        if self._can_repeat is None:
            image = _gradient()
            try:
                plain = encode_prompt(self.processor, "?", image, self.asking.prompt_template)
                recorded, output = self._in_halves("?", image)
                repeated, _ = self._in_halves("?", _blank(image.size), output)
                self._can_repeat = _all_same(plain, recorded) and _all_same(plain, repeated)
            except Exception:  # it may refuse the stand-ins in any way
                self._can_repeat = False
        return self._can_repeat


class _StandIn:
    """Another object in all but its call."""

    def __init__(self, original: Any, call: Callable[..., Any]) -> None:
        self._original, self._call = original, call

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self._call(*args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


def _blank(size: tuple[int, int]) -> "Image":
    from PIL.Image import new

    return new("RGB", size)


def _gradient() -> "Image":
    """A picture that is not blank, and that no processor finds too small."""
    from PIL.Image import linear_gradient

    return linear_gradient("L").resize((336, 224)).convert("RGB")


def _is_same(one: Tensor, other: Tensor) -> bool:
    return one is other or (one.dtype == other.dtype and torch.equal(one, other))


def _all_same(ours: Inputs, theirs: Inputs) -> bool:
    return ours.keys() == theirs.keys() and all(_is_same(ours[name], theirs[name]) for name in ours)


def _bytes(values: Iterable[Any]) -> int:
    """The bytes of tensors and arrays, of which the same one may come twice."""
    return sum({id(value): int(getattr(value, "nbytes", 0)) for value in values}.values())


def encode_answer(processor: Any, answer: str) -> Int64[Tensor, " tokens"]:
    """Encode an answer, with the end token behind it.

    Raises:
        InputError: the answer has no tokens, or the tokenizer has no end token.
    """
    tokenizer = processor.tokenizer
    ids = tokenizer(answer, add_special_tokens=False)["input_ids"]
    if not ids or tokenizer.eos_token_id is None:
        raise InputError(
            f"answer {answer!r} has {len(ids)} tokens and the end token is {tokenizer.eos_token!r}; "
            "training needs both"
        )
    return torch.tensor([*ids, tokenizer.eos_token_id])
