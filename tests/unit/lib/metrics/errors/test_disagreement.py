"""Flicker, swaps and doubles of a truth: small films, a literal twin, and the real ground truth of Kinetics."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.lib.annotations.ava_csv import read_truth
from stages.lib.annotations.labelmap import AVA_EVALUATED
from stages.lib.metrics.errors.disagreement import WINDOW, examine
from stages.lib.metrics.tables import Truth
from tests.unit.lib.metrics.tables_for_tests import LEFT, RIGHT, truth_of

REAL_TRUTH = Path(__file__).resolve().parents[5].parent / "shared" / "data" / "kinetics_val_v1.0.csv"
CARRY, HOLD, STAND = 17, 28, 12
IDS = (STAND, CARRY, HOLD)


def film(labels: list[set[int]], box: tuple = LEFT, start: int = 902) -> list[tuple]:
    """One person, a set of labels for each second."""
    return [("v", float(start + k), box, c) for k, have in enumerate(labels) for c in sorted(have)]


def test_a_label_that_goes_and_comes_back_flickers() -> None:
    both, only = {STAND, CARRY}, {STAND}
    truth = truth_of(film([both, only, both, both, only, only, only, both]))
    found = examine(truth, IDS)
    assert (found.tracks, found.links) == (1, 7)
    assert found.flicker.numbers().tolist() == [0, 1, 0], "after three seconds without it, it is another time"
    assert found.flicker.steady.tolist() == [7, 1, 0]
    before, after = int(found.flicker.before[0]), int(found.flicker.after[0])
    assert truth.timestamp_ms[[before, after]].tolist() == [902000, 904000]


def test_no_flicker_across_people_or_gaps() -> None:
    rows = film([{CARRY, STAND}, {STAND}]) + film([{CARRY}], RIGHT, 904)
    assert not examine(truth_of(rows), IDS).flicker.numbers().any()
    apart = film([{CARRY}]) + film([{STAND}], start=904) + film([{CARRY}], start=906)
    assert examine(truth_of(apart), IDS).links == 0


def test_a_person_id_links_and_parts() -> None:
    """Two people who change places: by overlap their labels flicker, by their ids they do not."""
    rows = [("v", 902.0, LEFT, CARRY), ("v", 902.0, RIGHT, STAND), ("v", 903.0, LEFT, STAND)]
    rows += [("v", 903.0, RIGHT, CARRY), ("v", 904.0, LEFT, CARRY), ("v", 904.0, RIGHT, STAND)]
    truth = truth_of(rows)
    assert examine(truth, IDS).flicker.numbers().tolist() == [1, 1, 0]
    named = replace(truth, person_id=np.array([1, 2, 2, 1, 1, 2], np.int32))
    assert examine(named, IDS).links == 0, "the same person, but not at the same place"
    still = replace(truth, person_id=np.array([1, 2, 1, 2, 1, 2], np.int32))
    assert examine(still, IDS).flicker.numbers().tolist() == [1, 1, 0]
    other = replace(truth, person_id=np.array([1, 2, 3, 4, 1, 2], np.int32))
    assert examine(other, IDS).links == 0


def test_classes_used_for_one_thing_stand_above_chance() -> None:
    """Carry and hold alternate with half of the people; others lose or gain other classes with stand."""
    rows = []
    for video in range(8):
        turns = [{CARRY}, {HOLD}, {CARRY}, {HOLD}] if video % 2 else [{STAND}, {STAND}, {CARRY}, {STAND}]
        rows += [(f"v{video}", *row[1:]) for row in film(turns)]
    swaps = examine(truth_of(rows), IDS).swaps
    assert swaps.swaps.tolist() == [[0, 4, 0], [4, 0, 8], [0, 4, 0]]
    assert swaps.changes == 20
    lost, gained = np.array([4, 12, 4]), np.array([4, 8, 8])
    assert swaps.expected[1, 2] == pytest.approx((12 * 8 + 4 * 8) / 20)
    assert (swaps.swaps.sum(axis=1) == lost).all() and (swaps.swaps.sum(axis=0) == gained).all()
    assert swaps.returned[1, 2] == swaps.returned[2, 1] == 8, "twice in each of four films"
    assert swaps.returned[0, 1] == 4


def test_nearly_one_box_twice() -> None:
    near = (0.1, 0.1, 0.4, 0.9001)
    rows = [
        ("v", 1.0, LEFT, STAND),
        ("v", 1.0, near, CARRY),
        ("v", 2.0, LEFT, STAND),
        ("v", 2.0, near, STAND),
    ]
    found = examine(truth_of([*rows, ("v", 1.0, RIGHT, HOLD)]), IDS)
    assert (found.doubles.tolist(), found.same) == ([[0, 1]], 1)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_literal_twin_says_the_same(seed: int) -> None:
    truth = random_truth(seed)
    found = examine(truth, IDS)
    steps = literal_steps(truth)
    flickers, steady, swaps, changes, lost, gained = literal_counts(steps)
    assert found.flicker.numbers().tolist() == [flickers[c] for c in IDS]
    assert found.flicker.steady.tolist() == [steady[c] for c in IDS]
    assert found.swaps.changes == changes
    for i, a in enumerate(IDS):
        for j, b in enumerate(IDS):
            assert found.swaps.swaps[i, j] == swaps[a, b]
            if a != b and changes:
                chance = (lost[a] * gained[b] + lost[b] * gained[a]) / changes
                assert found.swaps.expected[i, j] == pytest.approx(chance)


def random_truth(seed: int) -> Truth:
    """People who stay where they are, with ids or without, in seconds of which some are missing."""
    rng = np.random.default_rng(seed)
    rows, persons = [], []
    for number, box in enumerate((LEFT, RIGHT)):
        for second in range(902, 902 + int(rng.integers(1, 12))):
            for c in rng.permutation(IDS)[: rng.integers(0, 4)].tolist():
                rows.append(("v", float(second), box, c))
                persons.append(number if seed % 2 else -1)
    rows = rows or [("v", 902.0, LEFT, STAND)]
    return replace(truth_of(rows), person_id=np.array(persons or [-1], np.int32))


def literal_steps(truth: Truth) -> list[list[set[int]]]:
    """Runs of label sets of one person in seconds without a gap."""
    labels: dict[tuple, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for box, ms, c in zip(
        truth.boxes.tolist(), truth.timestamp_ms.tolist(), truth.class_id.tolist(), strict=True
    ):
        labels[tuple(box)][ms].add(c)
    runs = []
    for by_time in labels.values():
        times = sorted(by_time)
        run = [by_time[times[0]]]
        for here, there in pairwise(times):
            if there - here != 1000:
                runs.append(run)
                run = []
            run.append(by_time[there])
        runs.append(run)
    return runs


def literal_counts(runs: list[list[set[int]]]) -> tuple:
    flickers, steady, swaps = defaultdict(int), defaultdict(int), defaultdict(int)
    lost, gained, changes = defaultdict(int), defaultdict(int), 0
    for run in runs:
        for c in IDS:
            on = [k for k, have in enumerate(run) if c in have]
            for here, there in pairwise(on):
                steady[c] += there - here == 1
                flickers[c] += 1 < there - here <= WINDOW
        for here, there in pairwise(run):
            if here - there and there - here:
                changes += 1
                for a in here - there:
                    lost[a] += 1
                    for b in there - here:
                        swaps[a, b] += 1
                for b in there - here:
                    gained[b] += 1
    return flickers, steady, swaps, changes, lost, gained


@pytest.mark.skipif(not REAL_TRUTH.exists(), reason="the real ground truth is not here")
def test_the_real_truth_of_kinetics() -> None:
    """One keyframe a clip: next to nothing over time can be said, but some people stand there as two boxes."""
    truth, _ = read_truth(REAL_TRUTH)
    found = examine(truth, AVA_EVALUATED)
    assert found.people == len({(v, t, *b) for v, t, b in rows_of(truth)})
    assert found.links <= 0.001 * found.people
    assert len(found.doubles) + found.same == literal_doubles(truth)


def rows_of(truth: Truth) -> list[tuple]:
    boxes = map(tuple, truth.boxes.tolist())
    return list(zip(truth.video.tolist(), truth.timestamp_ms.tolist(), boxes, strict=True))


def literal_doubles(truth: Truth) -> int:
    by_key: dict[tuple, list] = defaultdict(list)
    for video, ms, box in rows_of(truth):
        if box not in by_key[video, ms]:
            by_key[video, ms].append(box)
    number = 0
    for boxes in by_key.values():
        for i, a in enumerate(boxes):
            for b in boxes[:i]:
                width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
                common = width * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
                whole = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common
                number += whole > 0 and common / whole >= 0.9
    return number
