//! How samples of a kind are written canonically: decided once for all samples of the kind.

use std::borrow::Cow;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::block::{Layout, Name, Segment, Shape};
use crate::family::{MetricType, Point, point_of};
use crate::fault::Span;
use crate::label::{is_legacy_metric_name, push_quoted};

/// How some samples of a family are written, and what they have in common when they are sorted.
#[derive(Clone)]
pub struct Plan<'a> {
    /// The sample name.
    pub name: &'a [u8],
    /// What precedes the labels, but for the brace or comma right before them: `name`, or `{"the.name"`.
    pub head: Cow<'a, [u8]>,
    /// Whether the name stands before the brace.
    pub legacy: bool,
    /// The label that holds the bound, where these samples have one. It comes last, and is none of the other labels.
    pub bound: Option<&'static [u8]>,
    /// Where these samples stand among those of the same labels and time.
    pub rank: u8,
    /// The number of labels.
    pub labels: u32,
    /// Samples of one class have the same label names, and no value with escapes, so that their labels differ first where
    /// their texts do. What has escapes is of the class [`ESCAPED`]. Where a family has one plan only, all its samples are of
    /// one class, and the class may not be known.
    pub class: u32,
    pub way: Way,
    /// Where the label names stand, if samples of the plan have the same.
    shape: Option<(&'a Layout, Shape)>,
}

/// In [`Plan::class`]: what is written must be decoded to be compared.
pub const ESCAPED: u32 = u32::MAX;
const UNKNOWN: u32 = u32::MAX - 1;

/// How the labels get from one text to the other.
#[derive(Clone)]
pub enum Way {
    /// Item by item.
    Read,
    /// As they stand in the text.
    Copied {
        /// Whether the bound comes last.
        bound: bool,
        /// Whether the name stands before them in the text.
        named: bool,
    },
    /// In another order, or with other blanks.
    Arranged { pieces: Vec<Piece>, shape: Shape },
}

/// A label of an arranged set.
#[derive(Clone)]
pub struct Piece {
    /// All that stands between the value before it, or the brace, and its own value, quotes included.
    pub before: Vec<u8>,
    /// The number of its value in written order.
    pub value: usize,
    /// Whether the value is the bound.
    pub bound: bool,
}

/// The plans for the samples of one family at a time.
#[derive(Default)]
pub struct Plans<'a> {
    family: &'a [u8],
    point: Option<Point>,
    plans: Vec<Plan<'a>>,
    /// How many of them have got their classes.
    classed: usize,
    /// The layout, the kind in it, and the number of the plan. Families have few kinds, and the one that is sought is mostly
    /// the last one found; only where there are many, because samples differ in their label names, do they take a table.
    kinds: Vec<(Kind, u32)>,
    table: HashMap<Kind, u32, RandomState>,
    last: usize,
    /// Plans for samples that are read, by the plan for their kind, their class, and the number of their labels.
    variants: HashMap<(u32, u32, u32), u32, RandomState>,
    /// By the label names, with a byte after each that no UTF-8 holds.
    classes: HashMap<Box<[u8]>, u32, RandomState>,
    key: Vec<u8>,
}

/// A layout, by its address, and the number of a kind in it.
type Kind = (usize, u32);

/// Up to here, kinds are found by looking at all of them.
const FEW_KINDS: usize = 8;

/// Where the parts of a histogram or summary stand among their like; its points come first.
const RANKS: [(&[u8], u8); 4] = [(b"_sum", 1), (b"_gsum", 1), (b"_count", 2), (b"_gcount", 2)];
const STRAY: u8 = 3;

impl<'a> Plans<'a> {
    /// Turn to the samples of another family.
    pub fn begin(&mut self, family: &'a [u8], kind: MetricType) {
        self.family = family;
        self.point = point_of(family, kind);
        self.plans.clear();
        self.classed = 0;
        self.kinds.clear();
        // To clear a table costs its capacity: one that a large family needed would burden many small ones.
        if !self.table.is_empty() {
            self.table = HashMap::default();
        }
        if !self.variants.is_empty() {
            self.variants = HashMap::default();
        }
    }

    pub fn get(&self, number: u32) -> &Plan<'a> {
        &self.plans[number as usize]
    }

    /// The number of the plan for a kind.
    #[inline]
    pub fn number(&mut self, layout: &'a Arc<Layout>, kind: u32) -> u32 {
        let wanted = (Arc::as_ptr(layout) as usize, kind);
        match self.kinds.get(self.last) {
            Some(&(known, number)) if known == wanted => number,
            _ => self.find(wanted, layout),
        }
    }

    fn find(&mut self, wanted: Kind, layout: &'a Layout) -> u32 {
        let few = &self.kinds[..self.kinds.len().min(FEW_KINDS)];
        if let Some(at) = few.iter().position(|(known, _)| *known == wanted) {
            self.last = at;
            return self.kinds[at].1;
        }
        if let Some(&number) = self.table.get(&wanted) {
            return number;
        }
        let plan = self.plan(layout, wanted.1);
        let number = self.add(plan);
        if self.kinds.len() < FEW_KINDS {
            self.last = self.kinds.len();
            self.kinds.push((wanted, number));
        } else {
            self.table.insert(wanted, number);
        }
        number
    }

    fn add(&mut self, plan: Plan<'a>) -> u32 {
        self.plans.push(plan);
        while self.plans.len() > 1 && self.classed < self.plans.len() {
            if self.plans[self.classed].class == UNKNOWN {
                self.plans[self.classed].class = self.class_of_shape(self.classed);
            }
            self.classed += 1;
        }
        self.plans.len() as u32 - 1
    }

    fn class_of_shape(&mut self, number: usize) -> u32 {
        let plan = &self.plans[number];
        let Some((layout, shape)) = plan.shape else { return NO_LABELS };
        let (text, bound) = (layout.text(), plan.bound);
        let segments = &layout.segments(shape)[..shape.labels as usize];
        let mut names: Vec<&[u8]> = segments.iter().map(|segment| segment.name.of(text)).collect();
        names.retain(|name| Some(*name) != bound);
        names.sort_unstable();
        self.class(names.into_iter())
    }

    /// The number of the plan for samples of a kind that are read, by what was read.
    pub fn variant(&mut self, kind: u32, class: u32, labels: u32) -> u32 {
        let plan = self.get(kind);
        if (plan.class, plan.labels) == (class, labels) {
            return kind;
        }
        if let Some(&number) = self.variants.get(&(kind, class, labels)) {
            return number;
        }
        let number = self.add(Plan { class, labels, ..plan.clone() });
        self.variants.insert((kind, class, labels), number);
        number
    }

    /// The class of samples with these label names.
    pub fn class<'n>(&mut self, names: impl Iterator<Item = &'n [u8]>) -> u32 {
        self.key.clear();
        for name in names {
            self.key.extend_from_slice(name);
            self.key.push(0xFF);
        }
        if self.key.is_empty() {
            return NO_LABELS;
        }
        if let Some(&class) = self.classes.get(&*self.key) {
            return class;
        }
        let class = self.classes.len() as u32 + 1;
        self.classes.insert((*self.key).into(), class);
        class
    }

    fn plan(&mut self, layout: &'a Layout, kind: u32) -> Plan<'a> {
        let number = layout.kinds[kind as usize].name;
        let name = layout.name(number);
        let bare = matches!(layout.names[number as usize], Name::Written(_));
        let legacy = bare || is_legacy_metric_name(name);
        let head = if legacy { Cow::Borrowed(name) } else { quoted_head(name) };
        let bound = self.point.as_ref().filter(|point| *point.sample_name == *name).map(|point| point.label);
        let rank = if bound.is_some() || self.point.is_none() { 0 } else { rank_of(name, self.family) };
        let mut plan =
            Plan { name, head, legacy, bound, rank, labels: 0, class: NO_LABELS, way: Way::Read, shape: None };
        if let Some(shape) = layout.shape(kind) {
            plan.shape = Some((layout, shape));
            plan_labels(&mut plan, layout.text(), layout.segments(shape), shape, layout.placed && bare);
        }
        plan
    }
}

/// Decide how the labels of a shape are written.
fn plan_labels(plan: &mut Plan<'_>, text: &[u8], segments: &[Segment], shape: Shape, named: bool) {
    let names = || segments[..segments.len() - 1].iter().map(|segment| segment.name.of(text));
    let bound = plan.bound.and_then(|label| names().position(|name| name == label));
    let labels = segments.len() - 1 - usize::from(bound.is_some());
    plan.labels = labels as u32;
    plan.class = if labels > 0 { UNKNOWN } else { NO_LABELS };
    if shape.sorted && bound.is_none_or(|at| at == labels) && is_canonical(segments) {
        plan.way = Way::Copied { bound: bound.is_some(), named };
        return;
    }
    let mut order: Vec<(&[u8], usize)> = names().zip(0..).filter(|&(_, at)| Some(at) != bound).collect();
    order.sort_unstable();
    order.extend(plan.bound.zip(bound));
    let mut before = &b""[..];
    let mut pieces = Vec::with_capacity(order.len());
    for (name, value) in order {
        pieces.push(Piece { before: [before, name, b"=\""].concat(), value, bound: Some(value) == bound });
        before = b"\",";
    }
    plan.way = Way::Arranged { pieces, shape };
}

/// The class of samples without labels.
const NO_LABELS: u32 = 0;

/// Whether there are no blanks, and no comma too many, between labels: then nothing could be shorter.
fn is_canonical(segments: &[Segment]) -> bool {
    let length = |span: Span| (span.end - span.start) as usize;
    segments.iter().enumerate().all(|(at, segment)| {
        let (before, after) = (if at == 0 { "{" } else { "\"," }, "=\"");
        let last = at + 1 == segments.len();
        let shortest = if last { "\"}".len() } else { before.len() + length(segment.name) + after.len() };
        length(segment.text) == shortest
    })
}

fn quoted_head(name: &[u8]) -> Cow<'_, [u8]> {
    let mut head = b"{".to_vec();
    push_quoted(&mut head, name);
    Cow::Owned(head)
}

fn rank_of(name: &[u8], family: &[u8]) -> u8 {
    // A family may have been given samples of any name: what is looked at is what exceeds its own in length.
    let is_first = |byte: &u8| byte & 0xC0 != 0x80;
    let length = family.iter().filter(|byte| is_first(byte)).count();
    let ending = name.iter().enumerate().filter(|(_, byte)| is_first(byte)).nth(length);
    let ending = ending.map_or(&b""[..], |(at, _)| &name[at..]);
    RANKS.iter().find(|(suffix, _)| *suffix == ending).map_or(STRAY, |(_, rank)| *rank)
}
