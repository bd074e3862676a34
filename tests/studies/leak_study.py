"""Do a person's own pixels tell whether a label of kind b, c or d holds? They must not.

A small network sees a person's box from three frames, everything outside the box grey, and where the box lies. It learns
each class of kinds b-d among *matched* candidates only (people whose own-pixel part of the class holds, so that only the
context decides) and is tested on other scenes: the AUC has to be 0.5. Classes of kind a are learnt beside them as a
positive control. Command: python -m tests.studies.leak_study [--quick] [--out FILE]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stages.synthesize.labels import CLASSES, KIND_OF, body_labels, matches
from stages.synthesize.render import SceneRenderer
from stages.synthesize.scenes import Cut, Stage, clip_programme, invent_scene, long_programme
from stages.synthesize.shapes import Frame
from stages.synthesize.streams import stream
from stages.synthesize.truth import visible_people
from stages.synthesize.world import KEY_PLACE, Box, Scene, SceneType

# N people, C classes, H and W pixels of a crop; 9 channels = 3 frames of RGB
COMMAND = "python -m tests.studies.leak_study"
WIDTH, HEIGHT = 262, 130
CROP = (64, 40)
OFFSETS = (-0.27, 0.0, 0.27)
GREY = 128
IDS = [action.id for action in CLASSES]
LIMIT = 0.05


@dataclass(frozen=True)
class People:
    """Crops (N, 9, H, W) uint8, boxes (N, 4), targets (N, C) with NaN where a class is not asked, scenes (N,)."""

    crops: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    targets: NDArray[np.float32]
    scenes: NDArray[np.int64]


def make_scene(part: str, number: int) -> Scene:
    scene_type: SceneType = ("long", "clip", "clip", "short")[number % 4]
    rng = stream(99, "leak-study", part, str(number))
    slots = {"long": 12, "clip": 4, "short": 3}[scene_type]
    stage = Stage("comic" if scene_type == "clip" else "film", WIDTH * 128 / HEIGHT, 75.0, (4, 5))
    programme = None
    if scene_type != "short":
        deal = long_programme if scene_type == "long" else clip_programme
        programme = deal(99, f"leak-{part}", number)
    return invent_scene(rng, stage, Cut(0.0, 0.0, float(slots), slots), scene_type, programme)


def people_of(part: str, count: int, keyframes: int) -> People:
    """Everybody at some keyframes of each scene."""
    rows = [row for number in range(count) for row in _scene_rows(part, number, keyframes)]
    crops, boxes, targets, scenes = zip(*rows, strict=True)
    return People(np.stack(crops), np.array(boxes, np.float32), np.stack(targets), np.array(scenes))


Row = tuple[NDArray[np.uint8], Box, NDArray[np.float32], int]


def _scene_rows(part: str, number: int, keyframes: int) -> Iterator[Row]:
    scene = make_scene(part, number)
    renderer = SceneRenderer(scene, WIDTH, HEIGHT)
    chosen = stream(99, "leak-keyframes", part, str(number)).permutation(scene.slots)[:keyframes]
    for slot in sorted(int(k) for k in chosen):
        middle = scene.origin + slot + KEY_PLACE
        frames = [renderer.frame(middle + offset).copy() for offset in OFFSETS]
        asked = matches(scene, slot)
        for actor, box in visible_people(scene, middle):
            target = np.full(len(IDS), np.nan, np.float32)
            own = body_labels(actor, slot)
            target[[KIND_OF[i] == "a" for i in IDS]] = [float(i in own) for i in IDS if KIND_OF[i] == "a"]
            for match in asked:
                if match.actor == actor.number:
                    target[IDS.index(match.action)] = float(match.positive)
            yield _crop(frames, box), box, target, number


def _crop(frames: Sequence[Frame], box: Box) -> NDArray[np.uint8]:
    """The box's pixels of all frames, at one scale, in the middle of grey: nothing from outside the box."""
    x1, y1 = max(0, int(box[0] * WIDTH)), max(0, int(box[1] * HEIGHT))
    x2, y2 = min(WIDTH, int(np.ceil(box[2] * WIDTH))), min(HEIGHT, int(np.ceil(box[3] * HEIGHT)))
    scale = min(CROP[0] / (y2 - y1), CROP[1] / (x2 - x1))
    size = (max(1, int((x2 - x1) * scale)), max(1, int((y2 - y1) * scale)))
    result = np.full((*CROP, 9), GREY, np.uint8)
    top, left = (CROP[0] - size[1]) // 2, (CROP[1] - size[0]) // 2
    for k, frame in enumerate(frames):
        small = cv2.resize(frame[y1:y2, x1:x2], size, interpolation=cv2.INTER_AREA)
        result[top : top + size[1], left : left + size[0], 3 * k : 3 * k + 3] = small
    return np.ascontiguousarray(result.transpose(2, 0, 1))


class OwnPixels(nn.Module):
    """Crops (N, 9, H, W) in 0..1 and boxes (N, 4) to logits (N, C)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        widths = (9, 24, 48, 64, 96)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [
                nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.2))
        self.head = nn.Linear(96 * (CROP[0] // 16) * -(-CROP[1] // 16) + 4, classes)

    def forward(self, crops_N9HW: torch.Tensor, boxes_N4: torch.Tensor) -> torch.Tensor:
        return self.head(torch.cat([self.body(crops_N9HW), boxes_N4], dim=1))


def fit(people: People, epochs: int) -> OwnPixels:
    """Train on the classes that are asked of each person; AdamW with a cosine schedule."""
    torch.manual_seed(0)
    model = OwnPixels(len(IDS)).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2)
    steps = epochs * -(-len(people.crops) // 64)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    rng = np.random.default_rng(0)
    for _ in range(epochs):
        order = rng.permutation(len(people.crops))
        for start in range(0, len(order), 64):
            batch = order[start : start + 64]
            target = torch.from_numpy(people.targets[batch])
            known = ~target.isnan()
            logits = model(*_inputs(people, batch))
            loss = nn.functional.binary_cross_entropy_with_logits(logits[known], target[known])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return model.eval()


def _inputs(people: People, batch: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
    crops = torch.from_numpy(people.crops[batch]).float().div_(255.0).to(memory_format=torch.channels_last)
    return crops, torch.from_numpy(people.boxes[batch])


@torch.no_grad()
def scores_of(model: OwnPixels, people: People) -> NDArray[np.float32]:
    """Logits (N, C)."""
    indices = np.arange(len(people.crops))
    parts = [model(*_inputs(people, indices[k : k + 256])).numpy() for k in range(0, len(indices), 256)]
    return np.concatenate(parts)


def pairs_won(scores: NDArray[np.float32], positive: NDArray[np.bool_]) -> tuple[float, int]:
    """Pairs (positive, negative) in the right order (ties count half), and all pairs: AUC = won / all."""
    good, bad = scores[positive], np.sort(scores[~positive])
    below = np.searchsorted(bad, good, side="left")
    tied = np.searchsorted(bad, good, side="right") - below
    return float(below.sum() + 0.5 * tied.sum()), len(good) * len(bad)


@dataclass(frozen=True)
class Estimate:
    """An AUC with its bootstrap interval, and on how many candidates, positives and scenes it rests."""

    auc: float
    low: float
    high: float
    candidates: int
    positives: int
    scenes: int


def estimate(people: People, scores: NDArray[np.float32], classes: Sequence[int], rounds: int) -> Estimate:
    """AUC over pairs within a class, pooled over `classes`; 95 % interval from drawing whole scenes with replacement."""
    columns = [IDS.index(c) for c in classes]
    asked = ~np.isnan(people.targets[:, columns])
    rng = np.random.default_rng(0)
    numbers = np.unique(people.scenes[asked.any(1)])
    rows_of = {int(number): np.flatnonzero(people.scenes == number) for number in numbers}
    values = []
    for _ in range(rounds):
        drawn = rng.choice(numbers, len(numbers))
        values.append(
            _pooled(people, scores, columns, np.concatenate([rows_of[int(number)] for number in drawn]))
        )
    low, high = np.nanpercentile(values, [2.5, 97.5])
    everyone = np.arange(len(people.crops))
    positives = int(np.nansum(people.targets[:, columns]))
    return Estimate(
        _pooled(people, scores, columns, everyone),
        float(low),
        float(high),
        int(asked.sum()),
        positives,
        len(numbers),
    )


def _pooled(
    people: People, scores: NDArray[np.float32], columns: Sequence[int], rows: NDArray[np.int64]
) -> float:
    won, total = 0.0, 0
    for column in columns:
        target = people.targets[rows, column]
        known = ~np.isnan(target)
        right, pairs = pairs_won(scores[rows, column][known], target[known] > 0.5)
        won, total = won + right, total + pairs
    return won / total if total else float("nan")


def table(people: People, scores: NDArray[np.float32], rounds: int) -> tuple[list[str], Estimate, Estimate]:
    """Markdown rows per class, the pooled estimate of kinds b-d, and that of the positive control."""
    context = [i for i in IDS if KIND_OF[i] != "a"]
    pooled = estimate(people, scores, context, rounds)
    control = estimate(people, scores, [i for i in IDS if KIND_OF[i] == "a"], max(20, rounds // 10))
    lines = [
        "| kind | class | AUC | 95 % interval | candidates | positive | scenes |",
        "|---|---|---|---|---|---|---|",
    ]
    for action in sorted(CLASSES, key=lambda action: (action.kind, action.id)):
        if action.kind != "a":
            lines.append(_line(action.kind, action.name, estimate(people, scores, [action.id], rounds)))
    lines.append(_line("b-d", "**pooled within classes**", pooled))
    lines.append(_line("a", "positive control, pooled", control))
    return lines, pooled, control


def _line(kind: str, name: str, found: Estimate) -> str:
    return (
        f"| {kind} | {name} | {found.auc:.3f} | {found.low:.3f} to {found.high:.3f} "
        f"| {found.candidates} | {found.positives} | {found.scenes} |"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the study; exit code 1 when the pooled estimate leaves its limits."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="few scenes and epochs: shows that it works, proves nothing"
    )
    parser.add_argument(
        "--out", type=Path, default=None, help="markdown file (default docs/leak-study.md, none if quick)"
    )
    args = parser.parse_args(argv)
    train_scenes, test_scenes, epochs, rounds = (160, 160, 3, 100) if args.quick else (1200, 1400, 10, 1000)
    torch.set_num_threads(1 if args.quick else 2)
    cv2.setNumThreads(1)
    start = time.monotonic()
    train, test = people_of("train", train_scenes, 2), people_of("test", test_scenes, 2)
    print(
        f"{len(train.crops)} + {len(test.crops)} people drawn, {time.monotonic() - start:.0f} s", flush=True
    )
    model = fit(train, epochs)
    print(f"trained, {time.monotonic() - start:.0f} s", flush=True)
    lines, pooled, control = table(test, scores_of(model, test), rounds)
    met = abs(pooled.auc - 0.5) <= LIMIT and pooled.low <= 0.5 <= pooled.high
    text = _report(lines, (train_scenes, test_scenes, epochs), pooled, control)
    print(text)
    print(f"{time.monotonic() - start:.0f} s")
    out = args.out or (None if args.quick else Path("docs/leak-study.md"))
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text)
    return 0 if met or args.quick else 1


def _report(lines: Sequence[str], size: tuple[int, int, int], pooled: Estimate, control: Estimate) -> str:
    inside = pooled.low <= 0.5 <= pooled.high
    verdict = "met" if inside and abs(pooled.auc - 0.5) <= LIMIT else "NOT met"
    head = f"""# Leak study: do a person's own pixels tell what only the context should decide?

Command: `{COMMAND}` (or `make leak-study`).

A small network sees each person's box from three frames (0.27 s before, at and after the keyframe), everything outside the
box grey, and the box's place in the frame. It is trained on {size[0]} scenes ({size[2]} epochs) and tested on {size[1]} others.
The classes of kinds b-d are asked of *matched* candidates only: people whose pose, arm and facing fulfil the own-pixel part of
the class, so that nothing but the context decides. Chance is an AUC of 0.5. Intervals: bootstrap over test scenes.
The classes of kind a are the positive control: they are visible in the box and must be found.

Wanted: pooled AUC in 0.5 ± {LIMIT}, its 95 % interval holds 0.5. Found: {pooled.auc:.3f} ({pooled.low:.3f} to
{pooled.high:.3f}), **{verdict}**; positive control {control.auc:.3f}.

"""
    return head + "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
