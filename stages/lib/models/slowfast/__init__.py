"""The SlowFast family: numbers, layers, network, classifier, inference form."""

from stages.lib.models.slowfast.arch import ARCHS, PathwayArch, SlowFastArch, find_arch
from stages.lib.models.slowfast.classifier import SlowFastClassifier, initialise_backbone
from stages.lib.models.slowfast.folding import fold_conv_bn, for_inference
from stages.lib.models.slowfast.indices import SlowRule, slow_indices, split_pathways
from stages.lib.models.slowfast.network import SlowFast, context_maps

__all__ = [
    "ARCHS",
    "PathwayArch",
    "SlowFast",
    "SlowFastArch",
    "SlowFastClassifier",
    "SlowRule",
    "context_maps",
    "find_arch",
    "fold_conv_bn",
    "for_inference",
    "initialise_backbone",
    "slow_indices",
    "split_pathways",
]
