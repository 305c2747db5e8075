//! Families, as Python has them, to text.

use expofmt_core::encode::{Family, encode};
use expofmt_core::escape::EscapingScheme;
use expofmt_core::family::MetricType;
use expofmt_core::plain::is_plain;
use expofmt_core::samples::Samples;
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyBytes;

use crate::model::{Model, read_metric_type};
use crate::packing::native;

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
    let held = families.try_iter()?.map(|family| Held::of(&family?)).collect::<PyResult<Vec<_>>>()?;
    let text = py.detach(|| encode(&held.iter().map(Held::family).collect::<Vec<_>>(), escaping, literals));
    Ok(PyBytes::new(py, &text))
}

/// Canonical text of families that come sorted by name, or nothing if text does not hold all that they say.
pub fn plain_text<'py>(families: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let py = families.py();
    let mut held = Vec::with_capacity(families.len()?);
    for family in families.try_iter()? {
        let family = family?;
        if !family.getattr(intern!(py, "unit"))?.is_none() {
            return Ok(None);
        }
        held.push(Held::of(&family)?);
    }
    let text = py.detach(|| {
        let families: Vec<Family<'_>> = held.iter().map(Held::family).collect();
        is_plain(&families).then(|| encode(&families, EscapingScheme::AllowUtf8, false))
    });
    Ok(text.map(|text| PyBytes::new(py, &text)))
}

/// What is written of a family, kept alive while that is done without the interpreter's lock.
struct Held {
    name: PyBackedStr,
    kind: MetricType,
    help: Option<PyBackedStr>,
    samples: Samples,
}

impl Held {
    fn of(family: &Bound<'_, PyAny>) -> PyResult<Held> {
        let py = family.py();
        Ok(Held {
            name: family.getattr(intern!(py, "name"))?.extract()?,
            kind: read_metric_type(&family.getattr(intern!(py, "type"))?)?,
            help: family.getattr(intern!(py, "help"))?.extract()?,
            samples: native(&family.getattr(intern!(py, "samples"))?)?,
        })
    }

    fn family(&self) -> Family<'_> {
        Family {
            name: self.name.as_bytes(),
            kind: self.kind,
            help: self.help.as_ref().map(|help| help.as_bytes()),
            samples: &self.samples,
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
