//! Bounds: what `le` and `quantile` say.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use crate::number::parse_float;

/// What a bound may be, in the order in which bounds are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    Number,
    Nan,
    NoNumber,
    Absent,
}

/// The bound of a bucket, or a quantile. Bounds are ordered: numbers first, then NaN, what is no number, and what is
/// absent. Those of one number are equal, however they are spelt.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    pub rank: Rank,
    /// Zero, and without a sign, unless the rank says that it is a number.
    pub number: f64,
}

impl Bound {
    /// Where there is no label that holds a bound.
    pub const ABSENT: Bound = Bound { rank: Rank::Absent, number: 0.0 };

    /// What the label's value says.
    pub fn of(text: &[u8]) -> Bound {
        match parse_float(text) {
            Ok(number) if number.is_nan() => Bound { rank: Rank::Nan, number: 0.0 },
            // The sign of a zero must not tell two bounds apart.
            Ok(number) => Bound { rank: Rank::Number, number: number + 0.0 },
            Err(_) => Bound { rank: Rank::NoNumber, number: 0.0 },
        }
    }

    /// The same, where the label may be missing.
    pub fn of_label(value: Option<&[u8]>) -> Bound {
        value.map_or(Bound::ABSENT, Bound::of)
    }

    /// A number that is to others as the bound is to theirs.
    pub fn key(self) -> u64 {
        const SIGN: u64 = 1 << 63;
        match self.rank {
            Rank::Number if self.number.is_sign_negative() => !self.number.to_bits(),
            Rank::Number => self.number.to_bits() | SIGN,
            // No number has so many bits.
            Rank::Nan => u64::MAX - 2,
            Rank::NoNumber => u64::MAX - 1,
            Rank::Absent => u64::MAX,
        }
    }

    pub fn is_number(self) -> bool {
        self.rank == Rank::Number
    }
}

impl Ord for Bound {
    fn cmp(&self, other: &Bound) -> Ordering {
        self.rank.cmp(&other.rank).then(self.number.total_cmp(&other.number))
    }
}

impl PartialOrd for Bound {
    fn partial_cmp(&self, other: &Bound) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Bound {
    fn eq(&self, other: &Bound) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Bound {}

impl Hash for Bound {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.rank, self.number.to_bits()).hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_sorted_as_numbers() {
        let mut bounds = ["x", "+Inf", "0.5", "NaN", "10", "-Inf", "1e400", "-0.5", "0", "-1"];
        bounds.sort_by_key(|text| Bound::of(text.as_bytes()));
        assert_eq!(bounds, ["-Inf", "-1", "-0.5", "0", "0.5", "10", "+Inf", "NaN", "x", "1e400"]);
        bounds.reverse();
        bounds.swap(0, 1);
        assert!(Bound::of(b"x") < Bound::of_label(None));
        bounds.sort_by_key(|text| Bound::of(text.as_bytes()).key());
        assert_eq!(bounds, ["-Inf", "-1", "-0.5", "0", "0.5", "10", "+Inf", "NaN", "x", "1e400"]);
        assert!(Bound::of(b"x").key() < Bound::ABSENT.key());
    }

    #[test]
    fn the_spelling_makes_no_other_bound() {
        assert_eq!(Bound::of(b"1"), Bound::of(b"1.0"));
        assert_eq!(Bound::of(b"-0"), Bound::of(b"0"));
        assert_ne!(Bound::of(b"1"), Bound::of(b"1.5"));
    }
}
