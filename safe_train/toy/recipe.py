"""Recipe: the toy backbone's size and training, and the untrained model."""

from dataclasses import dataclass
from typing import Any

from safe_data.sources.synthetic.pictures import SIDE
from safe_data.sources.synthetic.worlds import PLAIN, find_world
from safe_train.toy.words import END, IMAGE, PAD, PATCH_SIDE, UNKNOWN, vocabulary


@dataclass(frozen=True)
class Recipe:
    """How the toy backbone is built and taught. Raise `version` whenever the lessons change.

    `rows` is the batch size; of these, `told_rows` describe a sound in words and `guessed_rows` ask about a
    sound that cannot be heard. The lessons are about clips of `world`: where its pictures hint at sounds, the
    model learns to guess by them, as a real one guesses that a dog barks.
    """

    version: int = 1
    width: int = 64
    vision_layers: int = 2
    decoder_layers: int = 4
    heads: int = 4
    # With the usual 0.02, so narrow a model learns which shape has which colour three times slower, or never.
    initial_deviation: float = 0.1
    pictures: int = 6000
    rows: int = 64
    told_rows: int = 13
    guessed_rows: int = 5
    vision_steps: int = 300
    language_steps: int = 700
    learning_rate: float = 2e-3
    held_out_questions: int = 500
    world: str = PLAIN


def recipe_for(world: str) -> Recipe:
    """The recipe of a world's toy. Hints take more guesses to learn, and so do pictures in fog.

    Raises:
        InputError: there is no such world.
    """
    if find_world(world).true_hints is None:
        return Recipe(world=world)
    return Recipe(world=world, guessed_rows=20, language_steps=800)


def new_model(recipe: Recipe, processor: Any) -> Any:
    """Make the untrained model; generation cannot give its special tokens or an empty answer."""
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    ids = {token: processor.tokenizer.convert_tokens_to_ids(token) for token in (PAD, END, UNKNOWN, IMAGE)}
    sizes = {"hidden_size": recipe.width, "num_attention_heads": recipe.heads}
    vision = CLIPVisionConfig(
        **sizes,
        intermediate_size=2 * recipe.width,
        num_hidden_layers=recipe.vision_layers,
        image_size=SIDE,
        patch_size=PATCH_SIDE,
    )
    text = LlamaConfig(
        **sizes,
        initializer_range=recipe.initial_deviation,
        vocab_size=len(vocabulary(recipe.world)),
        intermediate_size=2 * recipe.width,
        num_hidden_layers=recipe.decoder_layers,
        max_position_embeddings=128,
        bos_token_id=None,
        eos_token_id=ids[END],
        pad_token_id=ids[PAD],
    )
    model = LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=vision, text_config=text, image_token_index=ids[IMAGE], vision_feature_layer=-1
        )
    )
    model.generation_config.update(
        eos_token_id=ids[END],
        pad_token_id=ids[PAD],
        suppress_tokens=[ids[PAD], ids[UNKNOWN], ids[IMAGE]],
        begin_suppress_tokens=[ids[END]],
    )
    return model
