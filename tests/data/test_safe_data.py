"""The public face of safe_data: these names, loaded when they are used; every command has its function."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import safe_data
from safe_data.cli import COMMANDS

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "synth": safe_data.write_world,
    "build": safe_data.build_dataset,
    "add-encoder": safe_data.add_encoder,
    "info": safe_data.read_info,
    "audit": safe_data.audit_datasets,
    "check": safe_data.check,
    "split": safe_data.split,
    "verify": safe_data.verify_dataset,
    "sample": safe_data.write_sample,
}
OTHERS = {"check": safe_data.check_sampling}  # what a command is with one of its options
PLURALS = {"encoder": "encoders", "declare": "declared"}  # options that may be given several times
# When to exit with 1, what to print, and how; and options that a function takes one by one.
ONLY_TYPED = {"max_reject_rate", "format", "rejected", "croissant", "rules", "by"}


def test_the_face_is_these_names() -> None:
    assert safe_data.__all__ == [
        "Audio",
        "AudioEncoder",
        "Curriculum",
        "Event",
        "Example",
        "Info",
        "InputError",
        "MediaError",
        "Mixture",
        "Order",
        "Progress",
        "Record",
        "Rejected",
        "Rejects",
        "ShardDataset",
        "Sound",
        "Summary",
        "Verified",
        "add_encoder",
        "audit_datasets",
        "build_dataset",
        "check",
        "check_sampling",
        "croissant",
        "decode_audio",
        "decode_image",
        "load_encoder",
        "read_info",
        "read_rejected",
        "read_stages",
        "split",
        "to_webdataset",
        "verify_dataset",
        "video_frames",
        "write_sample",
        "write_world",
    ]
    assert dir(safe_data) == safe_data.__all__


@pytest.mark.parametrize("name", safe_data.__all__)
def test_every_name_can_be_loaded(name: str) -> None:
    assert getattr(safe_data, name).__name__ == name


def test_other_names_do_not_exist() -> None:
    with pytest.raises(AttributeError, match=r"^module 'safe_data' has no attribute 'ShardsDataset'$"):
        safe_data.ShardsDataset  # noqa: B018  the look-up is what is tested


def test_every_command_has_a_function_in_the_face() -> None:
    assert FUNCTIONS.keys() == COMMANDS.keys()
    assert {function.__name__ for function in FUNCTIONS.values()} <= set(safe_data.__all__)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_function_takes_what_its_command_takes(command: str) -> None:
    options = inspect.signature(COMMANDS[command]).parameters.keys() - ONLY_TYPED
    functions = [FUNCTIONS[command], *([OTHERS[command]] if command in OTHERS else [])]
    taken = {name for function in functions for name in inspect.signature(function).parameters}
    if command == "info":
        taken |= inspect.signature(safe_data.read_rejected).parameters.keys()  # `info --rejected`
    assert {name if name in taken else PLURALS.get(name, name) for name in options} <= taken
