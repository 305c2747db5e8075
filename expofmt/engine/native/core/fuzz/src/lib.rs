//! What the fuzz targets share: samples as plain values, and everything that is asked of them in the plainest way.
//!
//! `poe fuzz TARGET` runs a target until it is stopped.
#![forbid(unsafe_code)]

pub mod model;

use std::sync::Arc;

use expofmt_core::encode::{Family, encode};
use expofmt_core::escape::EscapingScheme;
use expofmt_core::fault::CodeSet;
use expofmt_core::samples::Samples;
use expofmt_core::scan::{Options, Scan, ScannedFamily, scan};

/// Tells all that there is in a text.
pub fn everything() -> Options {
    Options { recover: true, comments: true, max_faults: usize::MAX, fatal: CodeSet::default() }
}

/// Scan a copy of the text.
pub fn scanned(text: &[u8], options: &Options) -> Scan {
    scan(Arc::new(text.to_vec()), options)
}

/// The samples of a family that was scanned.
pub fn samples_of(scan: &Scan, family: &ScannedFamily) -> Samples {
    Samples::of(scan.block.clone(), family.first, family.last)
}

/// All families of a scan as canonical text.
pub fn encoded(scan: &Scan, escaping: EscapingScheme, literals: bool) -> Vec<u8> {
    let layout = &scan.block.layout;
    let helps: Vec<_> = scan.families.iter().map(|family| family.help(layout)).collect();
    let samples: Vec<_> = scan.families.iter().map(|family| samples_of(scan, family)).collect();
    let families: Vec<_> = (scan.families.iter().zip(&helps).zip(&samples))
        .map(|((family, help), samples)| Family {
            name: layout.name(family.name),
            kind: family.kind,
            help: help.as_deref(),
            samples: samples.into(),
        })
        .collect();
    encode(&families, escaping, literals)
}
