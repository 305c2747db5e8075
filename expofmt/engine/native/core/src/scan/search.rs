//! Searching bytes where distances are short: most label values are shorter than what a call of `memchr` pays off for.

use wide::u8x16;

/// How many bytes are looked at together.
const WIDTH: usize = 16;

/// The first quote, backslash or line feed from an offset on; none if the text ends before.
#[inline(always)]
pub fn string_stop(text: &[u8], at: usize) -> Option<usize> {
    stop(text, at, |bytes| {
        bytes.simd_eq(u8x16::splat(b'"')) | bytes.simd_eq(u8x16::splat(b'\\')) | bytes.simd_eq(u8x16::splat(b'\n'))
    })
}

/// The first quote from an offset on; none if the text ends before.
#[inline(always)]
pub fn quote(text: &[u8], at: usize) -> Option<usize> {
    stop(text, at, |bytes| bytes.simd_eq(u8x16::splat(b'"')))
}

/// The first backslash or line feed from an offset on; none if the text ends before.
#[inline(always)]
pub fn line_stop(text: &[u8], at: usize) -> Option<usize> {
    stop(text, at, |bytes| bytes.simd_eq(u8x16::splat(b'\\')) | bytes.simd_eq(u8x16::splat(b'\n')))
}

#[inline(always)]
fn stop(text: &[u8], mut at: usize, stops: impl Fn(u8x16) -> u8x16) -> Option<usize> {
    while let Some(chunk) = text.get(at..)?.first_chunk() {
        let mask = stops(u8x16::new(*chunk)).to_bitmask();
        if mask != 0 {
            return Some(at + mask.trailing_zeros() as usize);
        }
        at += WIDTH;
    }
    // The last bytes, with others after them that stop nothing.
    let rest = text.get(at..)?;
    let mut chunk = [b' '; WIDTH];
    chunk[..rest.len()].copy_from_slice(rest);
    let mask = stops(u8x16::new(chunk)).to_bitmask();
    (mask != 0).then(|| at + mask.trailing_zeros() as usize)
}

/// Bytes that a text is expected to continue with.
///
/// The first ones are compared all at once: most of these are no longer.
pub struct Wanted<'a> {
    head: u128,
    mask: u128,
    pub whole: &'a [u8],
}

impl<'a> Wanted<'a> {
    pub fn new(whole: &'a [u8]) -> Wanted<'a> {
        let length = whole.len().min(WIDTH);
        let mut head = [0; WIDTH];
        head[..length].copy_from_slice(&whole[..length]);
        let mask = if length == WIDTH { u128::MAX } else { (1 << (8 * length)) - 1 };
        Wanted { head: u128::from_le_bytes(head), mask, whole }
    }

    /// Where they end, if the text continues with them. None, too, close to the end of the text.
    #[inline(always)]
    pub fn end(&self, text: &[u8], at: usize) -> Option<usize> {
        let found = u128::from_le_bytes(*text.get(at..)?.first_chunk()?);
        if found & self.mask != self.head {
            return None;
        }
        if self.whole.len() > WIDTH && !continues(text, at + WIDTH, &self.whole[WIDTH..]) {
            return None;
        }
        Some(at + self.whole.len())
    }
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
        for length in 0..40 {
            let wanted = Wanted::new(&text[5..5 + length]);
            assert_eq!(wanted.end(&text, 5), Some(5 + length));
            assert_eq!(wanted.end(&text, 6).is_some(), length == 0);
        }
        assert!(!continues(b"abc", 1, b"bcd"));
        assert!(!continues(b"abc", 7, b"b"));
    }
}
