//! A scan, as Python sees it.

use std::sync::Arc;

use expofmt_core::fault::{Code, CodeSet, Fault, Span};
use expofmt_core::scan::{Options, scan};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::families::ScannedFamilies;
use crate::model::{Model, named_tuple};

/// Read an exposition. The input is not copied: the result keeps it alive.
pub fn read<'py>(
    data: &Bound<'py, PyBytes>,
    dialect: &Bound<'py, PyAny>,
    recover: bool,
    comments: bool,
    max_faults: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let py = data.py();
    let model = Model::get(py)?;
    if !dialect.is(&model.text_format) {
        return Err(PyValueError::new_err(format!("the native engine has no grammar for {dialect}")));
    }
    // What only derives from bytes may refer to what is made here, and the garbage collector would not see the circle.
    let bytes = if data.is_exact_instance_of::<PyBytes>() { data.clone() } else { PyBytes::new(py, data.as_bytes()) };
    let text = Arc::new(PyBackedBytes::from(bytes));
    let options = Options { recover, comments, max_faults, fatal: model.fatal };
    let found = py.detach(|| scan(text, &options));
    let faults = found.faults.iter().map(|fault| fault_object(py, model, fault)).collect::<PyResult<Vec<_>>>()?;
    let spans = found.comments.iter().map(|span| span_object(py, model, *span)).collect::<PyResult<Vec<_>>>()?;
    let suppressed = PyDict::new(py);
    for (code, number) in found.suppressed {
        suppressed.set_item(code.as_str(), number)?;
    }
    let families = Bound::new(py, ScannedFamilies { block: found.block, families: found.families })?;
    let fields = (families, PyList::new(py, faults)?, PyList::new(py, spans)?, suppressed);
    named_tuple(py, &model.scan_class, fields)
}

pub fn span_object<'py>(py: Python<'py>, model: &Model, span: Span) -> PyResult<Bound<'py, PyAny>> {
    named_tuple(py, &model.span_class, (span.start, span.end))
}

fn fault_object<'py>(py: Python<'py>, model: &Model, fault: &Fault) -> PyResult<Bound<'py, PyAny>> {
    let code = code_object(py, model, fault.code)?;
    match fault.related {
        Some(related) => {
            let fields = (code, fault.span.start, fault.span.end, related.start, related.end);
            named_tuple(py, &model.fault_class, fields)
        }
        None => named_tuple(py, &model.fault_class, (code, fault.span.start, fault.span.end)),
    }
}

/// The member of the Python enum.
pub fn code_object<'py>(py: Python<'py>, model: &Model, code: Code) -> PyResult<Bound<'py, PyAny>> {
    model.code_class.bind(py).call1((code.as_str(),))
}

/// The codes that end a scan which does not recover.
pub fn fatal_codes(codes: &Bound<'_, PyModule>) -> PyResult<CodeSet> {
    let (class, verdict) = (codes.getattr("Code")?, codes.getattr("verdict")?);
    let mut fatal = CodeSet::default();
    for &code in Code::ALL {
        if verdict.call1((class.call1((code.as_str(),))?,))?.getattr("fatal")?.is_truthy()? {
            fatal.insert(code);
        }
    }
    Ok(fatal)
}
