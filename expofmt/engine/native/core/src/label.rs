//! Label sets as they are written: `{name="value",...}`, braces included.

use std::borrow::Cow;

use memchr::memchr;

/// A label. Where its text has no escapes it is borrowed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label<'a> {
    pub name: Cow<'a, [u8]>,
    pub value: Cow<'a, [u8]>,
}

/// A label, or the quoted name of a sample, as it stands in the braces: quotes included, escapes not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    pub name: &'a [u8],
    pub name_at: usize,
    /// With its quotes; none for a sample's name.
    pub value: Option<&'a [u8]>,
    pub value_at: usize,
}

/// The items of a label set that fits the grammar, in written order; offsets count from its brace.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Items<'a> {
    /// `text` is empty or begins with the brace; what follows the closing brace is not looked at.
    pub fn new(text: &'a [u8]) -> Items<'a> {
        Items { text, at: 1 }
    }

    fn word(&mut self) -> &'a [u8] {
        let start = self.at;
        if self.text[start] == b'"' {
            self.at = string_end(self.text, start).unwrap_or(self.text.len());
        } else {
            while self.at < self.text.len() && !matches!(self.text[self.at], b'=' | b' ' | b'\t' | b',' | b'}' | b'"') {
                self.at += 1;
            }
        }
        &self.text[start..self.at]
    }

    fn skip_blanks(&mut self) {
        self.at = blanks_end(self.text, self.at);
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        self.skip_blanks();
        if matches!(self.text.get(self.at), None | Some(b'}')) {
            return None;
        }
        let name_at = self.at;
        let name = self.word();
        self.skip_blanks();
        let mut item = Item { name, name_at, value: None, value_at: self.at };
        if self.text.get(self.at) == Some(&b'=') {
            self.at += 1;
            self.skip_blanks();
            item.value_at = self.at;
            if self.at < self.text.len() {
                item.value = Some(self.word());
            }
            self.skip_blanks();
        }
        if self.text.get(self.at) == Some(&b',') {
            self.at += 1;
        } else if self.at == name_at {
            // Text that does not fit the grammar must not hold anybody up.
            return None;
        }
        Some(item)
    }
}

/// The end of the quoted string that begins here, after its closing quote.
pub fn string_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\n' => return None,
            // A line feed cannot be escaped by a backslash.
            b'\\' if *text.get(at + 1)? == b'\n' => return None,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The first byte from here on that is no blank.
pub fn blanks_end(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t')) {
        at += 1;
    }
    at
}

/// What a bare word or a quoted string stands for.
pub fn decoded(written: &[u8]) -> Cow<'_, [u8]> {
    match written {
        [b'"', inner @ .., b'"'] => unescaped(inner),
        _ => Cow::Borrowed(written),
    }
}

/// The text of a quoted string, quotes excluded; an unknown escape stays as it is.
pub fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    unescape(text, true)
}

/// The text of a HELP line, where a quote needs no escape, and `\"` is two characters.
pub fn unescaped_help(text: &[u8]) -> Cow<'_, [u8]> {
    unescape(text, false)
}

fn unescape(text: &[u8], quotes: bool) -> Cow<'_, [u8]> {
    let Some(first) = memchr(b'\\', text) else {
        return Cow::Borrowed(text);
    };
    let mut out = Vec::with_capacity(text.len());
    out.extend_from_slice(&text[..first]);
    let mut at = first;
    while at < text.len() {
        let (byte, used) = match (text[at], text.get(at + 1)) {
            (b'\\', Some(b'\\')) => (b'\\', 2),
            (b'\\', Some(b'n')) => (b'\n', 2),
            (b'\\', Some(b'"')) if quotes => (b'"', 2),
            (byte, _) => (byte, 1),
        };
        out.push(byte);
        at += used;
    }
    Cow::Owned(out)
}

/// Append the text in double quotes, escaped as label values and quoted names are.
pub fn push_quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    push_escaped(out, text, true);
    out.push(b'"');
}

/// Append the text with its backslashes and line feeds escaped, and its quotes where that is wanted.
pub fn push_escaped(out: &mut Vec<u8>, text: &[u8], quotes: bool) {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&byte| matches!(byte, b'\\' | b'\n') || (quotes && byte == b'"')) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(match rest[at] {
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            _ => b"\\\"",
        });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// Whether a label name may stand without quotes.
pub fn is_legacy_label_name(name: &[u8]) -> bool {
    is_legacy_metric_name(name) && !name.contains(&b':')
}

/// Whether a metric name may stand without quotes.
pub fn is_legacy_metric_name(name: &[u8]) -> bool {
    !name.is_empty()
        && !name[0].is_ascii_digit()
        && name.iter().all(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_found_between_blanks_and_escapes() {
        let text = br#"{ "a.b" , c = "}\"," ,"d"="",}"#;
        let found: Vec<_> = Items::new(text).map(|item| (item.name, item.value)).collect();
        assert_eq!(found, [(&b"\"a.b\""[..], None), (b"c", Some(&br#""}\",""#[..])), (b"\"d\"", Some(b"\"\"")),]);
        assert_eq!(Items::new(b"").count(), 0);
        assert_eq!(Items::new(b"{}").count(), 0);
    }

    #[test]
    fn what_is_no_label_set_ends() {
        for text in [&b"{a"[..], b"{a=", b"{=", b"{\"", b"{,,", b"{a=\"\\", b"{a b"] {
            assert!(Items::new(text).count() < 3);
        }
    }

    #[test]
    fn escapes_are_decoded_and_unknown_ones_kept() {
        assert_eq!(unescaped(br#"C:\\dir\q\n\"\"#).as_ref(), b"C:\\dir\\q\n\"\\");
        assert_eq!(unescaped_help(br#"\"\\\n"#).as_ref(), b"\\\"\\\n");
        let mut out = Vec::new();
        push_quoted(&mut out, b"a\\b\n\"");
        assert_eq!(out, br#""a\\b\n\"""#);
    }
}
