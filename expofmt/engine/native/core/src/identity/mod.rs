//! Which samples are one series at one time, and which ones are parts of one histogram.
//!
//! Most samples of a family are of one kind: then their label sets are equal where the texts are, and nothing needs to
//! be decoded. What is written in several ways is compared label by label.

mod class;
mod index;
mod table;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
use std::sync::Arc;

use foldhash::fast::RandomState;
use memchr::memrchr;

use crate::block::{Block, NO_LABELS, Time, View};
use crate::bound::Bound;
use crate::family::{MetricType, Point, point_of};
use crate::label::Label;
use crate::samples::Samples;
use class::{Class, Classes, Parts, Survey};
pub use index::{Groups, Index};

/// What samples must have alike to be the same.
#[derive(Clone, Copy)]
pub enum Scope<'a> {
    /// Name, labels and time. The bounds of buckets and quantiles are the same if they are the same number.
    Series(Option<&'a Point>),
    /// Labels, this one excepted, and time.
    Without(&'a [u8]),
}

impl Scope<'_> {
    /// Whether the value of the label that the scope is about counts, as a bound.
    fn compares_points(self) -> bool {
        matches!(self, Scope::Series(_))
    }
}

/// Samples that repeat an earlier one's series and time: (index, index of the first).
pub fn duplicates(samples: &Samples, name: &[u8], kind: MetricType) -> Vec<(u32, u32)> {
    if samples.len() < 2 {
        return Vec::new();
    }
    let point = point_of(name, kind);
    let identity = Identity::of(&[samples], Scope::Series(point.as_ref()));
    if identity.ascends() {
        return Vec::new();
    }
    let mut found = Vec::new();
    Index::new(&identity).enter(0, |row, first| {
        if first != row {
            found.push((row, first));
        }
    });
    found
}

/// Compares the samples of one sequence, or of two; those of the second are numbered after those of the first.
pub struct Identity<'a> {
    scope: Scope<'a>,
    /// The number of the second side's first sample.
    second: u32,
    /// How many samples there are.
    end: u32,
    stretches: Vec<Stretch<'a>>,
    classes: Classes<'a>,
    /// Seeded at random, so that nobody can choose labels that collide.
    state: RandomState,
}

/// Rows of one block.
struct Stretch<'a> {
    /// The number of its first row.
    before: u32,
    block: &'a Block,
    text: &'a [u8],
    first: usize,
    last: usize,
    /// The number of its layout. One that comes again later may get another number.
    layout: u32,
    /// The kind of its first row, and the class of that kind.
    kind: u32,
    class: u32,
}

impl Stretch<'_> {
    fn len(&self) -> u32 {
        (self.last - self.first) as u32
    }
}

/// A sample as far as it is compared.
#[derive(Clone, Copy)]
pub struct Key<'a> {
    view: View<'a>,
    /// The number of its class: samples of one class have one name.
    pub class: u32,
    labels: Parts<'a>,
    time: Time,
}

impl<'a> Identity<'a> {
    /// One or two sequences.
    pub fn of(sides: &[&'a Samples], scope: Scope<'a>) -> Identity<'a> {
        let mut survey = Survey::new(scope);
        let mut stretches: Vec<Stretch> = Vec::new();
        let (mut end, mut layout) = (0, 0);
        for part in sides.iter().flat_map(|samples| samples.parts()) {
            let block = &*part.block;
            if stretches.last().is_some_and(|last| !Arc::ptr_eq(&last.block.layout, &block.layout)) {
                layout += 1;
            }
            let (first, last) = (part.first as usize, part.last as usize);
            let rows = &block.rows[first..last];
            let kind = rows[0].kind;
            let (class, mut irregular) = survey.add(&block.layout, layout, kind);
            let mut known = kind;
            for row in rows {
                if row.kind != known {
                    known = row.kind;
                    irregular = survey.add(&block.layout, layout, known).1;
                }
                if let Some(name_number) = irregular
                    && row.labels != NO_LABELS
                {
                    survey.mark_irregular(name_number);
                }
            }
            let text = block.layout.text();
            stretches.push(Stretch { before: end, block, text, first, last, layout, kind, class });
            end += part.len() as u32;
        }
        let state = RandomState::default();
        let second = sides.first().map_or(0, |samples| samples.len() as u32);
        Identity { scope, second, end, stretches, classes: survey.finish(&state), state }
    }

    /// The sample names of the classes, by number.
    pub fn class_names(&self) -> impl Iterator<Item = &'a [u8]> {
        self.classes.all().iter().map(|class| class.name)
    }

    /// The numbers of a side's samples.
    pub fn side(&self, side: usize) -> Range<u32> {
        if side == 0 { 0..self.second } else { self.second..self.end }
    }

    /// Samples with their numbers.
    pub fn keys(&self, numbers: Range<u32>) -> impl Iterator<Item = (u32, Key<'a>)> {
        let first = self.stretches.partition_point(|stretch| stretch.before + stretch.len() <= numbers.start);
        let stretches = self.stretches[first..].iter().take_while(move |stretch| stretch.before < numbers.end);
        stretches.flat_map(move |stretch| {
            let start = numbers.start.max(stretch.before);
            let end = numbers.end.min(stretch.before + stretch.len());
            let mut known = (stretch.kind, stretch.class);
            (start..end).map(move |number| {
                let row = stretch.first + (number - stretch.before) as usize;
                let kind = stretch.block.rows[row].kind;
                if kind != known.0 {
                    known = (kind, self.classes.number(stretch.layout, kind));
                }
                (number, self.key_of(stretch, row, known.1))
            })
        })
    }

    /// The sample of a number.
    pub fn key(&self, number: u32) -> Key<'a> {
        let stretch = match &self.stretches[..] {
            [stretch] => stretch,
            stretches => &stretches[stretches.partition_point(|stretch| stretch.before <= number) - 1],
        };
        let row = stretch.first + (number - stretch.before) as usize;
        let kind = stretch.block.rows[row].kind;
        let same_kind = kind == stretch.kind;
        let class = if same_kind { stretch.class } else { self.classes.number(stretch.layout, kind) };
        self.key_of(stretch, row, class)
    }

    #[inline]
    fn key_of(&self, stretch: &Stretch<'a>, row: usize, class: u32) -> Key<'a> {
        let view = View { block: stretch.block, text: stretch.text, row };
        let labels = self.classes.get(class).split(view.label_text());
        Key { view, class, labels, time: view.time().unwrap_or(Time::ABSENT) }
    }

    /// The value of the label that the scope is about: for series, where the sample is a bucket or a quantile.
    pub fn point(&self, key: &Key<'a>) -> Option<Cow<'a, [u8]>> {
        let class = self.classes.get(key.class);
        if let Some(point) = key.labels.point {
            return Some(Cow::Borrowed(point));
        }
        if class.is_regular() || !class.has_point {
            return None;
        }
        let label = self.point_label();
        key.view.labels().find(|found| found.name == label).map(|found| found.value)
    }

    fn point_label(&self) -> &'a [u8] {
        match self.scope {
            Scope::Series(point) => point.map_or(b"", |point| point.label),
            Scope::Without(label) => label,
        }
    }

    /// A hash that is the same for samples that are.
    #[inline(always)]
    pub fn hash(&self, key: &Key<'a>) -> u64 {
        let class = self.classes.get(key.class);
        if class.plain && key.time == Time::ABSENT {
            return hash_bytes(&self.state, key.labels.text) ^ class.salt;
        }
        self.hash_of_parts(class, key)
    }

    #[inline(never)]
    fn hash_of_parts(&self, class: &Class<'a>, key: &Key<'a>) -> u64 {
        let mut hasher = self.state.build_hasher();
        if class.textual {
            hasher.write(key.labels.text);
            if !key.labels.rest.is_empty() {
                hasher.write(key.labels.rest);
            }
        } else {
            hasher.write_u64(self.hash_labels(class, key));
        }
        if class.has_point && self.scope.compares_points() {
            let text = self.point(key);
            let bound = Bound::of_label(text.as_deref());
            if bound.is_number() {
                hasher.write_u64(bound.number.to_bits());
            } else {
                hasher.write(text.as_deref().unwrap_or(b""));
            }
        }
        if key.time != Time::ABSENT {
            hasher.write_i64(key.time.ms);
            hasher.write_u32(key.time.nanos);
        }
        hasher.finish() ^ class.salt
    }

    /// A hash of the labels, the point excepted, whatever their order.
    fn hash_labels(&self, class: &Class<'a>, key: &Key<'a>) -> u64 {
        if class.is_regular() {
            let labels = class.name_hashes.iter().zip(class.other_values(key.view));
            return labels.map(|(name, value)| self.hash_label(*name, value)).fold(0, u64::wrapping_add);
        }
        let point = class.has_point.then(|| self.point_label());
        let labels = key.view.labels().filter(|label| point.is_none_or(|point| label.name != point));
        let hashes = labels.map(|label| self.hash_label(hash_bytes(&self.state, &label.name), &label.value));
        hashes.fold(0, u64::wrapping_add)
    }

    fn hash_label(&self, name: u64, value: &[u8]) -> u64 {
        let mut hasher = self.state.build_hasher();
        hasher.write(value);
        hasher.write_u64(name);
        hasher.finish()
    }

    /// Whether two samples are the same.
    pub fn same(&self, a: &Key<'a>, b: &Key<'a>) -> bool {
        if a.time != b.time {
            return false;
        }
        let (of_a, of_b) = (self.classes.get(a.class), self.classes.get(b.class));
        let one_shape = a.class == b.class && of_a.is_regular();
        if one_shape || (of_a.textual && of_b.textual) {
            return of_a.group == of_b.group && self.same_text(a, b);
        }
        of_a.name_number == of_b.name_number && of_a.textual == of_b.textual && self.same_labels(a, b)
    }

    /// The same for samples whose label sets are alike.
    fn same_text(&self, a: &Key<'a>, b: &Key<'a>) -> bool {
        a.labels.text == b.labels.text
            && a.labels.rest == b.labels.rest
            && (!self.scope.compares_points() || same_point(a.labels.point, b.labels.point))
    }

    fn same_labels(&self, a: &Key<'a>, b: &Key<'a>) -> bool {
        let (of_a, of_b) = (self.classes.get(a.class), self.classes.get(b.class));
        if of_a.is_regular() && of_b.is_regular() {
            return of_a.group == of_b.group
                && self.same_values(a, b)
                && (!self.scope.compares_points() || same_point(a.labels.point, b.labels.point));
        }
        if !of_a.is_regular() && !of_b.is_regular() && a.labels.text == b.labels.text {
            return true;
        }
        let (labels_a, point_a) = self.sorted_labels(a);
        let (labels_b, point_b) = self.sorted_labels(b);
        labels_a == labels_b && (!self.scope.compares_points() || same_point(point_a.as_deref(), point_b.as_deref()))
    }

    /// The same for regular rows that have the same label names, the point excepted.
    fn same_values(&self, a: &Key<'a>, b: &Key<'a>) -> bool {
        let (of_a, of_b) = (self.classes.get(a.class), self.classes.get(b.class));
        let (values_a, values_b) = (of_a.other_values(a.view), of_b.other_values(b.view));
        if of_a.ranks == of_b.ranks {
            return values_a.eq(values_b);
        }
        let mut few = [&b""[..]; 16];
        let mut many = Vec::new();
        let sorted = match few.get_mut(..of_a.ranks.len()) {
            Some(few) => few,
            None => {
                many.resize(of_a.ranks.len(), &b""[..]);
                &mut many[..]
            }
        };
        for (rank, value) in of_a.ranks.iter().zip(values_a) {
            sorted[*rank as usize] = value;
        }
        of_b.ranks.iter().zip(values_b).all(|(rank, value)| sorted[*rank as usize] == value)
    }

    /// The labels without the point, and the point.
    fn sorted_labels(&self, key: &Key<'a>) -> (Vec<Label<'a>>, Option<Cow<'a, [u8]>>) {
        let mut labels = Vec::new();
        key.view.sorted_labels(&mut labels);
        if !self.classes.get(key.class).has_point {
            return (labels, None);
        }
        let label = self.point_label();
        let point = labels.iter().position(|found| found.name == label).map(|at| labels.remove(at).value);
        (labels, point)
    }

    /// Whether the samples of each group are seen to ascend, so that no two are the same.
    fn ascends(&self) -> bool {
        let mut lasts: Vec<Option<Key>> = vec![None; self.classes.all().len()];
        self.classes.all().iter().all(|class| class.textual)
            && self.keys(self.side(0)).all(|(_, key)| {
                let last = &mut lasts[self.classes.get(key.class).group as usize];
                let ascends = last.is_none_or(|last| last.order(&key) == Some(Ordering::Less));
                *last = Some(key);
                ascends
            })
    }
}

impl Key<'_> {
    /// The order of samples whose label sets are of one shape, unless it cannot be told.
    fn order(&self, other: &Key<'_>) -> Option<Ordering> {
        let texts = order_of_texts(self.labels.text, other.labels.text)
            .then_with(|| order_of_texts(self.labels.rest, other.labels.rest));
        if texts.is_ne() || self.labels.point == other.labels.point {
            return Some(texts.then(self.time.cmp(&other.time)));
        }
        let (bound, other_bound) = (Bound::of_label(self.labels.point), Bound::of_label(other.labels.point));
        let numbers = bound.is_number() && other_bound.is_number();
        numbers.then(|| bound.cmp(&other_bound).then(self.time.cmp(&other.time)))
    }
}

/// Where the value begins that ends here.
fn value_start(text: &[u8], end: usize) -> usize {
    memrchr(b'"', &text[..end]).map_or(0, |quote| quote + 1)
}

fn same_point(a: Option<&[u8]>, b: Option<&[u8]>) -> bool {
    a == b || Bound::of_label(a).is_number() && Bound::of_label(a) == Bound::of_label(b)
}

fn hash_bytes(state: &RandomState, bytes: &[u8]) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

/// The order of label sets of one shape, which is that of their values.
fn order_of_texts(a: &[u8], b: &[u8]) -> Ordering {
    let at = common_prefix(a, b);
    // The quote ends a value: what goes on is greater.
    let rank = |text: &[u8]| text.get(at).map(|&byte| (byte != b'"', byte));
    rank(a).cmp(&rank(b))
}

/// How many bytes two texts have in common at their beginning.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let mut at = 0;
    for (a, b) in a.chunks_exact(16).zip(b.chunks_exact(16)) {
        if a != b {
            break;
        }
        at += 16;
    }
    at + a[at..].iter().zip(&b[at..]).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::read;

    fn repeats(lines: &str, name: &str, kind: MetricType) -> Vec<(u32, u32)> {
        duplicates(&read(lines), name.as_bytes(), kind)
    }

    #[test]
    fn labels_in_any_order_and_spelling_are_one_series() {
        let lines =
            "a{b=\"1\",c=\"2\"} 1\na{c=\"2\",b=\"1\"} 1\na{ b = \"1\" , \"c\"=\"2\", } 1\na{b=\"1\",c=\"3\"} 1\n";
        assert_eq!(repeats(lines, "a", MetricType::Gauge), [(1, 0), (2, 0)]);
        // Without the irregular row, and with it alone.
        assert_eq!(duplicates(&read(lines).slice(0, 2), b"a", MetricType::Gauge), [(1, 0)]);
        assert_eq!(duplicates(&read(lines).gather([3, 2, 0]), b"a", MetricType::Gauge), [(2, 1)]);
        assert_eq!(repeats("a 1\na{} 1\na{b=\"\"} 1\n", "a", MetricType::Gauge), [(1, 0)]);
        assert_eq!(repeats("a{b=\"\\n\"} 1\na{b=\"\\\\n\"} 1\na{b=\"\\n\"} 1\n", "a", MetricType::Gauge), [(2, 0)]);
    }

    #[test]
    fn labels_of_any_number_may_stand_in_any_order() {
        for count in [1, 2, 15, 16, 17, 40] {
            let labels = |last: &str| -> Vec<String> {
                let value = |number: usize| if number + 1 == count { last.to_string() } else { number.to_string() };
                (0..count).map(|number| format!("l{number}=\"{}\"", value(number))).collect()
            };
            let turned = |last: &str| labels(last).into_iter().rev().collect::<Vec<_>>();
            let lines = [labels("x"), turned("y"), turned("x"), labels("y")];
            let lines = lines.map(|labels| format!("a{{{}}} 1\n", labels.join(","))).concat();
            assert_eq!(repeats(&lines, "a", MetricType::Gauge), [(2, 0), (3, 1)]);
        }
    }

    #[test]
    fn times_and_names_tell_series_apart() {
        let lines = "s_sum 1 5\ns_count 1 5\ns_sum 1\ns_sum 1 5\ns_sum 1 6\ns_sum 1\n";
        assert_eq!(repeats(lines, "s", MetricType::Summary), [(3, 0), (5, 2)]);
    }

    #[test]
    fn bounds_are_numbers_in_buckets_alone() {
        for [first, second] in [["b=\"x\",le=", ""], ["le=", ",z=\"x\""], ["a=\"\\\\\",le=", ""]] {
            let buckets = ["1", "1.0", "x", "y", "x", "-0", "0", "NaN", "nan", "NaN"];
            let lines = |name: &str| -> String {
                buckets.map(|bound| format!("{name}{{{first}\"{bound}\"{second}}} 1\n")).concat()
            };
            let found = repeats(&lines("h_bucket"), "h", MetricType::Histogram);
            assert_eq!(found, [(1, 0), (4, 2), (6, 5), (9, 7)]);
            assert_eq!(repeats(&lines("h_bucket"), "h", MetricType::Gauge), [(4, 2), (9, 7)]);
            assert_eq!(repeats(&lines("h_count"), "h", MetricType::Histogram), [(4, 2), (9, 7)]);
        }
    }

    #[test]
    fn ascending_samples_need_no_table() {
        let samples =
            read("a{b=\"1\",c=\"x\"} 1\na{b=\"1\",c=\"x!\"} 1\na{b=\"1!\",c=\"\"} 1 1\na{b=\"1!\",c=\"\"} 1 2\n");
        let ascends = |samples: &Samples| Identity::of(&[samples], Scope::Series(None)).ascends();
        assert!(ascends(&samples));
        assert!(!ascends(&samples.gather([1, 0])));
        assert!(!ascends(&samples.gather([3, 2])));
        assert!(!ascends(&samples.gather([3, 3])));
    }

    #[test]
    fn parts_of_a_histogram_belong_together() {
        let lines = "h_bucket{a=\"x\",le=\"1\"} 1\nh_bucket{le=\"2\",a=\"x\"} 1\nh_sum{a=\"x\"} 1\nh_bucket{le=\"1\"} 1\n\
                     h_count{\"a\"=\"x\"} 1\nh_sum 1\nh_sum 1 5\n";
        let samples = read(lines);
        let identity = Identity::of(&[&samples], Scope::Without(b"le"));
        let mut groups = Groups::new(&identity);
        let numbers: Vec<u32> = identity.keys(identity.side(0)).map(|(row, key)| groups.number(row, key)).collect();
        assert_eq!(numbers, [0, 0, 0, 1, 0, 1, 2]);
        assert_eq!(groups.firsts, [0, 3, 6]);
        // The same without an irregular row.
        let samples = samples.gather([0, 2, 3, 5]);
        let identity = Identity::of(&[&samples], Scope::Without(b"le"));
        let mut groups = Groups::new(&identity);
        let numbers: Vec<u32> = identity.keys(identity.side(0)).map(|(row, key)| groups.number(row, key)).collect();
        assert_eq!(numbers, [0, 0, 1, 1]);
    }

    #[test]
    fn a_common_prefix_ends_where_texts_differ() {
        for length in 0..70 {
            let a = vec![b'x'; length];
            for at in 0..length {
                let mut b = a.clone();
                b[at] = b'y';
                assert_eq!(common_prefix(&a, &b), at);
                assert_eq!(common_prefix(&a, &a[..at]), at);
            }
            assert_eq!(common_prefix(&a, &a), length);
        }
    }
}
