//! The quick way to read lines: they are compared with what is known, and read if nothing is unusual about them.
//!
//! Each function here either reads whole lines, or gives `None` and has changed nothing that the careful way, which then reads
//! the line, would not change as well.

use super::line::{label_name_end, metric_name_end};
use super::number;
use super::search::{Wanted, continues, line_stop, string_stop};
use super::{Counts, Family, KindFacts, NONE, Scanner};
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
        let (text, checked, kind) = (self.text, self.checked, self.kind);
        let Some(facts) = self.kind_facts.get_mut(kind as usize) else { return at };
        if facts.ready == NONE {
            if !continues(text, at, facts.prefix.of(text)) {
                return at;
            }
            facts.ready = offset(self.prefixes.len());
            self.prefixes.push(Wanted::new(text, facts.prefix));
        }
        let prefix = &self.prefixes[facts.ready as usize];
        let wanted = &self.wanted[facts.wanted.0 as usize..facts.wanted.1 as usize];
        let mut last = None;
        while at < checked {
            let Some(after) = prefix.end(text, at) else { break };
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
        let end = metric_name_end(self.text, at)?;
        match self.look_up(&self.text[at..end]) {
            Ok(number) => {
                let facts = self.name_facts[number as usize];
                match (facts.kind, facts.irregular) {
                    (NONE, NONE) => self.first_of_name(at, end, Ok(number)),
                    (NONE, _) => None,
                    (kind, _) => self.known_kind(at, end, kind),
                }
            }
            Err(hash) => self.first_of_name(at, end, Err(hash)),
        }
    }

    /// Read a sample of a name that has kinds.
    fn known_kind(&mut self, at: usize, end: usize, mut kind: u32) -> Option<usize> {
        let text = self.text;
        for _ in 0..MOST_COMPARED {
            let facts = self.kind_facts.get(kind as usize)?;
            if let Some(after) = self.prefix_end(facts, at) {
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

    /// Where the prefix of a kind ends, if the text continues with it.
    #[inline]
    fn prefix_end(&self, facts: &KindFacts, at: usize) -> Option<usize> {
        match self.prefixes.get(facts.ready as usize) {
            Some(prefix) => prefix.end(self.text, at),
            None => continues(self.text, at, facts.prefix.of(self.text)).then_some(at + facts.prefix.len()),
        }
    }

    /// Append a sample of a known kind.
    #[inline]
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

    /// Read the first sample of a name, given by its number or its hash. It may have a family already.
    fn first_of_name(&mut self, start: usize, end: usize, name: Result<u32, u32>) -> Option<usize> {
        let (labels, rest) = self.first_labels(end)?;
        let span = Span::new(start, end);
        let number = name.unwrap_or_else(|hash| self.add_name(hash, Name::Written(span)));
        let (family, counts) = self.target(number, start, span);
        if !counts.allow(rest.value) || (family != self.family && self.families[family as usize].last_name.is_some()) {
            return None;
        }
        Some(self.append_first(span, number, labels, rest))
    }

    /// Read what follows the name in a line that is the first one with the name.
    #[inline(always)]
    fn first_labels(&mut self, brace: usize) -> Option<(FirstLabels, Rest)> {
        let (labels, after) = match self.text.get(brace)? {
            b'{' => match self.recent_shape(brace) {
                Some((shape, end)) => (FirstLabels::OfShape(shape), end),
                None => (FirstLabels::New, self.new_labels(brace)?),
            },
            _ => (FirstLabels::None, brace),
        };
        Some((labels, rest_of(self.text, after, &[], Counts::Any)?))
    }

    /// Append the first sample of a name whose target is known; gives where the next line begins.
    #[inline(always)]
    fn append_first(&mut self, name: Span, number: u32, labels: FirstLabels, rest: Rest) -> usize {
        let shape = match labels {
            FirstLabels::None => IRREGULAR,
            FirstLabels::OfShape(shape) => shape,
            FirstLabels::New => self.add_shape(),
        };
        let mut labels = NO_LABELS;
        let mut prefix = name;
        if let Some(shape) = self.shapes.get(shape as usize) {
            labels = name.end;
            prefix.end += offset(self.segments[shape.first as usize].text.len());
        }
        let kind = self.add_kind(number, prefix, name.end, labels, shape);
        let family = self.name_facts[number as usize].target;
        if family != self.family {
            self.change_family(family, name);
        }
        (self.last_name, self.kind) = (name, kind);
        self.push(Row { value: rest.value, start: name.start, labels, end: offset(rest.end), kind }, rest.time);
        rest.end + 1
    }

    /// The shape of a label set, if another family just had the same labels, and where the set ends.
    fn recent_shape(&mut self, brace: usize) -> Option<(u32, usize)> {
        for position in 0..self.recent.len() {
            let number = self.recent[position];
            let shape = self.shapes.get(number as usize)?;
            let wanted = &self.wanted[shape.first as usize..=(shape.first + shape.labels) as usize];
            if let Some(end) = labels_like(self.text, brace, wanted) {
                self.recent.copy_within(..position, 1);
                self.recent[0] = number;
                return Some((number, end));
            }
        }
        None
    }

    /// Read a label set without blanks, append its segments, and give where it ends.
    fn new_labels(&mut self, brace: usize) -> Option<usize> {
        let text = self.text;
        self.drop_segments();
        let first = self.segments.len();
        let mut segment = brace;
        let mut at = brace + 1;
        for _ in 0..MOST_LABELS {
            let end = label_name_end(text, at)?;
            let name = &text[at..end];
            let is_known = self.segments[first..].iter().any(|other| other.name.of(text) == name);
            if is_known || name.starts_with(b"__") || text.get(end..end + 2)? != b"=\"" {
                return None;
            }
            self.segments.push(Segment { text: Span::new(segment, end + 2), name: Span::new(at, end) });
            segment = string_stop(text, end + 2)?;
            let (is_last, length) = match text.get(segment..segment + 3)? {
                b"\",}" => (true, 3),
                [b'"', b'}', _] => (true, 2),
                [b'"', b',', _] => (false, 2),
                _ => return None,
            };
            at = segment + length;
            if is_last {
                self.segments.push(Segment { text: Span::new(segment, at), name: Span::default() });
                return Some(at);
            }
        }
        None
    }

    /// Read the HELP line, the TYPE line or both of a new family, and its first sample if that bears the same name.
    pub(super) fn quick_metadata(&mut self, start: usize) -> Option<usize> {
        let text = self.text;
        let is_help = match text.get(start..start + 7)? {
            b"# HELP " if self.utf8 => true,
            b"# TYPE " => false,
            _ => return None,
        };
        let end = metric_name_end(text, start + 7)?;
        if text.get(end) != Some(&b' ') {
            return None;
        }
        let span = Span::new(start + 7, end);
        let name = span.of(text);
        let hash = self.look_up(name).err()?;
        if self.owner_by_suffix(name).is_some() {
            return None;
        }
        let mut family = Family::new(offset(self.names.len()), start, span);
        let mut at = start;
        if is_help {
            let docstring = end + 1;
            if matches!(text.get(docstring)?, b' ' | b'\t' | b'\n') {
                return None;
            }
            let stop = line_stop(text, docstring)?;
            if text[stop] != b'\n' || text[stop - 1] == b'\r' {
                return None;
            }
            (family.help, family.help_name) = (Some(Span::new(docstring, stop)), Some(span));
            at = stop + 1;
        }
        if let Some((kind, span, next)) = self.quick_type(at, name) {
            (family.kind, family.type_name) = (kind, Some(span));
            self.has_suffixes |= !kind.suffixes().is_empty();
            at = next;
        } else if !is_help {
            return None;
        }
        family.end = offset(at);
        let number = self.add_name(hash, Name::Written(span));
        let family = self.add_family(family);
        Some(self.first_of_family(at, name, number, family).unwrap_or(at))
    }

    /// The type of a new family with this name, if a TYPE line that says it begins here; where its name stands there, and
    /// where the next line begins.
    #[inline(always)]
    fn quick_type(&mut self, start: usize, name: &[u8]) -> Option<(MetricType, Span, usize)> {
        let text = self.text;
        let end = start + 7 + name.len();
        if text.get(start..start + 7)? != b"# TYPE "
            || text.get(end) != Some(&b' ')
            || !continues(text, start + 7, name)
        {
            return None;
        }
        let (kind, next) = type_word(text, end + 1)?;
        for suffix in kind.suffixes() {
            self.scratch.clear();
            self.scratch.extend_from_slice(name);
            self.scratch.extend_from_slice(suffix);
            if self.known_name(&self.scratch).is_some() {
                return None;
            }
        }
        Some((kind, Span::new(start + 7, end), next))
    }

    /// Read the first sample of a new family, if it bears the same name.
    #[inline(always)]
    fn first_of_family(&mut self, start: usize, name: &[u8], number: u32, family: u32) -> Option<usize> {
        let end = start + name.len();
        if start >= self.checked || !self.utf8 || !continues(self.text, start, name) {
            return None;
        }
        if !matches!(self.text.get(end)?, b' ' | b'{') {
            return None;
        }
        let (labels, rest) = self.first_labels(end)?;
        self.name_facts[number as usize].target = family;
        Some(self.append_first(Span::new(start, end), number, labels, rest))
    }
}

/// What is known of the labels of a name's first sample.
#[derive(Clone, Copy)]
enum FirstLabels {
    None,
    /// The number of a shape.
    OfShape(u32),
    /// Their segments were appended.
    New,
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

/// The type that a word of the text format means, if it ends the line; and where the next line begins.
#[inline(always)]
fn type_word(text: &[u8], at: usize) -> Option<(MetricType, usize)> {
    const COUNTER: u64 = u64::from_le_bytes(*b"counter\n");
    const SUMMARY: u64 = u64::from_le_bytes(*b"summary\n");
    const UNTYPED: u64 = u64::from_le_bytes(*b"untyped\n");
    const GAUGE: u64 = u64::from_le_bytes(*b"gauge\n\0\0");
    const HISTOGRA: u64 = u64::from_le_bytes(*b"histogra");
    // All eight bytes at once, and of a shorter word those that it has.
    let word = u64::from_le_bytes(*text.get(at..)?.first_chunk()?);
    let (kind, length) = match word {
        COUNTER => (MetricType::Counter, 8),
        SUMMARY => (MetricType::Summary, 8),
        UNTYPED => (MetricType::Unknown, 8),
        HISTOGRA if text.get(at + 8..at + 10) == Some(b"m\n") => (MetricType::Histogram, 10),
        _ if word & 0x0000_FFFF_FFFF_FFFF == GAUGE => (MetricType::Gauge, 6),
        _ => return None,
    };
    Some((kind, at + length))
}
