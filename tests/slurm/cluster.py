"""A real Slurm of two nodes on this host, in a folder of its own and for as long as it is needed.

    python -m tests.slurm.cluster install           Debian's packages, as root
    python -m tests.slurm.cluster COMMAND...        run a command with the cluster up; its exit code

Node `one` has a GPU (a device file that is none), node `two` has not. No accounting, so the Snakemake plugin asks squeue.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("slurm-wlm", "munge")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")
NODES = ("one", "two")
SECONDS_TO_START = 60


@dataclass(frozen=True)
class Cluster:
    """A running cluster: its folder, with the logs of its daemons, and the commands that speak to it."""

    folder: Path

    def env(self, path: str) -> dict[str, str]:
        """The search path with this cluster's commands first; Snakemake's plugin takes SLURM_CONF away in jobs."""
        return {"PATH": os.pathsep.join([str(self.folder / "bin"), path])}

    def slurm(self, *words: str) -> str:
        """The output of a command of Slurm; RuntimeError with its message when it fails."""
        done = subprocess.run(
            [str(self.folder / "bin" / words[0]), *words[1:]], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr}{done.stdout}")
        return done.stdout


def why_not() -> str:
    """Why no cluster can be started here; empty when one can."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    if missing:
        return f"{', '.join(missing)} not found: python -m tests.slurm.cluster install"
    return "" if os.geteuid() == 0 else "Slurm's daemons start jobs as root only"


@contextmanager
def running() -> Iterator[Cluster]:
    """A cluster whose nodes are idle; everything that it started is ended by process id afterwards.

    Raises:
        RuntimeError: it does not come up, with the ends of its logs.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp")))
        folder.chmod(0o755)  # munge wants its socket where everybody may look
        cluster = Cluster(folder)
        _configure(folder)
        for words in _daemons(folder):
            stack.enter_context(_daemon(words, cluster))
        _wait(cluster)
        yield cluster


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def _daemons(folder: Path) -> list[list[str]]:
    munged = [
        f"--{name}={folder / 'munge' / name}" for name in ("socket", "log-file", "pid-file", "seed-file")
    ]
    conf = str(folder / "slurm.conf")
    return [
        ["munged", "--foreground", "--force", f"--key-file={folder / 'munge.key'}", *munged],
        ["slurmctld", "-D", "-f", conf],
        *(["slurmd", "-D", "-f", conf, "-N", name] for name in NODES),
    ]


@contextmanager
def _daemon(words: Sequence[str], cluster: Cluster) -> Iterator[None]:
    log = cluster.folder / f"{words[0]}{words[-1] if words[0] == 'slurmd' else ''}.out"
    with log.open("w") as stream:
        process = subprocess.Popen(
            words, env=os.environ | {"PATH": _path()}, stdout=stream, stderr=subprocess.STDOUT
        )
        try:
            if words[0] == "munged":
                _until(lambda: (cluster.folder / "munge/socket").exists(), cluster)
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(cluster: Cluster) -> None:
    def idle() -> bool:
        try:
            states = cluster.slurm("sinfo", "--noheader", "--Node", "--format", "%N %t").split()
        except RuntimeError:
            return False
        return states.count("idle") == len(NODES)

    _until(idle, cluster)


def _until(condition: object, cluster: Cluster) -> None:
    assert callable(condition)
    deadline = time.monotonic() + SECONDS_TO_START
    while not condition():
        if time.monotonic() > deadline:
            logs = [f"{log.name}:\n{log.read_text()[-1500:]}" for log in sorted(cluster.folder.glob("*.out"))]
            raise RuntimeError("the cluster does not come up\n" + "\n".join(logs))
        time.sleep(0.2)


def _configure(folder: Path) -> None:
    """Writes the keys and the two files of settings; every path is inside `folder`."""
    host = socket.gethostname()
    (folder / "munge").mkdir(mode=0o755)
    for name in ("state", *(f"spool-{node}" for node in NODES)):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    controller, *ports = _free_ports(1 + len(NODES))
    nodes = [
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=12000"
        + (" Gres=gpu:1" if name == NODES[0] else "")
        for name, port in zip(NODES, ports, strict=True)
    ]
    lines = [
        "ClusterName=acarflow",
        f"SlurmctldHost={host}(127.0.0.1)",
        f"SlurmctldPort={controller}",
        "SlurmUser=root",
        "SlurmdUser=root",
        f"AuthInfo=socket={folder / 'munge/socket'}",
        f"StateSaveLocation={folder / 'state'}",
        f"SlurmdSpoolDir={folder / 'spool-%n'}",
        f"SlurmctldPidFile={folder / 'slurmctld.pid'}",
        f"SlurmdPidFile={folder / 'slurmd-%n.pid'}",
        "ProctrackType=proctrack/linuxproc",
        "TaskPlugin=task/none",
        "SelectType=select/cons_tres",
        "SelectTypeParameters=CR_Core_Memory",
        "JobAcctGatherType=jobacct_gather/none",
        "AccountingStorageType=accounting_storage/none",
        "MpiDefault=none",
        "GresTypes=gpu",
        "ReturnToService=2",
        "KillWait=3",
        "MinJobAge=86400",
        "SchedulerParameters=sched_interval=2,batch_sched_delay=0",
        *nodes,
        f"PartitionName=all Nodes={','.join(NODES)} Default=YES MaxTime=INFINITE State=UP",
    ]
    (folder / "slurm.conf").write_text("\n".join(lines) + "\n")
    (folder / "bin").mkdir()
    for name in PROGRAMS[3:]:
        command = folder / "bin" / name
        command.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which(name)} "$@"\n')
        command.chmod(0o755)
    (folder / "gres.conf").write_text(f"NodeName={NODES[0]} Name=gpu File=/dev/null\n")


def _free_ports(count: int) -> list[int]:
    """Ports that are free at this moment, each found while the others are held."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def install() -> int:
    """Installs Debian's packages where that may be done, else says why not; the exit code of apt-get."""
    if os.geteuid() or not shutil.which("apt-get"):
        print(f"not installed: {' '.join(PACKAGES)} (needs root and apt-get)")
        return 0
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *PACKAGES]):
        code = subprocess.run(["apt-get", *words], env=env, check=False).returncode
        if code:
            return code
    return 0


def main(words: Sequence[str]) -> int:
    """Run the command line."""
    if not words:
        print(__doc__, file=sys.stderr)
        return 2
    if list(words) == ["install"]:
        return 0 if not why_not() else install()
    reason = why_not()
    if reason:
        print(f"no cluster: {reason}", file=sys.stderr)
        return 2
    with running() as cluster:
        return subprocess.run(words, env=os.environ | cluster.env(os.environ["PATH"]), check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
