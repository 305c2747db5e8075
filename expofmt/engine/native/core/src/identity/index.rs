//! Finding samples that are the same.

use hashbrown::HashTable;

use super::table::Table;
use super::{Identity, Key};

/// Finds for each sample the first one that is the same.
pub struct Index<'i, 'a> {
    identity: &'i Identity<'a>,
    table: Table,
    /// The samples of the first side that are the same as an earlier one.
    repeats: Vec<u32>,
    /// The sample of the first side that comes after the one found last. Inputs that hold the same series tend to hold them
    /// in the same order.
    next: u32,
    /// Whether the last one found was expected.
    in_step: bool,
}

/// How many samples are looked up one after the other. What is looked up is seldom in the cache: with nothing between
/// them, many lookups wait for memory together.
const AT_ONCE: usize = 64;

impl<'i, 'a> Index<'i, 'a> {
    pub fn new(identity: &'i Identity<'a>) -> Index<'i, 'a> {
        let table = Table::new(identity.end as usize);
        Index { identity, table, repeats: Vec::new(), next: 0, in_step: false }
    }

    /// Calls a function with each sample of a side, in order, and the first one that is the same, which may be this one.
    /// The first side's samples are to be entered before those of the second.
    pub fn enter(&mut self, side: usize, mut visit: impl FnMut(u32, u32)) {
        let identity = self.identity;
        let mut numbers = identity.side(side);
        self.in_step = side == 1;
        while !numbers.is_empty() {
            if self.in_step && self.is_next(numbers.start) {
                visit(numbers.start, self.next);
                self.next += 1;
                numbers.start += 1;
                continue;
            }
            let some = numbers.start..numbers.end.min(numbers.start + AT_ONCE as u32);
            numbers.start = some.end;
            let mut hashes = [0; AT_ONCE];
            let mut slots = hashes.iter_mut();
            identity.keys(some.clone()).for_each(|(_, key)| {
                if let Some(slot) = slots.next() {
                    *slot = identity.hash(&key);
                }
            });
            for (number, hash) in some.zip(hashes) {
                let first =
                    self.table.enter(hash, number, |other| identity.same(&identity.key(other), &identity.key(number)));
                visit(number, first);
                if first != number && side == 0 {
                    self.repeats.push(number);
                } else if first != number {
                    self.in_step = first == self.next;
                    self.next = first + 1;
                }
            }
        }
    }

    /// Whether a sample is the same as the next one of the first side, which is not the same as an earlier one.
    fn is_next(&self, number: u32) -> bool {
        self.next < self.identity.second
            && self.identity.same(&self.identity.key(self.next), &self.identity.key(number))
            && self.repeats.binary_search(&self.next).is_err()
    }
}

/// Numbers the sets of samples that are the same, in order of appearance.
pub struct Groups<'i, 'a> {
    identity: &'i Identity<'a>,
    /// Hashes and numbers.
    table: HashTable<(u64, u32)>,
    /// For each group its first sample's number.
    pub firsts: Vec<u32>,
    last: Option<(Key<'a>, u32)>,
}

impl<'i, 'a> Groups<'i, 'a> {
    pub fn new(identity: &'i Identity<'a>) -> Groups<'i, 'a> {
        Groups { identity, table: HashTable::new(), firsts: Vec::new(), last: None }
    }

    /// The number of the sample's group.
    pub fn number(&mut self, row: u32, key: Key<'a>) -> u32 {
        // Neighbours tend to belong together.
        let known = self.last.filter(|(last, _)| self.identity.same(last, &key));
        let number = known.map_or_else(|| self.find(row, &key), |(_, number)| number);
        self.last = Some((key, number));
        number
    }

    fn find(&mut self, row: u32, key: &Key<'a>) -> u32 {
        let Groups { identity, table, firsts, .. } = self;
        let hash = identity.hash(key);
        let same = |other: &(u64, u32)| other.0 == hash && identity.same(&identity.key(firsts[other.1 as usize]), key);
        if let Some(&(_, number)) = table.find(hash, same) {
            return number;
        }
        let number = firsts.len() as u32;
        table.insert_unique(hash, (hash, number), |&(hash, _)| hash);
        firsts.push(row);
        number
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::identity::Scope;
    use crate::reading::read;
    use crate::samples::Samples;

    /// The first sample of each series, found by its spelling, which is the same everywhere here.
    fn firsts(samples: &[&Samples]) -> Vec<(u32, u32)> {
        let mut known = HashMap::new();
        let views = samples.iter().flat_map(|samples| samples.views());
        (0..).zip(views).map(|(number, view)| (number, *known.entry(view.label_text()).or_insert(number))).collect()
    }

    fn found(own: &Samples, other: &Samples) -> Vec<(u32, u32)> {
        let identity = Identity::of(&[own, other], Scope::Series(None));
        let mut index = Index::new(&identity);
        let mut found = Vec::new();
        index.enter(0, |number, first| found.push((number, first)));
        index.enter(1, |number, first| found.push((number, first)));
        found
    }

    #[test]
    fn inputs_are_met_in_step_and_out_of_it() {
        let lines = |numbers: &[u32]| -> Samples {
            read(&numbers.iter().map(|number| format!("a{{b=\"{number}\"}} 1\n")).collect::<String>())
        };
        let ascending: Vec<u32> = (0..500).collect();
        let gaps: Vec<u32> = (0..500).filter(|number| number % 97 > 2).chain([7, 7, 900, 901, 900]).collect();
        let additions: Vec<u32> = (0..500).flat_map(|number| [number, 1000 + number / 50]).collect();
        let scattered: Vec<u32> = (0..500).map(|number| number * 7919 % 503).collect();
        let repeating: Vec<u32> = (0..500).map(|number| number % 70).collect();
        let inputs = [ascending, gaps, additions, scattered, repeating, Vec::new()].map(|numbers| lines(&numbers));
        for own in &inputs {
            for other in &inputs {
                assert_eq!(found(own, other), firsts(&[own, other]));
            }
        }
        let parts = inputs[0].slice(0, 100).concat([&inputs[3], &inputs[0].slice(300, 301)]);
        assert_eq!(found(&parts, &inputs[0]), firsts(&[&parts, &inputs[0]]));
        assert_eq!(found(&inputs[0], &parts), firsts(&[&inputs[0], &parts]));
    }
}
