//! The quick way to read lines: they are compared with what is known, and read if nothing is unusual about them.
//!
//! Each function here either reads a line whole, or gives `None` and has changed nothing; then the careful way reads it.

use super::line::{label_name_end, metric_name_end};
use super::number;
use super::search::{Wanted, continues, line_stop, string_stop};
use super::{Counts, NONE, Scanner};
use crate::block::{IRREGULAR, NO_LABELS, Name, Row, Segment, Time};
use crate::family::MetricType;
use crate::fault::{Span, offset};

/// How many kinds of one name are compared with a line.
const MOST_COMPARED: usize = 4;
/// How many labels a new shape may have: their names are compared with each other.
const MOST_LABELS: usize = 12;

impl Scanner<'_> {
    /// Read a sample, and those after it that are of its kind.
    #[inline(always)]
    pub(super) fn quick_samples(&mut self, at: usize) -> Option<usize> {
        if !self.utf8 {
            return None;
        }
        let next = self.same_kind(at);
        if next > at { Some(next) } else { self.other_kind(at) }
    }

    /// Read samples of the same kind as the last one, as many as follow each other; gives where they end.
    fn same_kind(&mut self, mut at: usize) -> usize {
        let Some(facts) = self.kind_facts.get(self.kind as usize) else { return at };
        let (text, checked, kind) = (self.text, self.checked, self.kind);
        let wanted = &self.wanted[facts.wanted.0 as usize..facts.wanted.1 as usize];
        let mut last = None;
        while at < checked {
            let Some(after) = facts.prefix.end(text, at) else { break };
            let Some(rest) = rest_of(text, after, wanted, facts.counts) else { break };
            if rest.time != Time::ABSENT || !self.times.is_empty() {
                self.times.resize(self.rows.len(), Time::ABSENT);
                self.times.push(rest.time);
            }
            let labels = if facts.brace == NO_LABELS { NO_LABELS } else { offset(at) + facts.brace };
            self.rows.push(Row { value: rest.value, start: offset(at), labels, end: offset(rest.end), kind });
            last = Some(at);
            at = rest.end + 1;
        }
        if let Some(last) = last {
            self.last_name = Span::new(last, last + facts.name_length as usize);
        }
        at
    }

    /// Read a sample of another kind than the last one.
    fn other_kind(&mut self, at: usize) -> Option<usize> {
        let text = self.text;
        // More often than not it is the first sample after the metadata of its family.
        let (name, end) = match self.declared_name(at) {
            Some((family, end)) => (self.families[family as usize].name, end),
            None => {
                let end = metric_name_end(text, at)?;
                match self.known_name(&text[at..end]) {
                    Some(known) => (known, end),
                    None => return self.first_of_name(at, end, NONE),
                }
            }
        };
        let facts = self.name_facts[name as usize];
        let mut kind = facts.kind;
        if kind == NONE {
            return if facts.irregular == NONE { self.first_of_name(at, end, name) } else { None };
        }
        for _ in 0..MOST_COMPARED {
            let facts = self.kind_facts.get(kind as usize)?;
            if let Some(after) = facts.prefix.end(text, at) {
                let wanted = &self.wanted[facts.wanted.0 as usize..facts.wanted.1 as usize];
                if let Some(rest) = rest_of(text, after, wanted, facts.counts) {
                    let brace = if facts.brace == NO_LABELS { NO_LABELS } else { offset(at) + facts.brace };
                    return self.accept(at, end, kind, brace, rest);
                }
            }
            kind = facts.before;
        }
        None
    }

    /// Append a sample of a known kind.
    fn accept(&mut self, start: usize, name_end: usize, kind: u32, labels: u32, rest: Rest) -> Option<usize> {
        let family = self.kind_facts[kind as usize].family;
        let name = Span::new(start, name_end);
        if family != self.family {
            if self.families[family as usize].last_name.is_some() {
                // A family that goes on after another one is a fault.
                return None;
            }
            self.change_family(family, name);
        }
        self.last_name = name;
        self.kind = kind;
        self.push(Row { value: rest.value, start: offset(start), labels, end: offset(rest.end), kind }, rest.time);
        Some(rest.end + 1)
    }

    /// Read the first sample of a name, which may have a family already.
    fn first_of_name(&mut self, start: usize, end: usize, known: u32) -> Option<usize> {
        let text = self.text;
        let mut found = [Segment::default(); MOST_LABELS + 1];
        let mut labels = 0;
        let mut shape = IRREGULAR;
        let mut after = end;
        if text.get(end) == Some(&b'{') {
            match self.recent_shape(end) {
                Some(shared) => (shape, after) = shared,
                None => (labels, after) = new_labels(text, end, &mut found)?,
            }
        }
        let rest = rest_of(text, after, &[], Counts::Any)?;
        let span = Span::new(start, end);
        let number = if known == NONE { self.name_number(&text[start..end], Name::Written(span)) } else { known };
        let (family, counts) = self.target(number, start, span);
        if !counts.allow(rest.value) || (family != self.family && self.families[family as usize].last_name.is_some()) {
            return None;
        }
        if labels > 0 {
            shape = self.add_shape(&found[..=labels]);
        }
        let mut brace = NO_LABELS;
        let mut prefix_end = end;
        if let Some(shape) = self.shapes.get(shape as usize) {
            brace = offset(end);
            prefix_end += self.wanted[shape.first as usize].whole.len();
        }
        let kind = self.add_kind(number, Span::new(start, prefix_end), offset(end), brace, shape);
        self.accept(start, end, kind, brace, rest)
    }

    /// The shape of a label set, if another family just had the same labels, and where the set ends.
    fn recent_shape(&mut self, brace: usize) -> Option<(u32, usize)> {
        for position in 0..self.recent.len() {
            let number = self.recent[position];
            let shape = self.shapes.get(number as usize)?;
            let wanted = &self.wanted[shape.first as usize..=(shape.first + shape.labels) as usize];
            if let Some(end) = labels_like(self.text, brace, wanted) {
                self.recent[..=position].rotate_right(1);
                return Some((number, end));
            }
        }
        None
    }

    /// Read a HELP line of a new family, or the TYPE line of a new family or of one whose HELP line is just before it.
    pub(super) fn quick_metadata(&mut self, at: usize) -> Option<usize> {
        match self.text.get(at..at + 7)? {
            b"# HELP " if self.utf8 => self.quick_help(at, at + 7),
            b"# TYPE " => self.quick_type(at, at + 7),
            _ => None,
        }
    }

    fn quick_help(&mut self, start: usize, name: usize) -> Option<usize> {
        let text = self.text;
        let end = metric_name_end(text, name)?;
        let docstring = end + 1;
        if text.get(end) != Some(&b' ') || matches!(text.get(docstring)?, b' ' | b'\t' | b'\n') {
            return None;
        }
        let stop = line_stop(text, docstring)?;
        if text[stop] != b'\n' || text[stop - 1] == b'\r' {
            return None;
        }
        let number = self.new_family(start, Span::new(name, end))?;
        let family = &mut self.families[number as usize];
        family.help = Some(Span::new(docstring, stop));
        family.help_name = Some(Span::new(name, end));
        family.end = offset(stop + 1);
        self.declared = number;
        Some(stop + 1)
    }

    fn quick_type(&mut self, start: usize, name: usize) -> Option<usize> {
        let text = self.text;
        let (mut number, end) = match self.declared_name(name) {
            Some(declared) => declared,
            None => (NONE, metric_name_end(text, name)?),
        };
        let family = self.families.get(number as usize);
        if text.get(end) != Some(&b' ')
            || family.is_some_and(|family| family.type_name.is_some() || family.first_name.is_some())
        {
            return None;
        }
        let (kind, next) = type_word(text, end + 1)?;
        for suffix in kind.suffixes() {
            self.scratch.clear();
            self.scratch.extend_from_slice(&text[name..end]);
            self.scratch.extend_from_slice(suffix);
            if self.known_name(&self.scratch).is_some() {
                return None;
            }
        }
        if number == NONE {
            number = self.new_family(start, Span::new(name, end))?;
        }
        let family = &mut self.families[number as usize];
        (family.kind, family.type_name, family.end) = (kind, Some(Span::new(name, end)), offset(next));
        self.has_suffixes |= !kind.suffixes().is_empty();
        self.declared = number;
        Some(next)
    }

    /// The family that a metadata line spoke of last, if the text goes on with its name; and where that ends.
    #[inline(always)]
    fn declared_name(&self, at: usize) -> Option<(u32, usize)> {
        let name = self.name(self.families.get(self.declared as usize)?.name);
        let end = at + name.len();
        (continues(self.text, at, name) && matches!(self.text.get(end), Some(b' ' | b'{')))
            .then_some((self.declared, end))
    }

    /// A family of a name that nothing is known of.
    fn new_family(&mut self, start: usize, name: Span) -> Option<u32> {
        let bytes = name.of(self.text);
        let (hash, known) = self.look_up(bytes);
        if known.is_some() || self.owner_by_suffix(bytes).is_some() {
            return None;
        }
        let number = self.add_name(hash, Name::Written(name));
        Some(self.add_family(number, start, name))
    }
}

/// What follows the label values of a sample: its value, its time, and where its line feed stands.
struct Rest {
    value: f64,
    time: Time,
    end: usize,
}

/// Read from the first label value on, or from the end of the name where there is none.
#[inline(always)]
fn rest_of(text: &[u8], at: usize, wanted: &[Wanted], counts: Counts) -> Option<Rest> {
    let at = values_like(text, at, wanted)?;
    if *text.get(at)? != b' ' {
        return None;
    }
    let (value, mut end) = number::value(text, at + 1)?;
    let mut time = Time::ABSENT;
    if text[end] == b' ' {
        (time.ms, end) = number::milliseconds(text, end + 1)?;
        time.nanos = 0;
    }
    counts.allow(value).then_some(Rest { value, time, end })
}

/// Where a label set ends that has values between these segments, the first of which was read.
#[inline(always)]
fn values_like(text: &[u8], mut at: usize, wanted: &[Wanted]) -> Option<usize> {
    for segment in wanted {
        at = segment.end(text, string_stop(text, at)?)?;
    }
    Some(at)
}

/// Where a label set ends that has these segments, none if it hasn't, or if there are none.
fn labels_like(text: &[u8], brace: usize, wanted: &[Wanted]) -> Option<usize> {
    let (first, rest) = wanted.split_first()?;
    values_like(text, first.end(text, brace)?, rest)
}

/// The segments of a label set without blanks; gives how many labels it has, and where it ends.
fn new_labels(text: &[u8], brace: usize, found: &mut [Segment; MOST_LABELS + 1]) -> Option<(usize, usize)> {
    let mut segment = brace;
    let mut at = brace + 1;
    for number in 0..MOST_LABELS {
        let end = label_name_end(text, at)?;
        let name = &text[at..end];
        let is_known = found[..number].iter().any(|other| other.name.of(text) == name);
        if is_known || name.starts_with(b"__") || text.get(end..end + 2)? != b"=\"" {
            return None;
        }
        found[number] = Segment { text: Span::new(segment, end + 2), name: Span::new(at, end) };
        segment = string_stop(text, end + 2)?;
        let (is_last, length) = match text.get(segment..segment + 3)? {
            b"\",}" => (true, 3),
            [b'"', b'}', _] => (true, 2),
            [b'"', b',', _] => (false, 2),
            _ => return None,
        };
        at = segment + length;
        if is_last {
            found[number + 1] = Segment { text: Span::new(segment, at), name: Span::default() };
            return Some((number + 1, at));
        }
    }
    None
}

/// The type that a word of the text format means, if it ends the line; and where the next line begins.
#[inline(always)]
fn type_word(text: &[u8], at: usize) -> Option<(MetricType, usize)> {
    let rest = text.get(at..)?;
    let (kind, length) = match rest.first()? {
        b'c' => (MetricType::Counter, 7),
        b'g' => (MetricType::Gauge, 5),
        b'h' => (MetricType::Histogram, 9),
        b's' => (MetricType::Summary, 7),
        b'u' => (MetricType::Unknown, 7),
        _ => return None,
    };
    let word = if kind == MetricType::Unknown { "untyped" } else { kind.as_str() };
    (rest.starts_with(word.as_bytes()) && rest.get(length) == Some(&b'\n')).then_some((kind, at + length + 1))
}
