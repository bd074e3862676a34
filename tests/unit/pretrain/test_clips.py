"""Cutting clips: windows, sizes, crops, flips, and batches as a function of the step alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stages.lib.config.backbones import BackboneConfig, PretrainConfig, SamplingConfig
from stages.lib.errors import StageError
from stages.pretrain.batches import centred_batches, steps_per_epoch, training_batches
from stages.pretrain.clips import ClipSet, Cut, StoredVideo, centred_cut, cut_clip, random_cut
from stages.pretrain.core import ClipNormaliser, pretrain

RECIPE = PretrainConfig(
    dataset="d", short_side=(24, 32), crop=20, batch=4, epochs=4, lr=0.05, warmup=0.1, dropout=0.0
)
CONFIG = BackboneConfig(
    architecture="playground", sampling=SamplingConfig(fast_frames=4, stride=1), pretrain=RECIPE
)


def gradient(count: int, height: int = 32, width: int = 40) -> StoredVideo:
    """Frame t is everywhere t in red, the column in green, the row in blue."""
    t, y, x = np.meshgrid(np.arange(count), np.arange(height), np.arange(width), indexing="ij")
    return StoredVideo.held(np.stack([t, x, y], axis=-1).astype(np.uint8))


def test_cut_takes_the_window_and_the_crop() -> None:
    clip = cut_clip(gradient(20), Cut(start=5, side=32, top=0.5, left=1.0, flip=False), 4, 20)
    assert clip.shape == (4, 20, 20, 3)
    assert clip[:, 0, 0, 0].tolist() == [5, 6, 7, 8]
    assert clip[0, 0, :, 1].tolist() == list(range(20, 40))
    assert clip[0, :, 0, 2].tolist() == list(range(6, 26))
    mirrored = cut_clip(gradient(20), Cut(5, 32, 0.5, 1.0, flip=True), 4, 20)
    assert np.array_equal(mirrored, clip[:, :, ::-1])


def test_short_videos_repeat_their_last_frame() -> None:
    clip = cut_clip(gradient(2), centred_cut(2, 4, RECIPE), 4, 20)
    assert clip[:, 0, 0, 0].tolist() == [0, 1, 1, 1]
    assert centred_cut(10, 4, RECIPE).start == 3


def test_random_cuts_stay_inside() -> None:
    rng = np.random.default_rng(0)
    cuts = [random_cut(rng, 10, 4, RECIPE) for _ in range(500)]
    assert {cut.start for cut in cuts} == set(range(7))
    assert {cut.side for cut in cuts} == set(range(24, 33))
    assert 0.4 < np.mean([cut.flip for cut in cuts]) < 0.6
    still = RECIPE.model_copy(update={"flip": False})
    assert not any(random_cut(rng, 10, 4, still).flip for _ in range(20))


def test_batches_are_a_function_of_the_step() -> None:
    data = ClipSet(tuple(gradient(6 + k) for k in range(10)), np.arange(10))
    recipe = RECIPE.model_copy(update={"clips_per_video": 2})
    assert steps_per_epoch(10, recipe) == 5
    whole = list(training_batches(data, recipe, 4, first_step=0, last_step=10))
    later = list(training_batches(data, recipe, 4, first_step=7, last_step=9))
    for one, two in zip(whole[7:9], later, strict=True):
        assert np.array_equal(one.clips_BFSSC, two.clips_BFSSC)
    first = np.concatenate([batch.labels_B for batch in whole[:5]])
    assert np.bincount(first).tolist() == [2] * 10
    centred = list(centred_batches(data, recipe, 4))
    assert np.concatenate([batch.labels_B for batch in centred]).tolist() == list(range(10))


def test_normalised_inputs() -> None:
    batch = next(iter(centred_batches(ClipSet((gradient(8),), np.zeros(1, np.int64)), RECIPE, 4)))
    slow, fast = ClipNormaliser(CONFIG, torch.device("cpu"))(batch)
    assert slow.shape == (1, 3, 1, 20, 20)
    expected = (batch.clips_BFSSC.transpose(0, 4, 1, 2, 3) / 255 - 0.45) / 0.225
    assert np.allclose(fast.numpy(), expected, atol=1e-5)
    assert torch.equal(slow[:, :, 0], fast[:, :, 0])


def colours(count: int, seed: int) -> ClipSet:
    """Class 0 is red, class 1 blue."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    videos = []
    for label in labels:
        frames = rng.integers(0, 60, (6, 32, 32, 3)).astype(np.uint8)
        frames[..., 2 * label] += 150
        videos.append(StoredVideo.held(frames))
    return ClipSet(tuple(videos), labels)


def test_it_learns_two_colours_twice_the_same() -> None:
    runs = [pretrain(colours(12, 0), colours(6, 1), CONFIG, 2, torch.device("cpu")) for _ in range(2)]
    assert runs[0].epochs == runs[1].epochs
    assert all(torch.equal(runs[0].tensors[name], value) for name, value in runs[1].tensors.items())
    assert runs[0].epochs[-1].val_top1 == 1.0
    assert runs[0].epochs[-1].loss < 0.5 * runs[0].epochs[0].loss
    assert [record.epoch for record in runs[0].epochs] == [1, 2, 3, 4]
    assert not any("projection" in name for name in runs[0].tensors)


def test_without_validation_and_without_videos() -> None:
    none = ClipSet((), np.zeros(0, np.int64))
    short = CONFIG.model_copy(update={"pretrain": RECIPE.model_copy(update={"epochs": 0.5})})
    found = pretrain(colours(8, 0), none, short, 2, torch.device("cpu"))
    assert found.epochs[-1].val_top1 is None
    with pytest.raises(StageError, match="no video of the split train"):
        pretrain(none, none, CONFIG, 2, torch.device("cpu"))
    narrow = CONFIG.model_copy(update={"pretrain": RECIPE.model_copy(update={"crop": 40})})
    with pytest.raises(StageError, match="crop 40"):
        pretrain(colours(2, 0), none, narrow, 2, torch.device("cpu"))
