"""The Snakefile parses fast, imports nothing heavy, its rules are documented, and its profiles are read."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

from tests.workflow.flow import ROOT, clean_environment, with_stubs

HEAVY = (
    "torch",
    "torchvision",
    "numpy",
    "h5py",
    "cv2",
    "av",
    "decord",
    "mmdet",
    "mmcv",
    "matplotlib",
    "scipy",
    "pandas",
)
LIMIT_SECONDS = 1.5
PARSE = """
import json, sys, time
from pathlib import Path
from snakemake.api import ConfigSettings, OutputSettings, ResourceSettings, SnakemakeApi
with SnakemakeApi(OutputSettings(quiet=set())) as api:
    flow = api.workflow(ResourceSettings(cores=2), ConfigSettings(), snakefile=Path(sys.argv[1]), workdir=Path(sys.argv[2]))
    before, start = set(sys.modules), time.process_time()
    rules = [rule.name for rule in flow._workflow.rules]
    seconds = time.process_time() - start
print(json.dumps({"seconds": seconds, "rules": rules, "modules": sorted(set(sys.modules) - before)}))
"""


def test_parses_fast_and_imports_nothing_heavy(tmp_path: Path) -> None:
    words = [sys.executable, "-c", PARSE, str(ROOT / "Snakefile"), str(tmp_path)]
    tries = []
    for _ in range(3):
        done = subprocess.run(
            words, env=clean_environment(), capture_output=True, text=True, check=True, timeout=120
        )
        tries.append(json.loads(done.stdout.splitlines()[-1]))
    assert "stages.lib.config.root" in tries[0]["modules"]
    assert [name for name in HEAVY if name in tries[0]["modules"]] == []
    assert {"synthesize", "index", "decode", "detect", "extract", "bank", "train", "predict"} <= set(
        tries[0]["rules"]
    )
    assert min(found["seconds"] for found in tries) < LIMIT_SECONDS


def test_a_job_on_a_cluster_starts_fast(tmp_path: Path) -> None:
    """The whole dry run of one target, which every job of a cluster does once."""
    flow = with_stubs(tmp_path, "playground")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    flow.counts("results/playground/config/train/linear.json")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 6


def test_every_rule_is_documented_and_logged() -> None:
    for path in sorted((ROOT / "workflow" / "rules").glob("*.smk")):
        text = path.read_text()
        assert text.startswith('"""'), f"{path.name} does not begin with its contract"
        for block in text.split("\nrule ")[1:]:
            name = block.partition(":")[0]
            assert block.splitlines()[1].strip().startswith('"""'), f"rule {name} has no docstring"
            assert "    log:" in block and "    conda:" in block, name
            if "localrule: True" not in block:
                assert all(f"    {part}:" in block for part in ("benchmark", "threads", "resources")), name


def test_both_profiles_are_read(tmp_path: Path) -> None:
    flow = with_stubs(tmp_path, "playground")
    text = flow.snakemake("--dry-run", "--quiet", "rules", "--profile", "slurm")
    assert "profiles/default" in text and "profile slurm" in text
    assert "total" in text


def test_the_default_profile_binds_no_executor_and_no_resource() -> None:
    import yaml

    profile = yaml.safe_load((ROOT / "profiles" / "default" / "profile.yaml").read_text())
    assert profile["rerun-triggers"] == ["mtime", "params", "input"]
    assert not {"executor", "jobs", "cores", "resources", "default-resources", "set-resources"} & set(profile)
    assert (ROOT / "slurm").readlink() == Path("profiles/slurm")
