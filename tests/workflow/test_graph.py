"""Which jobs a configuration asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workflow.flow import Flow, demo_weights, read_config, with_stubs

TRAINING = {"pretrain", "train_detector", "train", "synthesize"}


@pytest.fixture
def own(tmp_path: Path) -> Flow:
    flow = with_stubs(tmp_path, "own-videos")
    demo_weights(tmp_path)
    videos = tmp_path / "my videos"
    videos.mkdir()
    for name in ("a b.mp4", "-c<d>{e}.avi", "notes.txt"):
        (videos / name).write_text(name)
    return flow


def test_playground(tmp_path: Path) -> None:
    config = read_config("playground")
    shards = sum(data.get("shards", 1) for data in config["datasets"].values())
    compared = sum(
        data.get("shards", 1) * len(data.get("compare_detectors", [])) for data in config["datasets"].values()
    )
    assert compared
    heads, banks = (
        len(config["heads"]),
        {head["memory"]["bank"] for head in config["heads"].values() if "memory" in head},
    )
    counts = with_stubs(tmp_path, config).counts()
    counts.pop("config")
    assert counts == {
        "synthesize": 2,
        "manifest": shards,
        "index": shards,
        "decode": shards,
        "coverage": 2,
        "train_detector": len(config["detectors"]),
        "detect": shards + compared,
        "persons": 1,
        "pretrain": len(config["backbones"]),
        "extract": shards,
        "bank": shards * len(banks),
        "train": heads,
        "predict": shards * heads,
        "ensemble": len(config["ensembles"]),
        "evaluate": heads + len(config["ensembles"]),
        "errors": 1,
        "attention": 2,
        "report": 1,
    }


def test_errors_are_explained_of_the_model_that_is_shown(tmp_path: Path) -> None:
    """The causes take longer than the number itself, and the page shows one model's; others are made when asked for."""
    flow = with_stubs(tmp_path, "playground")
    flow.snakemake("--until", "errors")
    (job,) = [job["words"] for job in flow.jobs() if job["words"][:1] == ["errors"]]
    assert (values(job, "--name"), values(job, "--views")) == (["all"], ["all"])
    assert values(job, "--out") == ["results/playground/evaluate/all/errors.json"]
    assert values(job, "--lost") == [
        f"{name}=results/playground/coverage/{name}/lost.h5" for name in read_config("playground")["datasets"]
    ], "what has no frames is known from coverage"
    head = "results/playground/evaluate/acar/seed0/errors.json"
    assert flow.counts(head)["errors"] == 1 and "evaluate" not in flow.counts(head)


def test_a_run_without_relations_shows_none(tmp_path: Path) -> None:
    config = read_config("playground")
    config["heads"] = {key: head for key, head in config["heads"].items() if key.startswith("linear")}
    config["ensembles"] = {"all": {"members": list(config["heads"])}}
    config["banks"].pop("acfb")
    counts = with_stubs(tmp_path / "linear", config).counts()
    assert "attention" not in counts and counts["report"] == 1
    flow = with_stubs(tmp_path / "off", "playground")
    assert "attention" not in flow.counts(config={"report": {"relations": 0}})


def test_relations_are_shown_of_the_head_without_a_bank(tmp_path: Path) -> None:
    flow = with_stubs(tmp_path, "playground")
    flow.snakemake("--until", "attention")
    jobs = [job["words"] for job in flow.jobs() if "attention" in job["words"][:1]]
    assert sorted(values(words, "--out")[0].rpartition("/")[2] for words in jobs) == [
        "playground-clips.h5",
        "playground-movies.h5",
    ]
    for words in jobs:
        assert values(words, "--name") == ["acar/seed0"]
        assert values(words, "--weights") == ["results/playground/train/acar/seed0/weights.safetensors"]
        assert (
            len(values(words, "--maps"))
            == len(values(words, "--predictions"))
            == len(values(words, "--index"))
        )


def test_a_further_detector_is_only_measured(tmp_path: Path) -> None:
    config = read_config("playground")
    config["datasets"]["playground-movies"]["compare_detectors"] = ["clips"]
    flow = with_stubs(tmp_path, config)
    before = with_stubs(tmp_path / "plain", "playground").counts()
    after = flow.counts()
    assert {rule: after[rule] - before[rule] for rule in after if after[rule] != before[rule]} == {
        "detect": 2
    }
    flow.snakemake("--until", "persons")
    (job,) = [job for job in flow.jobs() if "--compare" in job["words"]]
    compared = values(job["words"], "--compare")
    assert sorted(word.rpartition("/")[0] for word in compared) == [
        *["clips=playground-movies=results/playground/detect/clips/playground-movies"] * 2,
        "movies=playground-clips=results/playground/detect/movies/playground-clips",
    ]


def test_csv_members_are_inputs_and_flags_of_the_ensemble(tmp_path: Path) -> None:
    """A path stands in no settings file: whoever moves the file to another place keeps the results."""
    config = read_config("playground")
    config["ensembles"]["all"]["csv"] = {"theirs": "some where/their.csv"}
    flow = with_stubs(tmp_path, config)
    assert "some where/their.csv: no such file" in flow.snakemake("--dry-run", code=2)
    (tmp_path / "some where").mkdir()
    (tmp_path / "some where" / "their.csv").write_text("")
    flow.snakemake("--until", "ensemble")
    (job,) = [job for job in flow.jobs() if job["stage"] == "ensemble"]
    assert values(job["words"], "--csv") == ["theirs=some where/their.csv"]
    assert len(values(job["words"], "--predictions")) == 4 * 3
    assert "their.csv" not in (tmp_path / "results/playground/config/ensemble/all.json").read_text()
    (tmp_path / "some where" / "their.csv").write_text("changed")
    assert flow.counts()["ensemble"] == 1


def test_weights_of_an_earlier_run_are_an_input_of_the_ensemble(tmp_path: Path) -> None:
    config = read_config("playground")
    config["ensembles"]["all"] = {
        "members": config["ensembles"]["all"]["members"],
        "weights_from": "earlier/weights.json",
    }
    flow = with_stubs(tmp_path, config)
    assert "ensembles.all.weights_from" in flow.snakemake("--dry-run", code=2)
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier" / "weights.json").write_text("")
    flow.snakemake("--until", "ensemble")
    (job,) = [job for job in flow.jobs() if job["stage"] == "ensemble"]
    assert values(job["words"], "--given-weights") == ["earlier/weights.json"]
    assert "earlier" not in (tmp_path / "results/playground/config/ensemble/all.json").read_text()
    (tmp_path / "earlier" / "weights.json").write_text("changed")
    assert flow.counts()["ensemble"] == 1


def test_the_playground_is_the_default(tmp_path: Path) -> None:
    flow = with_stubs(tmp_path, {"run": "named-otherwise"})
    assert flow.counts()["pretrain"] == 1


def test_seeds_multiply_trainings_of_that_head_only(tmp_path: Path) -> None:
    flow = with_stubs(tmp_path, "playground")
    before, after = flow.counts(), flow.counts(config={"heads": {"linear": {"seeds": [0, 1, 2]}}})
    shards = before["index"]
    assert {rule: after[rule] - before[rule] for rule in after if after[rule] != before[rule]} == {
        "train": 2,
        "predict": 2 * shards,
        "evaluate": 2,
    }


def test_own_videos_train_nothing(own: Flow) -> None:
    counts = own.counts("--config", "videos=my videos")
    assert not TRAINING & set(counts)
    assert counts["annotate"] == counts["index"] == counts["detect"] == counts["predict"] == 1
    assert "report" not in counts and "evaluate" not in counts


def test_own_videos_with_given_boxes_need_no_detector(own: Flow) -> None:
    (own.folder / "boxes.csv").touch()
    (own.folder / "results/playground/train_detector/movies/weights.safetensors").unlink()
    own.snakemake("--config", "videos=my videos", "boxes=boxes.csv")
    (job,) = [job for job in own.jobs() if job["stage"] == "detect"]
    assert "--boxes" in job["words"] and "--weights" not in job["words"]
    assert values(job["words"], "--manifest") == ["results/own-videos/manifest/own/000-of-001.tsv"]
    assert (own.folder / "results/own-videos/annotate/own/detections.csv").exists()


def test_a_replaced_video_runs_again(own: Flow) -> None:
    words = ("--config", "videos=my videos")
    own.snakemake(*words)
    assert own.counts(*words) == {}
    (own.folder / "my videos" / "a b.mp4").write_text("another film")
    assert set(own.counts(*words)) == {"index", "decode", "detect", "extract", "bank", "predict", "annotate"}


def test_changed_weights_run_again(own: Flow) -> None:
    """As after another `make demo`."""
    words = ("--config", "videos=my videos")
    own.snakemake(*words)
    demo = own.folder / "results/playground"
    (demo / "train/acar-acfb/seed0/weights.safetensors").write_text("trained anew")
    assert set(own.counts(*words)) == {"predict", "annotate"}
    (demo / "train_detector/movies/weights.safetensors").write_text("trained anew")
    assert set(own.counts(*words)) == {"detect", "bank", "predict", "annotate"}
    (demo / "pretrain/small/weights.safetensors").write_text("trained anew")
    assert set(own.counts(*words)) == {"detect", "extract", "bank", "predict", "annotate"}


def test_changed_boxes_run_again(own: Flow) -> None:
    words = ("--config", "videos=my videos", "boxes=boxes.csv")
    (own.folder / "boxes.csv").touch()
    own.snakemake(*words)
    assert own.counts(*words) == {}
    (own.folder / "boxes.csv").write_text("edited")
    assert set(own.counts(*words)) == {"detect", "bank", "predict", "annotate"}


def test_warns_of_weights_from_the_playground(own: Flow) -> None:
    assert "know only the drawn world" in own.snakemake("--config", "videos=my videos")


def test_one_view_writes_no_other_views(tmp_path: Path) -> None:
    config = read_config("playground")
    config["extract"]["views"] = ["s128"]
    flow = with_stubs(tmp_path, config)
    flow.snakemake("--until", "predict")
    words = [word for job in flow.jobs() for word in job["words"]]
    assert "--views" not in words and "--out-views" not in words


def test_other_views_are_temporary_unless_kept(tmp_path: Path) -> None:
    config = read_config("playground")
    config["extract"]["keep_views"] = False
    flow = with_stubs(tmp_path, config)
    flow.snakemake()
    kept = [path.name for path in (tmp_path / "results/playground/extract").rglob("*.h5")]
    assert kept and not any("views" in name for name in kept)
    assert flow.counts() == {}


def test_the_bank_belongs_to_the_keyframes_it_serves(tmp_path: Path) -> None:
    flow = with_stubs(tmp_path, "playground")
    flow.snakemake("--until", "predict")
    for job in flow.jobs():
        if job["stage"] == "predict" and "--bank" in job["words"]:
            bank = job["words"][job["words"].index("--bank") + 1]
            assert Path(bank).parts[-2:] == Path(job["words"][job["words"].index("--index") + 1]).parts[-2:]


def test_scores_of_a_data_set_know_their_shards(tmp_path: Path) -> None:
    config = read_config("playground")
    clips = {"playground-clips": 0.5}
    recipe = config["heads"]["linear"]["recipe"]
    config["heads"]["linear"] |= {"min_scores": clips, "recipe": {**recipe, "box_scores": clips}}
    flow = with_stubs(tmp_path, config)
    flow.snakemake("--until", "predict")
    for job in flow.jobs():
        words = job["words"]
        if job["stage"] in ("predict", "bank"):
            (dataset,) = [word.partition("=")[2] for word in words if word.startswith("--dataset=")]
            assert Path(values(words, "--index")[0]).parts[-2] == dataset
        if job["stage"] == "train":
            named = [Path(path).parts[-2] for path in values(words, "--index")]
            linear = "/linear/" in values(words, "--out-weights")[0]
            assert values(words, "--datasets") == named if linear else "--datasets" not in words
    config["heads"]["linear"]["min_scores"] = {"none": 0.5}
    other = with_stubs(tmp_path / "other", config)
    assert "heads.linear.min_scores: there is no 'none'" in other.snakemake("--dry-run", code=2)


def test_training_files_stand_in_one_order(tmp_path: Path) -> None:
    flow = with_stubs(tmp_path, "playground")
    flow.snakemake("--until", "predict")
    jobs = [job["words"] for job in flow.jobs() if job["stage"] == "train"]
    heads = read_config("playground")["heads"]
    assert len(jobs) == len(heads)
    assert sum("--bank" in words for words in jobs) == sum("memory" in head for head in heads.values())
    for words in jobs:
        orders = [
            [Path(word).parts[-2:] for word in values(words, flag)]
            for flag in ("--index", "--maps", "--detections", "--bank")
            if flag in words
        ]
        assert orders[0] and all(order == orders[0] for order in orders)


def values(words: list[str], flag: str) -> list[str]:
    """The words behind a flag."""
    rest = words[words.index(flag) + 1 :]
    end = next((place for place, word in enumerate(rest) if word.startswith("--")), len(rest))
    return rest[:end]
