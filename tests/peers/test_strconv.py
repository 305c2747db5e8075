"""Numbers and quotes are as Go's strconv has them, on a large batch of the values where implementations differ."""

import math
import os
import random
import struct
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterable
from decimal import Context, Decimal, localcontext
from pathlib import Path

import pytest

from expofmt.quoting import go_quoted
from expofmt.values import format_float, parse_float, parse_timestamp_ms

Ask = Callable[[str, Iterable[str]], list[str]]


@pytest.fixture(scope="module")
def ask(peer: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Asks strconv one operation on many operands."""
    driver = tmp_path_factory.mktemp("strconv") / "strconv_peer"
    environment = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-buildvcs=false",
        "GOWORK": "off",
    }
    command = [peer("go"), "build", "-o", str(driver), "."]
    subprocess.run(command, cwd=Path(__file__).parent / "strconv", env=environment, check=True)

    def answers(operation: str, operands: Iterable[str]) -> list[str]:
        lines = "".join(f"{operation} {operand}\n" for operand in operands).encode()
        return (
            subprocess.run([driver], input=lines, stdout=subprocess.PIPE, check=True).stdout.decode().split("\n")[:-1]
        )

    return answers


def bits(value: float) -> str:
    return struct.pack(">d", value).hex()


def floats() -> list[float]:
    """Powers of two and ten with their neighbours, and random bits, decimals and integers; each with both signs."""
    generator = random.Random(20)
    powers = [2.0**exponent for exponent in range(-1074, 1024)]
    powers += [float(f"{digit}e{exponent}") for digit in range(1, 10) for exponent in range(-324, 308)]
    found = [0.0, math.inf, math.nan, 1e308, 999999.5, 2398.283, float(2**53 + 1), 2.2250738585072011e-308]
    for power in powers:
        found += [power, math.nextafter(power, 0), math.nextafter(power, math.inf)]
    found += struct.unpack(">50000d", generator.randbytes(400_000))
    for _ in range(20_000):
        whole = generator.randrange(10 ** generator.randint(1, 25))
        subnormal = math.ldexp(generator.getrandbits(generator.randint(1, 52)), -1074)
        found += [whole, whole / 10 ** generator.randint(1, 15), subnormal]
    return [signed for value in found for signed in (value, -value)]


def numerals(values: list[float]) -> list[str]:
    """Texts of numbers: with few and many digits, exactly halfway between two floats, and in unusual spellings."""
    generator = random.Random(21)
    values = generator.sample(values, 50_000)
    texts = [f"{value:.{generator.randint(0, 25)}e}" for value in values] + [repr(value) for value in values]
    with localcontext(Context(prec=1200)):
        for value in generator.sample([value for value in values if 0 < value < 1e308], 1_000):
            halfway = (Decimal(value) + Decimal(math.nextafter(value, math.inf))) / 2
            texts += [str(halfway), str(halfway.next_plus()), str(halfway.next_minus())]
    for _ in range(30_000):
        whole = "".join(generator.choices("0123456789", k=generator.randint(0, 30)))
        fraction = "".join(generator.choices("0123456789", k=generator.randint(0, 30)))
        scale = generator.choice(["", "e", "E", f"e{generator.randint(-400, 400)}", f"E+{generator.randint(0, 40):03}"])
        texts.append(generator.choice(["", "+", "-"]) + whole + generator.choice(["", "."]) + fraction + scale)
    return texts


def scraps() -> list[str]:
    """Texts that are mostly no numbers."""
    generator = random.Random(22)
    alphabet = "00123456789+-.eE" + "infinityINFNANaxXpP_, \t\r\0é٣１ıſ−"
    texts = ["".join(generator.choices(alphabet, k=generator.randint(0, 6))) for _ in range(100_000)]
    words = ["inf", "infinity", "nan", "0x1p4", "1_000", "1e5", "-0", "9223372036854775807", "-9223372036854775808"]
    for word in words:
        for _ in range(2_000):
            text = "".join(generator.choice([letter.lower(), letter.upper()]) for letter in word)
            place = generator.randint(0, len(text))
            texts += [text, text[:place] + text[place + 1 :], text[:place] + generator.choice(alphabet) + text[place:]]
    return texts


def read_float(text: str) -> str:
    try:
        value = parse_float(text)
    except ValueError:
        return "syntax"
    except OverflowError:
        return "range"
    return "nan" if math.isnan(value) else bits(value)


def read_timestamp(text: str) -> str:
    try:
        return str(parse_timestamp_ms(text) // 1_000_000)
    except ValueError:
        return "syntax"
    except OverflowError:
        return "range"


def differences(operands: list[str], ours: list[str], theirs: list[str]) -> list[tuple[str, str, str]]:
    return [row for row in zip(operands, ours, theirs, strict=True) if row[1] != row[2]]


def test_floats_are_written_alike(ask: Ask) -> None:
    values = floats()
    operands = [bits(value) for value in values]
    assert differences(operands, [format_float(value) for value in values], ask("format", operands)) == []


def test_numbers_are_read_alike(ask: Ask) -> None:
    texts = numerals(floats())
    assert differences(texts, [read_float(text) for text in texts], ask("float", texts)) == []


def test_what_is_no_number_is_refused_alike(ask: Ask) -> None:
    texts = scraps()
    verdicts = [read_float(text) for text in texts]
    assert {"syntax", "nan"} < set(verdicts)
    assert differences(texts, verdicts, ask("float", texts)) == []


def test_timestamps_are_read_alike(ask: Ask) -> None:
    generator = random.Random(23)
    borders = [(sign * 2**power) + offset for sign in (1, -1) for power in (31, 53, 63, 64) for offset in (-1, 0, 1)]
    numbers = borders + [generator.randint(-(10**19), 10**19) for _ in range(10_000)]
    texts = scraps() + [spelling for number in numbers for spelling in (f"{number}", f"{number:+}", f"{number:030}")]
    verdicts = [read_timestamp(text) for text in texts]
    assert {"syntax", "range"} < set(verdicts)
    assert differences(texts, verdicts, ask("int", texts)) == []


def known_to_python(character: str) -> bool:
    """Whether it is a character at all: which ones are differs by the edition of Unicode, and Go has one of its own."""
    return unicodedata.category(character) not in ("Cn", "Cs")


def test_texts_are_quoted_alike(ask: Ask) -> None:
    generator = random.Random(24)
    texts = [character for character in map(chr, range(sys.maxunicode + 1)) if known_to_python(character)]
    # Bytes that are not UTF-8, or not quite.
    scraps = [generator.randbytes(generator.randint(0, 8)) for _ in range(50_000)]
    scraps += [bytes(generator.choices(b'\xed\xa0\x80\xf4\x90\xc0\xe2\x80\xa8a"', k=6)) for _ in range(50_000)]
    decoded = [scrap.decode("utf-8", "surrogateescape") for scrap in scraps]
    texts += [text for text in decoded if all(0xDC80 <= ord(c) <= 0xDCFF or known_to_python(c) for c in text)]
    operands = [text.encode("utf-8", "surrogateescape").hex() for text in texts]
    assert differences(operands, [go_quoted(text) for text in texts], ask("quote", operands)) == []
