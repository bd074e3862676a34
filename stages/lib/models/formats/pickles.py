"""Pickles of numbers, read without running anything: arrays are rebuilt by stand-ins, all other code is refused.

A pickle is a small program that may call any function by name. Here the only names it can call are numpy's three for
arrays and one for bytes, and what answers them is not numpy but the classes below, which check sizes before they believe
them.
"""

from __future__ import annotations

import io
import math
import pickle
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stages.lib.errors import StageError

ALLOWED_KINDS: Final = "fiub"
_NUMPY_CORES: Final = ("numpy.core.multiarray", "numpy._core.multiarray")


class RefusedError(Exception):
    """A pickle asks for code; `name` is what it asks for."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def load_numbers(content: bytes, where: str) -> Any:
    """The plain containers, texts, numbers and arrays of a pickle of Python 2 or 3 (Python 2's texts as latin-1).

    Raises:
        StageError: it asks for anything else, or is damaged.
    """
    try:
        return _finished(_Reader(io.BytesIO(content), encoding="latin-1").load(), {})
    except RefusedError as refusal:
        raise refused(refusal.name, where) from None
    except Exception as error:  # noqa: BLE001 - a damaged pickle makes the unpickler raise whatever it meets
        raise damaged(
            f"the pickle breaks off or is damaged ({type(error).__name__}: {error})", where
        ) from None


def refused(name: str, where: str) -> StageError:
    """The error for a file that asks for code."""
    return StageError(
        f"refused: reading this file as it stands would run code of its choice, it asks for {name}; nothing was run",
        where,
        "do not open it with pickle or torch.load unless you trust its origin; a file with nothing but tensors is read",
    )


def damaged(what: str, where: str) -> StageError:
    """The error for a file that is cut short or altered."""
    return StageError(what, where, "copy or download the file again, and compare its size")


class _Reader(pickle._Unpickler):
    """An unpickler whose every lookup of a name goes through the short list below.

    It is Python's own in Python, whose memory grows with the file: the one in C believes any index of its memo.
    """

    def find_class(self, module: str, name: str) -> Any:
        if module in _NUMPY_CORES and name in ("_reconstruct", "scalar"):
            return _Array if name == "_reconstruct" else _Scalar
        if module == "numpy" and name in ("ndarray", "dtype"):
            return _Array if name == "ndarray" else _Type
        if (module, name) == ("_codecs", "encode"):
            return _Bytes
        if (module, name) == ("collections", "OrderedDict"):
            return _Dict
        raise RefusedError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise RefusedError("data outside of the pickle")


class _Type:
    """Stands for numpy.dtype: the code of a kind of number, and its byte order."""

    def __init__(self, code: str, *_flags: object) -> None:
        self.code, self.big_endian = str(code), False

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.big_endian = state[1] == ">"

    def dtype(self) -> np.dtype[Any]:
        found = np.dtype(self.code).newbyteorder(">" if self.big_endian else "<")
        if found.kind not in ALLOWED_KINDS:
            raise RefusedError(f"an array of {found}")
        return found


class _Array:
    """Stands for numpy's arrays: gets type, shape and bytes as its state."""

    def __init__(self, *_how: object) -> None:
        self.values: NDArray[Any] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, columns_first, raw = state
        self.values = _numbers(raw, kind, tuple(shape), "F" if columns_first else "C")


class _Unchangeable:
    """Refuses a state, so that a pickle can change neither the stand-ins nor what they make."""

    def __setstate__(self, state: object) -> None:
        raise ValueError("a state where none belongs")


class _Dict(dict[Any, Any], _Unchangeable):
    """Stands for an ordered dictionary."""


class _Scalar(_Unchangeable):
    """Stands for numpy's single numbers; becomes an array without dimensions."""

    def __new__(cls, kind: _Type, raw: bytes | str) -> Any:
        return _numbers(raw, kind, (), "C")


class _Bytes(_Unchangeable):
    """Stands for `_codecs.encode`, with which Python 3 writes bytes into a pickle that Python 2 can read."""

    def __new__(cls, text: str, encoding: str) -> Any:
        if encoding != "latin1":
            raise RefusedError(f"the encoding {encoding}")
        return text.encode("latin-1")


def _numbers(raw: bytes | str, kind: _Type, shape: tuple[int, ...], order: str) -> NDArray[Any]:
    content = raw.encode("latin-1") if isinstance(raw, str) else bytes(raw)
    dtype = kind.dtype()
    if len(content) != math.prod(shape) * dtype.itemsize or min(shape, default=0) < 0:
        raise ValueError(f"{len(content)} bytes for an array of shape {shape}")
    values = np.frombuffer(content, dtype).reshape(shape, order="F" if order == "F" else "C")
    return np.array(values, dtype.newbyteorder("="), order="C")


def _finished(value: Any, done: dict[int, Any]) -> Any:
    """The same containers with the arrays that the stand-ins hold; each object once, however often it is shared."""
    if id(value) in done:
        return done[id(value)]
    if isinstance(value, _Array):
        if value.values is None:
            raise ValueError("an array without values")
        return value.values
    if isinstance(value, dict):
        filled: dict[Any, Any] = {}
        done[id(value)] = filled
        filled.update({key: _finished(item, done) for key, item in value.items()})
        return filled
    if isinstance(value, list | tuple):
        items: list[Any] = []
        done[id(value)] = items
        items.extend(_finished(item, done) for item in value)
        return items
    return value
