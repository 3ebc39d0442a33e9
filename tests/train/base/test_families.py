"""Every family of docs/backbones.md: loads from its hub layout, trains, predicts, and is unchanged gate off.

Each test makes a row of the page's table from what it found. If a row differs, the page is wrong: put the row
there that the failure shows.
"""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_corpora import build_corpus
from tiny_families import FAMILIES, save_family
from tiny_models import SHORT, wake
from tiny_runs import lines_of, small_run

from safe_data.shards.dataset import ShardDataset
from safe_eval.models.generation import Generator, decoder_start, last_logits
from safe_eval.models.processors import begins
from safe_eval.models.token_batches import Inputs, append_answers, collate, pad_token
from safe_eval.predictions import read_predictions, select
from safe_train.base.backbone import Backbone, decoder_layers, load_backbone
from safe_train.base.dialogue import Dialogue, Question
from safe_train.base.freeze import audit_freeze
from safe_train.base.prompts import Picture, Prompts, prompt_text
from safe_train.base.vision import Vision
from safe_train.batches import Loader
from safe_train.checkpoint import used_encoders
from safe_train.parity.parity import check_parity
from safe_train.pathway.model import SafeModel, new_pathway
from safe_train.predict.predict import predict_dataset, predictions
from safe_train.predict.sounds import WantedEncoder
from safe_train.questions import Asked, Questions
from safe_train.retention.distillation import answer_logits
from safe_train.settings.backbone import BackboneConfig
from safe_train.settings.parity import ParityConfig
from safe_train.settings.pathway import PathwayConfig
from safe_train.settings.predict import PredictConfig
from safe_train.stages.stage_a import stage_a

PAGE = Path(__file__).resolve().parents[3] / "docs/backbones.md"
SIZES = ((32, 32), (64, 32), (20, 50))  # of pictures that are cut into different numbers of tiles
ASKED = ("what shape is the red object ?", "how many objects are there ?", "what is there ?")
# BLIP-2's processor pads between picture and words; another test compares its rows with themselves alone.
BATCHED_ALIKE = [name for name in FAMILIES if not name.startswith("BLIP-2")]
TINY = {
    "answer_tokens": 4,
    "drift_stop": None,
    "steps": 2,
    "batch_size": 6,
    "rows_per_forward": 6,
    "eval_steps": 2,
    "checkpoint_steps": 2,
    "validation_questions": 3,
    "layer": (1, 2),
    "dropout": 0.0,
    "warm_up_steps": 0,
}


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: tmp_path_factory.mktemp("families") / "base" for name in FAMILIES}


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest, checkpoints: dict[str, Path]) -> str:
    name = request.param
    if not checkpoints[name].is_dir():
        checkpoints[name].mkdir()
        save_family(name, checkpoints[name])
    return name


@pytest.fixture
def base(family: str, checkpoints: dict[str, Path]) -> Backbone:
    return load_backbone(checkpoints[family])


def draw(number: int) -> Image.Image:
    width, height = SIZES[number]
    pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def picture(number: int) -> Picture:
    return Picture(f"picture {number}", lambda: draw(number))


def questions(words_only: bool = False) -> list[Question]:
    shown = [Question(prompt, picture(number)) for number, prompt in enumerate(ASKED)]
    return [*shown, Question("what sound is heard ?")] if words_only else shown


def test_a_family_does_what_the_page_says(
    family: str, base: Backbone, checkpoints: dict[str, Path], shards: Path, tmp_path: Path
) -> None:
    row = " | ".join(
        [
            family,
            f"`{_repository(family)}`",
            _layers(base),
            _trains(shards, checkpoints[family], tmp_path / "adapter"),
            _predicts(shards, checkpoints[family], tmp_path),
            _gate_off(base, load_backbone(checkpoints[family]))
            if _proves_parity(shards, checkpoints[family], tmp_path / "adapter")
            else "differs",
            _pictures(base),
            _tiles(base),
            _begin(base),
        ]
    )
    assert row == _rows_of_the_page().get(family)


def test_the_page_has_a_row_for_each_family() -> None:
    assert list(_rows_of_the_page()) == list(FAMILIES)


def _rows_of_the_page() -> dict[str, str]:
    table = PAGE.read_text("utf-8").split("\n\n- ")[0]
    rows = re.findall(r"^\| (.*) \|$", table, re.MULTILINE)
    return {row.split(" | ")[0]: row for row in rows[2:]}


def _repository(family: str) -> str:
    return re.match(r"[\w./-]*\w", FAMILIES[family].__doc__ or "").group()  # type: ignore[union-attr]


def _layers(base: Backbone) -> str:
    kinds = dict.fromkeys(type(layer).__name__ for layer in decoder_layers(base.model))
    return ", ".join(f"`{kind}`" for kind in kinds)


def _trains(shards: Path, folder: Path, out: Path) -> str:
    """Two steps move every part of the pathway, and nothing else."""
    result = stage_a(small_run(out, (shards,), folder, **TINY))
    first, last = lines_of(out / "losses.jsonl")
    # A divergence of 0 may be rounded to just below it.
    assert all(math.isfinite(line["loss"]) and line["distillation"] > -1e-6 for line in (first, last))
    assert first["distillation"] != last["distillation"]
    assert all(norm > 0 for norm in last["gradient_norms"].values())
    assert 0 <= result.metrics["vl_kl"] < math.inf
    return "trains"


def _predicts(shards: Path, folder: Path, out: Path) -> str:
    config = PredictConfig(conditions=("full", "gate_off"), split="val", batch_size=16, quiet=True)
    predict_dataset(out / "adapter", shards, backbone=folder, out=out / "predictions.jsonl", config=config)
    rows = read_predictions(out / "predictions.jsonl")
    assert not [row.error for row in rows if row.error]
    said = [
        [(row.answer, row.confidence, row.choice_probabilities) for row in arm]
        for arm in (select(rows, model="base"), select(rows, condition="gate_off"))
    ]
    assert said[0] == said[1] != []
    assert all(0 < row.confidence <= 1 for row in rows if row.confidence is not None)
    return "answers"


@torch.no_grad()
def _gate_off(base: Backbone, untouched: Backbone) -> str:
    """Logits and greedy answers, with the gate at 0 and at 1, against those of a base never touched."""
    config = PathwayConfig(tokens=4, rank=8, heads=2, bottleneck=16)
    model = SafeModel(base.model, wake(new_pathway(config, base.model, [(12,)], seed=0)))
    plain = Dialogue(untouched.model, untouched.processor, Prompts(untouched.processor, SHORT))
    ours = Dialogue(base.model, base.processor, Prompts(base.processor, SHORT))
    batch = plain.encode(questions())
    audio = torch.randn(len(ASKED), 12, generator=torch.Generator().manual_seed(0))
    start = decoder_start(base.model, len(ASKED))
    wanted = untouched.model(**batch, **start).logits
    with model.fuse(audio=audio, gate=0.0):
        found = base.model(**batch, **start).logits
        said = ours.generate(dict(batch))
    with model.fuse(audio=audio, gate=1.0):
        heard = base.model(**batch, **start).logits
    assert torch.equal(found, wanted)
    assert not torch.allclose(heard, wanted)
    expected = plain.generate(dict(batch))
    assert torch.equal(said.tokens, expected.tokens)
    assert torch.equal(said.log_probabilities, expected.log_probabilities)
    model.detach()
    assert audit_freeze(base.model) == audit_freeze(untouched.model)
    return "bit-equal"


def _proves_parity(shards: Path, folder: Path, adapter: Path) -> bool:
    """Whether `safe-train parity` holds for what was trained."""
    config = ParityConfig(
        shards, BackboneConfig(str(folder)), checkpoints=(adapter,), samples=4, repeats=8, quiet=True
    )
    findings = check_parity(config).findings
    # The time is not judged here: it is that of a busy machine, and the model is tiny.
    return {one.decision for one in findings if not one.name.startswith("time")} == {"holds"}


def _pictures(base: Backbone) -> str:
    """Whether a picture is processed once for two questions, and what the base gets of it."""
    loads = []

    def load() -> Image.Image:
        loads.append(1)
        return draw(1)

    prompts, shown = Prompts(base.processor), Picture("picture 1", load)
    encoded = [prompts.encode(asked, shown) for asked in ASKED]
    once = "processed once" if len(loads) == 1 else f"processed {len(loads)} times for {len(ASKED)} questions"
    blind, seen = Vision(base.model).look(encoded, [shown] * len(ASKED))
    return f"{once}, {'features' if seen and 'pixel_values' not in blind[0] else 'pixels'}"


def _tiles(base: Backbone) -> str:
    """What becomes of pictures of different sizes in one batch."""
    prompts = Prompts(base.processor)
    sizes = [prompts.encode("?", picture(number))["pixel_values"].shape for number in range(3)]
    if len({size[1:] for size in sizes}) > 1:
        return "padded with blank tiles"
    return "one stack of all" if len({size[0] for size in sizes}) > 1 else "one size"


def _begin(base: Backbone) -> str:
    """Who writes the BOS of a prompt, which has one at most, with a picture and without."""
    processor = base.processor
    begin = processor.tokenizer.bos_token_id
    if begin is None:
        return "none"
    prompts = Prompts(processor)
    encoded = [prompts.encode(ASKED[0], picture(0)), prompts.encode(ASKED[0])]
    counts = {int((inputs["input_ids"] == begin).sum()) for inputs in encoded}
    assert counts in ({0}, {1})
    adds = processor.tokenizer("a")["input_ids"][0] == begin
    if counts == {0}:
        assert not adds
        return "none"
    if begins(processor, prompt_text(processor, "?", has_image=True)):
        return "template"
    return "tokenizer" if adds else "processor"


@torch.no_grad()
def test_a_row_says_in_a_batch_what_it_says_alone(family: str, base: Backbone) -> None:
    """Pictures of different numbers of tiles, and a question without one, stand in one batch."""
    # Mllama attends to the blank picture of a row without one, in its own processor's batches as well.
    asked = questions(words_only=family != "Llama 3.2 Vision")
    dialogue = Dialogue(base.model, base.processor)
    start = decoder_start(base.model, 1)
    alone = [base.model(**dialogue.encode([one]), **start).logits[0, -1] for one in asked]
    batch = dialogue.encode(asked)
    together = base.model(**batch, **decoder_start(base.model, len(asked))).logits[:, -1]
    for one, row in zip(alone, together, strict=True):
        assert torch.allclose(one, row, atol=1e-4)
    assert not torch.allclose(alone[0], alone[1], atol=1e-3)
    looked = Dialogue(base.model, base.processor, vision=Vision(base.model)).encode(asked)
    by_features = base.model(**looked, **decoder_start(base.model, len(asked))).logits[:, -1]
    assert torch.allclose(by_features, together, atol=1e-4)


@pytest.mark.parametrize("family", BATCHED_ALIKE, indirect=True)
def test_a_batch_is_what_the_processor_makes_of_it(family: str, base: Backbone) -> None:
    processor = base.processor
    texts = [prompt_text(processor, asked, has_image=True) for asked in ASKED]
    nested = family in {"Gemma 3", "Idefics3", "SmolVLM2", "Llama 3.2 Vision"}
    images: list[Any] = [[draw(n)] if nested else draw(n) for n in range(len(ASKED))]
    bos = {"add_special_tokens": False} if begins(processor, texts[0]) else {}
    # PaliGemma's makes NumPy warn of tensors.
    made = processor(
        text=texts,
        images=images,
        padding=True,
        padding_side="left",
        return_tensors=None if family == "PaliGemma" else "pt",
        **bos,
    ).convert_to_tensors("pt")
    wanted = {name: tensor for name, tensor in made.items() if name != "labels"}
    prompts = Prompts(processor)
    ours: Inputs = collate(
        [prompts.encode(asked, picture(n)) for n, asked in enumerate(ASKED)], pad_token(processor)
    )
    assert ours.keys() == wanted.keys()
    padding = wanted["attention_mask"] == 0
    for name, tensor in wanted.items():
        found = ours[name]
        if found.shape[:2] == padding.shape:  # what padding holds does not matter
            tensor = tensor.clone()
            found = found.clone()
            tensor[padding] = 0
            found[padding] = 0
        assert torch.equal(found, tensor), name


@torch.no_grad()
def test_an_answer_is_as_likely_behind_its_prompt_as_it_was_when_said(base: Backbone) -> None:
    """The logits of training and of choices are those of generation, which sees one token at a time."""
    dialogue = Dialogue(base.model, base.processor)
    batch = dialogue.encode(questions())
    # A random model may say a token that stands for a picture, which then has none.
    speaker = getattr(base.model, "language_model", base.model)
    speaker.generation_config.suppress_tokens = [_image_token(base)]
    made = dialogue.generate(dict(batch))
    generator = Generator(base.model, base.processor)
    ends = torch.tensor(generator.is_finished(made))
    assert not ends.all()
    found = torch.tensor(generator.log_likelihoods(batch, made.tokens.tolist()))
    wanted = made.log_probabilities.sum(1)
    assert torch.allclose(found[~ends], wanted[~ends], rtol=1e-4, atol=1e-3)


def _image_token(base: Backbone) -> int:
    return int(base.model.config.image_token_id)


@torch.no_grad()
def test_an_answer_does_not_see_its_own_end(base: Backbone) -> None:
    dialogue = Dialogue(base.model, base.processor)
    batch = dialogue.encode(questions())
    ids = base.processor.tokenizer("red blue green two", add_special_tokens=False)["input_ids"]
    first = torch.tensor([ids[:3]] * len(ASKED))
    other = first.clone()
    other[:, 2] = ids[3]
    shorter = Generator(base.model, base.processor).log_likelihoods(batch, first[:, :2].tolist())
    for answers in (first, other):
        logits = _logits_of(base, batch, answers)
        chosen = logits.log_softmax(-1).gather(2, answers[..., None])[..., 0]
        assert torch.allclose(chosen[:, :2].sum(1), torch.tensor(shorter), atol=1e-4)


def _logits_of(base: Backbone, batch: dict[str, Any], answers: torch.Tensor) -> torch.Tensor:
    inputs = append_answers(batch, answers, base.processor)
    return last_logits(base.model, inputs, answers.shape[1])


@torch.no_grad()
def test_mllama_is_trained_and_asked_with_and_without_pictures_apart(both: Questions, tmp_path: Path) -> None:
    """In one batch, a row without a picture would hear of the blank picture that it is given."""
    folder = tmp_path / "base"
    folder.mkdir()
    base = load_backbone(save_family("Llama 3.2 Vision", folder))
    asked = tuple(Asked(q, "audio", 0, 0) for q in (*both.pool("audio")[:3], *both.pool("vl")[:3]))
    loader = Loader(both, base.processor)
    found = {}
    for batch in loader.batches(asked, 6):
        found |= zip(batch.asked, answer_logits(base.model, batch), strict=True)
    assert set(found) == set(asked)
    mixed = answer_logits(base.model, loader.batch(asked))
    alone = [answer_logits(base.model, loader.batch([row]))[0] for row in asked]
    near = [
        torch.allclose(found[row][: len(one)], one, atol=1e-4) for row, one in zip(asked, alone, strict=True)
    ]
    assert all(near)
    assert not torch.allclose(mixed[0][: len(alone[0])], alone[0], atol=1e-4)

    def half_shown(row: dict[str, Any]) -> dict[str, Any]:
        if int(re.findall(r"\d+", row["id"])[-1]) % 2:
            del row["image_file_name"]
        return row

    dataset = ShardDataset(build_corpus(tmp_path, "half_shown", half_shown), "train", "logmel")
    config = PathwayConfig(tokens=4, rank=8, heads=2, bottleneck=16)
    (used,) = used_encoders([dataset])
    encoders = (WantedEncoder(used.name, used.fingerprint, None),)
    model = SafeModel(base.model, wake(new_pathway(config, base.model, [tuple(used.shape)], seed=0)))
    asked_by = [
        {
            (row.model, row.example_id): row.confidence
            for row in predictions(model, base, dataset, encoders, ("full",), asking=SHORT, batch_size=size)
        }
        for size in (1, 16)
    ]
    assert asked_by[1] == pytest.approx(asked_by[0], rel=1e-3)
