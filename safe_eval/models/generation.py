"""Generation: what a model of transformers says to encoded prompts, and how likely that and each choice is.

A choice of one token has its probability from the logits that the first token of the answer was chosen from;
one of several tokens has it from its log-likelihood, with the end token, behind the prompt.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxtyping import Bool, Float, Int64

from safe_data.core.errors import InputError
from safe_eval.models.model import Answer, Said
from safe_eval.models.token_batches import IGNORED, Inputs, append_answers, pad_token, tokenizer_of

if TYPE_CHECKING:
    from torch import Tensor


GREEDY = {"do_sample": False, "num_beams": 1}

# Which answers are not continued after their first token, by the logits that it is chosen from (-inf for what
# may not be said) and by the state of the last layer that these come from.
Leave = Callable[["Float[Tensor, 'batch vocab']", "Float[Tensor, 'batch width']"], Sequence[bool]]

# Told of all answers so far, after each of their tokens.
FollowAll = Callable[["Int64[Tensor, 'batch tokens']"], None]


class Generation(NamedTuple):
    """The generated tokens, their log-probabilities, and the logits that the first was chosen from."""

    tokens: "Int64[Tensor, 'batch tokens']"
    log_probabilities: "Float[Tensor, 'batch tokens']"
    first: "Float[Tensor, 'batch vocab']"


class Generator:
    """Continues prompts greedily, and reads its tokens and logits."""

    def __init__(self, base: Any, processor: Any) -> None:
        self._base, self._processor = base, processor
        self._tokenizer, self._pad = tokenizer_of(processor), pad_token(processor)
        self._choice_tokens: dict[tuple[str, ...], list[list[int]] | None] = {}
        end = self._tokenizer.eos_token_id
        self.end: list[int] = [] if end is None else [end]
        self._stops = _stop_tokens(base, self.end)

    def generate(
        self,
        inputs: Inputs,
        answer_tokens: int,
        leave: Leave | None = None,
        follow: FollowAll | None = None,
    ) -> Generation:
        """Continue each prompt: the most likely token each time.

        `leave` is told of the first step, and says which answers not to continue. The others stay the same to
        the last bit, and the generation ends when they do. `follow` is told of every step, after `leave`.
        """
        import torch

        with torch.no_grad(), watching(self._base, len(inputs["input_ids"]), leave) as watched:
            generated = self._base.generate(
                **inputs,
                **GREEDY,
                max_new_tokens=answer_tokens,
                pad_token_id=self._pad,
                eos_token_id=self._stops or None,
                return_dict_in_generate=True,
                output_logits=True,
                **(watched if follow is None else _followed(watched, follow)),
            )
        tokens = generated.sequences[:, -len(generated.logits) :]
        steps = zip(generated.logits, tokens.T, strict=True)
        chosen = [logits.float().log_softmax(-1).gather(1, token[:, None]) for logits, token in steps]
        return Generation(tokens.cpu(), torch.cat(chosen, 1).cpu(), generated.logits[0].float().cpu())

    def read(self, made: Generation, most: Sequence[int | None] = ()) -> list[Answer]:
        """The answers; the confidence of each is the probability of exactly this text, its end included.

        `most` cuts answers off after so many tokens, which are those that a shorter generation has.
        """
        import torch

        stops = torch.isin(made.tokens, torch.tensor(self._stops, dtype=torch.int64))
        is_said = stops.cumsum(1) - stops.long() == 0  # up to the first stop
        if any(most):
            length = made.tokens.shape[1]
            kept = torch.tensor([length if one is None else one for one in most])
            is_said &= torch.arange(length) < kept[:, None]
        chances = made.log_probabilities.masked_fill(~is_said, 0).sum(1).exp().clamp(max=1).tolist()
        said = [tokens[kept] for tokens, kept in zip(made.tokens, is_said, strict=True)]
        texts = self._tokenizer.batch_decode(said, skip_special_tokens=True)
        ended = (stops & is_said).any(1).tolist()
        likely = [row[kept].tolist() for row, kept in zip(made.log_probabilities, is_said, strict=True)]
        return [
            Answer(text.strip(), chance, said=Said(tuple(tokens.tolist()), tuple(logs), is_finished))
            for text, chance, tokens, logs, is_finished in zip(
                texts, chances, said, likely, ended, strict=True
            )
        ]

    def text_of(self, tokens: Sequence[int]) -> str:
        """The text of an answer so far, up to its first stop."""
        stop = next((place for place, token in enumerate(tokens) if token in self._stops), len(tokens))
        text: str = self._tokenizer.decode(list(tokens[:stop]), skip_special_tokens=True)
        return text.strip()

    def pieces_of(self, tokens: Sequence[int]) -> list[str]:
        """What each token of an answer adds to its text, up to its first stop."""
        said = [token for token in tokens if token not in self._stops]
        texts = self._tokenizer.batch_decode([said[: end + 1] for end in range(len(said))])
        return [text.removeprefix(before) for before, text in zip(["", *texts], texts, strict=False)]

    def is_finished(self, made: Generation) -> list[bool]:
        """Whether each answer ended by itself, before it had as many tokens as it may."""
        import torch

        finished: list[bool] = torch.isin(made.tokens, torch.tensor(self._stops)).any(1).tolist()
        return finished

    def first_chances(
        self, choices: Sequence[tuple[str, ...] | None], first: "Float[Tensor, 'batch vocab']"
    ) -> dict[int, dict[str, float]]:
        """By row: the probability of each choice relative to the others, where each is one token."""
        rows: dict[tuple[str, ...], list[int]] = {}
        for row, offered in enumerate(choices):
            if offered:
                rows.setdefault(offered, []).append(row)
        found = {}
        for offered, asked in rows.items():
            ids = self._tokens_of(offered)
            if ids is not None and max(map(len, ids)) == 1:
                chances = first[asked][:, [one[0] for one in ids]].softmax(-1).tolist()
                for row, shares in zip(asked, chances, strict=True):
                    found[row] = dict(zip(offered, shares, strict=True))
        return found

    def to_score(self, choices: Sequence[tuple[str, ...] | None]) -> list[tuple[int, list[int]]]:
        """The rows and tokens of the choices whose likelihoods are to be computed: each with its end."""
        wanted = []
        for row, offered in enumerate(choices):
            ids = self._tokens_of(offered) or [[]]
            if max(map(len, ids)) > 1:
                wanted += [(row, [*one, *self.end]) for one in ids]
        return wanted

    def log_likelihoods(self, inputs: Inputs, answers: Sequence[Sequence[int]]) -> list[float]:
        """The log-probability of each answer behind its prompt: the sum over its tokens."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        tokens = [torch.tensor(one) for one in answers]
        padded = pad_sequence(tokens, batch_first=True, padding_value=IGNORED).to(inputs["input_ids"].device)
        with torch.no_grad():
            batch = append_answers(inputs, padded, self._processor)
            logits = last_logits(self._base, batch, padded.shape[1])
            real = padded != IGNORED
            chosen = logits.log_softmax(-1).gather(2, padded.masked_fill(~real, 0)[..., None])[..., 0]
            summed: list[float] = (chosen * real).sum(1).tolist()
        return summed

    def with_scores(self, answer: Answer, choices: tuple[str, ...], scores: Sequence[float]) -> Answer:
        """Probabilities relative to the other choices, and the log-likelihoods they come from."""
        import torch

        lengths = [len(ids) + len(self.end) for ids in self._tokens_of(choices) or []]
        per_token = [score / length for score, length in zip(scores, lengths, strict=True)]
        chances = torch.tensor(scores, dtype=torch.float64).softmax(-1).tolist()
        likelihoods = {
            "choice_log_likelihoods": dict(zip(choices, scores, strict=True)),
            "choice_log_likelihoods_per_token": dict(zip(choices, per_token, strict=True)),
        }
        return replace(
            answer,
            choice_probabilities=dict(zip(choices, chances, strict=True)),
            metadata={**(answer.metadata or {}), **likelihoods},
        )

    def _tokens_of(self, choices: tuple[str, ...] | None) -> list[list[int]] | None:
        """The tokens of each choice; None without choices, or where one has none or two have the same."""
        if not choices:
            return None
        if choices not in self._choice_tokens:
            ids = [self._tokenizer(choice, add_special_tokens=False)["input_ids"] for choice in choices]
            distinct = all(ids) and len({tuple(one) for one in ids}) == len(ids)
            self._choice_tokens[choices] = ids if distinct else None
        return self._choice_tokens[choices]


class _FirstStep:
    """Sees the first step of a generation, and then stops the answers that are left; there may be beams."""

    def __init__(self, prompts: int, leave: Leave) -> None:
        self._prompts, self._leave = prompts, leave
        self._hidden: Float[Tensor, "rows width"] | None = None
        self._left: Bool[Tensor, " prompts"] | None = None

    def see(self, _module: Any, given: tuple[Any, ...]) -> None:
        """Keep the state behind the prompt; the last one, should the prompt be read in parts."""
        if self._left is None:
            self._hidden = given[0][:, -1]

    def stop(
        self, tokens: "Int64[Tensor, 'rows length']", scores: "tuple[Tensor, ...]", **_: Any
    ) -> "Bool[Tensor, ' rows']":
        """Which rows are finished."""
        import torch

        if self._left is None:
            if self._hidden is None:
                raise ValueError("the model chose a token without its output embeddings")
            left = self._leave(self._of_prompts(scores[0]), self._of_prompts(self._hidden))
            self._left = torch.as_tensor(list(left), dtype=torch.bool, device=tokens.device)
            self._hidden = None
        return self._left.repeat_interleave(len(tokens) // self._prompts)

    def _of_prompts(self, rows: "Float[Tensor, 'rows size']") -> "Float[Tensor, 'prompts size']":
        """One row of each prompt: at the first step its beams are the same."""
        return rows[:: len(rows) // self._prompts]


@contextmanager
def watching(base: Any, prompts: int, leave: Leave | None) -> Iterator[dict[str, Any]]:
    """What a generation is called with so that `leave` is told of its first step; nothing if it is None.

    Raises:
        InputError: the model has no output embeddings, whose input is the state behind the prompt.
    """
    if leave is None:
        yield {}
        return
    from transformers import StoppingCriteriaList

    head = base.get_output_embeddings()
    if head is None:
        raise InputError(
            f"{type(base).__name__}: has no output embeddings, so there is no state to decide on; choose a "
            "gate that needs none, such as always"
        )
    step = _FirstStep(prompts, leave)
    hook = head.register_forward_pre_hook(step.see, prepend=True)
    try:
        yield {"output_scores": True, "stopping_criteria": StoppingCriteriaList([step.stop])}
    finally:
        hook.remove()


def _followed(watched: dict[str, Any], follow: FollowAll) -> dict[str, Any]:
    """What a generation is called with, so that `follow` is told of its steps after those who watch it."""
    import torch
    from transformers import StoppingCriteriaList

    starts: list[int] = []

    def stop(tokens: "Int64[Tensor, 'rows length']", _: Any, **__: Any) -> "Bool[Tensor, ' rows']":
        if not starts:
            starts.append(tokens.shape[1] - 1)
        follow(tokens[:, starts[0] :])
        return torch.zeros(len(tokens), dtype=torch.bool, device=tokens.device)

    earlier = watched.get("stopping_criteria", ())
    return {**watched, "stopping_criteria": StoppingCriteriaList([*earlier, stop])}


def _stop_tokens(base: Any, end: list[int]) -> list[int]:
    """The tokens that end an answer: the tokenizer's end token, and those at which the model stops."""
    stops = base.generation_config.eos_token_id
    return sorted({*end, *(stops if isinstance(stops, list) else [stops])} - {None})


def last_logits(
    model: Any, inputs: Mapping[str, Any], tokens: int, base: Any = None
) -> "Float[Tensor, 'batch tokens vocab']":
    """The logits that predict the last tokens of each input, in float32.

    `base` is the model whose parameters count where `model` is wrapped around it.
    """
    base = base or model
    if _is_encoder_decoder(base):
        parted = _prompts_and_answers(base, inputs, tokens)
        found: Tensor = model(**parted, use_cache=False).logits
        return found.float()
    # The logits of the prompt are not needed, but not every model can leave them out.
    can_shorten = "logits_to_keep" in inspect.signature(base.forward).parameters
    shortened = {"logits_to_keep": tokens + 1} if can_shorten else {}
    logits: Tensor = model(**inputs, use_cache=False, **shortened).logits
    return logits[:, -tokens - 1 : -1].float()


def _is_encoder_decoder(base: Any) -> bool:
    return bool(getattr(getattr(base, "config", None), "is_encoder_decoder", False))


def decoder_start(base: Any, rows: int) -> "dict[str, Int64[Tensor, 'rows 1']]":
    """What an encoder-decoder needs beside its prompts to give its first logits; nothing for a decoder."""
    import torch

    if not _is_encoder_decoder(base):
        return {}
    start = base.config.get_text_config(decoder=True).decoder_start_token_id
    return {"decoder_input_ids": torch.full((rows, 1), start, device=base.device)}


def _prompts_and_answers(base: Any, inputs: Mapping[str, Any], tokens: int) -> dict[str, Any]:
    """The inputs of an encoder-decoder, which reads prompts and answers apart: the last tokens are answers.

    The decoder reads each answer behind its start token and without its last token. What it reads where an
    answer is padded changes nothing before.
    """
    import torch

    start = decoder_start(base, len(inputs["input_ids"]))["decoder_input_ids"]
    answers = inputs["input_ids"][:, -tokens:]
    shortened = {name: inputs[name][:, :-tokens] for name in ("input_ids", "attention_mask")}
    return {**inputs, **shortened, "decoder_input_ids": torch.cat([start, answers[:, :-1]], 1)}
