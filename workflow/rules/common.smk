"""What the rules share: the checked configuration, the run's paths, fingerprints, threads and devices. No rules here."""

import functools
import gc
import inspect
import os
import shlex
import sys
import uuid
from os import environ, pathsep
from pathlib import Path

sys.path.insert(0, workflow.basedir)
from stages.lib.config import drawn, sheets
from stages.lib.config.ensemble import member_parts
from stages.lib.config.given import check_given, check_records, given_paths, with_shortcuts
from stages.lib.config.load import canonical_json, load_config, text_sha
from stages.lib.config.made import finetuned_backbones, pretrained_backbones, trained_detectors
from stages.lib.config.origins import uses_folds
from stages.lib.config.payloads import payload
from stages.lib.config.shards import evaluated_shards, shards_with
from stages.lib.config.splits import FOLDS, official_splits
from stages.lib.errors import StageError

# A plan of 20,000 jobs keeps millions of objects that none of the collector's searches frees.
gc.set_threshold(200_000, 50, 1000)


def signed(function):
    """The function with its signature beside it: Snakemake asks for it several times per job, and would work it out each time."""
    function.__signature__ = inspect.signature(function)
    return function


def refuse(error):
    """Bad input ends the run as it ends a stage: one paragraph, exit code 2."""
    print(f"ERROR: {error}", file=sys.stderr, flush=True)
    raise SystemExit(2)


try:
    CONFIG = load_config(with_shortcuts(config))
    check_given(CONFIG)
    RESULTS = f"results/{CONFIG.run}"
    SHARDS = {key: shards_with(data) for key, data in CONFIG.datasets.items()}
    EVALUATED_SHARDS = {key: evaluated_shards(data) for key, data in CONFIG.datasets.items()}
    SOURCES = {
        key: (
            data.model_copy(update=drawn.files(key, f"{RESULTS}/synthesize/{key}"))
            if data.synthesized
            else data
        )
        for key, data in CONFIG.datasets.items()
    }
except StageError as error:
    refuse(error)


pathvars:
    results=RESULTS,
    logs=f"logs/{CONFIG.run}",
    benchmarks=f"benchmarks/{CONFIG.run}",


wildcard_constraints:
    dataset="[a-z0-9][a-z0-9-]*",
    detector="[a-z0-9][a-z0-9-]*",
    backbone="[a-z0-9][a-z0-9-]*",
    bank="[a-z0-9][a-z0-9-]*",
    head="[a-z0-9][a-z0-9-]*",
    ensemble="[a-z0-9][a-z0-9-]*",
    shard="[0-9]{3}-of-[0-9]{3}",
    seed="[0-9]+",


# Jobs inherit these: `python` is the one that runs snakemake, the commands are found wherever --directory points, and
# further attempts know their invocation.
PYTHON_FOLDER = environ.get("ACARFLOW_PYTHON_FOLDER", str(Path(sys.executable).parent))
environ["PATH"] = pathsep.join([PYTHON_FOLDER, environ.get("PATH", "")])
environ["PYTHONPATH"] = pathsep.join(filter(None, [workflow.basedir, environ.get("PYTHONPATH")]))
environ.setdefault("ACARFLOW_INVOCATION", uuid.uuid4().hex)


# ---- settings: each stage's own part of the configuration, and its fingerprint ----


@functools.cache
def settings(stage, variant):
    """The text of results/<run>/config/<stage>/<variant>.json."""
    if (stage, variant) == ("run", "all"):
        return CONFIG.model_dump_json(indent=2)
    return canonical_json(payload(CONFIG, stage, variant).model_dump(mode="json"))


def sha(stage, wildcard):
    """The fingerprint of the settings of `stage` for the variant that stands in `wildcard`."""
    return lambda wildcards: text_sha(settings(stage, wildcards[wildcard]))


def expected_settings(stage, variant):
    try:
        return settings(stage, variant)
    except (KeyError, AssertionError):
        return None


@functools.cache
def videos(dataset):
    """The videos of each shard of a data set."""
    return sheets.dataset_shards(CONFIG, dataset)


if workflow.is_main_process:
    try:
        for dataset in CONFIG.datasets:
            videos(dataset)
        check_records(Path(RESULTS), Path(".snakemake"), expected_settings)
    except StageError as error:
        refuse(error)


# ---- threads, memory and devices ----

TORCH_THREADS = CONFIG.threads


def visible_gpus():
    """Number of GPUs this process may use, without asking torch: CUDA_VISIBLE_DEVICES, else the device files."""
    listed = environ.get("CUDA_VISIBLE_DEVICES")
    if listed is None:
        return sum(1 for _ in Path(os.devnull).parent.glob("nvidia[0-9]*"))
    return len([name for name in listed.split(",") if name.strip() not in ("", "-1")])


# Without `jobs` Snakemake runs the jobs itself, here: then no more of them hold a GPU at once than there are. With
# `jobs` (profiles/slurm) a scheduler places them, and there is no limit on this side.
RUNS_HERE = workflow.is_main_process and workflow.nodes is None
GPUS = visible_gpus() if RUNS_HERE else 0
GPU = 0 if RUNS_HERE and GPUS == 0 else 1
if GPUS and "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", GPUS)

# Two or more GPUs here: each job that asked for one claims a free one and sees no other.
if GPUS > 1:
    shell.prefix(
        "python() {{ case $2 in"
        " stages.train_detector|stages.detect|stages.pretrain|stages.finetune|stages.extract|stages.bank|stages.train"
        "|stages.predict)"
        f' command python {shlex.quote(workflow.basedir)}/workflow/claim_gpu.py .snakemake/gpus python "$@";;'
        ' *) command python "$@";; esac; }}; '
    )


def growing(amount):
    """A resource that grows with each attempt."""
    return signed(lambda wildcards, attempt: amount * attempt)
