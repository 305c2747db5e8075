//! Which samples are one series at one time, and which ones are parts of one histogram.
//!
//! Most samples of a family are of one kind: then their label sets are equal where the texts are, and nothing needs to
//! be decoded. What is written in several ways is compared label by label.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::hash_table::Entry;
use hashbrown::{HashMap, HashTable};
use memchr::memrchr;

use crate::block::{Block, Layout, NO_LABELS, Segment, Time, View};
use crate::bound::Bound;
use crate::family::{MetricType, Point, point_of};
use crate::label::Label;
use crate::samples::Samples;

/// What samples must have alike to be the same.
#[derive(Clone, Copy)]
pub enum Scope<'a> {
    /// Name, labels and time. The bounds of buckets and quantiles are the same if they are the same number.
    Series(Option<&'a Point>),
    /// Labels, this one excepted, and time.
    Without(&'a [u8]),
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
    let mut index = Index::for_rows(&identity, samples.len());
    let firsts = identity.keys(0).map(|(row, key)| (row, index.first(row, &key)));
    firsts.filter(|(row, first)| row != first).collect()
}

/// Compares the samples of one sequence, or of two; those of the second are numbered after those of the first.
pub struct Identity<'a> {
    scope: Scope<'a>,
    stretches: Vec<Stretch<'a>>,
    classes: Vec<Class<'a>>,
    /// By the number of the layout, and the kind in it.
    class_numbers: HashMap<(u32, u32), u32, RandomState>,
    /// Seeded at random, so that nobody can choose labels that collide.
    state: RandomState,
}

/// Rows of one block.
struct Stretch<'a> {
    side: usize,
    /// The number of its first row.
    before: usize,
    block: &'a Block,
    text: &'a [u8],
    first: usize,
    last: usize,
    /// The number of its layout. One that comes again later may get another number.
    layout: u32,
}

/// What there is to know about the rows of a kind.
struct Class<'a> {
    name: &'a [u8],
    /// The number of the name, where names count. Rows of different numbers are never the same.
    family: u32,
    /// Rows that belong to different groups are never the same, unless a row of their family is irregular.
    group: u32,
    /// Whether the texts of label sets decide which rows of the group are the same.
    textual: bool,
    layout: &'a Layout,
    /// Empty if the kind is irregular.
    segments: &'a [Segment],
    /// Whether the label that the scope is about does not count like another.
    has_point: bool,
    /// That label's number in the shape.
    cut: Option<usize>,
    /// The hashes of label names, if the texts don't decide.
    name_hashes: Vec<u64>,
}

impl Class<'_> {
    fn is_regular(&self) -> bool {
        !self.segments.is_empty()
    }

    /// Where the value of a label of the shape stands in a label set.
    fn value(&self, label: usize, text: &[u8]) -> (usize, usize) {
        // The bound tends to be the last label.
        let mut number = self.segments.len() - 1;
        let mut end = text.len();
        loop {
            let segment = self.segments[number].text;
            end = end.saturating_sub((segment.end - segment.start) as usize);
            number -= 1;
            let start = memrchr(b'"', &text[..end]).map_or(0, |quote| quote + 1);
            if number == label {
                return (start, end);
            }
            end = start;
        }
    }
}

/// A sample as far as it is compared.
#[derive(Clone, Copy)]
pub struct Key<'a> {
    pub view: View<'a>,
    /// The number of its class: samples of one class have one name.
    pub class: u32,
    /// The label set as it is written.
    text: &'a [u8],
    /// Where the value of the label that the scope is about stands in it, in a regular row.
    cut: Option<(usize, usize)>,
    time: Time,
}

/// Groups and names while kinds are collected.
#[derive(Default)]
struct Survey<'a> {
    /// By the number of the name and the label names in sorted order.
    groups: HashMap<Vec<u8>, u32, RandomState>,
    /// For each group its first class, and whether all are written alike.
    group_classes: Vec<(u32, bool)>,
    families: HashMap<&'a [u8], u32, RandomState>,
    /// For each name whether a row of it is irregular and has labels.
    irregular: Vec<bool>,
}

impl<'a> Identity<'a> {
    /// One or two sequences.
    pub fn of(sides: &[&'a Samples], scope: Scope<'a>) -> Identity<'a> {
        let mut identity = Identity {
            scope,
            stretches: Vec::new(),
            classes: Vec::new(),
            class_numbers: HashMap::default(),
            state: RandomState::default(),
        };
        let mut before = 0;
        let mut layout = 0;
        for (side, samples) in sides.iter().enumerate() {
            for part in samples.parts() {
                let block = &*part.block;
                let known = identity.stretches.last().map(|last: &Stretch| &*last.block.layout);
                if known.is_some_and(|known| !std::ptr::eq(known, &*block.layout)) {
                    layout += 1;
                }
                let (first, last) = (part.first as usize, part.last as usize);
                let text = block.layout.text();
                identity.stretches.push(Stretch { side, before, block, text, first, last, layout });
                before += last - first;
            }
        }
        identity.survey();
        identity
    }

    fn survey(&mut self) {
        let mut survey = Survey::default();
        for number in 0..self.stretches.len() {
            let Stretch { block, first, last, layout, .. } = self.stretches[number];
            let mut kind = None;
            let mut family = None;
            for row in &block.rows[first..last] {
                if kind != Some(row.kind) {
                    kind = Some(row.kind);
                    let class = self.class_number(&mut survey, &block.layout, layout, row.kind);
                    let class = &self.classes[class as usize];
                    family = (!class.is_regular()).then_some(class.family as usize);
                }
                if let Some(family) = family {
                    survey.irregular[family] |= row.labels != NO_LABELS;
                }
            }
        }
        for class in &mut self.classes {
            class.textual = survey.group_classes[class.group as usize].1 && !survey.irregular[class.family as usize];
            if !class.textual && class.is_regular() {
                let names = class.segments[..class.segments.len() - 1].iter();
                let text = class.layout.text();
                class.name_hashes = names.map(|segment| hash_bytes(&self.state, segment.name.of(text))).collect();
            }
        }
    }

    fn class_number(&mut self, survey: &mut Survey<'a>, layout: &'a Layout, number: u32, kind: u32) -> u32 {
        if let Some(&class) = self.class_numbers.get(&(number, kind)) {
            return class;
        }
        let class = self.classes.len() as u32;
        self.class_numbers.insert((number, kind), class);
        let name = layout.name(layout.kinds[kind as usize].name);
        let segments = layout.shape(kind).map_or(&[][..], |shape| layout.segments(shape));
        let (family, point) = match self.scope {
            Scope::Series(point) => (name, point.filter(|point| point.sample_name == name).map(|point| point.label)),
            Scope::Without(label) => (&b""[..], Some(label)),
        };
        let next = survey.families.len() as u32;
        let family = *survey.families.entry(family).or_insert(next);
        survey.irregular.resize(survey.families.len(), false);

        let text = layout.text();
        let mut names: Vec<&[u8]> = segments.iter().map(|segment| segment.name.of(text)).collect();
        names.pop();
        let cut = point.and_then(|label| names.iter().position(|name| *name == label));
        if let (Some(cut), Scope::Without(_)) = (cut, self.scope) {
            names.remove(cut);
        }
        names.sort_unstable();
        let mut key = family.to_le_bytes().to_vec();
        for name in names {
            key.extend_from_slice(name);
            key.push(0xFF);
        }
        let next = survey.group_classes.len() as u32;
        let group = *survey.groups.entry(key).or_insert(next);
        if group == next {
            survey.group_classes.push((class, true));
        } else {
            let (first, alike) = &mut survey.group_classes[group as usize];
            let first = &self.classes[*first as usize];
            let texts = |layout: &'a Layout, segments: &'a [Segment]| {
                let text = layout.text();
                segments.iter().map(move |segment| segment.text.of(text))
            };
            *alike &= texts(first.layout, first.segments).eq(texts(layout, segments));
        }
        let has_point = point.is_some();
        let name_hashes = Vec::new();
        self.classes.push(Class { name, family, group, textual: false, layout, segments, has_point, cut, name_hashes });
        class
    }

    /// The sample names of the classes, by number.
    pub fn class_names(&self) -> impl Iterator<Item = &'a [u8]> {
        self.classes.iter().map(|class| class.name)
    }

    /// The samples of a side with their numbers.
    pub fn keys(&self, side: usize) -> impl Iterator<Item = (u32, Key<'a>)> {
        self.stretches.iter().filter(move |stretch| stretch.side == side).flat_map(move |stretch| {
            let mut known = None;
            (stretch.first..stretch.last).map(move |row| {
                let kind = stretch.block.rows[row].kind;
                let class = match known {
                    Some((known, class)) if known == kind => class,
                    _ => self.class_numbers[&(stretch.layout, kind)],
                };
                known = Some((kind, class));
                ((stretch.before + row - stretch.first) as u32, self.key_of(stretch, row, class))
            })
        })
    }

    /// The sample of a number.
    pub fn key(&self, number: u32) -> Key<'a> {
        let number = number as usize;
        let at = if self.stretches.len() == 1 {
            0
        } else {
            self.stretches.partition_point(|stretch| stretch.before <= number) - 1
        };
        let stretch = &self.stretches[at];
        let row = stretch.first + number - stretch.before;
        let class = self.class_numbers[&(stretch.layout, stretch.block.rows[row].kind)];
        self.key_of(stretch, row, class)
    }

    #[inline]
    fn key_of(&self, stretch: &Stretch<'a>, row: usize, class: u32) -> Key<'a> {
        let view = View { block: stretch.block, text: stretch.text, row };
        let text = view.label_text();
        let of = &self.classes[class as usize];
        let cut = of.cut.map(|cut| of.value(cut, text));
        Key { view, class, text, cut, time: view.time().unwrap_or(Time::ABSENT) }
    }

    /// The value of the label that the scope is about: for series, where the sample is a bucket or a quantile.
    pub fn point(&self, key: &Key<'a>) -> Option<Cow<'a, [u8]>> {
        let class = &self.classes[key.class as usize];
        if let Some((start, end)) = key.cut {
            return Some(Cow::Borrowed(&key.text[start..end]));
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

    fn counts_points(&self) -> bool {
        matches!(self.scope, Scope::Series(_))
    }

    /// A hash that is the same for samples that are.
    pub fn hash(&self, key: &Key<'a>) -> u64 {
        let class = &self.classes[key.class as usize];
        let mut hasher = self.state.build_hasher();
        if class.textual {
            match key.cut {
                None => hasher.write(key.text),
                Some((start, end)) => {
                    hasher.write(&key.text[..start]);
                    hasher.write(&key.text[end..]);
                }
            }
            hasher.write_u32(class.group);
        } else {
            hasher.write_u64(self.hash_labels(class, key));
            hasher.write_u32(class.family);
        }
        if class.has_point && self.counts_points() {
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
        hasher.finish()
    }

    /// A hash of the labels, the point excepted, whatever their order.
    fn hash_labels(&self, class: &Class<'a>, key: &Key<'a>) -> u64 {
        let point = if class.has_point { self.point_label() } else { b"" };
        let mut sum = 0u64;
        for (number, label) in key.view.labels().enumerate() {
            let name = match class.name_hashes.get(number) {
                Some(_) if class.cut == Some(number) => continue,
                Some(&name) => name,
                None if class.has_point && label.name == point => continue,
                None => hash_bytes(&self.state, &label.name),
            };
            let mut hasher = self.state.build_hasher();
            hasher.write(&label.value);
            hasher.write_u64(name);
            sum = sum.wrapping_add(hasher.finish());
        }
        sum
    }

    /// Whether two samples are the same.
    pub fn same(&self, a: &Key<'a>, b: &Key<'a>) -> bool {
        if a.time != b.time {
            return false;
        }
        let (of_a, of_b) = (&self.classes[a.class as usize], &self.classes[b.class as usize]);
        let one_shape = a.class == b.class && of_a.is_regular();
        if one_shape || (of_a.textual && of_b.textual) {
            return of_a.group == of_b.group && self.same_text(a, b);
        }
        of_a.family == of_b.family && of_a.textual == of_b.textual && self.same_labels(a, b)
    }

    /// The same for samples whose label sets are of one shape.
    fn same_text(&self, a: &Key<'a>, b: &Key<'a>) -> bool {
        let (Some((start_a, end_a)), Some((start_b, end_b))) = (a.cut, b.cut) else {
            return a.text == b.text;
        };
        let (point_a, point_b) = (&a.text[start_a..end_a], &b.text[start_b..end_b]);
        a.text[..start_a] == b.text[..start_b]
            && a.text[end_a..] == b.text[end_b..]
            && (!self.counts_points() || same_point(Some(point_a), Some(point_b)))
    }

    fn same_labels(&self, a: &Key<'a>, b: &Key<'a>) -> bool {
        if a.text == b.text {
            return true;
        }
        let (labels_a, point_a) = self.sorted_labels(a);
        let (labels_b, point_b) = self.sorted_labels(b);
        let same_points = || !self.counts_points() || same_point(point_a.as_deref(), point_b.as_deref());
        labels_a == labels_b && same_points()
    }

    /// The labels without the point, and the point.
    fn sorted_labels(&self, key: &Key<'a>) -> (Vec<Label<'a>>, Option<Cow<'a, [u8]>>) {
        let mut labels = Vec::new();
        key.view.sorted_labels(&mut labels);
        if !self.classes[key.class as usize].has_point {
            return (labels, None);
        }
        let label = self.point_label();
        let point = labels.iter().position(|found| found.name == label).map(|at| labels.remove(at).value);
        (labels, point)
    }

    /// Whether each sample is seen to be greater than the one before it, so that no two are the same.
    fn ascends(&self) -> bool {
        let [Class { textual: true, cut: None, .. }] = self.classes[..] else {
            return false;
        };
        let mut before: Option<Key> = None;
        self.keys(0).all(|(_, key)| {
            let ascends = before.is_none_or(|before| match ascends(before.text, key.text) {
                Some(ascends) => ascends,
                None => before.time < key.time,
            });
            before = Some(key);
            ascends
        })
    }
}

fn same_point(a: Option<&[u8]>, b: Option<&[u8]>) -> bool {
    a == b || Bound::of_label(a).is_number() && Bound::of_label(a) == Bound::of_label(b)
}

fn hash_bytes(state: &RandomState, bytes: &[u8]) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

/// Whether a label set comes before another of the same shape in the order of values, none if both are the same.
fn ascends(a: &[u8], b: &[u8]) -> Option<bool> {
    let at = common_prefix(a, b);
    let (a, b) = (a.get(at)?, b.get(at)?);
    // The quote ends a value: what goes on is greater.
    Some(*a == b'"' || (*b != b'"' && a < b))
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

/// Finds the first sample that is the same as another.
pub struct Index<'i, 'a> {
    identity: &'i Identity<'a>,
    /// The numbers of samples. Their hashes are not kept: with room for all rows, nothing is hashed twice.
    table: HashTable<u32>,
}

impl<'i, 'a> Index<'i, 'a> {
    /// With room for so many rows.
    pub fn for_rows(identity: &'i Identity<'a>, rows: usize) -> Index<'i, 'a> {
        Index { identity, table: HashTable::with_capacity(rows) }
    }

    /// The number of the first sample that is the same as this one; it may be this one.
    pub fn first(&mut self, number: u32, key: &Key<'a>) -> u32 {
        let identity = self.identity;
        let same = |&other: &u32| identity.same(&identity.key(other), key);
        match self.table.entry(identity.hash(key), same, |&other| identity.hash(&identity.key(other))) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                entry.insert(number);
                number
            }
        }
    }

    /// The number of the first sample that is the same as this one, if there is one.
    pub fn find(&self, key: &Key<'a>) -> Option<u32> {
        let identity = self.identity;
        self.table.find(identity.hash(key), |&other| identity.same(&identity.key(other), key)).copied()
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
        let numbers: Vec<u32> = identity.keys(0).map(|(row, key)| groups.number(row, key)).collect();
        assert_eq!(numbers, [0, 0, 0, 1, 0, 1, 2]);
        assert_eq!(groups.firsts, [0, 3, 6]);
        // The same without an irregular row.
        let samples = samples.gather([0, 2, 3, 5]);
        let identity = Identity::of(&[&samples], Scope::Without(b"le"));
        let mut groups = Groups::new(&identity);
        let numbers: Vec<u32> = identity.keys(0).map(|(row, key)| groups.number(row, key)).collect();
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
