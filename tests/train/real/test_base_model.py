"""A language model and a vision tower become one base, which SAFE can load, ask and leave unchanged."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from tiny_models import wake

from safe_data.core.errors import InputError
from safe_data.shards.dataset import ShardDataset
from safe_train.base.backbone import Backbone, load_backbone
from safe_train.base.dialogue import Dialogue, Question
from safe_train.base.prompts import Picture, Prompts
from safe_train.parity.comparison import gate_off_parity
from safe_train.pathway.model import SafeModel, new_pathway
from safe_train.real.base_model import IMAGE, SIDE, TOKENS, BaseModel, assemble
from safe_train.real.language_model import read_gguf
from safe_train.settings.pathway import PathwayConfig

SHAPE = PathwayConfig(tokens=4, rank=8, heads=2, bottleneck=16)
RED, BLUE = (
    Picture(name, lambda colour=colour: Image.new("RGB", (90, 40), colour))
    for name, colour in (("red", (200, 10, 20)), ("blue", (10, 20, 200)))
)
ASKED = "What kind of picture?"


@pytest.fixture(scope="module")
def base(saved_base: Path) -> Backbone:
    return load_backbone(saved_base)


def test_the_words_of_the_language_model_stay_as_they_are(gguf_file: Path, lite0_file: Path) -> None:
    alone = read_gguf(gguf_file)
    ids = torch.tensor([alone.tokenizer(f"{ASKED} yes, a bird")["input_ids"]])
    with torch.no_grad():
        wanted = alone.model(input_ids=ids).logits
        known = copy.deepcopy(alone.model.get_input_embeddings().weight)
        made, _ = assemble(alone, lite0_file)
        found = made(input_ids=ids).logits
    assert torch.equal(found[..., : len(known)], wanted)
    assert found.shape[-1] == len(known) + 1  # the picture's place has a word of its own
    assert torch.equal(made.get_input_embeddings().weight[: len(known)], known)


def test_the_embeddings_are_one_matrix_here_and_in_the_checkpoint(
    assembled: BaseModel, base: Backbone
) -> None:
    for model in (assembled.model, base.model):
        assert model.get_input_embeddings().weight is model.get_output_embeddings().weight


def test_it_is_frozen_and_knows_where_it_ends(assembled: BaseModel) -> None:
    model, tokenizer = assembled.model, assembled.processor.tokenizer
    assert not model.training
    assert [name for name, weight in model.named_parameters() if weight.requires_grad] == []
    assert tokenizer.decode(model.generation_config.eos_token_id) == "<|im_end|>"
    assert tokenizer.decode(model.config.image_token_id) == IMAGE
    assert model.generation_config.suppress_tokens == [model.config.image_token_id]


def test_a_checkpoint_is_what_was_saved_and_the_same_each_time(
    saved_base: Path, base: Backbone, assembled: BaseModel
) -> None:
    state = base.model.state_dict()
    assert state.keys() == assembled.model.state_dict().keys()
    for name, weight in assembled.model.state_dict().items():
        assert torch.equal(state[name], weight), name
    assert not list(saved_base.glob("*.bin"))


def test_a_picture_of_any_size_has_as_many_places_as_the_tower_sees(base: Backbone) -> None:
    prompts = Prompts(base.processor)
    for size in ((90, 40), (3, 200), (1, 1)):
        shown = Picture(str(size), lambda size=size: Image.new("RGB", size))
        encoded = prompts.encode(ASKED, shown)
        assert encoded["pixel_values"].shape[-3:] == (3, SIDE, SIDE)
        assert (encoded["input_ids"] == base.model.config.image_token_id).sum() == TOKENS == 4
        with torch.no_grad():
            seen = base.model.get_image_features(encoded["pixel_values"].reshape(1, 3, SIDE, SIDE))
        features: Any = getattr(seen, "pooler_output", seen)
        assert torch.as_tensor(features[0]).shape[-2] == TOKENS
    assert base.model.config.image_token_id not in prompts.encode(ASKED)["input_ids"]


def test_the_prompt_is_what_the_language_model_was_taught(base: Backbone) -> None:
    text = base.processor.tokenizer.decode(Prompts(base.processor).encode(ASKED, RED)["input_ids"].flatten())
    asked = f"<|im_start|>user\n{IMAGE * TOKENS}{ASKED}<|im_end|>\n"
    assert text.replace("\n", "") == f"{asked}<|im_start|>assistant\n".replace("\n", "")


def test_an_answer_depends_on_the_picture(base: Backbone) -> None:
    prompts = Prompts(base.processor)
    with torch.no_grad():
        red, again, blue = (
            base.model(
                **{name: torch.as_tensor(value) for name, value in _rows(prompts, shown).items()}
            ).logits
            for shown in (RED, RED, BLUE)
        )
    assert torch.equal(red, again)
    assert not torch.allclose(red[:, -1], blue[:, -1], atol=1e-4)


def _rows(prompts: Prompts, shown: Picture) -> dict[str, Any]:
    encoded = prompts.encode(ASKED, shown)
    ids = encoded["input_ids"].reshape(1, -1)
    pixels = encoded["pixel_values"].reshape(1, 3, SIDE, SIDE)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": pixels}


def test_a_dialogue_answers_alone_as_together_and_never_with_a_picture(base: Backbone) -> None:
    dialogue = Dialogue(base.model, base.processor)
    questions = [
        Question(ASKED, RED, answer_tokens=5),
        Question("yes?", BLUE, answer_tokens=5),
        Question("no?"),
    ]
    together = dialogue.answer(questions)
    assert [dialogue.answer([one])[0].text for one in questions] == [one.text for one in together]
    assert not any(IMAGE in one.text for one in together)


def test_with_its_gate_off_safe_is_the_base_bit_for_bit(saved_base: Path, test_split: ShardDataset) -> None:
    untouched, fused = load_backbone(saved_base), load_backbone(saved_base)
    model = SafeModel(fused.model, wake(new_pathway(SHAPE, fused.model, [(512,)], seed=0)))
    found = gate_off_parity(model, untouched, test_split, batch_size=16)
    assert found.batches == found.identical_batches > 0
    assert found.largest_difference == 0
    with torch.no_grad():
        fused.model.get_input_embeddings().weight[:, 3] += 1e-3
    assert gate_off_parity(model, untouched, test_split, batch_size=16).identical_batches == 0


def test_weights_of_another_tower_are_refused(gguf_file: Path, tmp_path: Path) -> None:
    torch.save({"_conv_stem.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"other\.pth: does not hold the weights"):
        assemble(read_gguf(gguf_file), tmp_path / "other.pth")
