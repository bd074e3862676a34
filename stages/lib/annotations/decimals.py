"""Numbers out of a block of text without a Python loop: eight characters at a time, as one 64-bit word.

A field such as `0.308489` is loaded as a word, its point is squeezed out, pairs, quads and halves of digits are
added up, and the integer is divided by a power of ten. Both are exact in float64, so the quotient is the correctly
rounded value, the one `float()` gives. Fields that do not fit (exponents, more than 15 digits) go through `float()`.
"""

from __future__ import annotations

import re
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]
Bools = NDArray[np.bool_]
Number = TypeVar("Number", bound=np.generic)

PAD = 80  # bytes of padding on both sides of a block, so that any field can be loaded in whole words
_NUMBER = re.compile(rb"[ \t]*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[ \t]*")
_POWERS = 10.0 ** np.arange(23)
_EXACT = np.uint64(1 << 53)


class Text:
    """A block of text with PAD bytes before and behind it and, at every byte, the eight-byte word that starts there."""

    def __init__(self, padded: bytearray) -> None:
        self.raw = padded
        self.bytes = np.frombuffer(padded, np.uint8)
        self.words: Words = np.ndarray((len(padded) - 7,), "<u8", buffer=padded, strides=(1,))

    def field(self, start: int, end: int) -> bytes:
        """The characters from `start` to `end`, both counted in the padded block."""
        return bytes(self.raw[start:end])


def parse_decimals(text: Text, start: Ints, end: Ints) -> tuple[NDArray[np.float64], Bools]:
    """Values (n,) of the fields [start, end) and where a field is no finite decimal number (its value is NaN)."""
    length = end - start
    short = _as_one(length)
    low, decimals, odd = _eight_digits(text.words[end - 8], np.minimum(short, 8))
    odd |= (short < 2) & ((short < 1) | (text.bytes[end - 1] == ord(".")))
    if length.size and int(short.max()) > 8:
        low, decimals, odd = _with_high_word(text, end, length, low, decimals, odd)
    values = low.astype(np.float64)
    values /= _POWERS[decimals]
    bad = np.zeros(len(values), dtype=bool)
    if odd.any():
        rows = np.flatnonzero(odd)
        values[rows], bad[rows] = _parse_odd(text, start[rows], end[rows])
    return values, bad


def _parse_odd(text: Text, start: Ints, end: Ints) -> tuple[NDArray[np.float64], Bools]:
    """Fields that are no plain digits with a point: negative numbers fast, everything else one by one."""
    values = np.full(len(start), np.nan)
    minus = (text.bytes[start] == ord("-")) & (end - start > 1) & (text.bytes[start + 1] != ord("-"))
    if minus.any():
        values[minus] = -parse_decimals(text, start[minus] + 1, end[minus])[0]
    for row in np.flatnonzero(~minus):
        field = text.field(int(start[row]), int(end[row]))
        values[row] = float(field) if _NUMBER.fullmatch(field) else np.nan
    values[np.isinf(values)] = np.nan
    return values, np.isnan(values)


def _with_high_word(
    text: Text, end: Ints, length: Ints, low: Words, decimals: Ints, odd: Bools
) -> tuple[Words, Ints, Bools]:
    """Fields of up to 16 characters; longer ones are odd."""
    high, high_decimals, high_odd = _eight_digits(text.words[end - 16], np.clip(length - 8, 0, 8))
    point_low, point_high = decimals > 0, high_decimals > 0
    # A point as the last character of a word leaves no decimals behind it in that word: float() reads such fields.
    ends_in_point = (text.bytes[end - 1] == ord(".")) | (text.bytes[end - 9] == ord("."))
    odd = odd | high_odd | (point_low & point_high) | ((length > 8) & ends_in_point) | (length > 16)
    low = low + high * np.where(point_low, _u(10**7), _u(10**8))
    odd |= low > _EXACT
    return low, np.where(point_high, high_decimals + 8, decimals), odd


def _eight_digits(word: Words, length: Ints) -> tuple[Words, Ints, Bools]:
    """Integer of the last `length` characters of each word, digits behind the point, and where it is none.

    A point is 0x2e, or 0x1e once 0x30 is taken away by xor: bit 4 marks it, no digit has that bit.
    `length` and the digits behind the point have one element where all fields agree, as they mostly do.
    """
    shift = ((8 - length) * 8).astype(np.uint64)
    digits = ((word ^ _u(0x3030303030303030)) >> shift) << shift
    mark = _as_one(digits & _u(0x1010101010101010))
    odd = np.zeros(len(word), dtype=bool)
    decimals = np.zeros(1, dtype=np.int64)
    if mark.any():
        has_point = mark != 0
        below = (mark >> _u(4)) - _u(1)  # the bytes before the point; they move up by one, over it
        above = ~((mark << _u(4)) - _u(1))
        bits_below = np.bitwise_count(below)
        wrong = ((digits >> bits_below.astype(np.uint64)) & _u(0xFF)) != 0x1E
        odd = has_point & (((mark & (mark - _u(1))) != 0) | wrong)
        digits = np.where(has_point, (digits & above) | ((digits & below) << _u(8)), digits)
        decimals = np.where(odd[: len(mark)] | ~has_point, 0, 7 - bits_below.astype(np.int64) // 8)
    tens = (digits | (digits + _u(0x0606060606060606))) & _u(0xF0F0F0F0F0F0F0F0)
    odd |= tens != 0
    digits = (digits * _u(10) + (digits >> _u(8))) & _u(0x00FF00FF00FF00FF)
    digits = (digits * _u(100) + (digits >> _u(16))) & _u(0x0000FFFF0000FFFF)
    digits = (digits * _u(10000) + (digits >> _u(32))) & _u(0x00000000FFFFFFFF)
    return digits, decimals, odd


def _as_one(values: NDArray[Number]) -> NDArray[Number]:
    """The first element alone where all elements are equal, else the array itself."""
    return values[:1] if len(values) and bool((values == values[0]).all()) else values


def _u(value: int) -> np.uint64:
    return np.uint64(value)
