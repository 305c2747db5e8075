//! The end of a scan: what was gathered line by line becomes what was found.

use super::{Found, ScannedFamily, Scanner};
use crate::block::Time;
use crate::fault::{Code, Span, offset};

impl Scanner<'_> {
    pub(super) fn finish(mut self) -> Found {
        self.drop_segments();
        let mut ranges = vec![(0, 0); self.families.len()];
        let ends = self.runs.iter().skip(1).map(|&(_, first)| first).chain([offset(self.rows.len())]);
        let mut scattered = false;
        for (&(family, first), end) in self.runs.iter().zip(ends) {
            scattered |= ranges[family as usize].1 > 0;
            ranges[family as usize] = (first, end);
        }
        if scattered {
            ranges = self.bring_together();
        }
        self.times.resize(if self.times.is_empty() { 0 } else { self.rows.len() }, Time::ABSENT);
        self.faults.sort_by_key(|fault| fault.span);
        let families = self.families.iter().zip(&ranges).map(|(family, &(first, last))| {
            let sampled = if first < last { self.rows[last as usize - 1].end } else { 0 };
            ScannedFamily {
                name: family.name,
                kind: family.kind,
                help: family.help,
                first,
                last,
                span: Span { start: family.start, end: family.end.max(sampled) },
                complete: family.complete,
            }
        });
        Found {
            families: families.collect(),
            suppressed: self.suppressed(),
            names: self.names,
            kinds: self.kinds,
            shapes: self.shapes,
            segments: self.segments,
            rows: self.rows,
            times: self.times,
            literals: self.literals,
            faults: self.faults,
            comments: self.comments,
        }
    }

    /// Put the rows of each family side by side, and tell where; their order stays.
    fn bring_together(&mut self) -> Vec<(u32, u32)> {
        let ends: Vec<u32> =
            self.runs.iter().skip(1).map(|&(_, first)| first).chain([offset(self.rows.len())]).collect();
        let mut ranges = vec![(0, 0); self.families.len()];
        for (&(family, first), end) in self.runs.iter().zip(&ends) {
            ranges[family as usize].1 += end - first;
        }
        let mut start = 0;
        for range in &mut ranges {
            let count = range.1;
            *range = (start, start);
            start += count;
        }
        let mut places = vec![0; self.rows.len()];
        for (&(family, first), &end) in self.runs.iter().zip(&ends) {
            for place in &mut places[first as usize..end as usize] {
                *place = ranges[family as usize].1;
                ranges[family as usize].1 += 1;
            }
        }
        let mut rows = self.rows.clone();
        for (row, &place) in self.rows.iter().zip(&places) {
            rows[place as usize] = *row;
        }
        self.rows = rows;
        if !self.times.is_empty() {
            self.times.resize(places.len(), Time::ABSENT);
            let mut times = self.times.clone();
            for (time, &place) in self.times.iter().zip(&places) {
                times[place as usize] = *time;
            }
            self.times = times;
        }
        for (row, _) in &mut self.literals {
            *row = places[*row as usize];
        }
        self.literals.sort_unstable_by_key(|&(row, _)| row);
        ranges
    }

    fn suppressed(&self) -> Vec<(Code, u64)> {
        let most = self.options.max_faults as u64;
        let counts = Code::ALL.iter().map(|&code| (code, self.fault_counts[code as usize]));
        let mut found: Vec<(Code, u64)> =
            counts.filter(|&(_, count)| count > most).map(|(code, count)| (code, count - most)).collect();
        if self.refused_lines as u64 > most {
            found.push((Code::TooManyDiagnostics, self.refused_lines as u64 - most));
        }
        found
    }
}
