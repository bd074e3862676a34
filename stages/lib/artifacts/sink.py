"""A file for HDF5 that never fails towards the library: HDF5 crashes the process after a failed write or close.

The first refusal of the file system (full, over quota) is remembered for `write_artifact`, and nothing is written
any more; HDF5 goes on as if all were well until the file is closed.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any


class Sink(io.RawIOBase):
    """A new binary file for reading and writing."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("w+b", buffering=0)
        self.refusal: OSError | None = None

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer; what is not in the file reads as zeros."""
        view = memoryview(buffer).cast("B")
        done = self._file.readinto(view) or 0
        view[done:] = bytes(len(view) - done)
        return len(view)

    def write(self, data: Any) -> int:
        """Write all of `data`, or remember why that failed."""
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view) and self.refusal is None:
            try:
                done += self._file.write(view[done:]) or 0
            except OSError as error:
                self.refusal = error
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        try:
            return self._file.truncate(size)
        except OSError as error:
            self.refusal = self.refusal or error
            return size or 0

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
