//! Two inputs of one family, and a program of operations on them: the engine and the model do the same.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use expofmt_core::cardinality::{first_timestamp, label_cardinality, label_names, names};
use expofmt_core::encode::{Family as Written, encode};
use expofmt_core::equal::equal;
use expofmt_core::escape::EscapingScheme;
use expofmt_core::family::MetricType;
use expofmt_core::fingerprint::fingerprints;
use expofmt_core::gather::Gathered;
use expofmt_core::identity::duplicates;
use expofmt_core::order::canonical_order;
use expofmt_core::pickle::{dump, load};
use expofmt_core::relabel::with_labels;
use expofmt_core::rules::histogram_faults;
use expofmt_core::samples::Samples;
use expofmt_core::select::select;
use expofmt_core::unite::{Op, combine, difference};
use expofmt_fuzz::model::{self, Family, Labels, Row, placeless, rows};
use expofmt_fuzz::{everything, samples_of, scanned};
use libfuzzer_sys::fuzz_target;

const TYPES: [&str; 6] = ["histogram", "summary", "gauge", "gaugehistogram", "counter", "untyped"];
const NAMES: [&str; 2] = ["m", "m.x"];
const LABELS: [&str; 16] = [
    "a=\"1\"",
    "a = \"2\"",
    "\"a\"=\"1\"",
    "a=\"\"",
    "a=\"\u{e9}\\n\"",
    "\"b.c\"=\"1\"",
    "\"b.c\" =\"\\q\"",
    "z=\"}\\\",{\"",
    "z=\"\"",
    "_=\"1\"",
    "b=\"1\"",
    "b=\"2\"",
    "b=\"11\"",
    "ab=\"1\"",
    "le=\"1\"",
    "quantile=\"0.5\"",
];
const BOUNDS: [&str; 16] =
    ["", "0.5", "5e-1", "+Inf", "inf", "1", "1.0", "-0", "0", "NaN", "nan", "x", "", "1e999", "0.25", "\\\\"];
const VALUES: [&str; 16] = [
    "1",
    "2",
    "0",
    "-0",
    "1.5",
    "3",
    "NaN",
    "+Inf",
    "-Inf",
    "9007199254740993",
    "1e-320",
    "+04.0e0",
    "-1",
    "1e5",
    "10",
    "7",
];
const TIMES: [&str; 8] = ["", "", "", "", " 5", " 0", " -1", " 1700000000000"];
const VALUES_OF_LABELS: [&str; 4] = ["", "1", "2", "\"\n\\"];
const OPS: [Op; 6] = [Op::Refuse, Op::First, Op::Last, Op::Sum, Op::Min, Op::Max];

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let name = input.pick(&NAMES);
    let mut texts = [(); 2].map(|()| String::new());
    let kind = input.pick(&TYPES);
    texts.iter_mut().for_each(|text| {
        let quote = if name.contains('.') { "\"" } else { "" };
        text.push_str(&format!("# TYPE {quote}{name}{quote} {kind}\n"));
    });
    let suffixes: &[&str] = match kind {
        "histogram" => &["_bucket", "_bucket", "_sum", "_count", "", "_bucket", "_bucket", "_bucket"],
        "gaugehistogram" => &["_bucket", "_bucket", "_gsum", "_gcount", "_sum", "_count", "", "_bucket"],
        "summary" => &["", "", "_sum", "_count"],
        _ => &[""],
    };
    let label = if kind == "summary" { "quantile" } else { "le" };
    // Few label sets, so that many samples are of one series.
    let sets = [input.byte(), input.byte(), input.byte(), 0];
    for _ in 0..input.byte() {
        if input.0.is_empty() {
            break;
        }
        let first = input.byte();
        let suffix = suffixes[usize::from(first & 15) % suffixes.len()];
        let text = &mut texts[usize::from(first & 0x80 != 0)];
        let set = sets[usize::from(first >> 4 & 3)];
        push_sample(text, name, suffix, set, if suffixes.len() > 1 { Some(label) } else { None }, &mut input);
    }
    let [mut own, mut other] = texts.map(|text| Side::read(&text));
    let family = Family::new(name.as_bytes(), own.kind);
    let mut owners = Owners::new(&family);
    for _ in 0..8 {
        // Each step may treble them.
        if input.0.is_empty() || own.rows.len() > 2000 {
            break;
        }
        own.step(&mut other, &family, &mut input);
        assert_eq!(rows(&own.samples), own.rows);
        [&own, &other].iter().for_each(|side| owners.step(&side.samples, &family, &mut input));
    }
    owners.check(&family);
    // What can be asked before the last step is asked of shorter programs.
    own.check(&family);
    OPS.iter().for_each(|&op| drop(own.combined(&other, &family, op)));
    own.differences(&other, &family);
});

/// Choices, of which there are as many as one wants: all are zero in the end.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.byte() as usize % choices.len()]
    }

    fn below(&mut self, limit: usize) -> usize {
        self.byte() as usize % limit.max(1)
    }

    fn labels(&mut self) -> Labels {
        let names = ["a", "b.c", "le", "new", "\u{e9}", "z"];
        let choices = (self.byte(), self.byte());
        let chosen = names.iter().enumerate().filter(|(number, _)| choices.0 >> number & 1 != 0);
        let value = |number: usize| VALUES_OF_LABELS[usize::from(choices.1) / (number + 1) % VALUES_OF_LABELS.len()];
        chosen.map(|(number, name)| (name.as_bytes().to_vec(), value(number).as_bytes().to_vec())).collect()
    }
}

fn push_sample(text: &mut String, name: &str, suffix: &str, set: u8, label: Option<&str>, input: &mut Input) {
    let (spelling, value) = (input.byte(), input.byte());
    let mut items: Vec<String> = Vec::new();
    let mut taken = BTreeSet::new();
    let mut add = |item: &str| {
        let name = item.split('=').next().unwrap_or_default().trim_matches([' ', '"']).to_owned();
        if taken.insert(name) {
            items.push(item.to_owned());
        }
    };
    if let Some(label) = label
        && spelling & 15 != 0
    {
        add(&format!("{label}=\"{}\"", BOUNDS[usize::from(spelling & 15)]));
    }
    // Two labels that many samples share, and one that may be long.
    [set & 15, set >> 4].iter().filter(|&&number| number > 0).for_each(|&number| add(LABELS[usize::from(number)]));
    if spelling & 0x80 != 0 {
        let letters = ["x", "\\\\", "\\\"", "}", ",", "=", "\u{e9}", "\\n"];
        let value: String = (0..input.below(40)).map(|_| input.pick(&letters)).collect();
        add(&format!("w=\"{value}\""));
    }
    let length = items.len();
    items.rotate_left(usize::from(spelling >> 4 & 3) % length.max(1));
    let quoted = name.contains('.') || spelling & 0x40 != 0;
    if quoted {
        items.insert(usize::from(value >> 4) % (length + 1), format!("\"{name}{suffix}\""));
    } else {
        text.push_str(name);
        text.push_str(suffix);
    }
    if !items.is_empty() {
        text.push_str(&format!("{{{}}}", items.join(if value & 0x80 != 0 { " , " } else { "," })));
    }
    let time = if value & 0x40 != 0 { input.pick(&TIMES) } else { "" };
    text.push_str(&format!(" {}{time}\n", VALUES[usize::from(value & 15)]));
}

/// Samples, and what they should be.
#[derive(Clone)]
struct Side {
    kind: MetricType,
    samples: Samples,
    rows: Vec<Row>,
}

impl Side {
    fn read(text: &str) -> Side {
        let scan = scanned(text.as_bytes(), &everything());
        let [family] = &scan.families[..] else { panic!("one family:\n{text}") };
        let samples = samples_of(&scan, family);
        assert_eq!(samples.len() + 1, text.lines().count(), "each line is a sample:\n{text}");
        let rows = rows(&samples);
        Side { kind: family.kind, samples, rows }
    }

    fn become_these(&mut self, samples: Samples, rows: Vec<Row>) {
        (self.samples, self.rows) = (samples, rows);
    }

    /// Ask all that changes nothing.
    fn check(&self, family: &Family) {
        let (samples, kind) = (&self.samples, self.kind);
        assert_eq!(rows(samples), self.rows);
        assert_eq!(duplicates(samples, family.name, kind), family.duplicates(&self.rows));
        let mut faults: Vec<_> = (histogram_faults(samples, family.name, kind).iter())
            .map(|fault| (fault.row, fault.code, fault.related))
            .collect();
        assert!(faults.is_sorted_by_key(|fault| fault.0));
        faults.sort();
        assert_eq!(faults, family.histogram_faults(&self.rows));

        let cardinality = model::cardinality(&self.rows);
        assert_eq!(label_cardinality(samples), cardinality);
        assert!(label_names(samples).iter().map(|name| &**name).eq(cardinality.keys().map(Vec::as_slice)));
        let all: BTreeSet<&[u8]> = self.rows.iter().map(|row| &*row.name).collect();
        assert_eq!(names(samples).into_iter().collect::<BTreeSet<_>>(), all);
        assert_eq!(first_timestamp(samples), self.rows.iter().position(|row| row.time.is_some()));

        let prints = fingerprints(samples);
        let series = || self.rows.iter().map(|row| (&row.name, &row.labels));
        let by_series: BTreeMap<_, _> = series().zip(&prints).collect();
        let by_print: BTreeMap<_, _> = prints.iter().zip(series()).collect();
        assert_eq!(prints.len(), self.rows.len());
        assert!(series().zip(&prints).all(|(series, print)| by_series[&series] == print && by_print[print] == series));
        assert!(equal(samples, &samples.compact()));

        let sorted = family.sorted(&self.rows);
        match canonical_order(samples, family.name, kind) {
            None => assert_eq!(sorted, self.rows),
            Some(order) => {
                let ordered: Vec<Row> = order.iter().map(|&index| self.rows[index as usize].clone()).collect();
                assert_eq!(ordered, sorted);
                assert_ne!(ordered, self.rows);
            }
        }
        let written = [Written { name: family.name, kind, help: None, samples: samples.into() }];
        let text = encode(&written, EscapingScheme::AllowUtf8, true);
        // As many lines as samples, however many parts they are in.
        assert_eq!(text.iter().filter(|&&byte| byte == b'\n').count(), self.rows.len() + 1);
        let compact = samples.compact();
        let written = [Written { name: family.name, kind, help: None, samples: (&compact).into() }];
        assert_eq!(encode(&written, EscapingScheme::AllowUtf8, true), text);
    }

    fn combined(&self, other: &Side, family: &Family, op: Op) -> (Samples, Vec<Row>) {
        let (united, conflicts) = combine(&self.samples, &other.samples, op, family.name, self.kind);
        let (expected, meant) = family.combine(&self.rows, &other.rows, op);
        assert_eq!(conflicts, meant, "{op:?}");
        assert_eq!(rows(&united), expected, "{op:?}");
        (united, expected)
    }

    fn differences(&self, other: &Side, family: &Family) -> [(Samples, Vec<Row>); 4] {
        let found = difference(&self.samples, &other.samples, family.name, self.kind);
        let parts = [found.removed, found.added, found.old, found.new];
        let mut expected = family.difference(&self.rows, &other.rows).into_iter();
        parts.map(|part| {
            let meant = expected.next().unwrap_or_default();
            assert_eq!(rows(&part), meant);
            (part, meant)
        })
    }

    fn step(&mut self, other: &mut Side, family: &Family, input: &mut Input) {
        let (samples, length) = (&self.samples, self.rows.len());
        match input.byte() % 13 {
            0 => {
                let first = input.below(length + 1);
                let last = (first + input.below(length + 1)).min(length);
                self.become_these(samples.slice(first, last), self.rows[first..last].to_vec());
            }
            1 => {
                let (stride, offset) = (input.below(7) + 1, input.below(3));
                let mut chosen: Vec<usize> = (offset..length).step_by(stride).collect();
                if input.byte() & 1 != 0 {
                    chosen.reverse();
                }
                let rows = chosen.iter().map(|&index| self.rows[index].clone()).collect();
                self.become_these(samples.gather(chosen), rows);
            }
            2 => {
                let rows = placeless(self.rows.iter().chain(&other.rows).chain(&self.rows).cloned());
                self.become_these(samples.concat([&other.samples, samples]), rows);
            }
            3 | 4 => {
                let (united, rows) = self.combined(other, family, input.pick(&OPS));
                self.become_these(united, rows);
            }
            5 => {
                let (samples, rows) = self.differences(other, family)[input.below(4)].clone();
                self.become_these(samples, rows);
            }
            6 => {
                let sorted = canonical_order(samples, family.name, self.kind)
                    .map_or(samples.clone(), |order| samples.gather(order.iter().map(|&index| index as usize)));
                assert!(canonical_order(&sorted, family.name, self.kind).is_none());
                self.become_these(sorted, family.sorted(&self.rows));
            }
            7 => {
                let (replace, default) = (input.labels(), input.labels());
                let rows = model::with_labels(&self.rows, &replace, &default);
                self.become_these(with_labels(samples, &replace, &default, false), rows);
            }
            8 => {
                let asked = input.labels();
                let mut answered = BTreeSet::new();
                let names: Vec<Vec<u8>> = asked.iter().map(|(name, _)| name.clone()).collect();
                let chosen = select(samples, &names, |number, value| {
                    assert!(answered.insert((number, value.to_vec())), "each value is asked about once");
                    Ok::<_, ()>(value.len() < 2 && value >= &*asked[number].1)
                });
                let value = |row: &Row, name: &[u8]| {
                    row.labels.iter().find(|label| label.0 == name).map_or(Vec::new(), |label| label.1.clone())
                };
                let fits = |row: &Row| {
                    asked.iter().all(|(name, least)| value(row, name).len() < 2 && value(row, name) >= *least)
                };
                let rows = self.rows.iter().filter(|row| fits(row)).cloned().collect();
                self.become_these(chosen.expect("no predicate fails"), rows);
            }
            9 => self.become_these(samples.compact(), placeless(self.rows.clone())),
            10 => {
                let loaded = load(&dump(samples)).expect("what was dumped can be loaded");
                self.become_these(loaded, placeless(self.rows.clone()));
            }
            11 => {
                assert_eq!(equal(samples, &other.samples), same(&self.rows, &other.rows));
                std::mem::swap(self, other);
            }
            _ => *other = self.clone(),
        }
    }
}

/// What is gathered from several owners, and what each of them has.
struct Owners {
    gathered: Gathered,
    held: BTreeMap<u32, Samples>,
}

impl Owners {
    fn new(family: &Family) -> Owners {
        Owners { gathered: Gathered::new(family.name, family.kind), held: BTreeMap::new() }
    }

    fn step(&mut self, samples: &Samples, family: &Family, input: &mut Input) {
        let choice = input.byte();
        let owner = u32::from(choice & 7);
        if choice & 0x18 == 0 {
            self.gathered.remove(owner);
            self.held.remove(&owner);
        } else {
            let first = input.below(samples.len() + 1);
            let some = samples.slice(first, (first + input.below(8)).min(samples.len()));
            self.gathered.put(&some, owner);
            self.held.insert(owner, some);
        }
        // What the text was made of must not matter.
        if choice & 0x60 != 0 {
            self.check(family);
        }
    }

    fn check(&mut self, family: &Family) {
        let all = Samples::default().concat(self.held.values());
        let samples = self.gathered.samples();
        assert_eq!(self.gathered.len(), all.len());
        assert_eq!(rows(&samples), placeless(rows(&all)));
        let written = [Written { name: family.name, kind: family.kind, help: None, samples: (&all).into() }];
        let expected = encode(&written, EscapingScheme::AllowUtf8, false);
        let lines = expected.iter().position(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let change = self.gathered.change();
        let mut text = vec![0; change.len()];
        change.write(&self.gathered, &mut text);
        assert_eq!(String::from_utf8_lossy(&text), String::from_utf8_lossy(&expected[lines..]));
        self.gathered.accept(change, Arc::new(text));
    }
}

/// Whether they are equal: neither where they stand nor how a value is spelt matters, nor the sign of a zero.
fn same(rows: &[Row], others: &[Row]) -> bool {
    let essence = |row: &Row| Row { literal: None, span: None, value: row.value + 0.0, ..row.clone() };
    rows.iter().map(essence).eq(others.iter().map(essence))
}
