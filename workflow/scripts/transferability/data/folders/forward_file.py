"""A compressed file as tarfile reads one: forward only."""

from collections.abc import Callable, Iterator
from typing import IO, Any, Protocol

_PIECE = 1 << 20
_KEPT = 1 << 10  # tarfile looks back by a byte


class Decompressor(Protocol):
    """The interface that zlib, bz2 and lzma have in common."""

    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes, /) -> bytes: ...


def decompressed(file: IO[bytes], new: Callable[[], Any]) -> Iterator[bytes]:
    """The content of a file of one or more compressed streams; the decompressor's error if anything else follows.

    EOFError if it is cut off.
    """
    decompressor: Decompressor = new()
    while data := file.read(_PIECE):
        while data:
            if decompressor.eof:
                data = data.lstrip(b"\0")  # padding
                if not data:
                    break
                decompressor = new()
            yield decompressor.decompress(data)
            data = decompressor.unused_data if decompressor.eof else b""
    if not decompressor.eof:
        raise EOFError("its end is missing: it is cut off")


class ForwardFile:
    """An iterator of bytes as a file that can be read, with seeks forward or slightly back."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._buffer = bytearray()
        self._start = 0  # of the buffer
        self._place = 0

    def tell(self) -> int:
        return self._place

    def seek(self, place: int) -> int:
        """Go to a byte; ValueError if it is too far back."""
        if place < self._start:
            raise ValueError(f"byte {place} is no longer at hand")
        while place > self._end() and self._fill():
            self._place = self._end()
            self._forget()
        self._place = min(place, self._end())
        return self._place

    def read(self, size: int = -1) -> bytes:
        """The next ``size`` bytes, all by default, or fewer at the end."""
        while (size < 0 or self._end() < self._place + size) and self._fill():
            pass
        begin = self._place - self._start
        data = bytes(self._buffer[begin : len(self._buffer) if size < 0 else begin + size])
        self._place += len(data)
        self._forget()
        return data

    def _end(self) -> int:
        return self._start + len(self._buffer)

    def _fill(self) -> bool:
        piece = next(self._pieces, None)
        self._buffer += piece or b""
        return piece is not None

    def _forget(self) -> None:
        passed = self._place - self._start - _KEPT
        if passed > 0:
            del self._buffer[:passed]
            self._start += passed
