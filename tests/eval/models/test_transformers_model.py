"""Models of transformers: what each is given, and that its answers are those of a call written by hand."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_listener import ToneDataset
from PIL import Image
from tiny_listeners import MADE, save_made

from safe_data.core.errors import InputError
from safe_data.media.sound import Sound
from safe_data.records import Example
from safe_eval.models.all_models import load_models
from safe_eval.models.model import Answer, Input, facts_of
from safe_eval.models.transformers_model import TransformersModel, load_transformers
from safe_eval.run_options import ModelOptions
from safe_eval.runner.run import run

SHORT = ModelOptions(max_tokens=4)
HEARING = ("Qwen2-Audio", "Qwen2.5-Omni")
WORDS = ("red", "blue", "green")
PHRASES = ("two red", "blue", "three green circle")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The checkpoint of a tiny model, made when it is first asked for."""
    made: dict[str, Path] = {}

    def get(name: str) -> Path:
        if name not in made:
            made[name] = save_made(name, tmp_path_factory.mktemp("made") / name.replace(" ", "-"))
        return made[name]

    return get


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def loaded(folder: Path, options: ModelOptions = SHORT) -> TransformersModel:
    (model,) = load_transformers(str(folder), options)
    return model


def picture() -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 36, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def sound(seconds: float = 0.5, loudness: float = 0.5) -> Sound:
    samples = np.random.default_rng(1).uniform(-1, 1, round(seconds * 8000)).astype(np.float32)
    return Sound(np.float32(loudness) * samples, 8000, 8000, 1)


def asking(
    prompt: str = "what shape is the red object ?", choices: tuple[str, ...] | None = None, **media: Any
) -> Input:
    example = Example(id="q", task="vqa", prompt=prompt, references=("red",), choices=choices)
    return Input(example, **media)


def inputs_of(model: TransformersModel) -> list[Input]:
    """Questions of different lengths, with every medium that the model takes, and without."""
    ears = {"sound": sound} if model.hears else {}
    eyes = {"picture": picture} if model.sees else {}
    return [
        asking(choices=WORDS, **eyes),
        asking("how many objects are there ?", choices=PHRASES, **ears),
        asking("what is there ?", **eyes, **ears),
        asking("what sound is heard ?", choices=WORDS),
        asking("what sound is heard ?", **({"sound": lambda: sound(0.9)} if model.hears else {})),
    ]


def by_hand(model: TransformersModel, text: str, **media: Any) -> tuple[list[int], str, float]:
    """The tokens, text and probability of the answer to one prompt, by the processor and `generate`."""
    processor, network = model._processor, model._model
    encoded = processor(text=[text], return_tensors="pt", **media)
    made = network.generate(
        **encoded, do_sample=False, max_new_tokens=4, return_dict_in_generate=True, output_logits=True
    )
    tokens = made.sequences[0, encoded["input_ids"].shape[1] :]
    chances = [step[0].float().softmax(-1)[token] for step, token in zip(made.logits, tokens, strict=True)]
    tokenizer = getattr(processor, "tokenizer", processor)
    said = tokenizer.decode(tokens, skip_special_tokens=True).strip()
    return tokens.tolist(), said, float(torch.stack(chances).prod())


HAND: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "LLaVA": (
        "USER: <image>\nwhat is there ? ASSISTANT:",
        {"picture": picture},
        {"images": [picture()]},
    ),
    "Qwen2-Audio": (
        "<|im_start|>user\n<|audio_bos|><|AUDIO|><|audio_eos|>\nwhat is there ?<|im_end|>\n"
        "<|im_start|>assistant\n",
        {"sound": sound},
        {"audio": [sound().resampled(16000).samples], "sampling_rate": 16000},
    ),
    "Qwen2.5-Omni": (
        "<|im_start|>user\n<|vision_bos|><|IMAGE|><|vision_eos|><|audio_bos|><|AUDIO|><|audio_eos|>"
        "what is there ?<|im_end|>\n<|im_start|>assistant\n",
        {"picture": picture, "sound": sound},
        {
            "images": [picture()],
            "audio": [sound().resampled(16000).samples],
            "sampling_rate": 16000,
        },
    ),
    "LLaMA": ("what is there ?", {}, {}),
}


@pytest.mark.parametrize("name", HAND)
def test_an_answer_is_what_generate_says_to_the_same_prompt(name: str, folder: Callable[[str], Path]) -> None:
    text, media, handed = HAND[name]
    model = loaded(folder(name))
    (answer,) = model.answer([asking("what is there ?", **media)])
    _, said, chance = by_hand(model, text, **handed)
    assert answer.text == said
    assert answer.confidence == pytest.approx(chance, rel=1e-4)


@pytest.mark.parametrize("name", MADE)
def test_an_answer_does_not_depend_on_its_batch(name: str, folder: Callable[[str], Path]) -> None:
    model = loaded(folder(name))
    inputs = inputs_of(model)
    together, alone = model.answer(inputs), [model.answer([one])[0] for one in inputs]
    for one, other in zip(together, alone, strict=True):
        assert one.error is None
        assert one.text == other.text
        assert one.confidence == pytest.approx(other.confidence, rel=1e-3)
        assert (one.choice_probabilities or {}) == pytest.approx(other.choice_probabilities or {}, rel=1e-3)
    assert len({one.confidence for one in together}) > 2


@pytest.mark.parametrize("name", ["LLaVA", "Qwen2-Audio"])
def test_choices_have_the_probabilities_of_their_tokens(name: str, folder: Callable[[str], Path]) -> None:
    text, media, handed = HAND[name]
    model = loaded(folder(name))
    words, phrases = (
        answer.choice_probabilities
        for answer in model.answer([asking("what is there ?", c, **media) for c in (WORDS, PHRASES)])
    )
    tokenizer = model._processor.tokenizer
    assert words == pytest.approx(_by_first_token(model, text, handed), rel=1e-4)
    scores = []
    for phrase in PHRASES:
        ids = [*tokenizer(phrase, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        encoded = model._processor(text=[text], return_tensors="pt", **handed)
        whole = torch.cat([encoded["input_ids"], torch.tensor([ids])], 1)
        encoded |= {"input_ids": whole, "attention_mask": torch.ones_like(whole)}
        logits = model._model(**encoded).logits[0, -len(ids) - 1 : -1].float().log_softmax(-1)
        scores.append(logits.gather(1, torch.tensor(ids)[:, None]).sum())
    wanted = dict(zip(PHRASES, torch.stack(scores).softmax(-1).tolist(), strict=True))
    assert phrases == pytest.approx(wanted, rel=1e-3)


def _by_first_token(model: TransformersModel, text: str, handed: dict[str, Any]) -> dict[str, float]:
    encoded = model._processor(text=[text], return_tensors="pt", **handed)
    ids = [model._processor.tokenizer.convert_tokens_to_ids(word) for word in WORDS]
    chances = model._model(**encoded).logits[0, -1].float()[ids].softmax(-1)
    return dict(zip(WORDS, chances.tolist(), strict=True))


@pytest.mark.parametrize("name", HEARING)
def test_a_sound_counts(name: str, folder: Callable[[str], Path]) -> None:
    model = loaded(folder(name))
    muted = Sound(np.zeros(4000, np.float32), 8000, 8000, 1)
    asked = [{"sound": sound}, {"sound": lambda: muted}, {}]
    answers = model.answer([asking(choices=WORDS, **media) for media in asked])
    heard, silent, none = (list((one.choice_probabilities or {}).values()) for one in answers)
    assert heard != pytest.approx(silent, rel=0.01)
    assert heard != pytest.approx(none, rel=0.01)
    assert silent != pytest.approx(none, rel=0.01)


def test_a_run_asks_it_like_any_model(folder: Callable[[str], Path]) -> None:
    model = loaded(folder("Qwen2.5-Omni"), replace(SHORT, name="omni"))
    rows = list(run(model, ToneDataset(3), ["full", "mute_audio"], seed=0))
    assert {row.model for row in rows} == {"omni"}
    assert not [row.error for row in rows if row.error]
    assert len({row.answer for row in rows} | {row.confidence for row in rows}) > 3


def test_what_a_model_takes_it_says(folder: Callable[[str], Path]) -> None:
    takes = {name: (loaded(folder(name)).hears, loaded(folder(name)).sees) for name in MADE}
    assert takes == {
        "Qwen2-Audio": (True, False),
        "Qwen2.5-Omni": (True, True),
        "LLaVA": (False, True),
        "Llama 3.2 Vision": (False, True),
        "LLaMA": (False, False),
    }


def test_what_a_model_does_not_take_is_an_error_and_not_left_out(folder: Callable[[str], Path]) -> None:
    answers = loaded(folder("LLaVA")).answer([asking(sound=sound), asking(picture=picture)])
    assert answers[0] == Answer("", error="this model is sent no sound, and this input has one")
    assert answers[1].error is None
    (answer,) = loaded(folder("Qwen2-Audio")).answer([asking(picture=picture)])
    assert answer.error == "this model is sent no picture, and this input has one"
    (answer,) = loaded(folder("Qwen2-Audio")).answer([asking(sound=sound, gate=0.0)])
    assert answer.error == "this model has no gate to close"


def test_a_chat_template_that_leaves_out_the_sound_is_found(folder: Callable[[str], Path]) -> None:
    model = loaded(folder("Qwen2-Audio"))
    model._processor.chat_template = "{{ messages[-1]['content'][-1]['text'] }}"
    with pytest.raises(ValueError, match=r"leaves out the audio: <\|AUDIO\|> is not in the text"):
        model.answer([asking(sound=sound)])


def test_a_sound_that_is_longer_than_what_is_heard_is_noted(folder: Callable[[str], Path]) -> None:
    model = loaded(folder("Qwen2-Audio"))
    short, long = model.answer([asking(sound=sound), asking(sound=lambda: sound(1.5))])
    assert "heard_seconds" not in (short.metadata or {})
    assert (long.metadata or {})["heard_seconds"] == 1.0


def test_the_system_prompt_and_the_template_are_asked(folder: Callable[[str], Path]) -> None:
    options = replace(SHORT, system="Be brief.", template="{prompt} One word.")
    chat, plain = loaded(folder("Qwen2-Audio"), options), loaded(folder("LLaMA"), options)
    asked = asking("what ?")
    assert chat.asked(asked.example) == "what ? One word."
    assert chat._text(asked, has_image=False, has_sound=False) == (
        "Be brief. <|im_start|>user\nwhat ? One word.<|im_end|>\n<|im_start|>assistant\n"
    )
    assert plain._text(asked, has_image=False, has_sound=False) == "Be brief.\nwhat ? One word."


def test_the_facts_are_what_answers_depend_on(folder: Callable[[str], Path]) -> None:
    facts = facts_of(loaded(folder("Qwen2.5-Omni")))
    assert facts["files_sha256"].keys() >= {"config.json", "model.safetensors", "tokenizer.json"}
    assert facts["model_class"] == "Qwen2_5OmniThinkerForConditionalGeneration"
    assert facts["processor_class"] == "Qwen2_5OmniProcessor"
    assert facts["sample_rate_hz"] == 16000
    assert facts["generation"]["do_sample"] is False
    assert (facts["dtype"], facts["device"]) == ("float32", "cpu")
    assert facts["versions"].keys() >= {"torch", "transformers", "soxr"}
    assert facts == facts_of(loaded(folder("Qwen2.5-Omni"), replace(SHORT, batch_size=2)))
    assert facts != facts_of(loaded(folder("Qwen2.5-Omni"), replace(SHORT, system="x")))


REFUSED: dict[str, tuple[ModelOptions, str]] = {
    "device": (ModelOptions(device="cuda:9"), "device cuda:9: this machine has no such device"),
    "dtype": (ModelOptions(dtype="float99"), "dtype 'float99': is none; choose from auto, float32"),
    "arg": (ModelOptions(arg=("x=1",)), "arg x: transformers:PATH has no settings of its own"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_options_that_cannot_be_are_refused(case: str, folder: Callable[[str], Path]) -> None:
    options, message = REFUSED[case]
    with pytest.raises(InputError) as refused:
        load_models(f"transformers:{folder('LLaMA')}", options)
    assert str(refused.value).startswith(message)


def test_a_pickle_is_not_read(folder: Callable[[str], Path], tmp_path: Path) -> None:
    for file in folder("LLaMA").iterdir():
        if file.suffix == ".json":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(InputError, match="has only pickled weights"):
        load_transformers(str(tmp_path), SHORT)


def test_a_model_that_lacks_weights_is_not_asked(folder: Callable[[str], Path], tmp_path: Path) -> None:
    for file in folder("LLaMA").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    with pytest.raises(InputError, match=r"lacks 9 weights of LlamaForCausalLM, such as model\.layers\.2"):
        load_transformers(str(tmp_path), SHORT)
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "vit"}))
    with pytest.raises(InputError, match="model_type 'vit' is none that transformers"):
        load_transformers(str(tmp_path), SHORT)
