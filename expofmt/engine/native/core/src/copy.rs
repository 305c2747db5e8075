//! Copies of short texts.

use std::ops::Range;

/// How much is copied where less is asked for, if the text is so long.
pub const STEP: usize = 32;

/// Append a part of a text.
///
/// Most parts are short, and their lengths vary. To copy a number of bytes that the compiler knows, and then to forget those
/// that are too many, spares the branches by length that a processor cannot foresee.
#[inline(always)]
pub fn push_part(out: &mut Vec<u8>, text: &[u8], part: Range<usize>) {
    let end = out.len() + part.len();
    match text.get(part.start..part.start + STEP) {
        Some(step) if part.len() <= STEP => {
            out.extend_from_slice(step);
            out.truncate(end);
        }
        _ => out.extend_from_slice(&text[part]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_copied_and_nothing_else() {
        let text: Vec<u8> = (0..100).collect();
        let mut out = b"x".to_vec();
        for (start, end) in [(0, 0), (0, 1), (3, 35), (3, 36), (10, 90), (67, 68), (68, 100), (69, 100), (100, 100)] {
            push_part(&mut out, &text, start..end);
            assert_eq!(out[1..], text[start..end]);
            out.truncate(1);
        }
    }
}
