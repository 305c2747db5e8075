//! Families as read, which become Python objects when somebody looks at them.

use std::sync::Arc;

use expofmt_core::block::Block;
use expofmt_core::cardinality::first_timestamp;
use expofmt_core::rules::breaks_a_rule;
use expofmt_core::samples::Samples;
use expofmt_core::scan::ScannedFamily;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySequence, PySlice};

use crate::model::{Model, named_tuple};
use crate::panics::caught;
use crate::samples::NativeSamples;
use crate::sequence::{places, row};
use crate::texts::Texts;

/// The families of a scan, a sequence of `ScannedFamily`. It compares as the list of them would.
#[pyclass(frozen, sequence, module = "expofmt.engine._native")]
pub struct ScannedFamilies {
    pub block: Arc<Block>,
    pub families: Vec<ScannedFamily>,
}

/// Let Python take the class for what it is.
pub fn register(py: Python<'_>) -> PyResult<()> {
    PySequence::register::<ScannedFamilies>(py)
}

#[pymethods]
impl ScannedFamilies {
    fn __len__(&self) -> PyResult<usize> {
        caught(|| Ok(self.families.len()))
    }

    fn __getitem__<'py>(&self, py: Python<'py>, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        caught(|| match index.cast::<PySlice>() {
            Ok(slice) => {
                let found = slice.indices(self.families.len() as isize)?;
                let chosen = places(&found).map(|place| self.scanned(py, &self.families[place]));
                Ok(PyList::new(py, chosen.collect::<PyResult<Vec<_>>>()?)?.into_any())
            }
            Err(_) => self.scanned(py, &self.families[row(index, self.families.len())?]),
        })
    }

    fn __eq__<'py>(&self, py: Python<'py>, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        caught(|| {
            let Ok(other) = other.cast::<PySequence>() else { return Ok(py.NotImplemented().into_bound(py)) };
            self.list(py)?.rich_compare(other.to_list()?, pyo3::basic::CompareOp::Eq)
        })
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        caught(|| self.list(py)?.repr()?.extract())
    }
}

impl ScannedFamilies {
    fn list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let families = self.families.iter().map(|family| self.scanned(py, family));
        PyList::new(py, families.collect::<PyResult<Vec<_>>>()?)
    }

    fn scanned<'py>(&self, py: Python<'py>, family: &ScannedFamily) -> PyResult<Bound<'py, PyAny>> {
        let model = Model::get(py)?;
        let Parts { name, help, samples } = self.parts(&mut Texts::new(py), family)?;
        let (span, complete) = (family.span, family.complete);
        let kind = model.metric_type(py, family.kind);
        named_tuple(
            py,
            &model.scanned_family_class,
            (name, kind, help, py.None(), samples, span.start, span.end, complete),
        )
    }

    /// `MetricFamily` objects by name.
    fn assembled<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let model = Model::get(py)?;
        let none = || py.None().into_bound(py);
        let found = PyDict::new(py);
        let mut texts = Texts::new(py);
        for family in &self.families {
            let Parts { name, help, samples } = self.parts(&mut texts, family)?;
            let help = help.unwrap_or_else(none);
            let kind = model.metric_type(py, family.kind).clone();
            let made = model.family.make(py, [name.clone(), kind, help, none(), samples.into_any()])?;
            found.set_item(name, made)?;
        }
        Ok(found)
    }

    fn parts<'py>(&self, texts: &mut Texts<'py>, family: &ScannedFamily) -> PyResult<Parts<'py>> {
        let layout = &self.block.layout;
        let samples = Samples::of(self.block.clone(), family.first, family.last);
        let name = texts.string(layout.name(family.name))?;
        let samples = NativeSamples { samples, name: Some((family.name, name.clone().unbind())) };
        let help = family.help(layout).map(|help| texts.string(&help)).transpose()?;
        Ok(Parts { name, help, samples: Bound::new(texts.py, samples)? })
    }
}

struct Parts<'py> {
    name: Bound<'py, PyAny>,
    help: Option<Bound<'py, PyAny>>,
    samples: Bound<'py, NativeSamples>,
}

/// The indices of families that may break a rule, or that have times if these are `timed`; of those that another engine
/// has read, all.
pub fn suspects(families: &Bound<'_, PyAny>, timed: bool) -> PyResult<Vec<usize>> {
    let Ok(native) = families.cast_exact::<ScannedFamilies>() else {
        return Ok((0..families.len()?).collect());
    };
    let ScannedFamilies { block, families: found, .. } = native.get();
    let is_suspect = |family: &ScannedFamily| {
        let samples = Samples::of(block.clone(), family.first, family.last);
        breaks_a_rule(&samples, block.layout.name(family.name), family.kind)
            || (timed && first_timestamp(&samples).is_some())
    };
    Ok(families.py().detach(|| (0..found.len()).filter(|&number| is_suspect(&found[number])).collect()))
}

/// `MetricFamily` objects by name, of families that an engine has read.
pub fn assemble<'py>(families: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let py = families.py();
    if let Ok(families) = families.cast_exact::<ScannedFamilies>() {
        return families.get().assembled(py);
    }
    let model = Model::get(py)?;
    let found = PyDict::new(py);
    for family in families.try_iter()? {
        let family = family?;
        let field = |number: usize| family.get_item(number);
        let (name, kind, help, unit, samples) = (field(0)?, field(1)?, field(2)?, field(3)?, field(4)?);
        found.set_item(&name, model.family.make(py, [name.clone(), kind, help, unit, samples])?)?;
    }
    Ok(found)
}
