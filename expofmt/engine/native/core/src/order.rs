//! The canonical order of a family's samples, which is that of Prometheus' own encoder.
//!
//! Fewer labels come first; then label values decide, position by position in the order of their names; then the names, the
//! time (none comes last), and, in histograms and summaries, the part and its bound; then the sample name; then the order
//! of the input. The bound is no label there.
//!
//! Samples are compared as they are written canonically: where two have labels of the same names, and no escapes, the first
//! byte in which their texts differ decides.

use std::cmp::Ordering;

use crate::block::{Time, View};
use crate::family::MetricType;
use crate::label::{Items, decoded};
use crate::samples::Samples;
use crate::spell::{ESCAPED, Spelled, Speller};

/// The indices of the samples in canonical order, or none if they are in order.
pub fn canonical_order(samples: &Samples, name: &[u8], kind: MetricType) -> Option<Vec<u32>> {
    let mut speller = Speller::default();
    speller.begin(name, kind);
    if is_in_order(&mut speller, samples) {
        return None;
    }
    let mut text = Vec::new();
    let spelled: Vec<Spelled> = samples.views().map(|view| speller.push(&mut text, view)).collect();
    Some(order(&speller, samples, &text, &spelled))
}

fn is_in_order<'a>(speller: &mut Speller<'a>, samples: &'a Samples) -> bool {
    // Only the last two samples are kept.
    let (mut text, mut next_text) = (Vec::new(), Vec::new());
    let mut last = None;
    for view in samples.views() {
        next_text.clear();
        let next = Place { spelled: speller.push(&mut next_text, view), view };
        if let Some(last) = &last
            && compare(speller, &text, last, &next_text, &next).is_gt()
        {
            return false;
        }
        last = Some(next);
        std::mem::swap(&mut text, &mut next_text);
    }
    true
}

/// A sample, and how it was written.
pub struct Place<'a> {
    pub spelled: Spelled,
    pub view: View<'a>,
}

/// How two samples stand to each other, each with the text that it was written to.
pub fn compare(speller: &Speller<'_>, text: &[u8], a: &Place<'_>, other_text: &[u8], b: &Place<'_>) -> Ordering {
    compare_labels(text, &a.spelled, other_text, &b.spelled).then_with(|| compare_rest(speller, a, b))
}

fn compare_labels(text: &[u8], a: &Spelled, other_text: &[u8], b: &Spelled) -> Ordering {
    if a.labels != b.labels {
        a.labels.cmp(&b.labels)
    } else if a.class != b.class || a.class == ESCAPED {
        compare_items(&text[a.start - 1..a.end], &other_text[b.start - 1..b.end])
    } else {
        compare_texts(&text[a.start..a.end], &other_text[b.start..b.end])
    }
}

/// Label sets of one class: what stands at their first difference is in a value, or ends one, which is less than anything.
fn compare_texts(a: &[u8], b: &[u8]) -> Ordering {
    let at = common_prefix(a, b);
    match (a.get(at), b.get(at)) {
        (Some(b'"'), _) => Ordering::Less,
        (_, Some(b'"')) => Ordering::Greater,
        (x, y) => x.cmp(&y),
    }
}

/// Any label sets with the same number of labels.
fn compare_items(a: &[u8], b: &[u8]) -> Ordering {
    let value = |written: Option<_>| written.map(decoded);
    let values = Items::new(a).zip(Items::new(b)).map(|(x, y)| value(x.value).cmp(&value(y.value)));
    let names = Items::new(a).zip(Items::new(b)).map(|(x, y)| decoded(x.name).cmp(&decoded(y.name)));
    values.chain(names).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// What decides between samples of the same labels.
fn compare_rest(speller: &Speller<'_>, a: &Place<'_>, b: &Place<'_>) -> Ordering {
    let time = |place: &Place<'_>| place.view.time().map_or((true, Time::ABSENT), |time| (false, time));
    let (plan, other) = (speller.plan(a.spelled.plan), speller.plan(b.spelled.plan));
    time(a)
        .cmp(&time(b))
        .then_with(|| plan.rank.cmp(&other.rank))
        .then_with(|| a.spelled.bound.cmp(&b.spelled.bound))
        .then_with(|| plan.name.cmp(other.name))
}

/// The indices of samples in canonical order, from how they were written to a text.
pub fn order(speller: &Speller<'_>, samples: &Samples, text: &[u8], spelled: &[Spelled]) -> Vec<u32> {
    let mut entries: Vec<Entry> = (0..spelled.len() as u32).map(|index| Entry { prefix: 0, index }).collect();
    let labels = |entry: &Entry| spelled[entry.index as usize].labels;
    if !entries.is_sorted_by_key(labels) {
        entries.sort_by_key(labels);
    }
    let place = |entry: &Entry| {
        let index = entry.index as usize;
        Place { spelled: spelled[index], view: samples.at(index) }
    };
    let settle = |group: &mut [Entry]| group.sort_by(|a, b| compare_rest(speller, &place(a), &place(b)));
    for group in entries.chunk_by_mut(|a, b| labels(a) == labels(b)) {
        let class = spelled[group[0].index as usize].class;
        if class != ESCAPED && group.iter().all(|entry| spelled[entry.index as usize].class == class) {
            let key = |entry: &Entry| {
                let spelled = &spelled[entry.index as usize];
                &text[spelled.start..spelled.end]
            };
            sort_texts(group, key, settle);
        } else {
            let mut keys = Vec::new();
            let mut ends = vec![(0, 0); spelled.len()];
            for entry in &*group {
                let index = entry.index as usize;
                let start = keys.len();
                push_key(&mut keys, &text[spelled[index].start - 1..spelled[index].end]);
                ends[index] = (start, keys.len());
            }
            let key = |entry: &Entry| {
                let (start, end) = ends[entry.index as usize];
                &keys[start..end]
            };
            sort_texts(group, key, settle);
        }
    }
    entries.iter().map(|entry| entry.index).collect()
}

/// Append a text of a label set that is to others of as many labels as the set is to theirs, by the measure of
/// [`compare_texts`]: first the values, then the names, each ended by a quote.
fn push_key(out: &mut Vec<u8>, labels: &[u8]) {
    let mut push = |text: &[u8]| {
        for &byte in text {
            // What follows keeps a quote behind the character before it, and in front of all others.
            match byte {
                b'!' => out.extend_from_slice(b"!!"),
                b'"' => out.extend_from_slice(b"!#"),
                _ => out.push(byte),
            }
        }
        out.push(b'"');
    };
    Items::new(labels).filter_map(|item| item.value).for_each(|value| push(&decoded(value)));
    Items::new(labels).for_each(|item| push(&decoded(item.name)));
}

/// A sample while it is being sorted.
#[derive(Clone, Copy)]
struct Entry {
    /// Eight bytes of its text, from where the texts of its group differ.
    prefix: u64,
    index: u32,
}

/// Sort by texts none of which begins another one, by the measure of [`compare_texts`]. `settle` sorts those of the same
/// text.
///
/// What a group of texts have in common is skipped, and the next eight bytes make the group into smaller ones. So a text is
/// looked at as often as that, while a comparison sort would fetch two texts from memory for each comparison.
fn sort_texts<'t>(entries: &mut [Entry], key: impl Fn(&Entry) -> &'t [u8], mut settle: impl FnMut(&mut [Entry])) {
    // A stack of its own: how deep this goes is for the input to say.
    let mut groups = vec![(0, entries.len(), 0)];
    while let Some((first, last, depth)) = groups.pop() {
        let group = &mut entries[first..last];
        let rest = |entry: &Entry, depth: usize| {
            let key = key(entry);
            &key[depth.min(key.len())..]
        };
        let mut common = rest(&group[0], depth);
        for entry in &group[1..] {
            common = &common[..common_prefix(common, rest(entry, depth))];
        }
        if common.len() == rest(&group[0], depth).len() {
            settle(group);
            continue;
        }
        let depth = depth + common.len();
        for entry in &mut *group {
            entry.prefix = prefix(rest(entry, depth));
        }
        group.sort_by_key(|entry| entry.prefix);
        let mut start = first;
        for run in group.chunk_by(|a, b| a.prefix == b.prefix) {
            if run.len() > 1 {
                groups.push((start, start + run.len(), depth + 8));
            }
            start += run.len();
        }
    }
}

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let mut at = 0;
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        let differing = word(a) ^ word(b);
        if differing != 0 {
            return at + differing.leading_zeros() as usize / 8;
        }
        at += 8;
    }
    at + a[at..].iter().zip(&b[at..]).take_while(|(a, b)| a == b).count()
}

/// Eight bytes, the first of them the most significant.
fn word(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_be_bytes)
}

/// The first eight bytes, as a number that is less for a text that is less by the measure of [`compare_texts`].
fn prefix(text: &[u8]) -> u64 {
    let word = match text.first_chunk::<8>() {
        Some(bytes) => u64::from_be_bytes(*bytes),
        None => {
            let mut bytes = [b'"'; 8];
            bytes[..text.len()].copy_from_slice(text);
            u64::from_be_bytes(bytes)
        }
    };
    // Quotes become zeros, and the characters below them make room for that. All eight bytes are dealt with at once.
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    const HIGH: u64 = !LOW;
    const ONES: u64 = 0x0101_0101_0101_0101;
    let below = !(((word & LOW) + ONES * (0x80 - b'"' as u64)) | word) & HIGH;
    let different = word ^ (ONES * b'"' as u64);
    let quotes = !(((different & LOW) + LOW) | different) & HIGH;
    (word + (below >> 7)) & !((quotes >> 7) * 0xFF)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bound::Bound;
    use crate::build::Builder;
    use crate::family::point_of;

    /// Numbers that look random.
    pub struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: usize) -> usize {
            self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (self.0 >> 33) as usize % sides
        }

        fn pick<'t, T: ?Sized>(&mut self, of: &[&'t T]) -> &'t T {
            of[self.roll(of.len())]
        }
    }

    const VALUES: [&str; 20] = [
        "",
        "a",
        "b",
        "ab",
        "a\"",
        "a!",
        "a#",
        "a ",
        "a\0",
        "\"",
        "!",
        "\\",
        "\n",
        "é",
        "\u{10ffff}",
        "0.5",
        "5e-1",
        "NaN",
        "a long value, of which there are many",
        "a long value, of which there are few",
    ];

    type Sample = (String, Vec<(String, String)>, Option<i64>);

    fn random_sample(dice: &mut Dice, names: &[&str], values: usize) -> Sample {
        let mut labels = Vec::new();
        for name in ["a", "a.b", "le", "m", "quantile", "z"] {
            if dice.roll(3) == 0 {
                labels.push((name.to_owned(), dice.pick(&VALUES[..values]).to_owned()));
            }
        }
        (dice.pick(names).to_owned(), labels, [None, Some(1), Some(2)][dice.roll(3)])
    }

    fn built(samples: &[Sample]) -> Samples {
        let mut builder = Builder::default();
        for (name, labels, time) in samples {
            let labels = labels.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            builder.push(name.as_bytes(), labels, 0.0, time.map(|ms| Time { ms, nanos: 0 }), None, None);
        }
        builder.finish()
    }

    /// The order as the rules say it.
    fn expected(samples: &[Sample], family: &str, kind: MetricType) -> Vec<u32> {
        let point = point_of(family.as_bytes(), kind);
        let key = |index: &u32| {
            let (name, labels, time) = &samples[*index as usize];
            let mut labels = labels.clone();
            let (mut rank, mut bound, mut plain) = (0, Bound::of(b"0"), name.clone());
            if let Some(point) = &point {
                plain.clear();
                rank = match &name[family.len()..] {
                    _ if *point.sample_name == *name.as_bytes() => 0,
                    "_sum" | "_gsum" => 1,
                    "_count" | "_gcount" => 2,
                    _ => 3,
                };
                if rank == 0 {
                    let at = labels.iter().position(|(name, _)| name.as_bytes() == point.label);
                    let value = at.map(|at| labels.remove(at).1);
                    bound = Bound::of_label(value.as_deref().map(str::as_bytes));
                }
            }
            let (names, values): (Vec<_>, Vec<_>) = labels.into_iter().unzip();
            (names.len(), values, names, (time.is_none(), *time), plain, rank, bound, name.clone())
        };
        let mut order: Vec<u32> = (0..samples.len() as u32).collect();
        order.sort_by_cached_key(key);
        order
    }

    #[test]
    fn samples_of_all_sorts_are_sorted_as_the_rules_say() {
        let mut dice = Dice(1);
        for round in 0..600 {
            let names: &[&str] =
                [&["h"][..], &["h_bucket"], &["h_bucket", "h_sum", "h_count", "h_gsum", "h", "h_x"]][round % 3];
            let kind = MetricType::ALL[round / 3 % 8];
            let (size, values) = (1 + dice.roll(40), 1 + dice.roll(VALUES.len()));
            let samples: Vec<Sample> = (0..size).map(|_| random_sample(&mut dice, names, values)).collect();
            let order = expected(&samples, "h", kind);
            let is_sorted = order.is_sorted();
            let found = canonical_order(&built(&samples), b"h", kind);
            assert_eq!(found.is_none(), is_sorted);
            assert_eq!(found.unwrap_or_else(|| order.clone()), order, "{kind:?} {samples:?}");
            let sorted: Vec<Sample> = order.iter().map(|&index| samples[index as usize].clone()).collect();
            assert_eq!(canonical_order(&built(&sorted), b"h", kind), None);
        }
    }

    #[test]
    fn texts_that_begin_alike_are_sorted_at_any_length() {
        let mut dice = Dice(2);
        for sides in [1, 2, 7] {
            let samples: Vec<Sample> = (0..300)
                .map(|_| {
                    let value = (0..dice.roll(60)).map(|_| ['a', 'b', ' '][dice.roll(sides).min(2)]).collect();
                    ("g".to_owned(), vec![("x".to_owned(), value), ("y".to_owned(), "!".repeat(dice.roll(3)))], None)
                })
                .collect();
            let order = expected(&samples, "g", MetricType::Gauge);
            assert_eq!(canonical_order(&built(&samples), b"g", MetricType::Gauge), Some(order));
        }
    }

    #[test]
    fn a_prefix_is_in_the_order_of_its_bytes_but_for_the_quote() {
        let number = |byte: u8| prefix(&[b'x', byte, b'y']);
        for byte in 0..255 {
            let (a, b) = (byte, byte + 1);
            if a != b'"' && b != b'"' {
                assert!(number(a) < number(b), "{a}");
            }
            assert!(a == b'"' || number(b'"') < number(a));
        }
        assert_eq!(prefix(b"ab"), prefix(b"ab\"\"\"\"\"\""));
        assert!(prefix(b"abcdefgh") < prefix(b"abcdefgi"));
        assert_eq!(common_prefix(b"0123456789abcdef", b"0123456789abcdxf"), 14);
        assert_eq!(common_prefix(b"0123x", b"0123x6789"), 5);
    }
}
