"""What is wrong with a video that decodes all the same: cut off, too short, or of another rate than it claims.

K keyframes, M source frames.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stages.decode.plan import VideoPlan
from stages.lib.video.source import DamagedVideoError, VideoInfo

CUT_OFF, TOO_SHORT, OTHER_RATE = "cut off", "too short", "other rate"
CUT_SLACK: Final = 0.5
"""Seconds by which a whole file may end before the length that its container claims."""
RATE_SLACK: Final = 0.25
"""Seconds by which frames may lie elsewhere than the claimed rate puts them."""


def faults(
    info: VideoInfo,
    plan: VideoPlan,
    relative: NDArray[np.float64],
    damage: DamagedVideoError | None,
    usable: int,
) -> list[tuple[str, str]]:
    """(state, text) of each fault, the gravest first, for keyframes at `relative` (K,) seconds of which `usable` are whole."""
    outside = int((plan.deadline < 0).sum())
    inside = len(relative) - outside
    found = []
    if damage is not None:
        found.append((CUT_OFF, _damage_text(damage, info, inside - usable, len(relative))))
    if outside:
        state = CUT_OFF if is_cut(info) else TOO_SHORT
        found.append((state, _outside_text(relative[plan.deadline < 0], info)))
    shift = rate_shift(info)
    if shift > max(RATE_SLACK, 2 / info.claimed if info.claimed else 0.0):
        text = (
            f"frames lie up to {shift:.2f} s from where the claimed {info.claimed:.2f} Hz puts them "
            f"({info.rate:.2f} Hz by their times, which count)"
        )
        found.append((OTHER_RATE, text))
    return found


def is_cut(info: VideoInfo) -> bool:
    """Whether the frames end before the length that the container claims."""
    return info.declared is not None and info.end < info.declared - CUT_SLACK


def rate_shift(info: VideoInfo) -> float:
    """Most seconds between a frame's time and its number divided by the rate that the container claims; 0 without a claim."""
    if not info.claimed:
        return 0.0
    return float(np.abs(info.starts - np.arange(info.frames) / info.claimed).max(initial=0.0))


def _damage_text(damage: DamagedVideoError, info: VideoInfo, lost: int, total: int) -> str:
    good = float(info.starts[damage.frame]) if damage.frame < info.frames else info.end
    claim = f" of {info.declared:.1f} s" if info.declared else ""
    return f"damaged or cut off after {good:.1f} s{claim} ({damage.reason}), {lost} of {total} keyframes lost"


def _outside_text(outside: NDArray[np.float64], info: VideoInfo) -> str:
    end = f"({info.end:.1f} s{f' of the claimed {info.declared:.1f} s' if is_cut(info) else ''})"
    if len(outside) == 1:
        return f"keyframe at {outside[0]:.1f} s lies after the end {end}"
    return f"{len(outside)} keyframes from {outside[0]:.1f} s on lie after the end {end}"
