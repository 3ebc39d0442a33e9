"""Explainers of models in memory, quick enough for tests."""

from tiny_models import SHORT

from safe_data.shards.dataset import ShardDataset
from safe_train.base.backbone import Backbone
from safe_train.explain.embedded import Embedder
from safe_train.explain.explained import Explainer
from safe_train.explain.parts import SEGMENTS, Parting
from safe_train.pathway.model import SafeModel
from safe_train.predict.sounds import Sounds
from safe_train.settings.explain import ExplainConfig

SETTINGS = ExplainConfig(steps=4, segments=4, orders=3, batch_size=32)


def explainer_of(
    model: SafeModel, backbone: Backbone, dataset: ShardDataset, sounds: Sounds, parts: Parting | None = None
) -> Explainer:
    for weight in model.parameters():
        weight.requires_grad_(False)
    embedder = Embedder(model, backbone, SHORT, tokens=4, rows=16)
    return Explainer(embedder, dataset, sounds, parts or Parting(SEGMENTS, 4), SHORT, SETTINGS)
