import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from expofmt.names import (
    EscapingScheme,
    escape_help,
    escape_label_name,
    escape_name,
    is_legacy_label_name,
    is_legacy_metric_name,
    quote,
    unescape_name,
)

ALLOW_UTF8, UNDERSCORES, DOTS, VALUES = EscapingScheme

# Without lone surrogates, which cannot be told apart once they are escaped.
names = st.text(min_size=1) | st.text(alphabet="aZ09_:.é😱\U0010ffffU", min_size=1)


def test_schemes_are_named_as_in_headers() -> None:
    assert list(EscapingScheme) == ["allow-utf-8", "underscores", "dots", "values"]


@pytest.mark.parametrize("name", ["a", "Z", "_", "__name__", "a1", "le", "U__", "x" * 1000])
def test_bare_names(name: str) -> None:
    assert is_legacy_metric_name(name)
    assert is_legacy_label_name(name)


@pytest.mark.parametrize(
    "name", ["", "1", "1a", "a.b", "a b", "a-b", "é", "aé", "a\n", "\na", "a\0", "a٣", "ａ", " a", "a "]
)
def test_names_that_need_quotes(name: str) -> None:
    assert not is_legacy_metric_name(name)
    assert not is_legacy_label_name(name)


@pytest.mark.parametrize("name", [":", "a:b", ":a", "a:"])
def test_a_colon_is_for_metric_names_only(name: str) -> None:
    assert is_legacy_metric_name(name)
    assert not is_legacy_label_name(name)


@pytest.mark.parametrize(
    ("name", "underscores", "dots", "values"),
    [
        ("my.metric_x y", "my_metric_x_y", "my_dot_metric__x__y", "U__my_2e_metric__x_20_y"),
        ("no:escaping_required", "no:escaping_required", "no:escaping__required", "no:escaping_required"),
        ("http.status:sum", "http_status:sum", "http_dot_status:sum", "U__http_2e_status:sum"),
        ("label with 😱", "label_with__", "label__with____", "U__label_20_with_20__1f631_"),
        ("花火", "__", "____", "U___82b1__706b_"),
        ("1a", "_a", "__a", "U___31_a"),
        ("a1", "a1", "a1", "a1"),
        ("a.b_total", "a_b_total", "a_dot_b__total", "U__a_2e_b__total"),
        ("a.1", "a_1", "a_dot_1", "U__a_2e_1"),
        ("_1.", "_1_", "__1_dot_", "U____1_2e_"),
        ("a\nb", "a_b", "a__b", "U__a_a_b"),
        ("\U0010ffff", "_", "__", "U___10ffff_"),
        ("a\ud800", "a_", "a__", "U__a_FFFD_"),
        ("a\ufffd", "a_", "a__", "U__a_fffd_"),
        ("", "", "", ""),
    ],
)
def test_escaping(name: str, underscores: str, dots: str, values: str) -> None:
    assert escape_name(name, UNDERSCORES) == underscores
    assert escape_name(name, DOTS) == dots
    assert escape_name(name, VALUES) == values
    assert escape_name(name, ALLOW_UTF8) == name
    # Without a colon a label name is escaped by the same rule.
    if ":" not in name:
        assert [escape_label_name(name, scheme) for scheme in EscapingScheme] == [name, underscores, dots, values]


def test_a_colon_in_a_label_name_is_escaped() -> None:
    assert [escape_label_name("a:b", scheme) for scheme in EscapingScheme] == ["a:b", "a_b", "a__b", "U__a_3a_b"]


@pytest.mark.parametrize(
    ("escaped", "name"),
    [
        ("U__capitals_2E_ok", "capitals.ok"),
        ("U__http_2e_status:sum", "http.status:sum"),
        ("U__label_20_with_20__1f631_", "label with 😱"),
        ("U___82b1__706b_", "花火"),
        ("U____x", "_x"),
        ("U______x", "__x"),
        ("U___55_____", "U__"),
        ("U___0002e_", "."),
        ("U___10ffff_", "\U0010ffff"),
        ("U___10FFFF_", "\U0010ffff"),
        ("U___0_", "\0"),
        ("U___e000_", "\ue000"),
        ("U__", ""),
        ("U__a b\n", "a b\n"),
    ],
)
def test_unescaping_values(escaped: str, name: str) -> None:
    assert unescape_name(escaped, VALUES) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a",
        "a__b",
        "U_",
        "u__a_2e_b",
        "aU__a_2e_b",
        "U__underscores_doubled_",
        "U__my__hack_2e",
        "U__my__hack_2e_attempt_872348732fabdabbab_",
        "U__in_xxx_valid",
        "U___",
        "U__a_2e_b_",
        "U__a_",
        "U__a_+1_",
        "U__a_ 1_",
        "U__a_٣_",
        "U___00002e_",
        "U___110000_",
        "U___1000000_",
        "U___d800_",
        "U___DFFF_",
        "U__a_2e_b_d800_",
    ],
)
def test_what_the_scheme_values_did_not_write_stays(name: str) -> None:
    assert unescape_name(name, VALUES) == name


@pytest.mark.parametrize(
    ("escaped", "name"),
    [("http_dot_status__code", "http.status_code"), ("a_dot_dot_b", "a.dot_b"), ("a____b", "a__b"), ("", "")],
)
def test_unescaping_dots(escaped: str, name: str) -> None:
    assert unescape_name(escaped, DOTS) == name


@given(names)
@example("U__a b")
@example("_.__")
def test_values_can_be_unescaped(name: str) -> None:
    # A legacy name is never changed, so that one which looks escaped cannot be told from one that is.
    assume(not (is_legacy_metric_name(name) and name.startswith("U__")))
    assert unescape_name(escape_name(name, VALUES), VALUES) == name
    assert unescape_name(escape_label_name(name, VALUES), VALUES) == name


@given(names)
def test_different_names_stay_different_under_values(name: str) -> None:
    for other in (name + "_", name.replace("_", "__"), name.replace(".", "_"), "_" + name):
        assume(not any(is_legacy_metric_name(n) and n.startswith("U__") for n in (name, other)))
        assert (escape_name(name, VALUES) == escape_name(other, VALUES)) == (name == other)


@given(names, st.sampled_from([UNDERSCORES, DOTS, VALUES]))
def test_an_escaped_name_may_stand_bare(name: str, scheme: EscapingScheme) -> None:
    assert is_legacy_metric_name(escape_name(name, scheme))
    assert is_legacy_label_name(escape_label_name(name, scheme))


@given(st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]*", fullmatch=True), st.sampled_from([ALLOW_UTF8, UNDERSCORES, VALUES]))
def test_a_legacy_name_is_escaped_by_dots_only(name: str, scheme: EscapingScheme) -> None:
    assert escape_name(name, scheme) == name


@given(names)
def test_dots_and_underscores_can_be_unescaped_from_dots(name: str) -> None:
    legacy = "".join(c for c in name if c.isascii() and (c.isalnum() or c in "_.:")).lstrip("0123456789")
    # `_` next to `.` makes `___dot_`, in which the reader finds the dot first.
    assume("dot" not in legacy and "__" not in legacy and "_." not in legacy and "._" not in legacy)
    assert unescape_name(escape_name(legacy, DOTS), DOTS) == legacy


@given(st.text(), st.sampled_from([ALLOW_UTF8, UNDERSCORES]))
def test_two_schemes_are_not_undone(name: str, scheme: EscapingScheme) -> None:
    assert unescape_name(name, scheme) == name


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("", '""'),
        ("a", '"a"'),
        ('"', '"\\""'),
        ("\\", '"\\\\"'),
        ("\n", '"\\n"'),
        ("\\n", '"\\\\n"'),
        ('\\"\n', '"\\\\\\"\\n"'),
        ("\r\t\0\u2028é", '"\r\t\0\u2028é"'),
    ],
)
def test_quoting(text: str, quoted: str) -> None:
    assert quote(text) == quoted


@pytest.mark.parametrize(
    ("text", "escaped"), [("", ""), ('"', '"'), ("\\", "\\\\"), ("\n", "\\n"), ("\\n", "\\\\n"), ("\r", "\r")]
)
def test_escaping_help(text: str, escaped: str) -> None:
    assert escape_help(text) == escaped


def unescaped(text: str, escapes: dict[str, str]) -> str:
    characters = iter(text)
    return "".join(escapes[next(characters)] if character == "\\" else character for character in characters)


@given(st.text())
def test_no_escape_loses_anything(text: str) -> None:
    assert unescaped(quote(text)[1:-1], {"\\": "\\", '"': '"', "n": "\n"}) == text
    assert unescaped(escape_help(text), {"\\": "\\", "n": "\n"}) == text
    assert "\n" not in quote(text)
    assert "\n" not in escape_help(text)
