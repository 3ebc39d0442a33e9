"""A folder is made once, and again where what it was made of, or what is in it, has changed."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from safe_data.core.errors import InputError
from safe_train.real import made
from safe_train.real.made import MADE, Facts, make_once, read_made

OF = {"wheel": "aa", "seed": "0"}


class Recipe:
    """Makes two files that differ each time, and counts how often it was asked."""

    def __init__(self, fails: bool = False) -> None:
        self.times, self.fails = 0, fails

    def __call__(self, folder: Path) -> Facts:
        assert list(folder.iterdir()) == []
        self.times += 1
        (folder / "below").mkdir()
        (folder / "below" / "weights").write_text(f"{self.times}")
        if self.fails:
            raise InputError("no more flour")
        (folder / "words").write_text("some")
        return {"accuracy": self.times / 10}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def recipe(out: Path) -> Recipe:
    """A recipe that made the folder `out` already."""
    make_once(out, OF, made_by := Recipe())
    return made_by


def remake(out: Path, recipe: Recipe, of: Mapping[str, str] = OF) -> int:
    """How often the recipe was asked in all, once the folder is whole again."""
    found = make_once(out, of, recipe)
    assert found == read_made(out)
    assert found.facts == {"accuracy": recipe.times / 10}
    assert (out / "below" / "weights").read_text() == f"{recipe.times}"
    assert sorted(path.name for path in out.iterdir()) == ["below", MADE, "words"]
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    return recipe.times


def test_it_is_made_once_and_says_of_what(out: Path, recipe: Recipe) -> None:
    assert remake(out, recipe) == 1
    found = read_made(out)
    assert found is not None
    assert found.of == OF
    assert set(found.files_sha256) == {"below/weights", "words"}
    assert set(found.versions) >= {"torch", "transformers"}


def test_it_is_made_again_of_other_things(out: Path, recipe: Recipe) -> None:
    assert remake(out, recipe, OF | {"wheel": "bb"}) == 2
    assert remake(out, recipe, {"wheel": "bb"}) == 3
    assert remake(out, recipe, {"wheel": "bb"}) == 3


def test_it_is_made_again_if_a_file_changed_or_went(out: Path, recipe: Recipe) -> None:
    (out / "words").write_text("none")
    assert remake(out, recipe) == 2
    (out / "below" / "weights").unlink()
    assert remake(out, recipe) == 3
    shutil.rmtree(out)
    assert remake(out, recipe) == 4
    assert remake(out, recipe) == 4


def test_it_is_made_again_by_other_libraries(
    out: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made, "installed_versions", lambda names: dict.fromkeys(names, "0.0"))
    assert remake(out, recipe) == 2
    assert remake(out, recipe) == 2


@pytest.mark.parametrize("content", [None, b"{}", b"not json", b'{"of": {}}', b"\xff\xfe"])
def test_a_folder_of_something_else_is_refused_and_kept(
    out: Path, content: bytes | None, recipe: Recipe
) -> None:
    shutil.rmtree(out)
    out.mkdir()
    (out / "thesis").write_text("mine")
    if content is not None:
        (out / MADE).write_bytes(content)
    with pytest.raises(InputError, match=r"out: holds something else, and no made\.json"):
        make_once(out, OF, recipe)
    assert recipe.times == 1
    assert (out / "thesis").read_text() == "mine"


def test_what_fails_leaves_no_folder_or_the_one_that_was_there(out: Path) -> None:
    with pytest.raises(InputError, match="no more flour"):
        make_once(out, OF, Recipe(fails=True))
    assert list(out.parent.iterdir()) == []
    make_once(out, OF, Recipe())
    with pytest.raises(InputError, match="no more flour"):
        make_once(out, OF | {"seed": "1"}, Recipe(fails=True))
    assert remake(out, recipe := Recipe(), OF | {"seed": "1"}) == recipe.times == 1
