//! Samples as plain values, and what the engine answers about them, found in the plainest way: slow, and easy to believe.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use expofmt_core::block::{Time, same_float};
use expofmt_core::bound::{Bound, Rank};
use expofmt_core::family::{MetricType, Point, point_of};
use expofmt_core::fault::{Code, Span};
use expofmt_core::samples::Samples;
use expofmt_core::unite::Op;

pub type Labels = Vec<(Vec<u8>, Vec<u8>)>;
type Bounds = BTreeSet<(Rank, u64)>;

/// A sample.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: Vec<u8>,
    /// Sorted by name.
    pub labels: Labels,
    pub value: f64,
    pub time: Option<Time>,
    pub literal: Option<Vec<u8>>,
    pub span: Option<Span>,
}

impl PartialEq for Row {
    fn eq(&self, other: &Row) -> bool {
        let same_value = match (self.value.is_nan(), other.value.is_nan()) {
            (false, false) => self.value.to_bits() == other.value.to_bits(),
            (mine, theirs) => mine == theirs,
        };
        same_value
            && (&self.name, &self.labels, self.time) == (&other.name, &other.labels, other.time)
            && (&self.literal, self.span) == (&other.literal, other.span)
    }
}

/// What makes a sample the same series at the same time as another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    name: Vec<u8>,
    labels: Labels,
    time: Option<Time>,
    point: Option<Result<u64, Vec<u8>>>,
}

/// The samples, each with its place in the input if it has one.
pub fn rows(samples: &Samples) -> Vec<Row> {
    let mut labels = Vec::new();
    let views: Vec<_> = samples.views().collect();
    assert_eq!(views.len(), samples.len());
    let mut rows = Vec::new();
    for (index, view) in views.into_iter().enumerate() {
        view.sorted_labels(&mut labels);
        let same = samples.at(index);
        assert_eq!((same.name(), same.label_text()), (view.name(), view.label_text()));
        rows.push(Row {
            name: view.name().to_vec(),
            labels: labels.iter().map(|label| (label.name.to_vec(), label.value.to_vec())).collect(),
            value: view.value(),
            time: view.time(),
            literal: view.literal().map(<[u8]>::to_vec),
            span: samples.span(index),
        });
    }
    rows
}

/// The rows of samples that no one input has.
pub fn placeless(rows: impl IntoIterator<Item = Row>) -> Vec<Row> {
    rows.into_iter().map(|row| Row { span: None, ..row }).collect()
}

/// A family's name and type, and with them what is a bucket or a quantile in it.
pub struct Family<'a> {
    pub name: &'a [u8],
    pub kind: MetricType,
    point: Option<Point>,
}

impl<'a> Family<'a> {
    pub fn new(name: &'a [u8], kind: MetricType) -> Family<'a> {
        Family { name, kind, point: point_of(name, kind) }
    }

    /// The labels without the one that holds the bound, and that one's value.
    fn split(&self, row: &Row, label: &[u8]) -> (Labels, Option<Vec<u8>>) {
        let (point, base): (Labels, Labels) = row.labels.iter().cloned().partition(|(name, _)| name == label);
        (base, point.into_iter().next().map(|(_, value)| value))
    }

    fn key(&self, row: &Row) -> Key {
        let mut key = Key { name: row.name.clone(), labels: row.labels.clone(), time: row.time, point: None };
        if let Some(point) = self.point.as_ref().filter(|point| point.sample_name == row.name) {
            let (base, value) = self.split(row, point.label);
            let bound = Bound::of_label(value.as_deref());
            key.labels = base;
            key.point = value.map(|text| if bound.is_number() { Ok(bound.number.to_bits()) } else { Err(text) });
        }
        key
    }

    fn index(&self, rows: &[Row]) -> BTreeMap<Key, usize> {
        let mut index = BTreeMap::new();
        for (number, row) in rows.iter().enumerate() {
            index.entry(self.key(row)).or_insert(number);
        }
        index
    }

    pub fn duplicates(&self, rows: &[Row]) -> Vec<(u32, u32)> {
        let index = self.index(rows);
        let firsts = rows.iter().enumerate().map(|(number, row)| (number as u32, index[&self.key(row)] as u32));
        firsts.filter(|(number, first)| number != first).collect()
    }

    pub fn combine(&self, own: &[Row], other: &[Row], op: Op) -> (Vec<Row>, Vec<(u32, u32)>) {
        let compared = self.kind.is_histogram() && op != Op::Refuse;
        let differing = if compared { self.other_bounds(own, other) } else { Vec::new() };
        if op == Op::First && !differing.is_empty() {
            return self.combine(own, &self.without(other, differing.iter().map(|pair| pair.1)), op);
        }
        if op == Op::Last && !differing.is_empty() {
            return self.combine(&self.without(own, differing.iter().map(|pair| pair.0)), other, op);
        }
        let index = self.index(own);
        let mut united = placeless(own.to_vec());
        let mut shared = Vec::new();
        for (number, row) in other.iter().enumerate() {
            let Some(&mine) = index.get(&self.key(row)).filter(|_| op != Op::Refuse) else {
                united.extend(placeless([row.clone()]));
                continue;
            };
            settle(&mut united[mine], row, op);
            shared.push((mine as u32, number as u32));
        }
        if op == Op::Refuse {
            let meeting = |(number, row)| index.get(&self.key(row)).map(|&mine| (mine as u32, number as u32));
            let mut conflicts: Vec<_> = other.iter().enumerate().filter_map(meeting).collect();
            conflicts.sort();
            return (united, conflicts);
        }
        (united, differing)
    }

    /// The rows without the histograms that some of them belong to.
    fn without(&self, rows: &[Row], dropped: impl Iterator<Item = u32>) -> Vec<Row> {
        let histogram = |row: &Row| (self.split(row, b"le").0, row.time);
        let dropped: Vec<_> = dropped.map(|number| histogram(&rows[number as usize])).collect();
        rows.iter().filter(|row| !dropped.contains(&histogram(row))).cloned().collect()
    }

    /// The histograms of both whose bounds differ.
    fn other_bounds(&self, own: &[Row], other: &[Row]) -> Vec<(u32, u32)> {
        let theirs = self.bounds(other);
        let mut differing = Vec::new();
        for (series, (mine, bounds)) in self.bounds(own) {
            if let Some((first, _)) = theirs.get(&series).filter(|(_, others)| *others != bounds) {
                differing.push((mine, *first));
            }
        }
        differing.sort();
        differing
    }

    /// For each histogram its first row, and its bounds.
    fn bounds(&self, rows: &[Row]) -> BTreeMap<(Labels, Option<Time>), (u32, Bounds)> {
        let mut found = BTreeMap::new();
        for (number, row) in rows.iter().enumerate() {
            let (base, le) = self.split(row, b"le");
            let (_, bounds) = found.entry((base, row.time)).or_insert((number as u32, Bounds::new()));
            if self.point.as_ref().is_some_and(|point| point.sample_name == row.name) {
                let bound = Bound::of_label(le.as_deref());
                bounds.insert((bound.rank, bound.number.to_bits()));
            }
        }
        found
    }

    /// What was removed, added, and changed: as it was, and as it is.
    pub fn difference(&self, old: &[Row], new: &[Row]) -> [Vec<Row>; 4] {
        let (before, after) = (self.index(old), self.index(new));
        let only = |rows: &[Row], these: &BTreeMap<Key, usize>, others: &BTreeMap<Key, usize>| {
            let mut numbers: Vec<usize> =
                these.iter().filter(|(key, _)| !others.contains_key(key)).map(|(_, &number)| number).collect();
            numbers.sort();
            numbers.into_iter().map(|number| rows[number].clone()).collect()
        };
        let mut changed: Vec<(usize, usize)> =
            before.iter().filter_map(|(key, &mine)| Some((mine, *after.get(key)?))).collect();
        changed.retain(|&(mine, theirs)| !same_float(old[mine].value, new[theirs].value));
        changed.sort();
        [
            only(old, &before, &after),
            only(new, &after, &before),
            changed.iter().map(|&(mine, _)| old[mine].clone()).collect(),
            changed.iter().map(|&(_, theirs)| new[theirs].clone()).collect(),
        ]
    }

    pub fn sorted(&self, rows: &[Row]) -> Vec<Row> {
        let mut rows = rows.to_vec();
        rows.sort_by(|a, b| self.compare(a, b));
        rows
    }

    fn compare(&self, a: &Row, b: &Row) -> Ordering {
        match (self.place(a), self.place(b)) {
            (Some(mine), Some(theirs)) => {
                let (a_bound, b_bound) = (mine.2, theirs.2);
                plain_order(&mine.0, a, &theirs.0, b)
                    .then(mine.1.cmp(&theirs.1))
                    .then(a_bound.rank.cmp(&b_bound.rank))
                    .then(a_bound.number.total_cmp(&b_bound.number))
                    .then(a.name.cmp(&b.name))
            }
            _ => plain_order(&a.labels, a, &b.labels, b).then(a.name.cmp(&b.name)),
        }
    }

    /// In families that have bounds: the labels without it, and the part of the histogram or summary.
    fn place(&self, row: &Row) -> Option<(Labels, u8, Bound)> {
        let point = self.point.as_ref()?;
        if point.sample_name == row.name {
            let (base, value) = self.split(row, point.label);
            return Some((base, 0, Bound::of_label(value.as_deref())));
        }
        let part = match row.name.strip_prefix(self.name) {
            Some(b"_sum" | b"_gsum") => 1,
            Some(b"_count" | b"_gcount") => 2,
            _ => 3,
        };
        Some((row.labels.clone(), part, Bound { rank: Rank::Number, number: 0.0 }))
    }

    pub fn histogram_faults(&self, rows: &[Row]) -> Vec<(u32, Code, Option<u32>)> {
        let mut faults = match self.kind {
            MetricType::Summary => self.faults_of_summary(rows),
            kind if kind.is_histogram() => self.faults_of_histogram(rows),
            _ => Vec::new(),
        };
        faults.sort();
        faults
    }

    fn faults_of_summary(&self, rows: &[Row]) -> Vec<(u32, Code, Option<u32>)> {
        let mut faults = Vec::new();
        for (number, row) in (0..).zip(rows) {
            let bound = Bound::of_label(self.split(row, b"quantile").1.as_deref());
            let code = match bound.rank {
                Rank::NoNumber => Code::InvalidQuantile,
                _ if row.name != self.name => continue,
                Rank::Absent => Code::MissingQuantile,
                Rank::Nan => Code::NanBound,
                Rank::Number if !(0.0..=1.0).contains(&bound.number) => Code::QuantileOutOfRange,
                Rank::Number => continue,
            };
            faults.push((number, code, None));
        }
        faults
    }

    fn faults_of_histogram(&self, rows: &[Row]) -> Vec<(u32, Code, Option<u32>)> {
        #[derive(Default)]
        struct Series {
            buckets: Vec<(f64, u32)>,
            sum: Option<u32>,
            count: Option<u32>,
            last: u32,
            unread: bool,
        }
        let mut faults = Vec::new();
        let mut all: BTreeMap<(Labels, Option<Time>), Series> = BTreeMap::new();
        for (number, row) in (0..).zip(rows) {
            let (base, le) = self.split(row, b"le");
            let bound = Bound::of_label(le.as_deref());
            let is_no_number = matches!(bound.rank, Rank::NoNumber);
            if row.name == self.name {
                faults.push((number, if is_no_number { Code::InvalidLe } else { Code::StraySample }, None));
                continue;
            }
            let series = all.entry((base, row.time)).or_default();
            series.last = number;
            if !row.name.ends_with(b"_bucket") {
                if is_no_number {
                    faults.push((number, Code::InvalidLe, None));
                }
                let part = if row.name.ends_with(b"sum") { &mut series.sum } else { &mut series.count };
                *part = Some(number);
                continue;
            }
            let code = match bound.rank {
                Rank::Absent => Code::MissingLe,
                Rank::NoNumber => Code::InvalidLe,
                Rank::Nan => Code::NanBound,
                Rank::Number => {
                    if let Some(&(_, before)) = series.buckets.last().filter(|(before, _)| bound.number < *before) {
                        faults.push((number, Code::BucketOrder, Some(before)));
                    }
                    series.buckets.push((bound.number, number));
                    continue;
                }
            };
            faults.push((number, code, None));
            series.unread = true;
        }
        let value = |number: u32| rows[number as usize].value;
        for mut series in all.into_values() {
            series.buckets.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            for pair in series.buckets.windows(2) {
                let ((bound, before), (next_bound, next)) = (pair[0], pair[1]);
                if bound != next_bound && value(next) < value(before) {
                    faults.push((next, Code::BucketNotCumulative, Some(before)));
                }
            }
            match (series.buckets.last(), series.count) {
                (Some((f64::INFINITY, last)), Some(count)) if value(count) != value(*last) => {
                    faults.push((count, Code::CountMismatch, Some(*last)));
                }
                (Some((f64::INFINITY, _)), _) => {}
                _ if !series.unread => faults.push((series.last, Code::MissingInfBucket, None)),
                _ => {}
            }
            if series.sum.is_none() {
                faults.push((series.last, Code::MissingSum, None));
            }
            if series.count.is_none() {
                faults.push((series.last, Code::MissingCount, None));
            }
        }
        faults
    }
}

fn settle(own: &mut Row, other: &Row, op: Op) {
    let (mine, theirs) = (own.value, other.value);
    let replaces = match op {
        Op::Refuse | Op::First => false,
        Op::Last => true,
        Op::Min => mine.is_nan() || theirs < mine,
        Op::Max => mine.is_nan() || theirs > mine,
        Op::Sum => {
            own.value = mine + theirs;
            own.literal = None;
            false
        }
    };
    if replaces {
        own.value = theirs;
        own.literal.clone_from(&other.literal);
    }
}

fn plain_order(a_labels: &Labels, a: &Row, b_labels: &Labels, b: &Row) -> Ordering {
    let values = |labels: &Labels| labels.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>();
    let names = |labels: &Labels| labels.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    a_labels
        .len()
        .cmp(&b_labels.len())
        .then_with(|| values(a_labels).cmp(&values(b_labels)))
        .then_with(|| names(a_labels).cmp(&names(b_labels)))
        // A sample without a time comes after those that have one.
        .then_with(|| a.time.is_none().cmp(&b.time.is_none()))
        .then_with(|| a.time.cmp(&b.time))
}

/// The rows with labels set.
pub fn with_labels(rows: &[Row], replace: &Labels, default: &Labels) -> Vec<Row> {
    let relabelled = |row: &Row| {
        let mut labels: BTreeMap<Vec<u8>, Vec<u8>> = default.iter().cloned().collect();
        for (name, value) in &row.labels {
            if !value.is_empty() || !labels.contains_key(name) {
                labels.insert(name.clone(), value.clone());
            }
        }
        labels.extend(replace.iter().cloned());
        Row { labels: labels.into_iter().collect(), ..row.clone() }
    };
    rows.iter().map(relabelled).collect()
}

/// How many values each label has.
pub fn cardinality(rows: &[Row]) -> BTreeMap<Vec<u8>, u64> {
    let mut values: BTreeMap<&[u8], BTreeSet<&[u8]>> = BTreeMap::new();
    for (name, value) in rows.iter().flat_map(|row| &row.labels) {
        values.entry(name).or_default().insert(value);
    }
    values.into_iter().map(|(name, values)| (name.to_vec(), values.len() as u64)).collect()
}
