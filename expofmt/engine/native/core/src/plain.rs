//! Whether text can hold some families.

use std::sync::Arc;

use crate::cardinality::losses_in_text;
use crate::encode::Family;
use crate::family::MetricType;
use crate::samples::Samples;

/// Whether the canonical text of these families, names unescaped, says all that they hold, and is read as the same families.
///
/// They come sorted by name, no two of one name. What makes the answer no is rare, and is for somebody else to explain: types,
/// exemplars, start times and parts of a millisecond that the text format has no words for; HELP text that a reader would
/// trim; samples of a name that is not their family's; and families whose samples would be read as another's.
pub fn is_plain(families: &[Family<'_>]) -> bool {
    families.iter().all(|family| {
        let suffixes = family.kind.suffixes();
        let collides = |suffix: &&[u8]| {
            let other = [family.name, suffix].concat();
            families.binary_search_by(|family| family.name.cmp(&other)).is_ok()
        };
        is_of_text(family.kind)
            && family.help.is_none_or(is_kept)
            && losses_in_text(family.samples).is_empty()
            && are_own(family.samples, family.name, suffixes)
            && !suffixes.iter().any(collides)
    })
}

fn is_of_text(kind: MetricType) -> bool {
    !matches!(kind, MetricType::Info | MetricType::StateSet | MetricType::GaugeHistogram)
}

fn is_kept(help: &[u8]) -> bool {
    !help.starts_with(b" ") && !help.starts_with(b"\t") && !help.ends_with(b"\r")
}

/// Whether all samples have names that a family of this name, and with these suffixes, may hold.
fn are_own(samples: &Samples, family: &[u8], suffixes: &[&[u8]]) -> bool {
    let is_own =
        |name: &[u8]| name.strip_prefix(family).is_some_and(|suffix| suffix.is_empty() || suffixes.contains(&suffix));
    let mut last = None;
    samples.parts().iter().all(|part| {
        part.views().all(|view| {
            let kind = (Arc::as_ptr(&part.block.layout), view.fields().kind);
            last.replace(kind) == Some(kind) || is_own(view.name())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{Extra, Time};
    use crate::build::Builder;
    use crate::reading::read;

    fn family<'a>(name: &'a str, kind: MetricType, help: &'a str, samples: &'a Samples) -> Family<'a> {
        Family { name: name.as_bytes(), kind, help: Some(help.as_bytes()), samples }
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
        let next = Family { name: b"h_sum", samples: &Samples::default(), ..families[2] };
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
