//! Two inputs' samples of one family: united into one sequence, or told apart.

use std::sync::Arc;

use crate::block::{Block, View, same_float};
use crate::bound::Bound;
use crate::build::Builder;
use crate::family::{MetricType, point_of};
use crate::identity::{Groups, Identity, Index, Scope};
use crate::samples::{Part, Samples};

/// How two samples of one series and time become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Refuse,
    First,
    Last,
    Sum,
    Min,
    Max,
}

impl Op {
    /// The operation that a word stands for.
    pub fn named(word: &str) -> Option<Op> {
        Some(match word {
            "refuse" => Op::Refuse,
            "first" => Op::First,
            "last" => Op::Last,
            "sum" => Op::Sum,
            "min" => Op::Min,
            "max" => Op::Max,
            _ => return None,
        })
    }

    /// Whether the other of two values is chosen. NaN is no smaller and no greater than a number, and gives way to one.
    fn prefers_other(self, own: f64, other: f64) -> bool {
        match self {
            Op::Last => true,
            Op::Min => own.is_nan() || other < own,
            Op::Max => own.is_nan() || other > own,
            Op::Refuse | Op::First | Op::Sum => false,
        }
    }
}

/// What became of samples in another input; `old[i]` and `new[i]` are one series and time with two values.
pub struct Difference {
    pub removed: Samples,
    pub added: Samples,
    pub old: Samples,
    pub new: Samples,
}

/// Unite two inputs' samples of the family: the own ones in their order, then the other's new series.
///
/// The first own sample of a series and time is settled with all the other's samples that share them; exemplars and
/// start time are those of the sample that was chosen, or, for a sum, of the own one. Of histograms whose bounds differ
/// the first and the last are taken as a whole. The pairs (an index here, an index there) cannot be combined: every
/// shared series if the operation refuses; else histograms whose bounds differ, unless one of them was taken.
pub fn combine(own: &Samples, other: &Samples, op: Op, name: &[u8], kind: MetricType) -> (Samples, Vec<(u32, u32)>) {
    let compared = kind.is_histogram() && op != Op::Refuse;
    let differing = if compared { differing_bounds(own, other, name) } else { Vec::new() };
    if op == Op::First && !differing.is_empty() {
        let rest = without_histograms(other, differing.iter().map(|pair| pair.1));
        return combine(own, &rest, op, name, kind);
    }
    if op == Op::Last && !differing.is_empty() {
        let rest = without_histograms(own, differing.iter().map(|pair| pair.0));
        return combine(&rest, other, op, name, kind);
    }
    let point = point_of(name, kind);
    let identity = Identity::of(&[own, other], Scope::Series(point.as_ref()));
    let mut index = Index::new(&identity);
    index.enter(0, |_, _| ());
    let mut shared = Vec::new();
    let mut fresh = Vec::new();
    index.enter(1, |row, first| {
        let theirs = row as usize - own.len();
        if (first as usize) < own.len() {
            shared.push((first, theirs as u32));
        } else {
            fresh.push(theirs);
        }
    });
    drop(index);
    // Stable: what one sample is settled with stays in order.
    shared.sort_by_key(|&(mine, _)| mine);
    if op == Op::Refuse {
        return (own.concat([other]), shared);
    }
    let settled = settle(own, other, &shared, op);
    (settled.concat([&other.gather(fresh)]), differing)
}

/// What a sample becomes.
struct Change {
    row: usize,
    value: f64,
    /// The other's sample that it was taken from, if it is no sum.
    chosen: Option<u32>,
}

/// The own samples, changed by the other's that share their series and time; the pairs are sorted.
fn settle(own: &Samples, other: &Samples, shared: &[(u32, u32)], op: Op) -> Samples {
    let mut changes = Vec::new();
    for pairs in shared.chunk_by(|a, b| a.0 == b.0) {
        let row = pairs[0].0 as usize;
        let before = own.at(row).value();
        let mut change = Change { row, value: before, chosen: None };
        for &(_, theirs) in pairs {
            let value = other.at(theirs as usize).value();
            if op == Op::Sum {
                change.value += value;
            } else if op.prefers_other(change.value, value) {
                change = Change { row, value, chosen: Some(theirs) };
            }
        }
        if op == Op::Sum || change.chosen.is_some() {
            changes.push(change);
        }
    }
    let chosen = |change: &Change| change.chosen.map(|row| other.at(row as usize));
    if changes.iter().filter_map(chosen).any(|view| view.literal_span().is_some()) {
        return rewritten(own, &changes, chosen);
    }
    let mut settled = Samples::default();
    let mut rest = &changes[..];
    let mut before = 0;
    for part in own.parts() {
        let (here, after) = rest.split_at(rest.partition_point(|change| change.row < before + part.len()));
        if here.is_empty() {
            settled.push(part.block.clone(), part.first, part.last);
        } else {
            settled.push(Arc::new(changed(part, before, here, chosen)), 0, part.len() as u32);
        }
        before += part.len();
        rest = after;
    }
    settled
}

/// The rows of a part with other values; they stay rows of the same text.
fn changed<'a>(part: &Part, before: usize, changes: &[Change], chosen: impl Fn(&Change) -> Option<View<'a>>) -> Block {
    let (first, last) = (part.first as usize, part.last as usize);
    let block = &*part.block;
    let mut rows = block.rows[first..last].to_vec();
    let mut literals = here(&block.literals, part);
    let mut extras = here(&block.extras, part);
    let change = |row: u32| {
        let row = before + row as usize;
        changes.binary_search_by_key(&row, |change| change.row).ok().map(|at| &changes[at])
    };
    literals.retain(|(row, _)| change(*row).is_none());
    extras.retain(|(row, _)| change(*row).is_none_or(|change| change.chosen.is_none()));
    for change in changes {
        let row = change.row - before;
        rows[row].value = change.value;
        if let Some(extra) = chosen(change).and_then(View::extra) {
            extras.push((row as u32, extra.clone()));
        }
    }
    extras.sort_by_key(|(row, _)| *row);
    let cut = |len: usize| if len == 0 { 0..0 } else { first..last };
    Block {
        layout: block.layout.clone(),
        rows,
        times: block.times[cut(block.times.len())].to_vec(),
        literals,
        extras,
        places: block.places[cut(block.places.len())].to_vec(),
    }
}

/// What a column that only some rows have holds for those of a part, by their numbers in it.
fn here<T: Clone>(column: &[(u32, T)], part: &Part) -> Vec<(u32, T)> {
    let position = |row: u32| column.partition_point(|item| item.0 < row);
    let items = &column[position(part.first)..position(part.last)];
    items.iter().map(|(row, item)| (row - part.first, item.clone())).collect()
}

/// The same in a text of its own, which can hold the spellings of another text's values.
fn rewritten<'a>(own: &Samples, changes: &[Change], chosen: impl Fn(&Change) -> Option<View<'a>>) -> Samples {
    let mut builder = Builder::default();
    let mut rest = changes.iter().peekable();
    for (row, view) in own.views().enumerate() {
        match rest.next_if(|change| change.row == row) {
            None => builder.push_view(view),
            Some(change) => {
                let from = chosen(change);
                let extra = from.unwrap_or(view).extra().cloned();
                builder.push_changed(view, change.value, from.and_then(View::literal), extra);
            }
        }
    }
    builder.finish()
}

/// The samples without the histograms that some rows belong to.
fn without_histograms(samples: &Samples, rows: impl Iterator<Item = u32>) -> Samples {
    let identity = Identity::of(&[samples], Scope::Without(b"le"));
    let mut groups = Groups::new(&identity);
    let numbers: Vec<u32> = identity.keys(identity.side(0)).map(|(row, key)| groups.number(row, key)).collect();
    let mut dropped = vec![false; groups.firsts.len()];
    rows.for_each(|row| dropped[numbers[row as usize] as usize] = true);
    samples.gather((0..samples.len()).filter(|&row| !dropped[numbers[row] as usize]))
}

/// The first rows of the histograms that both hold with different bounds, in own order.
fn differing_bounds(own: &Samples, other: &Samples, name: &[u8]) -> Vec<(u32, u32)> {
    let identity = Identity::of(&[own, other], Scope::Without(b"le"));
    let bucket = [name, b"_bucket"].concat();
    let are_buckets: Vec<bool> = identity.class_names().map(|name| name == bucket).collect();
    let mut groups = Groups::new(&identity);
    let [mine, theirs] = [0, 1].map(|side| {
        let mut found = Bounds::default();
        identity.keys(identity.side(side)).for_each(|(row, key)| {
            let group = groups.number(row, key);
            if found.firsts.len() <= group as usize {
                found.firsts.resize(group as usize + 1, None);
            }
            found.firsts[group as usize].get_or_insert(row);
            if are_buckets[key.class as usize] {
                found.bounds.push((group, Bound::of_label(identity.point(&key).as_deref())));
            }
        });
        found.bounds.sort_unstable();
        found.bounds.dedup();
        found
    });
    let (mut own_bounds, mut other_bounds) = (&mine.bounds[..], &theirs.bounds[..]);
    let mut differing = Vec::new();
    for (group, firsts) in mine.firsts.iter().zip(&theirs.firsts).enumerate() {
        let here = take_group(&mut own_bounds, group);
        let there = take_group(&mut other_bounds, group);
        if let (Some(first), Some(other_first)) = firsts
            && here != there
        {
            differing.push((*first, other_first - own.len() as u32));
        }
    }
    differing
}

/// What one side has of the histograms of both.
#[derive(Default)]
struct Bounds {
    /// By the number of the histogram.
    firsts: Vec<Option<u32>>,
    /// With the numbers of their histograms; sorted, each once.
    bounds: Vec<(u32, Bound)>,
}

/// Cut the bounds of a group off those that are left.
fn take_group<'b>(rest: &mut &'b [(u32, Bound)], group: usize) -> &'b [(u32, Bound)] {
    let (found, after) = rest.split_at(rest.partition_point(|bound| bound.0 as usize <= group));
    *rest = after;
    found
}

/// What became of the own samples in another input, by series and time; of those that repeat, the first counts.
pub fn difference(own: &Samples, other: &Samples, name: &[u8], kind: MetricType) -> Difference {
    const MISSING: u32 = u32::MAX;
    let point = point_of(name, kind);
    let identity = Identity::of(&[own, other], Scope::Series(point.as_ref()));
    let mut index = Index::new(&identity);
    // For each own row the one that it became; itself if it repeats another.
    let mut became = vec![MISSING; own.len()];
    index.enter(0, |row, first| {
        if first != row {
            became[row as usize] = row;
        }
    });
    let mut added = Vec::new();
    index.enter(1, |row, first| {
        if first == row {
            added.push(row as usize - own.len());
        } else if let Some(became) = became.get_mut(first as usize).filter(|became| **became == MISSING) {
            *became = row;
        }
    });
    drop(index);
    let (mut removed, mut old, mut new) = (Vec::new(), Vec::new(), Vec::new());
    for (mine, &row) in became.iter().enumerate() {
        if row == MISSING {
            removed.push(mine);
        } else if let Some(theirs) = (row as usize).checked_sub(own.len())
            && !same_float(own.at(mine).value(), other.at(theirs).value())
        {
            old.push(mine);
            new.push(theirs);
        }
    }
    Difference {
        removed: own.gather(removed),
        added: other.gather(added),
        old: own.gather(old),
        new: other.gather(new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{Extra, Time};
    use crate::reading::{read, shown};

    fn combined(own: &Samples, other: &Samples, op: Op) -> Vec<String> {
        shown(&combine(own, other, op, b"a", MetricType::Gauge).0)
    }

    #[test]
    fn all_samples_of_the_other_settle_the_first_own_one() {
        let own = read("a{b=\"1\"} 1\na{b=\"2\"} 2\na{b=\"1\"} 9\n");
        let other = read("a{b=\"3\"} 3\na{b=\"1\"} 10\na{b=\"1\"} 5\na{b=\"3\"} 4\n");
        let rest = ["a{b=\"2\"} 2", "a{b=\"1\"} 9", "a{b=\"3\"} 3", "a{b=\"3\"} 4"];
        for (op, first) in [(Op::First, 1), (Op::Last, 5), (Op::Sum, 16), (Op::Min, 1), (Op::Max, 10)] {
            let found = combined(&own, &other, op);
            assert_eq!(
                (&*found[0], found[1..].iter().map(|text| &**text).collect::<Vec<_>>()),
                (&*format!("a{{b=\"1\"}} {first}"), rest.to_vec())
            );
        }
        let (united, shared) = combine(&own, &other, Op::Refuse, b"a", MetricType::Gauge);
        assert_eq!((united.len(), shared), (7, vec![(0, 1), (0, 2)]));
        assert_eq!(united.span(0), None);
    }

    #[test]
    fn nan_gives_way_to_numbers() {
        let (nan, one) = (read("a NaN\n"), read("a 1\n"));
        for op in [Op::Min, Op::Max] {
            assert_eq!(combined(&nan, &one, op), ["a 1"]);
            assert_eq!(combined(&one, &nan, op), ["a 1"]);
            assert_eq!(combined(&nan, &nan, op), ["a NaN"]);
        }
    }

    fn built(value: f64, literal: Option<&[u8]>, start: i64) -> Samples {
        let mut builder = Builder::default();
        for label in [&b"x"[..], b"y"] {
            let extra = Extra { exemplars: Vec::new(), start: Some(Time { ms: start, nanos: 0 }) };
            builder.push(b"a", [(&b"b"[..], label)], value, None, literal, Some(extra));
        }
        builder.finish()
    }

    #[test]
    fn spellings_and_extras_are_those_of_the_chosen_sample() {
        let (own, other) = (built(-0.0, Some(b"-0.00"), 1), built(5.0, Some(b"5.000"), 2));
        let plain = built(7.0, None, 3).slice(1, 2);
        let found = |own: &Samples, other: &Samples, op: Op| {
            let united = combine(own, other, op, b"a", MetricType::Gauge).0;
            let one = |view: View<'_>| {
                let literal = view.literal().map(|text| String::from_utf8_lossy(text).into_owned());
                (literal.unwrap_or_default(), view.extra().and_then(|extra| extra.start).map_or(0, |time| time.ms))
            };
            united.views().map(one).collect::<Vec<_>>()
        };
        let pair = |first: (&str, i64), second: (&str, i64)| {
            [first, second].map(|(literal, start)| (literal.to_string(), start)).to_vec()
        };
        assert_eq!(found(&own, &other, Op::First), pair(("-0.00", 1), ("-0.00", 1)));
        assert_eq!(found(&own, &other, Op::Last), pair(("5.000", 2), ("5.000", 2)));
        assert_eq!(found(&own, &other, Op::Sum), pair(("", 1), ("", 1)));
        assert_eq!(found(&own, &plain, Op::Last), pair(("-0.00", 1), ("", 3)));
        assert_eq!(found(&own, &plain, Op::Max), pair(("-0.00", 1), ("", 3)));
        assert_eq!(found(&own, &plain, Op::Min), pair(("-0.00", 1), ("-0.00", 1)));
        assert_eq!(found(&plain, &own, Op::Min), pair(("-0.00", 1), ("-0.00", 1)));
        assert_eq!(found(&own.slice(1, 2).concat([&own.slice(0, 1)]), &plain, Op::Sum), pair(("", 1), ("-0.00", 1)));
    }

    #[test]
    fn samples_of_a_part_change_alone() {
        let both = built(1.0, Some(b"1.00"), 1);
        let own = both.slice(1, 2).concat([&read("a{b=\"z\"} 1\n"), &both.slice(0, 1)]);
        let united = combine(&own, &read("a{b=\"z\"} 2\na{b=\"x\"} 2\n"), Op::Sum, b"a", MetricType::Gauge).0;
        let literals: Vec<_> = united.views().map(View::literal).collect();
        assert_eq!(literals, [Some(&b"1.00"[..]), None, None]);
        let starts: Vec<_> = united.views().map(|view| view.extra().is_some()).collect();
        assert_eq!(starts, [true, false, true]);
        assert_eq!(shown(&united), ["a{b=\"y\"} 1", "a{b=\"z\"} 3", "a{b=\"x\"} 3"]);
    }

    #[test]
    fn histograms_with_other_bounds_are_told_once() {
        let own = read(
            "h_sum{a=\"2\"} 1\nh_bucket{a=\"1\",le=\"1\"} 1\nh_bucket{a=\"1\",le=\"+Inf\"} 1\nh_bucket{a=\"2\",le=\"1\"} 1\n",
        );
        let other = read(
            "h_bucket{le=\"inf\",a=\"1\"} 1\nh_bucket{le=\"1.0\",a=\"1\"} 1\nh_bucket{le=\"1.0\",a=\"1\"} 1\n\
             h_count{a=\"2\"} 1\nh_bucket{a=\"3\",le=\"1\"} 1\n",
        );
        let found = |own: &Samples, other: &Samples| combine(own, other, Op::Sum, b"h", MetricType::Histogram).1;
        assert_eq!(found(&own, &other), [(0, 3)]);
        assert_eq!(found(&other, &own), [(3, 0)]);
        assert_eq!(found(&own, &own), []);
        for (op, rest) in [(Op::First, &own), (Op::Last, &other)] {
            let (united, conflicts) = combine(&own, &other, op, b"h", MetricType::Histogram);
            assert_eq!(conflicts, []);
            let of_two = |samples: &Samples| {
                shown(samples).into_iter().filter(|line| line.contains("a=\"2\"")).collect::<Vec<_>>()
            };
            assert_eq!(of_two(&united), of_two(rest));
        }
    }

    #[test]
    fn a_difference_is_of_the_first_samples_that_repeat() {
        let old = read("a{b=\"1\"} 1\na{b=\"1\"} 2\na{b=\"2\"} NaN\na{b=\"3\"} 3\na{b=\"3\"} 3\na{b=\"4\"} 4\n");
        let new = read("a{b=\"5\"} 5\na{b=\"4\"} 5\na{b=\"5\"} 6\na{b=\"2\"} NaN\na{b=\"1\"} 2\na{b=\"4\"} 4\n");
        let found = difference(&old, &new, b"a", MetricType::Gauge);
        assert_eq!(shown(&found.removed), ["a{b=\"3\"} 3"]);
        assert_eq!(shown(&found.added), ["a{b=\"5\"} 5"]);
        assert_eq!(shown(&found.old), ["a{b=\"1\"} 1", "a{b=\"4\"} 4"]);
        assert_eq!(shown(&found.new), ["a{b=\"1\"} 2", "a{b=\"4\"} 5"]);
        assert_eq!(found.old.span(0), old.span(0));
    }
}
