"""Vision: the features of a picture, computed once for all questions about it.

Most models of transformers take ready features (`mm_encoder_outputs`) in place of pixels. They are computed
for one picture at a time, so that they do not depend on the other pictures of a batch. A model that takes
none, or whose logits differ with them, is given the pixels.
"""

import inspect
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from safe_data.core.recent import Recent
from safe_eval.models.token_batches import Inputs
from safe_train.base.loading import input_device
from safe_train.base.prompts import Picture

FEATURE_CACHE_BYTES = 2**30
_PIXELS = "pixel"  # the names of the tensors that only the vision tower reads begin so
_FEATURES = "mm_encoder_outputs"
_PARTS = ("pooler_output", "deepstack_features")  # what decoders read of the features


class Vision:
    """Looks at pictures with a base, and remembers their features up to a number of bytes.

    `state` is the state of the base in which it looks at them.
    """

    def __init__(
        self,
        base: Any,
        capacity_bytes: int = FEATURE_CACHE_BYTES,
        state: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        self._base, self._state = base, state
        self._features: Recent[Any] = Recent(capacity_bytes)
        takes = _FEATURES in inspect.signature(base.forward).parameters
        self._see = getattr(base.base_model, "get_image_features", None) if takes else None
        self._agrees: bool | None = None if self._see else False

    def look(
        self, encoded: Sequence[Inputs], pictures: Sequence[Picture | None]
    ) -> tuple[list[Inputs], dict[str, Any]]:
        """Take the pixels out of prompts of one row each; return the prompts and what the base gets instead.

        The prompts come back as they are, and nothing with them, if the base must see pixels.
        """
        shown = [(inputs, picture) for inputs, picture in zip(encoded, pictures, strict=True) if picture]
        if not shown or self._agrees is False:
            return list(encoded), {}
        if self._agrees is None:
            with self._state():
                self._agrees = self._agree(shown[0][0])
            return self.look(encoded, pictures)
        with self._state():
            features = _join([self._features_of(inputs, picture) for inputs, picture in shown])
        return [_without_pixels(inputs) for inputs in encoded], {_FEATURES: {"image": features}}

    def _features_of(self, inputs: Inputs, picture: Picture) -> Any:
        features = self._features.get(picture.sha256)
        if features is None:
            features = self._compute(inputs)
            self._features.put(picture.sha256, features, _bytes(list(features.values())))
        return features

    @torch.no_grad()
    def _compute(self, inputs: Inputs) -> Any:
        """The features of one prompt's picture, without the hidden states of the vision tower."""
        if self._see is None:
            raise ValueError(f"{type(self._base).__name__} has no image features")
        wanted = inspect.signature(self._see).parameters
        on_device = self._on_device(inputs)
        made = self._see(**{n: t for n, t in on_device.items() if n in wanted}, return_dict=True)
        return type(made)(**{name: made[name] for name in _PARTS if made.get(name) is not None})

    @torch.no_grad()
    def _agree(self, inputs: Inputs) -> bool:
        """Whether the base has the same logits by features and by pixels, tried on one prompt."""
        try:
            features = {"image": _join([self._compute(inputs)])}
            ours = self._base(**self._on_device(_without_pixels(inputs)), **{_FEATURES: features}).logits
        except Exception:  # a family may read the features in another way; then it is given pixels
            return False
        return torch.equal(ours, self._base(**self._on_device(inputs)).logits)

    def _on_device(self, inputs: Inputs) -> Inputs:
        base = self._base
        return {
            name: tensor.to(input_device(base), base.dtype if tensor.is_floating_point() else None)
            for name, tensor in inputs.items()
        }


def _without_pixels(inputs: Inputs) -> Inputs:
    return {name: tensor for name, tensor in inputs.items() if not name.startswith(_PIXELS)}


def _join(features: Sequence[Any]) -> Any:
    """The features of several pictures as those of one batch, in a new object, which a base may change."""
    first = features[0]
    joined = {"pooler_output": _together([one["pooler_output"] for one in features])}
    if first.get("deepstack_features") is not None:
        layers = zip(*(one["deepstack_features"] for one in features), strict=True)
        joined["deepstack_features"] = [_together(layer) for layer in layers]
    return type(first)(**joined)


def _together(parts: Sequence[Any]) -> Any:
    """One tensor of tensors, or one list of lists."""
    return torch.cat(list(parts)) if isinstance(parts[0], Tensor) else [one for part in parts for one in part]


def _bytes(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.nbytes
    return sum(_bytes(one) for one in value) if isinstance(value, list | tuple) else 0
