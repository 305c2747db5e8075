"""Rendering loses nothing, repeats itself, and depends on nothing but its input."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from expofmt import Exposition, MetricFamily, check, diff, parse, render
from expofmt.strategies import exposition_text, expositions

pytestmark = pytest.mark.usefixtures("engine")


def canonical(exposition: Exposition) -> Exposition:
    """The exposition with its samples in canonical order."""
    return Exposition(
        family.with_samples(family.samples.sorted(family.name, family.type)) for family in exposition.values()
    )


def shuffled(exposition: Exposition, randomness: random.Random) -> Exposition:
    families = []
    for family in exposition.values():
        samples = list(family.samples)
        randomness.shuffle(samples)
        families.append(family.with_samples(samples))
    randomness.shuffle(families)
    return Exposition(families)


@given(expositions())
@example(Exposition())
def test_what_is_rendered_reads_back(exposition: Exposition) -> None:
    text = render(exposition)
    again = parse(text)
    assert again == canonical(exposition)
    assert again.sample_count == exposition.sample_count
    assert list(again) == sorted(exposition)
    assert check(text) == []
    assert parse(text, strict=True) == again


@given(expositions())
def test_rendering_is_idempotent(exposition: Exposition) -> None:
    text = render(exposition)
    assert render(parse(text)) == text


@settings(max_examples=60)
@given(exposition_text(interleaved=True))
def test_formatting_any_text_is_idempotent(text: bytes) -> None:
    once = render(parse(text))
    assert render(parse(once)) == once


@given(expositions(max_families=4, max_metrics=5), st.randoms(use_true_random=False))
def test_the_order_of_families_and_samples_does_not_matter(exposition: Exposition, randomness: random.Random) -> None:
    assert render(shuffled(exposition, randomness)) == render(exposition)


@settings(max_examples=60)
@given(expositions(max_families=2, max_metrics=4), st.randoms(use_true_random=False))
def test_the_order_of_lines_does_not_matter(exposition: Exposition, randomness: random.Random) -> None:
    text = render(exposition)
    lines = [line + b"\n" for line in text.split(b"\n")[:-1]]
    # Metadata comes before the samples, or it would speak of other ones.
    metadata = [line for line in lines if line.startswith(b"#")]
    samples = [line for line in lines if not line.startswith(b"#")]
    randomness.shuffle(metadata)
    randomness.shuffle(samples)
    assert render(parse(b"".join(metadata + samples))) == text


def test_real_scrapes_survive(data: Path) -> None:
    paths = sorted(data.glob("*.prom"))
    assert paths
    for path in paths:
        first = parse(path.read_bytes())
        text = render(first)
        second = parse(text)
        assert second.sample_count == first.sample_count
        assert not diff(second, first)
        assert render(second) == text
        assert render(shuffled(first, random.Random(0))) == text


def test_no_hash_seed_shows_in_the_bytes(data: Path, tmp_path: Path) -> None:
    many = MetricFamily.gauge("many", [({f"l{i % 7}": str(i), f"k{i % 5}": "x"}, i) for i in range(200)], help="Many.")
    scrape = tmp_path / "scrape.prom"
    scrape.write_bytes(render([many]) + (data / "node_exporter.prom").read_bytes())
    program = (
        "import sys; from expofmt import check, merge, parse, render\n"
        "data = open(sys.argv[1], 'rb').read()\n"
        "exposition = parse(data)\n"
        "both = merge(exposition.with_labels({'a': '1'}), exposition.with_labels({'a': '2'}))\n"
        "sys.stdout.buffer.write(render(exposition) + render(both) + repr(check(data)).encode())\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program, str(scrape)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "271828")
    }
    assert len(outputs) == 1
    assert outputs.pop().startswith(b"# ")
