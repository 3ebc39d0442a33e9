"""All kinds of likeness by name, and which of them are about sounds and pictures, strongest first."""

from collections.abc import Callable

from safe_data.audit.alike import embeddings, exact, pictures, sounds, texts
from safe_data.audit.alike.likeness import Likeness, unavailable
from safe_data.audit.corpus import Corpus
from safe_data.core.errors import words_of

KINDS: dict[str, Callable[[Corpus], Likeness]] = {
    "sound_file": exact.same_sound_files,
    "sound": exact.same_sounds,
    "near_sound": sounds.near_sounds,
    "picture_file": exact.same_picture_files,
    "picture": exact.same_pictures,
    "near_picture": pictures.near_pictures,
    "near_text": texts.near_texts,
    "near_embedding": embeddings.near_embeddings,
}
SOUNDS = ("sound_file", "sound", "near_sound")
PICTURES = ("picture_file", "picture", "near_picture")


def alike(corpus: Corpus, kind: str) -> Likeness:
    """The pairs of a kind, found once; without pairs and with the reason where they cannot be looked for."""
    found = corpus.once(_found)
    if kind not in KINDS:
        return unavailable(kind, f"nothing looks for the likeness {kind!r}")
    if kind not in found:
        try:
            found[kind] = KINDS[kind](corpus)
        except (ValueError, KeyError) as error:
            found[kind] = unavailable(kind, words_of(error))
    return found[kind]


def _found(_: Corpus) -> dict[str, Likeness]:
    return {}
