"""Projector: teach the projector of pictures, so that a language model and a vision tower become one base.

Both stay frozen. First each position is taught to look like the word of what is shown, which costs next to
nothing; then the language model's own answers are learnt through it.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from safe_data.shards.dataset import ShardDataset
from safe_eval.models.token_batches import IGNORED, append_answers, collate, pad_token
from safe_train.base.dialogue import Dialogue, Question
from safe_train.base.prompts import Picture, Prompts, encode_answer, stored_picture
from safe_train.real.made import Facts
from safe_train.real.picture_lessons import THING, Lesson, PictureLessons, draw_lesson, picture_lessons
from safe_train.stages.schedule import rate_at
from safe_train.toy.teaching import learn

VERSION = 1  # raise it whenever the lessons or their number change
WORD_STEPS, WORD_ROWS, WORD_RATE, WORD_WARM_UP_STEPS = 300, 64, 2e-3, 20
STEPS, ROWS, RATE, WARM_UP_STEPS = 100, 16, 1e-3, 5
_STREAM = 11
_ASKED_AT_ONCE = 32
_BLANK = Picture("blank", lambda: Image.new("RGB", (1, 1)))


def teach_projector(
    model: Any, processor: Any, train: ShardDataset, held_out: ShardDataset, seed: int
) -> Facts:
    """Teach the projector on the pictures of one split; return its accuracy on those of another."""
    lessons = picture_lessons(train, model, processor)
    projector = model.model.multi_modal_projector.requires_grad_(True)
    _standardise(projector, lessons.features)
    losses = {
        "word_loss": _to_words(model, processor, projector, lessons, seed),
        "loss": _to_answers(model, processor, projector, lessons, seed),
    }
    projector.requires_grad_(False)
    right, asked = held_out_accuracy(model, processor, held_out)
    return {
        "pictures": len(lessons.shown) // 2,
        **losses,
        "held_out_accuracy": right,
        "held_out_questions": asked,
    }


def held_out_accuracy(model: Any, processor: Any, dataset: ShardDataset) -> tuple[float, int]:
    """The share of the questions for the kind of thing that are answered exactly, and how many there are."""
    dialogue, questions, answers = Dialogue(model, processor), [], []
    for index in range(len(dataset)):
        picture = stored_picture(dataset, index)
        for example in dataset.record(index).examples if picture else ():
            if example.question_type == THING:
                questions.append(Question(example.prompt, picture, answer_tokens=6))
                answers.append(example.references[0])
    said = [
        answer.text.strip().lower()
        for start in range(0, len(questions), _ASKED_AT_ONCE)
        for answer in dialogue.answer(questions[start : start + _ASKED_AT_ONCE])
    ]
    right = [text == answer for text, answer in zip(said, answers, strict=True)]
    return float(np.mean(right)) if right else 0.0, len(right)


@torch.no_grad()
def _standardise(projector: Any, features: Float[Tensor, "pictures tokens features"]) -> None:
    """Let the first layer see features of mean 0 and deviation 1; none is below 0, and most are small."""
    mean, deviation = features.mean((0, 1)), features.std((0, 1)) + 1e-6
    projector.linear_1.weight.div_(deviation)
    projector.linear_1.bias.sub_(projector.linear_1.weight @ mean)


def _to_words(model: Any, processor: Any, projector: Any, lessons: PictureLessons, seed: int) -> float:
    """Let each position become the embedding of the word for the kind of what is shown."""
    embeddings = model.get_input_embeddings().weight.detach()
    kinds = {kind: _word(processor, embeddings, f" {kind}") for kind in lessons.kinds}
    words = torch.stack([kinds[one.kind] for one in lessons.shown])[:, None]
    optimizer = torch.optim.AdamW(projector.parameters())
    rng = np.random.default_rng((seed, _STREAM, 0))
    scale, last = embeddings.pow(2).mean(), 0.0
    for step in range(WORD_STEPS):
        rows = torch.from_numpy(rng.integers(len(lessons.shown), size=WORD_ROWS))
        loss = (projector(lessons.features[rows]) - words[rows]).pow(2).mean() / scale
        learn(optimizer, loss, WORD_RATE * rate_at(step, WORD_STEPS, warm_up=WORD_WARM_UP_STEPS))
        last = loss.item()
    return last


def _to_answers(model: Any, processor: Any, projector: Any, lessons: PictureLessons, seed: int) -> float:
    """Let the language model's answers be right; return the mean of the last losses, in nats per token."""
    optimizer = torch.optim.AdamW(projector.parameters(), betas=(0.9, 0.95), weight_decay=0.0)
    rng = np.random.default_rng((seed, _STREAM, 1))
    prompts, kinds, seen = Prompts(processor), lessons.kinds, []
    bar = tqdm(range(STEPS), desc="projector of pictures", unit="step", disable=None, leave=False)
    for step in bar:
        drawn = [draw_lesson(lessons, kinds, rng) for _ in range(ROWS)]
        loss = _answer_loss(model, processor, prompts, drawn, lessons.features)
        learn(optimizer, loss, RATE * rate_at(step, STEPS, warm_up=WARM_UP_STEPS))
        seen.append(loss.item())
        bar.set_postfix(loss=f"{seen[-1]:.3f}", refresh=False)
    return float(np.mean(seen[-10:]))


def _answer_loss(
    model: Any,
    processor: Any,
    prompts: Prompts,
    drawn: list[Lesson],
    features: Float[Tensor, "pictures tokens features"],
) -> Float[Tensor, ""]:
    encoded = [prompts.encode(one.prompt, _BLANK) for one in drawn]  # the features take its place
    inputs = [{name: one[name] for name in ("input_ids", "attention_mask")} for one in encoded]
    answers = torch.nn.utils.rnn.pad_sequence(
        [encode_answer(processor, one.answer) for one in drawn], batch_first=True, padding_value=IGNORED
    )
    joined = append_answers(collate(inputs, pad_token(processor)), answers, processor)
    ids = joined["input_ids"]
    embedded = model.get_input_embeddings()(ids)
    places = (ids == model.config.image_token_id)[..., None].expand_as(embedded)
    made = model.model.multi_modal_projector(features[[one.picture for one in drawn]])
    logits = model(
        inputs_embeds=embedded.masked_scatter(places, made),
        attention_mask=joined["attention_mask"],
        logits_to_keep=answers.shape[1] + 1,
    ).logits[:, :-1]
    return F.cross_entropy(logits.flatten(0, 1), answers.flatten(), ignore_index=IGNORED)


def _word(processor: Any, embeddings: Float[Tensor, "words width"], text: str) -> Float[Tensor, " width"]:
    ids = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
    return embeddings[ids].mean(0)
