//! The samples of one family from several owners.

use std::sync::Arc;

use expofmt_core::gather::Gathered as Family;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::model::read_metric_type;
use crate::packing::native;
use crate::panics::caught;
use crate::samples::NativeSamples;
use crate::stored::{Stored, read_owner};

/// The samples of one family from several owners, and their canonical text; see `expofmt.engine.seam.Gathered`.
#[pyclass(module = "expofmt.engine._native")]
pub struct Gathered {
    family: Stored<Family>,
    /// The one that the family keeps, too.
    text: Py<PyBytes>,
}

#[pymethods]
impl Gathered {
    #[new]
    fn new(py: Python<'_>, name: &str, r#type: &Bound<'_, PyAny>) -> PyResult<Gathered> {
        caught(|| {
            let family = Family::new(name.as_bytes(), read_metric_type(r#type)?);
            Ok(Gathered { family: Stored::new(family), text: PyBytes::new(py, b"").unbind() })
        })
    }

    fn __len__(&self) -> PyResult<usize> {
        caught(|| Ok(self.family.get()?.len()))
    }

    fn put(&mut self, samples: &Bound<'_, PyAny>, owner: &Bound<'_, PyAny>) -> PyResult<()> {
        caught(|| {
            let (py, given, owner) = (samples.py(), native(samples)?, read_owner(owner)?);
            py.detach(|| self.family.change(|family| family.put(&given, owner)))
        })
    }

    fn remove(&mut self, owner: &Bound<'_, PyAny>) -> PyResult<()> {
        caught(|| {
            let owner = read_owner(owner)?;
            self.family.change(|family| family.remove(owner))
        })
    }

    fn owners(&self) -> PyResult<Vec<u32>> {
        caught(|| Ok(self.family.get()?.owners().collect()))
    }

    fn samples(&self, py: Python<'_>) -> PyResult<NativeSamples> {
        caught(|| {
            let family = self.family.get()?;
            Ok(py.detach(|| family.samples()).into())
        })
    }

    fn text<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        caught(|| {
            if self.family.get()?.text().is_some() {
                return Ok(self.text.bind(py).clone());
            }
            let change = py.detach(|| self.family.change(Family::change))?;
            let family = self.family.get()?;
            // It is written where it is to stay, so that it is copied but once.
            let text = PyBytes::new_with(py, change.len(), |out| {
                py.detach(|| change.write(family, out));
                Ok(())
            })?;
            let held = Arc::new(PyBackedBytes::from(text.clone()));
            self.family.change(|family| family.accept(change, held))?;
            self.text = text.clone().unbind();
            Ok(text)
        })
    }
}
