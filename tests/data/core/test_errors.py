"""A missing extra is one line: the missing packages, and the command that installs them."""

import sys

import pytest

from safe_data.core.errors import InputError, require_extra


def test_one_missing_module_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError) as raised:
        require_extra("the ray engine", "ray", "json", "ray")
    assert str(raised.value) == (
        "the ray engine needs ray, which is not installed; "
        "run pip install '.[ray]' in the SAFE project folder"
    )


def test_several_missing_modules_stand_in_one_line() -> None:
    with pytest.raises(InputError, match=r"^the demo needs no_such_a, no_such_b, which are not installed; "):
        require_extra("the demo", "train,gx,report", "no_such_a", "no_such_b")


def test_what_is_installed_is_not_asked_for() -> None:
    require_extra("the demo", "train", "json", "numpy")
