//! Numbers as nearly all samples have them, read in one pass; whatever is unusual is left to [`crate::number`].

/// A float64 holds every integer below this, and every product or quotient of one with a power of ten up to 10^22
/// is rounded once, and so correctly.
const EXACT: u64 = 1 << 53;
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];
/// Eight digits zero. A digit and it, combined by exclusive or, are the number that the digit stands for.
const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);
/// So many digits never overflow 64 bits.
const MOST_DIGITS: usize = 19;

/// The value that begins here, and where it ends, if that is at a blank or a line feed.
///
/// None for everything that needs a closer look: infinities, a negative zero, an integer that a float64 may not hold, what is
/// beyond the range, what is no number.
#[inline(always)]
pub fn value(text: &[u8], start: usize) -> Option<(f64, usize)> {
    // Most values begin with few digits.
    let Some(chunk) = text.get(start..)?.first_chunk() else { return any_value(text, start) };
    let bytes = u64::from_le_bytes(*chunk) ^ ZEROS;
    let count = digits_of(bytes);
    if !(1..8).contains(&count) {
        return any_value(text, start);
    }
    let digits = eight_digits(bytes << (64 - 8 * count));
    match (bytes >> (8 * count)) as u8 ^ b'0' {
        b'\n' | b' ' => Some((digits as i64 as f64, start + count)),
        b'.' => after_point(text, start, false, digits, count, start + count + 1),
        _ => any_value(text, start),
    }
}

/// The same for any value.
fn any_value(text: &[u8], start: usize) -> Option<(f64, usize)> {
    let (negative, first) = match *text.get(start)? {
        b'-' => (true, start + 1),
        b'N' => return nan(text, start),
        _ => (false, start),
    };
    let (digits, at) = integer(text, first, 0)?;
    let count = at - first;
    match *text.get(at)? {
        _ if count == 0 => None,
        b'\n' | b' ' => {
            let is_exact = count <= MOST_DIGITS && digits < EXACT && (digits > 0 || !negative);
            is_exact.then(|| (signed(digits, negative), at))
        }
        b'.' => after_point(text, start, negative, digits, count, at + 1),
        b'e' | b'E' => after_digits(text, start, negative, digits, count, 0, at),
        _ => None,
    }
}

/// A value of so many digits before a point, from what comes behind that on.
fn after_point(
    text: &[u8],
    start: usize,
    negative: bool,
    digits: u64,
    count: usize,
    first: usize,
) -> Option<(f64, usize)> {
    let (digits, at) = integer(text, first, digits)?;
    let places = at - first;
    after_digits(text, start, negative, digits, count + places, -(places as i64), at)
}

/// A value of so many digits, times a power of ten, from where an exponent may stand on.
#[inline(always)]
fn after_digits(
    text: &[u8],
    start: usize,
    negative: bool,
    digits: u64,
    count: usize,
    mut exponent: i64,
    mut at: usize,
) -> Option<(f64, usize)> {
    if let Some(&[b'e', sign @ (b'+' | b'-'), tens @ b'0'..=b'9', ones @ b'0'..=b'9', b'\n' | b' ']) =
        text.get(at..at + 5)
    {
        // As Go writes all but the largest and the smallest ones.
        let power = i64::from(tens - b'0') * 10 + i64::from(ones - b'0');
        exponent += if sign == b'-' { -power } else { power };
        at += 4;
    } else if matches!(*text.get(at)?, b'e' | b'E') {
        let sign = *text.get(at + 1)?;
        let first = at + 1 + usize::from(matches!(sign, b'+' | b'-'));
        let (power, end) = integer(text, first, 0)?;
        if end == first || end > first + MOST_DIGITS - 1 {
            return None;
        }
        exponent += if sign == b'-' { -(power as i64) } else { power as i64 };
        at = end;
    }
    if !matches!(*text.get(at)?, b'\n' | b' ') {
        return None;
    }
    if count > MOST_DIGITS || digits >= EXACT || digits == 0 {
        return unusual(&text[start..at], at);
    }
    let value = match exponent {
        -22..0 => signed(digits, negative) / POWERS[-exponent as usize],
        0..=22 => signed(digits, negative) * POWERS[exponent as usize],
        _ => return unusual(&text[start..at], at),
    };
    Some((value, at))
}

/// A number of less than 63 bits: such a one costs less to convert.
fn signed(digits: u64, negative: bool) -> f64 {
    let digits = digits as i64;
    (if negative { -digits } else { digits }) as f64
}

/// A number with a point or an exponent that needs more than one operation.
#[cold]
fn unusual(written: &[u8], end: usize) -> Option<(f64, usize)> {
    let value: f64 = std::str::from_utf8(written).ok()?.parse().ok()?;
    (value.is_finite() && (value != 0.0 || value.is_sign_positive())).then_some((value, end))
}

/// As Go writes it: quantiles of summaries without observations are often this.
#[cold]
fn nan(text: &[u8], start: usize) -> Option<(f64, usize)> {
    (text.get(start..start + 3)? == b"NaN" && matches!(text.get(start + 3)?, b'\n' | b' '))
        .then_some((f64::NAN, start + 3))
}

/// The milliseconds that begin here, and where they end, if that is at a line feed.
#[inline(always)]
pub fn milliseconds(text: &[u8], start: usize) -> Option<(i64, usize)> {
    let (negative, first) = if *text.get(start)? == b'-' { (true, start + 1) } else { (false, start) };
    let (digits, end) = integer(text, first, 0)?;
    // Eighteen digits always fit.
    if end == first || end > first + 18 || *text.get(end)? != b'\n' {
        return None;
    }
    Some((if negative { -(digits as i64) } else { digits as i64 }, end))
}

/// The digits from here on, as if they followed others; their sum wraps where there are too many.
#[inline(always)]
fn integer(text: &[u8], mut at: usize, mut sum: u64) -> Option<(u64, usize)> {
    const SCALES: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];
    while let Some(chunk) = text.get(at..)?.first_chunk() {
        let bytes = u64::from_le_bytes(*chunk) ^ ZEROS;
        let count = digits_of(bytes);
        if count > 0 {
            sum = sum.wrapping_mul(SCALES[count]).wrapping_add(eight_digits(bytes << (64 - 8 * count)));
            at += count;
        }
        if count < 8 {
            return Some((sum, at));
        }
    }
    loop {
        let digit = text.get(at)?.wrapping_sub(b'0');
        if digit > 9 {
            return Some((sum, at));
        }
        sum = sum.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
}

/// How many of eight bytes are digits before one that is not, when they were combined with those of [`ZEROS`].
#[inline(always)]
fn digits_of(bytes: u64) -> usize {
    // Digits are below ten now; the lowest byte that is not is exact, whatever its carry does to those above it.
    let others = (bytes.wrapping_add(0x7676_7676_7676_7676) | bytes) & 0x8080_8080_8080_8080;
    others.trailing_zeros() as usize / 8
}

/// The number that eight digits make, the first in the lowest byte: neighbours are joined to pairs, these to fours, and so on.
#[inline(always)]
fn eight_digits(digits: u64) -> u64 {
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let low = (pairs & 0x0000_00FF_0000_00FF).wrapping_mul(100 + (1_000_000 << 32));
    let high = ((pairs >> 16) & 0x0000_00FF_0000_00FF).wrapping_mul(1 + (10_000 << 32));
    low.wrapping_add(high) >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_quickly_is_read_right() {
        let mut seen = 0;
        for whole in [
            "",
            "0",
            "-0",
            "7",
            "-12",
            "123456",
            "9007199254740991",
            "9007199254740992",
            "-9223372036854775808",
            "18446744073709551616",
            "+1",
        ] {
            for fraction in
                ["", ".", ".0", ".5", ".25", ".123456789", ".00000000000000000001", ".1234567890123456789012"]
            {
                for exponent in ["", "e5", "E+06", "e-7", "e22", "e23", "e-300", "e", "e+", "e1000"] {
                    let number = format!("{whole}{fraction}{exponent}");
                    let text = format!("{number}\n");
                    if let Some((found, end)) = value(text.as_bytes(), 0) {
                        let expected: f64 = number.parse().expect("what is read is a number");
                        assert_eq!((found.to_bits(), end), (expected.to_bits(), number.len()), "{number}");
                        seen += 1;
                    }
                }
            }
        }
        assert!(seen > 300, "only {seen} of them");
    }

    #[test]
    fn digits_are_summed_however_many_there_are() {
        let digits = "9081726354123456789";
        for length in 0..=digits.len() {
            for after in ["\n", " 123456789\n", ":23456789", "/23456789", "\u{b0}23456789"] {
                let text = format!("{}{after}", &digits[..length]);
                let expected = if length == 0 { 0 } else { digits[..length].parse().expect("digits") };
                assert_eq!(integer(text.as_bytes(), 0, 0), Some((expected, length)), "{text}");
            }
        }
    }

    #[test]
    fn what_is_unusual_is_left() {
        for text in
            ["-0\n", "-0.0 ", "1", "1x\n", ".5\n", "1e400\n", "9007199254740993\n", "\n", "-\n", "1\t2\n", "1\r\n"]
        {
            assert_eq!(value(text.as_bytes(), 0), None, "{text}");
        }
        assert_eq!(milliseconds(b"1395066363000\n", 0), Some((1_395_066_363_000, 13)));
        assert_eq!(milliseconds(b"-3\n", 0), Some((-3, 2)));
        for text in ["1", "1.5\n", "1 \n", "9223372036854775807\n", "-\n", "+1\n"] {
            assert_eq!(milliseconds(text.as_bytes(), 0), None, "{text}");
        }
    }
}
