import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from expofmt.formats import ContentType, Format
from expofmt.names import EscapingScheme

TEXT_0_0_4 = ContentType(Format.TEXT, "0.0.4")
TEXT_1_0_0 = ContentType(Format.TEXT, "1.0.0")
OPENMETRICS_0_0_1 = ContentType(Format.OPENMETRICS_1_0, "0.0.1")
OPENMETRICS_1_0_0 = ContentType(Format.OPENMETRICS_1_0, "1.0.0")
OPENMETRICS_2_0_0 = ContentType(Format.OPENMETRICS_2_0, "2.0.0")
PROTOBUF = [ContentType(Format.PROTOBUF, encoding=encoding) for encoding in ("delimited", "text", "compact-text")]

# What Prometheus' client libraries offer, with and without OpenMetrics.
WITH_OPENMETRICS = [OPENMETRICS_1_0_0, OPENMETRICS_0_0_1, *PROTOBUF, TEXT_0_0_4]
PUSHGATEWAY = [TEXT_0_0_4, *PROTOBUF]

PROTO = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily"
PROTO_EXPECTED = "proto=io.prometheus.client.MetricFamily and an encoding (delimited, text, compact-text)"
PROTO_ANSWER = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding="
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)

escapings = st.none() | st.sampled_from(EscapingScheme)
content_types = (
    st.builds(ContentType, st.sampled_from(Format), escaping=escapings)
    | st.builds(ContentType, st.just(Format.TEXT), st.sampled_from(["0.0.4", "1.0.0", "9"]), escapings)
    | st.builds(ContentType, st.just(Format.OPENMETRICS_2_0), st.sampled_from(["2.0.0-rc", "2.1"]), escapings)
    | st.builds(ContentType, st.just(Format.OPENMETRICS_1_0), st.sampled_from(["0.0.1", "1.1.0"]), escapings)
    | st.builds(
        ContentType, st.just(Format.PROTOBUF), escaping=escapings, encoding=st.sampled_from(["text", "compact-text"])
    )
)
pieces = ["text/plain", "*/*", "text/*", PROTO, "application/openmetrics-text", "version=1.0.0", "escaping=dots"]
pieces += ["encoding=text", "q=0.5", "q=0", ";", ",", " ", '"', "\\", "="]
headers = st.text(alphabet='aq*/;=,."\\ \t01', max_size=40) | st.lists(st.sampled_from(pieces), max_size=15).map(
    "".join
)


@pytest.mark.parametrize(
    ("content_type", "header"),
    [
        (TEXT_0_0_4, "text/plain; version=0.0.4; charset=utf-8"),
        (ContentType(Format.TEXT), "text/plain; version=0.0.4; charset=utf-8"),
        (
            ContentType(Format.TEXT, "1.0.0", EscapingScheme.ALLOW_UTF8),
            "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
        ),
        (ContentType(Format.OPENMETRICS_1_0), "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        (ContentType(Format.OPENMETRICS_2_0), "application/openmetrics-text; version=2.0.0; charset=utf-8"),
        (
            ContentType(Format.PROTOBUF, escaping=EscapingScheme.UNDERSCORES),
            PROTO_ANSWER + "delimited; escaping=underscores",
        ),
        (
            ContentType(Format.PROTOBUF, encoding="compact-text"),
            PROTO_ANSWER + "compact-text",
        ),
    ],
)
def test_headers_are_spelt_as_prometheus_spells_them(content_type: ContentType, header: str) -> None:
    assert str(content_type) == header


@given(content_types)
def test_a_header_names_what_it_was_made_from(content_type: ContentType) -> None:
    assert ContentType.parse(str(content_type)) == content_type
    assert pickle.loads(pickle.dumps(content_type)) == content_type


@pytest.mark.parametrize(
    ("header", "content_type"),
    [
        ("text/plain", TEXT_0_0_4),
        ("TEXT/Plain;VERSION=1.0.0", TEXT_1_0_0),
        (" text/plain ; version = 1.0.0 ; ", TEXT_1_0_0),
        ("text/plain;;version=1.0.0;", TEXT_1_0_0),
        ("text/plain;\tversion=1.0.0", TEXT_1_0_0),
        ('text/plain; version="1.0.0"', TEXT_1_0_0),
        ('text/plain; version="1\\.0.\\0"', TEXT_1_0_0),
        ('text/plain; x="a;b,\\"c\\\\"; version=1.0.0', TEXT_1_0_0),
        ("text/plain; charset=ISO-8859-1", TEXT_0_0_4),
        ("text/plain; version=42", ContentType(Format.TEXT, "42")),
        ("text/plain; escaping=dots", ContentType(Format.TEXT, escaping=EscapingScheme.DOTS)),
        ("text/plain; escaping=rot13", TEXT_0_0_4),
        ("text/plain; escaping=DOTS", TEXT_0_0_4),
        ("text/plain; q=0", TEXT_0_0_4),
        ("application/openmetrics-text", OPENMETRICS_0_0_1),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", OPENMETRICS_1_0_0),
        ("application/openmetrics-text; version=2.0.0", OPENMETRICS_2_0_0),
        ("application/openmetrics-text; version=2.0.0-rc", ContentType(Format.OPENMETRICS_2_0, "2.0.0-rc")),
        (PROTO + ";encoding=delimited", PROTOBUF[0]),
        (PROTO + '; Encoding="text"', PROTOBUF[1]),
    ],
)
def test_content_types(header: str, content_type: ContentType) -> None:
    assert ContentType.parse(header) == content_type


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "not a media type: ``"),
        ("text", "not a media type: `text`"),
        ("text/", "not a media type: `text/`"),
        ("/plain", "not a media type: `/plain`"),
        (";version=0.0.4", "not a media type: `;version=0.0.4`"),
        ("text/plain/x", "malformed parameters of a media type: `text/plain/x`"),
        ("text/plain, text/plain", "malformed parameters of a media type: `text/plain, text/plain`"),
        ("text/plain version=0.0.4", "malformed parameters of a media type: `text/plain version=0.0.4`"),
        ("text/plain; version", "malformed parameters of a media type: `text/plain; version`"),
        ("text/plain; version=", "malformed parameters of a media type: `text/plain; version=`"),
        ("text/plain; =1", "malformed parameters of a media type: `text/plain; =1`"),
        ('text/plain; version="1.0.0', 'malformed parameters of a media type: `text/plain; version="1.0.0`'),
        ('text/plain; version="1"0', 'malformed parameters of a media type: `text/plain; version="1"0`'),
        ("text/plain\n", "malformed parameters of a media type: `text/plain\n`"),
        ("text/plain; x=é", "malformed parameters of a media type: `text/plain; x=é`"),
        ("text/plain; a=1; A=1", "parameter `a` given twice: `text/plain; a=1; A=1`"),
        ("text/html; charset=utf-8", "not the content type of an exposition format: `text/html`"),
        ("*/*", "not the content type of an exposition format: `*/*`"),
        ('text/plain; version="1 0"', "text has no version `1 0`"),
        (
            "application/vnd.google.protobuf",
            f"protobuf without {PROTO_EXPECTED}: `application/vnd.google.protobuf`",
        ),
    ],
)
def test_what_is_no_content_type(header: str, message: str) -> None:
    with pytest.raises(ValueError) as refused:
        ContentType.parse(header)
    assert str(refused.value) == message


@pytest.mark.parametrize("parameters", ["proto=x;encoding=delimited", "encoding=delimited", "encoding=snappy"])
def test_protobuf_must_say_what_it_holds(parameters: str) -> None:
    with pytest.raises(ValueError, match="protobuf without proto="):
        ContentType.parse(f"application/vnd.google.protobuf;{parameters}")


def test_what_no_header_could_say_is_refused() -> None:
    with pytest.raises(ValueError, match=r"openmetrics-1\.0 has no version `2\.0\.0`"):
        ContentType(Format.OPENMETRICS_1_0, "2.0.0")
    with pytest.raises(ValueError, match=r"openmetrics-2\.0 has no version `1\.0\.0`"):
        ContentType(Format.OPENMETRICS_2_0, "1.0.0")
    with pytest.raises(ValueError, match="text has no version `1\r\nX: y`"):
        ContentType(Format.TEXT, "1\r\nX: y")
    with pytest.raises(ValueError, match="protobuf has no encoding `snappy`"):
        ContentType(Format.PROTOBUF, encoding="snappy")


@given(headers)
@example("text/plain;" + "a=b;" * 1000)
def test_any_header_is_a_content_type_or_a_value_error(header: str) -> None:
    try:
        content_type = ContentType.parse(header)
    except ValueError:
        return
    assert ContentType.parse(str(content_type)) == content_type


# What Prometheus' own library was seen to answer with OpenMetrics offered.
@pytest.mark.parametrize(
    ("accept", "answer"),
    [
        (PROMETHEUS, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"),
        ("", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"),
        ("text/html", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"),
        ("*/*", "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"),
        (
            "application/openmetrics-text",
            "application/openmetrics-text; version=0.0.1; charset=utf-8; escaping=underscores",
        ),
        (
            "application/openmetrics-text;version=2.0.0",
            "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
        ),
        ("text/plain;version=1.0.0;escaping=values", "text/plain; version=0.0.4; charset=utf-8; escaping=values"),
        (
            PROTO + ";encoding=delimited,text/plain;q=0.5",
            PROTO_ANSWER + "delimited; escaping=underscores",
        ),
    ],
)
def test_negotiation_with_openmetrics(accept: str, answer: str) -> None:
    assert str(ContentType.negotiate(accept, offered=WITH_OPENMETRICS)) == answer


@pytest.mark.parametrize(
    ("accept", "version", "escaping"),
    [
        ("", "0.0.4", "underscores"),
        ("*/*", "0.0.4", "underscores"),
        ("text/*", "0.0.4", "underscores"),
        ("text/plain", "0.0.4", "underscores"),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", "0.0.4", "underscores"),
        (PROMETHEUS, "1.0.0", "allow-utf-8"),
        ("text/plain;version=1.0.0", "1.0.0", "underscores"),
        ("text/*;version=1.0.0", "1.0.0", "underscores"),
        ("*/*;version=2.0.0", "0.0.4", "underscores"),
        ("text/plain;version=1.0.0;q=0.1,text/plain;version=0.0.4;q=0.2", "0.0.4", "underscores"),
        ("text/plain;version=1.0.0,text/plain", "1.0.0", "underscores"),
        ("*/*,text/*,text/plain;version=1.0.0", "1.0.0", "underscores"),
        ("image/*,*/*;escaping=dots", "0.0.4", "dots"),
    ],
)
def test_negotiation_with_what_is_offered_by_default(accept: str, version: str, escaping: str) -> None:
    expected = ContentType(Format.TEXT, version, EscapingScheme(escaping))
    assert ContentType.negotiate(accept) == expected


@pytest.mark.parametrize(
    ("accept", "encoding", "escaping"),
    [
        ("", None, "underscores"),
        ("*/*", None, "underscores"),
        (PROMETHEUS, None, "allow-utf-8"),
        (f"{PROTO};encoding=delimited", "delimited", "underscores"),
        (f"{PROTO};encoding=text", "text", "underscores"),
        (f"{PROTO};encoding=compact-text", "compact-text", "underscores"),
        (f"{PROTO};encoding=snappy", None, "underscores"),
        (f"{PROTO}", None, "underscores"),
        ("application/vnd.google.protobuf;encoding=delimited", None, "underscores"),
        (f"*/*,{PROTO};encoding=delimited;q=0.5", "delimited", "underscores"),
        (f"text/*,application/*,{PROTO};encoding=text;q=0.5", "text", "underscores"),
        (f"text/plain,{PROTO};encoding=delimited;q=0.5", None, "underscores"),
        (f"text/plain;version=1.0.0;escaping=dots,{PROTO};encoding=delimited;q=0.5", "delimited", "dots"),
        (f"{PROTO};encoding=text,text/plain;q=0.5;escaping=dots", "text", "underscores"),
        ("text/plain;version=1.0.0;escaping=dots,text/plain;escaping=rot13;q=0.5", None, "dots"),
    ],
)
def test_pushgateways_choice(accept: str, encoding: str | None, escaping: str) -> None:
    answer = ContentType.negotiate(accept, offered=PUSHGATEWAY, wildcards=False)
    if encoding is None:
        assert answer == ContentType(Format.TEXT, "0.0.4", EscapingScheme(escaping))
    else:
        assert answer == ContentType(Format.PROTOBUF, escaping=EscapingScheme(escaping), encoding=encoding)


# Text 1.0.0 is asked for in one clause only: whether it is taken shows how that clause was read.
@pytest.mark.parametrize(
    ("clause", "taken"),
    [
        ("text/plain;version=1.0.0", True),
        ("TEXT/PLAIN;Version=1.0.0;Q=0.9", True),
        ('text/plain;version="1.0.0"', True),
        ('text/plain;x="a,b";version=1.0.0', True),
        ('text/plain;x="a\\",b";version=1.0.0', True),
        (" text/plain ; version=1.0.0 ; q=0.3 ", True),
        ("text/plain;version=1.0.0;charset=iso-8859-1", True),
        ("text/plain;version=1.0.0;q=.3", True),
        ("text/plain;version=1.0.0;q=1.000", True),
        ("text/plain;version=1.0.0;q=0", False),
        ("text/plain;version=1.0.0;q=0.000", False),
        ("text/plain;version=1.0.0;q=-1", False),
        ("text/plain;version=1.0.0;q=x", False),
        ("text/plain;version=1.0.0;q=NaN", False),
        ("text/plain;version=1.0.0;q=1e999", False),
        ("text/plain;version=1.0.0;q=0.1;q=0.9", False),
        ("text/plain;version=1.0.0;q=0.1", False),
        ("text/plain;version=1.0.0;version=1.0.0", False),
        ("text/plain version=1.0.0", False),
        ('text/plain;version="1.0.0', False),
        ("plain;version=1.0.0", False),
    ],
)
def test_clauses(clause: str, taken: bool) -> None:
    version = "1.0.0" if taken else "0.0.4"
    assert ContentType.negotiate(f"application/json,text/plain;q=0.2,{clause}").version == version


@pytest.mark.parametrize("weight", ["0", "0.0", "-1", "x", "NaN"])
def test_a_clause_without_weight_never_wins_and_names_no_escaping(weight: str) -> None:
    answer = ContentType.negotiate(f"text/plain;version=1.0.0;escaping=dots;q={weight}")
    assert answer == ContentType(Format.TEXT, "0.0.4", EscapingScheme.UNDERSCORES)


def test_the_type_offered_may_bring_its_own_escaping() -> None:
    offered = [ContentType(Format.OPENMETRICS_2_0, escaping=EscapingScheme.ALLOW_UTF8), TEXT_0_0_4]
    accept = "application/openmetrics-text;version=2.0.0"
    assert ContentType.negotiate(accept, offered=offered) == offered[0]
    assert ContentType.negotiate(accept + ";escaping=values", offered=offered).escaping is EscapingScheme.VALUES
    assert ContentType.negotiate("", offered=offered).escaping is EscapingScheme.UNDERSCORES


def test_without_text_the_first_type_offered_is_the_last_resort() -> None:
    assert ContentType.negotiate("text/plain", offered=[OPENMETRICS_2_0_0, OPENMETRICS_1_0_0]).version == "2.0.0"
    assert ContentType.negotiate("", offered=[OPENMETRICS_2_0_0, TEXT_1_0_0]).version == "1.0.0"


def test_something_must_be_offered() -> None:
    with pytest.raises(ValueError, match="nothing is offered"):
        ContentType.negotiate("*/*", offered=[])


@given(headers, st.lists(content_types, min_size=1), st.booleans())
def test_any_accept_header_gets_something_that_is_offered(
    accept: str, offered: list[ContentType], wildcards: bool
) -> None:
    answer = ContentType.negotiate(accept, offered=offered, wildcards=wildcards)
    assert answer.escaping is not None
    assert (answer.format, answer.version, answer.encoding) in [(o.format, o.version, o.encoding) for o in offered]


@given(content_types, st.lists(content_types))
def test_a_type_that_is_asked_for_by_its_own_header_is_the_answer(
    content_type: ContentType, others: list[ContentType]
) -> None:
    answer = ContentType.negotiate(str(content_type), offered=[*others, content_type])
    assert (answer.format, answer.version) == (content_type.format, content_type.version)
    if content_type.escaping:
        assert answer.escaping is content_type.escaping
