//! Searching bytes where distances are short: most label values are shorter than what a call of `memchr` pays off for.

use wide::u8x16;

use crate::fault::Span;

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

/// The first byte from an offset on that no name holds, colons being part of names or not; the end of the text if there is
/// none.
#[inline(always)]
pub fn name_stop(text: &[u8], at: usize, colons: bool) -> usize {
    let colon = if colons { b':' } else { b'_' };
    let among = |bytes: u8x16, first: u8, count: u8| {
        let place = bytes - u8x16::splat(first);
        place.min(u8x16::splat(count - 1)).simd_eq(place)
    };
    let stops = |bytes: u8x16| {
        let letters = among(bytes | u8x16::splat(0x20), b'a', 26);
        let others = bytes.simd_eq(u8x16::splat(b'_')) | bytes.simd_eq(u8x16::splat(colon));
        !(letters | among(bytes, b'0', 10) | others)
    };
    stop(text, at, stops).unwrap_or(text.len())
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
    // The last bytes, with blanks after them: these stop nothing but names, which the end of the text does as well.
    let rest = text.get(at..)?;
    let mut chunk = [b' '; WIDTH];
    chunk[..rest.len()].copy_from_slice(rest);
    let mask = stops(u8x16::new(chunk)).to_bitmask();
    (mask != 0).then(|| at + mask.trailing_zeros() as usize)
}

/// Bytes that a text is expected to continue with.
///
/// The first ones are compared all at once, and so are the last ones: most of these are no longer.
pub struct Wanted<'a> {
    head: u8x16,
    /// Which bytes of the head there are.
    mask: u8x16,
    /// The last ones, if they are more than the head holds.
    tail: u8x16,
    pub whole: &'a [u8],
}

impl<'a> Wanted<'a> {
    /// The bytes of a span of a text.
    #[inline]
    pub fn new(text: &'a [u8], span: Span) -> Wanted<'a> {
        /// By number of bytes: these bytes.
        const MASKS: [[u8; WIDTH]; WIDTH + 1] = {
            let mut masks = [[0; WIDTH]; WIDTH + 1];
            let mut length = 1;
            while length <= WIDTH {
                masks[length] = masks[length - 1];
                masks[length][length - 1] = 0xFF;
                length += 1;
            }
            masks
        };
        let whole = span.of(text);
        let mask = u8x16::new(MASKS[whole.len().min(WIDTH)]);
        let head = match text[span.start as usize..].first_chunk() {
            // Copied whole: to copy as many bytes as there are would be a call.
            Some(chunk) => u8x16::new(*chunk) & mask,
            None => {
                let mut head = [0; WIDTH];
                head[..whole.len()].copy_from_slice(whole);
                u8x16::new(head)
            }
        };
        let tail = whole.last_chunk().map_or(u8x16::default(), |chunk| u8x16::new(*chunk));
        Wanted { head, mask, tail, whole }
    }

    /// Where they end, if the text continues with them. None, too, close to the end of the text.
    #[inline(always)]
    pub fn end(&self, text: &[u8], at: usize) -> Option<usize> {
        let length = self.whole.len();
        let rest = text.get(at..)?;
        if u8x16::new(*rest.first_chunk()?) & self.mask != self.head {
            return None;
        }
        if length > WIDTH {
            let found = rest.get(..length)?;
            if u8x16::new(*found.last_chunk()?) != self.tail {
                return None;
            }
            if length > 2 * WIDTH && !are_same::<WIDTH>(&found[WIDTH..], &self.whole[WIDTH..]) {
                return None;
            }
        }
        Some(at + length)
    }
}

/// Whether the text continues with the wanted bytes.
///
/// As `starts_with`, but without the call of a library function for what is mostly a few bytes.
#[inline(always)]
pub fn continues(text: &[u8], at: usize, wanted: &[u8]) -> bool {
    let Some(found) = text.get(at..at + wanted.len()) else { return false };
    match wanted.len() {
        0..4 => found.iter().zip(wanted).all(|(a, b)| a == b),
        4..8 => are_same::<4>(found, wanted),
        8..16 => are_same::<8>(found, wanted),
        16..128 => are_same::<16>(found, wanted),
        _ => found == wanted,
    }
}

/// Whether two texts of one length, at least `N`, are the same: all chunks from the start, and the last `N` bytes.
#[inline(always)]
fn are_same<const N: usize>(mut a: &[u8], mut b: &[u8]) -> bool {
    let is_end_same = a.last_chunk::<N>() == b.last_chunk::<N>();
    while let (Some((first, rest)), Some((other, other_rest))) =
        (a.split_first_chunk::<N>(), b.split_first_chunk::<N>())
    {
        if first != other {
            return false;
        }
        (a, b) = (rest, other_rest);
    }
    is_end_same
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
            let wanted = Wanted::new(&text, Span::new(5, 5 + length));
            assert_eq!(wanted.end(&text, 5), Some(5 + length));
            assert_eq!(wanted.end(&text, 6).is_some(), length == 0);
        }
        assert!(!continues(b"abc", 1, b"bcd"));
        assert!(!continues(b"abc", 7, b"b"));
    }
}
