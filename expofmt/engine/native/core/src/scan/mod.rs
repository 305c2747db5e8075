//! The scanner: text to families, in one pass.
//!
//! Nearly every line of an exposition is like one before it: the same name and label names, other values. Such lines
//! are read by comparing them with what is known of the earlier one (module `quick`). Any other line is cut into its
//! parts ([`line::cut`]), each of which is then looked at (module `careful`). The quick way reads only what has no fault
//! whatsoever, so that there is one place that knows what faults are.

mod careful;
mod finish;
pub mod line;
mod names;
mod number;
mod quick;
pub(crate) mod search;

use std::borrow::Cow;
use std::sync::Arc;

use memchr::{memchr, memrchr};

use crate::block::{Block, IRREGULAR, Kind, Layout, NO_LABELS, Name, Row, Segment, Shape, Text, Time};
use crate::family::{MetricType, SUFFIXES};
use crate::fault::{Code, CodeSet, Fault, Span, offset};
use crate::label::unescaped_help;
use names::NameTable;
use search::Wanted;

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
    /// Runs of comment lines with nothing but blank lines between them, from the first `#` to the end of the last line.
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
/// How many shapes of other names are compared with a line.
const RECENT_SHAPES: usize = 4;
/// How much of the text is checked to be UTF-8 at a time: it should still be in the cache when it is read.
const CHECKED_AT_ONCE: usize = 64 << 10;
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

/// What a line must be like to be read the quick way as a sample of this kind.
struct KindFacts {
    /// In its first line, from the name to the first label value; the name alone where there are no labels.
    prefix: Span,
    /// The number of the same in [`Scanner::prefixes`], once there was a second line that began so: many kinds have but one.
    ready: u32,
    name_length: u32,
    /// Where in the prefix the brace stands; [`NO_LABELS`] where there is none.
    brace: u32,
    /// The numbers of the segments after the first one, from and to.
    wanted: (u32, u32),
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

impl Family {
    /// One that is named first at `mention`, in a line that starts at `start`.
    fn new(name: u32, start: usize, mention: Span) -> Family {
        Family {
            name,
            kind: MetricType::Unknown,
            help: None,
            complete: true,
            start: offset(start),
            end: offset(start),
            mention,
            help_name: None,
            type_name: None,
            first_name: None,
            last_name: None,
        }
    }
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

    /// Numbers of names, by their bytes.
    numbers: NameTable,
    names: Vec<Name>,
    name_facts: Vec<NameFacts>,
    kinds: Vec<Kind>,
    kind_facts: Vec<KindFacts>,
    shapes: Vec<Shape>,
    /// Those of all shapes; behind them, maybe, of a label set that is no shape yet, or will not be one.
    segments: Vec<Segment>,
    /// Prefixes of kinds, ready to be compared.
    prefixes: Vec<Wanted<'a>>,
    /// The segments once more, ready to be compared.
    wanted: Vec<Wanted<'a>>,
    /// The shapes that were used or made last, the latest one first.
    recent: [u32; RECENT_SHAPES],
    scratch: Vec<u8>,

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
        // A guess, so that small inputs need not grow much; what is not touched costs nothing.
        let names = (text.len() / 128).min(4096);
        let rows = (text.len() / 64).min(1 << 16);
        Scanner {
            text,
            options,
            utf8: true,
            checked: 0,
            numbers: NameTable::with_capacity(names),
            names: Vec::with_capacity(names),
            name_facts: Vec::with_capacity(names),
            kinds: Vec::with_capacity(names),
            kind_facts: Vec::with_capacity(names),
            shapes: Vec::new(),
            segments: Vec::new(),
            prefixes: Vec::new(),
            wanted: Vec::new(),
            recent: [IRREGULAR; RECENT_SHAPES],
            scratch: Vec::new(),
            rows: Vec::with_capacity(rows),
            times: Vec::new(),
            literals: Vec::new(),
            families: Vec::with_capacity(names),
            has_suffixes: false,
            runs: Vec::with_capacity(names),
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
            let next = match text[at] {
                b'\n' => Some(at + 1),
                b'#' => self.quick_metadata(at),
                _ => self.quick_samples(at),
            };
            at = match next {
                Some(next) => next,
                None => self.line(at)?,
            };
        }
        if start < text.len() && !text.ends_with(b"\n") {
            self.fault(Code::MissingFinalNewline, text.len(), text.len(), None)?;
        }
        Ok(())
    }

    /// Check the lines from here on, as many as can still be in the cache when they are read.
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

    // -------------------------------------------------------------------------------------------------------- names

    /// The bytes of a name by its number.
    fn name(&self, number: u32) -> &[u8] {
        match &self.names[number as usize] {
            Name::Written(span) => span.of(self.text),
            Name::Own(name) => name,
        }
    }

    fn known_name(&self, name: &[u8]) -> Option<u32> {
        self.look_up(name).ok()
    }

    /// The number of a name, or its hash if it is not known.
    #[inline]
    fn look_up(&self, name: &[u8]) -> Result<u32, u32> {
        let hash = self.numbers.hash(name);
        self.numbers.find(hash, |number| self.name(number) == name).ok_or(hash)
    }

    fn name_number(&mut self, name: &[u8], kept: Name) -> u32 {
        self.look_up(name).unwrap_or_else(|hash| self.add_name(hash, kept))
    }

    #[inline]
    fn add_name(&mut self, hash: u32, kept: Name) -> u32 {
        let number = offset(self.names.len());
        self.names.push(kept);
        self.name_facts.push(NameFacts {
            family: NONE,
            target: NONE,
            counts: Counts::Any,
            kind: NONE,
            irregular: NONE,
        });
        self.numbers.insert(hash, number);
        number
    }

    // ----------------------------------------------------------------------------------------------------- families

    #[inline]
    fn add_family(&mut self, family: Family) -> u32 {
        let number = offset(self.families.len());
        self.name_facts[family.name as usize].family = number;
        self.families.push(family);
        number
    }

    fn family_of(&self, name: &[u8]) -> Option<u32> {
        let number = self.known_name(name)?;
        Some(self.name_facts[number as usize].family).filter(|&family| family != NONE)
    }

    /// The declared family to which a sample of this name belongs by its ending.
    fn owner_by_suffix(&self, name: &[u8]) -> Option<u32> {
        // Few names end as one with a suffix does, and fewer still in a text where nothing has suffixes.
        if !self.has_suffixes || !matches!(name.last(), Some(b'm' | b'o' | b't')) {
            return None;
        }
        // Most of the names that do belong to the family that was declared last.
        if let Some(last) = self.families.last()
            && let Some(suffix) = name.strip_prefix(self.name(last.name))
            && last.kind.suffixes().contains(&suffix)
        {
            return Some(offset(self.families.len() - 1));
        }
        // No ending has an underscore but the one at its front.
        let (base, suffix) = name.split_at(memrchr(b'_', name)?);
        if !SUFFIXES.contains(&suffix) {
            return None;
        }
        let family = self.family_of(base)?;
        self.families[family as usize].kind.suffixes().contains(&suffix).then_some(family)
    }

    /// Where samples of a name go, by the families declared so far, and what values they may have; `start` is that of the
    /// line, which is also that of a family that begins with it.
    #[inline]
    fn target(&mut self, name: u32, start: usize, span: Span) -> (u32, Counts) {
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
            target = self.add_family(Family::new(name, start, span));
        }
        let facts = &mut self.name_facts[name as usize];
        (facts.target, facts.counts) = (target, counts);
        (target, counts)
    }

    // ------------------------------------------------------------------------------------------------------ samples

    #[inline(always)]
    fn push(&mut self, row: Row, time: Time) {
        if time != Time::ABSENT || !self.times.is_empty() {
            self.times.resize(self.rows.len(), Time::ABSENT);
            self.times.push(time);
        }
        self.rows.push(row);
    }

    #[inline(always)]
    fn change_family(&mut self, family: u32, name: Span) {
        if let Some(last) = self.families.get_mut(self.family as usize) {
            last.last_name = Some(self.last_name);
        }
        let entered = &mut self.families[family as usize];
        entered.first_name = entered.first_name.or(Some(name));
        self.family = family;
        self.runs.push((family, offset(self.rows.len())));
    }

    /// A kind for samples of a name that are like this line: `prefix` is how it begins, `brace` where its label set does.
    #[inline]
    fn add_kind(&mut self, name: u32, prefix: Span, name_end: u32, brace: u32, shape: u32) -> u32 {
        let wanted =
            self.shapes.get(shape as usize).map_or((0, 0), |shape| (shape.first + 1, shape.first + 1 + shape.labels));
        let facts = &mut self.name_facts[name as usize];
        self.kind_facts.push(KindFacts {
            prefix,
            ready: NONE,
            name_length: name_end - prefix.start,
            brace: if brace == NO_LABELS { NO_LABELS } else { brace - prefix.start },
            wanted,
            family: facts.target,
            counts: facts.counts,
            before: facts.kind,
        });
        facts.kind = offset(self.kinds.len());
        self.kinds.push(Kind { name, shape });
        facts.kind
    }

    /// Append a shape with the segments that were appended for it; gives its number.
    fn add_shape(&mut self) -> u32 {
        let first = self.wanted.len();
        let segments = &self.segments[first..];
        self.shapes.push(crate::build::new_shape(self.text, offset(first), segments));
        self.wanted.extend(segments.iter().map(|segment| Wanted::new(self.text, segment.text)));
        let number = offset(self.shapes.len() - 1);
        self.recent.copy_within(..RECENT_SHAPES - 1, 1);
        self.recent[0] = number;
        number
    }

    /// Drop segments of what did not become a shape.
    fn drop_segments(&mut self) {
        self.segments.truncate(self.wanted.len());
    }
}

impl Counts {
    #[inline(always)]
    fn allow(self, value: f64) -> bool {
        self == Counts::Any || (value >= 0.0 && (self == Counts::NotNegative || value % 1.0 == 0.0))
    }
}
