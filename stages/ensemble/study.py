"""Fits weights where there is truth and says what they are worth on videos that they were not fitted on.

Legend: M members, U boxes of the fit split, C classes, V videos.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stages.ensemble.core import mixture
from stages.ensemble.search import greedy_weights, least_squares_weights
from stages.ensemble.weights import Weights, fit_weights
from stages.lib.config.ensemble import EnsembleConfig
from stages.lib.metrics.ava import mean_of_defined
from stages.lib.metrics.shared_boxes import Ranking, SharedBoxes
from stages.lib.parallel import in_threads

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Scores = NDArray[np.floating]


@dataclass(frozen=True)
class HeldOut:
    """Mean APs on the two halves of the videos, of weights fitted on the same half and of those fitted on the other.

    `best_member` is the member that was best on the one half, measured on the other. Tuples run over the measured halves.
    """

    videos: tuple[int, int]
    in_sample: tuple[float, float]
    held_out: tuple[float, float]
    best_member: tuple[float, float]
    uniform: tuple[float, float]

    @property
    def optimism(self) -> float:
        """Mean AP of weights on the half they were fitted on minus that of weights from the other half, both ways."""
        return float(np.mean(self.in_sample) - np.mean(self.held_out))


@dataclass(frozen=True)
class FitData:
    """Members' probabilities (U, C) of the boxes of the fit split, and these boxes' places in the truth.

    `alone` ranks each member on its own boxes, where these are not the common ones.
    """

    boxes: SharedBoxes
    scores: Sequence[Scores]
    alone: Sequence[Ranking] = ()

    @cached_property
    def rankings(self) -> list[Ranking]:
        """Each member alone."""
        if self.alone:
            same = [np.array_equal(one.truth_video, self.boxes.truth_video) for one in self.alone]
            assert all(same), "halves are masks over one list of videos"
            return list(self.alone)
        return list(in_threads(self.boxes.rank, self.scores))

    def ap(self, videos_V: Bools | None = None) -> Floats:
        """AP (M, C) of the members, on all videos or the chosen ones; NaN without truth."""
        return np.array([ranking.ap(videos_V) for ranking in self.rankings])

    def fit(self, cfg: EnsembleConfig, videos_V: Bools | None = None) -> Weights:
        """Weights from all videos or the chosen ones, by the configured rule."""
        ap = self.ap(videos_V)
        if cfg.weights in ("greedy", "least-squares"):
            return fit_weights(ap, self.boxes.class_ids, cfg, self._searched(ap, cfg, videos_V))
        return fit_weights(ap, self.boxes.class_ids, cfg)

    def _searched(self, ap_MC: Floats, cfg: EnsembleConfig, videos_V: Bools | None) -> Floats:
        """Weights (M, C) of a search; classes for which there is nothing to search with stay at zero."""
        everywhere = np.ones(len(self.boxes.videos), dtype=bool)
        chosen = everywhere if videos_V is None else videos_V
        rows = np.flatnonzero(chosen[self.boxes.video])
        counting = [self.boxes.counting(scores) for scores in self.scores]
        truths = np.bincount(
            self.boxes.truth_class[chosen[self.boxes.truth_video]], minlength=len(self.boxes.class_ids)
        )

        def search(c: int) -> Floats:
            scores_MB = np.stack([scores[rows, c] for scores in counting])
            target = self.boxes.targets(c)[rows]
            if cfg.weights == "greedy":
                return greedy_weights(scores_MB, target, int(truths[c]), cfg.rounds)[0]
            return least_squares_weights(scores_MB, target >= 0)

        weights = np.zeros_like(ap_MC)
        worth_it = np.flatnonzero(np.nan_to_num(ap_MC).max(axis=0) > 0).tolist()
        for c, column in zip(worth_it, in_threads(search, worth_it), strict=True):
            weights[:, c] = column
        return weights

    def held_out(self, cfg: EnsembleConfig, halves: tuple[Bools, Bools]) -> tuple[HeldOut, list[float]]:
        """Weights fitted on either half and measured on both, and what each member is worth to the held-out ones.

        A member's worth is the held-out mean AP minus that without it, its weight shared among the others in proportion
        to theirs; none is measured for a single member or where the configuration says so.
        """
        one, other = halves
        fitted = [self.fit(cfg, half).values for half in halves]
        uniform = np.full_like(fitted[0], 1.0 / len(self.scores))

        def means(weights: Sequence[Floats]) -> tuple[float, float]:
            return _means(self._by_half(weights, one), halves)

        in_sample, held, even = in_threads(means, (fitted, fitted[::-1], [uniform, uniform]))
        known = HeldOut(
            videos=(int(one.sum()), int(other.sum())),
            in_sample=in_sample,
            held_out=held,
            best_member=self._best_of_the_other(halves),
            uniform=even,
        )
        if len(self.scores) < 2 or not cfg.leave_one_out:
            return known, []

        def mean_without(m: int) -> float:
            return float(np.mean(means([without(weights, m) for weights in fitted[::-1]])))

        rest = in_threads(mean_without, range(len(self.scores)))
        return known, [float(np.mean(held)) - mean for mean in rest]

    def _by_half(self, weights: Sequence[Floats], one_V: Bools) -> Ranking:
        """Ranking of the mixture with the first weights in the videos of `one_V` and the second in the others."""
        inside = np.zeros(self.boxes.n_boxes, dtype=bool)
        inside[self.boxes.rows] = one_V[self.boxes.video]
        mixed = np.empty(self.scores[0].shape, dtype=np.float32)
        for values, half in zip(weights, (inside, ~inside), strict=True):
            mixed[half] = mixture(self.scores, values, np.flatnonzero(half))
        return self.boxes.rank(mixed)

    def _best_of_the_other(self, halves: tuple[Bools, Bools]) -> tuple[float, float]:
        """Mean AP on each half of the member that is best on the other."""
        means = np.array([_means(ranking, halves) for ranking in self.rankings])
        first, second = np.argmax(np.nan_to_num(means[:, ::-1]), axis=0)
        return float(means[first, 0]), float(means[second, 1])


def without(weights_MC: Floats, member: int) -> Floats:
    """Weights with one member at zero and the others scaled to sum 1; even ones where it had all the weight."""
    others = np.arange(len(weights_MC)) != member
    rest = np.zeros_like(weights_MC)
    rest[others] = renormalised(weights_MC[others])
    return rest


def renormalised(weights_MC: Floats) -> Floats:
    """Weights of some members scaled to sum 1 in each class; even ones where none has any."""
    total = weights_MC.sum(axis=0)
    return np.where(total > 0, weights_MC / np.where(total > 0, total, 1.0), 1.0 / len(weights_MC))


def halves_of(videos: Sequence[str], dataset_of: Mapping[str, str]) -> tuple[Bools, Bools] | None:
    """Masks (V,) of two halves of the videos that have a data set: every other one of each, in the order of their sha256.

    None where there are not two videos to share out.
    """
    numbers = [v for v, video in enumerate(videos) if video in dataset_of]
    if len(numbers) < 2:
        return None
    numbers.sort(key=lambda v: (dataset_of[videos[v]], hashlib.sha256(videos[v].encode()).hexdigest()))
    one, other = np.zeros((2, len(videos)), dtype=bool)
    one[numbers[::2]] = True
    other[numbers[1::2]] = True
    return one, other


def _means(ranking: Ranking, halves: tuple[Bools, Bools]) -> tuple[float, float]:
    return mean_of_defined(ranking.ap(halves[0])), mean_of_defined(ranking.ap(halves[1]))
