"""What is drawn at a position: which keyframes, which boxes, how they are flipped."""

from __future__ import annotations

import numpy as np
import pytest

from stages.lib.config.detectors import DetectorConfig, DetectorTrainConfig
from stages.lib.errors import StageError
from stages.train_detector.samples import LabelledFrames, TrainingOrder, decode, labelled_only


def _frames(count: int) -> LabelledFrames:
    """Frame k is grey 10 * k with a white left half; its one box covers the left half."""

    def picture(k: int) -> np.ndarray:
        image = np.full((64, 128, 3), 10 * k, np.uint8)
        image[:, :64] = 255
        return image

    boxes = np.tile(np.array([[0.0, 0.25, 0.5, 1.0]], np.float32), (count, 1))
    return LabelledFrames([lambda k=k: picture(k) for k in range(count)], boxes, np.arange(count + 1))


def _config(**train: object) -> DetectorConfig:
    recipe = DetectorTrainConfig.model_validate(train)
    return DetectorConfig(
        architecture="playground", dataset="toy", short_side=64, max_long_side=256, train=recipe
    )


def test_keyframes_without_boxes_are_left_out_and_boxes_are_unique() -> None:
    a, b = [0.1, 0.1, 0.5, 0.5], [0.0, 0.2, 0.5, 0.5]
    frames = [lambda: np.zeros((1, 1, 3), np.uint8)] * 4
    kept = labelled_only(
        LabelledFrames(frames, np.array([a, b, a, b], np.float32), np.array([0, 0, 3, 3, 4]))
    )
    assert kept.frames == [frames[1], frames[3]]
    np.testing.assert_array_equal(kept.boxes, np.array([a, b, b], np.float32))
    assert kept.row_splits.tolist() == [0, 2, 3]


def test_each_pass_shows_every_keyframe_once_in_another_order() -> None:
    order = TrainingOrder(_frames(9), _config(flip=0.0))
    passes = [[int(order(9 * number + i)[0][0, -1, 0]) // 10 for i in range(9)] for number in range(2)]
    assert sorted(passes[0]) == sorted(passes[1]) == list(range(9))
    assert passes[0] != passes[1]


def test_a_position_gives_the_same_whatever_was_asked_before() -> None:
    data, cfg = _frames(5), _config(short_sides=(64, 96, 128))
    forward = [TrainingOrder(data, cfg)(i) for i in range(12)]
    order = TrainingOrder(data, cfg)
    for i in reversed(range(12)):
        image, boxes = order(i)
        np.testing.assert_array_equal(image, forward[i][0])
        np.testing.assert_array_equal(boxes, forward[i][1])
    assert {image.shape[0] for image, _ in forward} == {64, 96, 128}


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_a_flip_moves_picture_and_box_together(flip: float) -> None:
    image, boxes = TrainingOrder(_frames(1), _config(flip=flip))(0)
    x1, y1, x2, y2 = boxes[0]
    assert (y1, y2) == (16.0, 64.0)
    assert (x1, x2) == ((64.0, 128.0) if flip else (0.0, 64.0))
    assert (image[:, int(x1) : int(x2)] == 255).all()
    assert (image == 255).mean() == 0.5


def test_a_broken_jpeg_is_named() -> None:
    with pytest.raises(StageError, match="keyframe 7"):
        decode(b"no picture", "keyframe 7")
