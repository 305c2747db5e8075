//! The canonical spelling of a sample's name and labels.
//!
//! Labels are sorted by name, without blanks; but in the samples of a histogram or a summary that have a bound, `le` or
//! `quantile` comes last, and is spelt as numbers are. Most samples are of a kind whose label sets stand so in the text
//! already, and are copied.

use memchr::{memchr, memchr3, memrchr};

use crate::block::{NO_LABELS, Row, Shape, View};
use crate::bound::Bound;
use crate::copy::push_part;
use crate::family::MetricType;
use crate::label::{Label, is_legacy_label_name, push_escaped, push_quoted};
use crate::number::push_float;
use crate::plan::{ESCAPED, Piece, Plan, Plans, Way};

/// What was written of a sample, and what its place in the canonical order depends on.
#[derive(Clone, Copy, Debug)]
pub struct Spelled {
    /// Where in the output the labels begin, their brace excluded, and where they end: after the last quote. The bound is
    /// no part of them.
    pub start: usize,
    pub end: usize,
    /// That of the bound, where the sample has one to be sorted by.
    pub bound: u64,
    /// By its number.
    pub plan: u32,
}

/// Writes names and labels of a family's samples.
#[derive(Default)]
pub struct Speller<'a> {
    plans: Plans<'a>,
    /// Kept for the next sample.
    items: Vec<Label<'a>>,
    values: Vec<(usize, usize)>,
}

impl<'a> Speller<'a> {
    /// Turn to the samples of another family.
    pub fn begin(&mut self, family: &'a [u8], kind: MetricType) {
        self.plans.begin(family, kind);
    }

    /// How a sample was written, by the number of the plan.
    pub fn plan(&self, number: u32) -> &Plan<'a> {
        self.plans.get(number)
    }

    /// Append a sample's name and labels in canonical spelling.
    #[inline]
    pub fn push(&mut self, out: &mut Vec<u8>, view: View<'a>) -> Spelled {
        let row = view.fields();
        let number = self.plans.number(&view.block.layout, row.kind);
        let plan = self.plans.get(number);
        match &plan.way {
            Way::Copied { bound, named } => {
                let mut spelled = push_copied(out, plan, number, view, row, *named);
                if let Some(label) = plan.bound {
                    respell_bound(out, &mut spelled, label, *bound);
                }
                spelled
            }
            Way::Arranged { pieces, shape } => {
                find_values(&mut self.values, view, row, *shape);
                push_arranged(out, plan, number, pieces, view.text, &self.values)
            }
            Way::Read if row.labels == NO_LABELS => push_bare(out, plan, number),
            Way::Read => self.push_read(out, view, number),
        }
    }

    fn push_read(&mut self, out: &mut Vec<u8>, view: View<'a>, kind: u32) -> Spelled {
        view.sorted_labels(&mut self.items);
        let plan = self.plans.get(kind);
        let place = plan.bound.and_then(|label| self.items.iter().position(|item| *item.name == *label));
        let bound = plan.bound.zip(place.map(|at| self.items.remove(at).value));
        if self.items.is_empty() && bound.is_none() {
            return push_bare(out, plan, kind);
        }
        push_head(out, plan);
        let start = out.len();
        for item in &self.items {
            push_label(out, &item.name, &item.value);
            out.push(b',');
        }
        let end = (out.len() - 1).max(start);
        let key = plan.bound.map_or(0, |_| Bound::of_label(bound.as_ref().map(|(_, text)| &**text)).key());
        match bound {
            Some((label, text)) => {
                out.extend_from_slice(label);
                out.extend_from_slice(b"=\"");
                push_bound(out, &text);
                out.push(b'"');
            }
            None => out.truncate(end),
        }
        out.push(b'}');
        let escaped = self.items.iter().any(|item| memchr3(b'\\', b'"', b'\n', &item.value).is_some());
        let class = if escaped { ESCAPED } else { self.plans.class(self.items.iter().map(|item| &*item.name)) };
        let plan = self.plans.variant(kind, class, self.items.len() as u32);
        Spelled { start, end, bound: key, plan }
    }
}

/// Append what precedes the first label.
fn push_head(out: &mut Vec<u8>, plan: &Plan<'_>) {
    out.extend_from_slice(&plan.head);
    out.push(if plan.legacy { b'{' } else { b',' });
}

/// Append a sample without labels.
fn push_bare(out: &mut Vec<u8>, plan: &Plan<'_>, number: u32) -> Spelled {
    out.extend_from_slice(&plan.head);
    let end = out.len();
    if !plan.legacy {
        out.push(b'}');
    }
    Spelled { start: end, end, bound: plan.bound.map_or(0, |_| Bound::ABSENT.key()), plan: number }
}

fn push_label(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    if is_legacy_label_name(name) {
        out.extend_from_slice(name);
    } else {
        push_quoted(out, name);
    }
    out.push(b'=');
    push_quoted(out, value);
}

/// Append what a bound is written as, without quotes.
pub fn push_bound(out: &mut Vec<u8>, text: &[u8]) {
    let bound = Bound::of(text);
    if bound.is_number() {
        push_float(out, bound.number);
    } else {
        push_escaped(out, text, true);
    }
}

#[inline]
fn push_copied(out: &mut Vec<u8>, plan: &Plan<'_>, number: u32, view: View<'_>, row: Row, named: bool) -> Spelled {
    let labels = view.label_text();
    let name = (row.labels - row.start) as usize;
    if named && name == plan.name.len() {
        // No blank stands between the two.
        let start = row.start as usize;
        push_part(out, view.text, start..start + name + labels.len());
    } else {
        push_head(out, plan);
        out.extend_from_slice(&labels[1..]);
    }
    Spelled { start: out.len() - labels.len() + 1, end: out.len() - 1, bound: 0, plan: number }
}

/// Where a label set was copied whose last label may be the bound, cut that off what was spelled, and give it its canonical
/// spelling.
fn respell_bound(out: &mut Vec<u8>, spelled: &mut Spelled, label: &[u8], present: bool) {
    if !present {
        spelled.bound = Bound::ABSENT.key();
        return;
    }
    // Its quote and the closing brace stand behind it; before it, its name, `="`, and a comma if it is not alone.
    let end = out.len() - 2;
    let start = memrchr(b'"', &out[..end]).map_or(end, |quote| quote + 1);
    spelled.end = (start - label.len() - 3).max(spelled.start);
    let bound = Bound::of(&out[start..end]);
    spelled.bound = bound.key();
    if bound.is_number() && !is_canonical(&out[start..end]) {
        out.truncate(start);
        push_float(out, bound.number);
        out.extend_from_slice(b"\"}");
    }
}

/// Whether a bound is surely spelt as it would be written: an infinity, or few digits that none could be left out of.
fn is_canonical(text: &[u8]) -> bool {
    // Numbers of so few digits are different float64s, and each is the shortest that reads as its own.
    let point = memchr(b'.', text).unwrap_or(text.len());
    let (whole, fraction) = (&text[..point], text.get(point + 1..));
    let is_whole = (1..=6).contains(&whole.len()) && (whole[0] != b'0' || whole.len() == 1);
    let is_fraction = |digits: &[u8]| {
        digits.len() <= 9
            && digits.last().is_some_and(|&digit| digit != b'0')
            && (whole != b"0" || !digits.starts_with(b"0000"))
    };
    let digits = whole.iter().chain(fraction.unwrap_or_default());
    text == b"+Inf" || (is_whole && fraction.is_none_or(is_fraction) && digits.clone().all(u8::is_ascii_digit))
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
    let mut bound = plan.bound.map_or(0, |_| Bound::ABSENT.key());
    for piece in pieces {
        let (from, to) = values[piece.value];
        let value = &text[from..to];
        if piece.bound {
            // The quote that ends the value before it is written with this piece.
            end = Some(out.len() + usize::from(plan.labels > 0));
            bound = Bound::of(value).key();
            out.extend_from_slice(&piece.before);
            push_bound(out, value);
        } else {
            out.extend_from_slice(&piece.before);
            out.extend_from_slice(value);
        }
    }
    out.extend_from_slice(b"\"}");
    Spelled { start, end: end.unwrap_or(out.len() - 1), bound, plan: number }
}
