"""What the page is made of: its files, its document, and the JSON that it shows."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from expofmt import ConsistencyError, GroupingKey, GroupStore, LabelSet, MetricFamily
from expofmt.gateway import Gateway, Request
from expofmt.gateway.page import DEFAULT_MAX_SAMPLES, files, group_json, index, overview_json
from expofmt.groups import Group, StoredFamily

pytestmark = pytest.mark.usefixtures("engine")

MS = 10**6


class Elements(HTMLParser):
    """Each element's name and attributes."""

    def __init__(self, document: bytes) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(document.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def links(self) -> list[str]:
        return [value for _, attributes in self.found for name in ("href", "src") if (value := attributes.get(name))]


def group(body: bytes, *, lifetime_ns: int | None = None, **labels: str) -> Group:
    store = GroupStore(clock=lambda: 5 * MS)
    store.put(GroupingKey("a", labels), body, lifetime_ns=lifetime_ns)
    return store.groups[GroupingKey("a", labels)]


def shown(body: bytes, **options: int) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(group_json(group(body, instance="i"), 7 * MS, **options))
    return answer


# ------------------------------------------------------------------------------------------------------ the document


@pytest.mark.parametrize(
    ("external_path", "base"), [("", "."), ("/", "."), ("/push", "/push"), ("push/", "/push"), ("//a/b//", "/a/b")]
)
def test_links_begin_with_the_external_path(external_path: str, base: str) -> None:
    links = Elements(index(external_path)).links()
    assert {f"{base}/static/main.js", f"{base}/static/page.css", f"{base}/status", f"{base}/", f"{base}/metrics"} <= {
        *links
    }
    assert [link for link in links if not link.startswith((f"{base}/", "#"))] == []


def test_all_that_is_linked_is_there() -> None:
    linked = [link.removeprefix("./static/") for link in Elements(index()).links() if link.startswith("./static/")]
    for name, (_, content) in files.items():
        if name.endswith(".js"):
            linked += re.findall(r'^(?:import|\} from|import .* from) "\./([^"]+)";$', content.decode(), re.MULTILINE)
    assert {*linked} == {*files}


def test_options_are_attributes_and_cannot_break_out() -> None:
    ((_, body),) = [e for e in Elements(index(admin_api=True, telemetry_path='/"><script>')).found if e[0] == "body"]
    assert body == {"data-admin-api": "on", "data-telemetry-path": '"><script>'}
    assert len([tag for tag, _ in Elements(index('/"><script>')).found if tag == "script"]) == 1
    ((_, body),) = [e for e in Elements(index()).found if e[0] == "body"]
    assert body == {"data-admin-api": "off", "data-telemetry-path": "metrics"}


def test_nothing_is_inline_and_nothing_comes_from_elsewhere() -> None:
    for tag, attributes in Elements(index()).found:
        assert tag != "style"
        assert "style" not in attributes
        assert tag != "script" or attributes["src"]
        assert not [name for name in attributes if name.startswith("on")]
    for name, (_, content) in files.items():
        addresses = re.findall(rb"https?://[^\"')]*", content)
        assert {*addresses} <= {b"http://www.w3.org/2000/svg"}, name
        # What would make markup of text.
        assert not re.search(rb"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", content), name


def test_files_have_the_content_types_of_pushgateway() -> None:
    types = {name.rpartition(".")[2]: content_type for name, (content_type, _) in files.items()}
    assert types == {"js": "application/javascript", "css": "text/css", "svg": "image/svg+xml"}


# ------------------------------------------------------------------------------------------------------ the overview


def test_the_overview_has_tables_that_groups_share() -> None:
    now = 5 * MS
    store = GroupStore(clock=lambda: now)
    text = b'# HELP z The last.\n# TYPE z counter\nz 1\nb 1\nb{c="d"} 2\n'
    store.put(GroupingKey("j", instance="x", able="y"), text)
    store.put(GroupingKey("k"), text, lifetime_ns=10 * MS)
    now = 6 * MS
    with pytest.raises(ConsistencyError):
        store.post(GroupingKey("k"), b"q 1 1\n")
    with pytest.raises(ConsistencyError):
        store.put(GroupingKey("l", {"path": "/x"}), b"q 1 1\n")
    answer = json.loads(overview_json(store.groups, 7 * MS))
    assert answer["now"] == 7
    assert answer["families"] == [["b", "untyped", ""], ["z", "counter", "The last."]]
    assert answer["sets"] == [[0, 1], []]
    assert answer["groups"] == [
        {
            "labels": [["job", "j"], ["able", "y"], ["instance", "x"]],
            "path": "metrics/job/j/able/y/instance/x",
            "set": 0,
            "samples": 3,
            "pushed": 5,
            "failed": 0,
            "failing": False,
            "expires": 0,
        },
        {
            "labels": [["job", "k"]],
            "path": "metrics/job/k",
            "set": 0,
            "samples": 3,
            "pushed": 5,
            "failed": 6,
            "failing": True,
            "expires": 15,
        },
        {
            "labels": [["job", "l"], ["path", "/x"]],
            "path": "metrics/job/l/path@base64/L3g",
            "set": 1,
            "samples": 0,
            "pushed": 0,
            "failed": 6,
            "failing": True,
            "expires": 0,
        },
    ]


def test_a_group_that_no_path_names_is_shown_without_one() -> None:
    key = GroupingKey("a", {"host.name": "b"})
    groups = {key: Group(key)}
    (legacy,) = json.loads(overview_json(groups, 0))["groups"]
    (utf_8,) = json.loads(overview_json(groups, 0, names="utf-8"))["groups"]
    assert (legacy["path"], utf_8["path"]) == (None, "metrics/job/a/U__host_2e_name/b")


def test_two_thousand_groups_of_twenty_families_are_less_than_a_megabyte() -> None:
    families = [MetricFamily.gauge(f"batch_duration_seconds_{n}", n, help="How long a step took.") for n in range(20)]
    stored = {family.name: StoredFamily(family, 1) for family in families}
    keys = [GroupingKey("batch", instance=f"host-{n:04}.example.org:9100") for n in range(2000)]
    body = overview_json({key: Group(key, stored, 1_800_000_000 * 10**9) for key in keys}, 0)
    assert len(json.loads(body)["groups"]) == 2000
    assert len(body) < 1_000_000


# --------------------------------------------------------------------------------------------------------- one group


def test_values_are_text_and_labels_those_that_the_group_has_not() -> None:
    (family,) = shown(
        b'# HELP a <b>&"\\n\n# TYPE a gauge\na{x="NaN"} NaN\na{x="big",instance="other"} 1e20\na{e=""} -Inf\n'
    )["families"]
    assert {name: family[name] for name in ("name", "type", "help", "pushed", "more")} == {
        "name": "a",
        "type": "gauge",
        "help": '<b>&"\n',
        "pushed": 5,
        "more": 0,
    }
    assert family["metrics"] == [
        {"labels": [], "value": "-Inf"},
        {"labels": [["x", "NaN"]], "value": "NaN"},
        {"labels": [["x", "big"]], "value": "1e+20"},
    ]


HISTOGRAM = b"""\
# TYPE h histogram
h_bucket{a="%d",le="+Inf"} 3
h_bucket{a="%d",le="0.5"} 1
h_sum{a="%d"} 2.5
h_count{a="%d"} 3
"""


def test_histograms_and_summaries_are_put_together() -> None:
    text = HISTOGRAM.replace(b"%d", b"1") + b'# TYPE s summary\ns{quantile="0.5"} NaN\ns_sum 1e6\ns_count 7\n'
    histogram, summary = shown(text)["families"]
    assert histogram["metrics"] == [
        {"labels": [["a", "1"]], "points": [["0.5", "1"], ["+Inf", "3"]], "sum": "2.5", "count": "3"}
    ]
    assert summary["metrics"] == [{"labels": [], "points": [["0.5", "NaN"]], "sum": "1e+06", "count": "7"}]


def test_large_families_are_cut_and_say_by_how_much() -> None:
    many = b"".join(b'a{n="%d"} 1\n' % n for n in range(100))
    few = b'b{n="1"} 1\nb{n="2"} 1\n'
    first, second = shown(many + few, max_samples=12)["families"]
    assert (len(first["metrics"]), first["more"]) == (10, 90)
    assert (len(second["metrics"]), second["more"]) == (2, 0)
    (family,) = shown(many)["families"]
    assert (len(family["metrics"]), family["more"]) == (100, 0)
    assert DEFAULT_MAX_SAMPLES >= 100


def test_histograms_are_not_cut_in_two() -> None:
    body = HISTOGRAM.splitlines(keepends=True)[0] + b"".join(
        b"".join(HISTOGRAM.splitlines(keepends=True)[1:]).replace(b"%d", b"%d" % n) for n in range(5)
    )
    (family,) = shown(body, max_samples=10)["families"]
    assert [metric["labels"] for metric in family["metrics"]] == [[["a", "0"]], [["a", "1"]]]
    assert [len(metric["points"]) for metric in family["metrics"]] == [2, 2]
    assert family["more"] == 12
    (family,) = shown(body, max_samples=3)["families"]
    assert (family["metrics"], family["more"]) == ([], 20)


def test_a_family_without_samples_and_a_group_without_families() -> None:
    empty = Group(GroupingKey("a"), {"b": StoredFamily(MetricFamily("b", help="h"), 0)})
    assert json.loads(group_json(empty, 0))["families"] == [
        {"name": "b", "type": "untyped", "help": "h", "pushed": 0, "more": 0, "metrics": []}
    ]
    assert json.loads(group_json(Group(GroupingKey("a")), 0))["families"] == []


def test_names_of_any_script_are_kept() -> None:
    family = MetricFamily.gauge("größe.m", {LabelSet({"wo.": "hüben\u2028"}): 1})
    answer = json.loads(group_json(Group(GroupingKey("a"), {family.name: StoredFamily(family, 0)}), 0))
    assert answer["families"][0]["name"] == "größe.m"
    assert answer["families"][0]["metrics"][0]["labels"] == [["wo.", "hüben\u2028"]]


# ------------------------------------------------------------------------------------------------- over the gateway


@pytest.mark.parametrize("prefix", ["", "/push"])
def test_the_gateway_serves_the_page(prefix: str) -> None:
    gateway = Gateway(GroupStore(), route_prefix=prefix)
    for path in ("/", "/status"):
        response = gateway.handle(Request("GET", prefix + path))
        assert (response.status, response.header("content-type")) == (200, "text/html; charset=utf-8")
        assert "script-src 'self'" in (response.header("content-security-policy") or "")
        assert response.body == index()
    for name, (content_type, content) in files.items():
        response = gateway.handle(Request("GET", f"{prefix}/static/{name}"))
        assert (response.status, response.header("content-type"), response.body) == (200, content_type, content)
    assert gateway.handle(Request("GET", f"{prefix}/static/none.js")).status == 404
    assert gateway.handle(Request("GET", f"{prefix}/static/../../index.html")).status != 200


@pytest.mark.parametrize("names", ["legacy", "utf-8"])
def test_the_gateway_serves_each_group_at_its_path(names: Any) -> None:
    store = GroupStore(names=names)
    gateway = Gateway(store, names=names, route_prefix="/push")
    for value in ("x", "", "..", "/a b", "ü%\n", "a:b@c~"):
        label = "label" if names == "legacy" else "la.bel"
        store.put(GroupingKey("j/k", {label: value}), b'a{n="%d"} 1\n' % len(value))
    response = gateway.handle(Request("GET", "/push/api/v1/groups"))
    assert (response.status, response.header("content-type")) == (200, "application/json")
    groups = json.loads(response.body)["groups"]
    assert len(groups) == 6
    for shown in groups:
        path = shown["path"].removeprefix("metrics/")
        response = gateway.handle(Request("GET", f"/push/api/v1/groups/{path}"))
        value = shown["labels"][1][1]
        assert json.loads(response.body)["families"][0]["metrics"][0]["labels"] == [["n", str(len(value))]], value
        assert gateway.handle(Request("DELETE", f"/push/{shown['path']}")).status == 202
    assert not store.groups


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("job/none", 404, 'there is no group {job="none"}'),
        ("job/a/b", 400, 'odd number of components in label string "/b"'),
        ("instance/a", 404, "404 page not found"),
    ],
)
def test_a_group_that_is_not_there(path: str, status: int, text: str) -> None:
    response = Gateway(GroupStore()).handle(Request("GET", f"/api/v1/groups/{path}"))
    assert (response.status, response.body.decode()) == (status, text + "\n")
