//! The samples of one family from several owners, and their canonical text.
//!
//! The text is kept. Of a family of few lines, nothing else is: it is written anew when anything has changed. Where there
//! are more, a table of the lines is kept, too: the new lines of the owners whose samples have changed are sorted among
//! themselves, each finds its place among the lines of the other owners by a binary search, and all that stands between two
//! such places is copied in one piece.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::block::{Block, Text, View};
use crate::encode::{Family, Values, encode_samples, push_sample};
use crate::family::MetricType;
use crate::label::{Items, decoded};
use crate::order::{Entry, Labels, Lines, Rest, bound_after, order};
use crate::plan::{ESCAPED, Plan};
use crate::samples::{Part, Samples};
use crate::series::Owner;
use crate::spell::Speller;

/// The samples of one family from several owners. There may be many such families: while it has few lines, it is small.
pub struct Gathered {
    name: Box<[u8]>,
    kind: MetricType,
    /// How many samples there are.
    length: usize,
    /// Those that have samples, in the order of their numbers.
    held: Vec<Held>,
    /// The owners whose samples are not those of the text; some may be told more than once.
    changed: Vec<Owner>,
    text: Text,
    /// What the text consists of. Where that is not known, all of it is written anew.
    table: Option<Box<Table>>,
}

/// The samples of an owner.
struct Held {
    owner: Owner,
    samples: Kept,
}

/// Samples in as little memory as can be: most are in one block.
enum Kept {
    Rows { block: Arc<Block>, first: u32, last: u32 },
    Parts(Box<Samples>),
}

impl Kept {
    fn new(samples: Samples) -> Kept {
        match samples.parts() {
            [Part { block, first, last, .. }] => Kept::Rows { block: block.clone(), first: *first, last: *last },
            _ => Kept::Parts(Box::new(samples)),
        }
    }

    fn len(&self) -> usize {
        match self {
            Kept::Rows { first, last, .. } => (last - first) as usize,
            Kept::Parts(samples) => samples.len(),
        }
    }

    fn at(&self, row: usize) -> View<'_> {
        match self {
            Kept::Rows { block, first, .. } => block.view(*first as usize + row),
            Kept::Parts(samples) => samples.at(row),
        }
    }

    fn push_to(&self, all: &mut Samples) {
        match self {
            Kept::Rows { block, first, last } => all.push(block.clone(), *first, *last),
            Kept::Parts(samples) => samples.parts().iter().for_each(|p| all.push(p.block.clone(), p.first, p.last)),
        }
    }
}

/// Up to here, lines are few; and again, where there were more, when there are half as many. To write so many takes a few
/// microseconds, twice as long as to merge some into them. Tests have few lines.
const FEW_LINES: usize = if cfg!(any(test, fuzzing)) { 4 } else { 64 };

/// The lines of a text, in order.
#[derive(Default)]
struct Table {
    forms: Forms,
    lines: Vec<Line>,
}

/// A line of the text. This is kept small: the lines are many.
#[derive(Clone, Copy)]
struct Line {
    length: u32,
    owner: Owner,
    /// Which of the owner's samples it tells.
    row: u32,
    /// A number in [`Forms`].
    form: u32,
    /// The length of its labels, without their brace and without the bound.
    labels: u32,
}

impl Gathered {
    pub fn new(name: &[u8], kind: MetricType) -> Gathered {
        Gathered {
            name: name.into(),
            kind,
            length: 0,
            held: Vec::new(),
            changed: Vec::new(),
            text: Arc::new(b""),
            table: None,
        }
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Let these samples take the place of what the owner had.
    pub fn put(&mut self, samples: &Samples, owner: Owner) {
        if samples.is_empty() {
            return self.remove(owner);
        }
        let held = Held { owner, samples: Kept::new(detached(samples)) };
        self.length += samples.len();
        match self.place(owner) {
            Ok(place) => {
                self.length -= self.held[place].samples.len();
                self.held[place] = held;
            }
            Err(place) => self.held.insert(place, held),
        }
        self.mark(owner);
    }

    /// Forget what the owner had, if it had anything.
    pub fn remove(&mut self, owner: Owner) {
        if let Ok(place) = self.place(owner) {
            self.length -= self.held.remove(place).samples.len();
            self.mark(owner);
        }
    }

    fn place(&self, owner: Owner) -> Result<usize, usize> {
        self.held.binary_search_by_key(&owner, |held| held.owner)
    }

    fn mark(&mut self, owner: Owner) {
        // Of a text that is to be written anew, it is enough to know that.
        if self.changed.is_empty() || (self.table.is_some() && self.changed.last() != Some(&owner)) {
            self.changed.push(owner);
        }
    }

    /// Those that have samples, in the order of their numbers.
    pub fn owners(&self) -> impl Iterator<Item = Owner> {
        self.held.iter().map(|held| held.owner)
    }

    /// The samples of all owners.
    pub fn samples(&self) -> Samples {
        united(&self.held)
    }

    /// The text, if nothing has changed since it was written.
    pub fn text(&self) -> Option<&Text> {
        self.changed.is_empty().then_some(&self.text)
    }

    /// What makes another text of the one that there is. It says nothing about later changes of the samples.
    pub fn change(&mut self) -> Change {
        let few = if self.table.is_some() { FEW_LINES / 2 } else { FEW_LINES };
        if self.length <= few {
            let samples = self.samples();
            let family = Family { name: &self.name, kind: self.kind, help: None, samples: (&samples).into() };
            return Change::anew(encode_samples(&family));
        }
        // There may be forms that no line is of any more.
        let known = self.table.take().filter(|table| table.forms.all.len() <= table.lines.len() + FEW_FORMS);
        let mut table = known.unwrap_or_else(|| {
            self.changed = self.owners().collect();
            Box::default()
        });
        self.changed.sort_unstable();
        self.changed.dedup();
        let places = self.changed.iter().filter_map(|&owner| self.place(owner).ok());
        let changed: Vec<&Held> = places.map(|place| &self.held[place]).collect();
        let samples = united(changed.iter().copied());
        let rows = |held: &&Held| (0..held.samples.len() as u32).map(|row| (held.owner, row)).collect::<Vec<_>>();
        let rows: Vec<(Owner, u32)> = changed.iter().flat_map(rows).collect();
        let mut speller = Speller::default();
        speller.begin(&self.name, self.kind);
        let mut written = Lines::default();
        let mut values = Values::new(false);
        samples.views().for_each(|view| written.push(|text| push_sample(text, &mut speller, &mut values, view)));
        let entries = order(&speller, (&samples).into(), &written);
        let mut found = Found::default();
        let line_of = |entry: &Entry| {
            let (plan, labels) = written.form(entry);
            let form =
                found.form(&mut table.forms, plan, speller.plan(plan), &written.text, written.labels(&speller, entry));
            let (place, (owner, row)) = (written.line(entry), rows[entry.index as usize]);
            let length = u32::try_from(place.len()).unwrap_or_else(|_| panic!("a line takes more than 4 GiB"));
            (Line { length, owner, row, form, labels }, place.start)
        };
        let fresh: Vec<(Line, usize)> = entries.iter().map(line_of).collect();
        let change = Merge { family: self, starts: table.starts(), table: &table }.with(&fresh, written.text);
        self.table = Some(table);
        change
    }

    fn written(&self) -> &[u8] {
        (*self.text).as_ref()
    }

    /// Let a change, which [`Gathered::change`] has just returned, have happened; the text is what it wrote.
    pub fn accept(&mut self, change: Change, text: Text) {
        self.text = text;
        match (change.lines, &mut self.table) {
            (Some(lines), Some(table)) => table.lines = lines,
            (_, table) => *table = None,
        }
        self.changed = Vec::new();
        self.held.shrink_to_fit();
    }
}

impl Table {
    /// Where the lines start, and where the last one ends.
    fn starts(&self) -> Vec<usize> {
        let mut starts = Vec::with_capacity(self.lines.len() + 1);
        let mut end = 0;
        starts.push(end);
        for line in &self.lines {
            end += line.length as usize;
            starts.push(end);
        }
        starts
    }
}

/// The lines that there are, while others are merged into them.
struct Merge<'a> {
    family: &'a Gathered,
    table: &'a Table,
    starts: Vec<usize>,
}

impl Merge<'_> {
    /// Merge lines that come in order, each with its start in the text, into those that are to stay.
    fn with(&self, fresh: &[(Line, usize)], text: Vec<u8>) -> Change {
        let lines = &self.table.lines;
        let stays = |&line: &u32| self.family.changed.binary_search(&lines[line as usize].owner).is_err();
        let kept: Vec<u32> = (0..lines.len() as u32).filter(stays).collect();
        // How far apart two places are, if the lines come from anywhere.
        let stride = kept.len() / fresh.len().max(1);
        let mut places = Vec::with_capacity(fresh.len());
        let mut last = 0;
        for (line, start) in fresh {
            last += self.lines_before(&kept[last..], stride, Side { line, text: &text, start: *start });
            places.push(last);
        }
        let mut change = Change { lines: None, pieces: Vec::new(), length: 0, text };
        let mut merged = Vec::with_capacity(kept.len() + fresh.len());
        let mut last = 0;
        for (place, (line, start)) in places.into_iter().zip(fresh) {
            self.push_kept(&kept[last..place], &mut change, &mut merged);
            change.push(Source::Fresh, *start..start + line.length as usize);
            merged.push(*line);
            last = place;
        }
        self.push_kept(&kept[last..], &mut change, &mut merged);
        change.lines = Some(merged);
        change
    }

    /// Append lines that stay.
    fn push_kept(&self, kept: &[u32], change: &mut Change, merged: &mut Vec<Line>) {
        for run in kept.chunk_by(|line, next| line + 1 == *next) {
            let (first, end) = (run[0] as usize, run[0] as usize + run.len());
            change.push(Source::Old, self.starts[first]..self.starts[end]);
            merged.extend_from_slice(&self.table.lines[first..end]);
        }
    }

    /// How many of these lines stand before another one, to be found about so far from the first.
    fn lines_before(&self, kept: &[u32], stride: usize, other: Side<'_>) -> usize {
        let is_before = |&line: &u32| self.compare(self.side(line), other).is_lt();
        let (mut first, mut step) = (0, stride + 1);
        while kept.get(first + step).is_some_and(is_before) {
            first += step + 1;
            step *= 2;
        }
        first + kept[first..kept.len().min(first + step)].partition_point(is_before)
    }

    fn compare(&self, a: Side<'_>, b: Side<'_>) -> Ordering {
        let labels = self.labels(a).compare(&self.labels(b));
        labels.then_with(|| self.rest(a).cmp(&self.rest(b))).then_with(|| a.line.owner.cmp(&b.line.owner))
    }

    fn side(&self, line: u32) -> Side<'_> {
        let line = line as usize;
        Side { line: &self.table.lines[line], text: self.family.written(), start: self.starts[line] }
    }

    fn labels<'t>(&self, side: Side<'t>) -> Labels<'t> {
        let (line, form) = (side.line, &self.table.forms.all[side.line.form as usize]);
        let start = side.start + form.head + usize::from(line.labels > 0);
        let end = start + line.labels as usize;
        Labels { number: form.labels, class: form.class, text: side.text, start, end }
    }

    fn rest(&self, side: Side<'_>) -> Rest<'_> {
        let (line, form) = (side.line, &self.table.forms.all[side.line.form as usize]);
        let held = self.family.place(line.owner).ok().map(|place| &self.family.held[place].samples);
        let time = held.and_then(|samples| samples.at(line.row as usize).time());
        let bound = bound_after(form.bound, &side.text[self.labels(side).end..side.start + line.length as usize]);
        Rest::new(time, form.rank, bound, &form.name)
    }
}

/// A line, with the text that it is in, and its start there.
#[derive(Clone, Copy)]
struct Side<'t> {
    line: &'t Line,
    text: &'t [u8],
    start: usize,
}

/// How to make one text of another.
pub struct Change {
    /// Those of the new text, where they are to be kept.
    lines: Option<Vec<Line>>,
    pieces: Vec<(Source, Range<usize>)>,
    /// How long the new text is.
    length: usize,
    /// Lines that are new, in any order.
    text: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq)]
enum Source {
    Old,
    Fresh,
}

impl Change {
    /// Nothing of the old text is in the new one.
    fn anew(text: Vec<u8>) -> Change {
        Change { lines: None, pieces: vec![(Source::Fresh, 0..text.len())], length: text.len(), text }
    }

    /// How long the new text is.
    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Write the new text to a place of its length.
    pub fn write(&self, family: &Gathered, out: &mut [u8]) {
        let old = family.written();
        let mut rest = out;
        for (source, piece) in &self.pieces {
            let (place, after) = rest.split_at_mut(piece.len());
            place.copy_from_slice(match source {
                Source::Old => &old[piece.clone()],
                Source::Fresh => &self.text[piece.clone()],
            });
            rest = after;
        }
    }

    fn push(&mut self, source: Source, piece: Range<usize>) {
        self.length += piece.len();
        match self.pieces.last_mut() {
            Some((last, range)) if *last == source && range.end == piece.start => range.end = piece.end,
            _ => self.pieces.push((source, piece)),
        }
    }
}

/// What lines have in common when they are compared: what is needed of a [`Plan`], whose number is good for one change only.
struct Form {
    name: Box<[u8]>,
    /// How much precedes the labels, but for the brace or comma right before them.
    head: usize,
    bound: Option<&'static [u8]>,
    rank: u8,
    labels: u32,
    class: u32,
}

#[derive(Default)]
struct Forms {
    all: Vec<Form>,
    /// By class, number of labels, and name.
    numbers: HashMap<Box<[u8]>, u32, RandomState>,
    /// By the label names, with a byte after each that no UTF-8 holds.
    classes: HashMap<Box<[u8]>, u32, RandomState>,
}

/// So many may be there beyond the number of lines.
const FEW_FORMS: usize = 64;

impl Forms {
    fn number(&mut self, plan: &Plan<'_>, class: u32) -> u32 {
        let key = [&class.to_le_bytes(), &plan.labels.to_le_bytes(), plan.name].concat();
        let (name, head) = (plan.name.into(), plan.head.len());
        let form = Form { name, head, bound: plan.bound, rank: plan.rank, labels: plan.labels, class };
        let next = self.all.len() as u32;
        let number = *self.numbers.entry(key.into()).or_insert(next);
        if number == next {
            self.all.push(form);
        }
        number
    }

    /// The class of lines with the names of these labels.
    fn class(&mut self, labels: &[u8]) -> u32 {
        let mut key = Vec::new();
        for item in Items::new(labels) {
            key.extend_from_slice(&decoded(item.name));
            key.push(0xFF);
        }
        let next = self.classes.len() as u32;
        *self.classes.entry(key.into()).or_insert(next)
    }
}

/// The forms of the plans, and their classes, that one change has met.
#[derive(Default)]
struct Found {
    forms: HashMap<u32, u32, RandomState>,
    classes: HashMap<u32, u32, RandomState>,
}

impl Found {
    /// The form of lines of this plan, one of which has these labels in the text.
    fn form(&mut self, forms: &mut Forms, number: u32, plan: &Plan<'_>, text: &[u8], labels: Range<usize>) -> u32 {
        *self.forms.entry(number).or_insert_with(|| {
            let class = match plan.class {
                ESCAPED => ESCAPED,
                class => *self.classes.entry(class).or_insert_with(|| {
                    forms.class(if labels.is_empty() { b"" } else { &text[labels.start - 1..labels.end] })
                }),
            };
            forms.number(plan, class)
        })
    }
}

/// The samples of these owners, of whatever inputs.
fn united<'a>(held: impl IntoIterator<Item = &'a Held>) -> Samples {
    let mut all = Samples::default().concat([&Samples::default()]);
    held.into_iter().for_each(|held| held.samples.push_to(&mut all));
    all
}

/// The samples without a hold on an input. Blocks that were built may hold others as well, which an owner has in other families.
fn detached(samples: &Samples) -> Samples {
    let is_built = |part: &Part| !part.block.layout.placed && part.block.places.is_empty();
    if samples.parts().iter().all(is_built) { samples.clone() } else { samples.compact() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::Builder;
    use crate::encode::{Family, encode};
    use crate::escape::EscapingScheme;
    use crate::reading::read;

    fn text(family: &mut Gathered) -> String {
        let change = family.change();
        let mut out = vec![0; change.len()];
        change.write(family, &mut out);
        family.accept(change, Arc::new(out));
        let text = family.text().map(|text| (**text).as_ref().to_vec());
        String::from_utf8(text.expect("nothing has changed")).expect("UTF-8")
    }

    /// The text is that of all samples together.
    fn check(family: &mut Gathered) {
        let samples = family.samples();
        assert_eq!(samples.len(), family.len());
        assert!(samples.parts().iter().all(|part| !part.block.layout.placed));
        let all = Family { name: &family.name, kind: family.kind, help: None, samples: (&samples).into() };
        let all = String::from_utf8(encode(&[all], EscapingScheme::AllowUtf8, false)).expect("UTF-8");
        let (_, lines) = all.split_once('\n').expect("a line of the type");
        assert_eq!(text(family), lines);
        assert!(family.owners().is_sorted_by(|a, b| a < b) && family.changed.is_empty());
    }

    #[test]
    fn lines_are_merged() {
        let mut family = Gathered::new(b"a", MetricType::Gauge);
        assert!(family.is_empty() && family.text().is_some());
        family.put(&read("a{b=\"3\"} 1\na{b=\"1\"} 2\n"), 7);
        family.put(&read("a{b=\"2\"} 3\n"), 8);
        assert!(family.text().is_none());
        assert_eq!(text(&mut family), "a{b=\"1\"} 2\na{b=\"2\"} 3\na{b=\"3\"} 1\n");
        family.put(&read("a{b=\"0\"} 4\na{b=\"9\"} 5\na{b=\"2\"} 6\n"), 7);
        family.remove(9);
        check(&mut family);
        family.remove(8);
        check(&mut family);
        family.put(&Samples::default(), 7);
        assert_eq!(text(&mut family), "");
        assert!(family.is_empty());
    }

    #[test]
    fn of_equal_lines_those_of_the_first_owner_come_first() {
        let mut family = Gathered::new(b"a", MetricType::Gauge);
        for owner in [3, 1, 2] {
            family.put(&read(&format!("a {owner}.1\na {owner}.2\n")), owner);
        }
        assert_eq!(text(&mut family), "a 1.1\na 1.2\na 2.1\na 2.2\na 3.1\na 3.2\n");
        family.put(&read("a 2.3\n"), 2);
        family.put(&read("a 0.1\n"), 0);
        assert_eq!(text(&mut family), "a 0.1\na 1.1\na 1.2\na 2.3\na 3.1\na 3.2\n");
    }

    #[test]
    fn many_changes_at_a_time_are_merged_as_few_are() {
        let mut family = Gathered::new(b"a", MetricType::Gauge);
        let line = |number: usize| format!("a{{b=\"{}\",c=\"{number}\"}} {number}\n", number * 7919 % 1009);
        let mut turn = 0;
        for owners in [1, 200, 1, 3, 50, 120] {
            for _ in 0..owners {
                turn += 1;
                let lines: String = (0..turn % 8).map(|number| line(31 * turn + number)).collect();
                family.put(&read(&lines), turn as Owner * 37 % 211);
            }
            check(&mut family);
        }
    }

    #[test]
    fn samples_of_all_kinds_are_compared() {
        let lines = [
            "{\"h\",\"a.b\"=\"x\"} 1",
            "h 1",
            "h 1 5",
            "h_bucket 1",
            "h_bucket{a=\"1\",le=\"0.5\"} 1",
            "h_bucket{a=\"1\",le=\"5e-1\"} 2",
            "h_bucket{le=\"x\",a=\"1\"} 1",
            "h_bucket{a=\"1\"} 1",
            "h_bucket{le=\"+Inf\"} 1 -7",
            "h_bucket{le=\"+Inf\"} 2",
            "h_bucket{le=\"10\"} 1",
            "h_bucket{a=\"\\\\\",le=\"1\"} 1",
            "h_count{a=\"1\"} 1",
            "h_sum{a=\"1\"} 1",
            "h_sum{b=\"1\"} 1",
            "h_sum{b=\"1\\n\"} 1",
            "h_sum{b=\"1\",a=\"1\"} 1",
        ];
        for kind in [MetricType::Histogram, MetricType::Gauge] {
            let mut family = Gathered::new(b"h", kind);
            for turn in 0..200 {
                let lines = (0..turn % 4 + 1).map(|number| lines[(turn * 7 + number * turn) % lines.len()]);
                let samples = read(&lines.map(|line| format!("{line}\n")).collect::<String>());
                family.put(&if turn % 3 == 0 { samples.compact() } else { samples }, turn as Owner * 5 % 17);
                check(&mut family);
            }
        }
    }

    #[test]
    fn what_no_line_has_any_more_is_forgotten() {
        let mut family = Gathered::new(b"a", MetricType::Gauge);
        family.put(&read(&(0..FEW_LINES).map(|number| format!("a{{d=\"{number}\"}} 1\n")).collect::<String>()), 1);
        for number in 0..1000 {
            family.put(&read(&format!("a{{c{number}=\"x\"}} 1\n")), 2);
            check(&mut family);
            let forms = &family.table.as_ref().expect("lines are many").forms;
            assert!(forms.all.len() < FEW_FORMS + 10 && forms.classes.len() < FEW_FORMS + 10);
        }
    }

    #[test]
    fn families_of_few_lines_have_no_table() {
        let lines =
            |count: usize| read(&(0..count).map(|number| format!("a{{d=\"{number}\"}} 1\n")).collect::<String>());
        let mut family = Gathered::new(b"a", MetricType::Gauge);
        for (count, tabled) in [(FEW_LINES, false), (FEW_LINES + 1, true), (FEW_LINES, true), (FEW_LINES / 2, false)] {
            family.put(&lines(count), 1);
            check(&mut family);
            assert_eq!(family.table.is_some(), tabled);
        }
    }

    #[test]
    fn what_a_change_that_was_not_accepted_knew_is_not_forgotten() {
        let mut family = Gathered::new(b"a", MetricType::Gauge);
        (0..9).for_each(|owner| family.put(&read(&format!("a{{d=\"{owner}\"}} 1\n")), owner));
        check(&mut family);
        family.remove(8);
        drop(family.change());
        family.put(&read("a{d=\"x\"} 1\n"), 3);
        check(&mut family);
        let few = FEW_LINES as Owner / 2;
        (few..9).for_each(|owner| family.remove(owner));
        drop(family.change());
        (few..9).for_each(|owner| family.put(&read(&format!("a{{d=\"{owner}\"}} 2\n")), owner));
        drop(family.change());
        family.remove(0);
        check(&mut family);
    }

    #[test]
    fn blocks_that_were_built_are_shared() {
        let mut family = Gathered::new(b"a", MetricType::Gauge);
        let mut builder = Builder::default();
        (0..3).for_each(|_| builder.push(b"a", [], 1.0, None, None, None));
        let samples = builder.finish();
        family.put(&samples, 1);
        family.put(&samples.slice(0, 2), 2);
        let held = family.samples();
        let is_shared = |part: &Part| Arc::ptr_eq(&part.block, &samples.parts()[0].block);
        assert!(held.parts().iter().all(is_shared));
        assert_eq!(held.len(), 5);
        assert_eq!((size_of::<Line>(), size_of::<Held>()), (20, 24));
    }
}
