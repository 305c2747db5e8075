//! The samples of one family from several owners, and their canonical text.
//!
//! The text is kept, and a table of its lines. When some owners' samples have changed, their new lines are sorted among
//! themselves, each finds its place among the lines of the other owners by a binary search, and all that stands between two
//! such places is copied in one piece.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::block::Text;
use crate::encode::{Values, push_sample};
use crate::family::MetricType;
use crate::label::{Items, decoded};
use crate::order::{Entry, Labels, Lines, Rest, bound_after, order};
use crate::plan::{ESCAPED, Plan};
use crate::samples::{Part, Samples};
use crate::series::Owner;
use crate::spell::Speller;

/// The samples of one family from several owners.
pub struct Gathered {
    name: Box<[u8]>,
    kind: MetricType,
    /// How many samples there are.
    length: usize,
    /// By the numbers of slots, which lines name.
    slots: Vec<Slot>,
    /// For each owner its slot. Those that have been left without samples are among them until their lines are removed.
    numbers: BTreeMap<Owner, u32>,
    free: Vec<u32>,
    /// The slots whose samples are not those of the lines.
    changed: Vec<u32>,
    forms: Forms,
    lines: Vec<Line>,
    text: Text,
}

/// The samples of an owner.
struct Slot {
    owner: Owner,
    changed: bool,
    samples: Samples,
}

/// A line of the text. It ends where the next one starts. This is kept small: the lines are many.
#[derive(Clone, Copy)]
struct Line {
    start: usize,
    slot: u32,
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
            slots: Vec::new(),
            numbers: BTreeMap::new(),
            free: Vec::new(),
            changed: Vec::new(),
            forms: Forms::default(),
            lines: Vec::new(),
            text: Arc::new(b""),
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
        let samples = detached(samples);
        self.length += samples.len();
        let number = match self.numbers.get(&owner) {
            Some(&number) => {
                let slot = &mut self.slots[number as usize];
                self.length -= slot.samples.len();
                slot.samples = samples;
                number
            }
            None => self.add(Slot { owner, changed: false, samples }),
        };
        self.mark(number);
    }

    /// Forget what the owner had, if it had anything.
    pub fn remove(&mut self, owner: Owner) {
        let Some(&number) = self.numbers.get(&owner) else { return };
        let samples = std::mem::take(&mut self.slots[number as usize].samples);
        if !samples.is_empty() {
            self.length -= samples.len();
            self.mark(number);
        }
    }

    fn add(&mut self, slot: Slot) -> u32 {
        let owner = slot.owner;
        let number = match self.free.pop() {
            Some(number) => {
                self.slots[number as usize] = slot;
                number
            }
            None => {
                self.slots.push(slot);
                self.slots.len() as u32 - 1
            }
        };
        self.numbers.insert(owner, number);
        number
    }

    fn mark(&mut self, number: u32) {
        let slot = &mut self.slots[number as usize];
        if !slot.changed {
            slot.changed = true;
            self.changed.push(number);
        }
    }

    /// Those that have samples, and these, in the order of the owners' numbers.
    pub fn owners(&self) -> impl Iterator<Item = (Owner, &Samples)> {
        let held = self.numbers.iter().map(|(&owner, &number)| (owner, &self.slots[number as usize].samples));
        held.filter(|(_, samples)| !samples.is_empty())
    }

    /// The samples of all owners.
    pub fn samples(&self) -> Samples {
        Samples::default().concat(self.owners().map(|(_, samples)| samples))
    }

    /// The text, if nothing has changed since it was written.
    pub fn text(&self) -> Option<&Text> {
        self.changed.is_empty().then_some(&self.text)
    }

    /// What makes another text of the one that there is. It says nothing about later changes of the samples.
    pub fn change(&mut self) -> Change {
        if self.forms.all.len() > self.lines.len() + FEW_FORMS {
            self.forget_lines();
        }
        let slots = &self.slots;
        let mut changed = self.changed.clone();
        changed.sort_unstable_by_key(|&number| slots[number as usize].owner);
        let samples = Samples::default().concat(changed.iter().map(|&number| &slots[number as usize].samples));
        let rows = |&number: &u32| (0..slots[number as usize].samples.len() as u32).map(move |row| (number, row));
        let rows: Vec<(u32, u32)> = changed.iter().flat_map(rows).collect();
        let mut speller = Speller::default();
        speller.begin(&self.name, self.kind);
        let mut written = Lines::default();
        let mut values = Values::new(false);
        samples.views().for_each(|view| written.push(|text| push_sample(text, &mut speller, &mut values, view)));
        let entries = order(&speller, (&samples).into(), &written);
        let mut found = Found::default();
        let form_of = |entry: &Entry| {
            let (plan, labels) = written.form(entry);
            let form =
                found.form(&mut self.forms, plan, speller.plan(plan), &written.text, written.labels(&speller, entry));
            let (place, (slot, row)) = (written.line(entry), rows[entry.index as usize]);
            (Line { start: place.start, slot, row, form, labels }, place.end)
        };
        let fresh: Vec<(Line, usize)> = entries.iter().map(form_of).collect();
        self.merge(&fresh, written.text)
    }

    /// Merge lines that come in order into those that are to stay.
    fn merge(&self, fresh: &[(Line, usize)], text: Vec<u8>) -> Change {
        let changed: Vec<bool> = self.slots.iter().map(|slot| slot.changed).collect();
        let stays = |&line: &u32| !changed[self.lines[line as usize].slot as usize];
        let kept: Vec<u32> = (0..self.lines.len() as u32).filter(stays).collect();
        // How far apart two places are, if the lines come from anywhere.
        let stride = kept.len() / fresh.len().max(1);
        let mut places = Vec::with_capacity(fresh.len());
        let mut last = 0;
        for (line, end) in fresh {
            last += self.lines_before(&kept[last..], stride, Side { line, text: &text, end: *end });
            places.push(last);
        }
        let mut change =
            Change { lines: Vec::with_capacity(kept.len() + fresh.len()), pieces: Vec::new(), length: 0, text };
        let mut last = 0;
        for (place, (line, end)) in places.into_iter().zip(fresh) {
            change.push_kept(self, &kept[last..place]);
            change.push(&[*line], Source::Fresh, line.start..*end);
            last = place;
        }
        change.push_kept(self, &kept[last..]);
        change
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
        let owner = |side: Side<'_>| self.slots[side.line.slot as usize].owner;
        let labels = self.labels(a).compare(&self.labels(b));
        labels.then_with(|| self.rest(a).cmp(&self.rest(b))).then_with(|| owner(a).cmp(&owner(b)))
    }

    fn side(&self, line: u32) -> Side<'_> {
        Side { line: &self.lines[line as usize], text: self.written(), end: self.end(line) }
    }

    fn labels<'t>(&self, side: Side<'t>) -> Labels<'t> {
        let (line, form) = (side.line, &self.forms.all[side.line.form as usize]);
        let start = line.start + form.head + usize::from(line.labels > 0);
        let end = start + line.labels as usize;
        Labels { number: form.labels, class: form.class, text: side.text, start, end }
    }

    fn rest(&self, side: Side<'_>) -> Rest<'_> {
        let (line, form) = (side.line, &self.forms.all[side.line.form as usize]);
        let time = self.slots[line.slot as usize].samples.at(line.row as usize).time();
        let bound = bound_after(form.bound, &side.text[self.labels(side).end..side.end]);
        Rest::new(time, form.rank, bound, &form.name)
    }

    fn written(&self) -> &[u8] {
        (*self.text).as_ref()
    }

    /// Where a line ends.
    fn end(&self, line: u32) -> usize {
        self.lines.get(line as usize + 1).map_or(self.written().len(), |next| next.start)
    }

    /// Let a change, which [`Gathered::change`] has just returned, have happened; the text is what it wrote.
    pub fn accept(&mut self, change: Change, text: Text) {
        self.lines = change.lines;
        self.text = text;
        for number in self.changed.drain(..) {
            let slot = &mut self.slots[number as usize];
            slot.changed = false;
            if slot.samples.is_empty() {
                self.numbers.remove(&slot.owner);
                self.free.push(number);
            }
        }
    }

    /// Begin anew, without forms that no line is of.
    fn forget_lines(&mut self) {
        self.forms = Forms::default();
        self.lines = Vec::new();
        self.text = Arc::new(b"");
        let numbers: Vec<u32> = self.numbers.values().copied().collect();
        numbers.into_iter().for_each(|number| self.mark(number));
    }
}

/// A line, with the text that it is in.
#[derive(Clone, Copy)]
struct Side<'t> {
    line: &'t Line,
    text: &'t [u8],
    end: usize,
}

/// How to make one text of another.
pub struct Change {
    /// Those of the new text.
    lines: Vec<Line>,
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

    /// Append lines that stay.
    fn push_kept(&mut self, family: &Gathered, kept: &[u32]) {
        for run in kept.chunk_by(|line, next| line + 1 == *next) {
            let (first, last) = (run[0], run[run.len() - 1]);
            let lines = &family.lines[first as usize..=last as usize];
            self.push(lines, Source::Old, lines[0].start..family.end(last));
        }
    }

    /// Append lines that stand one after the other.
    fn push(&mut self, lines: &[Line], source: Source, piece: Range<usize>) {
        let start = self.length;
        self.lines.extend(lines.iter().map(|line| Line { start: line.start - piece.start + start, ..*line }));
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
        assert_eq!(family.slots.len() - family.free.len(), family.owners().count());
        assert_eq!(family.numbers.len(), family.owners().count());
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
        family.put(&read("a{b=\"1\"} 1\na{d=\"1\"} 1\n"), 1);
        for number in 0..1000 {
            family.put(&read(&format!("a{{c{number}=\"x\"}} 1\n")), 2);
            check(&mut family);
            assert!(family.forms.all.len() < FEW_FORMS + 10 && family.forms.classes.len() < FEW_FORMS + 10);
        }
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
        assert_eq!(size_of::<Line>(), 24);
    }
}
