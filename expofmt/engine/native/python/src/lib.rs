//! The native engine as a Python module.
#![deny(unsafe_code)]

mod encoding;
mod families;
mod gather;
mod model;
#[allow(unsafe_code)]
mod objects;
mod packing;
mod panics;
mod reading;
mod samples;
mod scanning;
mod sequence;
mod series;
mod stored;
mod texts;

#[pyo3::pymodule(gil_used = true)]
mod _native {
    use pyo3::exceptions::PyImportError;
    use pyo3::prelude::*;
    use pyo3::types::{PyBytes, PyDict};

    #[pymodule_export]
    use crate::families::ScannedFamilies;
    #[pymodule_export]
    use crate::gather::Gathered;
    use crate::panics::caught;
    #[pymodule_export]
    use crate::samples::NativeSamples;
    #[pymodule_export]
    use crate::series::SeriesIndex;

    /// Which version of the package it belongs to.
    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    /// Columns from objects.
    #[pyfunction]
    #[pyo3(signature = (samples, /))]
    fn pack(samples: &Bound<'_, PyAny>) -> PyResult<NativeSamples> {
        caught(|| Ok(crate::packing::pack(samples)?.into()))
    }

    /// Read an exposition into families.
    #[pyfunction]
    #[pyo3(signature = (data, dialect, /, *, recover=true, comments=false, max_faults=1000))]
    fn scan<'py>(
        data: &Bound<'py, PyBytes>,
        dialect: &Bound<'py, PyAny>,
        recover: bool,
        comments: bool,
        max_faults: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        caught(|| crate::scanning::read(data, dialect, recover, comments, max_faults))
    }

    /// The indices of families that may break a rule.
    #[pyfunction]
    #[pyo3(signature = (families, /, *, timed = false))]
    fn suspects(families: &Bound<'_, PyAny>, timed: bool) -> PyResult<Vec<usize>> {
        caught(|| crate::families::suspects(families, timed))
    }

    /// Families that were read, by name, as `MetricFamily` objects.
    #[pyfunction]
    #[pyo3(signature = (families, /))]
    fn assemble<'py>(families: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
        caught(|| crate::families::assemble(families))
    }

    /// Canonical text of families, in whatever order they come, if text holds all that they say.
    #[pyfunction]
    #[pyo3(signature = (families, /))]
    fn encode_plain<'py>(families: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        caught(|| crate::encoding::plain_text(families))
    }

    /// Text that reads back as the same samples in the same order.
    #[pyfunction]
    #[pyo3(signature = (families, /))]
    fn encode_exact<'py>(families: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        caught(|| crate::encoding::exact_text(families))
    }

    /// Canonical text.
    #[pyfunction]
    #[pyo3(signature = (families, /, *, format, escaping, literals=false))]
    fn encode<'py>(
        families: &Bound<'py, PyAny>,
        format: &Bound<'py, PyAny>,
        escaping: &Bound<'py, PyAny>,
        literals: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        caught(|| crate::encoding::text(families, format, escaping, literals))
    }

    /// The samples of a pickle.
    #[pyfunction]
    #[pyo3(signature = (pickled, /))]
    fn _rebuild(pickled: &[u8]) -> PyResult<NativeSamples> {
        caught(|| crate::samples::rebuilt(pickled))
    }

    /// Panic, so that a test sees what becomes of it.
    #[pyfunction]
    fn _panic(message: String) -> PyResult<()> {
        caught(|| panic!("{message}"))
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        // An engine that cannot work with the classes it finds must not keep another one from being chosen.
        let registered = || {
            crate::model::register(module.py())?;
            crate::families::register(module.py())?;
            crate::samples::register(module.py())
        };
        caught(registered).map_err(|error| {
            let refused = PyImportError::new_err("the native engine does not fit this interpreter, or this package");
            refused.set_cause(module.py(), Some(error));
            refused
        })
    }
}
