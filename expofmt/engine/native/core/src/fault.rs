//! Faults: what is wrong with an input, and where.

/// Declares the codes with the words they are known by.
macro_rules! codes {
    ($($name:ident = $word:literal,)*) => {
        /// The stable name of an offence. Only those that an engine finds are here.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Code { $($name,)* }

        impl Code {
            /// All codes, in the order of their numbers.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// The word that the rest of the project knows the code by.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $word,)* }
            }
        }
    };
}

codes! {
    InvalidUtf8 = "invalid-utf8",
    ByteOrderMark = "byte-order-mark",
    CarriageReturn = "carriage-return",
    InvalidMetricName = "invalid-metric-name",
    QuotedNameOutsideBraces = "quoted-name-outside-braces",
    UnquotedNameInBraces = "unquoted-name-in-braces",
    MissingMetricName = "missing-metric-name",
    SecondMetricName = "second-metric-name",
    EmptyName = "empty-name",
    InvalidLabelName = "invalid-label-name",
    MissingEquals = "missing-equals",
    UnquotedLabelValue = "unquoted-label-value",
    UnterminatedString = "unterminated-string",
    MissingComma = "missing-comma",
    UnclosedLabels = "unclosed-labels",
    MissingValue = "missing-value",
    InvalidValue = "invalid-value",
    ValueOutOfRange = "value-out-of-range",
    InvalidTimestamp = "invalid-timestamp",
    TimestampOutOfRange = "timestamp-out-of-range",
    TrailingText = "trailing-text",
    IncompleteType = "incomplete-type",
    UnknownType = "unknown-type",
    DuplicateLabel = "duplicate-label",
    MetricNameLabel = "metric-name-label",
    InputTooLarge = "input-too-large",
    SecondType = "second-type",
    SecondHelp = "second-help",
    TypeAfterSamples = "type-after-samples",
    SuffixCollision = "suffix-collision",
    InvalidCount = "invalid-count",
    NonLegacyName = "non-legacy-name",
    MissingFinalNewline = "missing-final-newline",
    TrailingBlank = "trailing-blank",
    UnknownEscape = "unknown-escape",
    TypeCase = "type-case",
    OpenmetricsType = "openmetrics-type",
    InexactInteger = "inexact-integer",
    HelpAfterSamples = "help-after-samples",
    InterleavedFamily = "interleaved-family",
    ReservedLabelName = "reserved-label-name",
    MissingLe = "missing-le",
    InvalidLe = "invalid-le",
    MissingQuantile = "missing-quantile",
    InvalidQuantile = "invalid-quantile",
    NanBound = "nan-bound",
    QuantileOutOfRange = "quantile-out-of-range",
    StraySample = "stray-sample",
    MissingInfBucket = "missing-inf-bucket",
    BucketOrder = "bucket-order",
    BucketNotCumulative = "bucket-not-cumulative",
    CountMismatch = "count-mismatch",
    MissingSum = "missing-sum",
    MissingCount = "missing-count",
    TooManyDiagnostics = "too-many-diagnostics",
}

/// A half-open range of byte offsets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Span {
        Span { start: offset(start), end: offset(end) }
    }

    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The bytes of a text that the span covers.
    pub fn of(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..self.end as usize]
    }
}

/// An offset in a text; no text that is scanned or built is longer than the type allows.
pub fn offset(at: usize) -> u32 {
    debug_assert!(u32::try_from(at).is_ok());
    at as u32
}

/// A fault with its place and, where another place explains it, that one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub code: Code,
    pub span: Span,
    pub related: Option<Span>,
}

impl Fault {
    pub fn at(code: Code, start: usize, end: usize) -> Fault {
        Fault { code, span: Span::new(start, end), related: None }
    }

    pub fn related_to(self, related: Option<Span>) -> Fault {
        Fault { related, ..self }
    }
}

/// A set of codes.
#[derive(Clone, Copy, Debug, Default)]
pub struct CodeSet(u64);

impl CodeSet {
    pub fn insert(&mut self, code: Code) {
        self.0 |= 1 << code as u8;
    }

    pub fn contains(self, code: Code) -> bool {
        self.0 & (1 << code as u8) != 0
    }
}

impl FromIterator<Code> for CodeSet {
    fn from_iter<I: IntoIterator<Item = Code>>(codes: I) -> CodeSet {
        let mut set = CodeSet::default();
        codes.into_iter().for_each(|code| set.insert(code));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_every_code() {
        assert!(Code::ALL.len() <= 64);
        let set: CodeSet = [Code::TooManyDiagnostics].into_iter().collect();
        assert!(set.contains(Code::TooManyDiagnostics) && !set.contains(Code::InvalidUtf8));
    }
}
