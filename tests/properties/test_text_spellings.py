"""Whatever way a text is spelt, it is read as what it means, and nothing is said against it."""

import pytest
from hypothesis import given

from expofmt import Diagnostic, Exposition, check, diff, iter_families, parse, render
from expofmt.strategies import exposition_text, spelled_expositions

pytestmark = pytest.mark.usefixtures("engine")


@given(spelled_expositions())
def test_text_is_read_as_what_it_means(pair: tuple[Exposition, bytes]) -> None:
    meaning, text = pair
    assert parse(text) == meaning
    assert list(parse(text)) == list(meaning)
    assert render(parse(text)) == render(meaning)


@given(spelled_expositions())
def test_nothing_is_said_against_it(pair: tuple[Exposition, bytes]) -> None:
    meaning, text = pair
    assert check(text) == []
    warnings: list[Diagnostic] = []
    assert parse(text, strict=True, on_warning=warnings.append) == meaning
    assert warnings == []


@given(spelled_expositions(names="legacy", timestamps=False))
def test_legacy_names_pass_for_legacy_readers(pair: tuple[Exposition, bytes]) -> None:
    meaning, text = pair
    assert parse(text, names="legacy", strict=True) == meaning


@given(exposition_text())
def test_a_text_that_is_a_str_reads_the_same(text: bytes) -> None:
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        # A comment that is not UTF-8: no str says the same.
        decoded = text.decode(errors="replace")
    assert parse(decoded) == parse(text)


@given(exposition_text())
def test_formatting_makes_no_difference(text: bytes) -> None:
    assert not diff(parse(text), parse(render(parse(text))))


@given(exposition_text())
def test_reading_family_by_family_gives_the_same(text: bytes) -> None:
    import io

    assert Exposition(iter_families(io.BytesIO(text))) == parse(text)
