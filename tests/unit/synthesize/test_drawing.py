"""Boxes are what is drawn; classes of classified clips; fades."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stages.lib.config.synthesize import SynthesizeConfig
from stages.synthesize.classified import CLIP_CLASSES, classified_drawings, classified_format
from stages.synthesize.looks import INK, random_look
from stages.synthesize.people import person_extent, person_shapes
from stages.synthesize.render import SceneRenderer
from stages.synthesize.shapes import Shape, paint
from stages.synthesize.skeleton import ARMS, POSES
from stages.synthesize.streams import stream
from stages.synthesize.things import HALF_WIDTH, THING_KINDS, thing_shapes
from stages.synthesize.world import actor_box
from tests.unit.synthesize.worlds import scene

WIDTH, HEIGHT = 262, 130
SCALE = HEIGHT / 128


def drawn_box(shapes: list[Shape], outline: float) -> tuple[float, float, float, float]:
    canvas = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    white = [shape._replace(colour=(255, 255, 255)) for shape in shapes]
    paint(canvas, white, SCALE, outline, (255, 255, 255))
    rows, columns = np.nonzero(canvas[..., 0] > 90)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


@pytest.mark.parametrize("style", ["film", "comic"])
def test_a_persons_box_is_the_extent_of_the_drawing(style: str) -> None:
    rng = stream(5, "boxes", style)
    for pose in POSES:
        for arm in ARMS if pose in ("stand", "sit") else ("rest",):
            look = random_look(rng, style)
            facing = 1 if rng.random() < 0.5 else -1
            shapes = person_shapes(look, pose, arm, facing, 128.0, 122.0, float(rng.uniform(0, 5)))
            box = np.array(person_extent(shapes, look)) * SCALE
            drawn = drawn_box(shapes, look.outline)
            assert np.abs(box - drawn).max() <= 1.5, (pose, arm, box, drawn)


def test_nobody_draws_outside_their_own_box() -> None:
    """A frame with one person equals the empty frame outside the person's box."""
    made = next(made for made in (scene("short", k) for k in range(50)) if made.actors[0].poses[1] != "sit")
    actor = made.actors[0]
    alone = replace(made, actors=(actor,), things=(), bus=None)
    time = made.origin + 1.5
    with_person = SceneRenderer(alone, WIDTH, HEIGHT).frame(time).astype(int)
    without = SceneRenderer(replace(alone, actors=()), WIDTH, HEIGHT).frame(time).astype(int)
    rows, columns = np.nonzero(np.abs(with_person - without).max(2) > 12)
    x1, y1, x2, y2 = np.array(actor_box(alone, actor, time)) * SCALE
    assert columns.min() >= x1 - 1.5
    assert columns.max() + 1 <= x2 + 1.5
    assert rows.min() >= y1 - 1.5
    assert rows.max() + 1 <= y2 + 1.5


@pytest.mark.parametrize("kind", THING_KINDS)
@pytest.mark.parametrize("side", [-1, 1])
def test_an_object_never_leaves_its_span(kind: str, side: int) -> None:
    for on in (0, 1):
        for time in np.linspace(0, 2, 21):
            shapes = thing_shapes(kind, side, 100.0, 120.0, float(time), (90, 90, 90), on)
            points = [(x, shape.width / 2) for shape in shapes for x, _ in shape.points]
            assert min(x - half for x, half in points) >= 100.0 - HALF_WIDTH - 1.5
            assert max(x + half for x, half in points) <= 100.0 + HALF_WIDTH + 1.5


@pytest.mark.parametrize("kind", THING_KINDS)
def test_on_and_off_look_different(kind: str) -> None:
    frames = []
    for on in (0, 1):
        canvas = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
        paint(canvas, thing_shapes(kind, -1, 100.0, 120.0, 0.4, (90, 60, 60), on), SCALE, 0.0, INK)
        frames.append(canvas.astype(int))
    assert (np.abs(frames[0] - frames[1]).max(2) > 40).sum() > 250


def test_a_fade_starts_black_and_ends_clear() -> None:
    made = replace(scene("long", 1), fades_in=True)
    clear = replace(made, fades_in=False)
    fading = SceneRenderer(made, WIDTH, HEIGHT)
    assert fading.frame(made.start).max() == 0
    early, late = fading.frame(made.start + 0.3).mean(), fading.frame(made.start + 0.8).mean()
    assert 0 < early < late
    after = made.start + 1.2
    assert np.array_equal(SceneRenderer(clear, WIDTH, HEIGHT).frame(after), fading.frame(after))


def test_classified_clips_show_thirty_seven_classes_in_many_shots() -> None:
    cfg = SynthesizeConfig()
    assert len({clip_class.name for clip_class in CLIP_CLASSES}) == len(CLIP_CLASSES) == 37
    for number, clip_class in enumerate(CLIP_CLASSES[::6]):
        rng = stream(5, "classified", str(number))
        form = classified_format(cfg, rng)
        made = list(classified_drawings(cfg, rng, form, clip_class))
        assert sum(held for _, held in made) == round(10 * form.rate)
        corners = {frame[:4, :4].tobytes() for frame, _ in made}
        assert len(corners) == cfg.clips.classified_shots
        assert made[0][0].shape == (130, 114, 3)
