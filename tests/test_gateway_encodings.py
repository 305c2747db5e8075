"""Request bodies that are compressed, up to the limit; and what Accept-Encoding asks for."""

from __future__ import annotations

import gzip
import random
import sys
import tracemalloc
import zlib
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expofmt.gateway import encodings
from expofmt.gateway.encodings import EncodingError, TooLargeError, accepts_gzip, decoded, gzipped
from expofmt.gateway.messages import regrouped

COMPRESSORS = {
    "gzip": gzip.compress,
    "snappy": lambda data: bytes(cramjam.snappy.compress(data)),
    "zstd": lambda data: bytes(cramjam.zstd.compress(data)),
}
MIB = 2**20

each_encoding = pytest.mark.parametrize("encoding", COMPRESSORS)


@each_encoding
@given(data=st.binary(max_size=100).flatmap(lambda piece: st.integers(0, 3000).map(lambda times: piece * times)))
def test_what_was_compressed_comes_back(encoding: str, data: bytes) -> None:
    body = COMPRESSORS[encoding](data)
    assert decoded(body, encoding.upper(), len(data)) == data
    if data:
        with pytest.raises(TooLargeError):
            decoded(body, encoding, len(data) - 1)


@each_encoding
@given(body=st.binary(max_size=20), data=st.binary(max_size=100))
def test_a_limit_beyond_what_a_body_can_be_is_none(encoding: str, body: bytes, data: bytes) -> None:
    compressed = COMPRESSORS[encoding](data)
    for limit in (MIB, sys.maxsize):
        assert decoded(compressed, encoding, limit) == data
        with suppress(EncodingError):
            decoded(compressed + body, encoding, limit)


@each_encoding
@given(body=st.binary(), data=st.binary(max_size=50), cut=st.integers(1, 60))
def test_anything_else_is_an_error_of_encoding(encoding: str, body: bytes, data: bytes, cut: int) -> None:
    compressed = COMPRESSORS[encoding](data)
    for broken in (body, compressed[:-cut], compressed + body):
        with suppress(EncodingError, TooLargeError):
            decoded(broken, encoding, MIB)


@each_encoding
def test_a_bomb_costs_no_more_than_the_limit(encoding: str) -> None:
    body = COMPRESSORS[encoding](bytes(200 * MIB))
    tracemalloc.start()
    with pytest.raises(TooLargeError):
        decoded(body, encoding, MIB)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * MIB + len(body)


def test_bodies_one_after_the_other_are_one_body() -> None:
    for encoding, compress in COMPRESSORS.items():
        assert decoded(compress(b"a 1\n") + compress(b"b 2\n"), encoding, 100) == b"a 1\nb 2\n"


@pytest.mark.parametrize("data", [b"", b"a 1\n", random.Random(1).randbytes(50_000)], ids=["empty", "tiny", "large"])
def test_members_cost_what_they_hold(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """Counted is what decoders are given and give back, which is copied: not all of the rest for each member."""
    member = gzip.compress(data, mtime=0)
    times = min(10_000, 2 * MIB // len(member))
    copied = 0

    class Counting:
        def __init__(self, bits: int) -> None:
            self._decoder = zlib.decompressobj(bits)

        def decompress(self, fed: memoryview, most: int) -> bytes:
            nonlocal copied
            piece = self._decoder.decompress(fed, most)
            copied += len(fed) + len(self._decoder.unconsumed_tail) + len(self._decoder.unused_data)
            return piece

        def __getattr__(self, name: str) -> Any:
            return getattr(self._decoder, name)

    monkeypatch.setattr(encodings, "zlib", SimpleNamespace(decompressobj=Counting, error=zlib.error))
    assert decoded(member * times, "gzip", 2 * MIB) == data * times
    assert copied < 3 * len(member) * times + times * 2**15


def test_members_have_a_limit() -> None:
    member = gzip.compress(b"")
    assert decoded(member * 10_000, "gzip", 0) == b""
    with pytest.raises(EncodingError, match="more than 10000 members"):
        decoded(member * 10_001, "gzip", 0)


def test_chunks_have_a_limit() -> None:
    stream, padding = b"\xff\x06\x00\x00sNaPpY", b"\xfe\x00\x00\x00"
    assert decoded(stream + padding * 99_999, "snappy", 0) == b""
    with pytest.raises(EncodingError, match="more than 100000 chunks"):
        decoded(stream + padding * 100_000, "snappy", 0)


@pytest.mark.parametrize("encoding", ["", "br", "deflate", "identity", "gzip, gzip", "x-gzip"])
def test_another_encoding_says_nothing(encoding: str) -> None:
    assert decoded(b"a 1\n", encoding, 4) == b"a 1\n"
    with pytest.raises(TooLargeError):
        decoded(b"a 1\n", encoding, 3)


# spec/pushgateway.md 2.5.
GZIPPED = gzip.compress(b"a 1\n", mtime=0)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "EOF"),
        (GZIPPED[:9], "unexpected EOF"),
        (GZIPPED[:-3], "unexpected EOF"),
        (GZIPPED + b"junk", "unexpected EOF"),
        (GZIPPED + b"junk of some length", "gzip: invalid header"),
        (b"no gzip at all", "gzip: invalid header"),
        (GZIPPED[:-8] + bytes(8), "gzip: invalid checksum"),
    ],
)
def test_broken_gzip(body: bytes, message: str) -> None:
    with pytest.raises(EncodingError) as caught:
        decoded(body, "gzip", 100)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("gzip", True),
        ("GZIP;q=1", True),
        ("deflate, gzip; q=0.001", True),
        ("", False),
        ("*", False),
        ("zstd, br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000, br", False),
        ("x-gzip", False),
    ],
)
def test_accept_encoding(header: str, wanted: bool) -> None:
    assert accepts_gzip(header) is wanted


@given(st.lists(st.binary()))
def test_what_is_sent_compressed_is_gzip(content: list[bytes]) -> None:
    data = b"".join(content)
    assert gzip.decompress(gzipped(content)) == zlib.decompress(gzipped(content), 31) == data


@given(st.lists(st.binary()))
def test_what_is_sent_compressed_is_gzip_without_cramjam(content: list[bytes]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cramjam", None)
        assert gzip.decompress(gzipped(content)) == b"".join(content)


@given(st.lists(st.binary()), st.integers(1, 10))
def test_pieces_are_regrouped(content: list[bytes], size: int) -> None:
    pieces = list(regrouped(content, size))
    assert b"".join(pieces) == b"".join(content)
    assert all(0 < len(piece) <= size for piece in pieces)
