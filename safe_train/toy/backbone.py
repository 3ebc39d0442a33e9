"""Toy backbone: a tiny LLaVA, pretrained in about half a minute on pictures of the synthetic world.

It is saved as an ordinary checkpoint directory and loaded like any other. It has read words for sounds, as a
real language model has, but has never heard one.
"""

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from safe_data.core.errors import InputError, check_seed
from safe_data.core.files import committing_folder, file_sha256, write_json
from safe_data.core.options_file import installed_versions
from safe_data.encoders.inference import one_thread
from safe_data.sources.synthetic.questions import about_picture, choose
from safe_data.sources.synthetic.worlds import PLAIN
from safe_train.base.backbone import load_backbone, quiet_unless_terminal
from safe_train.base.dialogue import Dialogue, Question
from safe_train.base.freeze import weights_sha256
from safe_train.base.prompts import Picture
from safe_train.toy.lessons import HELD_OUT_STREAM, draw_lessons, draw_pictures
from safe_train.toy.recipe import Recipe, new_model
from safe_train.toy.teaching import teach_to_answer, teach_to_see
from safe_train.toy.words import make_processor

RECIPE_FILE = "recipe.json"
_LIBRARIES = ("torch", "transformers")
_HELD_OUT_BATCH_SIZE = 100


class ToyBackbone(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of recipe.json: how the backbone was made, and its accuracy on pictures it never saw."""

    recipe: Recipe
    recipe_sha256: str
    seed: int
    parameters: int
    weights_sha256: str
    files_sha256: dict[str, str]
    held_out_accuracy: float
    held_out_questions: int
    versions: dict[str, str]


def pretrain(out: Path, *, seed: int, recipe: Recipe | None = None) -> Path:
    """Make the toy backbone of a seed in a new directory; return at once if it is already there.

    On one thread, the same seed gives the same weights, to the byte, on machines of the same kind.

    Raises:
        InputError: the directory holds something else, or a backbone that was changed since.
    """
    recipe = recipe or Recipe()
    check_seed(seed)
    if _is_made(out, recipe, seed):
        return out
    quiet_unless_terminal()
    with committing_folder(out) as part, one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        processor = make_processor(recipe.world)
        model = _teach(recipe, processor, seed)
        model.save_pretrained(part)
        processor.save_pretrained(part)
        accuracy = held_out_accuracy(part, questions=recipe.held_out_questions, seed=seed, world=recipe.world)
        made = ToyBackbone(
            recipe=recipe,
            recipe_sha256=_recipe_sha256(recipe),
            seed=seed,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            weights_sha256=weights_sha256(model),
            files_sha256={file.name: file_sha256(file) for file in sorted(part.iterdir())},
            held_out_accuracy=accuracy,
            held_out_questions=recipe.held_out_questions,
            versions=installed_versions(_LIBRARIES),
        )
        write_json(part / RECIPE_FILE, made)
    return out


def _is_made(out: Path, recipe: Recipe, seed: int) -> bool:
    """Whether the directory holds exactly this backbone; anything else in it is refused."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    made = read_toy_backbone(out)
    if (made.recipe_sha256, made.seed) != (_recipe_sha256(recipe), seed):
        raise InputError(
            f"{out}: holds a toy backbone of seed {made.seed}, recipe {made.recipe_sha256[:8]}, not of seed "
            f"{seed}, recipe {_recipe_sha256(recipe)[:8]}; choose another directory, or remove this one"
        )
    for name, sha256 in made.files_sha256.items():
        if not (out / name).is_file() or file_sha256(out / name) != sha256:
            raise InputError(f"{out / name}: is not the file that was made; remove {out} to make it again")
    return True


def read_toy_backbone(folder: Path) -> ToyBackbone:
    """Read the recipe.json of a toy backbone.

    Raises:
        InputError: the directory holds no toy backbone, or one of another version.
    """
    try:
        return msgspec.json.decode((folder / RECIPE_FILE).read_bytes(), type=ToyBackbone)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(
            f"{folder}: holds no toy backbone of this version ({error}); "
            "choose another directory, or remove this one"
        ) from None


def _recipe_sha256(recipe: Recipe) -> str:
    return hashlib.sha256(msgspec.json.encode(recipe)).hexdigest()


def _teach(recipe: Recipe, processor: Any, seed: int) -> Any:
    model = new_model(recipe, processor)
    lessons = draw_lessons(processor, recipe.pictures, seed, recipe.world)
    teach_to_see(model, lessons, recipe, seed)
    teach_to_answer(model, processor, lessons, recipe, seed)
    return model.eval()


def held_out_accuracy(folder: Path, *, questions: int, seed: int, world: str = PLAIN) -> float:
    """The accuracy of the saved backbone, loaded again, on questions about new scenes."""
    rng = np.random.default_rng((seed, HELD_OUT_STREAM))
    scenes, images = draw_pictures(questions, rng, world)
    asked = [choose(about_picture(scene), rng) for scene in scenes]
    prompts = [
        Question(question.prompt, Picture(f"held-out-{number}", image.copy))
        for number, (question, image) in enumerate(zip(asked, images, strict=True))
    ]
    loaded = load_backbone(folder)
    dialogue = Dialogue(loaded.model, loaded.processor)
    texts = [
        answer.text
        for start in range(0, questions, _HELD_OUT_BATCH_SIZE)
        for answer in dialogue.answer(prompts[start : start + _HELD_OUT_BATCH_SIZE])
    ]
    return float(np.mean([text == question.answer for text, question in zip(texts, asked, strict=True)]))
