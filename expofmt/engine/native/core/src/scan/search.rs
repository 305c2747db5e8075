//! Searching bytes where distances are short: most label values are shorter than what a call of `memchr` pays off for.

use wide::u8x16;

/// How many bytes are looked at together.
const WIDTH: usize = 16;

/// The first quote, backslash or line feed from an offset on; none if the text ends before.
#[inline(always)]
pub fn string_stop(text: &[u8], mut at: usize) -> Option<usize> {
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk()) {
        if let Some(position) = stop_in(*chunk) {
            return Some(at + position);
        }
        at += WIDTH;
    }
    let rest = text.get(at..)?;
    rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | b'\n')).map(|position| at + position)
}

/// Whether the text continues with the wanted bytes.
///
/// As `starts_with`, but without the call of a library function for what is mostly a few bytes.
#[inline(always)]
pub fn continues(text: &[u8], at: usize, wanted: &[u8]) -> bool {
    let Some(found) = text.get(at..at + wanted.len()) else { return false };
    if wanted.len() >= 64 {
        return found == wanted;
    }
    let (mut found, mut wanted) = (found, wanted);
    while let (Some((a, rest)), Some((b, wanted_rest))) = (found.split_first_chunk::<8>(), wanted.split_first_chunk()) {
        if u64::from_ne_bytes(*a) != u64::from_ne_bytes(*b) {
            return false;
        }
        (found, wanted) = (rest, wanted_rest);
    }
    if let (Some((a, rest)), Some((b, wanted_rest))) = (found.split_first_chunk::<4>(), wanted.split_first_chunk()) {
        if u32::from_ne_bytes(*a) != u32::from_ne_bytes(*b) {
            return false;
        }
        (found, wanted) = (rest, wanted_rest);
    }
    found.iter().zip(wanted).all(|(a, b)| a == b)
}

/// The position of the first stop in a chunk.
#[inline(always)]
fn stop_in(chunk: [u8; WIDTH]) -> Option<usize> {
    let bytes = u8x16::new(chunk);
    let stops =
        bytes.simd_eq(u8x16::splat(b'"')) | bytes.simd_eq(u8x16::splat(b'\\')) | bytes.simd_eq(u8x16::splat(b'\n'));
    let mask = stops.to_bitmask();
    (mask != 0).then(|| mask.trailing_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_are_found_at_every_distance() {
        for length in 0..70 {
            for stop in *b"\"\\\n" {
                for before in [b'x', b'!', b'#', 0xA2, 0x8A] {
                    let mut text = vec![before; length];
                    assert_eq!(string_stop(&text, 0), None);
                    text.push(stop);
                    text.extend_from_slice(b"\"\\\nxxxxxxxxxxxxxxxxxxxx");
                    assert_eq!(string_stop(&text, 0), Some(length));
                    assert_eq!(string_stop(&text, length), Some(length));
                }
            }
        }
        assert_eq!(string_stop(b"\"", 5), None);
    }

    #[test]
    fn a_text_continues_with_what_it_begins_with() {
        let text: Vec<u8> = (0..100).collect();
        for start in 0..10 {
            for length in 0..90 {
                let mut wanted = text[start..start + length].to_vec();
                assert!(continues(&text, start, &wanted));
                if let Some(last) = wanted.last_mut() {
                    *last ^= 1;
                    assert!(!continues(&text, start, &wanted));
                }
            }
        }
        assert!(!continues(b"abc", 1, b"bcd"));
        assert!(!continues(b"abc", 7, b"b"));
    }
}
