from __future__ import annotations

import numpy as np
import pytest

from stages.lib.errors import StageError
from stages.lib.geometry.views import View, parse_view, parse_views, resized_size


@pytest.mark.parametrize(
    ("name", "view"), [("s256", View(256)), ("s288-flip", View(288, flip=True)), ("s32", View(32))]
)
def test_names_both_ways(name: str, view: View) -> None:
    assert parse_view(name) == view
    assert view.name == name


@pytest.mark.parametrize("name", ["256", "s", "s256flip", "s0256", "s256-Flip", "s256-flip ", "", "s99999"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(StageError, match="is no view"):
        parse_view(name)


def test_views_keep_their_order() -> None:
    assert [view.name for view in parse_views(["s320", "s256-flip"])] == ["s320", "s256-flip"]


@pytest.mark.parametrize(
    ("height", "width", "short_side", "expected"),
    [
        (340, 452, 256, (256, 340)),  # 340.3 is truncated
        (1080, 1920, 256, (256, 455)),  # 455.1
        (240, 320, 256, (256, 341)),  # 341.33
        (1920, 1080, 256, (455, 256)),
        (256, 455, 256, (256, 455)),
        (300, 300, 320, (320, 320)),
        (100, 399, 50, (50, 199)),  # 199.5
    ],
)
def test_the_longer_side_is_truncated(
    height: int, width: int, short_side: int, expected: tuple[int, int]
) -> None:
    assert resized_size(height, width, short_side) == expected
    assert View(short_side, flip=True).size(height, width) == expected


def test_boxes_of_a_view() -> None:
    box = np.array([[0.1, 0.2, 0.4, 0.9]])
    np.testing.assert_array_equal(View(256).boxes(box), box)
    np.testing.assert_allclose(View(256, flip=True).boxes(box), [[0.6, 0.2, 0.9, 0.9]])
