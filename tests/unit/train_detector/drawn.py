"""Little drawn people for training tests. Shapes: H x W image, C channels, N boxes."""

from __future__ import annotations

import cv2
import numpy as np

from stages.train_detector.samples import LabelledFrames

HEIGHT, WIDTH = 96, 160


def drawn(count: int, seed: int) -> LabelledFrames:
    """`count` JPEG frames of 96 x 160 with one or two people each before a coloured, noisy background."""
    rng = np.random.default_rng(seed)
    frames, boxes = zip(*(_scene(rng) for _ in range(count)), strict=True)
    splits = np.cumsum([0, *map(len, boxes)]).astype(np.int64)
    return LabelledFrames(frames, np.concatenate(boxes).astype(np.float32), splits)


def _scene(rng: np.random.Generator) -> tuple[bytes, np.ndarray]:
    image = np.ones((HEIGHT, WIDTH, 3)) * rng.uniform(120, 220, 3) + rng.normal(0, 6, (HEIGHT, WIDTH, 3))
    image = np.clip(image, 0, 255).astype(np.uint8)
    boxes = []
    for centre in rng.permutation([40, 115])[: rng.integers(1, 3)]:
        x, tall = int(centre + rng.integers(-12, 13)), int(rng.integers(50, 80))
        top, wide = int(rng.integers(4, HEIGHT - 4 - tall)), tall // 5
        skin, shirt, legs = (tuple(int(v) for v in rng.integers(0, 110, 3)) for _ in range(3))
        cv2.rectangle(image, (x - wide, top + tall // 5), (x + wide, top + tall * 3 // 5), shirt, -1)
        for side in (-1, 1):
            cv2.line(image, (x, top + tall * 3 // 5), (x + side * wide * 4 // 5, top + tall - 3), legs, 5)
        cv2.circle(image, (x, top + tall // 10), tall // 10, skin, -1)
        boxes.append([x - wide - 0.5, top - 0.5, x + wide + 1.5, top + tall + 0.5])
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    return encoded, np.array(boxes) / [WIDTH, HEIGHT, WIDTH, HEIGHT]
