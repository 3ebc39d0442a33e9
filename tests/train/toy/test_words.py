"""The toy's words: a token for every word of a world."""

from pathlib import Path

from safe_data.records import Record
from safe_data.sources.all_sources import SOURCES
from safe_data.sources.synthetic.world import write_world
from safe_train.toy.words import UNKNOWN, make_processor


def test_the_tokenizer_knows_every_word_of_all_worlds(
    world: tuple[Path, list[Record]], tmp_path: Path
) -> None:
    tokenizer = make_processor("hard").tokenizer
    unknown = tokenizer.convert_tokens_to_ids(UNKNOWN)
    write_world(tmp_path / "hard", clips=60, seed=0, world="hard")
    hard = [record for record in SOURCES["folder"](tmp_path / "hard") if isinstance(record, Record)]
    assert any(not record.events for record in hard)
    for record in [*world[1], *hard]:
        for example in record.examples:
            for text in (example.prompt, *example.references, *(example.choices or ())):
                ids = tokenizer(text)["input_ids"]
                assert unknown not in ids
                assert tokenizer.decode(ids) == text
    assert "SPEECH" not in tokenizer.get_vocab()
    assert tokenizer("what is a gong ?")["input_ids"].count(unknown) == 2


def test_the_toy_of_the_speech_world_knows_its_words_too(tmp_path: Path) -> None:
    tokenizer = make_processor("speech").tokenizer
    unknown = tokenizer.convert_tokens_to_ids(UNKNOWN)
    write_world(tmp_path / "speech", clips=48, seed=0, world="speech", speaker="formants")
    asked = [record for record in SOURCES["folder"](tmp_path / "speech") if isinstance(record, Record)]
    assert len(asked) == 48
    for record in asked:
        for example in record.examples:
            for text in (example.prompt, *example.references, *(example.choices or ())):
                assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
                assert unknown not in tokenizer(text)["input_ids"]
    assert set(make_processor().tokenizer.get_vocab()) < set(tokenizer.get_vocab())
