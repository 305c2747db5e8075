//! Blocks: samples as rows that point into one text.
//!
//! A row is 24 bytes. What neighbouring samples share (the name, and which labels stand in which order) is its *kind*,
//! kept once for all rows of the kind. What few samples have (a time, an odd spelling, exemplars) lies beside the rows.

use std::borrow::Cow;
use std::sync::Arc;

use memchr::memrchr;

use crate::fault::Span;
use crate::label::{Items, Label, decoded};
use crate::scan::search::quote;

/// The bytes that rows point into: an input, or what a [`crate::build::Builder`] wrote. Shared, never copied.
pub type Text = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// A sample.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub value: f64,
    /// Where its line begins (blanks excluded), in a text that was parsed; else where its label set does.
    pub start: u32,
    /// Where the label set's brace stands; [`NO_LABELS`] where there is none.
    pub labels: u32,
    /// After the last token of its line; after the label set, in a text that was built, where rows may share it. No `}`
    /// stands between the label set's closing brace and this.
    pub end: u32,
    /// A number in [`Layout::kinds`].
    pub kind: u32,
}

/// In [`Row::labels`].
pub const NO_LABELS: u32 = u32::MAX;

/// A time since the Unix epoch: milliseconds, and nanoseconds below a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    pub ms: i64,
    pub nanos: u32,
}

impl Time {
    /// Stands for "no time" in a column of times.
    pub const ABSENT: Time = Time { ms: 0, nanos: u32::MAX };

    pub fn present(self) -> Option<Time> {
        (self != Time::ABSENT).then_some(self)
    }
}

/// What samples have in common: a name, and a shape of their label sets.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// A number in [`Layout::names`].
    pub name: u32,
    /// A number in [`Layout::shapes`], or [`IRREGULAR`].
    pub shape: u32,
}

/// In [`Kind::shape`]: the label sets of such rows are read item by item. Rows without labels are of this shape, too.
pub const IRREGULAR: u32 = u32::MAX;

/// What label sets that differ only in their values have in common: bare names, each once, and values without escapes.
///
/// There is one segment before each value, from the brace or from the quote that ends the value before it, to the quote that
/// begins it; and a last one, from the last quote to the closing brace, both included.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The first one's number in [`Layout::segments`].
    pub first: u32,
    /// How many labels; there is one segment more.
    pub labels: u32,
    /// Whether the names stand in sorted order.
    pub sorted: bool,
}

/// Bytes of the text that all label sets of a shape have alike.
#[derive(Clone, Copy, Debug, Default)]
pub struct Segment {
    pub text: Span,
    /// The label name in it; empty in the last one.
    pub name: Span,
}

/// A sample name.
#[derive(Clone, Debug)]
pub enum Name {
    /// As it stands in the text.
    Written(Span),
    /// Decoded, or never written.
    Own(Box<[u8]>),
}

/// The text of blocks, and what their rows have in common.
pub struct Layout {
    pub text: Text,
    /// Whether the text is an input, so that rows have places in it.
    pub placed: bool,
    pub names: Vec<Name>,
    pub kinds: Vec<Kind>,
    pub shapes: Vec<Shape>,
    pub segments: Vec<Segment>,
}

impl Layout {
    pub fn text(&self) -> &[u8] {
        (*self.text).as_ref()
    }

    /// A sample name by its number.
    pub fn name(&self, number: u32) -> &[u8] {
        match &self.names[number as usize] {
            Name::Written(span) => span.of(self.text()),
            Name::Own(name) => name,
        }
    }

    /// The segments of a shape, the last one included.
    pub fn segments(&self, shape: Shape) -> &[Segment] {
        let first = shape.first as usize;
        &self.segments[first..=first + shape.labels as usize]
    }

    /// The shape of a kind's label sets, if they are alike.
    pub fn shape(&self, kind: u32) -> Option<Shape> {
        self.shapes.get(self.kinds[kind as usize].shape as usize).copied()
    }
}

/// What only OpenMetrics samples have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extra {
    pub exemplars: Vec<Exemplar>,
    pub start: Option<Time>,
}

/// One observation kept beside a sample.
#[derive(Clone, Debug)]
pub struct Exemplar {
    /// The label set in canonical spelling; empty where there are none.
    pub labels: Box<[u8]>,
    pub value: f64,
    pub time: Option<Time>,
}

impl PartialEq for Exemplar {
    fn eq(&self, other: &Exemplar) -> bool {
        self.labels == other.labels && same_float(self.value, other.value) && self.time == other.time
    }
}

/// Equal, or both NaN.
pub fn same_float(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan())
}

/// Rows of one text.
pub struct Block {
    pub layout: Arc<Layout>,
    pub rows: Vec<Row>,
    /// One for each row, or empty where no row has a time.
    pub times: Vec<Time>,
    /// Spellings of values that rendering would change (`-0`, integers beyond float64), by row.
    pub literals: Vec<(u32, Span)>,
    /// By row.
    pub extras: Vec<(u32, Extra)>,
    /// The lines that the rows were read from, where the text is not that of the input: one for each row, or empty.
    pub places: Vec<Span>,
}

impl Block {
    pub fn view(&self, row: usize) -> View<'_> {
        View { block: self, text: self.layout.text(), row }
    }
}

/// A sample in its block.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub block: &'a Block,
    /// That of the block, asked for once.
    pub text: &'a [u8],
    pub row: usize,
}

impl<'a> View<'a> {
    pub fn fields(self) -> Row {
        self.block.rows[self.row]
    }

    pub fn value(self) -> f64 {
        self.fields().value
    }

    pub fn name(self) -> &'a [u8] {
        let layout = &*self.block.layout;
        match &layout.names[layout.kinds[self.fields().kind as usize].name as usize] {
            Name::Written(span) => span.of(self.text),
            Name::Own(name) => name,
        }
    }

    pub fn time(self) -> Option<Time> {
        self.block.times.get(self.row).copied().and_then(Time::present)
    }

    /// The spelling of its value, where rendering would change it.
    pub fn literal(self) -> Option<&'a [u8]> {
        self.literal_span().map(|span| span.of(self.text))
    }

    pub fn literal_span(self) -> Option<Span> {
        find(&self.block.literals, self.row).copied()
    }

    pub fn extra(self) -> Option<&'a Extra> {
        find(&self.block.extras, self.row)
    }

    /// The bytes of the input's line that gave the sample, if it was parsed. [`crate::samples::Samples::span`] knows
    /// whether that input is the only one.
    pub fn span(self) -> Option<Span> {
        if let Some(place) = self.block.places.get(self.row) {
            return Some(*place);
        }
        let row = self.fields();
        self.block.layout.placed.then_some(Span { start: row.start, end: row.end })
    }

    /// The label set as it is written, braces included; empty where there is none.
    ///
    /// It may hold the quoted name of the sample among the labels.
    pub fn label_text(self) -> &'a [u8] {
        let row = self.fields();
        if row.labels == NO_LABELS {
            return b"";
        }
        let text = &self.text[row.labels as usize..row.end as usize];
        &text[..last_brace(text).map_or(0, |brace| brace + 1)]
    }

    /// The labels in written order.
    pub fn labels(self) -> Labels<'a> {
        let row = self.fields();
        if row.labels == NO_LABELS {
            return Labels::Items(Items::new(b""));
        }
        let layout = &*self.block.layout;
        match layout.shape(row.kind) {
            Some(shape) => Labels::Regular(self.values(shape)),
            None => Labels::Items(Items::new(&self.text[row.labels as usize..row.end as usize])),
        }
    }

    /// The values in written order of a row whose kind has this shape.
    #[inline]
    pub fn values(self, shape: Shape) -> Values<'a> {
        let segments = &self.block.layout.segments(shape)[..shape.labels as usize];
        Values { text: self.text, segments, at: self.fields().labels as usize }
    }

    /// The labels sorted by name, appended to an empty vector that the caller keeps for the next sample.
    pub fn sorted_labels(self, labels: &mut Vec<Label<'a>>) {
        labels.clear();
        labels.extend(self.labels());
        if !labels.is_sorted_by(|a, b| a.name <= b.name) {
            labels.sort();
        }
    }
}

/// Where the last closing brace stands. Few bytes tend to come after it, which are looked at eight at a time.
fn last_brace(text: &[u8]) -> Option<usize> {
    let mut end = text.len();
    for word in text.rchunks_exact(8).take(3) {
        let word: [u8; 8] = word.try_into().ok()?;
        const LOW: u64 = u64::from_ne_bytes([0x7F; 8]);
        let other = u64::from_le_bytes(word) ^ u64::from_ne_bytes([b'}'; 8]);
        // The highest bit of each byte, where the byte is a brace.
        let braces = !((other & LOW).wrapping_add(LOW) | other | LOW);
        if braces != 0 {
            return Some(end - 1 - braces.leading_zeros() as usize / 8);
        }
        end -= 8;
    }
    memrchr(b'}', &text[..end])
}

fn find<T>(column: &[(u32, T)], row: usize) -> Option<&T> {
    if column.is_empty() {
        return None;
    }
    let position = column.binary_search_by_key(&row, |(row, _)| *row as usize).ok()?;
    Some(&column[position].1)
}

/// The label values of a regular row; see [`View::values`].
#[derive(Clone)]
pub struct Values<'a> {
    text: &'a [u8],
    segments: &'a [Segment],
    at: usize,
}

impl Values<'_> {
    /// Where the value that came last ends.
    #[inline]
    pub fn end(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    #[inline(always)]
    fn next(&mut self) -> Option<&'a [u8]> {
        let (segment, rest) = self.segments.split_first()?;
        let start = self.at + (segment.text.end - segment.text.start) as usize;
        self.segments = rest;
        self.at = quote(self.text, start)?;
        Some(&self.text[start..self.at])
    }
}

/// The labels of a sample in written order; see [`View::labels`].
pub enum Labels<'a> {
    Regular(Values<'a>),
    Items(Items<'a>),
}

impl<'a> Iterator for Labels<'a> {
    type Item = Label<'a>;

    #[inline]
    fn next(&mut self) -> Option<Label<'a>> {
        match self {
            Labels::Regular(values) => {
                let name = values.segments.first()?.name.of(values.text);
                Some(Label { name: Cow::Borrowed(name), value: Cow::Borrowed(values.next()?) })
            }
            Labels::Items(items) => loop {
                let item = items.next()?;
                if let Some(value) = item.value {
                    return Some(Label { name: decoded(item.name), value: decoded(value) });
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_brace_is_found_wherever_it_stands() {
        for length in 0..60 {
            for other in [b'}' ^ 0x80, b'|', b'~', 0, 0xFF] {
                let mut text = vec![other; length];
                assert_eq!(last_brace(&text), None);
                for at in 0..length {
                    text[at] = b'}';
                    assert_eq!(last_brace(&text), Some(at));
                }
            }
        }
    }
}
