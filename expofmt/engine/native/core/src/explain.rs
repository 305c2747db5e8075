//! Why a line is refused: the fine rules of the grammar, followed up to the first token that has no place in the line.
//!
//! Each function reads one part of a line, or fails with the fault of the line. The order in which a function looks at
//! what it found is the order in which a reader thinks of explanations, and that of the Lark engine's `explain`.

use crate::fault::{Code, Fault, Span};
use crate::label::{Items, blanks_end, string_end};

/// The fault of a line that the grammar refuses. The line is `text[start..end]`, without its line feed; what stands
/// after it is not looked at.
///
/// A line that is valid after all is said to have trailing text, of no length.
pub fn explain(text: &[u8], start: usize, end: usize) -> Fault {
    let mut line = Line { text: &text[..end], stop: start };
    match line.read() {
        Err(fault) => fault,
        Ok(()) => line.trailing_text(),
    }
}

/// What ends a run of other bytes: it is what a reader would take for one token, and what a fault shows.
const BLANKS: &[u8] = b" \t";
const AFTER_METRIC_NAME: &[u8] = b" \t{";
const AFTER_LABEL_NAME: &[u8] = b" \t=,}\"";
const AFTER_LABEL_VALUE: &[u8] = b" \t,}";

const TYPE_WORDS: [&[u8]; 10] = [
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

struct Line<'a> {
    /// It ends where the line does.
    text: &'a [u8],
    /// After the last token.
    stop: usize,
}

impl<'a> Line<'a> {
    fn read(&mut self) -> Result<(), Fault> {
        match self.peek() {
            (at, Some(b'#')) => self.comment_or_metadata(at),
            (_, Some(b'{')) => self.sample(None),
            _ => {
                let name = self.metric_name()?;
                self.sample(Some(name))
            }
        }
    }

    // ------------------------------------------------------------------------------------------------ metadata

    fn comment_or_metadata(&mut self, start: usize) -> Result<(), Fault> {
        let word = blanks_end(self.text, start + 1);
        let is = |keyword: &[u8]| {
            let after = word + keyword.len();
            self.text[word..].starts_with(keyword) && self.ends_token(after, BLANKS)
        };
        if is(b"TYPE") {
            self.stop = word + 4;
            return self.type_line(start);
        }
        if is(b"HELP") {
            self.stop = word + 4;
            return self.help_line();
        }
        self.stop = self.text.len();
        Ok(())
    }

    fn type_line(&mut self, start: usize) -> Result<(), Fault> {
        for read in [Self::metadata_name, Self::type_word] {
            if self.peek().1.is_none() {
                return Err(Fault::at(Code::IncompleteType, start, self.stop));
            }
            read(self)?;
        }
        Ok(())
    }

    fn help_line(&mut self) -> Result<(), Fault> {
        if self.peek().1.is_none() {
            // A lone HELP is a comment.
            return Ok(());
        }
        self.metadata_name()?;
        // The docstring may be anything but for a carriage return at its end.
        if self.text.last() != Some(&b'\r') {
            self.stop = self.text.len();
        }
        Ok(())
    }

    fn metadata_name(&mut self) -> Result<(), Fault> {
        let (at, found) = self.peek();
        let end = if found == Some(b'"') { string_end(self.text, at) } else { self.word(at, true) };
        self.stop = end
            .filter(|&end| self.ends_token(end, BLANKS))
            .ok_or_else(|| self.string_or(Code::InvalidMetricName, at, BLANKS))?;
        Ok(())
    }

    fn type_word(&mut self) -> Result<(), Fault> {
        let at = self.peek().0;
        let word = trimmed(&self.text[at..]);
        if !TYPE_WORDS.iter().any(|known| known.eq_ignore_ascii_case(word)) {
            return Err(Fault::at(Code::UnknownType, at, at + word.len()));
        }
        self.stop = at + word.len();
        Ok(())
    }

    // ------------------------------------------------------------------------------------------------- samples

    fn metric_name(&mut self) -> Result<Span, Fault> {
        let (at, found) = self.peek();
        if let Some(end) = self.word(at, true).filter(|&end| self.ends_token(end, AFTER_METRIC_NAME)) {
            self.stop = end;
            return Ok(Span::new(at, end));
        }
        Err(match string_end(self.text, at) {
            Some(end) if found == Some(b'"') => Fault::at(Code::QuotedNameOutsideBraces, at, end),
            _ => self.string_or(Code::InvalidMetricName, at, AFTER_METRIC_NAME),
        })
    }

    /// What follows the name before the braces, or all of it where there is none.
    fn sample(&mut self, name: Option<Span>) -> Result<(), Fault> {
        if let (brace, Some(b'{')) = self.peek() {
            self.label_set(brace, name)?;
        }
        self.value()?;
        self.timestamp()
    }

    fn value(&mut self) -> Result<(), Fault> {
        let (at, found) = self.peek();
        if found.is_none() {
            return Err(Fault::at(Code::MissingValue, self.stop, self.stop));
        }
        let end = self.run_end(at, BLANKS);
        if !is_float(&self.text[at..end]) {
            return Err(Fault::at(Code::InvalidValue, at, end));
        }
        self.stop = end;
        Ok(())
    }

    fn timestamp(&mut self) -> Result<(), Fault> {
        let (at, found) = self.peek();
        // Some mean a comment at the end of the line, or an exemplar of OpenMetrics; none of them is a bad timestamp.
        if matches!(found, None | Some(b'#')) {
            return Ok(());
        }
        let end = self.run_end(at, BLANKS);
        let word = &self.text[at..end];
        if !is_digits(unsigned(word)) {
            return Err(Fault::at(Code::InvalidTimestamp, at, end));
        }
        self.stop = end;
        Ok(())
    }

    // -------------------------------------------------------------------------------------------------- labels

    fn label_set(&mut self, brace: usize, mut name: Option<Span>) -> Result<(), Fault> {
        self.stop = brace + 1;
        loop {
            let (at, found) = self.peek();
            match found {
                None => return Err(Fault::at(Code::UnclosedLabels, self.stop, self.stop)),
                Some(b'}') if name.is_none() => return Err(self.missing_name(brace, at)),
                Some(b'}') => {
                    self.stop = at + 1;
                    return Ok(());
                }
                Some(_) => {
                    self.item(&mut name)?;
                    self.after_item()?;
                }
            }
        }
    }

    /// A label, or the quoted name of the sample.
    fn item(&mut self, name: &mut Option<Span>) -> Result<(), Fault> {
        let (at, found) = self.peek();
        let quoted = found == Some(b'"');
        let end = if quoted {
            string_end(self.text, at)
        } else {
            self.word(at, false).filter(|&end| self.ends_token(end, AFTER_LABEL_NAME))
        };
        self.stop = end.ok_or_else(|| self.string_or(Code::InvalidLabelName, at, AFTER_LABEL_NAME))?;

        let item = Span::new(at, self.stop);
        let (at, found) = self.peek();
        match (found, *name) {
            (Some(b'='), _) => {
                self.stop = at + 1;
                self.label_value()
            }
            (_, None) if quoted => {
                *name = Some(item);
                Ok(())
            }
            (Some(b',' | b'}'), first) if quoted => {
                Err(Fault { code: Code::SecondMetricName, span: item, related: first })
            }
            (Some(b',' | b'}'), None) => Err(Fault { code: Code::UnquotedNameInBraces, span: item, related: None }),
            _ => Err(self.character_fault(Code::MissingEquals)),
        }
    }

    fn label_value(&mut self) -> Result<(), Fault> {
        let (at, found) = self.peek();
        let end = match found {
            None => return Err(Fault::at(Code::UnquotedLabelValue, self.stop, self.stop)),
            Some(b'"') => string_end(self.text, at),
            Some(_) => None,
        };
        self.stop = end.ok_or_else(|| self.string_or(Code::UnquotedLabelValue, at, AFTER_LABEL_VALUE))?;
        Ok(())
    }

    /// The comma after an item; the brace may stand there, too, and is left to the caller.
    fn after_item(&mut self) -> Result<(), Fault> {
        let (at, found) = self.peek();
        match found {
            Some(b',') => self.stop = at + 1,
            Some(b'}') => {}
            _ if self.begins_label(at) => return Err(self.character_fault(Code::MissingComma)),
            _ => return Err(self.character_fault(Code::UnclosedLabels)),
        }
        Ok(())
    }

    fn begins_label(&self, at: usize) -> bool {
        let equals = |end| self.text.get(blanks_end(self.text, end)) == Some(&b'=');
        self.text.get(at) == Some(&b'"') || self.word(at, false).is_some_and(equals)
    }

    /// The fault of a label set, from its brace to the closing one, that stands alone and holds labels only.
    fn missing_name(&self, brace: usize, closing: usize) -> Fault {
        let labels = &self.text[brace..closing];
        match Items::new(labels).find(|item| item.name == b"__name__") {
            Some(item) => {
                let start = brace + item.name_at;
                Fault::at(Code::MetricNameLabel, start, start + item.name.len())
            }
            None => Fault::at(Code::MissingMetricName, brace, closing + 1),
        }
    }

    // ------------------------------------------------------------------------------------------ tokens and runs

    /// Where the next token would begin, and its first byte; none at the end of the line.
    fn peek(&self) -> (usize, Option<u8>) {
        let at = blanks_end(self.text, self.stop);
        (at, self.text.get(at).copied())
    }

    /// The end of the bare name that begins here; `colons` are allowed in those of metrics.
    fn word(&self, at: usize, colons: bool) -> Option<usize> {
        let in_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || (colons && *byte == b':');
        let rest = &self.text[at..];
        let length = rest.iter().position(|byte| !in_word(byte)).unwrap_or(rest.len());
        (length > 0 && !rest[0].is_ascii_digit()).then_some(at + length)
    }

    /// Whether the line ends here, or goes on with one of these bytes.
    fn ends_token(&self, at: usize, delimiters: &[u8]) -> bool {
        self.text.get(at).is_none_or(|byte| delimiters.contains(byte))
    }

    fn run_end(&self, at: usize, delimiters: &[u8]) -> usize {
        let rest = &self.text[at..];
        at + rest.iter().position(|byte| delimiters.contains(byte)).unwrap_or(rest.len())
    }

    /// The end of the UTF-8 character that begins here, or of the one byte that is none; the end of the line has none.
    fn character_end(&self, at: usize) -> usize {
        match &self.text[at..] {
            [] => at,
            [0xC0..=0xF7, rest @ ..] => {
                at + 1 + rest.iter().take(3).take_while(|byte| matches!(**byte, 0x80..=0xBF)).count()
            }
            _ => at + 1,
        }
    }

    // -------------------------------------------------------------------------------------------------- faults

    /// The fault of a token that might have been a quoted string, had it an end.
    fn string_or(&self, code: Code, at: usize, delimiters: &[u8]) -> Fault {
        if self.text.get(at) == Some(&b'"') && string_end(self.text, at).is_none() {
            return Fault::at(Code::UnterminatedString, at, self.text.len());
        }
        Fault::at(code, at, self.run_end(at, delimiters).max(self.character_end(at)))
    }

    /// A fault at the next character that is no blank, or after the last token where there is none.
    fn character_fault(&self, code: Code) -> Fault {
        let at = match self.peek() {
            (at, Some(_)) => at,
            (_, None) => self.stop,
        };
        Fault::at(code, at, self.character_end(at))
    }

    fn trailing_text(&self) -> Fault {
        let at = self.peek().0;
        Fault::at(Code::TrailingText, at, at + trimmed(&self.text[at..]).len())
    }
}

/// Without the blanks at its end.
fn trimmed(text: &[u8]) -> &[u8] {
    let length = text.iter().rposition(|byte| !BLANKS.contains(byte)).map_or(0, |last| last + 1);
    &text[..length]
}

fn unsigned(word: &[u8]) -> &[u8] {
    match word {
        [b'+' | b'-', rest @ ..] => rest,
        _ => word,
    }
}

fn is_digits(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// Whether the word is a number as the grammar spells it, of whatever size.
fn is_float(word: &[u8]) -> bool {
    if word.eq_ignore_ascii_case(b"nan") {
        return true;
    }
    let word = unsigned(word);
    if word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"infinity") {
        return true;
    }
    let (mantissa, exponent) = match word.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (&word[..at], Some(&word[at + 1..])),
        None => (word, None),
    };
    let is_mantissa = match mantissa.iter().position(|&byte| byte == b'.') {
        // Digits on either side are enough.
        Some(0) => is_digits(&mantissa[1..]),
        Some(point) => is_digits(&mantissa[..point]) && mantissa[point + 1..].iter().all(u8::is_ascii_digit),
        None => is_digits(mantissa),
    };
    is_mantissa && exponent.is_none_or(|exponent| is_digits(unsigned(exponent)))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// The code, and the text that the fault covers, of a line that stands in the midst of others.
    fn explained(line: &str) -> (Code, String) {
        let (code, span, _) = fault_of(line);
        (code, line[span].to_owned())
    }

    fn fault_of(line: &str) -> (Code, std::ops::Range<usize>, Option<std::ops::Range<usize>>) {
        let text = format!("a 1\n{line}\n\"}} = 1\n");
        let fault = explain(text.as_bytes(), 4, 4 + line.len());
        let local = |span: Span| span.start as usize - 4..span.end as usize - 4;
        (fault.code, local(fault.span), fault.related.map(local))
    }

    #[test]
    fn each_code_and_what_it_covers() {
        use Code::*;
        for (line, code, covered) in [
            ("1a{} 1", InvalidMetricName, "1a"),
            ("\u{e9}", InvalidMetricName, "\u{e9}"),
            ("} 1", InvalidMetricName, "}"),
            ("# TYPE a.b gauge", InvalidMetricName, "a.b"),
            ("# HELP \"a\"b c", InvalidMetricName, "\"a\"b"),
            ("\"a b\" 1", QuotedNameOutsideBraces, "\"a b\""),
            ("{a} 1", UnquotedNameInBraces, "a"),
            ("{a=\"b\", c , \"d\"} 1", UnquotedNameInBraces, "c"),
            ("{a=\"b\", } 1", MissingMetricName, "{a=\"b\", }"),
            ("{} 1", MissingMetricName, "{}"),
            ("{a=\"b\",__name__=\"c\"} 1", MetricNameLabel, "__name__"),
            ("{\"__name__\"=\"c\"} 1", MissingMetricName, "{\"__name__\"=\"c\"}"),
            ("a{1b=\"c\"} 1", InvalidLabelName, "1b"),
            ("a{,} 1", InvalidLabelName, ","),
            ("a{b.c=\"d\"} 1", InvalidLabelName, "b.c"),
            ("a{b \u{fc}=\"c\"} 1", MissingEquals, "\u{fc}"),
            ("a{b} 1", MissingEquals, "}"),
            ("a{b=1 ,c=\"d\"} 1", UnquotedLabelValue, "1"),
            ("a{b=} 1", UnquotedLabelValue, "}"),
            ("a{b= ", UnquotedLabelValue, ""),
            ("a{b=\"c} 1", UnterminatedString, "\"c} 1"),
            ("a{\"b\\", UnterminatedString, "\"b\\"),
            ("\"a 1", UnterminatedString, "\"a 1"),
            ("# TYPE \"a gauge", UnterminatedString, "\"a gauge"),
            ("a{b=\"c\" d = \"e\"} 1", MissingComma, "d"),
            ("{\"a\" \"b\"} 1", MissingComma, "\""),
            ("a{b=\"c\" 1", UnclosedLabels, "1"),
            ("a{b=\"c\" d} 1", UnclosedLabels, "d"),
            ("a{b=\"c\"", UnclosedLabels, ""),
            ("a{b=\"c\",  ", UnclosedLabels, ""),
            ("a{ ", UnclosedLabels, ""),
            ("a{} ", MissingValue, ""),
            ("a 1,5 2", InvalidValue, "1,5"),
            ("a b{} 1", InvalidValue, "b{}"),
            ("a 1 2.5", InvalidTimestamp, "2.5"),
            ("a 1 2 3 ", TrailingText, "3"),
            ("a 1 # {} 2 ", TrailingText, "# {} 2"),
            ("# HELP a b\r", TrailingText, "b\r"),
            (" # TYPE", IncompleteType, "# TYPE"),
            ("# TYPE a ", IncompleteType, "# TYPE a"),
            ("# TYPE a gauge 1 ", UnknownType, "gauge 1"),
            ("#TYPE a gauge\r", UnknownType, "gauge\r"),
        ] {
            assert_eq!(explained(line), (code, covered.to_owned()), "{line}");
        }
    }

    #[test]
    fn a_second_name_points_at_the_first() {
        assert_eq!(fault_of("a{b=\"c\",\"d\"} 1"), (Code::SecondMetricName, 8..11, Some(0..1)));
        assert_eq!(fault_of("{\"a\" , b=\"c\",\"d\",} 1"), (Code::SecondMetricName, 13..16, Some(1..4)));
    }

    #[test]
    fn what_is_missing_is_missed_after_the_last_token() {
        assert_eq!(fault_of("a  "), (Code::MissingValue, 1..1, None));
        assert_eq!(fault_of("a{b=\"c\",  "), (Code::UnclosedLabels, 8..8, None));
        // There the blank is in the way.
        assert_eq!(fault_of("a{b=\"c\"  "), (Code::UnclosedLabels, 7..8, None));
        assert_eq!(fault_of("a{b  "), (Code::MissingEquals, 3..4, None));
    }

    #[test]
    fn numbers_are_those_of_the_grammar() {
        for number in ["0", "+1.", "-.5", "1e5", "1.5E+05", "nan", "NaN", "+Inf", "-infinity", &"9".repeat(1000)] {
            assert_eq!(explained(&format!("a {number} x")), (Code::InvalidTimestamp, "x".to_owned()), "{number}");
        }
        for word in ["+", ".", "1e", "1e+", "e5", "1.5.", "1e5.", "+nan", "in", "infi", "0x1", "1_0", "\u{ff11}", "1f"]
        {
            assert_eq!(explained(&format!("a {word} x")), (Code::InvalidValue, word.to_owned()));
        }
    }

    #[test]
    fn any_line_has_a_fault_within_it() {
        for line in ["", " ", "a 1", "#", "# HELP", "# HELP a", "# TYPE a gauge", "a{b=\"c\"} 1 2 ", "{\"a\"} 1"] {
            let (_, span, related) = fault_of(line);
            assert!(span.end <= line.len() && related.is_none(), "{line}");
        }
    }

    #[test]
    fn a_long_line_takes_time_in_proportion() {
        let labels = "a=\"b\",".repeat(200_000);
        let lines = [
            format!("a{{{labels}"),
            format!("{{{labels}}} 1"),
            format!("{{{labels}x}} 1"),
            format!("a{{{}", ",".repeat(1_000_000)),
            format!("a{{b=\"{}", "\\\"".repeat(500_000)),
            format!("a {}", "9".repeat(1_000_000)),
            format!("a{}", " ".repeat(1_000_000)),
        ];
        let start = Instant::now();
        for line in &lines {
            explain(line.as_bytes(), 0, line.len());
        }
        // Time in the square of a line's length would be minutes.
        assert!(start.elapsed().as_secs() < 5);
    }
}
