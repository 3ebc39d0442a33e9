"""Embedded: a question as the embeddings that the decoder reads, and how likely its answer is with others.

What is absent has a stand-in: pad tokens for the words of the question, a grey picture, and silence for the
sound. The words of the template around the question stay as they are, so all mixtures have one length.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from safe_data.core.errors import InputError
from safe_eval.models.generation import last_logits
from safe_eval.models.token_batches import PER_TOKEN, Inputs, append_answers, pad_token
from safe_eval.runner.conditions import greyed
from safe_train.base.backbone import Backbone
from safe_train.base.dialogue import Question
from safe_train.base.loading import input_device
from safe_train.base.prompts import Picture, Prompts
from safe_train.pathway.model import SafeModel
from safe_train.settings.backbone import AskingConfig

WORDS, PICTURE, SOUND = PLAYERS = ("words", "picture", "sound")
_OTHER = "x"  # a question to compare a prompt with: what differs are the words
_CLOSE = 1e-3  # nats; a base that differs more without its pixels is given them

Sounds = tuple[Tensor, ...]  # (rows, …), one for each encoder


@dataclass(frozen=True)
class Embedded:
    """One question with its answer behind it; all tensors have one row.

    `own` is what the decoder reads, `absent` the same with every word and the picture replaced; `sounds` and
    `silence` are embeddings of the encoders. `words` and `picture` say where these stand among the positions.
    """

    inputs: Inputs
    answer: Int64[Tensor, "1 tokens"]
    own: Float[Tensor, "1 positions width"]
    absent: Float[Tensor, "1 positions width"]
    sounds: Sounds
    silence: Sounds
    words: Bool[Tensor, " positions"]
    picture: Bool[Tensor, " positions"]

    @property
    def players(self) -> tuple[str, ...]:
        """What of words, picture and sound this question has."""
        there = (bool(self.words.any()), bool(self.picture.any()), bool(self.sounds))
        return tuple(name for name, has in zip(PLAYERS, there, strict=True) if has)

    @property
    def last(self) -> int:
        """The position that the first token of the answer is chosen from."""
        return self.own.shape[1] - self.answer.shape[1] - 1

    def mixed(self, chosen: Bool[Tensor, "rows units"]) -> tuple[Tensor, Sounds]:
        """Rows in which only the chosen units are there: each position in turn, and then each sound."""
        positions = self.own.shape[1]
        held = chosen[:, :positions, None].to(self.own.device)
        embeddings = torch.where(held, self.own, self.absent)
        sounds = []
        for number, (own, silent) in enumerate(zip(self.sounds, self.silence, strict=True)):
            there = chosen[:, positions + number].to(own.device)
            sounds.append(torch.where(there.view(-1, *[1] * (own.dim() - 1)), own, silent))
        return embeddings, tuple(sounds)

    def of_players(self, coalitions: Bool[Tensor, "rows players"]) -> Bool[Tensor, "rows units"]:
        """The units that are there where only these players are."""
        template = ~(self.words | self.picture)
        columns = {
            WORDS: self.words.cpu(),
            PICTURE: self.picture.cpu(),
            SOUND: torch.zeros(len(self.words), dtype=torch.bool),
        }
        chosen = template.cpu().expand(len(coalitions), -1).clone()
        for number, name in enumerate(self.players):
            chosen |= coalitions[:, number, None] & columns[name]
        heard = coalitions[:, [self.players.index(SOUND)]] if SOUND in self.players else None
        parts = [chosen] if heard is None else [chosen, heard.expand(-1, len(self.sounds))]
        return torch.cat(parts, 1)


class Embedder:
    """Embeds questions, and asks the model with the embeddings of its choice; sounds are always heard."""

    def __init__(
        self, model: SafeModel, backbone: Backbone, asking: AskingConfig, *, tokens: int, rows: int
    ) -> None:
        self.model, self.tokens = model, tokens
        self._base, self._processor, self._rows = model.base, backbone.processor, rows
        self._asking = asking
        self._prompts = Prompts(backbone.processor, asking)
        self._decoder = self._base.get_decoder()
        self._pad = pad_token(backbone.processor)
        self._needs_pixels: bool | None = None
        if getattr(self._base.config, "is_encoder_decoder", False):
            raise InputError(
                f"{type(self._base).__name__}: an encoder reads its prompts, and words and picture can then "
                "not be told apart in what the decoder reads; explain a model with a decoder alone"
            )

    def embed(self, question: Question, answer: str, sounds: Sounds, silence: Sounds) -> Embedded:
        """Embed a question with its answer; `sounds` and `silence` have one row each, or are empty.

        Raises:
            InputError: the answer has no token, or the decoder is not given embeddings.
        """
        device = input_device(self._base)
        inputs, tokens = self._with_answer(question, answer, device)
        words = self._words(question, inputs["input_ids"].shape[1], tokens.shape[1])
        own = self._read(inputs)
        table = self._base.get_input_embeddings()(inputs["input_ids"]).to(own)
        picture = torch.zeros(own.shape[1], dtype=torch.bool)
        if question.picture is not None:
            picture = (own[0] != table[0]).any(-1).cpu() & ~words
        without = dict(inputs)
        without["input_ids"] = inputs["input_ids"].masked_fill(words.to(device), self._pad)
        if question.picture is not None:
            grey = Question(question.prompt, _greyed(question.picture))
            seen = self._with_answer(grey, answer, device)[0]
            without |= {name: seen[name] for name in seen if name not in PER_TOKEN}
        found = Embedded(
            inputs=inputs,
            answer=tokens,
            own=own,
            absent=self._read(without),
            sounds=tuple(one.to(device) for one in sounds),
            silence=tuple(one.to(device) for one in silence),
            words=words,
            picture=picture,
        )
        return self._without_pixels(found)

    def likelihoods(self, one: Embedded, chosen: Bool[Tensor, "rows units"]) -> Float[Tensor, " rows"]:
        """The log-probability of the answer where only the chosen units are there, in nats."""
        parts = []
        with torch.no_grad():
            for start in range(0, len(chosen), self._rows):
                embeddings, sounds = one.mixed(chosen[start : start + self._rows])
                parts.append(self.likelihood(one, embeddings, sounds).cpu())
        return torch.cat(parts)

    def likelihood(
        self,
        one: Embedded,
        embeddings: Float[Tensor, "rows positions width"],
        sounds: Sounds,
        *,
        tokens: Any = None,
    ) -> Float[Tensor, " rows"]:
        """The same of any embeddings, with gradients where these are wanted; `tokens` as in `fuse`."""
        count = len(embeddings)
        inputs = {name: _repeated(name, tensor, count) for name, tensor in one.inputs.items()}
        budget = self.tokens if tokens is None else tokens
        audio = tuple(sound.expand(count, *sound.shape[1:]) for sound in sounds) or None
        with self._reading(embeddings), self.model.fuse(audio=audio, tokens=budget):
            logits = last_logits(self._base, inputs, one.answer.shape[1])
        wanted = one.answer.to(logits.device).expand(count, -1)[..., None]
        summed: Tensor = logits.log_softmax(-1).gather(2, wanted)[..., 0].sum(1)
        return summed

    def _with_answer(
        self, question: Question, answer: str, device: torch.device
    ) -> tuple[Inputs, Int64[Tensor, "1 tokens"]]:
        ids = self._processor.tokenizer(answer, add_special_tokens=False)["input_ids"]
        if not ids:
            raise InputError(f"answer {answer!r}: has no token to explain")
        tokens = torch.tensor([ids])
        batch = append_answers(
            self._prompts.encode(question.prompt, question.picture), tokens, self._processor
        )
        dtype = self._base.dtype
        on_device = {n: t.to(device, dtype if t.is_floating_point() else None) for n, t in batch.items()}
        return on_device, tokens

    def _words(self, question: Question, length: int, answered: int) -> Bool[Tensor, " positions"]:
        """Where the words of the question stand: what another question changes of the prompt."""
        ids = self._prompts.encode(question.prompt, question.picture)["input_ids"][0].tolist()
        other = self._prompts.encode(_OTHER, question.picture)["input_ids"][0].tolist()
        shorter = min(len(ids), len(other))
        before = next((at for at in range(shorter) if ids[at] != other[at]), shorter)
        most = shorter - before
        behind = next((at for at in range(most) if ids[-1 - at] != other[-1 - at]), most)
        found = torch.zeros(length, dtype=torch.bool)
        found[before : length - answered - behind] = True
        return found

    def _read(self, inputs: Inputs) -> Float[Tensor, "1 positions width"]:
        """What the decoder reads of a prompt, with the features of its picture in their places."""
        seen: list[Tensor] = []

        def look(_module: Any, _args: Any, named: dict[str, Any]) -> None:
            if isinstance(named.get("inputs_embeds"), Tensor):
                seen.append(named["inputs_embeds"].detach().clone())

        hook = self._decoder.register_forward_pre_hook(look, with_kwargs=True, prepend=True)
        try:
            with torch.no_grad():
                self._base(**inputs, use_cache=False)
        finally:
            hook.remove()
        if not seen:
            raise InputError(
                f"{type(self._base).__name__}: its decoder is not given `inputs_embeds`, which attribution "
                "replaces; this family of models cannot be explained"
            )
        return seen[0]

    @contextmanager
    def _reading(self, embeddings: Tensor) -> Iterator[None]:
        """Within it the decoder reads these embeddings in place of its own."""

        def replace(_module: Any, args: Any, named: dict[str, Any]) -> Any:
            return args, named | {"inputs_embeds": embeddings.to(self._base.dtype)}

        hook = self._decoder.register_forward_pre_hook(replace, with_kwargs=True, prepend=True)
        try:
            yield
        finally:
            hook.remove()

    def _without_pixels(self, one: Embedded) -> Embedded:
        """The same without pixels, which nothing reads any more; tried once, as a family may need them."""
        if not bool(one.picture.any()) or self._needs_pixels:
            return one
        inputs = {name: tensor for name, tensor in one.inputs.items() if not name.startswith("pixel")}
        bare = Embedded(**{**one.__dict__, "inputs": inputs})
        if self._needs_pixels is None:
            whole = torch.ones(1, one.own.shape[1] + len(one.sounds), dtype=torch.bool)
            try:
                apart = float(abs(self.likelihoods(one, whole) - self.likelihoods(bare, whole)).max())
                self._needs_pixels = apart > _CLOSE
            except Exception:  # a family may miss them in any way
                self._needs_pixels = True
        return one if self._needs_pixels else bare


def _greyed(picture: Picture) -> Picture:
    return Picture(f"grey {picture.sha256}", lambda: greyed(picture.load()))


def _repeated(name: str, tensor: Tensor, rows: int) -> Tensor:
    """A tensor of one prompt as that of so many; stacks of pictures are repeated whole."""
    if name in PER_TOKEN:
        return tensor.expand(rows, *tensor.shape[1:])
    return tensor.repeat(rows, *[1] * (tensor.dim() - 1))


def subsets(players: int) -> Bool[Tensor, "subsets players"]:
    """Every coalition of so many players, in the order of binary numbers: the first player is the first bit.

    >>> subsets(2).int().tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    numbers = torch.arange(2**players)
    return (numbers[:, None] >> torch.arange(players)) % 2 == 1


def names_of(players: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    """Values by their player; 0 for a player that is not there."""
    found = dict(zip(players, values, strict=True))
    return {name: float(found.get(name, 0.0)) for name in PLAYERS}
