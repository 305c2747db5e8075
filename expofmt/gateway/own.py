"""What a gateway says of itself: its requests, as Pushgateway's metrics tell them, its build and its process."""

from __future__ import annotations

import math
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..model import MetricFamily, MetricType, Sample
from ..version import __version__
from .messages import Request

if TYPE_CHECKING:
    from prometheus_client.core import Metric
    from prometheus_client.registry import CollectorRegistry

__all__ = ["OwnMetrics", "WindowedQuantiles"]

_QUANTILES: Final = (0.1, 0.5, 0.9)
_WINDOW_NS: Final = 600 * 10**9
_SLICES: Final = 5
# Values whose logarithms to this base are the same whole number are as good as one: they differ by 2% at most.
_LOG_GAMMA: Final = math.log(1.02)

_REQUESTS: Final = "pushgateway_http_requests_total"
_SIZES: Final = "pushgateway_http_push_size_bytes"
_DURATIONS: Final = "pushgateway_http_push_duration_seconds"
_BUILD: Final = "pushgateway_build_info"
_BUILD_HELP: Final = (
    "A metric with a constant '1' value labeled by version, revision, branch, goversion from which pushgateway was "
    "built, and the goos and goarch for the build."
)
# Go's names for what Python calls otherwise.
_GOARCH: Final = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386"}
# Header fields that Go's server takes out of the header.
_NOT_COUNTED: Final = frozenset(("host", "transfer-encoding", "trailer"))


class WindowedQuantiles:
    """Quantiles of what was observed in the last ten minutes, up to two of them less. Not safe for threads.

    A quantile is that of one of the values, or of one that differs from it by 2% at most. Memory is bounded: a value
    takes none if there is one like it. Negative values count as 0.

    >>> quantiles = WindowedQuantiles()
    >>> quantiles.observe(1.0, 0)
    >>> quantiles.observe(3.0, 0)
    >>> quantiles.get([0.5, 0.9], 0), quantiles.get([0.5], 700 * 10**9)
    ([1.0, 3.0], [nan])
    """

    __slots__ = ("_slices",)

    def __init__(self) -> None:
        # Number of the slice of time -> logarithm -> how many, and the last of them.
        self._slices: dict[int, dict[int, tuple[int, float]]] = {}

    def observe(self, value: float, now_ns: int) -> None:
        """Count a value in, as one of this moment; moments are nanoseconds of a clock that does not go back."""
        counts = self._recent(now_ns).setdefault(_slice_of(now_ns), {})
        index = math.ceil(math.log(value) / _LOG_GAMMA) if value > 0 else -sys.maxsize
        count, _ = counts.get(index, (0, 0.0))
        counts[index] = count + 1, max(value, 0.0)

    def get(self, quantiles: Iterable[float], now_ns: int) -> list[float]:
        """The values at these quantiles, from 0 to 1; NaN if nothing was observed."""
        counts: dict[int, tuple[int, float]] = {}
        for each in self._recent(now_ns).values():
            for index, (count, value) in each.items():
                counts[index] = counts.get(index, (0, 0.0))[0] + count, value
        ordered = sorted(counts.items())
        total = sum(count for _, (count, _) in ordered)
        return [_value_at(ordered, max(math.ceil(quantile * total), 1)) for quantile in quantiles]

    def _recent(self, now_ns: int) -> dict[int, dict[int, tuple[int, float]]]:
        oldest = _slice_of(now_ns) - _SLICES
        for number in [number for number in self._slices if number <= oldest]:
            del self._slices[number]
        return self._slices


def _slice_of(now_ns: int) -> int:
    return now_ns * _SLICES // _WINDOW_NS


def _value_at(ordered: Iterable[tuple[int, tuple[int, float]]], rank: int) -> float:
    for _, (count, value) in ordered:
        rank -= count
        if rank <= 0:
            return value
    return math.nan


class _Summary:
    """How many observations there were, their sum, and their recent quantiles."""

    __slots__ = ("count", "quantiles", "sum")

    def __init__(self) -> None:
        self.count = 0
        self.sum = 0.0
        self.quantiles = WindowedQuantiles()

    def observe(self, value: float, now_ns: int) -> None:
        self.count += 1
        self.sum += value
        self.quantiles.observe(value, now_ns)

    def samples(self, name: str, labels: dict[str, str], now_ns: int) -> Iterator[tuple[str, dict[str, str], float]]:
        for quantile, value in zip(_QUANTILES, self.quantiles.get(_QUANTILES, now_ns), strict=True):
            yield name, {**labels, "quantile": str(quantile)}, value
        yield f"{name}_sum", labels, self.sum
        yield f"{name}_count", labels, self.count


class _Push(NamedTuple):
    size: _Summary
    duration: _Summary


class OwnMetrics:
    """The metrics that a gateway exposes of itself, for :class:`GroupStore` and :class:`Gateway` alike.

    Those of requests have the names, labels and help texts of Pushgateway's, and appear with the first request that
    they count; their names cannot be pushed from the beginning. ``registry`` is a prometheus_client registry whose
    metrics are exposed, too: by default one of its own, with the process, the garbage collector and the platform.
    ``clock`` gives nanoseconds, and does not go back. Safe to call from many threads.

    Raises ModuleNotFoundError where prometheus_client is not installed.

    >>> own = OwnMetrics()
    >>> own.count("healthy", "GET", 200)
    >>> from expofmt import GroupStore
    >>> print(GroupStore(own=own.families).render(names=["pushgateway_http_requests_total"]).decode(), end="")
    # HELP pushgateway_http_requests_total Total HTTP requests processed by the Pushgateway, excluding scrapes.
    # TYPE pushgateway_http_requests_total counter
    pushgateway_http_requests_total{code="200",handler="healthy",method="get"} 1
    """

    def __init__(
        self,
        *,
        registry: CollectorRegistry | None = None,
        build: Mapping[str, str] | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.registry = _default_registry() if registry is None else registry
        self._clock = clock
        self._lock = Lock()
        self._requests: dict[tuple[str, str, str], int] = {}
        self._pushes: dict[str, _Push] = {}
        self._build = _build_labels(build or {})
        self.registry.register(self)

    def now(self) -> int:
        """The time, for :meth:`count_push`."""
        return self._clock()

    def count(self, handler: str, method: str, status: int) -> None:
        """Count a request."""
        key = (str(status), handler, method.lower())
        with self._lock:
            self._requests[key] = self._requests.get(key, 0) + 1

    def count_push(self, request: Request, body_bytes: int, started: int) -> None:
        """Count how large a push was, and how long it took since ``started``."""
        size = _size(request, body_bytes)
        now = self._clock()
        method = request.method.lower()
        with self._lock:
            push = self._pushes.get(method)
            if push is None:
                push = self._pushes[method] = _Push(_Summary(), _Summary())
            push.size.observe(size, now)
            push.duration.observe((now - started) / 1e9, now)

    def families(self) -> list[MetricFamily]:
        """All of them as they are now, with those that have no samples yet: what a store takes as ``own``."""
        return [_family(metric) for metric in self.registry.collect()]

    def collect(self) -> Iterator[Metric]:
        """For prometheus_client: what the gateway itself counts."""
        from prometheus_client.core import Metric

        requests = Metric(_REQUESTS, "Total HTTP requests processed by the Pushgateway, excluding scrapes.", "counter")
        sizes = Metric(_SIZES, "HTTP request size for pushes to the Pushgateway.", "summary")
        durations = Metric(_DURATIONS, "HTTP request duration for pushes to the Pushgateway.", "summary")
        build = Metric(_BUILD, _BUILD_HELP, "gauge")
        build.add_sample(_BUILD, self._build, 1)
        now = self._clock()
        with self._lock:
            for (code, handler, method), count in self._requests.items():
                requests.add_sample(_REQUESTS, {"code": code, "handler": handler, "method": method}, count)
            for method, push in self._pushes.items():
                for metric, summary in ((sizes, push.size), (durations, push.duration)):
                    for sample in summary.samples(metric.name, {"method": method}, now):
                        metric.add_sample(*sample)
        yield from (build, requests, sizes, durations)


def _size(request: Request, body_bytes: int) -> int:
    """As client_golang measures requests."""
    size = len(request.target) + len(request.method) + len(request.protocol) + body_bytes
    for name, value in request.headers:
        folded = name.lower()
        if folded == "host":
            size += len(value)
        elif folded not in _NOT_COUNTED:
            size += len(name) + len(value)
    return size


def _default_registry() -> CollectorRegistry:
    try:
        from prometheus_client import GCCollector, PlatformCollector, ProcessCollector
        from prometheus_client.registry import CollectorRegistry
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            'a gateway\'s own metrics take prometheus_client: pip install "expofmt[gateway]"', name="prometheus_client"
        ) from None
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    return registry


def _build_labels(build: Mapping[str, str]) -> dict[str, str]:
    machine = platform.machine()
    return {
        "branch": build.get("branch", ""),
        "goarch": _GOARCH.get(machine, machine),
        "goos": sys.platform,
        "goversion": build.get("goVersion", f"python{platform.python_version()}"),
        "revision": build.get("revision", ""),
        "tags": build.get("tags", ""),
        "version": build.get("version", __version__),
    }


_TYPES: Final = {
    "counter": MetricType.COUNTER,
    "gauge": MetricType.GAUGE,
    "info": MetricType.GAUGE,
    "summary": MetricType.SUMMARY,
    "histogram": MetricType.HISTOGRAM,
}


def _family(metric: Any) -> MetricFamily:
    """A metric of prometheus_client as the text format has it, where a counter's name has its ``_total``."""
    suffix = {"counter": "_total", "info": "_info"}.get(metric.type, "")
    name = metric.name if metric.name.endswith(suffix) else metric.name + suffix
    samples = [
        Sample(sample.name, sample.labels, float(sample.value))
        for sample in metric.samples
        # When something was created, OpenMetrics tells.
        if not sample.name.endswith("_created")
    ]
    type = _TYPES.get(metric.type, MetricType.UNKNOWN)
    return MetricFamily(name, type, metric.documentation, samples=samples)
