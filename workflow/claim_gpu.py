"""Run a command on a GPU of its own: `python claim_gpu.py FOLDER COMMAND...` takes the first free device.

A device is taken by a lock on a file in FOLDER. The command inherits the open lock, so the device is free again when
the command ends, however it ends. The devices are those of CUDA_VISIBLE_DEVICES, or all of the machine's.
"""

import fcntl
import os
import sys
import time
from pathlib import Path


def devices() -> list[str]:
    """Names of the devices to choose from."""
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is not None:
        return [name.strip() for name in listed.split(",") if name.strip() not in ("", "-1")]
    return sorted(path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))


def claim(folder: Path) -> str:
    """Lock a device that nobody holds, waiting for one if need be; its name."""
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        for name in devices():
            handle = os.open(folder / f"gpu-{name}.lock", os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                continue
            os.set_inheritable(handle, True)
            return name
        time.sleep(1)


if __name__ == "__main__":
    os.environ["CUDA_VISIBLE_DEVICES"] = claim(Path(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
