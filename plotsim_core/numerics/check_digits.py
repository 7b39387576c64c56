"""Check digits of identifiers, computed for all rows at once.

Rows are code points of their letters, shape (rows, width). Each function here makes another that writes the check letters
into their positions; `run` does several in turn. The rules are those of the standards that the names say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from plotsim_core.numerics.arrays import Integers

Letters = NDArray[np.uint32]
Check = Callable[[Letters], None]
_ZERO, _A = ord("0"), ord("A")
_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
"""Values of letters at odd positions of Italian codes; digits have those of the first ten letters."""


def run(*checks: Check) -> Check:
    """Return the check that does several in their order."""

    def write(letters: Letters) -> None:
        for check in checks:
            check(letters)

    return write


def values(letters: Letters, positions: Sequence[int]) -> Integers:
    """Return the values of letters at some positions: of digits their own, of A to Z 10 to 35; shape (rows, positions)."""
    codes = letters[:, list(positions)].astype(np.int64)
    return np.where(codes >= _A, codes - _A + 10, codes - _ZERO)


def weighted_sum(letters: Letters, positions: Sequence[int], weights: Sequence[int]) -> Integers:
    """Return the sum of the digits at some positions, each times its weight."""
    total = np.zeros(len(letters), dtype=np.int64)
    for column, weight in zip(values(letters, positions).T, weights, strict=True):
        total += column * weight
    return total


def remainder(letters: Letters, positions: Sequence[int], modulus: int) -> Integers:
    """Return the number that the letters at some positions spell (a letter as two digits), modulo `modulus`."""
    rest = np.zeros(len(letters), dtype=np.int64)
    for column in values(letters, positions).T:
        rest = (rest * np.where(column > 9, 100, 10) + column) % modulus
    return rest


def write_number(letters: Letters, position: int, numbers: Integers, width: int = 1) -> None:
    """Write numbers as `width` digits from a position on."""
    for step in range(width):
        letters[:, position + step] = numbers // 10 ** (width - 1 - step) % 10 + _ZERO


def luhn(positions: Sequence[int], check: int) -> Check:
    """The Luhn digit (ISO/IEC 7812, annex B) of cards, Swedish and Canadian numbers."""

    def write(letters: Letters) -> None:
        total = np.zeros(len(letters), dtype=np.int64)
        for step, column in enumerate(values(letters, positions).T[::-1]):
            doubled = column * 2
            total += np.where(doubled > 9, doubled - 9, doubled) if step % 2 == 0 else column
        write_number(letters, check, -total % 10)

    return write


def gtin(positions: Sequence[int], check: int) -> Check:
    """The GS1 digit of EAN codes and Swiss numbers; weights 3 and 1 from the right."""
    weights = [3 if step % 2 == 0 else 1 for step in range(len(positions))][::-1]
    return lambda letters: write_number(letters, check, -weighted_sum(letters, positions, weights) % 10)


def by_weights(positions: Sequence[int], weights: Sequence[int], check: int, digits: Sequence[int]) -> Check:
    """A weighted sum whose remainder by `len(digits)` chooses the check digit."""
    chosen = np.array(digits, dtype=np.int64)
    return lambda letters: write_number(letters, check, chosen[weighted_sum(letters, positions, weights) % len(chosen)])


def by_weights_unless_ten(positions: Sequence[int], weights: Sequence[int], check: int, sign: int = 1) -> Check:
    """A check digit of `sign` times a weighted sum, modulo 11, where numbers that would need a 10 are not given out.

    The last position holds one of nine digits: of the ten, the one that would need a 10, or the last, is left out.
    """
    last = positions[-1]
    inverse = pow(weights[-1], -1, 11)

    def write(letters: Letters) -> None:
        rest = weighted_sum(letters, positions[:-1], weights[:-1])
        digit = values(letters, [last])[:, 0]
        digit += digit >= (10 * sign - rest) * inverse % 11
        write_number(letters, last, digit)
        write_number(letters, check, (rest + weights[-1] * digit) * sign % 11)

    return write


def by_letter(positions: Sequence[int], check: int, alphabet: str) -> Check:
    """A check letter: the number's remainder by the length of an alphabet chooses from it."""
    codes = np.array([ord(letter) for letter in alphabet], dtype=np.uint32)

    def write(letters: Letters) -> None:
        letters[:, check] = codes[remainder(letters, positions, len(codes))]

    return write


def italian(positions: Sequence[int], check: int) -> Check:
    """The check letter of Italian tax codes and bank accounts."""
    odd = np.array([*_ODD[:10], *_ODD], dtype=np.int64)

    def write(letters: Letters) -> None:
        counts = values(letters, positions)
        total = odd[counts[:, 0::2]].sum(axis=1) + np.where(counts > 9, counts - 10, counts)[:, 1::2].sum(axis=1)
        letters[:, check] = total % 26 + _A

    return write


def german_pension(positions: Sequence[int], weights: Sequence[int], check: int) -> Check:
    """German pension numbers: the digit sums of weighted digits, a letter as its two digits of place in the alphabet."""

    def write(letters: Letters) -> None:
        total = np.zeros(len(letters), dtype=np.int64)
        remaining_weights = iter(weights)
        for position in positions:
            codes = letters[:, position].astype(np.int64)
            letter = codes - _A + 1
            digits = [letter // 10, letter % 10] if int(codes.max(initial=0)) >= _A else [codes - _ZERO]
            for digit in digits:
                product = digit * next(remaining_weights)
                total += product // 10 + product % 10
        write_number(letters, check, total % 10)

    return write


def iban(width: int) -> Check:
    """ISO 13616: the two digits after the country, over the account and the country."""
    positions = [*range(4, width), 0, 1]
    return lambda letters: write_number(letters, 2, 98 - remainder(letters, positions, 97) * 100 % 97, 2)
