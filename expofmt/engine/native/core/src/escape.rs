//! Names for readers that know only the older formats.

use std::borrow::Cow;

/// What a producer does to names that such a reader could not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EscapingScheme {
    /// Nothing.
    #[default]
    AllowUtf8,
    /// Each character that may not stand where it does becomes `_`.
    Underscores,
    /// In a name that may not stand bare, `_` becomes `__`, `.` becomes `_dot_`, and any other such character `__`.
    Dots,
    /// A legacy name is unchanged; any other gets the prefix `U__`, `_` is doubled, and each such character becomes its
    /// code point in hexadecimal between underscores.
    Values,
}

/// The metric name as the scheme writes it; one that may stand bare is unchanged. A name is UTF-8.
pub fn escape_name(name: &[u8], scheme: EscapingScheme) -> Cow<'_, [u8]> {
    escape(name, scheme, true)
}

/// The label name as the scheme writes it: there, a colon may not stand bare.
pub fn escape_label_name(name: &[u8], scheme: EscapingScheme) -> Cow<'_, [u8]> {
    escape(name, scheme, false)
}

fn escape(name: &[u8], scheme: EscapingScheme, colons: bool) -> Cow<'_, [u8]> {
    let is_bare = |at: usize, byte: u8| {
        byte == b'_' || byte.is_ascii_alphabetic() || (byte == b':' && colons) || (byte.is_ascii_digit() && at > 0)
    };
    let is_legacy = name.iter().enumerate().all(|(at, &byte)| is_bare(at, byte));
    if scheme == EscapingScheme::AllowUtf8 || is_legacy {
        return Cow::Borrowed(name);
    }
    let mut out = Vec::with_capacity(2 * name.len());
    if scheme == EscapingScheme::Values {
        out.extend_from_slice(b"U__");
    }
    for (at, character) in String::from_utf8_lossy(name).char_indices() {
        let bare = u8::try_from(character).ok().filter(|&byte| byte.is_ascii() && is_bare(at, byte));
        match (bare, scheme) {
            (Some(b'_'), EscapingScheme::Dots | EscapingScheme::Values) => out.extend_from_slice(b"__"),
            (Some(byte), _) => out.push(byte),
            (None, EscapingScheme::Underscores) => out.push(b'_'),
            (None, EscapingScheme::Dots) => out.extend_from_slice(if character == '.' { b"_dot_" } else { b"__" }),
            (None, _) => out.extend_from_slice(format!("_{:x}_", u32::from(character)).as_bytes()),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_as_the_schemes_say() {
        use EscapingScheme::{AllowUtf8, Dots, Underscores, Values};
        for (name, scheme, escaped) in [
            ("http.status code", AllowUtf8, "http.status code"),
            ("http.status code", Underscores, "http_status_code"),
            ("http.status code", Dots, "http_dot_status__code"),
            ("http.status code", Values, "U__http_2e_status_20_code"),
            ("a_b", Underscores, "a_b"),
            ("a_b", Dots, "a_b"),
            ("a_b.c", Dots, "a__b_dot_c"),
            ("a_b", Values, "a_b"),
            ("a_b.c", Values, "U__a__b_2e_c"),
            ("1a1", Underscores, "_a1"),
            ("1a1", Dots, "__a1"),
            ("1a1", Values, "U___31_a1"),
            ("é:\u{10ffff}", Values, "U___e9_:_10ffff_"),
            ("é:x", Underscores, "_:x"),
            ("", Values, ""),
        ] {
            assert_eq!(escape_name(name.as_bytes(), scheme), escaped.as_bytes(), "{name} {scheme:?}");
        }
        assert_eq!(escape_label_name(b"a:b", Underscores).as_ref(), b"a_b");
        assert_eq!(escape_label_name(b"a:b", Values).as_ref(), b"U__a_3a_b");
    }
}
