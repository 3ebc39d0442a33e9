"""The toy's words: a token for every word of a world."""

from pathlib import Path

from safe_data.records import Record
from safe_train.toy.words import UNKNOWN, make_processor


def test_the_tokenizer_knows_every_word_of_a_world(world: tuple[Path, list[Record]]) -> None:
    tokenizer = make_processor().tokenizer
    unknown = tokenizer.convert_tokens_to_ids(UNKNOWN)
    for record in world[1]:
        for example in record.examples:
            for text in (example.prompt, *example.references, *(example.choices or ())):
                ids = tokenizer(text)["input_ids"]
                assert unknown not in ids
                assert tokenizer.decode(ids) == text
    assert tokenizer("what is a gong ?")["input_ids"].count(unknown) == 2
