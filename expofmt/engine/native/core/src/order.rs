//! The canonical order of a family's samples, which is that of Prometheus' own encoder.
//!
//! Fewer labels come first; then label values decide, position by position in the order of their names; then the names, the
//! time (none comes last), and, in histograms and summaries, the part and its bound; then the sample name; then the order
//! of the input. The bound is no label there.
//!
//! Samples are compared as they are written canonically: where two have labels of the same names, and no escapes, the first
//! byte in which their texts differ decides.

use std::cmp::Ordering;
use std::ops::Range;

use memchr::memchr;

use crate::block::{Time, View};
use crate::bound::Bound;
use crate::family::MetricType;
use crate::label::{Items, decoded};
use crate::plan::{ESCAPED, Plan};
use crate::samples::{Samples, SamplesRef};
use crate::spell::{Spelled, Speller};

/// The indices of the samples in canonical order, or none if they are in order.
pub fn canonical_order(samples: &Samples, name: &[u8], kind: MetricType) -> Option<Vec<u32>> {
    let mut speller = Speller::default();
    speller.begin(name, kind);
    if is_in_order(&mut speller, samples) {
        return None;
    }
    let mut lines = Lines::default();
    samples.views().for_each(|view| lines.push(|text| speller.push(text, view)));
    Some(order(&speller, samples.into(), &lines).iter().map(|entry| entry.index).collect())
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
    let (plan, other) = (speller.plan(a.spelled.plan), speller.plan(b.spelled.plan));
    let rest = |place: &Place<'_>, plan| Rest::of(place.view, plan, place.spelled.bound);
    Labels::of(plan, text, a)
        .compare(&Labels::of(other, other_text, b))
        .then_with(|| rest(a, plan).cmp(&rest(b, other)))
}

/// The labels of a line, without the bound.
pub struct Labels<'t> {
    pub number: u32,
    /// As in [`Plan::class`].
    pub class: u32,
    /// All of the text that the line is in.
    pub text: &'t [u8],
    /// Where they stand in it, without their brace.
    pub start: usize,
    pub end: usize,
}

impl<'t> Labels<'t> {
    fn of(plan: &Plan<'_>, text: &'t [u8], place: &Place<'_>) -> Labels<'t> {
        Labels { number: plan.labels, class: plan.class, text, start: place.spelled.start, end: place.spelled.end }
    }

    /// Which come first. Those whose classes are the same, but not known, are of one plan.
    #[inline]
    pub fn compare(&self, other: &Labels<'_>) -> Ordering {
        if self.number != other.number {
            self.number.cmp(&other.number)
        } else if self.class == ESCAPED || self.class != other.class {
            compare_items(&self.text[self.start - 1..self.end], &other.text[other.start - 1..other.end])
        } else {
            compare_texts(&self.text[self.start..self.end], &other.text[other.start..other.end])
        }
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
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub struct Rest<'a> {
    is_timeless: bool,
    time: Time,
    rank: u8,
    bound: u64,
    name: &'a [u8],
}

impl<'a> Rest<'a> {
    pub fn new(time: Option<Time>, rank: u8, bound: u64, name: &'a [u8]) -> Rest<'a> {
        Rest { is_timeless: time.is_none(), time: time.unwrap_or(Time::ABSENT), rank, bound, name }
    }

    fn of(view: View<'_>, plan: &Plan<'a>, bound: u64) -> Rest<'a> {
        Rest::new(view.time(), plan.rank, bound, plan.name)
    }
}

/// The key of the bound that stands after the labels, in families that have bounds; the plan knows its label.
pub fn bound_after(label: Option<&[u8]>, rest: &[u8]) -> u64 {
    let Some(label) = label else { return 0 };
    let value = match rest {
        [b',' | b'{', rest @ ..] => rest.strip_prefix(label).and_then(|rest| rest.strip_prefix(b"=\"")),
        _ => None,
    };
    let text = value.map(|value| &value[..memchr(b'"', value).unwrap_or(value.len())]);
    Bound::of_label(text).key()
}

/// Lines, or what they begin with, that were written in another order than the canonical one.
#[derive(Default)]
pub struct Lines {
    pub text: Vec<u8>,
    lines: Vec<Line>,
}

/// This is kept small: the lines of a large family are many, and so would be the pages of memory that they take.
struct Line {
    start: usize,
    plan: u32,
    /// The length of its labels. More than this can hold would not be looked at.
    labels: u32,
}

impl Lines {
    /// Prepare for so many lines, and about so much text.
    pub fn begin(&mut self, lines: usize, length: usize) {
        self.text.clear();
        self.lines.clear();
        self.text.reserve(length);
        self.lines.reserve(lines);
    }

    /// Append what is written of another sample.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Spelled) {
        let start = self.text.len();
        let spelled = write(&mut self.text);
        let labels = u32::try_from(spelled.end - spelled.start).unwrap_or(u32::MAX);
        self.lines.push(Line { start, plan: spelled.plan, labels });
    }

    /// Where a line stands in the text.
    pub fn line(&self, entry: &Entry) -> Range<usize> {
        let index = entry.index as usize;
        self.lines[index].start..self.lines.get(index + 1).map_or(self.text.len(), |next| next.start)
    }

    /// The number of a line's plan, and the length of its labels.
    pub fn form(&self, entry: &Entry) -> (u32, u32) {
        let line = &self.lines[entry.index as usize];
        (line.plan, line.labels)
    }

    fn plan<'a, 's>(&self, speller: &'s Speller<'a>, entry: &Entry) -> &'s Plan<'a> {
        speller.plan(self.lines[entry.index as usize].plan)
    }

    /// Where its labels stand, without their brace, and without the bound.
    pub fn labels(&self, speller: &Speller<'_>, entry: &Entry) -> Range<usize> {
        let line = &self.lines[entry.index as usize];
        // Where there are no labels, there may be no brace either.
        let start = line.start + speller.plan(line.plan).head.len() + usize::from(line.labels > 0);
        start..start + line.labels as usize
    }

    fn bound(&self, speller: &Speller<'_>, entry: &Entry) -> u64 {
        let rest = self.labels(speller, entry).end..self.line(entry).end;
        bound_after(self.plan(speller, entry).bound, &self.text[rest])
    }
}

/// The lines of the samples in canonical order.
pub fn order(speller: &Speller<'_>, samples: SamplesRef<'_>, lines: &Lines) -> Vec<Entry> {
    let mut entries: Vec<Entry> = (0..lines.lines.len() as u32).map(|index| Entry { prefix: 0, index }).collect();
    let plan = |entry: &Entry| lines.plan(speller, entry);
    let settle = |group: &mut [Entry]| {
        let rest = |entry: &Entry| Rest::of(samples.at(entry.index as usize), plan(entry), lines.bound(speller, entry));
        group.sort_by_cached_key(|entry| (rest(entry), entry.index));
    };
    let first = lines.lines.first().map(|line| line.plan);
    let is_one_kind = lines.lines.iter().all(|line| Some(line.plan) == first);
    if !is_one_kind {
        entries.sort_by_key(|entry| plan(entry).labels);
    }
    // Where labels cannot be compared as they are written, keys are made of them.
    let mut keys = Vec::new();
    let mut spans = Vec::new();
    for group in entries.chunk_by_mut(|a, b| is_one_kind || plan(a).labels == plan(b).labels) {
        let class = plan(&group[0]).class;
        if class != ESCAPED && (is_one_kind || group.iter().all(|entry| plan(entry).class == class)) {
            let key = |entry: &Entry| &lines.text[lines.labels(speller, entry)];
            // They have the same first name.
            let depth = memchr(b'"', key(&group[0])).map_or(0, |quote| quote + 1);
            sort_texts(group, depth, key, settle);
            continue;
        }
        spans.resize(lines.lines.len(), (0, 0));
        keys.clear();
        for entry in &*group {
            let start = keys.len();
            let labels = lines.labels(speller, entry);
            push_key(&mut keys, &lines.text[labels.start - 1..labels.end]);
            spans[entry.index as usize] = (start, keys.len());
        }
        let key = |entry: &Entry| {
            let (start, end) = spans[entry.index as usize];
            &keys[start..end]
        };
        sort_texts(group, 0, key, settle);
    }
    entries
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
pub struct Entry {
    /// Eight bytes of its text, from where the texts of its group differ.
    prefix: u64,
    pub index: u32,
}

/// Sort by texts none of which begins another one, by the measure of [`compare_texts`]; they are alike up to the depth.
/// `settle` sorts those of the same text, which come in any order.
///
/// Eight bytes of each text make the group into smaller ones, and then the next eight of those; but what all texts of a group
/// have in common is skipped. So a text is looked at as often as that, while a comparison sort would fetch two texts from
/// memory for each comparison.
fn sort_texts<'t>(
    entries: &mut [Entry],
    depth: usize,
    key: impl Fn(&Entry) -> &'t [u8],
    mut settle: impl FnMut(&mut [Entry]),
) {
    let rest = |entry: &Entry, depth: usize| {
        let key = key(entry);
        &key[depth.min(key.len())..]
    };
    // A stack of its own: how deep this goes is for the input to say.
    let mut groups = vec![(0, entries.len(), depth)];
    while let Some((first, last, depth)) = groups.pop() {
        let group = &mut entries[first..last];
        let Some(depth) = take_prefixes(group, depth, rest) else {
            settle(group);
            continue;
        };
        // Parts that are in order each, as those that were united are, are merged.
        let descents = group.windows(2).filter(|pair| pair[0].prefix > pair[1].prefix).count();
        if descents < group.len() / 16 {
            group.sort_by_key(|entry| entry.prefix);
        } else {
            group.sort_unstable_by_key(|entry| entry.prefix);
        }
        let mut start = first;
        for run in group.chunk_by(|a, b| a.prefix == b.prefix) {
            if run.len() > 1 {
                groups.push((start, start + run.len(), depth + 8));
            }
            start += run.len();
        }
    }
}

/// Find from where on the texts of a group differ, which are alike up to a depth, and note their prefixes from there; none
/// where all texts are the same.
fn take_prefixes<'t>(group: &mut [Entry], depth: usize, rest: impl Fn(&Entry, usize) -> &'t [u8]) -> Option<usize> {
    let (first, last) = (group.first()?, group.last()?);
    let whole = rest(first, depth);
    // What the first and the last of them have in common, all have mostly: then each text is fetched but once.
    let guessed = &whole[..common_prefix(whole, rest(last, depth))];
    let mut common = guessed;
    for entry in &mut *group {
        let text = rest(entry, depth);
        common = &common[..common_prefix(common, text)];
        entry.prefix = prefix(&text[common.len()..]);
    }
    if common.len() < guessed.len() {
        for entry in &mut *group {
            entry.prefix = prefix(&rest(entry, depth)[common.len()..]);
        }
    }
    (common.len() < whole.len()).then_some(depth + common.len())
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
