"""Content encodings: request bodies decoded up to a limit, and replies compressed.

A body is never decoded further than the limit: what expands to gigabytes costs what the limit allows.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

from .messages import regrouped, weights

__all__ = ["EncodingError", "TooLargeError", "accepts_gzip", "decoded", "gzip_header_error", "gzipped"]

_GZIP: Final = 31  # zlib's window bits for gzip, header and checksum included
_CHUNK: Final = 1 << 18
# How much a decoder is given at once, and how many members a body may have: each costs time, whatever it holds. Those
# who write in members (bgzip, log files that are appended to) make larger ones.
_SLICE: Final = 1 << 14
_MEMBERS: Final = 10_000
_HEADER: Final = b"\x1f\x8b\x08"
_HEADER_BYTES: Final = 10


class EncodingError(ValueError):
    """A body is not what its Content-Encoding says. ``str()`` is what to answer.

    >>> issubclass(EncodingError, ValueError)
    True
    """


class TooLargeError(Exception):
    """A body is larger than the limit, once it is decoded.

    >>> issubclass(TooLargeError, ValueError)
    False
    """


def gzip_header_error(body: bytes) -> str | None:
    """What is wrong with the header of a gzipped body, in Pushgateway's words; ``None`` if nothing is. RFC 1952, 2.3.

    >>> gzip_header_error(b""), gzip_header_error(b"a 1\\n"), gzip_header_error(b"not gzipped")
    ('EOF', 'unexpected EOF', 'gzip: invalid header')
    """
    if not body:
        return "EOF"
    if len(body) < _HEADER_BYTES:
        return "unexpected EOF"
    return None if body.startswith(_HEADER) else "gzip: invalid header"


def decoded(body: bytes, encoding: str, limit: int) -> bytes:
    """A request's body as it was before it got the encoding: ``gzip``, ``snappy`` (framed) or ``zstd``, in any case.

    Any other encoding says nothing of the body, as with Pushgateway. Raises :class:`EncodingError` for a body that is
    broken, and :class:`TooLargeError` for one of more than ``limit`` bytes.

    >>> decoded(gzipped([b"a 1\\n"]), "GZIP", 10)
    b'a 1\\n'
    """
    decoder = {"gzip": _gunzipped, "snappy": _unsnapped, "zstd": _unzstd}.get(encoding.lower())
    if decoder is not None:
        body = decoder(body, limit)
    if len(body) > limit:
        raise TooLargeError
    return body


def _gunzipped(body: bytes, limit: int) -> bytes:
    """All members, one after the other. RFC 1952, 2.2."""
    data = memoryview(body)
    pieces: list[bytes] = []
    size = 0
    position = 0
    members = 0
    while position < len(data) or not members:
        members += 1
        if members > _MEMBERS:
            raise EncodingError(f"gzip: more than {_MEMBERS} members")
        if (error := gzip_header_error(bytes(data[position : position + _HEADER_BYTES]))) is not None:
            raise EncodingError(error)
        decoder = zlib.decompressobj(_GZIP)
        while not decoder.eof:
            # What the decoder does not use it gives back as a copy: of a slice, which may hold many members.
            fed = data[position : position + _SLICE]
            piece = _decompressed(decoder, fed)
            if not fed and not piece:
                raise EncodingError("unexpected EOF")
            position += len(fed) - len(decoder.unconsumed_tail) - len(decoder.unused_data)
            size += len(piece)
            if size > limit:
                raise TooLargeError
            pieces.append(piece)
    return b"".join(pieces)


def _decompressed(decoder: Any, data: memoryview) -> bytes:
    try:
        piece: bytes = decoder.decompress(data, _CHUNK)
    except zlib.error as error:
        raise EncodingError(_in_go(str(error))) from None
    return piece


def _in_go(message: str) -> str:
    if "incorrect" in message:
        return "gzip: invalid checksum"
    return "gzip: invalid header" if "header" in message else "flate: corrupt input"


# https://github.com/google/snappy/blob/main/framing_format.txt
_STREAM: Final = b"\xff\x06\x00\x00sNaPpY"
_COMPRESSED, _UNCOMPRESSED, _SKIPPABLE = 0x00, 0x01, 0x80
_CHECKSUM_BYTES: Final = 4
# As with members of gzip. A chunk holds up to 64 KiB, and those who flush often still write thousands of bytes.
_CHUNKS: Final = 100_000
_CORRUPT: Final = "snappy: corrupt input"


def _unsnapped(body: bytes, limit: int) -> bytes:
    if not body:
        return b""
    if not body.startswith(_STREAM):
        raise EncodingError(_CORRUPT)
    cramjam = _cramjam("snappy")
    size = sum(_snappy_sizes(body, cramjam))
    if size > limit:
        raise TooLargeError
    output = bytearray(size)
    try:
        written = cramjam.snappy.decompress_into(body, output)
    except cramjam.DecompressionError:
        raise EncodingError(_CORRUPT) from None
    return bytes(memoryview(output)[:written])


def _snappy_sizes(body: bytes, cramjam: Any) -> Iterator[int]:
    """How many bytes each chunk says it becomes."""
    position = 0
    chunks = 0
    while position < len(body):
        chunks += 1
        if chunks > _CHUNKS:
            raise EncodingError(f"snappy: more than {_CHUNKS} chunks")
        if len(body) - position < 4:
            raise EncodingError(_CORRUPT)
        kind, size = body[position], int.from_bytes(body[position + 1 : position + 4], "little")
        chunk = body[position + 4 : position + 4 + size]
        if len(chunk) < size:
            raise EncodingError(_CORRUPT)
        if kind == _COMPRESSED:
            try:
                yield cramjam.snappy.decompress_raw_len(chunk[_CHECKSUM_BYTES:])
            except cramjam.DecompressionError:
                raise EncodingError(_CORRUPT) from None
        elif kind == _UNCOMPRESSED:
            yield max(size - _CHECKSUM_BYTES, 0)
        elif kind < _SKIPPABLE:
            raise EncodingError("snappy: unsupported input")
        position += 4 + size


def _unzstd(body: bytes, limit: int) -> bytes:
    """RFC 8878. The memory of the output is only taken as it is written to."""
    if not body:
        return b""
    cramjam = _cramjam("zstd")
    try:
        if limit >= _zstd_bound(body):
            return bytes(cramjam.zstd.decompress(body))
        output = bytearray(limit + 1)
        written = cramjam.zstd.decompress_into(body, output)
    except cramjam.DecompressionError as error:
        if "whole buffer" in str(error):
            raise TooLargeError from None
        raise EncodingError(f"zstd: {error}") from None
    return bytes(memoryview(output)[:written])


def _zstd_bound(body: bytes) -> int:
    """No frame of so many bytes becomes more: a block has three bytes at least, and becomes 128 KiB at most."""
    return (len(body) // 3 + 1) << 17


def _cramjam(encoding: str) -> Any:
    try:
        import cramjam
    except ModuleNotFoundError:
        raise EncodingError(
            f'Content-Encoding {encoding} takes cramjam on the server: pip install "expofmt[gateway]"'
        ) from None
    return cramjam


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header offers gzip by its name, and with a weight above 0. RFC 9110, 12.5.3.

    >>> accepts_gzip("deflate, gzip;q=0.5"), accepts_gzip("gzip;q=0"), accepts_gzip("*")
    (True, False, False)
    """
    return weights(accept_encoding).get("gzip", 0) > 0


def gzipped(content: Iterable[bytes]) -> bytes:
    """The content as one gzip member, with nothing in it but that: equal content gives equal bytes. RFC 1952.

    >>> gzipped([b"a 1\\n"]) == gzipped([b"a", b" 1\\n"])
    True
    """
    pieces = regrouped(content, _CHUNK)
    try:
        import cramjam
    except ModuleNotFoundError:
        # Three times as slow.
        zipper = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
        return b"".join([*map(zipper.compress, pieces), zipper.flush()])
    compressor = cramjam.gzip.Compressor(level=1)
    for piece in pieces:
        compressor.compress(piece)
    return bytes(compressor.finish())
