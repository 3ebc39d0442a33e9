"""Processors: load what a family needs for pictures and text, and know how its prompts differ.

A processor is put together here from its image processor (the variant that needs only Pillow, so that pixels
are the same on every machine), its tokenizer and its chat template. Its video processor is left out: that
needs torchvision. One family's quirk is one function; the tables at the end say which family has which.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from safe_data.core.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

# Where the class of a processor may be named, in the order of transformers.
_NAMED_IN = (
    "processor_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "tokenizer_config.json",
)
_LOADED = ("image_processor", "tokenizer", "feature_extractor", "video_processor")


def load_processor(folder: Path) -> Any:
    """Load the processor of a model's directory, without the part that processes videos.

    Raises:
        InputError: a file is missing or damaged, or the processor needs a package that is not there.
    """
    try:
        made = _processor_class(folder)
        if not set(made.get_attributes()) <= set(_LOADED):
            return made.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        settings, _ = made.get_processor_dict(folder, local_files_only=True)
        parts = [_part(name, folder) for name in made.get_attributes()]
        with _MAKING.get(made.__name__, nullcontext)():
            processor = _without_videos(made).from_args_and_dict(parts, settings)
        if made.__name__ in _COMPLETING:
            _COMPLETING[made.__name__](processor, folder, settings)
    except ImportError as error:
        raise InputError(
            f"{folder}: is not a vision-language model that can be loaded here: its processor needs a "
            f"package that is not installed: {_first_line(error)}; install it; torchvision must be the "
            "version that belongs to the installed torch"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{folder}: is not a vision-language model that can be loaded: its processor: "
            f"{_first_line(error)}; expected preprocessor_config.json or processor_config.json, "
            "tokenizer.json and tokenizer_config.json beside config.json; download the whole repository"
        ) from None
    except RuntimeError as error:
        if "torchvision" not in str(error):
            raise
        raise InputError(
            f"{folder}: its processor cannot be loaded beside the installed torchvision, which belongs to "
            f"another torch: {_first_line(error)}; remove it, SAFE needs none, or install the one that "
            "belongs to the installed torch"
        ) from None
    return processor


def plain_text(processor: Any, prompt: str, *, has_image: bool) -> str:
    """The text that asks a question where the processor has no chat template: as the family documents it."""
    form = _FORMS.get(type(processor).__name__)
    if form is not None:
        return form(processor, prompt, has_image)
    return f"{processor.image_token}\n{prompt}" if has_image else prompt


def picture_token(processor: Any) -> str:
    """What stands for a picture in a text; nothing where the processor itself puts the picture before it."""
    return "" if type(processor).__name__ == "Blip2Processor" else str(processor.image_token)


def process(
    processor: Any, text: str, image: "Image | None", sound: Mapping[str, Any] | None = None
) -> Mapping[str, Any]:
    """Call a processor for one prompt and its media, as a batch of one, with one BOS at most."""
    name = type(processor).__name__
    # A chat template that writes a BOS and a tokenizer that adds one would ask the base wrongly.
    has_begin = name in _WRITE_BEGIN or begins(processor, text)
    options = {**(sound or {}), **({"add_special_tokens": False} if has_begin else {})}
    call = _CALLS.get(name, _call)
    return call(processor, text, image, options)


def begins(processor: Any, text: str) -> bool:
    """Whether a text already begins with the BOS token, perhaps behind a picture's token."""
    begin = getattr(processor, "tokenizer", processor).bos_token
    image = getattr(processor, "image_token", None)
    rest = text.lstrip()
    while isinstance(image, str) and image and rest.startswith(image):
        rest = rest.removeprefix(image).lstrip()
    return bool(begin) and rest.startswith(begin)


def answer_type(processor: Any) -> int:
    """What `token_type_ids` says of an answer's tokens.

    PaliGemma reads the tokens of type 0 in both directions, so an answer of type 0 would see its own end. For
    the others, 0 is text and 1 a picture.
    """
    return 1 if type(processor).__name__ == "PaliGemmaProcessor" else 0


def pictures_apart(processor: Any) -> bool:
    """Whether questions with a picture and without one must be asked in different batches.

    Mllama gives a row without a picture a blank one beside rows that have one, and its cross-attention adds
    what it sees there: such a row would not say what it says alone.
    """
    return type(processor).__name__ == "MllamaProcessor"


def _processor_class(folder: Path) -> Any:
    """The class that the files name, or else the class of the model's family."""
    import transformers
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES

    named = [_json(folder / file).get("processor_class") for file in _NAMED_IN]
    family = _json(folder / "config.json").get("model_type")
    name = next((one for one in (*named, PROCESSOR_MAPPING_NAMES.get(family)) if one), None)
    made = getattr(transformers, str(name), None)
    if not (isinstance(made, type) and issubclass(made, transformers.ProcessorMixin)):
        raise ValueError(
            f"{name!r}, for the model type {family!r}, is no processor of transformers "
            f"{transformers.__version__}"
        )
    return made


def _part(name: str, folder: Path) -> Any:
    """One of the objects that a processor is made of."""
    from transformers import AutoFeatureExtractor, AutoImageProcessor, AutoTokenizer

    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    if name == "video_processor":
        return _no_videos(_json(folder / "video_preprocessor_config.json"))
    if name == "image_processor":
        # The same pixels with torchvision and without: its own resizing differs in the last digits.
        return AutoImageProcessor.from_pretrained(folder, backend="pil", **options)
    loader = AutoTokenizer if name == "tokenizer" else AutoFeatureExtractor
    return loader.from_pretrained(folder, **options)


def _no_videos(settings: dict[str, Any]) -> Any:
    """What stands in the place of a video processor: its settings alone."""
    from transformers.utils import PushToHubMixin

    class NoVideos(PushToHubMixin):  # type: ignore[misc]  # what a processor saves is one
        """Keeps the settings of a video processor, so that they are saved with the processor again."""

        _auto_class = None
        num_frames = fps = None  # SmolVLM's chat template asks for them

        def to_dict(self) -> dict[str, Any]:
            return dict(settings)

    return NoVideos()


def _without_videos(made: Any) -> Any:
    """A processor's class, which accepts a stand-in in the place of its video processor."""
    if "video_processor" not in made.get_attributes():
        return made

    class Pictures(made):  # type: ignore[misc]
        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            if argument_name == "video_processor":
                return type(argument)
            return super().check_argument_for_proper_class(argument_name, argument)

    Pictures.__name__ = Pictures.__qualname__ = made.__name__  # it is saved, and tells the family
    return Pictures


@contextmanager
def _without_number_words() -> Iterator[None]:
    """SmolVLM's processor refuses to be made without num2words, which it needs only to describe videos."""
    from transformers.models.smolvlm import processing_smolvlm

    installed = processing_smolvlm.num2words
    processing_smolvlm.num2words = installed or str
    try:
        yield
    finally:
        processing_smolvlm.num2words = installed


def _complete_llava(processor: Any, folder: Path, settings: Mapping[str, Any]) -> None:
    """Early LLaVA repositories do not say how many tokens a picture becomes; the model's config does."""
    config = _config(folder)
    if processor.patch_size is None:
        processor.patch_size = config.vision_config.patch_size
    if processor.vision_feature_select_strategy is None:
        processor.vision_feature_select_strategy = config.vision_feature_select_strategy
    if "num_additional_image_tokens" not in settings:
        # CLIP puts a token before those of the patches; SigLIP does not.
        processor.num_additional_image_tokens = int(config.vision_config.model_type == "clip_vision_model")


def _complete_blip2(processor: Any, folder: Path, _: Mapping[str, Any]) -> None:
    """Early BLIP-2 repositories do not say how many tokens a picture becomes: the model would see nothing."""
    if processor.num_query_tokens is None:
        processor.num_query_tokens = _config(folder).num_query_tokens


def _llava_form(processor: Any, prompt: str, has_image: bool) -> str:
    """**Source:** the model card of llava-hf/llava-1.5-7b-hf."""
    return (
        f"USER: {processor.image_token}\n{prompt} ASSISTANT:" if has_image else f"USER: {prompt} ASSISTANT:"
    )


def _blip2_form(_: Any, prompt: str, _has_image: bool) -> str:
    """The processor adds the tokens of the picture itself.

    **Source:** the model card of Salesforce/blip2-opt-2.7b.
    """
    return f"Question: {prompt} Answer:"


def _paligemma_form(processor: Any, prompt: str, has_image: bool) -> str:
    """The processor adds the BOS behind the picture and a line's end behind the question.

    **Source:** the model card of google/paligemma-3b-mix-224, task `answer`.
    """
    return f"{processor.image_token if has_image else ''}answer en {prompt}"


def _mllama_form(processor: Any, prompt: str, has_image: bool) -> str:
    """**Source:** the model card of meta-llama/Llama-3.2-11B-Vision, a base model."""
    return f"{processor.image_token if has_image else ''}{processor.bos_token}{prompt}"


def _call(processor: Any, text: str, image: "Image | None", options: Mapping[str, Any]) -> Mapping[str, Any]:
    pictures = {} if image is None else {"images": [image]}
    encoded: Mapping[str, Any] = processor(text=[text], **pictures, **options, return_tensors="pt")
    return encoded


def _call_paligemma(
    processor: Any, text: str, image: "Image | None", options: Mapping[str, Any]
) -> Mapping[str, Any]:
    """PaliGemma's processor refuses a prompt without a picture; its model answers one.

    A BOS that the text has is left out: the processor writes one behind the picture, whatever the text has.
    """
    import torch

    tokenizer = processor.tokenizer
    text = re.sub(rf"{re.escape(tokenizer.bos_token)}\s*", "", text)
    if image is None:
        words = tokenizer([f"{tokenizer.bos_token}{text}\n"], **options, return_tensors="pt")
        return {**words, "token_type_ids": torch.zeros_like(words["input_ids"])}
    # It copies tensors in a way that NumPy warns of, so it is given none.
    encoded: Mapping[str, Any] = processor(text=[text], images=[image], **options).convert_to_tensors("pt")
    return encoded


def _call_blip2(
    processor: Any, text: str, image: "Image | None", options: Mapping[str, Any]
) -> Mapping[str, Any]:
    """BLIP-2 always looks at pictures: its prompts without one have a stack of none."""
    import torch

    encoded = _call(processor, text, image, options)
    if image is not None:
        return encoded
    size = processor.image_processor.size
    return {**encoded, "pixel_values": torch.empty(0, 3, size["height"], size["width"])}


# What is different about a family, by the class of its processor.
_MAKING = {"SmolVLMProcessor": _without_number_words}
_COMPLETING: dict[str, Callable[[Any, Path, Mapping[str, Any]], None]] = {
    "LlavaProcessor": _complete_llava,
    "LlavaNextProcessor": _complete_llava,
    "Blip2Processor": _complete_blip2,
}
_FORMS: dict[str, Callable[[Any, str, bool], str]] = {
    "LlavaProcessor": _llava_form,
    "Blip2Processor": _blip2_form,
    "PaliGemmaProcessor": _paligemma_form,
    "MllamaProcessor": _mllama_form,
}
_CALLS: dict[str, Callable[[Any, str, "Image | None", Mapping[str, Any]], Mapping[str, Any]]] = {
    "PaliGemmaProcessor": _call_paligemma,
    "Blip2Processor": _call_blip2,
}
_WRITE_BEGIN = ("PaliGemmaProcessor", "MllamaProcessor")  # they write the BOS where the text has none


def _config(folder: Path) -> Any:
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def _json(file: Path) -> dict[str, Any]:
    """The content of a file of a checkpoint; nothing, where there is none."""
    if not file.is_file():
        return {}
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise ValueError(f"{file.name} is no JSON object: {error}") from None


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
