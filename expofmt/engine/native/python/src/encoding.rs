//! Families, as Python has them, to text.

use std::borrow::Cow;

use expofmt_core::encode::{Family, encode_exact, encode_in_pieces};
use expofmt_core::escape::EscapingScheme;
use expofmt_core::family::MetricType;
use expofmt_core::plain::sorted_if_plain;
use expofmt_core::samples::Rows;
use expofmt_core::scan::ScannedFamily;
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyBytes;

use crate::families::ScannedFamilies;
use crate::model::{Model, read_metric_type};
use crate::packing::pack;
use crate::samples::NativeSamples;

/// Canonical text of `MetricFamily` objects.
pub fn text<'py>(
    families: &Bound<'py, PyAny>,
    format: &Bound<'py, PyAny>,
    escaping: &Bound<'py, PyAny>,
    literals: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let py = families.py();
    if !format.is(&Model::get(py)?.text_format) {
        return Err(PyValueError::new_err(format!("the native engine cannot write {format}")));
    }
    let escaping = read_scheme(escaping)?;
    let held = held(families)?;
    py.detach(|| Text::of(&held.iter().map(Held::family).collect::<Vec<_>>(), escaping, literals))?.into_bytes(py)
}

/// Text that reads back as the same samples in the same order.
pub fn exact_text<'py>(families: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let py = families.py();
    let held = held(families)?;
    let text = py.detach(|| encode_exact(&held.iter().map(Held::family).collect::<Vec<_>>()));
    Ok(PyBytes::new(py, &text))
}

/// Canonical text of families sorted by name, or nothing if text does not hold all that they say. The families are
/// `MetricFamily` objects, or what a scan has found.
pub fn plain_text<'py>(families: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let py = families.py();
    let text = match families.cast_exact::<ScannedFamilies>() {
        Ok(scanned) => {
            let scanned = scanned.get();
            py.detach(|| Text::of_plain(families_of_scan(scanned, &helps(scanned))))
        }
        Err(_) => {
            let held = held(families)?;
            if held.iter().any(|family| family.has_unit) {
                return Ok(None);
            }
            py.detach(|| Text::of_plain(held.iter().map(Held::family).collect()))
        }
    };
    text?.map(|text| text.into_bytes(py)).transpose()
}

fn helps(scanned: &ScannedFamilies) -> Vec<Option<Cow<'_, [u8]>>> {
    scanned.families.iter().map(|family| family.help(&scanned.block.layout)).collect()
}

/// Text has no units, so that what was read from it has none.
fn families_of_scan<'a>(scanned: &'a ScannedFamilies, helps: &'a [Option<Cow<'_, [u8]>>]) -> Vec<Family<'a>> {
    let ScannedFamilies { block, families } = scanned;
    let family = |(family, help): (&ScannedFamily, &'a Option<Cow<'_, [u8]>>)| Family {
        name: block.layout.name(family.name),
        kind: family.kind,
        help: help.as_deref(),
        samples: Rows { block, first: family.first, last: family.last }.into(),
    };
    families.iter().zip(helps).map(family).collect()
}

/// A text that is written without the interpreter's lock.
///
/// To copy a long one from memory of ours into a `bytes` would take as long as to write it, most of that for the pages of memory
/// that it fills once more. Its pieces are gathered in a `BytesIO`, which gives away what it has gathered without a copy.
struct Text {
    gathered: Option<Py<PyAny>>,
    last: Vec<u8>,
}

/// What is copied at a time, while it stays in the processor's cache.
const STEP: usize = 1 << 16;

impl Text {
    fn of(families: &[Family<'_>], escaping: EscapingScheme, literals: bool) -> PyResult<Text> {
        let mut gathered = None;
        let last = encode_in_pieces(families, escaping, literals, |piece| {
            Python::attach(|py| {
                let file = match gathered.take() {
                    Some(file) => file,
                    None => py.import("io")?.getattr("BytesIO")?.call0()?.unbind(),
                };
                gather(gathered.insert(file).bind(py), piece)
            })
        })?;
        Ok(Text { gathered, last })
    }

    /// Of families as sorted by name, unless text does not hold all that they say.
    fn of_plain(families: Vec<Family<'_>>) -> PyResult<Option<Text>> {
        let sorted = sorted_if_plain(families);
        sorted.map(|families| Text::of(&families, EscapingScheme::AllowUtf8, false)).transpose()
    }

    fn into_bytes(self, py: Python<'_>) -> PyResult<Bound<'_, PyBytes>> {
        let Some(file) = &self.gathered else { return Ok(PyBytes::new(py, &self.last)) };
        let file = file.bind(py);
        gather(file, &self.last)?;
        Ok(file.call_method0(intern!(py, "getvalue"))?.cast_into()?)
    }
}

fn gather(file: &Bound<'_, PyAny>, piece: &[u8]) -> PyResult<()> {
    let py = file.py();
    for step in piece.chunks(STEP) {
        file.call_method1(intern!(py, "write"), (PyBytes::new(py, step),))?;
    }
    Ok(())
}

/// What is written of a family, kept alive while that is done without the interpreter's lock.
struct Held {
    name: PyBackedStr,
    kind: MetricType,
    help: Option<PyBackedStr>,
    has_unit: bool,
    samples: Py<NativeSamples>,
}

fn held(families: &Bound<'_, PyAny>) -> PyResult<Vec<Held>> {
    families.try_iter()?.map(|family| Held::of(&family?)).collect()
}

impl Held {
    /// Of a `MetricFamily`, or of anything with such attributes, as what another engine has read.
    fn of(family: &Bound<'_, PyAny>) -> PyResult<Held> {
        let py = family.py();
        let [name, kind, help, unit, samples] = match Model::get(py)?.family.values(family) {
            Some(values) => values,
            None => [
                family.getattr(intern!(py, "name"))?,
                family.getattr(intern!(py, "type"))?,
                family.getattr(intern!(py, "help"))?,
                family.getattr(intern!(py, "unit"))?,
                family.getattr(intern!(py, "samples"))?,
            ],
        };
        let samples = match samples.cast_into_exact::<NativeSamples>() {
            Ok(samples) => samples.unbind(),
            Err(other) => Py::new(py, NativeSamples::from(pack(&other.into_inner())?))?,
        };
        Ok(Held {
            name: name.extract()?,
            kind: read_metric_type(&kind)?,
            help: help.extract()?,
            has_unit: !unit.is_none(),
            samples,
        })
    }

    fn family(&self) -> Family<'_> {
        Family {
            name: self.name.as_bytes(),
            kind: self.kind,
            help: self.help.as_ref().map(|help| help.as_bytes()),
            samples: (&self.samples.get().samples).into(),
        }
    }
}

fn read_scheme(given: &Bound<'_, PyAny>) -> PyResult<EscapingScheme> {
    let word: PyBackedStr = given.extract()?;
    match &*word {
        "allow-utf-8" => Ok(EscapingScheme::AllowUtf8),
        "underscores" => Ok(EscapingScheme::Underscores),
        "dots" => Ok(EscapingScheme::Dots),
        "values" => Ok(EscapingScheme::Values),
        _ => Err(PyValueError::new_err(format!("{word:?} is not an escaping scheme"))),
    }
}
