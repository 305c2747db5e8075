//! Which samples are one series at one time, and which ones are parts of one histogram.
//!
//! Most samples of a family are of one kind: then their label sets are equal where the texts are, and nothing needs to
//! be decoded. What is written in several ways is compared label by label.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};
use memchr::memrchr;

use crate::block::{Block, Layout, NO_LABELS, Segment, Shape, Time, View};
use crate::bound::Bound;
use crate::family::{MetricType, Point, point_of};
use crate::label::Label;
use crate::samples::Samples;
use crate::table::Table;

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
    classes: Vec<Class<'a>>,
    /// By the number of the layout, and the kind in it.
    class_numbers: HashMap<(u32, u32), u32, RandomState>,
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
    /// None if the kind is irregular.
    shape: Option<Shape>,
    /// Those of the shape; none if there is none.
    segments: &'a [Segment],
    /// Whether the label that the scope is about does not count like another.
    has_point: bool,
    /// That label's number in the shape.
    cut: Option<usize>,
    split: Split,
    /// Whether the first part of the split text is all that there is to compare, but for a time.
    plain: bool,
    /// The other labels in the order of their names, by their numbers among those others.
    order: Vec<u32>,
    /// Tells hashes of rows that are never the same from each other.
    salt: u64,
    /// The hashes of the other labels' names in written order, if the texts don't decide.
    name_hashes: Vec<u64>,
}

/// How the label sets of a class fall into what is compared, and the value of the label that the scope is about.
///
/// What follows the last value that is compared is left out, so that the samples of a histogram have one text, with a bound
/// at the end or without it.
#[derive(Clone, Copy)]
enum Split {
    /// The kind is irregular.
    Whole,
    /// The label does not occur. From the last quote on, so many bytes follow.
    Absent { closing: usize },
    /// The label is the last one; so many bytes stand between the quote that ends the value before it, and its value.
    Last { opening: usize, closing: usize },
    /// Its number in the shape.
    Inner(usize),
}

impl<'a> Class<'a> {
    fn is_regular(&self) -> bool {
        self.shape.is_some()
    }

    /// What comes before and between the values that are compared, unless these are in two parts.
    fn texts(&self) -> Option<impl Iterator<Item = &'a [u8]>> {
        let count = match self.split {
            Split::Inner(_) => return None,
            Split::Whole => 0,
            Split::Absent { .. } => self.segments.len() - 1,
            Split::Last { .. } => self.segments.len() - 2,
        };
        let text = self.layout.text();
        Some(self.segments[..count].iter().map(|segment| segment.text.of(text)))
    }

    /// Whether the label sets of two classes with the same label names are alike but for the values.
    fn is_alike(&self, other: &Class<'a>) -> bool {
        match (self.texts(), other.texts()) {
            (Some(texts), Some(others)) => texts.eq(others),
            (None, None) => {
                let texts = |class: &Class<'a>| {
                    let text = class.layout.text();
                    class.segments.iter().map(move |segment| segment.text.of(text))
                };
                texts(self).eq(texts(other))
            }
            _ => false,
        }
    }

    /// A label set in parts: what is compared, more of it that comes after the value of the label, and that value.
    #[inline(always)]
    fn split(&self, text: &'a [u8]) -> (&'a [u8], &'a [u8], Option<&'a [u8]>) {
        match self.split {
            Split::Whole => (text, b"", None),
            Split::Absent { closing } => (&text[..text.len().saturating_sub(closing)], b"", None),
            Split::Last { opening, closing } => {
                let end = text.len().saturating_sub(closing);
                let start = value_start(text, end);
                (&text[..start.saturating_sub(opening)], b"", Some(&text[start..end]))
            }
            Split::Inner(label) => self.split_inside(label, text),
        }
    }

    #[inline(never)]
    fn split_inside(&self, label: usize, text: &'a [u8]) -> (&'a [u8], &'a [u8], Option<&'a [u8]>) {
        let mut end = text.len();
        for number in (label + 1..self.segments.len()).rev() {
            let segment = self.segments[number].text;
            end = end.saturating_sub((segment.end - segment.start) as usize);
            if number > label + 1 {
                end = value_start(text, end);
            }
        }
        let start = value_start(text, end);
        (&text[..start], &text[end..], Some(&text[start..end]))
    }

    /// The values of a regular row in written order, without the point's.
    fn other_values(&self, key: &Key<'a>) -> impl Iterator<Item = &'a [u8]> {
        let values = self.shape.into_iter().flat_map(|shape| key.view.values(shape)).enumerate();
        values.filter(|(number, _)| self.cut != Some(*number)).map(|(_, value)| value)
    }
}

/// A sample as far as it is compared.
#[derive(Clone, Copy)]
pub struct Key<'a> {
    pub view: View<'a>,
    /// The number of its class: samples of one class have one name.
    pub class: u32,
    /// The label set as it is written, as far as it is compared.
    text: &'a [u8],
    rest: &'a [u8],
    /// The value of the label that the scope is about, in a regular row.
    point: Option<&'a [u8]>,
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
            second: sides.first().map_or(0, |samples| samples.len() as u32),
            end: 0,
            stretches: Vec::new(),
            classes: Vec::new(),
            class_numbers: HashMap::default(),
            state: RandomState::default(),
        };
        let mut layout = 0;
        for samples in sides {
            for part in samples.parts() {
                let block = &*part.block;
                let known = identity.stretches.last().map(|last: &Stretch| &*last.block.layout);
                if known.is_some_and(|known| !std::ptr::eq(known, &*block.layout)) {
                    layout += 1;
                }
                let (first, last) = (part.first as usize, part.last as usize);
                let text = block.layout.text();
                let kind = block.rows[first].kind;
                identity.stretches.push(Stretch {
                    before: identity.end,
                    block,
                    text,
                    first,
                    last,
                    layout,
                    kind,
                    class: 0,
                });
                identity.end += part.len() as u32;
            }
        }
        identity.survey();
        identity
    }

    fn survey(&mut self) {
        let mut survey = Survey::default();
        for at in 0..self.stretches.len() {
            let Stretch { block, first, last, layout, kind, .. } = self.stretches[at];
            self.stretches[at].class = self.class_number(&mut survey, &block.layout, layout, kind);
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
        let counts_points = self.counts_points();
        for class in &mut self.classes {
            class.textual = survey.group_classes[class.group as usize].1 && !survey.irregular[class.family as usize];
            let rows_alike = if class.textual { class.group } else { class.family };
            let is_inner = matches!(class.split, Split::Inner(_));
            class.plain = class.textual && !is_inner && !(class.has_point && counts_points);
            class.salt = hash_bytes(&self.state, &rows_alike.to_le_bytes());
            if !class.textual && class.is_regular() {
                let text = class.layout.text();
                let names = class.segments[..class.segments.len() - 1].iter().map(|segment| segment.name.of(text));
                let others = names.enumerate().filter(|(number, _)| class.cut != Some(*number));
                class.name_hashes = others.map(|(_, name)| hash_bytes(&self.state, name)).collect();
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
        let shape = layout.shape(kind);
        let segments = shape.map_or(&[][..], |shape| layout.segments(shape));
        let (family, point) = match self.scope {
            Scope::Series(point) => (name, point.filter(|point| point.sample_name == name).map(|point| point.label)),
            Scope::Without(label) => (&b""[..], Some(label)),
        };
        let next = survey.families.len() as u32;
        let family = *survey.families.entry(family).or_insert(next);
        survey.irregular.resize(survey.families.len(), false);

        let text = layout.text();
        let names: Vec<&[u8]> = segments.iter().map(|segment| segment.name.of(text)).collect();
        let names = &names[..names.len().saturating_sub(1)];
        let cut = point.and_then(|label| names.iter().position(|name| *name == label));
        let mut rest = names.to_vec();
        if let Some(cut) = cut {
            rest.remove(cut);
        }
        let mut order: Vec<u32> = (0..rest.len() as u32).collect();
        order.sort_unstable_by_key(|number| rest[*number as usize]);
        let mut key = family.to_le_bytes().to_vec();
        key.push(u8::from(cut.is_some() && self.counts_points()));
        for number in &order {
            key.extend_from_slice(rest[*number as usize]);
            key.push(0xFF);
        }
        let length = |segment: &Segment| (segment.text.end - segment.text.start) as usize;
        let split = match (segments, cut) {
            ([], _) => Split::Whole,
            ([.., closing], None) => Split::Absent { closing: length(closing) },
            ([only, closing], Some(0)) => Split::Last { opening: length(only), closing: length(closing) },
            ([.., opening, closing], Some(cut)) if cut + 2 == segments.len() => {
                Split::Last { opening: length(opening), closing: length(closing) }
            }
            (_, Some(cut)) => Split::Inner(cut),
        };
        let found = Class {
            name,
            family,
            group: 0,
            textual: false,
            layout,
            shape,
            segments,
            has_point: point.is_some(),
            cut,
            split,
            plain: false,
            order,
            salt: 0,
            name_hashes: Vec::new(),
        };
        let next = survey.group_classes.len() as u32;
        let group = *survey.groups.entry(key).or_insert(next);
        if group == next {
            survey.group_classes.push((class, true));
        } else {
            let (first, alike) = &mut survey.group_classes[group as usize];
            *alike &= self.classes[*first as usize].is_alike(&found);
        }
        self.classes.push(Class { group, ..found });
        class
    }

    /// The sample names of the classes, by number.
    pub fn class_names(&self) -> impl Iterator<Item = &'a [u8]> {
        self.classes.iter().map(|class| class.name)
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
                    known = (kind, self.class_numbers[&(stretch.layout, kind)]);
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
        let class = if kind == stretch.kind { stretch.class } else { self.class_numbers[&(stretch.layout, kind)] };
        self.key_of(stretch, row, class)
    }

    #[inline]
    fn key_of(&self, stretch: &Stretch<'a>, row: usize, class: u32) -> Key<'a> {
        let view = View { block: stretch.block, text: stretch.text, row };
        let (text, rest, point) = self.classes[class as usize].split(view.label_text());
        Key { view, class, text, rest, point, time: view.time().unwrap_or(Time::ABSENT) }
    }

    /// The value of the label that the scope is about: for series, where the sample is a bucket or a quantile.
    pub fn point(&self, key: &Key<'a>) -> Option<Cow<'a, [u8]>> {
        let class = &self.classes[key.class as usize];
        if let Some(point) = key.point {
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

    fn counts_points(&self) -> bool {
        matches!(self.scope, Scope::Series(_))
    }

    /// A hash that is the same for samples that are.
    #[inline(always)]
    pub fn hash(&self, key: &Key<'a>) -> u64 {
        let class = &self.classes[key.class as usize];
        if class.plain && key.time == Time::ABSENT {
            return hash_bytes(&self.state, key.text) ^ class.salt;
        }
        self.hash_of_parts(class, key)
    }

    #[inline(never)]
    fn hash_of_parts(&self, class: &Class<'a>, key: &Key<'a>) -> u64 {
        let mut hasher = self.state.build_hasher();
        if class.textual {
            hasher.write(key.text);
            if !key.rest.is_empty() {
                hasher.write(key.rest);
            }
        } else {
            hasher.write_u64(self.hash_labels(class, key));
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
        hasher.finish() ^ class.salt
    }

    /// A hash of the labels, the point excepted, whatever their order.
    fn hash_labels(&self, class: &Class<'a>, key: &Key<'a>) -> u64 {
        if class.is_regular() {
            let labels = class.name_hashes.iter().zip(class.other_values(key));
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
        let (of_a, of_b) = (&self.classes[a.class as usize], &self.classes[b.class as usize]);
        let one_shape = a.class == b.class && of_a.is_regular();
        if one_shape || (of_a.textual && of_b.textual) {
            return of_a.group == of_b.group && self.same_text(a, b);
        }
        of_a.family == of_b.family && of_a.textual == of_b.textual && self.same_labels(a, b)
    }

    /// The same for samples whose label sets are alike.
    fn same_text(&self, a: &Key<'a>, b: &Key<'a>) -> bool {
        a.text == b.text && a.rest == b.rest && (!self.counts_points() || same_point(a.point, b.point))
    }

    fn same_labels(&self, a: &Key<'a>, b: &Key<'a>) -> bool {
        let (of_a, of_b) = (&self.classes[a.class as usize], &self.classes[b.class as usize]);
        if of_a.is_regular() && of_b.is_regular() {
            return of_a.group == of_b.group
                && self.same_values(a, b)
                && (!self.counts_points() || same_point(a.point, b.point));
        }
        if !of_a.is_regular() && !of_b.is_regular() && a.text == b.text {
            return true;
        }
        let (labels_a, point_a) = self.sorted_labels(a);
        let (labels_b, point_b) = self.sorted_labels(b);
        labels_a == labels_b && (!self.counts_points() || same_point(point_a.as_deref(), point_b.as_deref()))
    }

    /// The same for regular rows that have the same label names, the point excepted.
    fn same_values(&self, a: &Key<'a>, b: &Key<'a>) -> bool {
        let (of_a, of_b) = (&self.classes[a.class as usize], &self.classes[b.class as usize]);
        let (values_a, values_b) = (of_a.other_values(a), of_b.other_values(b));
        if of_a.order == of_b.order {
            return values_a.eq(values_b);
        }
        let (values_a, values_b): (Vec<_>, Vec<_>) = (values_a.collect(), values_b.collect());
        let mut pairs = of_a.order.iter().zip(&of_b.order);
        pairs.all(|(a, b)| values_a.get(*a as usize) == values_b.get(*b as usize))
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

    /// Whether the samples of each group are seen to ascend, so that no two are the same.
    fn ascends(&self) -> bool {
        let mut lasts: Vec<Option<Key>> = vec![None; self.classes.len()];
        self.classes.iter().all(|class| class.textual)
            && self.keys(self.side(0)).all(|(_, key)| {
                let last = &mut lasts[self.classes[key.class as usize].group as usize];
                let ascends = last.is_none_or(|last| last.order(&key) == Some(Ordering::Less));
                *last = Some(key);
                ascends
            })
    }
}

impl Key<'_> {
    /// The order of samples whose label sets are of one shape, unless it cannot be told.
    fn order(&self, other: &Key<'_>) -> Option<Ordering> {
        let texts = order_of_texts(self.text, other.text).then_with(|| order_of_texts(self.rest, other.rest));
        if texts.is_ne() || self.point == other.point {
            return Some(texts.then(self.time.cmp(&other.time)));
        }
        let (bound, other_bound) = (Bound::of_label(self.point), Bound::of_label(other.point));
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
