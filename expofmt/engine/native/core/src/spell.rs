//! The canonical spelling of a sample's name and labels.
//!
//! Labels are sorted by name, without blanks; but in the samples of a histogram or a summary that have a bound, `le` or
//! `quantile` comes last, and is spelt as numbers are. Most samples are of a kind whose label sets stand so in the text
//! already, and are copied.

use std::borrow::Cow;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use memchr::{memchr, memrchr};

use crate::block::{Layout, NO_LABELS, Name, Row, Segment, Shape, View};
use crate::bound::{Bound, Rank};
use crate::family::{MetricType, Point, point_of};
use crate::label::{Label, is_legacy_label_name, is_legacy_metric_name, push_quoted};
use crate::number::push_float;

/// What was written of a sample, and what its place in the canonical order depends on.
#[derive(Clone, Copy, Debug)]
pub struct Spelled {
    /// Where in the output the labels begin, their brace excluded, and where they end: after the last quote. The bound is
    /// no part of them.
    pub start: usize,
    pub end: usize,
    /// How many labels that is.
    pub labels: u32,
    /// Samples of one class have the same label names (the bound's excluded), and no value with escapes, so that their
    /// labels differ first where their texts do. What has escapes is of the class [`ESCAPED`].
    pub class: u32,
    /// A number in the speller's plans.
    pub plan: u32,
    pub bound: Bound,
}

/// In [`Spelled::class`]: what is written must be decoded to be compared.
pub const ESCAPED: u32 = u32::MAX;

/// Stands for the bound of samples that have none, which are not sorted by it.
const NO_BOUND: Bound = Bound { rank: Rank::Number, number: 0.0 };

/// Where the parts of a histogram or summary stand among their like; its points come first.
const RANKS: [(&[u8], u8); 4] = [(b"_sum", 1), (b"_gsum", 1), (b"_count", 2), (b"_gcount", 2)];
const STRAY: u8 = 3;

/// How samples of one kind are written.
pub struct Plan<'a> {
    /// The sample name.
    pub name: &'a [u8],
    /// Where the sample stands among those of the same labels and time.
    pub rank: u8,
    /// What precedes the labels, without their brace where the name stands before it: `name`, or `{"the.name"`.
    head: Cow<'a, [u8]>,
    /// Whether the name stands before the brace.
    legacy: bool,
    /// Whether the label that holds the bound is told apart from the others.
    pointed: bool,
    labels: Labels,
    /// The number of labels, bound excluded, and their class; only where label sets are regular.
    count: u32,
    class: u32,
}

/// How the labels of a kind are written.
enum Labels {
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
    Arranged(Vec<Piece>, Shape),
}

/// A label of an arranged set.
struct Piece {
    /// All that stands between the value before it and its own value, quotes included.
    before: Vec<u8>,
    /// The number of its value in written order.
    value: usize,
    bound: bool,
}

/// Writes names and labels of a family's samples.
#[derive(Default)]
pub struct Speller<'a> {
    family: &'a [u8],
    point: Option<Point>,
    /// For each layout and kind that was met, how its samples are written. What is sought is mostly the last one found, or
    /// one of a few; there are many only where samples have labels of many names.
    plans: Vec<Plan<'a>>,
    kinds: Vec<(usize, u32)>,
    numbers: HashMap<(usize, u32), u32, RandomState>,
    last: u32,
    /// By the label names, with a byte after each that no UTF-8 holds.
    classes: HashMap<Box<[u8]>, u32, RandomState>,
    /// Kept for the next sample.
    key: Vec<u8>,
    items: Vec<Label<'a>>,
    values: Vec<(usize, usize)>,
}

/// Up to here, plans are found by looking at all of them.
const FEW_PLANS: usize = 8;

impl<'a> Speller<'a> {
    /// Turn to the samples of another family.
    pub fn begin(&mut self, family: &'a [u8], kind: MetricType) {
        self.family = family;
        self.point = point_of(family, kind);
        self.plans.clear();
        self.kinds.clear();
        // A table that was filled once would cost its size for each of many small families.
        if !self.numbers.is_empty() {
            self.numbers = HashMap::default();
        }
    }

    pub fn plan(&self, number: u32) -> &Plan<'a> {
        &self.plans[number as usize]
    }

    /// Append a sample's name and labels in canonical spelling.
    pub fn push(&mut self, out: &mut Vec<u8>, view: View<'a>) -> Spelled {
        let row = view.fields();
        let number = self.number(&view.block.layout, row.kind);
        let plan = &self.plans[number as usize];
        if row.labels == NO_LABELS {
            return push_bare(out, plan, number);
        }
        match &plan.labels {
            Labels::Copied { bound, named } => {
                let labels = view.label_text();
                let name = (row.labels - row.start) as usize;
                if *named && name == plan.name.len() {
                    // No blank stands between them.
                    let start = row.start as usize;
                    out.extend_from_slice(&view.text[start..start + name + labels.len()]);
                } else {
                    push_head(out, plan);
                    out.extend_from_slice(&labels[1..]);
                }
                let start = out.len() - labels.len() + 1;
                let mut spelled = plan.spelled(number, start, out.len() - 1);
                if let (true, Some(point)) = (bound, &self.point) {
                    respell_bound(out, &mut spelled, point.label);
                } else if plan.pointed {
                    spelled.bound = Bound::ABSENT;
                }
                spelled
            }
            Labels::Arranged(pieces, shape) => {
                find_values(&mut self.values, view, row, *shape);
                push_arranged(out, plan, number, pieces, view.text, &self.values)
            }
            Labels::Read => self.push_read(out, view, number),
        }
    }

    fn push_read(&mut self, out: &mut Vec<u8>, view: View<'a>, number: u32) -> Spelled {
        view.sorted_labels(&mut self.items);
        let plan = &self.plans[number as usize];
        let label = self.point.as_ref().filter(|_| plan.pointed).map(|point| point.label);
        let bound = label.and_then(|label| self.items.iter().position(|item| *item.name == *label));
        let bound = bound.map(|at| self.items.remove(at).value);
        if self.items.is_empty() && bound.is_none() {
            return push_bare(out, plan, number);
        }
        push_head(out, plan);
        let start = out.len();
        self.key.clear();
        let mut escaped = false;
        for (at, item) in self.items.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            push_name(out, &item.name);
            out.push(b'=');
            let value = out.len();
            push_quoted(out, &item.value);
            escaped |= out.len() - value != item.value.len() + 2;
            self.key.extend_from_slice(&item.name);
            self.key.push(0xFF);
        }
        let class = if escaped { ESCAPED } else { class_of(&mut self.classes, &self.key) };
        let labels = self.items.len() as u32;
        let mut spelled = Spelled { start, end: out.len(), labels, class, plan: number, bound: NO_BOUND };
        if plan.pointed {
            spelled.bound = Bound::of_label(bound.as_deref());
        }
        if let (Some(label), Some(text)) = (label, bound) {
            if spelled.labels > 0 {
                out.push(b',');
            }
            out.extend_from_slice(label);
            out.push(b'=');
            if spelled.bound.is_number() {
                out.push(b'"');
                push_float(out, spelled.bound.number);
                out.push(b'"');
            } else {
                push_quoted(out, &text);
            }
        }
        out.push(b'}');
        spelled
    }

    /// The number of the plan for a kind.
    fn number(&mut self, layout: &'a Arc<Layout>, kind: u32) -> u32 {
        let wanted = (Arc::as_ptr(layout) as usize, kind);
        if self.kinds.get(self.last as usize) == Some(&wanted) {
            return self.last;
        }
        let few = &self.kinds[..self.kinds.len().min(FEW_PLANS)];
        let found = few.iter().position(|known| *known == wanted).map(|number| number as u32);
        let found = found.or_else(|| self.numbers.get(&wanted).copied());
        self.last = found.unwrap_or_else(|| {
            let plan = self.new_plan(layout, kind);
            let number = self.plans.len() as u32;
            if self.plans.len() >= FEW_PLANS {
                self.numbers.insert(wanted, number);
            }
            self.plans.push(plan);
            self.kinds.push(wanted);
            number
        });
        self.last
    }

    fn new_plan(&mut self, layout: &'a Layout, kind: u32) -> Plan<'a> {
        let number = layout.kinds[kind as usize].name;
        let name = layout.name(number);
        let legacy = is_legacy_metric_name(name);
        let head = if legacy {
            Cow::Borrowed(name)
        } else {
            let mut head = b"{".to_vec();
            push_quoted(&mut head, name);
            Cow::Owned(head)
        };
        let pointed = self.point.as_ref().is_some_and(|point| *point.sample_name == *name);
        let rank = if pointed || self.point.is_none() { 0 } else { rank_of(name, self.family) };
        let mut plan = Plan { name, rank, head, legacy, pointed, labels: Labels::Read, count: 0, class: ESCAPED };
        if let Some(shape) = layout.shape(kind) {
            let written = layout.placed && matches!(layout.names[number as usize], Name::Written(_));
            self.plan_labels(&mut plan, layout.text(), layout.segments(shape), shape, written);
        }
        plan
    }

    fn plan_labels(&mut self, plan: &mut Plan<'a>, text: &[u8], segments: &[Segment], shape: Shape, written: bool) {
        let names = || segments[..segments.len() - 1].iter().map(|segment| segment.name.of(text));
        let mut order: Vec<(&[u8], usize)> = names().zip(0..).collect();
        order.sort_unstable();
        let label = self.point.as_ref().filter(|_| plan.pointed).map(|point| point.label);
        let bound = label.and_then(|label| order.iter().position(|&(name, _)| name == label));
        if let Some(at) = bound {
            order[at..].rotate_left(1);
        }
        let base = &order[..order.len() - usize::from(bound.is_some())];
        self.key.clear();
        for (name, _) in base {
            self.key.extend_from_slice(name);
            self.key.push(0xFF);
        }
        plan.class = class_of(&mut self.classes, &self.key);
        plan.count = base.len() as u32;
        let mut pieces = Vec::with_capacity(order.len());
        let mut canonical = true;
        for (at, &(name, value)) in order.iter().enumerate() {
            let opening: &[u8] = if at == 0 { b"{" } else { b"\"," };
            let before = [opening, name, b"=\""].concat();
            canonical &= at == value && before == segments[at].text.of(text);
            pieces.push(Piece { before, value, bound: bound.is_some() && at == base.len() });
        }
        canonical &= segments[order.len()].text.of(text) == b"\"}";
        plan.labels = if canonical {
            Labels::Copied { bound: bound.is_some(), named: written && plan.legacy }
        } else {
            // The opening brace is written with the name.
            pieces[0].before.remove(0);
            Labels::Arranged(pieces, shape)
        };
    }
}

impl Plan<'_> {
    fn spelled(&self, number: u32, start: usize, end: usize) -> Spelled {
        Spelled { start, end, labels: self.count, class: self.class, plan: number, bound: NO_BOUND }
    }
}

/// The number of a class; that of no names is the first.
fn class_of(classes: &mut HashMap<Box<[u8]>, u32, RandomState>, key: &[u8]) -> u32 {
    if key.is_empty() {
        return 0;
    }
    if let Some(&class) = classes.get(key) {
        return class;
    }
    let class = classes.len() as u32 + 1;
    classes.insert(key.into(), class);
    class
}

fn rank_of(name: &[u8], family: &[u8]) -> u8 {
    // A sample may have been given to a family of any name: what is looked at is what exceeds that in length.
    let is_first = |byte: &u8| byte & 0xC0 != 0x80;
    let length = family.iter().filter(|byte| is_first(byte)).count();
    let ending = name.iter().enumerate().filter(|(_, byte)| is_first(byte)).nth(length);
    let ending = ending.map_or(&b""[..], |(at, _)| &name[at..]);
    RANKS.iter().find(|(suffix, _)| *suffix == ending).map_or(STRAY, |(_, rank)| *rank)
}

/// Append what precedes the first label.
fn push_head(out: &mut Vec<u8>, plan: &Plan<'_>) {
    out.extend_from_slice(&plan.head);
    out.push(if plan.legacy { b'{' } else { b',' });
}

/// Append a sample without labels.
fn push_bare(out: &mut Vec<u8>, plan: &Plan<'_>, number: u32) -> Spelled {
    out.extend_from_slice(&plan.head);
    let (start, bound) = (out.len(), if plan.pointed { Bound::ABSENT } else { NO_BOUND });
    if !plan.legacy {
        out.push(b'}');
    }
    Spelled { start, end: start, labels: 0, class: 0, plan: number, bound }
}

fn push_name(out: &mut Vec<u8>, name: &[u8]) {
    if is_legacy_label_name(name) {
        out.extend_from_slice(name);
    } else {
        push_quoted(out, name);
    }
}

/// Give the bound that was just written, with the quote and the brace after it, its canonical spelling, and cut it off what
/// was spelled.
fn respell_bound(out: &mut Vec<u8>, spelled: &mut Spelled, label: &[u8]) {
    let end = out.len() - 2;
    let start = memrchr(b'"', &out[..end]).map_or(end, |quote| quote + 1);
    // Before it stand the name, `="`, and a comma if it is not alone.
    spelled.end = (start - label.len() - 3).max(spelled.start);
    let text = &out[start..end];
    spelled.bound = Bound::of(text);
    if spelled.bound.is_number() && !is_canonical(text) {
        out.truncate(start);
        push_float(out, spelled.bound.number);
        out.extend_from_slice(b"\"}");
    }
}

/// Whether a bound is surely spelt as it would be written: an infinity, or few digits that none could be left out of.
fn is_canonical(text: &[u8]) -> bool {
    if text == b"+Inf" {
        return true;
    }
    // Numbers of so few digits are different float64s, and each is the shortest that reads as its own.
    let point = memchr(b'.', text).unwrap_or(text.len());
    let (whole, fraction) = (&text[..point], text.get(point + 1..));
    whole.iter().chain(fraction.unwrap_or_default()).all(u8::is_ascii_digit)
        && (1..=6).contains(&whole.len())
        && (whole[0] != b'0' || whole.len() == 1)
        && fraction.is_none_or(|digits| {
            digits.len() <= 9
                && digits.last().is_some_and(|&digit| digit != b'0')
                && (whole != b"0" || !digits.starts_with(b"0000"))
        })
}

/// The places of a row's values in the text, in written order.
fn find_values(values: &mut Vec<(usize, usize)>, view: View<'_>, row: Row, shape: Shape) {
    values.clear();
    let mut at = row.labels as usize;
    for segment in &view.block.layout.segments(shape)[..shape.labels as usize] {
        let start = at + (segment.text.end - segment.text.start) as usize;
        at = start + memchr(b'"', &view.text[start..]).unwrap_or(0);
        values.push((start, at));
    }
}

fn push_arranged(
    out: &mut Vec<u8>,
    plan: &Plan<'_>,
    number: u32,
    pieces: &[Piece],
    text: &[u8],
    values: &[(usize, usize)],
) -> Spelled {
    push_head(out, plan);
    let start = out.len();
    let mut end = None;
    let mut bound = if plan.pointed { Bound::ABSENT } else { NO_BOUND };
    for piece in pieces {
        let (from, to) = values[piece.value];
        let value = &text[from..to];
        if piece.bound {
            // The quote that ends the value before it is written with this piece.
            end = Some(out.len() + usize::from(plan.count > 0));
            bound = Bound::of(value);
        }
        out.extend_from_slice(&piece.before);
        if piece.bound && bound.is_number() {
            push_float(out, bound.number);
        } else {
            out.extend_from_slice(value);
        }
    }
    out.extend_from_slice(b"\"}");
    Spelled { bound, ..plan.spelled(number, start, end.unwrap_or(out.len() - 1)) }
}
