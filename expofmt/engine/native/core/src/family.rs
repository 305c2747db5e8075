//! What a metric type says about the samples of its families.

/// What a metric family measures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MetricType {
    Counter,
    Gauge,
    Histogram,
    Summary,
    GaugeHistogram,
    Info,
    StateSet,
    #[default]
    Unknown,
}

/// All endings that any type gives its samples in the text format. No name ends with two of them.
pub const SUFFIXES: &[&[u8]] = &[b"_bucket", b"_sum", b"_count", b"_gsum", b"_gcount", b"_info"];

impl MetricType {
    /// All types, in the order of their numbers.
    pub const ALL: [MetricType; 8] = [
        MetricType::Counter,
        MetricType::Gauge,
        MetricType::Histogram,
        MetricType::Summary,
        MetricType::GaugeHistogram,
        MetricType::Info,
        MetricType::StateSet,
        MetricType::Unknown,
    ];

    /// OpenMetrics' word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            MetricType::Counter => "counter",
            MetricType::Gauge => "gauge",
            MetricType::Histogram => "histogram",
            MetricType::Summary => "summary",
            MetricType::GaugeHistogram => "gaugehistogram",
            MetricType::Info => "info",
            MetricType::StateSet => "stateset",
            MetricType::Unknown => "unknown",
        }
    }

    /// The endings of its samples in the text format, besides the plain name.
    pub fn suffixes(self) -> &'static [&'static [u8]] {
        match self {
            MetricType::Histogram => &[b"_bucket", b"_sum", b"_count"],
            MetricType::GaugeHistogram => &[b"_bucket", b"_sum", b"_count", b"_gsum", b"_gcount"],
            MetricType::Summary => &[b"_sum", b"_count"],
            MetricType::Info => &[b"_info"],
            _ => &[],
        }
    }

    pub fn is_histogram(self) -> bool {
        matches!(self, MetricType::Histogram | MetricType::GaugeHistogram)
    }
}

/// Which samples of a family are buckets or quantiles, and which label holds their bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    pub sample_name: Vec<u8>,
    pub label: &'static [u8],
}

/// The buckets of a histogram, the quantiles of a summary; other types have no such samples.
pub fn point_of(name: &[u8], kind: MetricType) -> Option<Point> {
    if kind == MetricType::Summary {
        return Some(Point { sample_name: name.to_vec(), label: b"quantile" });
    }
    kind.is_histogram().then(|| Point { sample_name: [name, b"_bucket"].concat(), label: b"le" })
}
