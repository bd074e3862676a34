"""How sure a mean AP is: bootstrap over videos, the unit in which annotations and errors are correlated.

Detections are matched once. A resample draws as many videos as there are, with repetition; a video drawn twice counts
twice, with its truths and its detections. Legend: V videos, C classes, R resamples, M detections of a class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.lib.metrics.ap import weighted_average_precision
from stages.lib.metrics.ava import Matches, Result, mean_of_defined

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean AP (or difference of two) with its 95 % percentile interval, its standard error and the resamples."""

    value: float
    low: float
    high: float
    error: float
    resamples: Floats

    @property
    def above_zero(self) -> float:
        """Share of resamples above zero; for a difference, how often the first model was the better one.

        Resamples without a value are left out; NaN where none has one.
        """
        defined = self._defined()
        return float((defined > 0).mean()) if len(defined) else float("nan")

    @property
    def p_value(self) -> float:
        """Two-sided p-value of "it is zero": twice the smaller tail, (1 + its resamples) / (1 + all of them), at most 1.

        It is the level at which the percentile interval begins to hold zero (Efron & Tibshirani, An Introduction to the
        Bootstrap, 1993); the ones keep it above zero (Davison & Hinkley, Bootstrap Methods and their Application, 1997,
        chapter 4).
        """
        defined = self._defined()
        tail = min(int((defined <= 0).sum()), int((defined >= 0).sum()))
        return min(1.0, 2 * (tail + 1) / (len(defined) + 1))

    def _defined(self) -> Floats:
        return self.resamples[~np.isnan(self.resamples)]


def bootstrap(result: Result, n_resamples: int = 1000, seed: int = 0) -> Interval:
    """95 % interval of the mean AP over resampled videos; seeded."""
    videos = videos_with_data([result])
    weights_RV = draw_videos(len(videos), n_resamples, seed)
    return interval_of(result.mean_ap, _resampled(result, videos, weights_RV))


def paired_bootstrap(first: Result, second: Result, n_resamples: int = 1000, seed: int = 0) -> Interval:
    """95 % interval of the first mean AP minus the second on the same resamples, for two models on one truth."""
    videos = videos_with_data([first, second])
    weights_RV = draw_videos(len(videos), n_resamples, seed)
    difference = _resampled(first, videos, weights_RV) - _resampled(second, videos, weights_RV)
    return interval_of(first.mean_ap - second.mean_ap, difference)


def videos_with_data(results: Sequence[Result]) -> tuple[str, ...]:
    """Names of the videos in which some result has a truth or a detection that counts, sorted."""
    names: set[str] = set()
    for result in results:
        matches = result.matches
        seen = np.union1d(matches.truth_video, matches.video)
        names.update(matches.videos[v] for v in seen)
    return tuple(sorted(names))


def draw_videos(n_videos: int, n_resamples: int, seed: int) -> Floats:
    """How often each video stands in each resample, (R, V)."""
    rng = np.random.default_rng(seed)
    if n_videos == 0:
        return np.zeros((n_resamples, 0))
    drawn = rng.integers(0, n_videos, size=(n_resamples, n_videos), dtype=np.int32)
    return np.stack([np.bincount(row, minlength=n_videos) for row in drawn]).astype(np.float64)


def _resampled(result: Result, videos: Sequence[str], weights_RV: Floats) -> Floats:
    """Mean AP of every resample (R,); classes without a truth in a resample are left out of its mean."""
    return np.array([mean_of_defined(row) for row in resampled_ap(result, videos, weights_RV)])


def resampled_ap(result: Result, videos: Sequence[str], weights_RV: Floats) -> Floats:
    """AP of every class in every resample (R,C), whose row says how often each of `videos` stands in it; NaN without truth."""
    matches = result.matches
    place = {name: position for position, name in enumerate(videos)}
    column = np.array([place.get(name, -1) for name in matches.videos], dtype=np.int64)
    ap_RC = np.full((len(weights_RV), len(result.class_ids)), np.nan)
    for c in np.flatnonzero(result.truths):
        hits, video_M = _until_last_hit(matches, int(c), column)
        truth_count_V = np.bincount(
            column[matches.truth_video[matches.truth_class == c]], minlength=len(videos)
        )
        truths_R = weights_RV @ truth_count_V
        for r, weights_V in enumerate(weights_RV):
            ap_RC[r, c] = weighted_average_precision(hits, weights_V[video_M], float(truths_R[r]))
    return ap_RC


def _until_last_hit(
    matches: Matches, c: int, column: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Hits and video columns of a class up to its last hit; what ranks behind it changes no AP."""
    rows = matches.of_class(c)
    hits = matches.hit[rows]
    end = int(np.flatnonzero(hits)[-1]) + 1 if hits.any() else 0
    return hits[:end], column[matches.video[rows][:end]]


def interval_of(value: float, resamples: Floats) -> Interval:
    """A value with the percentile interval of its resamples; those that are NaN are left out."""
    defined = resamples[~np.isnan(resamples)]
    if not len(defined):
        return Interval(value, float("nan"), float("nan"), float("nan"), resamples)
    low, high = np.percentile(defined, [2.5, 97.5])
    return Interval(
        value, float(low), float(high), float(defined.std(ddof=1)) if len(defined) > 1 else 0.0, resamples
    )
