//! `Sample` objects as rows.

use expofmt_core::block::{Exemplar, Extra};
use expofmt_core::build::{Builder, push_label_set};
use expofmt_core::samples::Samples;
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::model::{Model, read_time};
use crate::samples::NativeSamples;

/// The samples of any iterable.
pub fn pack(samples: &Bound<'_, PyAny>) -> PyResult<Samples> {
    if let Ok(native) = samples.cast_exact::<NativeSamples>() {
        let samples = &native.get().samples;
        return Ok(native.py().detach(|| samples.compact()));
    }
    let py = samples.py();
    let class = Model::get(py)?.sample_class.bind(py);
    let mut builder = Builder::default();
    for sample in samples.try_iter()? {
        let sample = sample?;
        if !sample.is_instance(class)? {
            let found = sample.get_type().name()?;
            return Err(PyTypeError::new_err(format!("a family holds samples of class Sample, not {found}")));
        }
        push(&mut builder, &sample)?;
    }
    Ok(builder.finish())
}

/// The samples of another sequence that counts as `Samples`, in native columns.
pub fn native(samples: &Bound<'_, PyAny>) -> PyResult<Samples> {
    match samples.cast_exact::<NativeSamples>() {
        Ok(native) => Ok(native.get().samples.clone()),
        Err(_) => pack(samples),
    }
}

fn push(builder: &mut Builder, sample: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = sample.py();
    let name = sample.getattr(intern!(py, "name"))?;
    let value: f64 = sample.getattr(intern!(py, "value"))?.extract()?;
    let time = read_time(&sample.getattr(intern!(py, "timestamp_ns"))?)?;
    let start = read_time(&sample.getattr(intern!(py, "start_timestamp_ns"))?)?;
    let exemplars = sample.getattr(intern!(py, "exemplars"))?.cast_into::<PyTuple>()?;
    let extra = if exemplars.is_empty() && start.is_none() {
        None
    } else {
        let exemplars = exemplars.iter().map(|exemplar| read_exemplar(&exemplar)).collect::<PyResult<_>>()?;
        Some(Extra { exemplars, start })
    };
    let labels = read_labels(&sample.getattr(intern!(py, "labels"))?)?;
    builder.push(name.cast::<PyString>()?.to_str()?.as_bytes(), as_bytes(&labels), value, time, None, extra);
    Ok(())
}

fn read_exemplar(exemplar: &Bound<'_, PyAny>) -> PyResult<Exemplar> {
    let py = exemplar.py();
    let mut text = Vec::new();
    push_label_set(&mut text, as_bytes(&read_labels(&exemplar.getattr(intern!(py, "labels"))?)?));
    Ok(Exemplar {
        labels: text.into(),
        value: exemplar.getattr(intern!(py, "value"))?.extract()?,
        time: read_time(&exemplar.getattr(intern!(py, "timestamp_ns"))?)?,
    })
}

/// The labels of a `LabelSet`, which are sorted by name.
pub fn read_labels(label_set: &Bound<'_, PyAny>) -> PyResult<Vec<(PyBackedStr, PyBackedStr)>> {
    let py = label_set.py();
    let labels = label_set.getattr(intern!(py, "_labels"))?.cast_into::<PyDict>()?;
    labels.iter().map(|(name, value)| Ok((name.extract()?, value.extract()?))).collect()
}

/// Labels as what the core takes for labels.
pub fn as_bytes(labels: &[(PyBackedStr, PyBackedStr)]) -> impl Iterator<Item = (&[u8], &[u8])> {
    labels.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))
}
