//! Names, found by their bytes.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;

/// A hash table of numbers of names. The names themselves are elsewhere.
///
/// A scan looks up each name that it meets for the first time, and in a text of many small families that is a good part of
/// its work. Hence nothing is here that a scan does not need: nothing is ever removed, and to grow takes no name to hash.
pub struct NameTable {
    hasher: RandomState,
    /// Zero where nothing is, else the hash above a number that is one more than that of the name.
    slots: Vec<u64>,
    /// How many names are in it; at most half as many as there are slots.
    count: usize,
}

impl NameTable {
    /// With room for so many names before it has to grow.
    pub fn with_capacity(names: usize) -> NameTable {
        NameTable { hasher: RandomState::default(), slots: vec![0; 2 * names + 2], count: 0 }
    }

    /// The hash of a name. Whoever chooses the names does not know it: it differs from table to table.
    #[inline]
    pub fn hash(&self, name: &[u8]) -> u32 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(name);
        (hasher.finish() >> 32) as u32
    }

    /// The number that was inserted under the hash and is of the same name.
    #[inline]
    pub fn find(&self, hash: u32, mut same: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut at = self.first_slot(hash);
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return None;
            }
            let number = slot as u32 - 1;
            if (slot >> 32) as u32 == hash && same(number) {
                return Some(number);
            }
            at = self.next_slot(at);
        }
    }

    /// Insert a name that is not in it.
    #[inline]
    pub fn insert(&mut self, hash: u32, number: u32) {
        self.count += 1;
        if 2 * self.count > self.slots.len() {
            self.grow();
        }
        self.enter(u64::from(hash) << 32 | u64::from(number + 1));
    }

    #[inline]
    fn enter(&mut self, slot: u64) {
        let mut at = self.first_slot((slot >> 32) as u32);
        while self.slots[at] != 0 {
            at = self.next_slot(at);
        }
        self.slots[at] = slot;
    }

    #[cold]
    fn grow(&mut self) {
        let slots = vec![0; 2 * self.slots.len()];
        let old = std::mem::replace(&mut self.slots, slots);
        old.into_iter().filter(|&slot| slot != 0).for_each(|slot| self.enter(slot));
    }

    #[inline]
    fn first_slot(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.slots.len() as u64) >> 32) as usize
    }

    #[inline]
    fn next_slot(&self, at: usize) -> usize {
        if at + 1 < self.slots.len() { at + 1 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_however_their_hashes_collide() {
        for mask in [0, 1, u32::MAX, 0xFF00_0000] {
            let mut table = NameTable::with_capacity(1);
            let names: Vec<String> = (0..200).map(|number| format!("name_{number}")).collect();
            let hashes: Vec<u32> = names.iter().map(|name| table.hash(name.as_bytes()) & mask).collect();
            for (number, &hash) in (0..).zip(&hashes) {
                assert_eq!(table.find(hash, |found| found == number), None);
                table.insert(hash, number);
            }
            for (number, &hash) in (0..).zip(&hashes) {
                assert_eq!(table.find(hash, |found| found == number), Some(number));
            }
        }
    }
}
