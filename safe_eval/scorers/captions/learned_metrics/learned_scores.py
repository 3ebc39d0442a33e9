"""Learned metrics: what pretrained models say about captions, where a user names the models."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jaxtyping import Float
from numpy import ndarray

from safe_eval.options import CaptionModels
from safe_eval.scorers.captions.learned_metrics.fluency import fluency_errors, open_fluency, penalised
from safe_eval.scorers.captions.learned_metrics.sentence_bert import open_sentence_bert, sbert_sim
from safe_eval.scorers.captions.learned_metrics.text_model import TextModel

if TYPE_CHECKING:
    from safe_eval.scorers.captions.learned_metrics.clap_similarity import Sounds

SBERT, ERROR, FENSE = "sbert_sim", "fluency_error", "fense"
CLAP, CLAP_REFERENCES = "clap_sim", "clap_reference_sim"
LOWEST = dict.fromkeys((SBERT, FENSE, CLAP, CLAP_REFERENCES), -1.0)  # cosines
_NO_SBERT = (
    "sentence-BERT similarity is not measured: give a model with --sbert, such as "
    "sentence-transformers/paraphrase-TinyBERT-L6-v2"
)
_NO_FLUENCY = "fluency errors are not measured: give FENSE's detector of them with --fluency"
_NO_CLAP = "CLAP similarity is not measured: give the CLAP of the dataset with --clap"
_NO_SOUNDS = "similarity to the sound is not measured: give the dataset with the sounds with --sounds"

Items = Float[ndarray, " captions"]


@dataclass(frozen=True)
class OpenModels:
    """The models that a user named, loaded, and the hash and source of each by its option."""

    sbert: TextModel | None = None
    fluency: TextModel | None = None
    clap: TextModel | None = None
    sounds: "Sounds | None" = None

    @property
    def sources(self) -> dict[str, tuple[str, str]]:
        """The path or id, and the hash, of each model that is there."""
        named = {"sbert": self.sbert, "fluency": self.fluency, "clap": self.clap}
        found = {name: (model.source, model.sha256) for name, model in named.items() if model is not None}
        if self.sounds is not None:
            found["sounds"] = (str(self.sounds.root), self.sounds.sha256)
        return found


NO_MODELS = OpenModels()


def open_models(named: CaptionModels) -> OpenModels:
    """Load the models that a user named; torch is loaded only if there is one.

    Raises:
        InputError: a model cannot be loaded, or the sounds were embedded by another CLAP.
    """
    clap, sounds = named.clap, None
    if named.sounds is not None or clap is not None:
        from safe_eval.scorers.captions.learned_metrics.clap_similarity import open_clap, open_sounds

        if named.sounds is not None:
            clap, sounds = open_sounds(named.sounds, clap)
    return OpenModels(
        sbert=None if named.sbert is None else open_sentence_bert(named.sbert),
        fluency=None if named.fluency is None else open_fluency(named.fluency),
        clap=None if clap is None else open_clap(clap),
        sounds=sounds,
    )


def learned_scores(
    captions: Sequence[str],
    references: Sequence[Sequence[str]],
    records: Sequence[str | None],
    models: OpenModels,
) -> tuple[dict[str, Items], dict[str, str]]:
    """The scores of captions by each model that is there, and why the others give none.

    Each caption has its references, and the id of the record whose sound it describes.
    """
    items: dict[str, Items] = {}
    why_not: dict[str, str] = {}
    if models.sbert is None:
        why_not[SBERT] = _NO_SBERT
    else:
        items[SBERT] = sbert_sim(captions, references, models.sbert)
    if models.fluency is None:
        why_not[ERROR] = _NO_FLUENCY
    else:
        items[ERROR] = fluency_errors(captions, models.fluency)
    if SBERT in items and ERROR in items:
        items[FENSE] = penalised(items[SBERT], items[ERROR])
    else:
        why_not[FENSE] = f"FENSE needs both. {'; '.join(why_not.values())}"
    if models.clap is None:
        why_not |= {CLAP: f"It needs CLAP. {_NO_CLAP}", CLAP_REFERENCES: _NO_CLAP}
        return items, why_not
    from safe_eval.scorers.captions.learned_metrics.clap_similarity import to_references, to_sounds

    items[CLAP_REFERENCES] = to_references(captions, references, models.clap)
    if models.sounds is None:
        return items, why_not | {CLAP: _NO_SOUNDS}
    heard = models.sounds.embeddings(records)
    if isinstance(heard, str):
        return items, why_not | {CLAP: f"similarity to the sound is not measured: {heard}"}
    items[CLAP] = to_sounds(captions, heard, models.clap)
    return items, why_not
