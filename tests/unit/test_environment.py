"""pyproject.toml, requirements.in, requirements.lock and environment.yml say the same, and the lock is complete.

conda and mamba themselves are not run here: environment.yml is parsed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PYTHONS = ("3.11", "3.12", "3.13")
REPLACED = {"opencv-python": "opencv-python-headless"}


def lines(name: str) -> list[str]:
    """The lines of a requirements file without comments."""
    stripped = [line.strip() for line in (ROOT / name).read_text().splitlines()]
    return [line for line in stripped if line and not line.startswith("#")]


def lock() -> dict[str, str]:
    """Version by canonical name."""
    pins = [line.partition("==") for line in lines("requirements.lock")]
    assert all(sign and re.fullmatch(r"[A-Za-z0-9._]+", version) for _, sign, version in pins)
    return {canonicalize_name(name): version for name, _, version in pins}


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def wanted() -> list[Requirement]:
    """What the project asks for by name."""
    table = project()
    return [Requirement(text) for text in table["dependencies"] + table["optional-dependencies"]["dev"]]


def test_the_same_is_asked_for_everywhere() -> None:
    assert sorted(map(str, wanted())) == sorted(str(Requirement(line)) for line in lines("requirements.in"))


@pytest.mark.parametrize("requirement", wanted(), ids=lambda requirement: requirement.name)
def test_the_lock_holds_what_is_asked_for(requirement: Requirement) -> None:
    assert requirement.specifier.contains(lock()[canonicalize_name(requirement.name)])


def test_the_lock_names_each_package_once_and_no_source() -> None:
    assert len(lines("requirements.lock")) == len(lock())
    text = (ROOT / "requirements.lock").read_text()
    assert "http" not in text
    assert "@" not in text
    assert "opencv-python" not in lock()


def test_conda_users_get_the_same_pins() -> None:
    parsed = yaml.safe_load((ROOT / "environment.yml").read_text())
    *packages, pip = parsed["dependencies"]
    assert pip["pip"] == lines("requirements.lock")
    assert {"pip", "make", "git"} <= set(packages)
    (python,) = [package for package in packages if package.startswith("python")]
    assert SpecifierSet(python.removeprefix("python")) == SpecifierSet(project()["requires-python"])
    assert parsed["channels"] == ["conda-forge", "nodefaults"]


def test_every_supported_python_is_named() -> None:
    allowed = SpecifierSet(project()["requires-python"])
    assert [version for version in ("3.10", *PYTHONS, "3.14") if version in allowed] == list(PYTHONS)


def installed(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None


def needed_by(name: str, python: str) -> set[str]:
    """Names that an installed package asks for on Linux with this Python."""
    found = installed(name)
    environment = {"python_version": python, "python_full_version": f"{python}.0", "extra": ""}
    environment |= {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
    requirements = [Requirement(text) for text in (found.requires if found else None) or []]
    kept = [one for one in requirements if one.marker is None or one.marker.evaluate(environment)]
    return {canonicalize_name(one.name) for one in kept}


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_is_complete(python: str) -> None:
    """It is installed with --no-deps, so nothing that a package asks for may be missing from it."""
    pins = lock()
    missing = {(name, other) for name in pins for other in needed_by(name, python) if other not in pins}
    assert all(REPLACED.get(other) in pins for _, other in missing), missing


def test_what_is_installed_is_what_is_locked() -> None:
    found = {name: metadata.version(name) for name in lock() if installed(name)}
    assert found == lock()


def test_pip_complains_of_the_replaced_package_alone() -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stdout.splitlines() if "No broken requirements" not in line]
    assert all(
        re.search(r" requires opencv-python, which is not installed\.", line) for line in complaints
    ), complaints


def test_the_libraries_work_together() -> None:
    code = "import cv2, mmengine, mmcv, mmdet, torch, torchvision; print(cv2.__version__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].split(".")[0] == "4"
    window_system = subprocess.run(
        [sys.executable, "-c", "import cv2; print(cv2.getBuildInformation())"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r"GUI:\s+NONE", window_system.stdout)


def test_the_licence_is_the_whole_apache_licence() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert project()["license"] == "Apache-2.0"


@pytest.fixture
def with_stamp(tmp_path: Path) -> Path:
    """A folder in which the environment of the lock file has been made."""
    for name in ("Makefile", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    digest = hashlib.sha256((tmp_path / "requirements.lock").read_bytes()).hexdigest()
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / f"installed-{digest[:16]}").touch()
    return tmp_path


def asks_for_installation(folder: Path) -> bool:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "--dry-run", "environment"], cwd=folder, env=env, capture_output=True, text=True, check=True
    )
    return "pip install" in done.stdout


def test_a_newer_time_of_the_lock_file_installs_nothing(with_stamp: Path) -> None:
    stamp = next((with_stamp / ".venv").iterdir())
    os.utime(with_stamp / "requirements.lock", (stamp.stat().st_mtime + 100,) * 2)
    assert not asks_for_installation(with_stamp)


def test_another_content_of_the_lock_file_installs_anew(with_stamp: Path) -> None:
    with (with_stamp / "requirements.lock").open("a") as handle:
        handle.write("# another\n")
    assert asks_for_installation(with_stamp)
