//! Families of which text can hold all.

use std::ptr;

use memchr::memrchr;

use crate::block::{Block, Time};
use crate::encode::Family;
use crate::family::{MetricType, SUFFIXES};
use crate::samples::{Rows, SamplesRef};

/// The families sorted by name, if their canonical text, names unescaped, says all that they hold and is read as the same
/// families. No two come of one name.
///
/// What makes the answer no is rare, and is for somebody else to explain: types, exemplars, start times and parts of a
/// millisecond that the text format has no words for; HELP text that a reader would trim; samples of a name that is not their
/// family's; and families whose samples would be read as another's.
pub fn sorted_if_plain(mut families: Vec<Family<'_>>) -> Option<Vec<Family<'_>>> {
    families.sort_unstable_by_key(|family| family.name);
    is_plain(&families).then_some(families)
}

fn is_plain(sorted: &[Family<'_>]) -> bool {
    sorted.iter().all(|family| {
        is_of_text(family.kind)
            && family.help.is_none_or(is_kept)
            && family.samples.ranges().all(is_of_words)
            && are_own(family.samples, family.name, family.kind.suffixes())
            && !is_part(family.name, sorted)
    })
}

/// Whether a reader would take the samples of a family of this name for parts of another one.
fn is_part(name: &[u8], sorted: &[Family<'_>]) -> bool {
    // Each suffix begins with an underscore, and has no other.
    let Some(end) = memrchr(b'_', name) else { return false };
    let (whole, suffix) = name.split_at(end);
    SUFFIXES.contains(&suffix)
        && sorted
            .binary_search_by_key(&whole, |family| family.name)
            .is_ok_and(|at| sorted[at].kind.suffixes().contains(&suffix))
}

/// Whether text has words for all that the samples have besides their values.
fn is_of_words(rows: Rows<'_>) -> bool {
    let Block { times, extras, .. } = rows.block;
    let next_extra = extras.get(extras.partition_point(|(row, _)| *row < rows.first));
    let is_of_milliseconds = |time: &Time| time.nanos == 0 || *time == Time::ABSENT;
    next_extra.is_none_or(|(row, _)| *row >= rows.last) && rows.of(times).iter().all(is_of_milliseconds)
}

fn is_of_text(kind: MetricType) -> bool {
    !matches!(kind, MetricType::Info | MetricType::StateSet | MetricType::GaugeHistogram)
}

fn is_kept(help: &[u8]) -> bool {
    !help.starts_with(b" ") && !help.starts_with(b"\t") && !help.ends_with(b"\r")
}

/// Whether all samples have names that a family of this name, and with these suffixes, may hold.
fn are_own(samples: SamplesRef<'_>, family: &[u8], suffixes: &[&[u8]]) -> bool {
    let is_own = |name: &[u8]| {
        // What was read together has but one place in memory for a name.
        let is_same = ptr::eq(name, family);
        is_same || name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || suffixes.contains(&rest))
    };
    samples.ranges().all(|rows| {
        let layout = &*rows.block.layout;
        let kinds = rows.of(&rows.block.rows).chunk_by(|row, next| row.kind == next.kind);
        kinds.map(|rows| layout.kinds[rows[0].kind as usize]).all(|kind| is_own(layout.name(kind.name)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{Extra, Time};
    use crate::build::Builder;
    use crate::reading::read;
    use crate::samples::Samples;

    fn family<'a>(name: &'a str, kind: MetricType, help: &'a str, samples: &'a Samples) -> Family<'a> {
        Family { name: name.as_bytes(), kind, help: Some(help.as_bytes()), samples: samples.into() }
    }

    #[test]
    fn families_of_the_text_format_are_plain() {
        let (plain, parts) =
            (read("a{b=\"c\"} 1 5\na{d=\"e\"} 2\n"), read("h_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\nh 1\n"));
        let families = [
            family("a", MetricType::Counter, "", &plain),
            family("a_sum", MetricType::Unknown, "b \\\n", &parts),
            family("h", MetricType::Histogram, "c\r d ", &parts),
        ];
        assert!(is_plain(&[]));
        assert!(!is_plain(&families));
        assert!(is_plain(&[families[0], families[2]]));
        assert!(is_plain(&families[..1]));
        assert!(!is_plain(&[Family { name: b"b", ..families[0] }]));
        assert!(!is_plain(&[Family { kind: MetricType::Summary, ..families[2] }]));
        assert!(!is_plain(&[Family { kind: MetricType::GaugeHistogram, ..families[2] }]));
        let next = Family { name: b"h_sum", samples: SamplesRef::default(), ..families[2] };
        assert!(!is_plain(&[families[2], next]));
        for help in [" a", "\ta", "a\r"] {
            assert!(!is_plain(&[family("a", MetricType::Gauge, help, &plain)]));
        }
        assert!(!is_plain(&[family("a", MetricType::Info, "", &plain)]));
    }

    #[test]
    fn what_only_openmetrics_has_is_not_plain() {
        let extra = Extra { start: Some(Time { ms: 1, nanos: 0 }), ..Extra::default() };
        for (time, extra) in [(Some(Time { ms: 1, nanos: 1 }), None), (None, Some(extra))] {
            let mut builder = Builder::default();
            builder.push(b"a", [], 1.0, time, None, extra);
            assert!(!is_plain(&[family("a", MetricType::Gauge, "", &builder.finish())]));
        }
    }
}
