//! Numbers and their text: Go's number syntax in, Go's shortest spelling out.

/// Why a text is no number of the type asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberError {
    /// It is no number.
    Syntax,
    /// It is a number that the type cannot hold.
    Range,
}

/// Every integer up to here is a float64.
const EXACT_INTEGERS: u64 = 1 << 53;
/// So many digits are an integer below [`EXACT_INTEGERS`], whatever they are.
const EXACT_DIGITS: usize = 15;
/// The powers of ten that are a float64 each, so that dividing by one rounds only once.
const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];
/// From here on, and below one ten thousandth, numbers are written with an exponent.
const FIRST_WITH_EXPONENT: f64 = 1e6;
const LAST_WITHOUT_EXPONENT: f64 = 1e-4;

/// The float64 nearest to the number that the text spells.
///
/// The whole text must be decimal digits with an optional sign, point and exponent; `inf` or `infinity` in any letter case
/// with an optional sign; or `nan` in any letter case without one. What is too small becomes 0.
pub fn parse_float(text: &[u8]) -> Result<f64, NumberError> {
    if let Some(value) = parse_short_decimal(text) {
        return Ok(value);
    }
    // What the standard library reads is what Go reads without `_` and hexadecimal digits, but for a NaN with a sign.
    let value: f64 = str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(NumberError::Syntax)?;
    let after_sign = text.strip_prefix(b"+").or(text.strip_prefix(b"-")).unwrap_or(text);
    if value.is_nan() && after_sign.len() < text.len() {
        return Err(NumberError::Syntax);
    }
    if value.is_infinite() && !matches!(after_sign, [b'i' | b'I', ..]) {
        return Err(NumberError::Range);
    }
    Ok(value)
}

/// A number of few digits and no exponent, which most are: both its digits and their scale are a float64 then, and the
/// one division rounds to the nearest.
#[inline]
fn parse_short_decimal(text: &[u8]) -> Option<f64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if digits.len() > EXACT_DIGITS + 1 {
        return None;
    }
    let mut mantissa = 0u64;
    let mut point = None;
    for (at, &byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => mantissa = mantissa * 10 + u64::from(byte - b'0'),
            b'.' if point.is_none() => point = Some(at),
            _ => return None,
        }
    }
    let value = match point {
        // One byte is no digit then; but that byte must not be all there is.
        Some(at) if digits.len() > 1 => mantissa as f64 / POWERS_OF_TEN[digits.len() - 1 - at],
        None if !digits.is_empty() && digits.len() <= EXACT_DIGITS => mantissa as f64,
        _ => return None,
    };
    Some(if negative { -value } else { value })
}

/// Append the value as Prometheus' encoder of the text format writes it.
///
/// The fewest digits that read back as the same float64; with an exponent of at least two digits where the decimal
/// exponent is below -4 or above 5. Integers have no `.0`. The special values are `NaN`, `+Inf` and `-Inf`; negative zero
/// is `0`.
#[inline]
pub fn push_float(out: &mut Vec<u8>, value: f64) {
    let size = value.abs();
    if size < FIRST_WITH_EXPONENT {
        let integer = size as u32;
        if f64::from(integer) == size {
            // Negative zero is not smaller than zero.
            if value < 0.0 {
                out.push(b'-');
            }
            push_integer(out, u64::from(integer));
            return;
        }
    }
    push_long_float(out, value);
}

/// Append what is no small integer.
fn push_long_float(out: &mut Vec<u8>, value: f64) {
    if !value.is_finite() {
        let word: &[u8] = if value.is_nan() {
            b"NaN"
        } else if value > 0.0 {
            b"+Inf"
        } else {
            b"-Inf"
        };
        out.extend_from_slice(word);
        return;
    }
    if value < 0.0 {
        out.push(b'-');
    }
    let size = value.abs();
    // The exact digits of an integer that has a neighbour at every integer distance are also the shortest.
    let integer = size as u64;
    if integer < EXACT_INTEGERS && integer as f64 == size {
        push_scientific(out, None, |out| push_integer(out, integer));
        return;
    }
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(size).as_bytes();
    if (LAST_WITHOUT_EXPONENT..FIRST_WITH_EXPONENT).contains(&size) {
        out.extend_from_slice(text);
        return;
    }
    let (text, exponent) = match text.iter().position(|&byte| byte == b'e') {
        Some(at) => (&text[..at], str::from_utf8(&text[at + 1..]).ok().and_then(|text| text.parse().ok()).unwrap_or(0)),
        None => (text, leading_exponent(text)),
    };
    let zeros = text.iter().take_while(|byte| matches!(byte, b'0' | b'.')).count();
    let digits = text[zeros..].iter().filter(|&&byte| byte != b'.');
    push_scientific(out, Some(exponent), |out| out.extend(digits));
}

/// The decimal exponent of the first digit that is not zero.
fn leading_exponent(text: &[u8]) -> i32 {
    let position = |is: fn(&u8) -> bool| text.iter().position(is).unwrap_or(text.len()) as i32;
    let (point, first) = (position(|&byte| byte == b'.'), position(|byte| matches!(byte, b'1'..=b'9')));
    if first < point { point - first - 1 } else { point - first }
}

/// Append digits, the first of them before the point, and a decimal exponent: that of an integer of these digits, if none is
/// given. Zeros at the end say nothing.
fn push_scientific(out: &mut Vec<u8>, exponent: Option<i32>, push_digits: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    // One of the digits and the point make room for each other here.
    out.push(b'0');
    push_digits(out);
    let exponent = exponent.unwrap_or((out.len() - start) as i32 - 2);
    while out.len() > start + 2 && out.ends_with(b"0") {
        out.pop();
    }
    out.swap(start, start + 1);
    if out.len() > start + 2 {
        out[start + 1] = b'.';
    } else {
        out.pop();
    }
    let sign = if exponent < 0 { b'-' } else { b'+' };
    let exponent = exponent.unsigned_abs();
    let digit = |number: u32| b'0' + (number % 10) as u8;
    out.extend_from_slice(&[b'e', sign]);
    if exponent >= 100 {
        out.push(digit(exponent / 100));
    }
    out.extend_from_slice(&[digit(exponent / 10), digit(exponent)]);
}

/// Append the digits of an integer, eight at a time.
#[inline]
fn push_integer(out: &mut Vec<u8>, number: u64) {
    if number < EIGHT_DIGITS {
        let digits = eight_digits(number);
        // Zero itself has a digit, the last one.
        let zeros = digits.trailing_zeros().min(56) / 8;
        let end = out.len() + 8 - zeros as usize;
        out.extend_from_slice(&((digits | ZEROS) >> (8 * zeros)).to_le_bytes());
        out.truncate(end);
    } else {
        push_long_integer(out, number);
    }
}

fn push_long_integer(out: &mut Vec<u8>, number: u64) {
    push_integer(out, number / EIGHT_DIGITS);
    out.extend_from_slice(&(eight_digits(number % EIGHT_DIGITS) | ZEROS).to_le_bytes());
}

/// The least number that has more of them.
const EIGHT_DIGITS: u64 = 100_000_000;
/// What makes numbers below ten their digits.
const ZEROS: u64 = u64::from_ne_bytes([b'0'; 8]);

/// The digits of a number of at most eight, as numbers below ten, one in each byte, the first in the lowest one.
///
/// The number is cut into two halves of four digits, both of these into halves of two, and all of those into single digits,
/// each time by one multiplication for all: that with 10486 / 2^20 is a division by 100, and that with 103 / 2^10 one by 10.
fn eight_digits(number: u64) -> u64 {
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007F_0000_007F;
    let pairs = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((pairs * 103) >> 10) & 0x000F_000F_000F_000F;
    tens | ((pairs - tens * 10) << 8)
}

/// The milliseconds that a timestamp of the text format says: an int64 in decimal digits with an optional sign.
pub fn parse_milliseconds(text: &[u8]) -> Result<i64, NumberError> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(NumberError::Syntax);
    }
    let mut value = 0i64;
    for digit in digits.iter().map(|byte| i64::from(byte - b'0')) {
        // Below zero there is one more.
        value = value.checked_mul(10).and_then(|value| value.checked_sub(digit)).ok_or(NumberError::Range)?;
    }
    if negative { Ok(value) } else { value.checked_neg().ok_or(NumberError::Range) }
}

/// Append milliseconds as a timestamp of the text format.
pub fn push_milliseconds(out: &mut Vec<u8>, milliseconds: i64) {
    if milliseconds < 0 {
        out.push(b'-');
    }
    push_integer(out, milliseconds.unsigned_abs());
}

/// Whether a number that was read as this value is written as an integer that float64 rounds.
pub fn is_inexact(written: &[u8], value: f64) -> bool {
    let sign = written.iter().take_while(|byte| matches!(byte, b'+' | b'-')).count();
    let zeros = written[sign..].iter().take_while(|&&byte| byte == b'0').count();
    let digits = &written[sign + zeros..];
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) || !value.is_finite() {
        return false;
    }
    let size = value.abs().trunc();
    match str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u128>().ok()) {
        Some(integer) if size < u128::MAX as f64 => integer != size as u128,
        // With a precision, the standard library writes all digits of a float exactly.
        _ => format!("{size:.0}").as_bytes() != digits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: f64) -> String {
        let mut out = Vec::new();
        push_float(&mut out, value);
        String::from_utf8(out).expect("digits")
    }

    /// The next number of a sequence that looks random.
    fn next(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        for (text, value) in [
            ("1", 1.0),
            ("+1", 1.0),
            ("1.", 1.0),
            (".5", 0.5),
            ("-.5", -0.5),
            ("1.e3", 1000.0),
            ("1E+3", 1000.0),
            ("00000000000000000000001", 1.0),
            ("9007199254740993.0000000001", 9007199254740994.0),
            ("999999999999999", 999999999999999.0),
            ("0.00000000000001", 1e-14),
            (".000000000000001", 1e-15),
            ("1e-400", 0.0),
            ("0e999999999999999999999", 0.0),
            ("inf", f64::INFINITY),
            ("-INFINITY", f64::NEG_INFINITY),
            ("+Inf", f64::INFINITY),
        ] {
            assert_eq!(parse_float(text.as_bytes()), Ok(value), "{text}");
        }
        assert!(parse_float(b"nAn").is_ok_and(f64::is_nan));
        assert!(parse_float(b"-0").is_ok_and(|zero| zero == 0.0 && zero.is_sign_negative()));
        for text in [
            "", ".", "-", "-.", "+.", "--1", "+-1", "1_0", "0x1", "+nan", "-nan", "infin", "in", "1 ", " 1", "1.2.3",
            "..1", "1e", "1e+", "e3", ".e3", "1e3.0", "1f", "true", "١", "ınf", "1\0",
        ] {
            assert_eq!(parse_float(text.as_bytes()), Err(NumberError::Syntax), "{text}");
        }
        assert_eq!(parse_float(b"1\xff"), Err(NumberError::Syntax));
        for text in ["1e400", "-1e400", "1.7976931348623159e308", "1e99999999999999999999", &"1".repeat(5000)] {
            assert_eq!(parse_float(text.as_bytes()), Err(NumberError::Range), "{text}");
        }
        assert_eq!(parse_float(format!("{}7", "0".repeat(5000)).as_bytes()), Ok(7.0));
    }

    #[test]
    fn short_decimals_are_read_like_all_others() {
        let mut state = 1;
        for _ in 0..20_000 {
            let number = next(&mut state) % 10u64.pow((next(&mut state) % 17) as u32);
            let mut text = number.to_string();
            text.insert(next(&mut state) as usize % (text.len() + 1), '.');
            assert_eq!(parse_float(text.as_bytes()), Ok(text.parse().expect("a number")), "{text}");
        }
    }

    #[test]
    fn numbers_are_written_as_prometheus_writes_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-1.0, "-1"),
            (10.0, "10"),
            (105.0, "105"),
            (-1005.0, "-1005"),
            (0.5, "0.5"),
            (2398.283, "2398.283"),
            (100000.0, "100000"),
            (999999.0, "999999"),
            (999999.5, "999999.5"),
            (999999.9999999999, "999999.9999999999"),
            (1000000.0, "1e+06"),
            (-1000000.0, "-1e+06"),
            (1000000.5, "1.0000005e+06"),
            (12345678.0, "1.2345678e+07"),
            (9007199254740992.0, "9.007199254740992e+15"),
            (9007199254740991.0, "9.007199254740991e+15"),
            (1e16, "1e+16"),
            (1e21, "1e+21"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (0.0001, "0.0001"),
            (-0.00012345, "-0.00012345"),
            (0.00009999, "9.999e-05"),
            (0.00001, "1e-05"),
            (0.000001, "1e-06"),
            (1.5e-7, "1.5e-07"),
            (-1e-100, "-1e-100"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
            (-f64::NAN, "NaN"),
        ] {
            assert_eq!(written(value), text);
        }
    }

    /// Go's `%g`: the standard library finds how many digits are needed, and then rounds the exact value to so many. Where
    /// two such numbers are equally near, its own shortest spelling does not end with the even digit.
    fn expected(value: f64) -> String {
        let shortest = format!("{value:e}");
        let count = shortest.bytes().take_while(|&byte| byte != b'e').filter(u8::is_ascii_digit).count();
        let text = format!("{value:.*e}", count - 1);
        let (digits, exponent) = text.split_once('e').expect("an exponent");
        let exponent: i32 = exponent.parse().expect("an integer");
        if value == 0.0 {
            "0".to_owned()
        } else if (-4..6).contains(&exponent) {
            format!("{value:.*}", (count as i32 - 1 - exponent).max(0) as usize)
        } else {
            format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
        }
    }

    #[test]
    fn the_spelling_is_gos_for_any_bits() {
        let mut state = 2;
        for round in 0..20_000u32 {
            let bits = next(&mut state);
            let integer = (bits >> (next(&mut state) % 64)) as f64;
            let scale = 10f64.powi((next(&mut state) % 24) as i32 - 8);
            for value in [f64::from_bits(bits), integer, -integer, integer * scale, f64::from(round) * scale] {
                if value.is_finite() {
                    assert_eq!(written(value), expected(value), "{value:?}");
                    assert_eq!(parse_float(written(value).as_bytes()), Ok(value));
                }
            }
        }
    }

    #[test]
    fn integers_have_all_their_digits_and_no_more() {
        let mut state = 3;
        let around = (0..20).flat_map(|power| {
            let power = 10u64.pow(power);
            [power - 1, power, power + 1, power.saturating_mul(9), power.saturating_mul(10)]
        });
        let random = (0..20_000).map(|round| next(&mut state) >> (round % 64));
        for number in around.chain(0..=10_000).chain([u64::MAX]).chain(random) {
            let mut out = b"-".to_vec();
            push_integer(&mut out, number);
            assert_eq!(out, format!("-{number}").as_bytes());
        }
    }

    #[test]
    fn milliseconds_are_read_and_written() {
        for value in [0, 1, -1, 9, 10, 99, 100, 1395066363000, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            push_milliseconds(&mut out, value);
            assert_eq!(out, value.to_string().as_bytes());
            assert_eq!(parse_milliseconds(&out), Ok(value));
        }
        assert_eq!(parse_milliseconds(b"+5"), Ok(5));
        assert_eq!(parse_milliseconds(format!("-{}7", "0".repeat(5000)).as_bytes()), Ok(-7));
        for text in ["", "+", "-", "1.5", "1e3", "+-1", "1 ", "0x1"] {
            assert_eq!(parse_milliseconds(text.as_bytes()), Err(NumberError::Syntax), "{text}");
        }
        for text in ["9223372036854775808", "-9223372036854775809", "99999999999999999999"] {
            assert_eq!(parse_milliseconds(text.as_bytes()), Err(NumberError::Range), "{text}");
        }
        let long = format!("{}x", "9".repeat(30));
        assert_eq!(parse_milliseconds(long.as_bytes()), Err(NumberError::Syntax));
    }

    #[test]
    fn integers_that_are_rounded_are_found() {
        let value = |text: &str| parse_float(text.as_bytes()).expect("a number");
        let long = format!("1{}", "0".repeat(40));
        let longer = format!("{:.0}", 1e300);
        for (text, inexact) in [
            ("9007199254740992", false),
            ("9007199254740993", true),
            ("-9007199254740993", true),
            ("+009007199254740993", true),
            ("9007199254740993.0", false),
            ("9.007199254740993e15", false),
            ("18446744073709551616", false),
            ("18446744073709551617", true),
            ("340282366920938463463374607431768211456", false),
            ("340282366920938463463374607431768211455", true),
            ("100000000000000000000000", true),
            ("0", false),
            ("NaN", false),
            ("+Inf", false),
            (&long, true),
            (&longer, false),
        ] {
            assert_eq!(is_inexact(text.as_bytes(), value(text)), inexact, "{text}");
        }
    }
}
