//! A line cut into its parts, as the coarse rules of the grammar do it.
//!
//! Whether a line fits the grammar is decided here and nowhere else; what its parts mean is left to the scanner.

use crate::fault::Span;
use crate::label::{blanks_end, string_end};

use super::search::name_stop;

/// A line: the bytes from `start` to `end`, and where the next one begins.
///
/// `next` equals `end` where no line feed follows, as at the end of an input, or where a carriage return that belongs to
/// it was cut off.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub start: usize,
    pub end: usize,
    pub next: usize,
}

impl Line {
    pub fn has_line_feed(self) -> bool {
        self.next > self.end
    }
}

/// The parts of a sample; blanks around them are not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleParts {
    /// Empty where it stands in the braces.
    pub name: Span,
    /// With its braces; empty where there is none.
    pub labels: Span,
    pub value: Span,
    pub time: Option<Span>,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts {
    Blank,
    Sample(SampleParts),
    /// The name may be in quotes; the docstring may be empty.
    Help {
        name: Span,
        docstring: Span,
    },
    Type {
        name: Span,
        word: Span,
    },
    Comment(Span),
    /// It does not fit the grammar.
    Refused,
}

/// Cut a line into its parts. Nothing after `line.end` is looked at.
pub fn cut(text: &[u8], line: Line) -> Parts {
    let text = &text[..line.end];
    let at = blanks_end(text, line.start);
    match text.get(at) {
        None => Parts::Blank,
        Some(b'#') => after_hash(text, at, line.has_line_feed()),
        Some(_) => sample(text, at).map_or(Parts::Refused, Parts::Sample),
    }
}

fn after_hash(text: &[u8], hash: usize, line_feed: bool) -> Parts {
    let word = blanks_end(text, hash + 1);
    let after = word + 4;
    match text.get(word..after) {
        Some(b"TYPE") if is_token_end(text, after) => type_line(text, after).unwrap_or(Parts::Refused),
        // A lone HELP is a comment.
        Some(b"HELP") if is_blank(text, after) && blanks_end(text, after) < text.len() => {
            help_line(text, after).unwrap_or(Parts::Refused)
        }
        _ if line_feed && text.ends_with(b"\r") => Parts::Refused,
        _ => Parts::Comment(Span::new(hash, text.len())),
    }
}

fn help_line(text: &[u8], at: usize) -> Option<Parts> {
    let name = metadata_name(text, blanks_end(text, at))?;
    let start = blanks_end(text, name.end as usize);
    // A carriage return at the end is not part of a docstring, nor of anything else.
    (start == text.len() || !text.ends_with(b"\r"))
        .then(|| Parts::Help { name, docstring: Span::new(start, text.len()) })
}

fn type_line(text: &[u8], at: usize) -> Option<Parts> {
    let name = metadata_name(text, blanks_end(text, at))?;
    let word = token(text, blanks_end(text, name.end as usize));
    let is_last = blanks_end(text, word.end as usize) == text.len();
    (is_last && is_type_word(word.of(text))).then_some(Parts::Type { name, word })
}

/// Whether this is a type of the text format or of OpenMetrics, in any letter case.
fn is_type_word(word: &[u8]) -> bool {
    const WORDS: [&[u8]; 10] = [
        b"counter",
        b"gauge",
        b"histogram",
        b"summary",
        b"untyped",
        b"unknown",
        b"info",
        b"stateset",
        b"gaugehistogram",
        b"gauge_histogram",
    ];
    WORDS.iter().any(|known| known.eq_ignore_ascii_case(word))
}

fn metadata_name(text: &[u8], at: usize) -> Option<Span> {
    let end = match text.get(at)? {
        b'"' => string_end(text, at)?,
        _ => metric_name_end(text, at)?,
    };
    is_token_end(text, end).then(|| Span::new(at, end))
}

fn sample(text: &[u8], at: usize) -> Option<SampleParts> {
    let mut name = Span::new(at, at);
    let mut next = at;
    if text[at] != b'{' {
        let end = metric_name_end(text, at)?;
        if !matches!(text.get(end), None | Some(b' ' | b'\t' | b'{')) {
            return None;
        }
        name = Span::new(at, end);
        next = blanks_end(text, end);
    }
    let mut labels = Span::new(next, next);
    if text.get(next) == Some(&b'{') {
        let (end, names) = label_set(text, next)?;
        if names != usize::from(name.start == name.end) {
            return None;
        }
        labels = Span::new(next, end);
        next = blanks_end(text, end);
    }
    let value = token(text, next);
    if !is_float(value.of(text)) {
        return None;
    }
    next = blanks_end(text, value.end as usize);
    let mut time = None;
    if next < text.len() {
        let integer = token(text, next);
        if !is_integer(integer.of(text)) {
            return None;
        }
        next = blanks_end(text, integer.end as usize);
        time = Some(integer);
    }
    (next == text.len()).then_some(SampleParts { name, labels, value, time })
}

/// The end of the label set whose brace stands at an offset, and how many quoted names without a value stand in it.
pub fn label_set(text: &[u8], brace: usize) -> Option<(usize, usize)> {
    let mut names = 0;
    let mut at = blanks_end(text, brace + 1);
    loop {
        let quoted = match text.get(at)? {
            b'}' => return Some((at + 1, names)),
            b'"' => true,
            _ => false,
        };
        let end = if quoted { string_end(text, at)? } else { label_name_end(text, at)? };
        at = blanks_end(text, end);
        if text.get(at) == Some(&b'=') {
            at = blanks_end(text, at + 1);
            if text.get(at) != Some(&b'"') {
                return None;
            }
            at = blanks_end(text, string_end(text, at)?);
        } else if quoted {
            names += 1;
        } else {
            return None;
        }
        match text.get(at)? {
            b',' => at = blanks_end(text, at + 1),
            b'}' => {}
            _ => return None,
        }
    }
}

/// The end of the bare metric name that begins here.
pub fn metric_name_end(text: &[u8], at: usize) -> Option<usize> {
    name_end(text, at, true)
}

/// The end of the bare label name that begins here.
pub fn label_name_end(text: &[u8], at: usize) -> Option<usize> {
    name_end(text, at, false)
}

#[inline]
fn name_end(text: &[u8], start: usize, colons: bool) -> Option<usize> {
    if text.get(start)?.is_ascii_digit() {
        return None;
    }
    let end = name_stop(text, start, colons);
    (end > start).then_some(end)
}

fn token(text: &[u8], start: usize) -> Span {
    let length = text[start..].iter().position(|byte| matches!(byte, b' ' | b'\t'));
    Span::new(start, length.map_or(text.len(), |length| start + length))
}

fn is_blank(text: &[u8], at: usize) -> bool {
    matches!(text.get(at), Some(b' ' | b'\t'))
}

fn is_token_end(text: &[u8], at: usize) -> bool {
    at == text.len() || is_blank(text, at)
}

/// Whether the text is a number as the grammar's FLOAT has it.
pub fn is_float(text: &[u8]) -> bool {
    let unsigned = text.strip_prefix(b"+").or(text.strip_prefix(b"-")).unwrap_or(text);
    match unsigned.first() {
        Some(b'i' | b'I') => unsigned.eq_ignore_ascii_case(b"inf") || unsigned.eq_ignore_ascii_case(b"infinity"),
        Some(b'n' | b'N') => text.eq_ignore_ascii_case(b"nan"),
        _ => is_decimal(unsigned),
    }
}

fn is_decimal(text: &[u8]) -> bool {
    let digits = |at: usize| text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(0);
    let mut at = whole;
    let mut fraction = 0;
    if text.get(at) == Some(&b'.') {
        fraction = digits(at + 1);
        at += 1 + fraction;
    }
    if whole + fraction == 0 {
        return false;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1 + usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at);
        if exponent == 0 {
            return false;
        }
        at += exponent;
    }
    at == text.len()
}

/// Whether the text is an integer as the grammar's INTEGER has it.
fn is_integer(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"+").or(text.strip_prefix(b"-")).unwrap_or(text);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Parts {
        cut(text.as_bytes(), Line { start: 0, end: text.len(), next: text.len() + 1 })
    }

    #[test]
    fn samples_are_cut() {
        let text = " a { b = \"}\" , } 1e3 -5 ";
        let Parts::Sample(found) = parts(text) else { panic!("refused") };
        let part = |span: Span| &text[span.start as usize..span.end as usize];
        assert_eq!((part(found.name), part(found.labels)), ("a", "{ b = \"}\" , }"));
        assert_eq!((part(found.value), found.time.map(part)), ("1e3", Some("-5")));
        for text in
            ["a 1", "a{}1", "{\"a\"} 1", "{x=\"\",\"a\",\"y\"=\"\"}NaN", "a\t+.5E-7", "a:b -Infinity", "a 1. +0"]
        {
            assert!(matches!(parts(text), Parts::Sample(_)), "{text}");
        }
    }

    #[test]
    fn what_is_no_sample_is_refused() {
        for text in [
            "a",
            "a ",
            "a x",
            "a 1 x",
            "a 1 1 1",
            "a 1 1.5",
            "a{b} 1",
            "a{b=c} 1",
            "a{\"b\"} 1",
            "{} 1",
            "{\"a\",\"b\"} 1",
            "a{,} 1",
            "a{b=\"\"c=\"\"} 1",
            "a{b:c=\"\"} 1",
            "1a 1",
            "a-b 1",
            "a{b=\"",
            "a{b=\"\\",
            "a +NaN",
            "a 1e",
            "a .",
            "a e5",
            "a 1_0",
            "a 0x1",
            "a in",
            "\"a\" 1",
            "a 1\r",
            "a{b=\"\"} 1e5.",
        ] {
            assert_eq!(parts(text), Parts::Refused, "{text}");
        }
    }

    #[test]
    fn metadata_lines_are_cut() {
        assert!(matches!(parts("# HELP a"), Parts::Help { docstring, .. } if docstring.start == docstring.end));
        assert!(matches!(parts("#HELP \"a b\" x "), Parts::Help { docstring: Span { start: 12, end: 14 }, .. }));
        assert!(matches!(parts("#\tTYPE a Gauge_Histogram "), Parts::Type { word: Span { start: 9, end: 24 }, .. }));
        for text in ["#", "# HELP", "# HELP ", "# TYPES a b", "# HELPa", "#help a"] {
            assert!(matches!(parts(text), Parts::Comment(_)), "{text}");
        }
        for text in
            ["# TYPE", "# TYPE a", "# TYPE a b", "# TYPE a gauge x", "# HELP 1", "# HELP a\r", "# HELP a b\r", "# \r"]
        {
            assert_eq!(parts(text), Parts::Refused, "{text}");
        }
        assert!(matches!(cut(b"# \r", Line { start: 0, end: 3, next: 3 }), Parts::Comment(_)));
    }
}
