"""Grouping keys and their paths. Clauses are those of Pushgateway's behaviour: what it does, and the words it uses."""

import copy
import pickle
import posixpath
import re
from typing import Any
from urllib.parse import quote_from_bytes, urljoin

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from expofmt import GroupingKey, GroupingKeyError, LabelSet
from expofmt.names import Names
from expofmt.quoting import go_quoted
from expofmt.strategies import grouping_keys

MODES = st.sampled_from(["legacy", "utf-8"])


def refusal(path: str | bytes, **options: Any) -> tuple[int, str]:
    with pytest.raises(GroupingKeyError) as caught:
        GroupingKey.from_path(path, **options)
    return caught.value.status_hint, str(caught.value)


# ------------------------------------------------------------------------------------------------------ as a value


def test_a_mapping_sorted_by_name() -> None:
    key = GroupingKey("batch", {"zone": "eu"}, instance="")
    assert (key.job, key.labels) == ("batch", LabelSet(instance="", job="batch", zone="eu"))
    assert list(key) == list(key.keys()) == ["instance", "job", "zone"]
    assert list(key.values()) == ["", "batch", "eu"]
    assert dict(key.items()) == dict(key) == key == key.labels
    assert (key["zone"], key.get("shard"), "job" in key, "shard" in key, len(key)) == ("eu", None, True, False, 3)


@pytest.mark.parametrize(
    "other",
    [
        GroupingKey("a", {"y": "2", "x": "1"}),
        GroupingKey("a", [("x", "1"), ("y", "2")]),
        GroupingKey("a", x="1", y="2"),
        GroupingKey("a", {"x": "0"}, y="2", x="1"),
        GroupingKey("a", [("x", "0"), ("y", "2"), ("x", "1")]),
        GroupingKey("a", LabelSet(job="b", x="1", y="2")),
    ],
)
def test_order_and_origin_of_the_labels_do_not_matter(other: GroupingKey) -> None:
    key = GroupingKey("a", {"x": "1", "y": "2"})
    assert key == other
    assert hash(key) == hash(other)
    assert not key < other
    assert (str(key), repr(key), key.to_path()) == (str(other), repr(other), other.to_path())


def test_the_job_given_first_wins() -> None:
    assert GroupingKey("a", {"job": "b"}) == GroupingKey("a", job="b") == GroupingKey("a")


def test_is_no_other_thing() -> None:
    assert GroupingKey("a") != GroupingKey("a", x="")
    assert GroupingKey("a") != "a"
    with pytest.raises(TypeError):
        _ = GroupingKey("a") < {"job": "b"}


def test_keys_are_ordered_by_their_pairs() -> None:
    keys = [
        GroupingKey("b", instance="a"),
        GroupingKey("a", instance="b"),
        GroupingKey("a"),
        GroupingKey("a", zone=""),
        GroupingKey("a", zone="é"),
        GroupingKey("b"),
    ]
    shuffled = keys[::-1]
    assert sorted(shuffled) == keys
    assert keys[0] <= keys[0] < keys[1]
    assert keys[1] > keys[0] >= keys[0]


def test_frozen() -> None:
    key = GroupingKey("a")
    for name in ("labels", "job", "_labels", "other"):
        with pytest.raises(AttributeError, match="does not change"):
            setattr(key, name, LabelSet())
    with pytest.raises(AttributeError, match="does not change"):
        del key._labels
    assert not hasattr(key, "__dict__")


@given(grouping_keys())
def test_copies_are_equal(key: GroupingKey) -> None:
    for copied in (pickle.loads(pickle.dumps(key)), copy.deepcopy(key), eval(repr(key))):
        assert copied == key
        assert type(copied) is GroupingKey


@pytest.mark.parametrize(
    ("key", "shown", "evaluated"),
    [
        (GroupingKey("batch"), '{job="batch"}', "GroupingKey('batch')"),
        (
            GroupingKey("batch", instance="a"),
            '{job="batch",instance="a"}',
            "GroupingKey('batch', {'instance': 'a'})",
        ),
        (
            GroupingKey('"', {"host.name": "\n", "_": "\\"}),
            r'{job="\"",_="\\","host.name"="\n"}',
            r"""GroupingKey('"', {'_': '\\', 'host.name': '\n'})""",
        ),
    ],
)
def test_shown_with_the_job_first(key: GroupingKey, shown: str, evaluated: str) -> None:
    assert str(key) == shown
    assert repr(key) == evaluated


@pytest.mark.parametrize(
    ("job", "labels", "message"),
    [
        ("", {}, "job name is required"),
        ("a", {"": "1"}, 'improper label name ""'),
        ("a", {"__x": "1"}, 'improper label name "__x"'),
        ("a", {"__name__": "1"}, 'improper label name "__name__"'),
        ("a", {"x\udcff": "1"}, r'improper label name "x\xff"'),
        ("a", {"le": "1"}, 'improper grouping label "le": it tells the buckets of a histogram apart'),
        ("a", {"quantile": "1"}, 'improper grouping label "quantile": it tells the quantiles of a summary apart'),
        ("a", {"x": "\ud800"}, r'value of label "x" is not UTF-8: "\ud800"'),
        ("\udc80", {}, r'job name is not UTF-8: "\x80"'),
    ],
)
def test_what_cannot_be_a_key(job: str, labels: dict[str, str], message: str) -> None:
    with pytest.raises(GroupingKeyError) as caught:
        GroupingKey(job, labels)
    assert str(caught.value) == message
    assert caught.value.status_hint == 400
    assert isinstance(caught.value, ValueError)


def test_what_is_no_text() -> None:
    for job, labels in [(1, {}), (None, {}), ("a", {1: "x"}), ("a", {"x": 1}), ("a", {"x": None}), (b"a", {})]:
        with pytest.raises(TypeError, match="is a str, not"):
            GroupingKey(job, labels)  # type: ignore[arg-type]


def test_errors_can_be_pickled() -> None:
    for path in ("/metrics/jobs/a", "/metrics/job/a/b"):
        with pytest.raises(GroupingKeyError) as caught:
            GroupingKey.from_path(path)
        copied = pickle.loads(pickle.dumps(caught.value))
        assert (str(copied), copied.status_hint) == (str(caught.value), caught.value.status_hint)


# ------------------------------------------------------------------------------- 1.1: from a request to components


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/metrics/job/j", GroupingKey("j")),
        ("/metrics/job/j/", GroupingKey("j")),
        ("/metrics/job/j/a/b", GroupingKey("j", a="b")),
        ("/metrics/job/j/a/b/c/d", GroupingKey("j", a="b", c="d")),
        ("/metrics/job/j/a/b%2Fc/d", GroupingKey("j", a="b", c="d")),
        ("/metrics/job/j%2fa%2fb", GroupingKey("j", a="b")),
        ("%2Fmetrics%2Fjob%2Fj", GroupingKey("j")),
        ("/%6Detrics/j%6Fb/j", GroupingKey("j")),
        ("/metrics/job/j/a/b+c", GroupingKey("j", a="b+c")),
        ("/metrics/job/j/a/b%2Bc%20d", GroupingKey("j", a="b+c d")),
        ("/metrics/job/j/a/b%252Fc", GroupingKey("j", a="b%2Fc")),
        ("/metrics/job/j?a=b", GroupingKey("j")),
        ("/metrics/job/j/a/b?c/d", GroupingKey("j", a="b")),
        ("/metrics/job/j/a/b?c=%zz", GroupingKey("j", a="b")),
        ("/metrics/job/j/a/b%3Fc", GroupingKey("j", a="b?c")),
        ("/metrics/job%40base64/YQ", GroupingKey("a")),
        ("/metrics/job/j/x%40base64/YQ", GroupingKey("j", x="a")),
        ('/metrics/job/j/a/é"\\;:#', GroupingKey("j", a='é"\\;:#')),
        ("/metrics/job/j/a/%C3%A9%00%0A", GroupingKey("j", a="é\0\n")),
        # What a client or a server in front of it may clean up arrives here as it is.
        ("/metrics/job/j/a/..", GroupingKey("j", a="..")),
        ("/metrics/job/j/a/%2e%2E", GroupingKey("j", a="..")),
        ("/metrics/job/./a/b", GroupingKey(".", a="b")),
        ("/metrics/job/j/a//b/c", GroupingKey("j", a="", b="c")),
        ("/metrics/job/j/a/%2Fb/c", GroupingKey("j", a="", b="c")),
    ],
)
def test_paths(path: str, key: GroupingKey) -> None:
    assert GroupingKey.from_path(path) == key
    assert GroupingKey.from_path(path.encode()) == key


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/metrics",
        "/metrics/",
        "/metrics/job",
        "/metrics/job/",
        "/metrics/job/?j",
        "/metrics/job@base64",
        "/metrics/job@base64/",
        "/metrics/jobs/a",
        "/metrics/job@base6/a",
        "/metrics/job@base64@base64/a",
        "/Metrics/job/j",
        "metrics/job/j",
        "//metrics/job/j",
        "/x/../metrics/job/j",
        "/metrics//job/j",
        "/push/metrics/job/j",
        "/api/v1/metrics",
    ],
)
def test_paths_that_no_server_knows(path: str) -> None:
    assert refusal(path) == (404, "404 page not found")


@pytest.mark.parametrize(
    "path",
    [
        "/metrics/job/j/a/b%",
        "/metrics/job/j/a/b%2",
        "/metrics/job/j/a/b%zz",
        "/metrics/job/j/a/%+2",
        "/metrics/job/j/a b",
        "/metrics/job/j/a/b?c d",
        "/metrics/job/j/a/b\n",
        "/metrics/job/j/a/b\x7f",
        "/metrics/job/j/a/b?\x00",
        "/nowhere/%",
    ],
)
def test_paths_that_http_does_not_know(path: str) -> None:
    assert refusal(path) == (400, "400 Bad Request")


def test_a_path_that_is_decoded_already() -> None:
    def read(path: str | bytes) -> GroupingKey:
        return GroupingKey.from_path(path, decoded=True)

    assert read("/metrics/job/100%/a/b c?d") == GroupingKey("100%", a="b c?d")
    assert read("/metrics/job/%41/a/\n\x00é".encode()) == GroupingKey("%41", a="\n\0é")
    assert refusal(b"/metrics/job/a/b/\xff", decoded=True) == (400, r'value of label "b" is not UTF-8: "\xff"')


@pytest.mark.parametrize("prefix", ["/push", "push", "push/", "/push/"])
def test_a_prefix_with_or_without_its_slashes(prefix: str) -> None:
    assert GroupingKey.from_path("/push/metrics/job/a/b/c", prefix=prefix) == GroupingKey("a", b="c")
    assert GroupingKey("a", b="c").to_path(prefix=prefix) == "/push/metrics/job/a/b/c"
    for path in ("/metrics/job/a", "/pushmetrics/job/a", "/push/push/metrics/job/a", "push/metrics/job/a"):
        assert refusal(path, prefix=prefix) == (404, "404 page not found")


@pytest.mark.parametrize("prefix", ["", "/"])
def test_no_prefix(prefix: str) -> None:
    assert GroupingKey.from_path("/metrics/job/a", prefix=prefix) == GroupingKey("a")
    assert GroupingKey("a").to_path(prefix=prefix) == "/metrics/job/a"


def test_a_prefix_is_encoded_as_the_path_is() -> None:
    assert GroupingKey("a").to_path(prefix="/a b/é") == "/a%20b/%C3%A9/metrics/job/a"
    assert GroupingKey.from_path("/a%20b/%C3%A9/metrics/job/a", prefix="/a b/é") == GroupingKey("a")


# ------------------------------------------------------------------------------------- 1.2: what is refused, and how


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "/metrics/job@base64/YWJj!x",
            'invalid base64 encoding in job name "abc": illegal base64 data at input byte 4',
        ),
        ("/metrics/job@base64/a!", 'invalid base64 encoding in job name "": illegal base64 data at input byte 1'),
        (
            "/metrics/job@base64/_____!",
            r'invalid base64 encoding in job name "\xff\xff\xff": illegal base64 data at input byte 5',
        ),
        ("/metrics/job/j/x", 'odd number of components in label string "/x"'),
        ("/metrics/job/j/x/y/z", 'odd number of components in label string "/x/y/z"'),
        ("/metrics/job/j/x/y/", 'odd number of components in label string "/x/y/"'),
        ("/metrics/job/j//", 'improper label name ""'),
        ("/metrics/job/j/%2Fa/b", 'odd number of components in label string "//a/b"'),
        (
            '/metrics/job/j/"/%C3%A9/%FF%00%0A\\',
            r'odd number of components in label string "/\"/é/\xff\x00\n\\"',
        ),
        ("/metrics/job/j/a=b/c", 'improper label name "a=b"'),
        ("/metrics/job/j/__x/1", 'improper label name "__x"'),
        ("/metrics/job/j/foo.bar@base64/YQ", 'improper label name "foo.bar"'),
        ("/metrics/job/j/%C3%A9%E2%80%A8%FF/1", r'improper label name "é\u2028\xff"'),
        ("/metrics/job/j/1a/1", 'improper label name "1a"'),
        (
            "/metrics/job/j/x@base64/a+b/",
            'odd number of components in label string "/x@base64/a+b/"',
        ),
        (
            "/metrics/job/j/x@base64/a+b",
            'invalid base64 encoding for label x="a+b": illegal base64 data at input byte 1',
        ),
        (
            '/metrics/job/j/x@base64/!%FF"=',
            r'invalid base64 encoding for label x="!\xff\"=": illegal base64 data at input byte 0',
        ),
        ("/metrics/job@base64/=", "job name is required"),
        ("/metrics/job@base64/=/a/b", "job name is required"),
        ("/metrics/job/%2F", "job name is required"),
        ("/metrics/job//", "job name is required"),
        ("/metrics/job/%2Fa/b", "job name is required"),
    ],
)
def test_refusals(path: str, message: str) -> None:
    assert refusal(path) == (400, message)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/metrics/job@base64/!/a", 'invalid base64 encoding in job name "": illegal base64 data at input byte 0'),
        ("/metrics/job@base64/=/a", 'odd number of components in label string "/a"'),
        ("/metrics/job@base64/=/__a/b", 'improper label name "__a"'),
        ("/metrics/job/j/__a@base64/!", 'improper label name "__a"'),
        (
            "/metrics/job/j/a@base64/!/__a/b",
            'invalid base64 encoding for label a="!": illegal base64 data at input byte 0',
        ),
        ("/metrics/job/j/x/%FF/le/1/__a/b", 'improper label name "__a"'),
        ("/metrics/job/%2Fle/1", "job name is required"),
        ("/nowhere/%zz", "400 Bad Request"),
    ],
)
def test_the_first_check_that_fails_has_the_word(path: str, message: str) -> None:
    assert refusal(path) == (400, message)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/metrics/job/%FF", r'job name is not UTF-8: "\xff"'),
        ("/metrics/job@base64/_w", r'job name is not UTF-8: "\xff"'),
        ("/metrics/job/a/x/a%FFb", r'value of label "x" is not UTF-8: "a\xffb"'),
        ("/metrics/job/a/x@base64/7aCA", r'value of label "x" is not UTF-8: "\xed\xa0\x80"'),
        ("/metrics/job/a/le/1", 'improper grouping label "le": it tells the buckets of a histogram apart'),
        ("/metrics/job/a/quantile/1", 'improper grouping label "quantile": it tells the quantiles of a summary apart'),
    ],
)
def test_what_pushgateway_takes_and_breaks_on(path: str, message: str) -> None:
    """12.1 and 12.6: there, the first four fail all scrapes and pushes until somebody deletes the group."""
    assert refusal(path) == (400, message)


def test_a_lone_surrogate_in_a_path_of_text() -> None:
    assert refusal("/metrics/job/\ud800") == (400, r'job name is not UTF-8: "\xed\xa0\x80"')


# ------------------------------------------------------------------------------------------------------ 1.3: base64


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        ("YS9i", "a/b"),
        ("YQ", "a"),
        ("YQ==", "a"),
        ("YQ=", "a"),
        ("YQ=====", "a"),
        ("YR", "a"),
        ("YWI", "ab"),
        ("YWJ", "ab"),
        ("=", ""),
        ("====", ""),
        ("", ""),
        ("Pz8-Pz8_", "??>???"),
        ("Y%0AQ", "a"),
        ("%0D%0AYQ%0A", "a"),
        ("%0A", ""),
        ("w6k", "é"),
        ("AA", "\0"),
    ],
)
def test_base64(encoded: str, value: str) -> None:
    assert GroupingKey.from_path(f"/metrics/job/j/x@base64/{encoded}") == GroupingKey("j", x=value)
    if value:
        assert GroupingKey.from_path(f"/metrics/job@base64/{encoded}") == GroupingKey(value)


@pytest.mark.parametrize(
    ("encoded", "offset"),
    [
        ("Y", 0),
        ("YWJjY", 4),
        ("Y===", 0),
        ("Y%0A", 1),
        ("%0AY%0A%0D", 3),
        ("YW%0AJjY", 5),
        ("a+b", 1),
        ("YWJjYWJjYWJjYW=I", 14),
        ("YQ==%0A", 2),
        ("YWJ%C3%A9", 3),
        ("YW JjYW".replace(" ", "%20"), 2),
        ("YWJjYWJjYWJjYWJjYWJj!", 20),
    ],
)
def test_base64_that_is_none(encoded: str, offset: int) -> None:
    status, message = refusal(f"/metrics/job/j/x@base64/{encoded}")
    assert status == 400
    assert message.startswith('invalid base64 encoding for label x="')
    assert message.endswith(f": illegal base64 data at input byte {offset}")


@pytest.mark.parametrize(
    ("encoded", "decoded", "offset"),
    [
        ("YWJjYWJjYWJjYWJjY", "abcabcabcabc", 16),
        ("YWJjYWJjYW%0AJjYWJj!", "abcabcabcabc", 17),
        ("YW%0A%0AJjYWJjYWJjYWJjYWJj!", "abcabcabcabcabc", 22),
        ("YWJjYW!", "abc", 6),
        ("YWJjYWI!", "abc", 7),
    ],
)
def test_what_is_quoted_of_a_job_is_what_could_be_decoded(encoded: str, decoded: str, offset: int) -> None:
    message = f'invalid base64 encoding in job name "{decoded}": illegal base64 data at input byte {offset}'
    assert refusal(f"/metrics/job@base64/{encoded}") == (400, message)


@pytest.mark.parametrize(
    ("name", "shown"), [("x@base64@base64", "x@base64"), ("@base64", ""), ("x@Base64", "x@Base64")]
)
def test_the_suffix_is_taken_off_once(name: str, shown: str) -> None:
    assert refusal(f"/metrics/job/j/{name}/YQ") == (400, f'improper label name "{shown}"')


def test_an_empty_value_may_stand_last() -> None:
    assert GroupingKey.from_path("/metrics/job/j/zone/") == GroupingKey("j", zone="")
    assert GroupingKey.from_path("/metrics/job/j/a/b/zone/?x") == GroupingKey("j", a="b", zone="")


# ------------------------------------------------------------------------------------------------------- 1.4: names


def test_repeated_labels() -> None:
    assert GroupingKey.from_path("/metrics/job/j/b/c/b/d") == GroupingKey("j", b="d")
    assert GroupingKey.from_path("/metrics/job/j/b@base64/Yw/b/d") == GroupingKey("j", b="d")
    assert GroupingKey.from_path("/metrics/job/a/job/b/job@base64/Yw") == GroupingKey("a")
    assert GroupingKey.from_path("/metrics/job/a/x_y/1/U__x__y/2", names="utf-8") == GroupingKey("a", x_y="2")


@pytest.mark.parametrize("name", ["instance", "_x", "X9", "U__foo_2e_bar", "U__", "U______x", "U___6c__65_", "u"])
def test_legacy_names_are_literal(name: str) -> None:
    assert GroupingKey.from_path(f"/metrics/job/j/{name}/1") == GroupingKey("j", {name: "1"})


@pytest.mark.parametrize(
    ("spelt", "name"),
    [
        ("foo", "foo"),
        ("foo.bar", "foo.bar"),
        ("1 a".replace(" ", "%20"), "1 a"),
        ("%C3%A9", "é"),
        ("U__foo_2e_bar", "foo.bar"),
        ("U__foo_2E_bar", "foo.bar"),
        ("U__foo_0002e_bar", "foo.bar"),
        ("U__foo__bar", "foo_bar"),
        ("U__1f_1f600_", "1f😀"),
        ("U__foo_2e_bar_", "U__foo_2e_bar_"),
        ("U__in_xxx_valid", "U__in_xxx_valid"),
        ("U__a_2e", "U__a_2e"),
        ("U__a_00002e_b", "U__a_00002e_b"),
        ("U__a_d800_", "U__a_d800_"),
        ("U___55_____", "U__"),
        ("U____x", "_x"),
        ("U__é".replace("é", "%C3%A9"), "é"),
        ("x@base64@base64", "x@base64"),
        ("u__a_2e_", "u__a_2e_"),
    ],
)
def test_names_of_utf8(spelt: str, name: str) -> None:
    encoded = spelt if spelt.endswith("@base64") else f"{spelt}@base64"
    assert GroupingKey.from_path(f"/metrics/job/j/{encoded}/YmF6", names="utf-8") == GroupingKey("j", {name: "baz"})
    if encoded != spelt:
        assert GroupingKey.from_path(f"/metrics/job/j/{spelt}/baz", names="utf-8") == GroupingKey("j", {name: "baz"})


def test_what_go_writes_and_does_not_read() -> None:
    """Its writer takes six digits from U+100000 on, its reader five: the name would stay escaped."""
    key = GroupingKey.from_path("/metrics/job/j/U___10ffff_/1", names="utf-8")
    assert key == GroupingKey("j", {"\U0010ffff": "1"})


@pytest.mark.parametrize(
    ("spelt", "message"),
    [
        ("", 'improper label name ""'),
        ("@base64", 'improper label name ""'),
        ("%FF", r'improper label name "\xff"'),
        ("__x", 'improper label name "__x"'),
        ("__x_2e_", 'improper label name "__x_2e_"'),
        ("U__", 'improper label name "U__"'),
        ("U__%FF", r'improper label name "U__\xff"'),
        # 12.1: Pushgateway finds out when the group exists already.
        ("U______x", 'improper label name "U______x"'),
        ("U___5f__5f_x", 'improper label name "U___5f__5f_x"'),
        ("U__l_65_", 'improper grouping label "le": it tells the buckets of a histogram apart'),
        ("a.b@base64", 'invalid base64 encoding for label a.b="1": illegal base64 data at input byte 0'),
        ("U__a_2e_b@base64", 'invalid base64 encoding for label U__a_2e_b="1": illegal base64 data at input byte 0'),
    ],
)
def test_refused_names_of_utf8(spelt: str, message: str) -> None:
    assert refusal(f"/metrics/job/j/{spelt}/1", names="utf-8") == (400, message)


def test_names_are_one_of_two_words() -> None:
    for call in (GroupingKey("a").to_path, lambda names: GroupingKey.from_path("/metrics/job/a", names=names)):
        with pytest.raises(ValueError, match="names are 'utf-8' or 'legacy', not 'utf8'"):
            call(names="utf8")  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------------------------- to a path


@pytest.mark.parametrize(
    ("value", "components"),
    [
        ("a", "x/a"),
        ("db1.example.com:9100", "x/db1.example.com:9100"),
        ("root@db1", "x/root@db1"),
        ("a-b_c~d", "x/a-b_c~d"),
        ("...", "x/..."),
        ("é", "x/%C3%A9"),
        ("", "x@base64/="),
        (".", "x@base64/Lg"),
        ("..", "x@base64/Li4"),
        ("/", "x@base64/Lw"),
        ("a/b", "x@base64/YS9i"),
        ("a+b", "x@base64/YSti"),
        ("a b", "x@base64/YSBi"),
        ("a%2Fb", "x@base64/YSUyRmI"),
        ("a;b", "x@base64/YTti"),
        ("a?b", "x@base64/YT9i"),
        ("\\", "x@base64/XA"),
        ("a\n", "x@base64/YQo"),
        (".\n", "x@base64/Lgo"),
        ("??>???", "x@base64/Pz8-Pz8_"),
    ],
)
def test_values_in_a_path(value: str, components: str) -> None:
    assert GroupingKey("j", x=value).to_path() == f"/metrics/job/j/{components}"
    if value:
        assert GroupingKey(value).to_path() == "/metrics/job" + components.removeprefix("x")


@pytest.mark.parametrize(
    ("name", "legacy", "utf8"),
    [
        ("x_y", "x_y", "x_y"),
        ("U_x", "U_x", "U_x"),
        ("U__foo_2e_bar", "U__foo_2e_bar", "U__U____foo__2e__bar"),
        ("U__", "U__", "U__U____"),
        ("U__in_xxx_valid", "U__in_xxx_valid", "U__in_xxx_valid"),
        ("foo.bar", None, "U__foo_2e_bar"),
        ("a:b", None, "U__a_3a_b"),
        ("/", None, "U___2f_"),
        ("x@base64", None, "U__x_40_base64"),
        ("_é", None, "U_____e9_"),
        ("U__é", None, "U__U_____e9_"),
        ("\U0010ffff", None, "U___10ffff_"),
    ],
)
def test_names_in_a_path(name: str, legacy: str | None, utf8: str) -> None:
    key = GroupingKey("j", {name: "1"})
    assert key.to_path(names="utf-8") == f"/metrics/job/j/{utf8}/1"
    assert GroupingKey.from_path(f"/metrics/job/j/{utf8}/1", names="utf-8") == key
    if legacy is not None:
        assert key.to_path() == f"/metrics/job/j/{legacy}/1"
        return
    with pytest.raises(GroupingKeyError) as caught:
        key.to_path()
    assert str(caught.value) == f'improper label name {go_quoted(name)}: it takes a path with names="utf-8"'


def test_labels_stand_in_order() -> None:
    assert GroupingKey("j", z="1", a="2", m="").to_path() == "/metrics/job/j/a/2/m@base64/=/z/1"


# --------------------------------------------------------------------------------------------------------- properties


@given(grouping_keys(names="legacy"), MODES, st.sampled_from(["", "/push", "/a b/é/"]))
@example(GroupingKey("j", {"U__foo_2e_bar": "1"}), "utf-8", "")
def test_a_path_is_read_back(key: GroupingKey, names: Names, prefix: str) -> None:
    path = key.to_path(names=names, prefix=prefix)
    assert GroupingKey.from_path(path, names=names, prefix=prefix) == key


@given(grouping_keys())
@example(GroupingKey("j", {"U__é": "1", "U__": "2", "_": "3"}))
def test_a_path_with_names_of_utf8_is_read_back(key: GroupingKey) -> None:
    path = key.to_path(names="utf-8")
    assert GroupingKey.from_path(path, names="utf-8") == key
    assert GroupingKey.from_path(path.encode(), names="utf-8") == key


@given(grouping_keys())
@example(GroupingKey("j", {"U__é": "é/"}))
def test_nobody_on_the_way_changes_a_path(key: GroupingKey) -> None:
    path = key.to_path(names="utf-8")
    assert re.fullmatch(r"(/([A-Za-z0-9._~:@=-]|%[89A-F][0-9A-F])+)+", path)
    assert posixpath.normpath(path) == path
    assert urljoin("http://gateway", path) == f"http://gateway{path}"


# Mostly what means something in a path.
PIECES = st.sampled_from(
    [
        b"/",
        b"/",
        b"metrics",
        b"job",
        b"@base64",
        b"YQ",
        b"=",
        b"%2F",
        b"%",
        b"%FF",
        b"U__",
        b"_2e_",
        b"le",
        b"a",
        b"_",
        b"?",
    ]
)
PATHS = st.one_of(st.binary(), st.lists(PIECES | st.binary(max_size=2)).map(b"".join)).flatmap(
    lambda rest: st.sampled_from([rest, b"/metrics/job/" + rest, b"/metrics/job@base64/" + rest])
)


@given(PATHS, MODES, st.booleans())
def test_any_path_gives_a_key_or_the_one_error(path: bytes, names: Names, decoded: bool) -> None:
    try:
        key = GroupingKey.from_path(path, names=names, decoded=decoded)
    except GroupingKeyError as error:
        status, body = error.status_hint, str(error).encode()
        assert status in (400, 404)
        assert body
    else:
        assert GroupingKey.from_path(key.to_path(names=names), names=names) == key


@given(PATHS, MODES)
def test_decoding_is_all_that_is_done_to_a_raw_path(path: bytes, names: Names) -> None:
    def read(given: bytes, decoded: bool) -> GroupingKey | str:
        try:
            return GroupingKey.from_path(given, names=names, decoded=decoded)
        except GroupingKeyError as error:
            return str(error)

    assert read(path, True) == read(quote_from_bytes(path).encode(), False)


@given(grouping_keys(), st.randoms())
def test_the_order_of_labels_is_no_part_of_a_key(key: GroupingKey, random: Any) -> None:
    pairs = list(key.items())
    random.shuffle(pairs)
    again = GroupingKey(key.job, pairs)
    assert again == key
    assert hash(again) == hash(key)
    _, metrics, *components = key.to_path(names="utf-8").split("/")
    job, *labels = [components[place : place + 2] for place in range(0, len(components), 2)]
    random.shuffle(labels)
    path = "/".join(["", metrics, *job, *(component for label in labels for component in label)])
    assert GroupingKey.from_path(path, names="utf-8") == key


@given(grouping_keys(), grouping_keys())
def test_any_two_keys_are_equal_or_in_order(a: GroupingKey, b: GroupingKey) -> None:
    assert [a < b, a == b, a > b].count(True) == 1
    assert (a == b) == (a.labels == b.labels) == (a.to_path(names="utf-8") == b.to_path(names="utf-8"))
    assert (a < b) == ([*a.items()] < [*b.items()])


# ------------------------------------------------------------------------------------------------------------- quoting


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("", '""'),
        ("a b", '"a b"'),
        ('"\\', r'"\"\\"'),
        ("\a\b\f\n\r\t\v", r'"\a\b\f\n\r\t\v"'),
        ("\0\x1b\x7f", r'"\x00\x1b\x7f"'),
        ("'`é😀\ufffd", '"\'`é😀\ufffd"'),
        ("\x80\xa0\xad\u2028\u3000\ufeff\ue000", r'"\u0080\u00a0\u00ad\u2028\u3000\ufeff\ue000"'),
        ("\U000e0001\U0010ffff", r'"\U000e0001\U0010ffff"'),
        ("\udcff\udc80", r'"\xff\x80"'),
    ],
)
def test_quoting_as_go_does(text: str, quoted: str) -> None:
    assert go_quoted(text) == quoted


@given(st.text())
def test_what_is_quoted_is_one_line_that_shows(text: str) -> None:
    assume(text)
    assert go_quoted(text).isprintable()
