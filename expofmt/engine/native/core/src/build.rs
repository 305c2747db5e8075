//! Samples from parts: what was not read from a text gets a text of its own.

use std::hash::BuildHasher;
use std::mem::take;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};

use crate::block::{Block, Extra, IRREGULAR, Kind, Layout, NO_LABELS, Name, Row, Segment, Shape, Time, View};
use crate::fault::{Span, offset};
use crate::label::{Items, is_legacy_label_name, push_quoted};
use crate::samples::Samples;

/// Beyond so many, shapes are no longer told apart: their rows are read item by item.
const MOST_SHAPES: usize = 4096;

/// So many label sets are known again, so that each stands in the text once: those of a push are in many families alike.
const MOST_SETS: usize = 4096;

/// How long the text of a block may become.
struct Limits {
    /// A block with more is ended, and another one begun.
    ended: usize,
    /// No text may be longer: an offset in it would not fit its type.
    most: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { ended: 1 << 30, most: u32::MAX as usize }
    }
}

/// Makes [`Samples`] out of samples that are given one by one.
#[derive(Default)]
pub struct Builder {
    limits: Limits,
    done: Samples,
    text: Vec<u8>,
    names: Vec<Name>,
    name_numbers: HashMap<Box<[u8]>, u32, RandomState>,
    kinds: Vec<Kind>,
    /// By the numbers of the name and the shape.
    kind_numbers: HashMap<(u32, u32), u32, RandomState>,
    /// By the segments with a byte between them that no UTF-8 holds.
    shape_numbers: HashMap<Box<[u8]>, u32, RandomState>,
    shapes: Vec<Shape>,
    segments: Vec<Segment>,
    /// Where label sets stand that may come again.
    sets: HashTable<(u32, u32)>,
    state: RandomState,
    rows: Vec<Row>,
    times: Vec<Time>,
    literals: Vec<(u32, Span)>,
    extras: Vec<(u32, Extra)>,
    places: Vec<Span>,
}

/// The kind of a row that was appended; see [`Builder::push_relabelled`].
#[derive(Clone, Copy)]
pub struct Like {
    /// How many blocks were ended before.
    blocks: usize,
    kind: u32,
}

impl Builder {
    /// Append a sample; its labels come sorted by name.
    pub fn push<'a>(
        &mut self,
        name: &[u8],
        labels: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
        value: f64,
        time: Option<Time>,
        literal: Option<&[u8]>,
        extra: Option<Extra>,
    ) {
        let start = self.begin();
        push_label_set(&mut self.text, labels);
        let start = self.fitted(start);
        let kind = self.kind(name, start);
        self.finish_row(kind, start, value, time, literal, extra);
    }

    /// Append a sample of another text as it is written there.
    pub fn push_view(&mut self, view: View<'_>) {
        self.push_changed(view, view.value(), view.literal(), view.extra().cloned());
    }

    /// The same with another value.
    pub fn push_changed(&mut self, view: View<'_>, value: f64, literal: Option<&[u8]>, extra: Option<Extra>) {
        let start = self.begin();
        self.text.extend_from_slice(view.label_text());
        let start = self.fitted(start);
        let kind = self.kind(view.name(), start);
        self.finish_row(kind, start, value, view.time(), literal, extra);
    }

    /// Append a sample of another text with the label set that `write` appends, and the line that it was read from.
    ///
    /// What is returned makes later calls quicker, of samples with that name whose label sets differ from this one in
    /// values without escapes alone. Either all samples have a place or none.
    pub fn push_relabelled(
        &mut self,
        view: View<'_>,
        place: Option<Span>,
        like: Option<Like>,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Like {
        let start = self.begin();
        write(&mut self.text);
        let start = self.fitted(start);
        let blocks = self.done.parts().len();
        let known = like.filter(|like| like.blocks == blocks);
        let kind = known.map_or_else(|| self.kind(view.name(), start), |like| like.kind);
        self.finish_row(kind, start, view.value(), view.time(), view.literal(), view.extra().cloned());
        self.places.extend(place);
        Like { blocks, kind }
    }

    /// Append a sample whose label set is given as it is written; it is empty where there is none.
    pub fn push_written(
        &mut self,
        name: &[u8],
        labels: &[u8],
        value: f64,
        time: Option<Time>,
        literal: Option<&[u8]>,
        extra: Option<Extra>,
    ) {
        let start = self.begin();
        self.text.extend_from_slice(labels);
        let start = self.fitted(start);
        let kind = self.kind(name, start);
        self.finish_row(kind, start, value, time, literal, extra);
    }

    /// All that was appended.
    pub fn finish(mut self) -> Samples {
        self.end_block();
        self.done
    }

    fn begin(&mut self) -> usize {
        if self.text.len() > self.limits.ended {
            self.end_block();
        }
        self.text.len()
    }

    /// Where the label set that was just written begins, once it stands where offsets reach: in a block of its own, if
    /// need be. A panic for one that is too long for that, too.
    fn fitted(&mut self, start: usize) -> usize {
        if self.text.len() <= self.limits.most {
            return start;
        }
        let written = self.text.split_off(start);
        self.end_block();
        assert!(written.len() <= self.limits.most, "the labels of one sample take more than 4 GiB");
        self.text = written;
        0
    }

    fn end_block(&mut self) {
        if self.rows.is_empty() {
            return;
        }
        self.name_numbers.clear();
        self.kind_numbers.clear();
        self.shape_numbers.clear();
        self.sets.clear();
        let layout = Arc::new(Layout {
            text: Arc::new(shrunk(&mut self.text)),
            placed: false,
            names: shrunk(&mut self.names),
            kinds: shrunk(&mut self.kinds),
            shapes: shrunk(&mut self.shapes),
            segments: shrunk(&mut self.segments),
        });
        let block = Block {
            layout,
            rows: shrunk(&mut self.rows),
            times: take(&mut self.times),
            literals: take(&mut self.literals),
            extras: take(&mut self.extras),
            places: take(&mut self.places),
        };
        let last = offset(block.rows.len());
        self.done.push(Arc::new(block), 0, last);
    }

    fn finish_row(
        &mut self,
        kind: u32,
        start: usize,
        value: f64,
        time: Option<Time>,
        literal: Option<&[u8]>,
        extra: Option<Extra>,
    ) {
        let row = offset(self.rows.len());
        let (start, end) = self.settled(start);
        let labels = if start == end { NO_LABELS } else { offset(start) };
        if let Some(literal) = literal {
            let at = self.text.len();
            self.text.extend_from_slice(literal);
            assert!(self.text.len() <= self.limits.most, "the labels and the value of one sample take more than 4 GiB");
            self.literals.push((row, Span::new(at, self.text.len())));
        }
        if time.is_some() && self.times.is_empty() {
            self.times.resize(row as usize, Time::ABSENT);
        }
        if time.is_some() || !self.times.is_empty() {
            self.times.push(time.unwrap_or(Time::ABSENT));
        }
        self.extras.extend(extra.map(|extra| (row, extra)));
        self.rows.push(Row { value, start: offset(start), labels, end: offset(end), kind });
    }

    /// Where the label set stands that was just written: if it is known, where it did before.
    fn settled(&mut self, start: usize) -> (usize, usize) {
        let Builder { text, sets, state, .. } = self;
        let set = (offset(start), offset(text.len()));
        let of = |&(start, end): &(u32, u32)| &text[start as usize..end as usize];
        let hash = |set: &(u32, u32)| state.hash_one(of(set));
        if let Some(&(known, end)) = sets.find(hash(&set), |known| of(known) == of(&set)) {
            text.truncate(start);
            return (known as usize, end as usize);
        }
        if sets.len() < MOST_SETS && set.0 < set.1 {
            sets.insert_unique(hash(&set), set, hash);
        }
        (start, text.len())
    }

    /// The number of the kind of a row whose label set was just written.
    fn kind(&mut self, name: &[u8], start: usize) -> u32 {
        let last = self.rows.last().map(|row| row.kind);
        if let Some(kind) = last.filter(|&kind| self.is_of_kind(kind, name, start)) {
            return kind;
        }
        let name = self.name_number(name);
        let segments = if self.shapes.len() < MOST_SHAPES { shape_of(&self.text, start) } else { None };
        let shape = segments.map_or(IRREGULAR, |segments| self.shape_number(&segments));
        let next = offset(self.kinds.len());
        let kind = *self.kind_numbers.entry((name, shape)).or_insert(next);
        if kind == next {
            self.kinds.push(Kind { name, shape });
        }
        kind
    }

    fn is_of_kind(&self, kind: u32, name: &[u8], start: usize) -> bool {
        let Kind { name: number, shape } = self.kinds[kind as usize];
        if !matches!(&self.names[number as usize], Name::Own(known) if **known == *name) {
            return false;
        }
        match self.shapes.get(shape as usize) {
            Some(&shape) => {
                let segments = &self.segments[shape.first as usize..=(shape.first + shape.labels) as usize];
                fits(&self.text, start, segments)
            }
            // Only rows without labels can be told to be irregular so quickly.
            None => start == self.text.len(),
        }
    }

    fn name_number(&mut self, name: &[u8]) -> u32 {
        if let Some(&number) = self.name_numbers.get(name) {
            return number;
        }
        let number = offset(self.names.len());
        self.names.push(Name::Own(name.into()));
        self.name_numbers.insert(name.into(), number);
        number
    }

    fn shape_number(&mut self, segments: &[Segment]) -> u32 {
        let mut key = Vec::new();
        for segment in segments {
            key.extend_from_slice(segment.text.of(&self.text));
            key.push(0xFF);
        }
        if let Some(&number) = self.shape_numbers.get(key.as_slice()) {
            return number;
        }
        let number = offset(self.shapes.len());
        self.shape_numbers.insert(key.into(), number);
        self.shapes.push(new_shape(&self.text, offset(self.segments.len()), segments));
        self.segments.extend_from_slice(segments);
        number
    }
}

/// What a column holds, in no more memory than that takes.
fn shrunk<T>(column: &mut Vec<T>) -> Vec<T> {
    column.shrink_to_fit();
    take(column)
}

/// Append a label set in canonical spelling, nothing where there are no labels. Labels come sorted by name.
pub fn push_label_set<'a>(out: &mut Vec<u8>, labels: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) {
    let mut before = b'{';
    for (name, value) in labels {
        out.push(before);
        push_label_name(out, name);
        out.push(b'=');
        push_quoted(out, value);
        before = b',';
    }
    if before == b',' {
        out.push(b'}');
    }
}

/// Append a label name, quoted where it must be.
pub fn push_label_name(out: &mut Vec<u8>, name: &[u8]) {
    if is_legacy_label_name(name) {
        out.extend_from_slice(name);
    } else {
        push_quoted(out, name);
    }
}

/// A shape whose segments begin at a number.
pub fn new_shape(text: &[u8], first: u32, segments: &[Segment]) -> Shape {
    let names = &segments[..segments.len() - 1];
    let sorted = names.is_sorted_by(|a, b| a.name.of(text) <= b.name.of(text));
    Shape { first, labels: offset(names.len()), sorted }
}

/// The segments of the label set that begins at an offset of a text and ends where it does, if it is regular: with bare
/// names, each once, and values without escapes. None, too, where there is no label.
pub fn shape_of(text: &[u8], start: usize) -> Option<Vec<Segment>> {
    let written = &text[start..];
    let mut segments: Vec<Segment> = Vec::new();
    let mut at = 0;
    for item in Items::new(written) {
        let value = item.value?;
        if item.name.starts_with(b"\"") || value.contains(&b'\\') {
            return None;
        }
        let name = Span::new(start + item.name_at, start + item.name_at + item.name.len());
        segments.push(Segment { text: Span::new(start + at, start + item.value_at + 1), name });
        at = item.value_at + value.len() - 1;
    }
    if segments.is_empty() {
        return None;
    }
    let end = at + memchr::memchr(b'}', &written[at..])? + 1;
    segments.push(Segment { text: Span::new(start + at, start + end), name: Span::default() });
    Some(segments)
}

/// Whether a label set is of the shape that these segments are.
fn fits(text: &[u8], start: usize, segments: &[Segment]) -> bool {
    let mut rest = &text[start..];
    for (number, segment) in segments.iter().enumerate() {
        if number > 0 {
            let Some(end) = memchr::memchr2(b'"', b'\\', rest) else { return false };
            rest = &rest[end..];
        }
        match rest.strip_prefix(segment.text.of(text)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(samples: &Samples, index: usize) -> String {
        let found = samples
            .at(index)
            .labels()
            .map(|label| format!("{}={}", String::from_utf8_lossy(&label.name), String::from_utf8_lossy(&label.value)));
        found.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_built_is_what_comes_out() {
        let mut builder = Builder::default();
        for (name, pairs, value) in [
            (&b"a"[..], vec![(&b"x"[..], &b"1"[..]), (b"y", b"2")], 1.0),
            (b"a", vec![(b"x", b""), (b"y", b"}\",\"")], 2.0),
            (b"a", vec![], 3.0),
            (b"b.c", vec![(b"d.e", b"\n")], 4.0),
            (b"a", vec![(b"x", b"3"), (b"y", b"4")], 5.0),
        ] {
            builder.push(name, pairs, value, (value == 3.0).then_some(Time { ms: 7, nanos: 0 }), None, None);
        }
        let samples = builder.finish();
        let found: Vec<String> = (0..5).map(|index| labels(&samples, index)).collect();
        assert_eq!(found, ["x=1 y=2", "x= y=}\",\"", "", "d.e=\n", "x=3 y=4"]);
        assert_eq!(samples.at(3).name(), b"b.c");
        let times: Vec<bool> = samples.views().map(|view| view.time().is_some()).collect();
        assert_eq!(times, [false, false, true, false, false]);
        let block = &samples.parts()[0].block;
        assert_eq!(block.rows[0].kind, block.rows[4].kind);
        assert_eq!(block.layout.shapes.len(), 1);
    }

    #[test]
    fn what_was_put_together_has_no_places() {
        let mut builder = Builder::default();
        builder.push(b"a", [], 1.0, None, None, None);
        builder.push(b"a", [], 2.0, None, None, None);
        let built = builder.finish();
        let block = Block { places: vec![Span::new(3, 6), Span::new(7, 9)], ..unshared(built) };
        let read = Samples::of(Arc::new(block), 0, 2);
        assert_eq!(read.gather([1, 0]).span(0), Some(Span::new(7, 9)));
        assert_eq!(read.slice(1, 2).span(0), Some(Span::new(7, 9)));
        assert_eq!(read.concat([]).span(0), Some(Span::new(3, 6)));
        let united = read.concat([&Samples::default()]);
        for samples in [&united, &united.gather([1, 0]), &united.slice(0, 1), &read.compact()] {
            assert_eq!(samples.span(0), None);
        }
    }

    #[test]
    fn label_sets_are_kept_once() {
        let mut builder = Builder::default();
        for number in 0..9u8 {
            let labels = if number % 3 == 0 { None } else { Some((&b"n"[..], &[b'0' + number % 3][..])) };
            let literal = (number < 3).then_some(&b"-0"[..]);
            builder.push(&[b'a' + number], labels, -0.0, None, literal, None);
        }
        let samples = builder.finish();
        let found: Vec<String> = (0..9).map(|index| labels(&samples, index)).collect();
        assert_eq!(found, ["", "n=1", "n=2"].repeat(3));
        assert!(samples.views().take(3).all(|view| view.literal() == Some(b"-0")));
        assert_eq!(samples.parts()[0].block.layout.text(), b"-0{n=\"1\"}-0{n=\"2\"}-0");
        assert_eq!(samples.compact().parts()[0].block.layout.text(), samples.parts()[0].block.layout.text());
    }

    fn unshared(samples: Samples) -> Block {
        let block = samples.parts()[0].block.clone();
        drop(samples);
        Arc::into_inner(block).expect("nobody else holds the block")
    }

    #[test]
    fn what_offsets_cannot_reach_gets_another_block() {
        let value = [b'x'; 30];
        for most in 50..100 {
            let mut builder = Builder { limits: Limits { ended: 40, most }, ..Builder::default() };
            let before = Samples::default();
            for length in [5, 30, 30, 0, 29, 1] {
                builder.push(b"a", [(&b"n"[..], &value[..length])], 0.0, None, None, None);
            }
            let samples = before.concat([&builder.finish()]);
            let lengths: Vec<usize> = samples.views().map(|view| view.label_text().len() - 6).collect();
            assert_eq!(lengths, [5, 30, 30, 0, 29, 1]);
            assert!(samples.parts().iter().all(|part| part.block.layout.text().len() <= most));
        }
    }

    #[test]
    #[should_panic(expected = "take more than 4 GiB")]
    fn what_no_block_can_hold_is_refused() {
        let mut builder = Builder { limits: Limits { ended: 40, most: 50 }, ..Builder::default() };
        builder.push(b"a", [(&b"n"[..], &[b'x'; 60][..])], 0.0, None, None, None);
    }

    #[test]
    fn rows_keep_their_labels_wherever_they_go() {
        let mut first = Builder::default();
        let mut second = Builder::default();
        for number in 0..100u8 {
            let builder = if number % 2 == 0 { &mut first } else { &mut second };
            builder.push(b"a", [(&b"n"[..], &[b'0' + number / 10, b'0' + number % 10][..])], 0.0, None, None, None);
        }
        let both = first.finish().concat([&second.finish()]);
        let order = (0..100).map(|number| number / 2 + 50 * (number % 2));
        for samples in [both.gather(order.clone()), both.gather(order).compact()] {
            assert_eq!(samples.len(), 100);
            assert_eq!(labels(&samples, 0), "n=00");
            assert_eq!(labels(&samples, 99), "n=99");
        }
        assert_eq!(labels(&both.slice(49, 51), 1), "n=01");
        assert_eq!(both.slice(7, 7).len(), 0);
        assert_eq!(both.gather([99]).len(), 1);
    }
}
