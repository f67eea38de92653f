"""Rows of a file on disk, such as images, that are checked against their digests when first read."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from transferability.store.source import StoreError

DIGEST_BYTES = 16
READERS = 8  # threads that wait for the disk, copy and compute digests
_BLOCK_BYTES = 1 << 24  # of rows that a thread reads at a time

Number = TypeVar("Number", bound=np.generic)


def row_digests(rows: NDArray[Number]) -> NDArray[np.uint8]:
    """The first `DIGEST_BYTES` of the SHA-256 of each row's bytes, N x `DIGEST_BYTES`."""
    digests = b"".join(hashlib.sha256(np.ascontiguousarray(row).data).digest()[:DIGEST_BYTES] for row in rows)
    return np.frombuffer(digests, dtype=np.uint8).reshape(len(rows), DIGEST_BYTES)


class CheckedRows(Generic[Number]):
    """An array on disk whose rows are each checked the first time that this process reads them.

    Args:
        rows: N x anything, memory-mapped.
        digests: N x `DIGEST_BYTES`, from `row_digests` when the rows were written.
        path: the file, for messages.
        name_of: the name of a row, by its position, for messages.
        remedy: what to do if a row is damaged.
    """

    def __init__(
        self, rows: NDArray[Number], digests: NDArray[np.uint8], path: Path, name_of: Callable[[int], str], remedy: str
    ) -> None:
        self._rows, self._digests = rows, digests
        self._path, self._name_of, self._remedy = path, name_of, remedy
        self._seen = np.zeros(len(rows), dtype=bool)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> tuple[int, ...]:
        return self._rows.shape

    @property
    def digests(self) -> NDArray[np.uint8]:
        """The digests of all rows as they were written, N x `DIGEST_BYTES`."""
        return self._digests

    def __getitem__(self, positions: NDArray[np.int64] | slice | int) -> NDArray[Number]:
        """The rows at these positions, in memory; StoreError that names the file and a row if one is damaged."""
        chosen = np.arange(len(self))[positions]
        wanted = np.atleast_1d(chosen)
        read = np.empty((len(wanted), *self.shape[1:]), dtype=self._rows.dtype)

        def fill(part: slice) -> None:
            read[part] = self._rows[wanted[part]]
            self._check(wanted[part], read[part])

        self._in_blocks(fill, len(wanted))
        return read if chosen.ndim else read[0]

    def once_checked(self, positions: NDArray[np.int64]) -> NDArray[Number]:
        """All rows, as they are on disk; those at these positions are checked first."""
        new = np.unique(positions[~self._seen[positions]])
        self._in_blocks(lambda part: self._check(new[part], self._rows[new[part]]), len(new))
        return self._rows

    def _in_blocks(self, work: Callable[[slice], None], count: int) -> None:
        blocks = list(self._blocks(count))
        if len(blocks) < 2:
            for block in blocks:
                work(block)
            return
        with ThreadPoolExecutor(READERS) as pool:
            list(pool.map(work, blocks))

    def _blocks(self, count: int) -> Iterator[slice]:
        size = max(1, _BLOCK_BYTES // max(1, self._rows[:1].nbytes))
        return (slice(start, min(start + size, count)) for start in range(0, count, size))

    def _check(self, positions: NDArray[np.int64], rows: NDArray[Number]) -> None:
        new = ~self._seen[positions]
        if not new.any():
            return
        wrong = (row_digests(rows[new]) != self._digests[positions[new]]).any(axis=1)
        if wrong.any():
            name = self._name_of(int(positions[new][wrong][0]))
            raise StoreError(f"{self._path}: damaged ({name} is not what was written); {self._remedy}")
        self._seen[positions] = True
