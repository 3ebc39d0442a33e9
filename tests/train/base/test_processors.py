"""Processors: made without torchvision from the files of a hub repository, one family's quirk at a time."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_families import save_family

from safe_data.core.errors import InputError
from safe_eval.models.generation import decoder_start, last_logits
from safe_eval.models.processors import answer_type, load_processor, plain_text
from safe_eval.models.token_batches import append_answers, collate
from safe_train.base.backbone import load_backbone
from safe_train.base.dialogue import Dialogue, Question
from safe_train.base.prompts import Picture, Prompts, encode_prompt

ASKED = "what shape is the red object ?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The checkpoint of a family, which is written once."""
    root = tmp_path_factory.mktemp("families")

    def write(name: str) -> Path:
        made = root / name
        if not made.is_dir():
            made.mkdir()
            save_family(name, made)
        return made

    return write


@pytest.fixture
def changed(folder: Callable[[str], Path], tmp_path: Path) -> Callable[[str, str, str | None], Path]:
    """A family's processor files, with one of them replaced or removed."""

    def change(family: str, file: str, content: str | None) -> Path:
        copy = tmp_path / "changed"
        shutil.copytree(folder(family), copy, ignore=shutil.ignore_patterns("*.safetensors"))
        (copy / file).unlink()
        if content is not None:
            (copy / file).write_text(content)
        return copy

    return change


def draw(width: int = 48, height: int = 20) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("family", "file", "content", "message"),
    [
        ("LLaVA", "tokenizer.json", None, r"can be loaded: its processor: .*; expected preprocessor_config"),
        ("LLaVA", "preprocessor_config.json", "{", r"preprocessor_config.json is no JSON object"),
        (
            "LLaVA",
            "processor_config.json",
            '{"processor_class": "OtherProcessor"}',
            r"'OtherProcessor', for the model type 'llava', is no processor of transformers",
        ),
        (
            "LLaVA",
            "processor_config.json",
            '{"processor_class": "AutoModel"}',
            r"'AutoModel', .* no processor",
        ),
        ("InternVL3", "tokenizer_config.json", "{}", r"start_image_token.*download the whole repository"),
    ],
)
def test_files_that_make_no_processor_are_refused(
    family: str, file: str, content: str | None, message: str, changed: Callable[[str, str, str | None], Path]
) -> None:
    with pytest.raises(InputError, match=message):
        load_processor(changed(family, file, content))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            ImportError("\nOtherImageProcessor requires the Torchvision library\nSee the page"),
            r"needs a package that is not installed: OtherImageProcessor requires the Torchvision library; "
            r"install it; torchvision must be the version that belongs to the installed torch$",
        ),
        (
            RuntimeError("operator torchvision::nms does not exist"),
            r"beside the installed torchvision, which belongs to another torch: .*; remove it, SAFE",
        ),
    ],
)
def test_a_package_that_is_missing_or_does_not_fit_is_named(
    error: Exception, message: str, folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr("transformers.AutoImageProcessor.from_pretrained", fail)
    with pytest.raises(InputError, match=message):
        load_processor(folder("LLaVA"))


def test_another_error_is_a_defect(folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("something else")

    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", fail)
    with pytest.raises(RuntimeError, match="something else"):
        load_processor(folder("LLaVA"))


@pytest.mark.parametrize("family", ["Qwen3-VL", "SmolVLM2", "Qwen2.5-Omni"])
def test_a_processor_is_saved_with_its_video_settings_and_loaded_again(
    family: str, folder: Callable[[str], Path], tmp_path: Path
) -> None:
    processor = load_processor(folder(family))
    processor.save_pretrained(tmp_path)
    shutil.copy(folder(family) / "config.json", tmp_path)
    again = load_processor(tmp_path)
    wanted = encode_prompt(processor, ASKED, draw())
    found = encode_prompt(again, ASKED, draw())
    assert wanted.keys() == found.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())
    if family == "Qwen3-VL":
        saved = json.loads((tmp_path / "processor_config.json").read_text())
        assert saved["video_processor"]["video_processor_type"] == "Qwen3VLVideoProcessor"


def test_smolvlm_is_made_without_num2words_which_is_then_as_it_was(folder: Callable[[str], Path]) -> None:
    from transformers.models.smolvlm import processing_smolvlm

    before = processing_smolvlm.num2words
    assert type(load_processor(folder("SmolVLM2"))).__name__ == "SmolVLMProcessor"
    assert processing_smolvlm.num2words is before


@pytest.mark.parametrize("family", ["LLaVA", "LLaVA-NeXT", "BLIP-2 OPT"])
def test_an_early_repository_gets_the_tokens_of_a_picture_from_the_model(
    family: str, folder: Callable[[str], Path], changed: Callable[[str, str, str | None], Path]
) -> None:
    early = load_processor(changed(family, "processor_config.json", None))
    wanted = encode_prompt(load_processor(folder(family)), ASKED, draw())
    assert torch.equal(encode_prompt(early, ASKED, draw())["input_ids"], wanted["input_ids"])


@pytest.mark.parametrize(
    ("family", "shown", "words"),
    [
        ("LLaVA", "USER: <image>\nwhy ? ASSISTANT:", "USER: why ? ASSISTANT:"),
        ("LLaVA-NeXT", "<image>\nwhy ?", "why ?"),
        ("BLIP-2 OPT", "Question: why ? Answer:", "Question: why ? Answer:"),
        ("PaliGemma", "<image>answer en why ?", "answer en why ?"),
        ("Llama 3.2 Vision", "<|image|><|begin_of_text|>why ?", "<|begin_of_text|>why ?"),
    ],
)
def test_without_a_chat_template_a_prompt_has_the_documented_form(
    family: str, shown: str, words: str, folder: Callable[[str], Path]
) -> None:
    processor = load_processor(folder(family))
    assert plain_text(processor, "why ?", has_image=True) == shown
    assert plain_text(processor, "why ?", has_image=False) == words


def test_a_base_model_of_llama_3_2_is_asked_with_one_bos(
    changed: Callable[[str, str, str | None], Path],
) -> None:
    processor = load_processor(changed("Llama 3.2 Vision", "chat_template.json", None))
    begin, image = processor.tokenizer.bos_token_id, processor.image_token_id
    assert encode_prompt(processor, ASKED, draw())["input_ids"][0, :3].tolist().count(begin) == 1
    assert encode_prompt(processor, ASKED, draw())["input_ids"][0, :2].tolist() == [image, begin]
    assert encode_prompt(processor, ASKED, None)["input_ids"][0].tolist().count(begin) == 1


def test_a_question_that_begins_with_a_bos_is_not_given_another(folder: Callable[[str], Path]) -> None:
    processor = load_processor(folder("LLaVA"))
    processor.chat_template = "<s>{{ messages[0]['content'][-1]['text'] }}"
    ids = encode_prompt(processor, ASKED, None)["input_ids"][0].tolist()
    assert ids.count(processor.tokenizer.bos_token_id) == 1


@pytest.mark.parametrize(
    "template",
    ["BOS{image}{question}", " BOS {image}{question}", "{image} BOS {question}", "{image}{question}"],
)
@pytest.mark.parametrize("family", ["LLaVA", "Idefics3", "BLIP-2 OPT", "PaliGemma", "Llama 3.2 Vision"])
def test_a_template_that_writes_a_bos_is_not_given_another(
    folder: Callable[[str], Path], family: str, template: str
) -> None:
    processor = load_processor(folder(family))
    written = template.replace("BOS", processor.tokenizer.bos_token)
    begin = processor.tokenizer.bos_token_id
    for image in (draw(), None):
        ids = encode_prompt(processor, ASKED, image, written)["input_ids"][0].tolist()
        assert ids.count(begin) == 1


def test_paligemmas_answers_have_the_type_that_its_processor_gives_them(
    folder: Callable[[str], Path],
) -> None:
    processor = load_processor(folder("PaliGemma"))
    prompt = encode_prompt(processor, ASKED, draw())
    words = processor.tokenizer("red", add_special_tokens=False)["input_ids"]
    answer = torch.tensor([[*words, processor.tokenizer.eos_token_id]])
    text = plain_text(processor, ASKED, has_image=True)
    made = processor(text=[text], images=[draw()], suffix=["red"]).convert_to_tensors("pt")
    ours = append_answers(collate([prompt], 0), answer, processor)
    assert answer_type(processor) == 1
    for name in ("input_ids", "token_type_ids", "attention_mask"):
        assert torch.equal(ours[name], made[name]), name


def test_mllamas_answers_see_what_its_processor_lets_them_see(folder: Callable[[str], Path]) -> None:
    processor = load_processor(folder("Llama 3.2 Vision"))
    prompt = encode_prompt(processor, ASKED, draw())
    template = processor.chat_template
    processor.chat_template = template.replace("{% endif %}", "{% endif %}").rstrip() + "red blue"
    whole = encode_prompt(processor, ASKED, draw())
    answer = torch.tensor([processor.tokenizer("red blue", add_special_tokens=False)["input_ids"]])
    ours = append_answers(prompt, answer, processor)
    assert torch.equal(ours["input_ids"], whole["input_ids"])
    assert torch.equal(ours["cross_attention_mask"], whole["cross_attention_mask"])
    assert ours["cross_attention_mask"][0, -1].sum() == 3  # 48 × 20: three tiles of 16 × 16


@torch.no_grad()
def test_an_encoder_decoder_scores_an_answer_as_its_forward_pass_with_labels(
    folder: Callable[[str], Path],
) -> None:
    base = load_backbone(folder("BLIP-2 T5"))
    tokenizer = base.processor.tokenizer
    choices = ("red", "blue green", "two red circle")
    question = Question(ASKED, Picture("drawn", draw), choices)
    dialogue = Dialogue(base.model, base.processor, scored_rows=2)
    (answer,) = dialogue.score([question], dialogue.answer([question]))
    assert answer.metadata is not None
    prompt = Prompts(base.processor).encode(ASKED, Picture("drawn", draw))
    for choice in choices:
        ids = tokenizer(choice, add_special_tokens=False)["input_ids"]
        labels = torch.tensor([[*ids, tokenizer.eos_token_id]])
        made = base.model(**prompt, labels=labels)
        wanted = -made.loss.item() * labels.shape[1]
        assert answer.metadata["choice_log_likelihoods"][choice] == pytest.approx(wanted, abs=1e-3)
        ours = last_logits(base.model, append_answers(prompt, labels, base.processor), labels.shape[1])
        assert torch.allclose(ours, made.logits, atol=1e-5)
        start = decoder_start(base.model, 1)
        assert torch.allclose(base.model(**prompt, **start).logits[:, -1], ours[:, 0], atol=1e-5)
