//! A hash table of sample numbers.

/// Numbers of samples, found by a hash and a comparison. It never grows, and keeps no whole hashes, so that a million
/// samples take 8 MB and one cache miss each.
pub struct Table {
    /// Zero where nothing is, else the complement of a number, with bits of the hash above it. There are twice as many as
    /// there are numbers.
    slots: Vec<u32>,
    /// Which bits hold the number. It never fills them all, so that no complement is zero.
    number: u32,
}

impl Table {
    /// With room for numbers below a limit.
    pub fn new(limit: usize) -> Table {
        let bits = usize::BITS - limit.leading_zeros();
        Table { slots: vec![0; 2 * limit + 1], number: 1u32.checked_shl(bits).map_or(u32::MAX, |bit| bit - 1) }
    }

    /// The number that was entered under the hash and is the same; none was if this one is returned and entered.
    pub fn enter(&mut self, hash: u64, number: u32, same: impl FnMut(u32) -> bool) -> u32 {
        match self.find(hash, same) {
            Ok(found) => found,
            Err(at) => {
                self.slots[at] = !(hash as u32 & !self.number | number);
                number
            }
        }
    }

    /// The number that was entered under the hash and is the same, or where it would stand.
    pub fn find(&self, hash: u64, mut same: impl FnMut(u32) -> bool) -> Result<u32, usize> {
        // The upper half of the hash says where, the lower half is left to tell numbers apart.
        let mut at = (((hash >> 32) * self.slots.len() as u64) >> 32) as usize;
        loop {
            let slot = !self.slots[at];
            if slot == u32::MAX {
                return Err(at);
            }
            if (slot ^ hash as u32) & !self.number == 0 && same(slot & self.number) {
                return Ok(slot & self.number);
            }
            at = if at + 1 < self.slots.len() { at + 1 } else { 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_however_their_hashes_collide() {
        for mask in [0, 1, !0, !0 << 32, (1 << 32) - 1, 0xF << 60] {
            for limit in [1, 2, 3, 4, 7, 8, 100, 1000] {
                let mut table = Table::new(limit);
                let hash = |number: u32| (u64::from(number) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) & mask;
                for number in 0..limit as u32 {
                    assert!(table.find(hash(number), |other| other == number).is_err());
                    assert_eq!(table.enter(hash(number), number, |other| other == number), number);
                }
                for number in 0..limit as u32 {
                    assert_eq!(table.find(hash(number), |other| other == number), Ok(number));
                    assert_eq!(table.enter(hash(number), u32::MAX, |other| other == number), number);
                }
            }
        }
    }
}
