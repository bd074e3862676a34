"""Where a person's joints are: pose, arms and time in, points out.

Body frame: unit = the standing height, x forwards (the side the person faces), y upwards, origin between the feet on the
ground. Angles in radians.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

Pose = Literal["stand", "sit", "walk", "bend", "jump"]
Arm = Literal["rest", "akimbo", "point", "ear", "reach", "gesture", "wave", "wheel"]
POSES: Final[tuple[Pose, ...]] = get_args(Pose)
ARMS: Final[tuple[Arm, ...]] = get_args(Arm)

Joint = tuple[float, float]
Limb = tuple[Joint, Joint, Joint]

SEAT: Final = 0.25
"""Height of a stool's top."""
STEPS: Final = 1.15
"""Walking cycles a second (two steps each)."""
_JUMP_SECONDS: Final = 0.66


@dataclass(frozen=True)
class Joints:
    """All points of one person in the body frame; `mouth` is how far it is open (0..1)."""

    hip: Joint
    neck: Joint
    head: Joint
    legs: tuple[Limb, Limb]
    arms: tuple[Limb, Limb]
    """Far arm, near arm: shoulder, elbow, hand."""
    mouth: float = 0.0


def joints(pose: Pose, arm: Arm, clock: float) -> Joints:
    """Joints of a person at `clock` seconds of their own time."""
    match pose:
        case "walk":
            return _walk(clock)
        case "bend":
            return _bend(clock)
        case "jump":
            return _jump(clock)
        case "sit":
            return _with_arms(_sit(clock), arm, clock)
        case "stand":
            return _with_arms(_stand(clock), arm, clock)


def _leg(hip: Joint, knee: Joint, foot: Joint) -> Limb:
    return hip, knee, foot


def _plain(hip: Joint, neck: Joint, head: Joint, legs: tuple[Limb, Limb]) -> Joints:
    shoulder = (neck[0], neck[1] - 0.04)
    hang: Limb = (shoulder, _add(shoulder, -0.02, -0.16), _add(shoulder, 0.02, -0.31))
    return Joints(hip, neck, head, legs, (hang, hang))


def _add(point: Joint, dx: float, dy: float) -> Joint:
    return point[0] + dx, point[1] + dy


def _swing(root: Joint, angle: float, length: float, bend: float) -> Limb:
    """A two-part limb hanging from `root`: upper part at `angle` from straight down, lower part at `angle + bend`."""
    middle = _add(root, length / 2 * math.sin(angle), -length / 2 * math.cos(angle))
    end = _add(middle, length / 2 * math.sin(angle + bend), -length / 2 * math.cos(angle + bend))
    return root, middle, end


def _stand(clock: float) -> Joints:
    sway = 0.010 * math.sin(2 * math.pi * 0.45 * clock)
    hip, neck = (0.0, 0.47), (0.01 + sway, 0.80)
    near = _leg(hip, (0.02, 0.24), (0.03, 0.02))
    far = _leg(hip, (-0.01, 0.24), (-0.03, 0.02))
    return _plain(hip, neck, (0.025 + 1.3 * sway, 0.885), (far, near))


def _sit(clock: float) -> Joints:
    sway = 0.010 * math.sin(2 * math.pi * 0.4 * clock)
    hip, neck = (-0.06, SEAT + 0.06), (-0.05 + sway, SEAT + 0.38)
    near = _leg(hip, (0.18, SEAT + 0.05), (0.19, 0.02))
    far = _leg(hip, (0.16, SEAT + 0.05), (0.13, 0.02))
    return _plain(hip, neck, (-0.03 + 1.3 * sway, SEAT + 0.465), (far, near))


def _walk(clock: float) -> Joints:
    angle = 2 * math.pi * STEPS * clock
    swing = 0.72 * math.sin(angle)
    bob = 0.02 * math.cos(2 * angle)
    hip, neck = (0.0, 0.44 + bob), (0.07, 0.77 + bob)
    near = _swing(hip, swing, 0.43, -0.75 * max(0.0, math.cos(angle)))
    far = _swing(hip, -swing, 0.43, -0.75 * max(0.0, -math.cos(angle)))
    shoulder = (neck[0], neck[1] - 0.04)
    arms = _swing(shoulder, swing, 0.31, 0.5), _swing(shoulder, -swing, 0.31, 0.5)
    return Joints(hip, neck, (0.105, 0.855 + bob), (far, near), arms)


def _bend(clock: float) -> Joints:
    lean = math.radians(104.0) + 0.24 * math.sin(2 * math.pi * 0.8 * clock)
    hip = (-0.13, 0.47)
    neck = _add(hip, 0.34 * math.sin(lean), 0.34 * math.cos(lean))
    head = _add(neck, 0.10 * math.sin(lean), 0.10 * math.cos(lean))
    near, far = _leg(hip, (-0.06, 0.25), (-0.07, 0.02)), _leg(hip, (-0.10, 0.25), (-0.13, 0.02))
    shoulder = _add(neck, -0.04 * math.sin(lean), -0.04 * math.cos(lean))
    grasp = 0.05 * math.sin(2 * math.pi * 1.6 * clock)
    reach = max(0.07, shoulder[1] - 0.30)
    arm: Limb = (
        shoulder,
        (shoulder[0] + 0.03, (shoulder[1] + reach) / 2),
        (shoulder[0] + 0.08 + grasp, reach),
    )
    other: Limb = (
        shoulder,
        (shoulder[0] - 0.02, (shoulder[1] + reach) / 2),
        (shoulder[0] - 0.04 - grasp, reach),
    )
    return Joints(hip, neck, head, (far, near), (other, arm))


def _jump(clock: float) -> Joints:
    height = abs(math.sin(math.pi * clock / _JUMP_SECONDS))
    base, squat = 0.26 * height, 0.07 * (1.0 - height)
    hip, neck = (0.0, 0.46 + base - squat), (0.01, 0.79 + base - squat)
    feet = base + 0.10 * height + 0.02
    near = _leg(hip, (0.12 * height + 0.06, (hip[1] + feet) / 2), (0.10 - 0.08 * height, feet))
    far = _leg(hip, (-0.10 * height + 0.02, (hip[1] + feet) / 2), (-0.10 - 0.10 * height, feet))
    shoulder = (neck[0], neck[1] - 0.04)
    lift = math.radians(40.0 + 105.0 * height)
    arms = _swing(shoulder, -lift, 0.32, 0.1), _swing(shoulder, lift, 0.32, 0.1)
    return Joints(hip, neck, _add(neck, 0.015, 0.085), (far, near), arms)


def _with_arms(body: Joints, arm: Arm, clock: float) -> Joints:
    shoulder = (body.neck[0], body.neck[1] - 0.04)
    far, near, mouth = _arms(arm, shoulder, body.head, clock)
    if arm == "rest" and body.hip[1] < 0.4:
        lap: Limb = (shoulder, _add(shoulder, 0.0, -0.17), _add(shoulder, 0.14, -0.25))
        far = near = lap
    return replace(body, arms=(far, near), mouth=mouth)


def _arms(arm: Arm, shoulder: Joint, head: Joint, clock: float) -> tuple[Limb, Limb, float]:
    hang: Limb = (shoulder, _add(shoulder, -0.02, -0.16), _add(shoulder, 0.02, -0.31))
    match arm:
        case "rest":
            return hang, hang, 0.0
        case "akimbo":
            back = (shoulder, _add(shoulder, -0.20, -0.15), _add(shoulder, -0.03, -0.27))
            front = (shoulder, _add(shoulder, 0.20, -0.15), _add(shoulder, 0.05, -0.27))
            return front, back, 0.0
        case "point":
            return hang, (shoulder, _add(shoulder, 0.20, 0.0), _add(shoulder, 0.40, 0.02)), 0.0
        case "ear":
            return hang, (shoulder, _add(shoulder, 0.17, -0.07), _add(head, 0.01, -0.015)), 0.0
        case "reach":
            high = (shoulder, _add(shoulder, 0.16, -0.05), _add(shoulder, 0.34, -0.09))
            low = (shoulder, _add(shoulder, 0.13, -0.11), _add(shoulder, 0.29, -0.22))
            return high, low, 0.0
        case "gesture":
            return _gesture(shoulder, clock)
        case "wave":
            angle = math.radians(150.0) + 0.75 * math.sin(2 * math.pi * 1.9 * clock)
            return hang, _swing(shoulder, angle, 0.36, 0.12 * math.cos(2 * math.pi * 1.9 * clock)), 0.0
        case "wheel":
            grip = _add(shoulder, 0.27, -0.10)
            return (
                (shoulder, _add(shoulder, 0.12, -0.16), grip),
                (shoulder, _add(shoulder, 0.10, -0.18), _add(grip, 0.01, -0.06)),
                0.0,
            )


def _gesture(shoulder: Joint, clock: float) -> tuple[Limb, Limb, float]:
    """Both forearms swing far up and down in turn, so that whoever talks is told from afar."""
    angle = 2 * math.pi * 1.6 * clock
    mouth = 0.5 + 0.5 * math.sin(2 * math.pi * 2.7 * clock)
    return _beating(shoulder, angle + math.pi), _beating(shoulder, angle), mouth


def _beating(shoulder: Joint, angle: float) -> Limb:
    dx, dy = 0.26 + 0.05 * math.cos(angle), 0.02 + 0.27 * math.sin(angle)
    return shoulder, _add(shoulder, dx / 2, dy / 2 - 0.07), _add(shoulder, dx, dy)
