//! Samples: an immutable sequence over ranges of shared blocks.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::block::{Block, Layout, Time, View};
use crate::build::Builder;
use crate::fault::Span;

/// A range of a block's rows.
#[derive(Clone)]
pub struct Part {
    pub block: Arc<Block>,
    pub first: u32,
    pub last: u32,
    /// How many samples stand before this part.
    before: usize,
}

impl Part {
    pub fn len(&self) -> usize {
        (self.last - self.first) as usize
    }

    pub fn is_empty(&self) -> bool {
        self.first == self.last
    }

    /// The samples of the part.
    pub fn views(&self) -> impl ExactSizeIterator<Item = View<'_>> + DoubleEndedIterator {
        self.rows().views()
    }

    fn rows(&self) -> Rows<'_> {
        Rows { block: &self.block, first: self.first, last: self.last }
    }
}

/// A range of a block's rows, where somebody else keeps the block alive.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    pub block: &'a Block,
    pub first: u32,
    pub last: u32,
}

impl<'a> Rows<'a> {
    pub fn len(self) -> usize {
        (self.last - self.first) as usize
    }

    pub fn is_empty(self) -> bool {
        self.first == self.last
    }

    pub fn views(self) -> impl ExactSizeIterator<Item = View<'a>> + DoubleEndedIterator {
        let Rows { block, first, last } = self;
        let text = block.layout.text();
        (first as usize..last as usize).map(move |row| View { block, text, row })
    }

    /// Of a column that has an element for each row of the block, or none at all.
    pub fn of<T>(self, column: &'a [T]) -> &'a [T] {
        column.get(self.first as usize..self.last as usize).unwrap_or_default()
    }
}

/// The samples of a family, where somebody else keeps them: a [`Samples`], or rows of a block, of which hundreds of families
/// can be had without counting references.
#[derive(Clone, Copy, Default)]
pub struct SamplesRef<'a> {
    first: Option<Rows<'a>>,
    rest: &'a [Part],
}

impl<'a> SamplesRef<'a> {
    pub fn len(self) -> usize {
        let first = self.first.map_or(0, Rows::len);
        self.rest.last().map_or(first, |part| part.before + part.len())
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The ranges of rows that they consist of, in order.
    pub fn ranges(self) -> impl Iterator<Item = Rows<'a>> {
        self.first.into_iter().chain(self.rest.iter().map(Part::rows))
    }

    /// All samples in order.
    pub fn views(self) -> impl Iterator<Item = View<'a>> {
        self.ranges().flat_map(Rows::views)
    }

    /// The sample at an index that is less than the length.
    pub fn at(self, index: usize) -> View<'a> {
        let part = self.rest.partition_point(|part| part.before <= index);
        let (rows, before) = match (part.checked_sub(1).map(|last| &self.rest[last]), self.first) {
            (Some(part), _) => (part.rows(), part.before),
            (None, Some(first)) => (first, 0),
            (None, None) => panic!("no sample {index} of none"),
        };
        rows.block.view(rows.first as usize + index - before)
    }
}

impl<'a> From<&'a Samples> for SamplesRef<'a> {
    fn from(samples: &'a Samples) -> SamplesRef<'a> {
        match samples.parts() {
            [] => SamplesRef::default(),
            [first, rest @ ..] => SamplesRef { first: Some(first.rows()), rest },
        }
    }
}

impl<'a> From<Rows<'a>> for SamplesRef<'a> {
    fn from(rows: Rows<'a>) -> SamplesRef<'a> {
        SamplesRef { first: Some(rows), rest: &[] }
    }
}

/// The samples of a family, in order, duplicates included. Cloning is cheap: blocks are shared.
#[derive(Clone, Default)]
pub struct Samples {
    /// One, in nearly all families.
    parts: SmallVec<[Part; 1]>,
    /// Whether they were put together from others, so that no one input has them.
    united: bool,
}

impl Samples {
    /// Rows `first..last` of a block.
    pub fn of(block: Arc<Block>, first: u32, last: u32) -> Samples {
        let mut samples = Samples::default();
        samples.push(block, first, last);
        samples
    }

    /// Append rows of a block.
    pub fn push(&mut self, block: Arc<Block>, first: u32, last: u32) {
        let before = self.len();
        match self.parts.last_mut() {
            _ if first == last => {}
            Some(part) if Arc::ptr_eq(&part.block, &block) && part.last == first => part.last = last,
            _ => self.parts.push(Part { block, first, last, before }),
        }
    }

    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    pub fn len(&self) -> usize {
        self.parts.last().map_or(0, |part| part.before + part.len())
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The sample at an index that is less than the length.
    pub fn at(&self, index: usize) -> View<'_> {
        let (part, row) = self.locate(index);
        self.parts[part].block.view(row as usize)
    }

    fn locate(&self, index: usize) -> (usize, u32) {
        let part = self.parts.partition_point(|part| part.before <= index) - 1;
        (part, self.parts[part].first + (index - self.parts[part].before) as u32)
    }

    /// The bytes of the input's line that gave the sample at an index, unless samples of several inputs may be here.
    pub fn span(&self, index: usize) -> Option<Span> {
        if self.united { None } else { self.at(index).span() }
    }

    /// All samples in order.
    pub fn views(&self) -> impl Iterator<Item = View<'_>> {
        self.parts.iter().flat_map(Part::views)
    }

    /// These samples, then those of the others in turn.
    pub fn concat<'a>(&self, others: impl IntoIterator<Item = &'a Samples>) -> Samples {
        let mut all = self.clone();
        for other in others {
            all.united = true;
            for part in &other.parts {
                all.push(part.block.clone(), part.first, part.last);
            }
        }
        all
    }

    /// The samples `first..last`.
    pub fn slice(&self, first: usize, last: usize) -> Samples {
        let mut cut = Samples { united: self.united, ..Samples::default() };
        for part in &self.parts {
            let from = first.saturating_sub(part.before).min(part.len()) as u32;
            let to = last.saturating_sub(part.before).min(part.len()) as u32;
            if from < to {
                cut.push(part.block.clone(), part.first + from, part.first + to);
            }
        }
        cut
    }

    /// The samples asked for, in that order; they keep their places in the input.
    pub fn gather(&self, indices: impl IntoIterator<Item = usize>) -> Samples {
        let mut chosen = Samples { united: self.united, ..Samples::default() };
        let rows: Vec<(usize, u32)> = indices.into_iter().map(|index| self.locate(index)).collect();
        if rows.windows(2).all(|pair| pair[0].0 == pair[1].0 && pair[0].1 + 1 == pair[1].1) {
            if let (Some(first), Some(last)) = (rows.first(), rows.last()) {
                chosen.push(self.parts[first.0].block.clone(), first.1, last.1 + 1);
            }
            return chosen;
        }
        // Rows whose parts share a text become rows of one new block. Where texts alternate, that would make a block of
        // each row, and their text is copied together instead.
        let changes = rows.windows(2).filter(|pair| !self.same_layout(pair[0].0, pair[1].0)).count();
        if changes > 16 + rows.len() / 64 {
            let mut builder = Builder::default();
            for (part, row) in rows {
                builder.push_view(self.parts[part].block.view(row as usize));
            }
            return builder.finish();
        }
        for rows in rows.chunk_by(|a, b| self.same_layout(a.0, b.0)) {
            let block = self.rows_of(self.parts[rows[0].0].block.layout.clone(), rows);
            chosen.push(Arc::new(block), 0, rows.len() as u32);
        }
        chosen
    }

    fn same_layout(&self, part: usize, other: usize) -> bool {
        Arc::ptr_eq(&self.parts[part].block.layout, &self.parts[other].block.layout)
    }

    fn rows_of(&self, layout: Arc<Layout>, rows: &[(usize, u32)]) -> Block {
        let views = || rows.iter().map(|&(part, row)| self.parts[part].block.view(row as usize));
        let timed = views().any(|view| view.time().is_some());
        let mut block = Block {
            layout,
            rows: views().map(View::fields).collect(),
            times: Vec::new(),
            literals: Vec::new(),
            extras: Vec::new(),
            places: Vec::new(),
        };
        if views().any(|view| !view.block.places.is_empty()) {
            block.places = views().map(|view| view.span().unwrap_or_default()).collect();
        }
        if timed {
            block.times = views().map(|view| view.block.times.get(view.row).copied().unwrap_or(Time::ABSENT)).collect();
        }
        for (row, view) in (0u32..).zip(views()) {
            if let Some(literal) = view.literal_span() {
                block.literals.push((row, literal));
            }
            if let Some(extra) = view.extra() {
                block.extras.push((row, extra.clone()));
            }
        }
        block
    }

    /// The same samples in a text of their own.
    pub fn compact(&self) -> Samples {
        let mut builder = Builder::default();
        self.views().for_each(|view| builder.push_view(view));
        builder.finish()
    }
}
