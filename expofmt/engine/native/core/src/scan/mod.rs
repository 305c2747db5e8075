//! The scanner: text to families, in one pass.
//!
//! Nearly every line of an exposition is like one before it: the same name and label names, other values. Such lines
//! are read by comparing them with what is known of the earlier one ([`Scanner::quick_sample`]). Any other line is cut
//! into its parts ([`line::cut`]), each of which is then looked at. The quick way reads only what has no fault
//! whatsoever, so that there is one place that knows what faults are.

pub mod line;
mod quick;
mod search;

use std::borrow::Cow;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};
use memchr::{memchr, memrchr};
use std::hash::BuildHasher;

use crate::block::{Block, IRREGULAR, Kind, Layout, NO_LABELS, Name, Row, Segment, Shape, Text, Time};
use crate::build::{new_shape, shape_of};
use crate::explain::explain;
use crate::family::{MetricType, SUFFIXES};
use crate::fault::{Code, CodeSet, Fault, Span, offset};
use crate::label::{Items, decoded, is_legacy_label_name, is_legacy_metric_name, unescaped_help};
use crate::number::{is_inexact, parse_float, parse_milliseconds};
use line::{Line, Parts, SampleParts, cut, metric_name_end};
use search::{continues, string_stop};

/// What a scan is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Go on after a fatal fault, at the next line.
    pub recover: bool,
    /// Tell where comments stand.
    pub comments: bool,
    /// How many faults of each code are kept.
    pub max_faults: usize,
    /// What ends a scan that does not recover.
    pub fatal: CodeSet,
}

/// All that one pass over an input found.
pub struct Scan {
    /// The rows of all families, those of each together and in file order.
    pub block: Arc<Block>,
    /// In order of first mention.
    pub families: Vec<ScannedFamily>,
    /// In order of offset.
    pub faults: Vec<Fault>,
    pub comments: Vec<Span>,
    /// How many more faults there were of each code; refused lines beyond the limit count as
    /// [`Code::TooManyDiagnostics`].
    pub suppressed: Vec<(Code, u64)>,
}

/// A family as read.
#[derive(Clone, Copy, Debug)]
pub struct ScannedFamily {
    /// A number in [`Layout::names`].
    pub name: u32,
    pub kind: MetricType,
    /// The text of its HELP line, escapes not decoded.
    pub help: Option<Span>,
    /// Its rows in the scan's block, from `first` on, `last` not included.
    pub first: u32,
    pub last: u32,
    /// From the first to the last of its lines, metadata included.
    pub span: Span,
    /// Whether no line of it was refused.
    pub complete: bool,
}

impl ScannedFamily {
    /// The text of its HELP line, decoded.
    pub fn help<'a>(&self, layout: &'a Layout) -> Option<Cow<'a, [u8]>> {
        self.help.map(|span| unescaped_help(span.of(layout.text())))
    }
}

/// Read an exposition. A text that is too long for its offsets is one fault, and is not looked at.
pub fn scan(text: Text, options: &Options) -> Scan {
    if u32::try_from((*text).as_ref().len()).is_err() {
        let mut scan = scan(Arc::new(b""), options);
        scan.faults.push(Fault::at(Code::InputTooLarge, 0, 0));
        return scan;
    }
    let mut scanner = Scanner::new((*text).as_ref(), options);
    // What was found until a scan ended early stands.
    let (Ok(()) | Err(Stop)) = scanner.run();
    let found = scanner.finish();
    let layout = Layout {
        text,
        placed: true,
        names: found.names,
        kinds: found.kinds,
        shapes: found.shapes,
        segments: found.segments,
    };
    let block = Block {
        layout: Arc::new(layout),
        rows: found.rows,
        times: found.times,
        literals: found.literals,
        extras: Vec::new(),
        places: Vec::new(),
    };
    Scan {
        block: Arc::new(block),
        families: found.families,
        faults: found.faults,
        comments: found.comments,
        suppressed: found.suppressed,
    }
}

/// The first fatal fault, where nobody wants to hear of a second one.
struct Stop;

/// No family, kind or name.
const NONE: u32 = u32::MAX;
/// How much of the text is checked to be UTF-8 at a time: it should still be in the cache when it is read.
const CHECKED_AT_ONCE: usize = 64 << 10;
/// How many kinds of one name are compared with a line, before it is read as if it were new.
const MOST_COMPARED: usize = 4;
/// How many shapes are told apart among the samples of one name, and in all.
const MOST_SHAPES_OF_NAME: usize = 16;
const MOST_SHAPES: usize = 1 << 20;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// What is known of a name.
#[derive(Clone, Copy)]
struct NameFacts {
    /// The family of that very name.
    family: u32,
    /// The family that samples of the name go to, once there was one.
    target: u32,
    counts: Counts,
    /// The kinds of its samples: the latest one, which leads to the one before it.
    kind: u32,
    /// Its kind of samples whose label sets are not regular.
    irregular: u32,
}

/// Which values a sample may have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counts {
    Any,
    NotNegative,
    Whole,
}

impl Counts {
    fn allows(self, value: f64) -> bool {
        self == Counts::Any || (value >= 0.0 && (self == Counts::NotNegative || value % 1.0 == 0.0))
    }
}

/// What a line must be like to be read the quick way as a sample of this kind.
#[derive(Clone, Copy)]
struct KindFacts {
    /// From the name to the first label value; the name alone where there are no labels.
    prefix: Span,
    name_length: u32,
    /// Where in the prefix the brace stands; [`NO_LABELS`] where there is none.
    brace: u32,
    /// The numbers of the segments after the first one.
    segments: (u32, u32),
    family: u32,
    counts: Counts,
    /// Another kind of the same name.
    before: u32,
}

struct Family {
    name: u32,
    kind: MetricType,
    help: Option<Span>,
    complete: bool,
    start: u32,
    end: u32,
    /// Where it is named first.
    mention: Span,
    /// Where its name stands on its metadata lines, and in its first and last sample.
    help_name: Option<Span>,
    type_name: Option<Span>,
    first_name: Option<Span>,
    last_name: Option<Span>,
}

/// What remains of a scanner.
struct Found {
    families: Vec<ScannedFamily>,
    names: Vec<Name>,
    kinds: Vec<Kind>,
    shapes: Vec<Shape>,
    segments: Vec<Segment>,
    rows: Vec<Row>,
    times: Vec<Time>,
    literals: Vec<(u32, Span)>,
    faults: Vec<Fault>,
    comments: Vec<Span>,
    suppressed: Vec<(Code, u64)>,
}

struct Scanner<'a> {
    text: &'a [u8],
    options: &'a Options,
    /// Whether the lines up to `checked` are UTF-8.
    utf8: bool,
    checked: usize,

    hasher: RandomState,
    /// Numbers of names, by their bytes.
    numbers: HashTable<u32>,
    names: Vec<Name>,
    name_facts: Vec<NameFacts>,
    kinds: Vec<Kind>,
    kind_facts: Vec<KindFacts>,
    shapes: Vec<Shape>,
    segments: Vec<Segment>,

    rows: Vec<Row>,
    times: Vec<Time>,
    literals: Vec<(u32, Span)>,
    families: Vec<Family>,
    /// Whether any family has samples whose names end otherwise than its own.
    has_suffixes: bool,
    /// Families and the row from which on samples are theirs.
    runs: Vec<(u32, u32)>,
    /// The family, the kind and the name of the last sample.
    family: u32,
    kind: u32,
    last_name: Span,

    faults: Vec<Fault>,
    fault_counts: [u64; Code::ALL.len()],
    refused_lines: usize,
    comments: Vec<Span>,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a [u8], options: &'a Options) -> Scanner<'a> {
        Scanner {
            text,
            options,
            utf8: true,
            checked: 0,
            hasher: RandomState::default(),
            numbers: HashTable::new(),
            names: Vec::new(),
            name_facts: Vec::new(),
            kinds: Vec::new(),
            kind_facts: Vec::new(),
            shapes: Vec::new(),
            segments: Vec::new(),
            rows: Vec::new(),
            times: Vec::new(),
            literals: Vec::new(),
            families: Vec::new(),
            has_suffixes: false,
            runs: Vec::new(),
            family: NONE,
            kind: NONE,
            last_name: Span::default(),
            faults: Vec::new(),
            fault_counts: [0; Code::ALL.len()],
            refused_lines: 0,
            comments: Vec::new(),
        }
    }

    fn run(&mut self) -> Result<(), Stop> {
        let text = self.text;
        let mut at = 0;
        if text.starts_with(BYTE_ORDER_MARK) {
            at = BYTE_ORDER_MARK.len();
            self.fault(Code::ByteOrderMark, 0, at, None)?;
        }
        let start = at;
        while at < text.len() {
            if at >= self.checked {
                self.check_utf8(at);
            }
            at = match text[at] {
                b'\n' => at + 1,
                b'#' => self.line(at)?,
                _ => match self.quick_sample(at) {
                    Some(next) => next,
                    None => self.line(at)?,
                },
            };
        }
        if start < text.len() && !text.ends_with(b"\n") {
            self.fault(Code::MissingFinalNewline, text.len(), text.len(), None)?;
        }
        Ok(())
    }

    fn check_utf8(&mut self, at: usize) {
        let enough = (at + CHECKED_AT_ONCE).min(self.text.len());
        self.checked = memchr(b'\n', &self.text[enough..]).map_or(self.text.len(), |length| enough + length + 1);
        self.utf8 = simdutf8::basic::from_utf8(&self.text[at..self.checked]).is_ok();
    }

    fn fault(&mut self, code: Code, start: usize, end: usize, related: Option<Span>) -> Result<(), Stop> {
        let count = &mut self.fault_counts[code as usize];
        *count += 1;
        if *count <= self.options.max_faults as u64 {
            self.faults.push(Fault::at(code, start, end).related_to(related));
        }
        if !self.options.recover && self.options.fatal.contains(code) { Err(Stop) } else { Ok(()) }
    }

    fn fault_at(&mut self, code: Code, span: Span, related: Option<Span>) -> Result<(), Stop> {
        self.fault(code, span.start as usize, span.end as usize, related)
    }

    // ------------------------------------------------------------------------------------------------ the quick way

    /// Read a line that is like an earlier one. None if it isn't, or if there is anything about it; then nothing has happened.
    #[inline(always)]
    fn quick_sample(&mut self, at: usize) -> Option<usize> {
        if !self.utf8 {
            return None;
        }
        if let Some(facts) = self.kind_facts.get(self.kind as usize) {
            let facts = *facts;
            let prefix = facts.prefix.of(self.text);
            if continues(self.text, at, prefix) {
                let next = self.quick_rest(at, at + prefix.len(), self.kind, facts);
                if next.is_some() {
                    return next;
                }
            }
        }
        self.quick_other(at)
    }

    /// The same for a line of another kind than the one before it.
    fn quick_other(&mut self, at: usize) -> Option<usize> {
        let end = metric_name_end(self.text, at)?;
        let name = self.known_name(&self.text[at..end])?;
        let mut kind = self.name_facts[name as usize].kind;
        for _ in 0..MOST_COMPARED {
            let facts = *self.kind_facts.get(kind as usize)?;
            let rest = &facts.prefix.of(self.text)[end - at..];
            if continues(self.text, end, rest) {
                let next = self.quick_rest(at, end + rest.len(), kind, facts);
                if next.is_some() {
                    return next;
                }
            }
            kind = facts.before;
        }
        None
    }

    /// What follows the prefix: `at` is where the first label value begins, or what follows the name.
    #[inline(always)]
    fn quick_rest(&mut self, start: usize, mut at: usize, kind: u32, facts: KindFacts) -> Option<usize> {
        let text = self.text;
        for segment in &self.segments[facts.segments.0 as usize..facts.segments.1 as usize] {
            at = string_stop(text, at)?;
            let wanted = segment.text.of(text);
            if !continues(text, at, wanted) {
                return None;
            }
            at += wanted.len();
        }
        if *text.get(at)? != b' ' {
            return None;
        }
        let (value, mut end) = quick::value(text, at + 1)?;
        let mut time = Time::ABSENT;
        if text[end] == b' ' {
            (time.ms, end) = quick::milliseconds(text, end + 1)?;
            time.nanos = 0;
        }
        if !facts.counts.allows(value) {
            return None;
        }
        if facts.family != self.family {
            if self.families[facts.family as usize].last_name.is_some() {
                // A family that goes on after another one is a fault.
                return None;
            }
            self.change_family(facts.family, Span::new(start, start + facts.name_length as usize));
        }
        self.last_name = Span::new(start, start + facts.name_length as usize);
        self.kind = kind;
        let labels = if facts.brace == NO_LABELS { NO_LABELS } else { offset(start) + facts.brace };
        self.push(Row { value, start: offset(start), labels, end: offset(end), kind }, time);
        Some(end + 1)
    }

    #[inline(always)]
    fn push(&mut self, row: Row, time: Time) {
        if time != Time::ABSENT || !self.times.is_empty() {
            self.times.resize(self.rows.len(), Time::ABSENT);
            self.times.push(time);
        }
        self.rows.push(row);
    }

    fn change_family(&mut self, family: u32, name: Span) {
        if let Some(last) = self.families.get_mut(self.family as usize) {
            last.last_name = Some(self.last_name);
        }
        let entered = &mut self.families[family as usize];
        entered.first_name = entered.first_name.or(Some(name));
        self.family = family;
        self.runs.push((family, offset(self.rows.len())));
    }

    // -------------------------------------------------------------------------------------------------------- lines

    /// Read any line; gives the start of the next one.
    #[inline(never)]
    fn line(&mut self, start: usize) -> Result<usize, Stop> {
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
                self.comments.extend(self.options.comments.then_some(span));
                Ok(())
            }
            Parts::Refused => self.explain(line),
        }
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
        let start = crate::label::blanks_end(text, line.start);
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
        let (family, counts) = self.target(name, line, name_span);
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
        if !counts.allows(value) {
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
        let kind = self.kind(name, parts, is_plain && self.utf8);
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

    /// Where samples of a name go, by the families declared so far, and what values they may have.
    fn target(&mut self, name: u32, line: Line, span: Span) -> (u32, Counts) {
        let facts = self.name_facts[name as usize];
        if facts.target != NONE {
            return (facts.target, facts.counts);
        }
        let bytes = self.name(name);
        let mut counts = Counts::Any;
        let mut target = facts.family;
        if target == NONE
            && let Some(owner) = self.owner_by_suffix(bytes)
        {
            target = owner;
            let owner = &self.families[owner as usize];
            let suffix = &bytes[self.name(owner.name).len()..];
            if matches!(suffix, b"_bucket" | b"_count" | b"_gcount") {
                counts = if owner.kind == MetricType::Summary { Counts::Whole } else { Counts::NotNegative };
            }
        }
        if target == NONE {
            target = self.add_family(name, line, span);
        }
        let facts = &mut self.name_facts[name as usize];
        (facts.target, facts.counts) = (target, counts);
        (target, counts)
    }

    /// The kind of a sample: a known one, or a new one.
    fn kind(&mut self, name: u32, parts: SampleParts, is_plain: bool) -> u32 {
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
        let mut known = self.name_facts[name as usize].kind;
        for _ in 0..MOST_SHAPES_OF_NAME {
            let Some(facts) = self.kind_facts.get(known as usize) else { break };
            let rest = &self.segments[facts.segments.0 as usize..facts.segments.1 as usize];
            let alike = facts.prefix.of(text) == &text[parts.name.start as usize..prefix_end(parts, &segments)]
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
        self.add_kind(name, parts, &segments)
    }

    fn add_kind(&mut self, name: u32, parts: SampleParts, segments: &[Segment]) -> u32 {
        let mut shape = IRREGULAR;
        let first = offset(self.segments.len());
        if !segments.is_empty() {
            shape = offset(self.shapes.len());
            self.shapes.push(new_shape(self.text, first, segments));
            self.segments.extend_from_slice(segments);
        }
        let facts = &mut self.name_facts[name as usize];
        self.kind_facts.push(KindFacts {
            prefix: Span { start: parts.name.start, end: offset(prefix_end(parts, segments)) },
            name_length: parts.name.end - parts.name.start,
            brace: if segments.is_empty() { NO_LABELS } else { parts.labels.start - parts.name.start },
            segments: ((first + 1).min(offset(self.segments.len())), offset(self.segments.len())),
            family: facts.target,
            counts: facts.counts,
            before: facts.kind,
        });
        facts.kind = offset(self.kinds.len());
        self.kinds.push(Kind { name, shape });
        facts.kind
    }

    /// The kind of samples whose labels are read one by one.
    fn irregular_kind(&mut self, name: u32) -> u32 {
        let facts = &mut self.name_facts[name as usize];
        if facts.irregular == NONE {
            facts.irregular = offset(self.kinds.len());
            self.kinds.push(Kind { name, shape: IRREGULAR });
            self.kind_facts.push(KindFacts {
                prefix: Span::default(),
                name_length: 0,
                brace: NO_LABELS,
                segments: (0, 0),
                family: facts.target,
                counts: facts.counts,
                before: NONE,
            });
        }
        facts.irregular
    }

    // ------------------------------------------------------------------------------------------ labels and names

    fn labels_are_fine(
        &mut self,
        items: impl Iterator<Item = crate::label::Item<'a>>,
        brace: usize,
    ) -> Result<bool, Stop> {
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

    /// The bytes of a name by its number.
    fn name(&self, number: u32) -> &[u8] {
        match &self.names[number as usize] {
            Name::Written(span) => span.of(self.text),
            Name::Own(name) => name,
        }
    }

    fn known_name(&self, name: &[u8]) -> Option<u32> {
        self.numbers.find(self.hasher.hash_one(name), |&number| self.name(number) == name).copied()
    }

    fn name_number(&mut self, name: &[u8], kept: Name) -> u32 {
        let hash = self.hasher.hash_one(name);
        let known = self.numbers.find(hash, |&number| self.name(number) == name);
        if let Some(&number) = known {
            return number;
        }
        let number = offset(self.names.len());
        self.names.push(kept);
        self.name_facts.push(NameFacts {
            family: NONE,
            target: NONE,
            counts: Counts::Any,
            kind: NONE,
            irregular: NONE,
        });
        let (names, text, hasher) = (&self.names, self.text, &self.hasher);
        self.numbers.insert_unique(hash, number, |&other| match &names[other as usize] {
            Name::Written(span) => hasher.hash_one(span.of(text)),
            Name::Own(name) => hasher.hash_one(&**name),
        });
        number
    }

    // ----------------------------------------------------------------------------------------------------- families

    fn add_family(&mut self, name: u32, line: Line, mention: Span) -> u32 {
        let family = offset(self.families.len());
        self.families.push(Family {
            name,
            kind: MetricType::Unknown,
            help: None,
            complete: true,
            start: offset(line.start),
            end: offset(line.start),
            mention,
            help_name: None,
            type_name: None,
            first_name: None,
            last_name: None,
        });
        self.name_facts[name as usize].family = family;
        family
    }

    fn family_of(&self, name: &[u8]) -> Option<u32> {
        let number = self.known_name(name)?;
        Some(self.name_facts[number as usize].family).filter(|&family| family != NONE)
    }

    /// The declared family to which a sample of this name belongs by its ending.
    fn owner_by_suffix(&self, name: &[u8]) -> Option<u32> {
        if !self.has_suffixes {
            return None;
        }
        // No ending has an underscore but the one at its front.
        let (base, suffix) = name.split_at(memrchr(b'_', name)?);
        if !SUFFIXES.contains(&suffix) {
            return None;
        }
        let family = self.family_of(base)?;
        self.families[family as usize].kind.suffixes().contains(&suffix).then_some(family)
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
            family = self.add_family(number, line, span);
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

    // ------------------------------------------------------------------------------------------------------ the end

    fn finish(mut self) -> Found {
        let mut ranges = vec![(0, 0); self.families.len()];
        let ends = self.runs.iter().skip(1).map(|&(_, first)| first).chain([offset(self.rows.len())]);
        let mut scattered = false;
        for (&(family, first), end) in self.runs.iter().zip(ends) {
            scattered |= ranges[family as usize].1 > 0;
            ranges[family as usize] = (first, end);
        }
        if scattered {
            ranges = self.bring_together();
        }
        self.times.resize(if self.times.is_empty() { 0 } else { self.rows.len() }, Time::ABSENT);
        self.faults.sort_by_key(|fault| fault.span);
        let families = self.families.iter().zip(&ranges).map(|(family, &(first, last))| {
            let sampled = if first < last { self.rows[last as usize - 1].end } else { 0 };
            ScannedFamily {
                name: family.name,
                kind: family.kind,
                help: family.help,
                first,
                last,
                span: Span { start: family.start, end: family.end.max(sampled) },
                complete: family.complete,
            }
        });
        Found {
            families: families.collect(),
            suppressed: self.suppressed(),
            names: self.names,
            kinds: self.kinds,
            shapes: self.shapes,
            segments: self.segments,
            rows: self.rows,
            times: self.times,
            literals: self.literals,
            faults: self.faults,
            comments: self.comments,
        }
    }

    /// Put the rows of each family side by side, and tell where; their order stays.
    fn bring_together(&mut self) -> Vec<(u32, u32)> {
        let ends: Vec<u32> =
            self.runs.iter().skip(1).map(|&(_, first)| first).chain([offset(self.rows.len())]).collect();
        let mut ranges = vec![(0, 0); self.families.len()];
        for (&(family, first), end) in self.runs.iter().zip(&ends) {
            ranges[family as usize].1 += end - first;
        }
        let mut start = 0;
        for range in &mut ranges {
            let count = range.1;
            *range = (start, start);
            start += count;
        }
        let mut places = vec![0; self.rows.len()];
        for (&(family, first), &end) in self.runs.iter().zip(&ends) {
            for place in &mut places[first as usize..end as usize] {
                *place = ranges[family as usize].1;
                ranges[family as usize].1 += 1;
            }
        }
        let mut rows = self.rows.clone();
        for (row, &place) in self.rows.iter().zip(&places) {
            rows[place as usize] = *row;
        }
        self.rows = rows;
        if !self.times.is_empty() {
            self.times.resize(places.len(), Time::ABSENT);
            let mut times = self.times.clone();
            for (time, &place) in self.times.iter().zip(&places) {
                times[place as usize] = *time;
            }
            self.times = times;
        }
        for (row, _) in &mut self.literals {
            *row = places[*row as usize];
        }
        self.literals.sort_unstable_by_key(|&(row, _)| row);
        ranges
    }

    fn suppressed(&self) -> Vec<(Code, u64)> {
        let most = self.options.max_faults as u64;
        let counts = Code::ALL.iter().map(|&code| (code, self.fault_counts[code as usize]));
        let mut found: Vec<(Code, u64)> =
            counts.filter(|&(_, count)| count > most).map(|(code, count)| (code, count - most)).collect();
        if self.refused_lines as u64 > most {
            found.push((Code::TooManyDiagnostics, self.refused_lines as u64 - most));
        }
        found
    }
}

/// Where the first label value begins, or the name ends where there are no labels.
fn prefix_end(parts: SampleParts, segments: &[Segment]) -> usize {
    segments.first().map_or(parts.name.end, |segment| segment.text.end) as usize
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
