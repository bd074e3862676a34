"""Fine-tuning learns, repeats itself, resumes at the exact step, and says what is wrong."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.lib.config.detectors import DetectorConfig, DetectorTrainConfig
from stages.lib.detectors.detector import PersonDetector
from stages.lib.detectors.faster_rcnn import build_faster_rcnn
from stages.lib.detectors.runner import latest_checkpoint
from stages.lib.errors import StageError
from stages.train_detector.core import TrainedDetector, measure, train
from stages.train_detector.samples import LabelledFrames
from tests.unit.train_detector.drawn import HEIGHT, drawn

EMPTY = LabelledFrames([], np.zeros((0, 4), np.float32), np.zeros(1, np.int64))


def _config(**train_keys: object) -> DetectorConfig:
    recipe = DetectorTrainConfig.model_validate(
        {"epochs": None, "iterations": 6, "batch": 2, "optimizer": "adamw", "lr": 0.002, **train_keys}
    )
    return DetectorConfig(
        architecture="playground", dataset="toy", short_side=HEIGHT, max_long_side=192, train=recipe
    )


def _run(cfg: DetectorConfig, workdir: Path, **more: object) -> TrainedDetector:
    data = drawn(6, 0)
    return train(data, EMPTY, cfg, device="cpu", workdir=workdir, threads=1, **more)  # type: ignore[arg-type]


def _same(a: TrainedDetector, b: TrainedDetector) -> bool:
    return all(torch.equal(a.state[key], b.state[key]) for key in a.state)


class _KilledError(Exception):
    """Stands for the end of the process."""


def test_learns_eight_images(tmp_path: Path) -> None:
    data = drawn(8, 1)
    cfg = _config(iterations=50, batch=2, lr=0.003, decay="cosine", flip=0.0)
    result = train(data, data, cfg, device="cpu", workdir=tmp_path, threads=1)
    assert result.curve is not None
    assert result.curve.all_point > 0.9
    assert result.keyframes == (8, 8)
    assert len(result.history) == 50
    assert max(entry["ap50"] for entry in result.validations) == pytest.approx(result.curve.coco, abs=1e-6)
    again = measure(PersonDetector.from_state(cfg, result.state).model, data, cfg, "cpu")
    assert again.all_point == pytest.approx(result.curve.all_point, abs=1e-6)


def test_two_runs_give_identical_weights_and_another_seed_does_not(tmp_path: Path) -> None:
    cfg = _config(iterations=3)
    first, second = _run(cfg, tmp_path / "a"), _run(cfg, tmp_path / "b")
    assert _same(first, second)
    assert first.history == second.history
    assert not _same(first, _run(_config(iterations=3, seed=1), tmp_path / "c"))


@pytest.mark.fault("F19")
def test_a_killed_training_goes_on_at_the_exact_step(tmp_path: Path) -> None:
    cfg = _config(short_sides=(64, 96))

    def die(step: int) -> None:
        if step == 5:
            raise _KilledError

    with pytest.raises(_KilledError):
        _run(cfg, tmp_path / "a", checkpoint_every=2, on_step=die)
    seen: list[int] = []
    resumed = _run(cfg, tmp_path / "a", checkpoint_every=2, on_step=seen.append)
    straight = _run(cfg, tmp_path / "b")
    assert seen == [5, 6]
    assert [entry["iteration"] for entry in resumed.history] == [1, 2, 3, 4, 5, 6]
    assert resumed.history == straight.history
    assert _same(resumed, straight)


@pytest.mark.fault("F19")
def test_a_half_written_checkpoint_is_passed_over(tmp_path: Path) -> None:
    cfg = _config(iterations=4)
    _run(cfg, tmp_path, checkpoint_every=2)
    (folder,) = tmp_path.iterdir()
    (folder / "iter_4.pth").write_bytes((folder / "iter_4.pth").read_bytes()[:1000])
    assert latest_checkpoint(folder) == str(folder / "iter_2.pth")


def test_checkpoints_hold_plain_values_only(tmp_path: Path) -> None:
    _run(_config(iterations=2), tmp_path, checkpoint_every=2)
    (folder,) = tmp_path.iterdir()
    content = torch.load(folder / "iter_2.pth", weights_only=True)
    assert content["meta"]["iter"] == 2
    assert content["message_hub"]["log_scalars"] == {}


def test_nothing_on_standard_output_and_no_file_elsewhere(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    _run(_config(iterations=1), tmp_path / "work")
    assert capfd.readouterr().out == ""
    assert list(here.iterdir()) == []


def test_rate_rises_then_falls_tenfold(tmp_path: Path) -> None:
    cfg = _config(iterations=10, batch=1, lr=0.001, warmup=0.3, milestones=(0.6,))
    rates = [entry["lr"] for entry in _run(cfg, tmp_path).history]
    assert rates[0] == pytest.approx(0.001 / 32)
    assert rates[3:6] == pytest.approx([0.001] * 3)
    assert rates[6:] == pytest.approx([0.0001] * 4)


def test_rate_falls_as_half_a_cosine(tmp_path: Path) -> None:
    cfg = _config(iterations=10, batch=1, lr=0.001, warmup=0.2, decay="cosine")
    rates = [entry["lr"] for entry in _run(cfg, tmp_path).history]
    assert rates[2:] == pytest.approx([0.0005 * (1 + math.cos(math.pi * i / 8)) for i in range(8)])


def test_starts_from_eighty_classes_through_the_person(tmp_path: Path) -> None:
    torch.manual_seed(5)
    init = build_faster_rcnn(_config(), 80).state_dict()
    state = _run(_config(iterations=1, lr=1e-12), tmp_path, init=init).state
    head = "roi_head.bbox_head."
    torch.testing.assert_close(
        state[head + "fc_cls.weight"], init[head + "fc_cls.weight"][[0, 80]], atol=1e-6, rtol=0
    )
    torch.testing.assert_close(
        state[head + "fc_reg.weight"], init[head + "fc_reg.weight"][:4], atol=1e-6, rtol=0
    )
    torch.testing.assert_close(
        state["backbone.conv1.weight"], init["backbone.conv1.weight"], atol=1e-6, rtol=0
    )


def test_no_labelled_keyframe_is_a_stage_error(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="no keyframe"):
        train(EMPTY, EMPTY, _config(), device="cpu", workdir=tmp_path, threads=1)


@pytest.mark.fault("F19")
def test_a_loss_that_is_not_finite_stops_with_advice(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"lower train\.lr"):
        _run(_config(iterations=6, optimizer="sgd", lr=1e12, warmup=0.0, gradient_clip=1e12), tmp_path)
