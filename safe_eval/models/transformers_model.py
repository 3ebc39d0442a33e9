"""transformers: a model of a folder or of the hub that answers in text, and may see pictures and hear sounds.

Whatever transformers can load for text from pictures and sounds is asked through its own processor and chat
template; a model of text alone through its tokenizer. Only safetensors are read, and no code of a checkpoint
is run.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safe_data.core.errors import InputError, require_extra
from safe_data.core.options_file import TRAIN, installed_versions
from safe_data.encoders.checkpoints import checkpoint_directory, weight_files
from safe_data.media.sound import resample
from safe_data.records import Example
from safe_eval.models.files import FILES, base_files
from safe_eval.models.generation import Generator
from safe_eval.models.model import Answer, Input, misfit
from safe_eval.models.processors import load_processor, pictures_apart, plain_text, process
from safe_eval.models.token_batches import Inputs, collate, pad_token
from safe_eval.run_options import ModelOptions

if TYPE_CHECKING:
    import torch

PACKAGES = (*TRAIN, "pillow", "soxr")
DTYPES = ("auto", "float32", "bfloat16", "float16")

# Models that speak as well: the part that answers in text, by the type of the whole.
_THINKERS = {
    "qwen2_5_omni": "Qwen2_5OmniThinkerForConditionalGeneration",
    "qwen3_omni_moe": "Qwen3OmniMoeThinkerForConditionalGeneration",
}
_EARS = ("feature_extractor", "audio_processor")  # what a processor hears with
_WINDOW_SAMPLES = {"Gemma3nAudioFeatureExtractor": 480_000}  # where the extractor's settings do not say it


def load_transformers(place: str, options: ModelOptions) -> Sequence["TransformersModel"]:
    """The model of a folder that `save_pretrained` wrote, or of a hub id such as `Qwen/Qwen2.5-Omni-7B`.

    Raises:
        InputError: there is no such model, transformers cannot load it here, its weights are pickled, or the
            device or precision does not exist.
    """
    require_extra("a transformers model", "train", "torch", "transformers", "safetensors")
    if options.args:
        raise InputError(f"arg {next(iter(options.args))}: transformers:PATH has no settings of its own")
    device, dtype = _device(options.device), _dtype(options.dtype)
    folder = checkpoint_directory(place, "transformers", list(FILES))
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder}: has no config.json; give the directory that save_pretrained wrote")
    weight_files(folder)
    _quiet_unless_terminal()
    kind = _model_class(folder)
    processor = _tokenizer(folder) if kind.__name__ == "AutoModelForCausalLM" else load_processor(folder)
    model = _weighted(kind, folder, dtype)
    model.eval().requires_grad_(False).to(device)
    return [TransformersModel(place, folder, model, processor, options)]


class TransformersModel:
    """Answers batches greedily; the confidence of an answer is the probability of exactly its text."""

    def __init__(self, place: str, folder: Path, model: Any, processor: Any, options: ModelOptions) -> None:
        self.name = options.name or Path(place).name
        self._place, self._folder, self._options = place, folder, options
        self._model, self._processor = model, processor
        self._generator = Generator(model, processor)
        self._ears = _part_of(processor, *_EARS)
        self.hears = self._ears is not None
        self.sees = _part_of(processor, "image_processor") is not None

    @property
    def facts(self) -> dict[str, Any]:
        """What the answers depend on beside the hardware."""
        is_snapshot = self._folder.parent.name == "snapshots"  # of the hub's cache
        return {
            "kind": "transformers",
            "model": self._place,
            "revision": self._folder.name if is_snapshot else None,
            "files_sha256": base_files(self._folder, quiet=True),
            "model_class": type(self._model).__name__,
            "processor_class": type(self._processor).__name__,
            "system": self._options.system,
            "template": self._options.template,
            "chat_template": bool(_chat_template(self._processor)),
            "max_tokens": self._options.max_tokens,
            "generation": {
                **self._model.generation_config.to_diff_dict(),
                "do_sample": False,
                "num_beams": 1,
            },
            "device": self._model.device.type,
            "dtype": str(self._model.dtype).removeprefix("torch."),
            "sample_rate_hz": None if self._ears is None else self._ears.sampling_rate,
            "versions": installed_versions(PACKAGES),
        }

    def asked(self, example: Example) -> str:
        """The text that an example is asked with, before the chat template."""
        return self._options.asked(example.prompt)

    def answer(self, inputs: Sequence[Input]) -> Sequence[Answer]:
        """Answer each input; an input that this model cannot take is an answer with an error."""
        misfits = [misfit(given, hears=self.hears, sees=self.sees) for given in inputs]
        found = {row: Answer("", error=fault) for row, fault in enumerate(misfits) if fault is not None}
        for rows in self._groups([row for row, fault in enumerate(misfits) if fault is None], inputs):
            found |= zip(rows, self._answers([inputs[row] for row in rows]), strict=True)
        return [found[row] for row in range(len(inputs))]

    def _groups(self, rows: Sequence[int], inputs: Sequence[Input]) -> list[list[int]]:
        """The rows that are asked together: with and without a picture apart where a family needs it."""
        if not pictures_apart(self._processor):
            return [[*rows]] if rows else []
        shown = [row for row in rows if inputs[row].picture is not None]
        return [group for group in (shown, [row for row in rows if row not in shown]) if group]

    def _answers(self, inputs: Sequence[Input]) -> list[Answer]:
        encoded = [self._encode(given) for given in inputs]
        choices = [given.example.choices or None for given in inputs]
        made = self._generator.generate(self._collate(encoded), self._options.max_tokens)
        answers = [
            replace(answer, metadata=self._notes(given, is_finished=is_finished))
            for answer, given, is_finished in zip(
                self._generator.read(made), inputs, self._generator.is_finished(made), strict=True
            )
        ]
        for row, chances in self._generator.first_chances(choices, made.first).items():
            answers[row] = replace(answers[row], choice_probabilities=chances)
        for row, scores in self._scores(encoded, choices).items():
            answers[row] = self._generator.with_scores(answers[row], choices[row] or (), scores)
        return answers

    def _scores(
        self, encoded: Sequence[Inputs], choices: Sequence[tuple[str, ...] | None]
    ) -> dict[int, list[float]]:
        """By row: the log-likelihood of each choice and its end, where one has several tokens."""
        wanted = self._generator.to_score(choices)
        scores: dict[int, list[float]] = {}
        for start in range(0, len(wanted), self._options.batch_size):
            rows, tokens = zip(*wanted[start : start + self._options.batch_size], strict=True)
            batch = self._collate([encoded[row] for row in rows])
            for row, score in zip(rows, self._generator.log_likelihoods(batch, tokens), strict=True):
                scores.setdefault(row, []).append(score)
        return scores

    def _encode(self, given: Input) -> Inputs:
        """One input as a batch of one."""
        from torch import Tensor

        image, sound = given.image, self._sound(given)
        text = self._text(given, has_image=image is not None, has_sound=sound is not None)
        encoded = process(self._processor, text, image, sound).items()
        return {name: value for name, value in encoded if isinstance(value, Tensor) and name != "labels"}

    def _sound(self, given: Input) -> dict[str, Any] | None:
        """The sound of an input at the rate that the model hears at, as its processor takes it."""
        samples, rate_hz = given.audio, given.sample_rate_hz
        if samples is None or rate_hz is None or self._ears is None:
            return None
        wanted_hz = self._ears.sampling_rate
        return {"audio": [resample(samples, rate_hz, wanted_hz)], "sampling_rate": wanted_hz}

    def _text(self, given: Input, *, has_image: bool, has_sound: bool) -> str:
        """The text that asks a question, by the model's chat template or as its family documents it.

        Raises:
            ValueError: the chat template leaves out the picture or the sound.
        """
        prompt, system = self._options.asked(given.example.prompt), self._options.system
        if not _chat_template(self._processor):
            text = _plain(self._processor, prompt, has_image=has_image, has_sound=has_sound)
            return text if system is None else f"{system}\n{text}"
        text = _chat(self._processor, prompt, system, has_image=has_image, has_sound=has_sound)
        for is_there, what in ((has_image, "image"), (has_sound, "audio")):
            token = getattr(self._processor, f"{what}_token", None)
            if is_there and isinstance(token, str) and token not in text:
                raise ValueError(f"the chat template leaves out the {what}: {token} is not in the text")
        return text

    def _collate(self, encoded: Sequence[Inputs]) -> Inputs:
        """Encoded inputs as one batch, where the model is and in its precision."""
        batch = collate(encoded, pad_token(self._processor))
        device, dtype = self._model.device, self._model.dtype
        return {
            name: value.to(device, dtype if value.is_floating_point() else None)
            for name, value in batch.items()
        }

    def _notes(self, given: Input, *, is_finished: bool) -> dict[str, Any] | None:
        """What a row keeps: an answer that was cut off, and a sound that was heard in part."""
        notes: dict[str, Any] = {} if is_finished else {"finish_reason": "length"}
        window = _window_seconds(self._ears)
        samples, rate_hz = given.audio, given.sample_rate_hz
        if window is not None and samples is not None and rate_hz and len(samples) > window * rate_hz:
            notes["heard_seconds"] = window
        return notes or None


def _chat(processor: Any, prompt: str, system: str | None, *, has_image: bool, has_sound: bool) -> str:
    """The text of a chat template: the picture, the sound, then the question."""
    is_text_only = not hasattr(processor, "tokenizer")  # whose templates take texts, not lists of parts
    parts = [{"type": "image"}] * has_image + [{"type": "audio"}] * has_sound
    content = [*parts, {"type": "text", "text": prompt}]
    messages: list[dict[str, Any]] = [{"role": "user", "content": prompt if is_text_only else content}]
    if system is not None:
        own = system if is_text_only else [{"type": "text", "text": system}]
        messages = [{"role": "system", "content": own}, *messages]
    text: str = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    return text


def _plain(processor: Any, prompt: str, *, has_image: bool, has_sound: bool) -> str:
    """The text of a model without a chat template: a sound's tokens, then as its family documents it.

    **Source:** the model card of Qwen/Qwen2-Audio-7B, for sounds.
    """
    names = ("audio_bos_token", "audio_token", "audio_eos_token")
    sound = "".join(getattr(processor, name, None) or "" for name in names) if has_sound else ""
    if has_image or hasattr(processor, "image_token"):
        return sound + plain_text(processor, prompt, has_image=has_image)
    return sound + prompt


def _chat_template(processor: Any) -> Any:
    return getattr(processor, "chat_template", None)


def _part_of(processor: Any, *names: str) -> Any:
    """The first of the parts that a processor is made of; None if it has none of them."""
    attributes = processor.get_attributes() if hasattr(processor, "get_attributes") else ()
    return next((getattr(processor, name) for name in names if name in attributes), None)


def _window_seconds(ears: Any) -> float | None:
    """How much of a sound is heard at most: what comes later is cut off by the processor."""
    samples = getattr(ears, "n_samples", None) or _WINDOW_SAMPLES.get(type(ears).__name__)
    return None if samples is None else float(samples / ears.sampling_rate)


def _model_class(folder: Path) -> Any:
    """The class that loads a folder's model: for pictures and sounds where its type is one of these."""
    import transformers
    from transformers.models.auto import modeling_auto

    config, _ = transformers.PreTrainedConfig.get_config_dict(folder, local_files_only=True)
    kind = config.get("model_type")
    if kind in _THINKERS:
        return getattr(transformers, _THINKERS[kind])
    if kind in modeling_auto.MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES:
        return transformers.AutoModelForMultimodalLM
    if kind in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return transformers.AutoModelForCausalLM
    raise InputError(
        f"{folder}: model_type {kind!r} is none that transformers {transformers.__version__} can ask for text"
    )


def _weighted(kind: Any, folder: Path, dtype: Any) -> Any:
    """The model with its weights, all of which must be there: transformers draws those that are missing."""
    try:
        model, report = kind.from_pretrained(
            folder,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise InputError(f"{folder}: is not a model that transformers can load here: {error}") from None
    if missing := sorted(report["missing_keys"]):
        raise InputError(
            f"{folder}: lacks {len(missing)} weights of {type(model).__name__}, such as {missing[0]}, and "
            "would answer at random; give a complete checkpoint"
        )
    return model


def _tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise InputError(f"{folder}: has no tokenizer that can be loaded: {error}") from None


def _device(name: str) -> "torch.device":
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):  # torch has no one error for it
        raise InputError(f"device {name}: this machine has no such device; write auto, or cpu") from None
    return device


def _dtype(name: str) -> Any:
    import torch

    if name not in DTYPES:
        raise InputError(f"dtype {name!r}: is none; choose from {', '.join(DTYPES)}")
    return name if name == "auto" else getattr(torch, name)


def _quiet_unless_terminal() -> None:
    """Turn off the progress bars of transformers unless stderr is a terminal, as with our own."""
    from transformers.utils import logging

    if not sys.stderr.isatty():
        logging.disable_progress_bar()
