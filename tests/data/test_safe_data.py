"""The public face of safe_data: these names, loaded when they are used."""

import pytest

import safe_data


def test_the_face_is_these_names() -> None:
    assert safe_data.__all__ == [
        "Audio",
        "AudioEncoder",
        "Curriculum",
        "Event",
        "Example",
        "InputError",
        "MediaError",
        "Mixture",
        "Order",
        "Progress",
        "Record",
        "Rejected",
        "ShardDataset",
        "Sound",
        "build_dataset",
        "check",
        "decode_audio",
        "decode_image",
        "load_encoder",
        "read_stages",
        "to_webdataset",
        "verify_dataset",
    ]
    assert dir(safe_data) == safe_data.__all__


@pytest.mark.parametrize("name", safe_data.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(safe_data, name).__name__ == name


def test_no_other_name_is() -> None:
    with pytest.raises(AttributeError, match=r"^module 'safe_data' has no attribute 'ShardsDataset'$"):
        safe_data.ShardsDataset  # noqa: B018  the look-up is what is tested
