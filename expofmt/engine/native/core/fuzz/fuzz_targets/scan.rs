//! Any bytes: what is read of them is there, can be written, and is read again.
#![no_main]

use std::collections::BTreeSet;

use expofmt_core::escape::EscapingScheme;
use expofmt_core::family::MetricType;
use expofmt_core::fault::{Code, Fault, Span};
use expofmt_core::scan::{Options, Scan};
use expofmt_fuzz::model::{Family, Row, placeless, rows};
use expofmt_fuzz::{encoded, everything, samples_of, scanned};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let scan = scanned(text, &everything());
    faults_are_in_the_text(&scan, text);
    families_are_in_the_text(&scan, text);
    comments_are_in_the_text(&scan, text);
    limits_hide_faults_and_nothing_else(&scan, text);
    a_blank_before_each_line_changes_nothing(&scan, text);
    what_is_written_is_read_again(&scan);
});

fn faults_are_in_the_text(scan: &Scan, text: &[u8]) {
    assert!(scan.faults.is_sorted_by_key(|fault| (fault.span.start, fault.span.end)));
    assert!(scan.suppressed.is_empty());
    for fault in &scan.faults {
        for span in [Some(fault.span), fault.related].into_iter().flatten() {
            assert!(span.start <= span.end && span.end as usize <= text.len(), "{fault:?}");
            assert!(!span.of(text).contains(&b'\n'), "{fault:?}");
        }
    }
}

fn families_are_in_the_text(scan: &Scan, text: &[u8]) {
    let layout = &scan.block.layout;
    let mut names = BTreeSet::new();
    let mut parts = Vec::new();
    for family in &scan.families {
        let name = layout.name(family.name);
        assert!(!name.is_empty() && names.insert(name) && std::str::from_utf8(name).is_ok());
        assert!(std::str::from_utf8(&family.help(layout).unwrap_or_default()).is_ok());
        assert!(family.span.start <= family.span.end && family.span.end as usize <= text.len());
        parts.extend((family.first < family.last).then_some((family.first, family.last)));
        let mut before = family.span.start;
        for row in rows(&samples_of(scan, family)) {
            let span = row.span.expect("a sample that was read has a place");
            assert!(before <= span.start && span.start < span.end && span.end <= family.span.end.max(span.end));
            assert!(!span.of(text).contains(&b'\n'));
            before = span.end;
            row_is_sane(&row, name, family.kind);
        }
    }
    // Each row belongs to one family.
    parts.sort();
    assert!(parts.windows(2).all(|pair| pair[0].1 == pair[1].0));
    assert_eq!(parts.first().map_or(0, |part| part.0), 0);
    assert_eq!(parts.last().map_or(0, |part| part.1) as usize, scan.block.rows.len());
}

fn row_is_sane(row: &Row, family: &[u8], kind: MetricType) {
    let suffix = row.name.strip_prefix(family).expect("the sample is one of the family");
    assert!(suffix.is_empty() || kind.suffixes().contains(&suffix));
    assert!(row.labels.windows(2).all(|pair| pair[0].0 < pair[1].0), "{row:?}");
    for (name, value) in &row.labels {
        assert!(!name.is_empty() && name != b"__name__");
        assert!(std::str::from_utf8(name).is_ok() && std::str::from_utf8(value).is_ok());
    }
    assert!(
        row.literal.is_none() || row.literal.as_ref().is_some_and(|literal| row.span.is_some() && !literal.is_empty())
    );
}

fn comments_are_in_the_text(scan: &Scan, text: &[u8]) {
    let mut before = 0;
    for span in &scan.comments {
        assert!(before <= span.start && span.end as usize <= text.len() && text[span.start as usize] == b'#');
        before = span.end;
    }
}

fn limits_hide_faults_and_nothing_else(scan: &Scan, text: &[u8]) {
    let told = |scan: &Scan| -> Vec<_> {
        scan.families.iter().map(|family| (family.span, family.kind as u8, family.complete, family.last)).collect()
    };
    let limited = scanned(text, &Options { max_faults: 2, comments: false, ..everything() });
    assert_eq!(told(&limited), told(scan));
    assert!(limited.comments.is_empty());
    assert!(limited.faults.iter().all(|fault| scan.faults.contains(fault)));
    let hidden: u64 = limited.suppressed.iter().map(|(_, count)| count).sum();
    assert_eq!(limited.faults.len() as u64 + hidden, scan.faults.len() as u64);

    let fatal = Code::ALL.iter().copied().collect();
    let stopped = scanned(text, &Options { recover: false, fatal, ..everything() });
    assert_eq!(stopped.faults.len(), scan.faults.len().min(1));
    if scan.faults.is_empty() {
        assert_eq!(told(&stopped), told(scan));
    }
}

/// Lines that begin with a blank are read the careful way, so that this compares the quick way with it.
fn a_blank_before_each_line_changes_nothing(scan: &Scan, text: &[u8]) {
    let mut indented = Vec::new();
    // Where the lines begin, which is how much further right each place is.
    let mut starts = Vec::new();
    let bom = if text.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    indented.extend_from_slice(&text[..bom]);
    let mut at = bom;
    for line in text[bom..].split_inclusive(|&byte| byte == b'\n') {
        starts.push(at);
        indented.push(b' ');
        indented.extend_from_slice(line);
        at += line.len();
    }
    let moved = |place: u32| place + starts.partition_point(|&start| start <= place as usize) as u32;
    let moved = |span: Span| {
        let end = if span.start < span.end { moved(span.end - 1) + 1 } else { moved(span.end) };
        Span { start: moved(span.start), end }
    };
    let other = scanned(&indented, &everything());
    let faults: Vec<Fault> = (scan.faults.iter())
        .map(|fault| Fault { span: moved(fault.span), related: fault.related.map(moved), ..*fault })
        .collect();
    assert_eq!(other.faults, faults);
    assert_eq!(other.families.len(), scan.families.len());
    for (one, indented) in scan.families.iter().zip(&other.families) {
        let names = [scan, &other].map(|scan| (&scan.block.layout, one));
        assert_eq!(names[0].0.name(one.name), names[1].0.name(indented.name));
        assert_eq!((one.kind, one.complete), (indented.kind, indented.complete));
        assert_eq!(one.help(names[0].0), indented.help(names[1].0));
        let expected: Vec<Row> =
            (rows(&samples_of(scan, one)).into_iter()).map(|row| Row { span: row.span.map(moved), ..row }).collect();
        assert_eq!(rows(&samples_of(&other, indented)), expected);
    }
}

fn what_is_written_is_read_again(scan: &Scan) {
    let text = encoded(scan, EscapingScheme::AllowUtf8, true);
    let again = scanned(&text, &everything());
    let (before, after) = (&scan.block.layout, &again.block.layout);
    assert_eq!(again.families.len(), scan.families.len(), "{}", String::from_utf8_lossy(&text));
    for (one, other) in scan.families.iter().zip(&again.families) {
        let name = before.name(one.name);
        assert_eq!(name, after.name(other.name));
        assert_eq!((one.kind, one.help(before)), (other.kind, other.help(after)));
        let family = Family::new(name, one.kind);
        let expected = placeless(family.sorted(&rows(&samples_of(scan, one))));
        let found = placeless(rows(&samples_of(&again, other)));
        // Bounds are written canonically.
        let unbound = |mut rows: Vec<Row>| {
            rows.iter_mut().for_each(|row| row.labels.retain(|(name, _)| name != b"le" && name != b"quantile"));
            rows
        };
        assert_eq!(unbound(found), unbound(expected));
    }
    assert_eq!(encoded(&again, EscapingScheme::AllowUtf8, true), text);
    for scheme in [EscapingScheme::Underscores, EscapingScheme::Dots, EscapingScheme::Values] {
        assert!(encoded(scan, scheme, false).is_ascii() || !text.is_ascii());
    }
}
