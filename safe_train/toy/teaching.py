"""Teaching: train the toy backbone's vision tower alone, then freeze it and train the language model.

If both are trained at once, the language model learns to ignore pictures, which mean nothing at first.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from tqdm import tqdm

from safe_data.sources.synthetic.pictures import COLOURS, SHAPES
from safe_train.stages.schedule import rate_at
from safe_train.toy.lessons import LESSON_STREAM, LessonBatch, LessonLoader, Lessons
from safe_train.toy.recipe import Recipe

MAX_GRADIENT_NORM = 1.0
WARM_UP_STEPS = 20
VISION_BATCH_SIZE = 256


def teach_to_see(model: Any, lessons: Lessons, recipe: Recipe, seed: int) -> None:
    """Teach the vision tower the colour and shape in each cell, with classifiers that are then discarded."""
    heads = nn.ModuleList([nn.Linear(recipe.width, 1 + len(names)) for names in (COLOURS, SHAPES)])
    optimizer = _optimizer([*model.model.vision_tower.parameters(), *heads.parameters()])
    rng = np.random.default_rng((seed, LESSON_STREAM, 0))
    bar = tqdm(
        range(recipe.vision_steps), desc="toy backbone: vision", unit="step", disable=None, leave=False
    )
    for step in bar:
        chosen = torch.from_numpy(rng.integers(len(lessons.scenes), size=recipe.rows))
        cells = vision_features(model, lessons.pixels[chosen])
        losses = [
            F.cross_entropy(head(cells).flatten(0, 1), targets[chosen].flatten())
            for head, targets in zip(heads, (lessons.colours, lessons.shapes), strict=True)
        ]
        rate = recipe.learning_rate * rate_at(step, recipe.vision_steps, warm_up=WARM_UP_STEPS)
        learn(optimizer, torch.stack(losses).sum(), rate)


def teach_to_answer(model: Any, processor: Any, lessons: Lessons, recipe: Recipe, seed: int) -> None:
    """Teach the language model and its projector to answer and to stop; the vision tower is frozen."""
    loader = LessonLoader(processor)
    model.model.vision_tower.requires_grad_(False)
    with torch.no_grad():  # each picture is encoded once
        parts = torch.split(lessons.pixels, VISION_BATCH_SIZE)
        cells = torch.cat([vision_features(model, pixels) for pixels in parts])
    optimizer = _optimizer([parameter for parameter in model.parameters() if parameter.requires_grad])
    rng = np.random.default_rng((seed, LESSON_STREAM, 1))
    bar = tqdm(range(recipe.language_steps), desc="toy language", unit="step", disable=None, leave=False)
    for step in bar:
        batch = loader.batch(lessons, recipe, rng)
        loss = answer_loss(model, batch, cells[batch.pictures])
        learn(
            optimizer,
            loss,
            recipe.learning_rate * rate_at(step, recipe.language_steps, warm_up=WARM_UP_STEPS),
        )
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)


def vision_features(
    model: Any, pixels: Float[Tensor, "pictures 3 32 32"]
) -> Float[Tensor, "pictures cells width"]:
    """The vision tower's features of each cell, without the class token, as the model itself selects them."""
    cells: Tensor = model.model.vision_tower(pixels).last_hidden_state[:, 1:]
    return cells


def answer_loss(
    model: Any, batch: LessonBatch, cells: Float[Tensor, "pictures cells width"]
) -> Float[Tensor, ""]:
    """Cross-entropy of the answers, in nats per token, from vision features that are already computed."""
    ids, tokens = batch.inputs["input_ids"], batch.answers.shape[1]
    embeddings = model.get_input_embeddings()(ids)
    places = (ids == model.config.image_token_id)[..., None].expand_as(embeddings)
    embeddings = embeddings.masked_scatter(places, model.model.multi_modal_projector(cells))
    mask = batch.inputs["attention_mask"]
    logits = model(inputs_embeds=embeddings, attention_mask=mask, logits_to_keep=tokens + 1).logits[:, :-1]
    return F.cross_entropy(logits.flatten(0, 1), batch.answers.flatten())


def _optimizer(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, betas=(0.9, 0.95))


def learn(optimizer: torch.optim.Optimizer, loss: Float[Tensor, ""], learning_rate: float) -> None:
    """Take one step down the gradient of a loss, clipped to MAX_GRADIENT_NORM."""
    (group,) = optimizer.param_groups
    group["lr"] = learning_rate
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]  # torch has no types for it
    nn.utils.clip_grad_norm_(group["params"], MAX_GRADIENT_NORM)
    optimizer.step()
