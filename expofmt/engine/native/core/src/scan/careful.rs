//! The careful way to read a line: every kind of line, every fault.

use std::borrow::Cow;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use memchr::memchr;

use super::line::{Line, Parts, SampleParts, cut, metric_name_end};
use super::{Family, KindFacts, NONE, Scanner, Stop};
use crate::block::{IRREGULAR, Kind, NO_LABELS, Name, Row, Time};
use crate::build::shape_of;
use crate::explain::explain;
use crate::family::MetricType;
use crate::fault::{Code, Span, offset};
use crate::label::{Item, Items, blanks_end, decoded, is_legacy_label_name, is_legacy_metric_name};
use crate::number::{is_inexact, parse_float, parse_milliseconds};

/// How many shapes are told apart among the samples of one name, and in all.
const MOST_KINDS_OF_NAME: usize = 16;
const MOST_SHAPES: usize = 1 << 20;

impl<'a> Scanner<'a> {
    // -------------------------------------------------------------------------------------------------------- lines

    /// Read any line; gives the start of the next one.
    #[inline(never)]
    pub(super) fn line(&mut self, start: usize) -> Result<usize, Stop> {
        let length = memchr(b'\n', &self.text[start..]);
        let end = length.map_or(self.text.len(), |length| start + length);
        let line = Line { start, end, next: end + usize::from(length.is_some()) };
        let next = line.next;
        match cut(self.text, line) {
            Parts::Refused => self.refuse(line)?,
            parts => self.read(line, parts)?,
        }
        Ok(next)
    }

    fn read(&mut self, line: Line, parts: Parts) -> Result<(), Stop> {
        match parts {
            Parts::Blank => Ok(()),
            Parts::Sample(parts) if parts.name.start == parts.name.end => self.named_sample(line, parts),
            Parts::Sample(parts) => self.sample(line, parts),
            Parts::Help { name, docstring } => self.help(line, name, docstring),
            Parts::Type { name, word } => self.type_line(line, name, word),
            Parts::Comment(span) => {
                self.comment(span);
                Ok(())
            }
            Parts::Refused => self.explain(line),
        }
    }

    fn comment(&mut self, span: Span) {
        if !self.options.comments {
            return;
        }
        if let Some(last) = self.comments.last_mut() {
            let between = &self.text[last.end as usize..span.start as usize];
            if between.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
                last.end = span.end;
                return;
            }
        }
        self.comments.push(span);
    }

    fn refuse(&mut self, line: Line) -> Result<(), Stop> {
        if line.has_line_feed() && self.text[..line.end].ends_with(b"\r") {
            self.fault(Code::CarriageReturn, line.end - 1, line.end, None)?;
            let without = Line { start: line.start, end: line.end - 1, next: line.end - 1 };
            return self.read(without, cut(self.text, without));
        }
        self.explain(line)
    }

    fn explain(&mut self, line: Line) -> Result<(), Stop> {
        self.refused_lines += 1;
        // Explaining costs far more than counting, and nobody reads a thousand explanations.
        if self.refused_lines <= self.options.max_faults {
            let found = explain(self.text, line.start, line.end);
            self.fault_at(found.code, found.span, found.related)?;
        }
        let text = &self.text[..line.end];
        let start = blanks_end(text, line.start);
        if let Some(end) = metric_name_end(text, start)
            && matches!(text.get(end), None | Some(b' ' | b'\t' | b'{'))
        {
            self.mark_incomplete(&text[start..end]);
        }
        Ok(())
    }

    /// A line of this name was refused: what is missing of its family must not be reported as well.
    fn mark_incomplete(&mut self, name: &[u8]) {
        let family = self.family_of(name).or_else(|| self.owner_by_suffix(name));
        if let Some(family) = family {
            self.families[family as usize].complete = false;
        }
    }

    fn trailing_blank(&mut self, start: u32, line: Line) -> Result<(), Stop> {
        if line.end > start as usize { self.fault(Code::TrailingBlank, start as usize, line.end, None) } else { Ok(()) }
    }

    // ------------------------------------------------------------------------------------------------------ samples

    fn sample(&mut self, line: Line, parts: SampleParts) -> Result<(), Stop> {
        let name = parts.name.of(self.text);
        if parts.labels.start < parts.labels.end {
            let faults: u64 = self.fault_counts.iter().sum();
            let items = Items::new(parts.labels.of(self.text));
            if !self.labels_are_fine(items, parts.labels.start as usize)? {
                self.mark_incomplete(name);
                return Ok(());
            }
            // Faults that are not fatal must be found again in the next such line.
            let is_plain = faults == self.fault_counts.iter().sum();
            return self.append(line, parts, name, Name::Written(parts.name), parts.name, is_plain);
        }
        self.append(line, parts, name, Name::Written(parts.name), parts.name, true)
    }

    fn named_sample(&mut self, line: Line, parts: SampleParts) -> Result<(), Stop> {
        let brace = parts.labels.start as usize;
        let items = Items::new(parts.labels.of(self.text));
        let Some(quoted) = items.clone().find(|item| item.value.is_none()) else { return Ok(()) };
        let span = Span::new(brace + quoted.name_at, brace + quoted.name_at + quoted.name.len());
        let name = self.read_name(quoted.name, span.start as usize, is_legacy_metric_name)?;
        let fine = self.labels_are_fine(items.filter(|item| item.value.is_some()), brace)?;
        match name {
            Some(name) if fine => {
                let own = Name::Own(name.as_ref().into());
                self.append(line, parts, &name, own, span, false)
            }
            Some(name) => {
                self.mark_incomplete(&name);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn append(
        &mut self,
        line: Line,
        parts: SampleParts,
        name: &[u8],
        name_kept: Name,
        name_span: Span,
        is_plain: bool,
    ) -> Result<(), Stop> {
        let name = self.name_number(name, name_kept);
        let (family, counts) = self.target(name, line.start, name_span);
        let written = parts.value.of(self.text);
        let Ok(value) = parse_float(written) else {
            // It is a number, so that it is beyond the range.
            self.refuse_value(family, name_span);
            return self.fault_at(Code::ValueOutOfRange, parts.value, None);
        };
        let mut literal = value == 0.0 && written[0] == b'-';
        if is_inexact(written, value) {
            self.fault_at(Code::InexactInteger, parts.value, None)?;
            literal = true;
        }
        let mut time = Time::ABSENT;
        if let Some(span) = parts.time {
            let Ok(ms) = parse_milliseconds(span.of(self.text)) else {
                self.refuse_value(family, name_span);
                return self.fault_at(Code::TimestampOutOfRange, span, None);
            };
            time = Time { ms, nanos: 0 };
        }
        if !counts.allow(value) {
            self.families[family as usize].complete = false;
            self.fault_at(Code::InvalidCount, parts.value, None)?;
        }
        if family != self.family {
            let last = self.families[family as usize].last_name;
            self.change_family(family, name_span);
            if last.is_some() {
                self.fault_at(Code::InterleavedFamily, name_span, last)?;
            }
        }
        self.last_name = name_span;
        if literal {
            self.literals.push((offset(self.rows.len()), parts.value));
        }
        let has_labels = parts.labels.start < parts.labels.end;
        let kind = self.kind_of(name, parts, is_plain && self.utf8);
        // No line is read the quick way as one of an irregular kind.
        self.kind = if kind == self.name_facts[name as usize].irregular { NONE } else { kind };
        let start = if parts.name.start < parts.name.end { parts.name.start } else { parts.labels.start };
        let end = parts.time.unwrap_or(parts.value).end;
        let labels = if has_labels { parts.labels.start } else { NO_LABELS };
        self.push(Row { value, start, labels, end, kind }, time);
        self.trailing_blank(end, line)
    }

    /// A sample stands here, though it cannot be read.
    fn refuse_value(&mut self, family: u32, name: Span) {
        let family = &mut self.families[family as usize];
        family.complete = false;
        family.first_name = family.first_name.or(Some(name));
    }

    /// The kind of a sample: a known one, or a new one.
    fn kind_of(&mut self, name: u32, parts: SampleParts, is_plain: bool) -> u32 {
        let text = self.text;
        let has_labels = parts.labels.start < parts.labels.end;
        let mut segments = Vec::new();
        if has_labels {
            let whole = &text[..parts.labels.end as usize];
            match shape_of(whole, parts.labels.start as usize).filter(|_| is_plain && self.shapes.len() < MOST_SHAPES) {
                Some(found) => segments = found,
                None => return self.irregular_kind(name),
            }
        }
        let prefix_end = segments.first().map_or(parts.name.end, |segment| segment.text.end);
        let prefix = Span { start: parts.name.start, end: prefix_end };
        let mut known = self.name_facts[name as usize].kind;
        for _ in 0..MOST_KINDS_OF_NAME {
            let Some(facts) = self.kind_facts.get(known as usize) else { break };
            let rest = &self.segments[facts.wanted.0 as usize..facts.wanted.1 as usize];
            let alike = facts.prefix.of(text) == prefix.of(text)
                && rest.len() == segments.len().saturating_sub(1)
                && rest.iter().zip(segments.iter().skip(1)).all(|(a, b)| a.text.of(text) == b.text.of(text));
            if alike {
                return known;
            }
            known = facts.before;
        }
        if known != NONE {
            return self.irregular_kind(name);
        }
        if !has_labels {
            return self.add_kind(name, prefix, parts.name.end, NO_LABELS, IRREGULAR);
        }
        self.drop_segments();
        self.segments.extend(segments);
        let shape = self.add_shape();
        self.add_kind(name, prefix, parts.name.end, parts.labels.start, shape)
    }

    /// The kind of samples whose labels are read one by one; no line is read the quick way as one of these.
    fn irregular_kind(&mut self, name: u32) -> u32 {
        let facts = &mut self.name_facts[name as usize];
        if facts.irregular == NONE {
            facts.irregular = offset(self.kinds.len());
            self.kinds.push(Kind { name, shape: IRREGULAR });
            self.kind_facts.push(KindFacts {
                prefix: Span::default(),
                ready: NONE,
                name_length: 0,
                brace: NO_LABELS,
                wanted: (0, 0),
                family: facts.target,
                counts: facts.counts,
                before: NONE,
            });
        }
        facts.irregular
    }

    // ------------------------------------------------------------------------------------------ labels and names

    fn labels_are_fine(&mut self, items: impl Iterator<Item = Item<'a>>, brace: usize) -> Result<bool, Stop> {
        let mut fine = true;
        let mut seen = Seen::default();
        for item in items {
            let start = brace + item.name_at;
            let span = Span::new(start, start + item.name.len());
            let value = item.value.unwrap_or_default();
            let name = self.read_name(item.name, start, is_legacy_label_name)?;
            let Some(name) = name else {
                fine = false;
                continue;
            };
            if self.malformed(value, brace + item.value_at)? {
                fine = false;
                continue;
            }
            self.unknown_escapes(value, brace + item.value_at)?;
            if *name == *b"__name__" {
                self.fault_at(Code::MetricNameLabel, span, None)?;
                fine = false;
            } else if name.starts_with(b"__") {
                self.fault_at(Code::ReservedLabelName, span, None)?;
            }
            if let Some(first) = seen.first(name, span) {
                self.fault_at(Code::DuplicateLabel, span, Some(first))?;
                fine = false;
            }
        }
        Ok(fine)
    }

    /// The name that a bare word or a quoted string stands for; none where it has a fatal fault.
    fn read_name(
        &mut self,
        written: &'a [u8],
        start: usize,
        is_legacy: fn(&[u8]) -> bool,
    ) -> Result<Option<Cow<'a, [u8]>>, Stop> {
        if !written.starts_with(b"\"") {
            return Ok(Some(Cow::Borrowed(written)));
        }
        if written == b"\"\"" {
            self.fault(Code::EmptyName, start, start + 2, None)?;
            return Ok(None);
        }
        if self.malformed(written, start)? {
            return Ok(None);
        }
        self.unknown_escapes(written, start)?;
        let name = decoded(written);
        if !is_legacy(&name) {
            self.fault(Code::NonLegacyName, start, start + written.len(), None)?;
        }
        Ok(Some(name))
    }

    /// Report bytes that are no UTF-8.
    fn malformed(&mut self, written: &[u8], start: usize) -> Result<bool, Stop> {
        if self.utf8 {
            return Ok(false);
        }
        let Err(error) = std::str::from_utf8(written) else { return Ok(false) };
        let first = start + error.valid_up_to();
        let end = error.error_len().map_or(start + written.len(), |length| first + length);
        self.fault(Code::InvalidUtf8, first, end, None)?;
        Ok(true)
    }

    fn unknown_escapes(&mut self, written: &[u8], start: usize) -> Result<(), Stop> {
        let mut at = 0;
        while let Some(found) = memchr(b'\\', &written[at..]) {
            let escape = at + found;
            let (known, length) = match written.get(escape + 1) {
                None => (false, 1),
                Some(b'\\' | b'"' | b'n') => (true, 2),
                Some(0xC0..=0xF7) => (false, 2 + continuation_bytes(&written[escape + 2..])),
                Some(_) => (false, 2),
            };
            if !known {
                self.fault(Code::UnknownEscape, start + escape, start + escape + length, None)?;
            }
            at = escape + length;
        }
        Ok(())
    }

    /// The family that a metadata line speaks of; none where its name is at fault or another one's suffix.
    fn declare(&mut self, line: Line, span: Span) -> Result<Option<u32>, Stop> {
        let written = span.of(self.text);
        let Some(name) = self.read_name(written, span.start as usize, is_legacy_metric_name)? else { return Ok(None) };
        let known = self.known_name(&name);
        let mut family = known.map_or(NONE, |number| self.name_facts[number as usize].family);
        if family == NONE {
            if let Some(owner) = self.owner_by_suffix(&name) {
                let first = self.families[owner as usize].mention;
                self.fault_at(Code::SuffixCollision, span, Some(first))?;
                return Ok(None);
            }
            let kept = match &name {
                Cow::Borrowed(bare) if bare.len() == written.len() => Name::Written(span),
                decoded => Name::Own(decoded.as_ref().into()),
            };
            let number = self.name_number(&name, kept);
            family = self.add_family(Family::new(number, line.start, span));
        }
        self.families[family as usize].end = offset(line.next);
        Ok(Some(family))
    }

    fn help(&mut self, line: Line, name: Span, docstring: Span) -> Result<(), Stop> {
        let family = self.declare(line, name)?;
        let written = docstring.of(self.text);
        if self.malformed(written, docstring.start as usize)? {
            return Ok(());
        }
        self.unknown_escapes(written, docstring.start as usize)?;
        let Some(number) = family else { return Ok(()) };
        let family = &self.families[number as usize];
        if written.is_empty() && family.help_name.is_some() {
            // A HELP line without text says nothing, and does not count as a second one.
            return Ok(());
        }
        if family.help_name.is_some() && family.help.is_some_and(|help| help.start < help.end) {
            let first = family.help_name;
            return self.fault_at(Code::SecondHelp, name, first);
        }
        if let Some(first) = family.first_name {
            self.fault_at(Code::HelpAfterSamples, name, Some(first))?;
        }
        let family = &mut self.families[number as usize];
        family.help_name = Some(name);
        family.help = Some(docstring);
        Ok(())
    }

    fn type_line(&mut self, line: Line, name: Span, word: Span) -> Result<(), Stop> {
        let family = self.declare(line, name)?;
        let kind = match word.of(self.text) {
            b"counter" => MetricType::Counter,
            b"gauge" => MetricType::Gauge,
            b"histogram" => MetricType::Histogram,
            b"summary" => MetricType::Summary,
            b"untyped" => MetricType::Unknown,
            _ => self.unusual_type(word)?,
        };
        self.trailing_blank(word.end, line)?;
        let Some(number) = family else { return Ok(()) };
        let family = &self.families[number as usize];
        if let Some(first) = family.type_name {
            return self.fault_at(Code::SecondType, name, Some(first));
        }
        if let Some(first) = family.first_name {
            return self.fault_at(Code::TypeAfterSamples, name, Some(first));
        }
        for suffix in kind.suffixes() {
            let other = self.family_of(&[self.name(family.name), suffix].concat());
            if let Some(other) = other {
                let other = &self.families[other as usize];
                let code = if other.first_name.is_some() { Code::TypeAfterSamples } else { Code::SuffixCollision };
                let first = other.first_name.unwrap_or(other.mention);
                return self.fault_at(code, name, Some(first));
            }
        }
        let family = &mut self.families[number as usize];
        (family.kind, family.type_name) = (kind, Some(name));
        self.has_suffixes |= !kind.suffixes().is_empty();
        Ok(())
    }

    fn unusual_type(&mut self, span: Span) -> Result<MetricType, Stop> {
        let written = span.of(self.text);
        let word = written.to_ascii_lowercase();
        if *word != *written {
            self.fault_at(Code::TypeCase, span, None)?;
        }
        let (kind, is_text) = match &*word {
            b"counter" => (MetricType::Counter, true),
            b"gauge" => (MetricType::Gauge, true),
            b"histogram" => (MetricType::Histogram, true),
            b"summary" => (MetricType::Summary, true),
            b"untyped" => (MetricType::Unknown, true),
            b"gaugehistogram" | b"gauge_histogram" => (MetricType::GaugeHistogram, false),
            b"info" => (MetricType::Info, false),
            b"stateset" => (MetricType::StateSet, false),
            _ => (MetricType::Unknown, false),
        };
        if !is_text {
            self.fault_at(Code::OpenmetricsType, span, None)?;
        }
        Ok(kind)
    }
}

/// How many continuation bytes of a character follow, at most the three that one can have.
fn continuation_bytes(text: &[u8]) -> usize {
    text.iter().take(3).take_while(|byte| matches!(byte, 0x80..=0xBF)).count()
}

/// The names of a label set, with their places.
#[derive(Default)]
struct Seen<'a> {
    few: Vec<(Cow<'a, [u8]>, Span)>,
    many: HashMap<Cow<'a, [u8]>, Span, RandomState>,
}

impl<'a> Seen<'a> {
    /// Beyond so many names, they are looked up by hash.
    const FEW: usize = 16;

    /// Where the name stood before, if it did.
    fn first(&mut self, name: Cow<'a, [u8]>, span: Span) -> Option<Span> {
        if self.many.is_empty() {
            if let Some((_, first)) = self.few.iter().find(|(known, _)| *known == name) {
                return Some(*first);
            }
            self.few.push((name, span));
            if self.few.len() > Self::FEW {
                self.many.extend(self.few.drain(..));
            }
            return None;
        }
        match self.many.get(&name) {
            Some(&first) => Some(first),
            None => {
                self.many.insert(name, span);
                None
            }
        }
    }
}
