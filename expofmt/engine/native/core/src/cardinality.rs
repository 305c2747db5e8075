//! What samples contain: their names, their labels, and what the text format cannot hold.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::hash_table::Entry;
use hashbrown::{HashMap, HashSet, HashTable};

use crate::block::{Extra, NO_LABELS, View};
use crate::samples::Samples;

/// All sample names that occur, in order of appearance.
pub fn names(samples: &Samples) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut known: HashSet<&[u8], RandomState> = HashSet::default();
    each_kind(samples, |view| {
        if known.insert(view.name()) {
            found.push(view.name());
        }
        false
    });
    found
}

/// All label names that occur.
pub fn label_names(samples: &Samples) -> BTreeSet<Cow<'_, [u8]>> {
    let mut found = BTreeSet::new();
    each_kind(samples, |view| {
        found.extend(view.labels().map(|label| label.name));
        view.block.layout.shape(view.fields().kind).is_none()
    });
    found
}

/// Calls a function for the first row of each kind, and for the others as long as it returns true.
fn each_kind<'a>(samples: &'a Samples, mut visit: impl FnMut(View<'a>) -> bool) {
    for part in samples.parts() {
        let mut done: HashSet<u32, RandomState> = HashSet::default();
        let mut last = None;
        for view in part.views() {
            let kind = view.fields().kind;
            if last != Some(kind) && !done.contains(&kind) && !visit(view) {
                done.insert(kind);
                last = Some(kind);
            }
        }
    }
}

/// How many distinct values each label has.
pub fn label_cardinality(samples: &Samples) -> BTreeMap<Vec<u8>, u64> {
    let mut columns = Columns::default();
    for part in samples.parts() {
        let layout = &*part.block.layout;
        // For each kind the columns of its labels, and the values that its last row had.
        let mut kinds: HashMap<u32, Vec<(usize, &[u8])>, RandomState> = HashMap::default();
        for view in part.views() {
            let row = view.fields();
            if row.labels == NO_LABELS {
                continue;
            }
            let Some(shape) = layout.shape(row.kind) else {
                for label in view.labels() {
                    let column = columns.number(label.name);
                    columns.add(column, label.value);
                }
                continue;
            };
            let known = kinds.entry(row.kind).or_insert_with(|| {
                let segments = layout.segments(shape)[..shape.labels as usize].iter();
                let names = segments.map(|segment| segment.name.of(view.text));
                names.map(|name| (columns.number(Cow::Borrowed(name)), &b""[..])).collect()
            });
            for (value, (column, last)) in view.values(shape).zip(known) {
                // Neighbours have most values in common. At first none is known, which looks like an empty one.
                if value != *last || value.is_empty() {
                    columns.add(*column, Cow::Borrowed(value));
                    *last = value;
                }
            }
        }
    }
    let mut counts: Vec<u64> = columns.values.iter().map(Values::count).collect();
    columns.decoded.iter().for_each(|(column, _)| counts[*column] += 1);
    columns.numbers.into_iter().map(|(name, number)| (name.into_owned(), counts[number])).collect()
}

/// The values of each label.
#[derive(Default)]
struct Columns<'a> {
    /// By the label's name.
    numbers: HashMap<Cow<'a, [u8]>, usize, RandomState>,
    values: Vec<Values<'a>>,
    /// Values that are written with escapes, which are no others than all that are written without, and rare.
    decoded: HashSet<(usize, Vec<u8>), RandomState>,
    state: RandomState,
}

/// Distinct texts. Many labels have a single value, which needs no table.
#[derive(Default)]
struct Values<'a> {
    first: Option<&'a [u8]>,
    /// With their hashes, so that the texts are not read again as the table grows.
    others: HashTable<(u64, &'a [u8])>,
}

impl<'a> Columns<'a> {
    fn number(&mut self, name: Cow<'a, [u8]>) -> usize {
        let number = *self.numbers.entry(name).or_insert(self.values.len());
        if number == self.values.len() {
            self.values.push(Values::default());
        }
        number
    }

    fn add(&mut self, column: usize, value: Cow<'a, [u8]>) {
        match value {
            Cow::Borrowed(value) => self.values[column].add(value, &self.state),
            Cow::Owned(value) => {
                self.decoded.insert((column, value));
            }
        }
    }
}

impl<'a> Values<'a> {
    fn add(&mut self, value: &'a [u8], state: &RandomState) {
        if *self.first.get_or_insert(value) == value {
            return;
        }
        let hash = state.hash_one(value);
        let known = |other: &(u64, &[u8])| other.0 == hash && other.1 == value;
        if let Entry::Vacant(entry) = self.others.entry(hash, known, |(hash, _)| *hash) {
            entry.insert((hash, value));
        }
    }

    fn count(&self) -> u64 {
        u64::from(self.first.is_some()) + self.others.len() as u64
    }
}

/// The index of the first sample that has a time.
pub fn first_timestamp(samples: &Samples) -> Option<usize> {
    first(samples, |view| view.time().is_some())
}

/// What the text format cannot hold, in the words of diagnostics, with the first sample that has it.
pub fn losses_in_text(samples: &Samples) -> Vec<(&'static str, usize)> {
    let extra = |has: fn(&Extra) -> bool| first(samples, |view| view.extra().is_some_and(has));
    let found = [
        ("exemplars", extra(|extra| !extra.exemplars.is_empty())),
        ("start timestamps", extra(|extra| extra.start.is_some())),
        ("timestamps", first(samples, |view| view.time().is_some_and(|time| time.nanos != 0))),
    ];
    found.into_iter().filter_map(|(what, index)| Some((what, index?))).collect()
}

/// The index of the first sample that has what only some blocks have: a time, or an extra.
fn first(samples: &Samples, has: impl Fn(View<'_>) -> bool) -> Option<usize> {
    let mut before = 0;
    for part in samples.parts() {
        let rare = !part.block.times.is_empty() || !part.block.extras.is_empty();
        if let Some(position) = part.views().filter(|_| rare).position(&has) {
            return Some(before + position);
        }
        before += part.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Time;
    use crate::build::Builder;
    use crate::reading::read;

    #[test]
    fn names_and_values_are_counted_once() {
        let lines = "b{x=\"1\",y=\"\"} 1\na 1\nb{y=\"\",\"x\"=\"\\n\"} 1\nb{x=\"n\",y=\"\"} 1\nb{x=\"1\",y=\"2\"} 1\n";
        let samples = read(lines).concat([&read(lines), &read("a{\"c d\"=\"1\",x=\"1\"} 1\n")]);
        assert_eq!(names(&samples), [b"b", b"a"]);
        let found: Vec<_> = label_names(&samples).into_iter().map(Cow::into_owned).collect();
        assert_eq!(found, [b"c d".to_vec(), b"x".to_vec(), b"y".to_vec()]);
        let counts: Vec<_> = label_cardinality(&samples).into_values().collect();
        assert_eq!(counts, [1, 3, 2]);
        assert!(label_cardinality(&Samples::default()).is_empty());
    }

    #[test]
    fn what_text_cannot_hold_is_found_once() {
        let mut builder = Builder::default();
        for nanos in [0, 0, 1, 1] {
            builder.push(b"a", [], 1.0, Some(Time { ms: 5, nanos }), None, None);
        }
        let built = builder.finish();
        let samples = read("a 1\n").concat([&built, &built]);
        assert_eq!(first_timestamp(&samples), Some(1));
        assert_eq!(losses_in_text(&samples), [("timestamps", 3)]);
    }
}
