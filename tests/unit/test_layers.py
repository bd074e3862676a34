"""Who may import whom. Floor 0 knows plain Python and numpy; floor 1 knows floor 0, one library each, and not its own
neighbours; stages know both and never another stage; the workflow knows the configuration alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STAGES = ROOT / "stages"
FLOOR_0 = {"errors", "files", "halving", "parallel", "geometry", "metrics", "config", "annotations"}
FLOOR_1 = {"artifacts", "video", "models", "detectors"}
COMMAND_LINE = {"cli", "progress"}
TOOLS = {"annotations", "inspect", "checkpoint"}

PLAIN = {"numpy", "pydantic"}
LIBRARIES = {
    "artifacts": {"numpy", "h5py"},
    "video": {"numpy", "decord", "av", "cv2", "PIL"},
    "models": {"numpy", "torch", "torchvision", "safetensors", "openvino"},
    "detectors": {"numpy", "torch", "torchvision", "safetensors", "mmdet", "mmcv", "mmengine", "cv2"},
    "cli": set(),
    "progress": {"tqdm"},
}
HOMES = {
    "decord": "video",
    "mmdet": "detectors",
    "mmcv": "detectors",
    "mmengine": "detectors",
    "h5py": "artifacts",
    "openvino": "models",
}
NOT_IN_CORE = {"argparse", "h5py", "pathlib"}
NEEDS_A_FOLDER = {"train_detector"}  # mmengine's runner works in a folder, which the command line gives it
HEAVY = ("torch", "torchvision", "mmdet", "mmcv", "mmengine", "decord", "matplotlib", "openvino")


def modules() -> list[Path]:
    return sorted(path for path in STAGES.rglob("*.py") if "__pycache__" not in path.parts)


def imports(path: Path, name: str = "") -> Iterator[str]:
    """Every module that a file imports, at any depth of its code; relative imports are refused."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module
            yield node.module
            if node.module in ("stages", "stages.lib"):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def unit(path: Path) -> tuple[str, str]:
    """("lib", part of lib) or ("stage", stage) of a file."""
    first, *rest = path.relative_to(STAGES).parts
    if first == "lib":
        return "lib", rest[0].removesuffix(".py")
    return "stage", first.removesuffix(".py")


def own_parts(found: set[str]) -> tuple[set[str], set[str]]:
    """Parts of lib, and stages, among imported modules."""
    split = [name.split(".") for name in found if name.startswith("stages.")]
    return (
        {parts[2] for parts in split if parts[1] == "lib" and len(parts) > 2},
        {parts[1] for parts in split if parts[1] != "lib"},
    )


def libraries(found: set[str]) -> set[str]:
    """Imported packages that are neither of the standard library nor of the project."""
    tops = {name.split(".")[0] for name in found}
    return tops - set(sys.stdlib_module_names) - {"stages", "__future__"}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(STAGES)))
def test_imports_go_downwards(path: Path) -> None:
    kind, name = unit(path)
    found = set(imports(path))
    parts, stages = own_parts(found)
    if kind == "stage":
        assert stages <= {name}, "a stage knows no other stage"
        foreign = libraries(found) & set(HOMES)
        allowed = {"h5py"} if name in TOOLS else set()
        assert foreign <= allowed, (
            f"only stages.lib.{HOMES.get(next(iter(foreign), ''), '')} imports {foreign}"
        )
        return
    assert not stages, "lib knows no stage"
    if name in FLOOR_0:
        assert parts <= FLOOR_0
        assert libraries(found) <= PLAIN
    elif name in FLOOR_1:
        assert parts <= FLOOR_0 | {name, "progress"}
        assert libraries(found) <= LIBRARIES[name]
    else:
        assert name in COMMAND_LINE | {"__init__"}, f"stages/lib/{name} has no floor"
        assert parts <= FLOOR_0 | {"artifacts", name}
        assert libraries(found) <= LIBRARIES.get(name, set())


@pytest.mark.parametrize(
    "path", sorted(STAGES.glob("*/core.py")), ids=lambda path: str(path.relative_to(STAGES).parent)
)
def test_the_core_of_a_stage_has_no_paths_and_no_command_line(path: Path) -> None:
    allowed = {"pathlib"} if path.parent.name in NEEDS_A_FOLDER else set()
    assert {name.split(".")[0] for name in imports(path)} & NOT_IN_CORE <= allowed
    assert "stages.lib.cli" not in set(imports(path))


def test_every_stage_is_a_command_and_every_package_is_known() -> None:
    from stages.lib.config.versions import VERSIONS

    packages = {path.parent.name for path in STAGES.glob("*/__init__.py")} - {"lib"}
    assert packages <= set(VERSIONS) | TOOLS
    assert set(VERSIONS) <= packages
    assert all((STAGES / name / "__main__.py").exists() for name in packages)
    parts = {
        path.relative_to(STAGES / "lib").parts[0].removesuffix(".py")
        for path in (STAGES / "lib").rglob("*.py")
    }
    assert parts - {"__init__"} == FLOOR_0 | FLOOR_1 | COMMAND_LINE


def test_commands_start_without_heavy_libraries() -> None:
    """So that bad settings, a refusal and --help take no seconds."""
    names = [f"stages.{path.parent.name}.__main__" for path in sorted(STAGES.glob("*/__main__.py"))]
    code = "import importlib, sys\n"
    code += f"[importlib.import_module(name) for name in {names!r}]\n"
    code += f"print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_workflow_knows_the_configuration_alone() -> None:
    for path in [ROOT / "Snakefile", *sorted((ROOT / "workflow").rglob("*.smk"))]:
        for line in path.read_text().splitlines():
            words = line.split()
            if words[:1] in (["from"], ["import"]) and len(words) > 1 and words[1].startswith("stages"):
                assert words[1].startswith(("stages.lib.config", "stages.lib.errors")), f"{path.name}: {line}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(STAGES)))
def test_files_stay_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300
