//! Families to canonical text.

use std::borrow::Cow;
use std::convert::Infallible;

use memchr::memchr2;

use crate::block::{Block, NO_LABELS, Name, View};
use crate::build::push_label_name;
use crate::copy::{STEP, push_part};
use crate::escape::{EscapingScheme, escape_label_name, escape_name};
use crate::family::{MetricType, point_of};
use crate::label::{is_legacy_metric_name, push_escaped, push_quoted};
use crate::number::{push_float, push_milliseconds};
use crate::order::{Lines, Place, compare, order};
use crate::samples::SamplesRef;
use crate::spell::{Spelled, Speller, push_bound};

/// What is written of a metric family.
#[derive(Clone, Copy)]
pub struct Family<'a> {
    pub name: &'a [u8],
    pub kind: MetricType,
    pub help: Option<&'a [u8]>,
    pub samples: SamplesRef<'a>,
}

/// A text that is shorter comes in one piece.
const LEAST_PIECE: usize = 1 << 20;
/// About the number of pieces, at most: whoever takes them may have to wait for something each time.
const MOST_PIECES: usize = 16;

/// Canonical text: families in the order given, the samples of each in canonical order, which is that of their names and
/// labels before these are escaped.
///
/// With `literals`, values whose canonical spelling would denote another number keep the spelling of their input.
pub fn encode(families: &[Family<'_>], escaping: EscapingScheme, literals: bool) -> Vec<u8> {
    let mut text = Vec::new();
    let taken: Result<_, Infallible> = encode_in_pieces(families, escaping, literals, |piece| {
        text.extend_from_slice(piece);
        Ok(())
    });
    let Ok(last) = taken;
    if text.is_empty() {
        return last;
    }
    text.extend_from_slice(&last);
    text
}

/// The same in pieces of whole families, all but the last of which are taken while the rest is yet to be written. That one is
/// returned; where the text is not long, it is all of it.
pub fn encode_in_pieces<E>(
    families: &[Family<'_>],
    escaping: EscapingScheme,
    literals: bool,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<Vec<u8>, E> {
    let lengths: Vec<usize> = families.iter().map(likely_length).collect();
    let length: usize = lengths.iter().sum();
    let piece = LEAST_PIECE.max(length / MOST_PIECES);
    let mut writer = Writer { escaping, ..Writer::new(length.min(piece), Values::new(literals)) };
    for (family, length) in families.iter().zip(lengths) {
        if writer.text.len() + length > piece && !writer.text.is_empty() {
            take(&writer.text)?;
            writer.text.clear();
        }
        writer.text.reserve(length);
        writer.family(family);
    }
    Ok(writer.text)
}

/// Text that reads back as the same samples in the same order: neither these nor their bounds are brought into canonical
/// form, and values keep the spelling of their input where another would denote another number.
pub fn encode_exact(families: &[Family<'_>]) -> Vec<u8> {
    let values = Values { signed_zeros: true, ..Values::new(true) };
    let mut writer = Writer { exact: true, ..Writer::new(families.iter().map(likely_length).sum(), values) };
    families.iter().for_each(|family| writer.family(family));
    writer.text
}

/// The sample lines of a family as [`encode`] writes them, with names unescaped.
pub fn encode_samples(family: &Family<'_>) -> Vec<u8> {
    let mut writer = Writer::new(likely_length(family), Values::new(false));
    writer.samples(family);
    writer.text
}

/// About how long the text of a family will be; seldom less than that.
fn likely_length(family: &Family<'_>) -> usize {
    const METADATA: usize = "# HELP  \n# TYPE  gaugehistogram\n".len();
    // What a line has besides what stands in its text: its value and the blank before it, or only the line feed, and some
    // digits more where a number is spelt longer.
    const BUILT: usize = " -1.2345678901234567e+123\n".len();
    const READ: usize = 8;
    let metadata = METADATA + 2 * family.name.len() + family.help.map_or(0, |help| help.len());
    let parts = family.samples.ranges().map(|range| {
        let Block { rows, times, layout, .. } = range.block;
        let rest = if layout.placed { READ } else { family.name.len() + "_bucket".len() + BUILT };
        let times = if times.is_empty() || layout.placed { 0 } else { " 1395066363000".len() };
        let rows = range.of(rows);
        rows.iter().map(|row| (row.end - row.start) as usize).sum::<usize>() + rows.len() * (rest + times)
    });
    metadata + parts.sum::<usize>()
}

/// Whether the scheme changes a name in the family. A suffix is not part of the name that is escaped.
fn is_escaped(family: &Family<'_>, escaping: EscapingScheme) -> bool {
    let changes = |name: Cow<'_, [u8]>| matches!(name, Cow::Owned(_));
    escaping != EscapingScheme::AllowUtf8
        && (changes(escape_name(family.name, escaping))
            || family
                .samples
                .views()
                .any(|view| view.labels().any(|label| changes(escape_label_name(&label.name, escaping)))))
}

struct Writer<'a> {
    text: Vec<u8>,
    speller: Speller<'a>,
    values: Values,
    /// Whether samples stay in their order, and bounds as they are.
    exact: bool,
    escaping: EscapingScheme,
    /// Those of a family that is not in order.
    lines: Lines,
}

impl<'a> Writer<'a> {
    fn new(capacity: usize, values: Values) -> Writer<'a> {
        let (speller, lines) = (Speller::default(), Lines::default());
        let escaping = EscapingScheme::AllowUtf8;
        Writer { text: Vec::with_capacity(capacity), speller, values, exact: false, escaping, lines }
    }

    fn family(&mut self, family: &Family<'a>) {
        if is_escaped(family, self.escaping) {
            let name = escape_name(family.name, self.escaping);
            self.metadata(family, &name);
            self.samples_escaped(family, &name);
            return;
        }
        let first = family.samples.views().next();
        let bare = first.filter(has_bare_name);
        self.metadata(family, &written_name(family.name, bare));
        if self.exact {
            // In a family of this type, a bound is a label as any other.
            self.speller.begin(family.name, MetricType::Unknown);
            for view in family.samples.views() {
                push_sample(&mut self.text, &mut self.speller, &mut self.values, view);
            }
            return;
        }
        if let Some(only) = bare.filter(|first| family.samples.len() == 1 && first.fields().labels == NO_LABELS) {
            // There are many such families, and nothing to be found out about them.
            self.text.extend_from_slice(only.name());
            self.values.push(&mut self.text, only);
            return;
        }
        self.samples(family);
    }

    /// Append the HELP and TYPE lines, with the name as it is written.
    fn metadata(&mut self, family: &Family<'a>, name: &[u8]) {
        if let Some(help) = family.help {
            self.text.extend_from_slice(b"# HELP ");
            self.text.extend_from_slice(name);
            self.text.push(b' ');
            match memchr2(b'\\', b'\n', help) {
                Some(_) => push_escaped(&mut self.text, help, false),
                None => self.text.extend_from_slice(help),
            }
            self.text.push(b'\n');
        }
        let word = if family.kind == MetricType::Unknown { "untyped" } else { family.kind.as_str() };
        self.text.extend_from_slice(b"# TYPE ");
        self.text.extend_from_slice(name);
        self.text.push(b' ');
        self.text.extend_from_slice(word.as_bytes());
        self.text.push(b'\n');
    }

    fn samples(&mut self, family: &Family<'a>) {
        self.speller.begin(family.name, family.kind);
        let start = self.text.len();
        if !self.samples_in_order(family.samples) {
            self.text.truncate(start);
            self.samples_sorted(family);
        }
    }

    /// Write samples in the order of the names that are not escaped.
    fn samples_escaped(&mut self, family: &Family<'a>, name: &[u8]) {
        let point = point_of(family.name, family.kind);
        let samples = family.samples;
        self.speller.begin(family.name, family.kind);
        let mut lines = Lines::default();
        samples.views().for_each(|view| lines.push(|text| self.speller.push(text, view)));
        let mut labels = Vec::new();
        for entry in order(&self.speller, samples, &lines) {
            let view = samples.at(entry.index as usize);
            let suffix = view.name().strip_prefix(family.name).unwrap_or(view.name());
            let full = [name, suffix].concat();
            let mut before = b'{';
            if is_legacy_metric_name(&full) {
                self.text.extend_from_slice(&full);
            } else {
                self.text.push(before);
                push_quoted(&mut self.text, &full);
                before = b',';
            }
            view.sorted_labels(&mut labels);
            let bound = point.as_ref().filter(|point| *point.sample_name == *view.name()).map(|point| point.label);
            let bound = labels.iter().position(|label| Some(&*label.name) == bound).map(|at| labels.remove(at));
            for label in &labels {
                self.text.push(before);
                push_label_name(&mut self.text, &escape_label_name(&label.name, self.escaping));
                self.text.push(b'=');
                push_quoted(&mut self.text, &label.value);
                before = b',';
            }
            if let Some(label) = bound {
                self.text.push(before);
                self.text.extend_from_slice(&label.name);
                self.text.extend_from_slice(b"=\"");
                push_bound(&mut self.text, &label.value);
                self.text.push(b'"');
                before = b',';
            }
            if before == b',' {
                self.text.push(b'}');
            }
            self.values.push(&mut self.text, view);
        }
    }

    /// Write samples as long as they come in canonical order; false where one does not.
    fn samples_in_order(&mut self, samples: SamplesRef<'a>) -> bool {
        let mut last: Option<Place<'_>> = None;
        for view in samples.views() {
            let next = Place { spelled: push_sample(&mut self.text, &mut self.speller, &mut self.values, view), view };
            if let Some(last) = &last
                && compare(&self.speller, &self.text, last, &self.text, &next).is_gt()
            {
                return false;
            }
            last = Some(next);
        }
        true
    }

    /// Write samples aside, and then their lines in canonical order.
    fn samples_sorted(&mut self, family: &Family<'a>) {
        self.lines.begin(family.samples.len(), likely_length(family));
        for view in family.samples.views() {
            self.lines.push(|text| push_sample(text, &mut self.speller, &mut self.values, view));
        }
        for entry in order(&self.speller, family.samples, &self.lines) {
            push_part(&mut self.text, &self.lines.text, self.lines.line(&entry));
        }
    }
}

/// The name of a family as metadata lines have it; maybe one of its samples is known to have a bare name.
fn written_name<'a>(name: &'a [u8], bare: Option<View<'_>>) -> Cow<'a, [u8]> {
    // What a bare name begins with may stand bare, too, and that is found out quicker than from each character.
    if bare.is_some_and(|view| !name.is_empty() && view.name().starts_with(name)) || is_legacy_metric_name(name) {
        return Cow::Borrowed(name);
    }
    let mut quoted = Vec::new();
    push_quoted(&mut quoted, name);
    Cow::Owned(quoted)
}

/// Whether the sample's name surely needs no quotes: it has none in its text.
fn has_bare_name(view: &View<'_>) -> bool {
    let layout = &view.block.layout;
    matches!(layout.names[layout.kinds[view.fields().kind as usize].name as usize], Name::Written(_))
}

/// Append the line of a sample.
pub fn push_sample<'a>(out: &mut Vec<u8>, speller: &mut Speller<'a>, values: &mut Values, view: View<'a>) -> Spelled {
    let spelled = speller.push(out, view);
    values.push(out, view);
    spelled
}

/// Writes what follows the labels.
pub struct Values {
    literals: bool,
    /// Whether `-0` is written so, and not as `0`.
    signed_zeros: bool,
    /// The time written last, and its digits, so many of these bytes: samples have mostly the time of the one before.
    ms: i64,
    written: Vec<u8>,
    length: usize,
}

impl Values {
    /// With `literals`, as [`encode`] has it.
    pub fn new(literals: bool) -> Values {
        Values { literals, signed_zeros: false, ms: 0, written: Vec::new(), length: 0 }
    }

    fn push(&mut self, out: &mut Vec<u8>, view: View<'_>) {
        out.push(b' ');
        match view.literal().filter(|_| self.literals) {
            Some(literal) => out.extend_from_slice(literal),
            None if self.signed_zeros && view.value().to_bits() == (-0.0f64).to_bits() => out.extend_from_slice(b"-0"),
            None => push_float(out, view.value()),
        }
        if let Some(time) = view.time() {
            out.push(b' ');
            self.push_time(out, time.ms);
        }
        out.push(b'\n');
    }

    fn push_time(&mut self, out: &mut Vec<u8>, ms: i64) {
        if self.ms != ms || self.length == 0 {
            self.ms = ms;
            self.written.clear();
            push_milliseconds(&mut self.written, ms);
            self.length = self.written.len();
            self.written.resize(STEP, 0);
        }
        push_part(out, &self.written, 0..self.length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Time;
    use crate::build::Builder;
    use crate::reading::read;
    use crate::samples::Samples;

    fn encoded(name: &str, kind: MetricType, samples: &Samples, escaping: EscapingScheme) -> String {
        let family = Family { name: name.as_bytes(), kind, help: Some(b"a\\b\n\"c\""), samples: samples.into() };
        String::from_utf8(encode(&[family], escaping, true)).expect("UTF-8")
    }

    fn canonical(name: &str, kind: MetricType, text: &str) -> String {
        let samples = read(text);
        let written = encoded(name, kind, &samples, EscapingScheme::AllowUtf8);
        // The same samples give the same text wherever they lie, and that text is its own canonical form.
        assert_eq!(encoded(name, kind, &samples.compact(), EscapingScheme::AllowUtf8), written);
        let lines: String =
            written.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
        assert_eq!(encoded(name, kind, &read(&lines), EscapingScheme::AllowUtf8), written);
        lines
    }

    #[test]
    fn labels_are_sorted_and_blanks_left_out() {
        let text = "g{b=\"2\",a=\"1\"} 1\ng{ a = \"1\" , b = \"1\" , } 2\ng {a=\"0\",b=\"}\"} 3\ng 4\ng{} 5\ng{le=\"1.0\"} 6\n";
        let lines = [
            "g 4",
            "g 5",
            "g{le=\"1.0\"} 6",
            "g{a=\"0\",b=\"}\"} 3",
            "g{a=\"1\",b=\"1\"} 2",
            "g{a=\"1\",b=\"2\"} 1",
            "",
        ];
        assert_eq!(canonical("g", MetricType::Gauge, text), lines.join("\n"));
    }

    #[test]
    fn escapes_are_those_that_are_needed() {
        let text = "g{a=\"\\q\\n\\\\\\\"\"} 1\ng{a=\"\\q\"} 2\n";
        assert_eq!(canonical("g", MetricType::Gauge, text), "g{a=\"\\\\q\"} 2\ng{a=\"\\\\q\\n\\\\\\\"\"} 1\n");
    }

    #[test]
    fn bounds_come_last_and_are_spelt_as_numbers() {
        let lines = [
            "h_bucket{z=\"\",le=\"0\"} 1",
            "h_bucket{z=\"\",le=\"0.0001\"} 1",
            "h_bucket{z=\"\",le=\"1e-05\"} 1",
            "h_bucket{le=\"+Inf\",z=\"\"} 1",
            "h_bucket{z=\"\",le=\"1.50\"} 1",
            "h_bucket{ z=\"\",le=\"1e6\"} 1",
            "h_bucket{z=\"\",le=\"x\\\\\"} 1",
            "h_bucket{le=\"x\",z=\"\"} 1",
            "h_bucket{z=\"\",le=\"nan\"} 1",
            "h_bucket{z=\"\"} 1",
            "h_bucket{le=\".5\"} 1",
            "h_sum{le=\"1.0\",z=\"\"} 1",
            "h_count{z=\"\"} 1",
        ];
        let expected = [
            "h_bucket{le=\"0.5\"} 1",
            "h_bucket{z=\"\",le=\"0\"} 1",
            "h_bucket{z=\"\",le=\"1e-05\"} 1",
            "h_bucket{z=\"\",le=\"0.0001\"} 1",
            "h_bucket{z=\"\",le=\"1.5\"} 1",
            "h_bucket{z=\"\",le=\"1e+06\"} 1",
            "h_bucket{z=\"\",le=\"+Inf\"} 1",
            "h_bucket{z=\"\",le=\"nan\"} 1",
            "h_bucket{z=\"\",le=\"x\\\\\"} 1",
            "h_bucket{z=\"\",le=\"x\"} 1",
            "h_bucket{z=\"\"} 1",
            "h_count{z=\"\"} 1",
            "h_sum{le=\"1.0\",z=\"\"} 1",
            "",
        ];
        assert_eq!(canonical("h", MetricType::Histogram, &(lines.join("\n") + "\n")), expected.join("\n"));
    }

    #[test]
    fn names_that_are_no_legacy_names_stand_in_the_braces() {
        let text = "{\"a.b\",c=\"2\"} 1\n{\"a.b\",\"d.e\"=\"\",c=\"1\"} 2\n{\"a.b\"} 3\n";
        let expected = "{\"a.b\"} 3\n{\"a.b\",c=\"2\"} 1\n{\"a.b\",c=\"1\",\"d.e\"=\"\"} 2\n";
        assert_eq!(canonical("a.b", MetricType::Gauge, text), expected);
        let head = "# HELP \"a.b\" a\\\\b\\n\"c\"\n# TYPE \"a.b\" untyped\n";
        let written = encoded("a.b", MetricType::Unknown, &read(text), EscapingScheme::AllowUtf8);
        assert_eq!(written, format!("{head}{expected}"));
    }

    #[test]
    fn names_are_escaped_but_for_suffixes() {
        let samples = read("{\"a.b_bucket\",le=\"1\",\"d.e\"=\"\"} 1\n{\"a.b_sum\"} 2\n");
        let lines = "a_dot_b_sum 2\na_dot_b_bucket{d_dot_e=\"\",le=\"1\"} 1\n";
        let head = "# HELP a_dot_b a\\\\b\\n\"c\"\n# TYPE a_dot_b histogram\n";
        let written = encoded("a.b", MetricType::Histogram, &samples, EscapingScheme::Dots);
        assert_eq!(written, format!("{head}{lines}"));
        let written = encoded("g", MetricType::Gauge, &read("g{a=\"1\"} 1\n"), EscapingScheme::Values);
        assert!(written.ends_with("\ng{a=\"1\"} 1\n"));
    }

    #[test]
    fn times_and_literals_are_written() {
        let mut builder = Builder::default();
        for (time, literal) in [(None, None), (Some(Time { ms: -1, nanos: 999 }), Some(&b"-0"[..]))] {
            builder.push(b"g", [], -0.0, time, literal, None);
        }
        let samples = builder.finish();
        assert!(
            encoded("g", MetricType::Gauge, &samples, EscapingScheme::AllowUtf8).ends_with("gauge\ng -0 -1\ng 0\n")
        );
        let family = Family { name: b"g", kind: MetricType::Gauge, help: None, samples: (&samples).into() };
        assert_eq!(encode(&[family], EscapingScheme::AllowUtf8, false), b"# TYPE g gauge\ng 0 -1\ng 0\n");
        let empty = Family { samples: SamplesRef::default(), ..family };
        assert_eq!(encode(&[empty], EscapingScheme::Values, true), b"# TYPE g gauge\n");
    }

    #[test]
    fn a_time_is_that_of_its_sample_whatever_the_one_before_had() {
        let times = [0, 0, 1, 1395066363000, 1395066363000, i64::MAX];
        let lines: String = times.iter().map(|time| format!("g 1 {time}\n")).collect();
        assert_eq!(canonical("g", MetricType::Gauge, &lines), lines);
        let smallest = format!("g 1 {}\ng 1 {}\ng 1\ng 2\n", i64::MIN, i64::MIN);
        assert_eq!(canonical("g", MetricType::Gauge, &smallest), smallest);
    }

    #[test]
    fn what_was_written_in_order_is_taken_back_where_order_ends() {
        let sample = |number: usize| format!("g{{a=\"{}\"}} {number}\n", "x".repeat(100 + number));
        let sorted: String = (1..201).map(sample).collect();
        let out_of_order = format!("{sorted}{}", sample(0));
        let in_order = format!("{}{sorted}", sample(0));
        for text in [&in_order, &out_of_order] {
            assert_eq!(canonical("g", MetricType::Gauge, text), in_order);
        }
        let (first, second) = (read("b 1\n"), read(&out_of_order));
        let families = [&first, &second, &first];
        let families =
            families.map(|samples| Family { name: b"g", kind: MetricType::Gauge, help: None, samples: samples.into() });
        let written = String::from_utf8(encode(&families, EscapingScheme::AllowUtf8, false)).expect("UTF-8");
        let head = "# TYPE g gauge\n";
        assert_eq!(written, format!("{head}b 1\n{head}{in_order}{head}b 1\n"));
        let likely: usize = families.iter().map(likely_length).sum();
        assert!((written.len()..2 * written.len()).contains(&likely));
    }

    #[test]
    fn a_long_text_comes_in_pieces_of_whole_families() {
        let line = |number: usize| format!("g{{a=\"{}{number:04}\"}} 1\n", "x".repeat(1000));
        let samples = read(&(0..1000).map(line).collect::<String>());
        let family =
            |name| Family { name, kind: MetricType::Gauge, help: Some(b"a.b"), samples: SamplesRef::from(&samples) };
        for scheme in [EscapingScheme::AllowUtf8, EscapingScheme::Values] {
            let long = encode(&[family(b"g")], scheme, false);
            for number in [0, 1, 2, 3, 40] {
                let mut pieces: Vec<Vec<u8>> = Vec::new();
                let last = encode_in_pieces(&vec![family(b"g"); number], scheme, false, |piece| {
                    pieces.push(piece.to_vec());
                    Ok::<(), ()>(())
                });
                pieces.push(last.expect("a text"));
                assert_eq!(pieces.len() > 1, number > 1);
                assert!(pieces.len() <= 2 * MOST_PIECES);
                assert!(pieces.iter().all(|piece| piece.len() % long.len() == 0));
                assert_eq!(pieces.concat(), long.repeat(number));
                assert_eq!(encode(&vec![family(b"g"); number], scheme, false), long.repeat(number));
            }
        }
        assert_eq!(encode_in_pieces(&[family(b"g"); 2], EscapingScheme::AllowUtf8, false, |_| Err(1)), Err(1));
    }
}
