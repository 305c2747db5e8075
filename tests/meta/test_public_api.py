"""What `import expofmt` gives, and costs."""

import inspect
import json
import subprocess
import sys

import pytest

import expofmt

# A name once here stays for the major version.
PUBLIC = """
parse check render merge diff iter_families
Format ContentType EscapingScheme
MetricType LabelSet Sample Samples Exemplar MetricFamily Exposition
Metric ValueMetric
CounterMetric GaugeMetric HistogramMetric SummaryMetric UnknownMetric InfoMetric StateSetMetric GaugeHistogramMetric
Bucket Quantile
GroupingKey GroupingKeyError
Diagnostic Severity Code Place Span ExpositionError ParseError ConsistencyError
MergePolicy Diff FamilyDiff Difference
GroupStore Put Post Delete Wipe PushResult PushPolicy Limits LimitError
Group StoredFamily Change ChangeKind Journal JournalError
ENGINE __version__
""".split()


def test_all_is_this_list() -> None:
    assert sorted(expofmt.__all__) == sorted(PUBLIC)
    assert len(set(expofmt.__all__)) == len(expofmt.__all__)


@pytest.mark.parametrize("name", PUBLIC)
def test_each_name_is_there(name: str) -> None:
    assert hasattr(expofmt, name)


@pytest.mark.parametrize("name", PUBLIC)
def test_what_can_be_called_says_how_by_an_example(name: str) -> None:
    value = getattr(expofmt, name)
    if callable(value):
        assert ">>>" in (inspect.getdoc(value) or "")


def public_methods() -> list[str]:
    return [
        f"{name}.{member}"
        for name in PUBLIC
        if inspect.isclass(getattr(expofmt, name, None))
        for member, value in vars(getattr(expofmt, name)).items()
        if not member.startswith("_") and (inspect.isroutine(value) or isinstance(value, property))
    ]


def test_each_method_and_property_says_what_it_promises() -> None:
    silent = []
    for dotted in public_methods():
        name, member = dotted.split(".")
        if not inspect.getdoc(inspect.getattr_static(getattr(expofmt, name), member)):
            silent.append(dotted)
    assert silent == []


def test_import_loads_no_more_than_it_needs() -> None:
    """Neither the grammar's parser, nor the command line, nor Hypothesis, nor anything that could open a socket."""
    code = "import sys, json, expofmt; json.dump(sorted(sys.modules), sys.stdout)"
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(run.stdout))
    assert "expofmt" in loaded
    assert run.stderr == ""
    assert loaded.isdisjoint(
        {"lark", "hypothesis", "pytest", "click", "socket", "_socket", "ssl", "http", "asyncio", "logging"}
    )
