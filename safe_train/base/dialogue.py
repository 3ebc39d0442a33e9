"""Dialogue: prompts in, answers out, with the probability of each answer."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from safe_eval.models.model import Answer, Input
from safe_train.base.prompts import Inputs, Picture, Prompts, collate, pad_token

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_NEW_TOKENS = 32


class Generation(NamedTuple):
    """The generated tokens of each answer, and the logits that they were chosen from."""

    tokens: Int64[Tensor, "batch tokens"]
    logits: Float[Tensor, "tokens batch vocab"]


class Dialogue:
    """Asks a base questions and reads its answers with its processor."""

    def __init__(self, base: Any, processor: Any, prompts: Prompts | None = None) -> None:
        self.base = base
        self._processor = processor
        self._prompts = prompts or Prompts(processor)
        self._choice_tokens: dict[tuple[str, ...], list[int] | None] = {}

    def encode(self, inputs: Sequence[Input]) -> Inputs:
        """Encode the inputs' prompts as one batch on the base's device, pictures in its precision."""
        encoded = [self._prompts.encode(given.example.prompt, _picture(given.image)) for given in inputs]
        return {
            name: value.to(self.base.device, self.base.dtype if value.is_floating_point() else None)
            for name, value in collate(encoded, pad_token(self._processor)).items()
        }

    @torch.no_grad()
    def generate(self, prompts: Inputs) -> Generation:
        """Continue each prompt greedily: the most likely token each time."""
        generated = self.base.generate(
            **prompts,
            do_sample=False,
            num_beams=1,
            max_new_tokens=MAX_NEW_TOKENS,
            pad_token_id=pad_token(self._processor),
            return_dict_in_generate=True,
            output_logits=True,
        )
        logits = torch.stack(generated.logits).float().cpu()
        return Generation(generated.sequences[:, -len(logits) :].cpu(), logits)

    def read(self, generation: Generation, row: int, given: Input, *, audio_tokens: int) -> Answer:
        """One row's answer; its confidence is the probability of exactly this text, its end included."""
        tokens, logits = generation.tokens[row], generation.logits[:, row]
        ends = (tokens == self._processor.tokenizer.eos_token_id).nonzero()
        length = int(ends[0]) + 1 if len(ends) else len(tokens)
        log_probabilities = logits[:length].log_softmax(-1).gather(1, tokens[:length, None])
        return Answer(
            text=self._processor.tokenizer.decode(tokens[:length], skip_special_tokens=True).strip(),
            confidence=min(1.0, float(log_probabilities.sum().exp())),
            choice_probabilities=self._choice_probabilities(given, logits[0]),
            consulted=audio_tokens > 0,
            audio_tokens=audio_tokens,
        )

    def _choice_probabilities(self, given: Input, first: Float[Tensor, " vocab"]) -> dict[str, float] | None:
        """The probability of each choice relative to the others, if each is a single token.

        Then the logits of the first token are enough, and it costs nothing.
        """
        choices = given.example.choices
        if not choices:
            return None
        if choices not in self._choice_tokens:
            ids = [self._processor.tokenizer(c, add_special_tokens=False)["input_ids"] for c in choices]
            single = all(len(i) == 1 for i in ids) and len({i[0] for i in ids}) == len(ids)
            self._choice_tokens[choices] = [i[0] for i in ids] if single else None
        tokens = self._choice_tokens[choices]
        if tokens is None:
            return None
        return dict(zip(choices, first[tokens].softmax(-1).tolist(), strict=True))


def _picture(image: "Image | None") -> Picture | None:
    """A picture named by the hash of its size and pixels."""
    if image is None:
        return None
    return Picture(f"{image.size} {hashlib.sha256(image.tobytes()).hexdigest()}", lambda: image)
