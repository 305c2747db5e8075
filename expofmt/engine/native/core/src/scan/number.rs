//! Numbers as nearly all samples have them, read in one pass; whatever is unusual is left to [`crate::number`].

/// A float64 holds every integer below this, and every product or quotient of one with a power of ten up to 10^22
/// is rounded once, and so correctly.
const EXACT: u64 = 1 << 53;
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// The value that begins here, and where it ends, if that is at a blank or a line feed.
///
/// None for everything that needs a closer look: special values, a negative zero, more digits than a float64 surely holds, what
/// is no number.
#[inline(always)]
pub fn value(text: &[u8], start: usize) -> Option<(f64, usize)> {
    let (negative, first) = if *text.get(start)? == b'-' { (true, start + 1) } else { (false, start) };
    let (mut digits, mut at) = integer(text, first, 0)?;
    let mut count = at - first;
    let mut exponent = 0;
    if *text.get(at)? == b'.' && count > 0 {
        let point = at;
        (digits, at) = integer(text, at + 1, digits)?;
        exponent = -((at - point - 1) as i32);
        count += at - point - 1;
    }
    // With no more digits than this, the sum did not overflow.
    if count == 0 || count > 19 || digits >= EXACT || (digits == 0 && negative) {
        return None;
    }
    if matches!(*text.get(at)?, b'e' | b'E') {
        let sign = *text.get(at + 1)?;
        let first = at + 1 + usize::from(matches!(sign, b'+' | b'-'));
        let (power, end) = integer(text, first, 0)?;
        if end == first || end > first + 3 {
            return None;
        }
        exponent += if sign == b'-' { -(power as i32) } else { power as i32 };
        at = end;
    }
    if !matches!(*text.get(at)?, b'\n' | b' ') {
        return None;
    }
    let whole = digits as f64;
    let value = match exponent {
        0 => whole,
        -22..0 => whole / POWERS[-exponent as usize],
        // The product may be an integer beyond those that are surely exact.
        1..22 if digits != 0 => {
            let product = whole * POWERS[exponent as usize];
            if product >= EXACT as f64 { return None } else { product }
        }
        _ => return None,
    };
    Some((if negative { -value } else { value }, at))
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
    loop {
        let digit = text.get(at)?.wrapping_sub(b'0');
        if digit > 9 {
            return Some((sum, at));
        }
        sum = sum.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_quickly_is_read_right() {
        let mut seen = 0;
        for whole in
            ["", "0", "-0", "7", "-12", "123456", "9007199254740991", "9007199254740992", "18446744073709551616", "+1"]
        {
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
        assert!(seen > 100, "only {seen} of them");
    }

    #[test]
    fn what_is_unusual_is_left() {
        for text in [
            "-0\n",
            "-0.0 ",
            "NaN\n",
            "1",
            "1x\n",
            ".5\n",
            "1e400\n",
            "9007199254740993\n",
            "\n",
            "-\n",
            "1\t2\n",
            "1\r\n",
        ] {
            assert_eq!(value(text.as_bytes(), 0), None, "{text}");
        }
        assert_eq!(milliseconds(b"1395066363000\n", 0), Some((1_395_066_363_000, 13)));
        assert_eq!(milliseconds(b"-3\n", 0), Some((-3, 2)));
        for text in ["1", "1.5\n", "1 \n", "9223372036854775807\n", "-\n", "+1\n"] {
            assert_eq!(milliseconds(text.as_bytes(), 0), None, "{text}");
        }
    }
}
