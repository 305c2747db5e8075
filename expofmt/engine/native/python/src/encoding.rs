//! Families, as Python has them, to text.

use std::borrow::Cow;

use expofmt_core::encode::{Family, encode};
use expofmt_core::escape::EscapingScheme;
use expofmt_core::family::MetricType;
use expofmt_core::plain::encode_plain;
use expofmt_core::samples::Rows;
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
    let text = py.detach(|| encode(&held.iter().map(Held::family).collect::<Vec<_>>(), escaping, literals));
    Ok(PyBytes::new(py, &text))
}

/// Canonical text of families sorted by name, or nothing if text does not hold all that they say. The families are
/// `MetricFamily` objects, or what a scan has found.
pub fn plain_text<'py>(families: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let py = families.py();
    let text = match families.cast_exact::<ScannedFamilies>() {
        Ok(scanned) => {
            let scanned = scanned.get();
            py.detach(|| text_of_scan(scanned))
        }
        Err(_) => {
            let held = held(families)?;
            let has_units = held.iter().any(|family| family.has_unit);
            py.detach(|| (!has_units).then(|| encode_plain(held.iter().map(Held::family).collect())).flatten())
        }
    };
    Ok(text.map(|text| PyBytes::new(py, &text)))
}

/// Text has no units, so that families read from it have none.
fn text_of_scan(scanned: &ScannedFamilies) -> Option<Vec<u8>> {
    let ScannedFamilies { block, families } = scanned;
    let helps: Vec<Option<Cow<'_, [u8]>>> = families.iter().map(|family| family.help(&block.layout)).collect();
    let families = families.iter().zip(&helps).map(|(family, help)| Family {
        name: block.layout.name(family.name),
        kind: family.kind,
        help: help.as_deref(),
        samples: Rows { block, first: family.first, last: family.last }.into(),
    });
    encode_plain(families.collect())
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
