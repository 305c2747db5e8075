//! The rules for histograms and summaries.

use crate::bound::{Bound, Rank};
use crate::family::{MetricType, point_of};
use crate::fault::Code;
use crate::identity::{Groups, Identity, Scope, duplicates};
use crate::samples::Samples;

/// A fault of a sample, and the sample that explains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowFault {
    pub code: Code,
    pub row: u32,
    pub related: Option<u32>,
}

/// Whether any sample stands twice, or breaks a rule for histograms or summaries.
pub fn breaks_a_rule(samples: &Samples, name: &[u8], kind: MetricType) -> bool {
    !duplicates(samples, name, kind).is_empty() || !histogram_faults(samples, name, kind).is_empty()
}

/// Breaches of the rules by the samples of a family, by index; other types have no rules.
pub fn histogram_faults(samples: &Samples, name: &[u8], kind: MetricType) -> Vec<RowFault> {
    let mut faults = match kind {
        MetricType::Summary => summary_faults(samples, name),
        _ if kind.is_histogram() => all_histogram_faults(samples, name),
        _ => Vec::new(),
    };
    faults.sort_by_key(|fault| fault.row);
    faults
}

fn summary_faults(samples: &Samples, name: &[u8]) -> Vec<RowFault> {
    let identity = Identity::of(&[samples], Scope::Without(b"quantile"));
    let are_quantiles: Vec<bool> = identity.class_names().map(|found| found == name).collect();
    let mut faults = Vec::new();
    for (row, key) in identity.keys(identity.side(0)) {
        let quantile = Bound::of_label(identity.point(&key).as_deref());
        let code = match quantile.rank {
            Rank::NoNumber => Code::InvalidQuantile,
            _ if !are_quantiles[key.class as usize] => continue,
            Rank::Absent => Code::MissingQuantile,
            Rank::Nan => Code::NanBound,
            Rank::Number if (0.0..=1.0).contains(&quantile.number) => continue,
            Rank::Number => Code::QuantileOutOfRange,
        };
        faults.push(RowFault { code, row, related: None });
    }
    faults
}

/// Whether a histogram or summary consists of whole metrics: each has a sum and a count, and a histogram a bucket for all that
/// was observed; buckets and quantiles have bounds that are numbers, other samples have none, and are no strays. Of other types,
/// all samples are whole.
pub fn is_complete(samples: &Samples, name: &[u8], kind: MetricType) -> bool {
    let Some(point) = point_of(name, kind) else { return true };
    let role_of = |found: &[u8]| match found {
        _ if *point.sample_name == *found => Role::Bucket,
        _ if found == name => Role::Stray,
        _ if found.ends_with(b"sum") => Role::Sum,
        _ => Role::Count,
    };
    let identity = Identity::of(&[samples], Scope::Without(point.label));
    let roles: Vec<Role> = identity.class_names().map(role_of).collect();
    let mut groups = Groups::new(&identity);
    // Whether it has a sum, a count, and a bucket for all.
    let mut metrics: Vec<[bool; 3]> = Vec::new();
    for (row, key) in identity.keys(identity.side(0)) {
        let bound = Bound::of_label(identity.point(&key).as_deref());
        let number = groups.number(row, key) as usize;
        if metrics.len() == number {
            metrics.push([false, false, !kind.is_histogram()]);
        }
        let metric = &mut metrics[number];
        match (roles[key.class as usize], bound.rank) {
            (Role::Bucket, Rank::Number) => metric[2] |= bound.number == f64::INFINITY,
            (Role::Sum, Rank::Absent) => metric[0] = true,
            (Role::Count, Rank::Absent) => metric[1] = true,
            _ => return false,
        }
    }
    metrics.iter().all(|metric| *metric == [true; 3])
}

/// The first sample that is of another metric than an earlier one, though among the others, which are as many samples, both
/// are of one metric; and that earlier sample. Metrics differ in their times and their labels, but for one label.
pub fn united(samples: &Samples, others: &Samples, label: &[u8]) -> Option<(u32, u32)> {
    let metrics = |of: &Samples| -> Vec<u32> {
        let identity = Identity::of(&[of], Scope::Without(label));
        let mut groups = Groups::new(&identity);
        identity.keys(identity.side(0)).map(|(row, key)| groups.number(row, key)).collect()
    };
    let mut firsts: Vec<(u32, u32)> = Vec::new();
    for ((own, other), row) in metrics(samples).into_iter().zip(metrics(others)).zip(0..) {
        match firsts.get(other as usize) {
            None => firsts.push((own, row)),
            Some(&(first, earlier)) if first != own => return Some((row, earlier)),
            _ => {}
        }
    }
    None
}

/// What a sample of a histogram's family is.
#[derive(Clone, Copy)]
enum Role {
    Bucket,
    Sum,
    Count,
    Stray,
}

/// What was seen of a histogram, besides its buckets.
#[derive(Clone, Copy, Default)]
struct Histogram {
    last: u32,
    last_bucket: Option<Bucket>,
    sum: Option<u32>,
    count: Option<u32>,
    /// Whether the bound of a bucket could not be read, so that it may be one that seems to be missing.
    obscure: bool,
}

#[derive(Clone, Copy)]
struct Bucket {
    bound: f64,
    row: u32,
    histogram: u32,
}

fn all_histogram_faults(samples: &Samples, name: &[u8]) -> Vec<RowFault> {
    let identity = Identity::of(&[samples], Scope::Without(b"le"));
    let roles: Vec<Role> = identity.class_names().map(|found| role(found, name)).collect();
    let mut groups = Groups::new(&identity);
    let mut histograms: Vec<Histogram> = Vec::new();
    let mut buckets: Vec<Bucket> = Vec::new();
    let mut faults = Vec::new();
    for (row, key) in identity.keys(identity.side(0)) {
        let role = roles[key.class as usize];
        let bound = Bound::of_label(identity.point(&key).as_deref());
        let is_no_number = bound.rank == Rank::NoNumber;
        if matches!(role, Role::Stray) {
            let code = if is_no_number { Code::InvalidLe } else { Code::StraySample };
            faults.push(RowFault { code, row, related: None });
            continue;
        }
        if is_no_number && !matches!(role, Role::Bucket) {
            faults.push(RowFault { code: Code::InvalidLe, row, related: None });
        }
        let number = groups.number(row, key);
        if histograms.len() == number as usize {
            histograms.push(Histogram::default());
        }
        let histogram = &mut histograms[number as usize];
        histogram.last = row;
        match role {
            Role::Sum => histogram.sum = Some(row),
            Role::Count => histogram.count = Some(row),
            Role::Bucket | Role::Stray => {
                let code = match bound.rank {
                    Rank::Absent => Code::MissingLe,
                    Rank::NoNumber => Code::InvalidLe,
                    Rank::Nan => Code::NanBound,
                    Rank::Number => {
                        let bucket = Bucket { bound: bound.number, row, histogram: number };
                        if let Some(last) = histogram.last_bucket.filter(|last| bucket.bound < last.bound) {
                            faults.push(RowFault { code: Code::BucketOrder, row, related: Some(last.row) });
                        }
                        histogram.last_bucket = Some(bucket);
                        buckets.push(bucket);
                        continue;
                    }
                };
                faults.push(RowFault { code, row, related: None });
                histogram.obscure = true;
            }
        }
    }
    buckets.sort_unstable_by(|a, b| {
        let bounds = || a.bound.total_cmp(&b.bound);
        a.histogram.cmp(&b.histogram).then_with(bounds).then(a.row.cmp(&b.row))
    });
    let value = |row: u32| samples.at(row as usize).value();
    let mut rest = &buckets[..];
    for (number, histogram) in histograms.iter().enumerate() {
        let (own, after) = rest.split_at(rest.iter().take_while(|bucket| bucket.histogram as usize == number).count());
        rest = after;
        find_faults(histogram, own, value, &mut faults);
    }
    faults
}

fn role(sample_name: &[u8], name: &[u8]) -> Role {
    match sample_name.strip_prefix(name) {
        Some(b"") => Role::Stray,
        Some(b"_bucket") => Role::Bucket,
        _ if sample_name.ends_with(b"sum") => Role::Sum,
        _ => Role::Count,
    }
}

/// Faults of a histogram as a whole; its buckets come in ascending order.
fn find_faults(histogram: &Histogram, buckets: &[Bucket], value: impl Fn(u32) -> f64, faults: &mut Vec<RowFault>) {
    for pair in buckets.windows(2) {
        if pair[0].bound != pair[1].bound && value(pair[1].row) < value(pair[0].row) {
            let code = Code::BucketNotCumulative;
            faults.push(RowFault { code, row: pair[1].row, related: Some(pair[0].row) });
        }
    }
    let of_whole = |code: Code| RowFault { code, row: histogram.last, related: None };
    match (buckets.last().filter(|bucket| bucket.bound == f64::INFINITY), histogram.count) {
        (None, _) if histogram.obscure => {}
        (None, _) => faults.push(of_whole(Code::MissingInfBucket)),
        (Some(last), Some(count)) if value(count) != value(last.row) => {
            faults.push(RowFault { code: Code::CountMismatch, row: count, related: Some(last.row) });
        }
        _ => {}
    }
    if histogram.sum.is_none() {
        faults.push(of_whole(Code::MissingSum));
    }
    if histogram.count.is_none() {
        faults.push(of_whole(Code::MissingCount));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::read;

    fn found(lines: &str, kind: MetricType) -> Vec<(&'static str, u32, Option<u32>)> {
        let faults = histogram_faults(&read(lines), b"h", kind);
        faults.iter().map(|fault| (fault.code.as_str(), fault.row, fault.related)).collect()
    }

    #[test]
    fn faults_of_buckets() {
        let lines = "h 1\nh_bucket{le=\"x\"} 1\nh_bucket{le=\"2\"} 2\nh_bucket{le=\"1\"} 3\nh_bucket{a=\"b\",le=\"1\"} 1\n\
                     h_bucket{a=\"b\"} 1\nh_bucket{c=\"d\",le=\"nan\"} 1\nh_count{c=\"d\"} 1\nh_gsum{c=\"d\"} 1\n";
        let expected = [
            ("stray-sample", 0, None),
            ("invalid-le", 1, None),
            ("bucket-not-cumulative", 2, Some(3)),
            ("bucket-order", 3, Some(2)),
            ("missing-sum", 3, None),
            ("missing-count", 3, None),
            ("missing-le", 5, None),
            ("missing-sum", 5, None),
            ("missing-count", 5, None),
            ("nan-bound", 6, None),
        ];
        assert_eq!(found(lines, MetricType::Histogram), expected);
        assert_eq!(found(lines, MetricType::GaugeHistogram), expected);
        assert_eq!(found(lines, MetricType::Gauge), []);
    }

    #[test]
    fn bounds_of_what_is_no_bucket() {
        let lines = "h{le=\"x\"} 1\nh{le=\"NaN\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum{le=\"x\"} 1\nh_count{le=\"1\"} 1\n";
        let expected = [("invalid-le", 0, None), ("stray-sample", 1, None), ("invalid-le", 3, None)];
        assert_eq!(found(lines, MetricType::Histogram), expected);
    }

    #[test]
    fn faults_of_whole_histograms() {
        let lines = "h_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\nh_bucket{le=\"+Inf\",a=\"b\"} 1\nh_bucket{le=\"inf\",a=\"b\"} NaN\n\
                     h_sum{a=\"b\"} 1\nh_count{a=\"b\"} NaN\nh_sum 1 5\n";
        let expected = [
            ("missing-inf-bucket", 2, None),
            ("count-mismatch", 6, Some(4)),
            ("missing-inf-bucket", 7, None),
            ("missing-count", 7, None),
        ];
        assert_eq!(found(lines, MetricType::Histogram), expected);
    }

    #[test]
    fn whole_metrics_are_complete() {
        let whole = "h_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n";
        let is_complete = |lines: &str, kind| is_complete(&read(lines), b"h", kind);
        for kind in [MetricType::Histogram, MetricType::GaugeHistogram] {
            assert!(is_complete(whole, kind));
            assert!(is_complete(&format!("{whole}h_bucket{{le=\"1e0\"}} 1\n"), kind));
            let odd = ["h 1", "h_bucket 1", "h_bucket{le=\"NaN\"} 1", "h_bucket{le=\"x\"} 1", "h_sum{le=\"1\"} 1"];
            for line in odd.into_iter().chain(["h_count{a=\"\"} 1", "h_sum 1 5"]) {
                assert!(!is_complete(&format!("{whole}{line}\n"), kind), "{line}");
            }
            assert!(whole.lines().all(|line| !is_complete(&whole.replace(&format!("{line}\n"), ""), kind)));
        }
        let summary = "h{a=\"b\",quantile=\"0.5\"} 1\nh_sum{a=\"b\"} 1\nh_count{a=\"b\"} 1\nh_sum 1\nh_count 1\n";
        assert!(is_complete(summary, MetricType::Summary) && !is_complete(summary, MetricType::Histogram));
        for line in ["h 1", "h{quantile=\"nan\"} 1", "h_count{quantile=\"\"} 1", "h{quantile=\"1\",c=\"d\"} 1"] {
            assert!(!is_complete(&format!("{summary}{line}\n"), MetricType::Summary), "{line}");
        }
        assert!(is_complete("h 1\nh_count 1\n", MetricType::Gauge) && is_complete("", MetricType::Summary));
    }

    #[test]
    fn metrics_are_united_by_labels_that_become_alike() {
        let given = read("h_sum{i=\"1\"} 1\nh_count{i=\"1\"} 1\nh_sum{i=\"2\"} 1\nh_bucket{i=\"2\",le=\"1\"} 1\n");
        let alike = read("h_sum{i=\"3\"} 1\nh_count{i=\"3\"} 1\nh_sum{i=\"3\"} 1\nh_bucket{i=\"3\",le=\"1\"} 1\n");
        assert_eq!(united(&given, &alike, b"le"), Some((2, 0)));
        assert_eq!(united(&alike, &given, b"le"), None);
        assert_eq!(united(&given, &given, b"le"), None);
        assert_eq!(united(&given, &alike, b"i"), None);
    }

    #[test]
    fn faults_of_quantiles() {
        let quantiles = ["0", "1", "1.1", "-0.1", "NaN", "x"].map(|text| format!("h{{quantile=\"{text}\"}} 1\n"));
        let lines = quantiles.concat()
            + "h 1\nh_sum{quantile=\"x\"} 1\nh_sum{quantile=\"7\"} 1\nh{quantile=\"0.5\",\"quantile2\"=\"x\"} 1\n";
        let expected = [
            ("quantile-out-of-range", 2, None),
            ("quantile-out-of-range", 3, None),
            ("nan-bound", 4, None),
            ("invalid-quantile", 5, None),
            ("missing-quantile", 6, None),
            ("invalid-quantile", 7, None),
        ];
        assert_eq!(found(&lines, MetricType::Summary), expected);
    }
}
