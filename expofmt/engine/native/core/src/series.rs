//! Who holds which series.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::block::View;
use crate::fingerprint::fingerprints;
use crate::samples::Samples;

/// Whoever samples belong to, by number.
pub type Owner = u32;

/// Which owner holds which series (name and labels), by the fingerprints of these.
///
/// A series takes 13 bytes of a table that is between 7/16 and 7/8 full, or emptier for a while after many were removed.
#[derive(Default)]
pub struct SeriesIndex {
    table: HashTable<Held>,
    /// Fingerprints look random, but whoever chooses the series chooses them, too: what places they take in the table must be
    /// something that he cannot know.
    state: RandomState,
}

/// A series that is held.
#[derive(Clone, Copy)]
struct Held {
    /// The fingerprint in two halves, so that nothing is padded.
    print: [u32; 2],
    owner: Owner,
}

impl Held {
    fn print(&self) -> u64 {
        u64::from(self.print[0]) << 32 | u64::from(self.print[1])
    }
}

/// A sample of a series that another owner holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    pub index: usize,
    pub owner: Owner,
}

/// A table of fewer series is not made smaller.
const FEW: usize = 1024;

impl SeriesIndex {
    pub fn len(&self) -> usize {
        self.table.len()
    }

    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The samples whose series are held by other owners than this one, in order.
    pub fn conflicts(&self, samples: &Samples, owner: Owner) -> Vec<Conflict> {
        self.held_by_others(&fingerprints(samples), owner).collect()
    }

    fn held_by_others(&self, prints: &[u64], owner: Owner) -> impl Iterator<Item = Conflict> {
        let holders = prints.iter().map(|&print| self.table.find(self.hash(print), |held| held.print() == print));
        let conflict = move |(index, held): (usize, Option<&Held>)| {
            held.filter(|held| held.owner != owner).map(|held| Conflict { index, owner: held.owner })
        };
        holders.enumerate().filter_map(conflict)
    }

    fn hold(&mut self, prints: Vec<u64>, owner: Owner) {
        let SeriesIndex { table, state } = self;
        for print in prints {
            let held = Held { print: [(print >> 32) as u32, print as u32], owner };
            let hash = |held: &Held| state.hash_one(held.print());
            table.entry(hash(&held), |other| other.print() == print, hash).or_insert(held);
        }
    }

    fn forget(&mut self, prints: &[u64], owner: Owner) {
        for &print in prints {
            let hash = self.hash(print);
            if let Ok(entry) = self.table.find_entry(hash, |held| held.print() == print && held.owner == owner) {
                entry.remove();
            }
        }
        // Before that happens again, as many series are removed as there are now.
        if self.table.len() < self.table.capacity() / 8 && self.table.capacity() > FEW {
            let (length, state) = (self.table.len(), &self.state);
            self.table.shrink_to(2 * length, |held| state.hash_one(held.print()));
        }
    }

    /// Whether [`SeriesIndex::replace`] would find no conflict.
    pub fn allows(&self, old: &Samples, new: &Samples, owner: Owner) -> bool {
        same_series(old, new) || self.held_by_others(&fingerprints(new), owner).next().is_none()
    }

    /// Forget the series of `old`, as many of them as the owner holds, and let it hold those of `new`. If another one holds any
    /// of these, nothing is changed, and the first of these conflicts is returned.
    pub fn replace(&mut self, old: &Samples, new: &Samples, owner: Owner) -> Result<(), Conflict> {
        if same_series(old, new) {
            return Ok(());
        }
        let prints = fingerprints(new);
        if let Some(conflict) = self.held_by_others(&prints, owner).next() {
            return Err(conflict);
        }
        self.forget(&fingerprints(old), owner);
        self.hold(prints, owner);
        Ok(())
    }

    fn hash(&self, print: u64) -> u64 {
        self.state.hash_one(print)
    }
}

/// Whether both are of the same series, sample by sample, as far as their texts show.
fn same_series(some: &Samples, others: &Samples) -> bool {
    let is_same = |(a, b): (View<'_>, View<'_>)| a.name() == b.name() && a.label_text() == b.label_text();
    some.len() == others.len() && some.views().zip(others.views()).all(is_same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::read;

    fn samples(numbers: std::ops::Range<usize>) -> Samples {
        read(&numbers.map(|number| format!("a{{b=\"{number}\"}} 1\n")).collect::<String>())
    }

    fn add(index: &mut SeriesIndex, samples: &Samples, owner: Owner) -> Result<(), Conflict> {
        index.replace(&Samples::default(), samples, owner)
    }

    fn remove(index: &mut SeriesIndex, samples: &Samples, owner: Owner) {
        assert_eq!(index.replace(samples, &Samples::default(), owner), Ok(()));
    }

    #[test]
    fn a_series_has_one_owner() {
        let mut index = SeriesIndex::default();
        assert!(index.is_empty());
        assert_eq!(add(&mut index, &samples(0..3), 1), Ok(()));
        assert_eq!(add(&mut index, &read("a{b=\"5\"} 1\na{b=\"5\"} 2 7\n"), 2), Ok(()));
        assert_eq!(index.len(), 4);
        assert_eq!(index.conflicts(&samples(0..6), 1), [Conflict { index: 5, owner: 2 }]);
        assert_eq!(index.conflicts(&samples(2..4), 2), [Conflict { index: 0, owner: 1 }]);
        assert_eq!(add(&mut index, &samples(1..7), 2), Err(Conflict { index: 0, owner: 1 }));
        remove(&mut index, &samples(0..9), 2);
        assert_eq!(index.len(), 3);
        assert_eq!(add(&mut index, &samples(2..7), 1), Ok(()));
        remove(&mut index, &samples(0..9), 1);
        assert!(index.is_empty());
    }

    #[test]
    fn series_are_replaced_or_nothing_is_changed() {
        let mut index = SeriesIndex::default();
        assert_eq!(index.replace(&samples(0..0), &samples(0..3), 1), Ok(()));
        assert_eq!(index.replace(&samples(0..0), &samples(7..9), 2), Ok(()));
        assert!(!index.allows(&samples(0..3), &samples(5..9), 1) && index.allows(&samples(0..3), &samples(2..6), 1));
        assert_eq!(index.replace(&samples(0..3), &samples(5..9), 1), Err(Conflict { index: 2, owner: 2 }));
        assert_eq!(index.conflicts(&samples(0..9), 3).len(), 5);
        assert_eq!(index.replace(&samples(0..3), &samples(2..6), 1), Ok(()));
        assert_eq!(index.conflicts(&samples(0..9), 2), [2, 3, 4, 5].map(|index| Conflict { index, owner: 1 }));
        assert_eq!(index.replace(&samples(2..6), &read("a{ b=\"2\"} 1\na{b=\"3\"} 2 7\n"), 1), Ok(()));
        assert_eq!(index.len(), 4);
        assert_eq!(index.replace(&samples(2..4), &samples(0..0), 1), Ok(()));
        assert_eq!(index.len(), 2);
    }

    #[test]
    fn the_table_grows_and_shrinks() {
        let mut index = SeriesIndex::default();
        for owner in 0..100 {
            let first = 100 * owner as usize;
            assert_eq!(add(&mut index, &samples(first..first + 100), owner), Ok(()));
        }
        let most = index.table.capacity();
        assert!(index.len() == 10_000 && most >= 10_000);
        remove(&mut index, &samples(0..10_000), 7);
        assert_eq!(index.len(), 9_900);
        for owner in (0..100).filter(|owner| owner % 50 != 0) {
            let first = 100 * owner as usize;
            remove(&mut index, &samples(first..first + 100), owner);
        }
        assert_eq!(index.conflicts(&samples(0..10_000), 0).len(), 100);
        assert!(index.len() == 200 && index.table.capacity() < most / 4);
        assert_eq!(size_of::<Held>(), 12);
    }
}
