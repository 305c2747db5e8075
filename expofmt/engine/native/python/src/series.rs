//! Who holds which series.

use expofmt_core::samples::Samples;
use expofmt_core::series::{Conflict, SeriesIndex as Index};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::packing::native;
use crate::panics::caught;
use crate::stored::{Stored, read_owner};

/// Which owner holds which series; see `expofmt.engine.seam.SeriesIndex`.
#[pyclass(module = "expofmt.engine._native")]
pub struct SeriesIndex {
    index: Stored<Index>,
}

#[pymethods]
impl SeriesIndex {
    #[new]
    fn new() -> PyResult<SeriesIndex> {
        caught(|| Ok(SeriesIndex { index: Stored::new(Index::default()) }))
    }

    fn __len__(&self) -> PyResult<usize> {
        caught(|| Ok(self.index.get()?.len()))
    }

    fn conflicts(&self, samples: &Bound<'_, PyAny>, owner: &Bound<'_, PyAny>) -> PyResult<Vec<(usize, u32)>> {
        caught(|| {
            let (py, given, owner) = (samples.py(), native(samples)?, read_owner(owner)?);
            let index = self.index.get()?;
            let found = py.detach(|| index.conflicts(&given, owner));
            Ok(found.into_iter().map(|conflict| (conflict.index, conflict.owner)).collect())
        })
    }

    fn allows(&self, owner: &Bound<'_, PyAny>, old: &Bound<'_, PyAny>, new: &Bound<'_, PyAny>) -> PyResult<bool> {
        caught(|| {
            let (py, owner, old, new) = (owner.py(), read_owner(owner)?, together(old)?, together(new)?);
            let index = self.index.get()?;
            Ok(py.detach(|| index.allows(&old, &new, owner)))
        })
    }

    fn replace(&mut self, owner: &Bound<'_, PyAny>, old: &Bound<'_, PyAny>, new: &Bound<'_, PyAny>) -> PyResult<()> {
        caught(|| {
            let (py, owner, old, new) = (owner.py(), read_owner(owner)?, together(old)?, together(new)?);
            py.detach(|| self.index.change(|index| index.replace(&old, &new, owner)))?.map_err(refused)
        })
    }
}

/// All the samples of a sequence of them.
fn together(given: &Bound<'_, PyAny>) -> PyResult<Samples> {
    let given: Vec<Samples> = given.try_iter()?.map(|samples| native(&samples?)).collect::<PyResult<_>>()?;
    Ok(Samples::default().concat(&given))
}

fn refused(Conflict { index, owner }: Conflict) -> PyErr {
    PyValueError::new_err(format!("sample {index} is of a series that owner {owner} holds"))
}
