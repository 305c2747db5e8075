//! The native engine's `Samples`.

use expofmt_core::block::Row;
use expofmt_core::cardinality::{first_timestamp, label_cardinality, label_names, losses_in_text, names};
use expofmt_core::equal::equal;
use expofmt_core::fingerprint::fingerprints;
use expofmt_core::identity::duplicates;
use expofmt_core::order::canonical_order;
use expofmt_core::pickle::{Malformed, dump, load};
use expofmt_core::relabel::{Pair, with_labels};
use expofmt_core::rules::{RowFault, histogram_faults, is_complete, united};
use expofmt_core::samples::Samples;
use expofmt_core::select::select;
use expofmt_core::unite::{Op, combine, difference};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBytes, PyDict, PyFrozenSet, PyMapping, PySlice, PyString, PyTuple};

use crate::model::{Model, named_tuple, read_metric_type};
use crate::objects::Shared;
use crate::packing::{as_bytes, native, read_labels};
use crate::panics::caught;
use crate::reading::Reader;
use crate::scanning::{code_object, span_object};
use crate::sequence::{places, row};
use crate::texts::Texts;

/// Samples in native columns; see `expofmt.Samples`.
#[pyclass(frozen, module = "expofmt.engine._native")]
pub struct NativeSamples {
    pub samples: Samples,
    /// The sample name that most of them have, if it is known, with its number in the layout of them all.
    pub name: Option<(u32, Py<PyAny>)>,
}

impl From<Samples> for NativeSamples {
    fn from(samples: Samples) -> NativeSamples {
        NativeSamples { samples, name: None }
    }
}

/// Let Python take the class for what it is: a `Samples`, with the methods that a `Sequence` has of its own accord.
pub fn register(py: Python<'_>) -> PyResult<()> {
    let class = py.get_type::<NativeSamples>();
    let samples_class = Model::get(py)?.samples_class.bind(py);
    for method in ["index", "count", "__contains__", "__reversed__"] {
        class.setattr(method, samples_class.getattr(method)?)?;
    }
    samples_class.call_method1("register", (class,))?;
    Ok(())
}

/// The samples of a pickle.
pub fn rebuilt(pickled: &[u8]) -> PyResult<NativeSamples> {
    match load(pickled) {
        Ok(samples) => Ok(samples.into()),
        Err(Malformed) => Err(PyValueError::new_err("these bytes are no samples pickled by this version of expofmt")),
    }
}

#[pymethods]
impl NativeSamples {
    // ------------------------------------------------------------------------------------------- as a sequence

    fn __len__(&self) -> PyResult<usize> {
        caught(|| Ok(self.samples.len()))
    }

    fn __getitem__<'py>(&self, py: Python<'py>, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        caught(|| match index.cast::<PySlice>() {
            Ok(slice) => Ok(Bound::new(py, NativeSamples::from(self.slice(slice)?))?.into_any()),
            Err(_) => {
                let view = self.samples.at(row(index, self.samples.len())?);
                Reader::default().sample(py, Model::get(py)?, view, &self.name)
            }
        })
    }

    fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, SampleIterator>> {
        caught(|| {
            let py = slf.py();
            let samples = slf.clone().unbind();
            if let Some(idle) = Texts::new(py).take_iterator()
                && let Some(mut progress) = idle.get().0.borrow_mut(py)
            {
                progress.samples = Some(samples);
                return Ok(idle.clone());
            }
            let progress = Progress { samples: Some(samples), ..Progress::default() };
            Bound::new(py, SampleIterator(Shared::new(progress)))
        })
    }

    fn __eq__<'py>(&self, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        caught(|| {
            let py = other.py();
            let same = match other.cast_exact::<NativeSamples>() {
                Ok(other) => {
                    let theirs = &other.get().samples;
                    py.detach(|| equal(&self.samples, theirs))
                }
                Err(_) if other.is_instance(Model::get(py)?.samples_class.bind(py))? => {
                    other.len()? == self.samples.len() && equal(&self.samples, &native(other)?)
                }
                Err(_) => return Ok(py.NotImplemented().into_bound(py)),
            };
            Ok(same.into_pyobject(py)?.to_owned().into_any())
        })
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        caught(|| PyTuple::new(py, self.first(py, usize::MAX)?)?.hash())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        caught(|| {
            let shown =
                self.first(py, 3)?.iter().map(|sample| sample.str()?.extract()).collect::<PyResult<Vec<String>>>()?;
            let more = if self.samples.len() > shown.len() { ", ..." } else { "" };
            Ok(format!("<{} samples: {}{more}>", self.samples.len(), shown.join(", ")))
        })
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        caught(|| {
            let rebuild = py.import("expofmt.engine._native")?.getattr("_rebuild")?;
            let dumped = py.detach(|| dump(&self.samples));
            Ok((rebuild, (PyBytes::new(py, &dumped),)))
        })
    }

    // ---------------------------------------------------------------------------------------- simple questions

    fn span<'py>(&self, index: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        caught(|| {
            let py = index.py();
            let span = self.samples.span(row(index, self.samples.len())?);
            span.map(|span| span_object(py, Model::get(py)?, span)).transpose()
        })
    }

    #[getter]
    fn has_timestamps(&self) -> PyResult<bool> {
        caught(|| Ok(first_timestamp(&self.samples).is_some()))
    }

    fn first_timestamp(&self) -> PyResult<Option<usize>> {
        caught(|| Ok(first_timestamp(&self.samples)))
    }

    fn names<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyFrozenSet>> {
        caught(|| text_set(py, py.detach(|| names(&self.samples))))
    }

    fn losses_in_text(&self, py: Python<'_>) -> PyResult<Vec<(&'static str, usize)>> {
        caught(|| Ok(py.detach(|| losses_in_text(&self.samples))))
    }

    fn label_names<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyFrozenSet>> {
        caught(|| text_set(py, py.detach(|| label_names(&self.samples))))
    }

    fn label_cardinality<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        caught(|| {
            let found = PyDict::new(py);
            for (name, values) in py.detach(|| label_cardinality(&self.samples)) {
                found.set_item(PyString::from_bytes(py, &name)?, values)?;
            }
            Ok(found)
        })
    }

    #[pyo3(signature = (*, name, r#type))]
    fn duplicates(&self, py: Python<'_>, name: &str, r#type: &Bound<'_, PyAny>) -> PyResult<Vec<(u32, u32)>> {
        caught(|| {
            let kind = read_metric_type(r#type)?;
            Ok(py.detach(|| duplicates(&self.samples, name.as_bytes(), kind)))
        })
    }

    fn histogram_faults<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        r#type: &Bound<'py, PyAny>,
    ) -> PyResult<Vec<(Bound<'py, PyAny>, u32, i64)>> {
        caught(|| {
            let (model, kind) = (Model::get(py)?, read_metric_type(r#type)?);
            let faults = py.detach(|| histogram_faults(&self.samples, name.as_bytes(), kind));
            let object = |fault: RowFault| {
                Ok((code_object(py, model, fault.code)?, fault.row, fault.related.map_or(-1, i64::from)))
            };
            faults.into_iter().map(object).collect()
        })
    }

    fn is_complete(&self, py: Python<'_>, name: &str, r#type: &Bound<'_, PyAny>) -> PyResult<bool> {
        caught(|| {
            let kind = read_metric_type(r#type)?;
            Ok(py.detach(|| is_complete(&self.samples, name.as_bytes(), kind)))
        })
    }

    fn united_in(&self, other: &Bound<'_, PyAny>, label: &str) -> PyResult<Option<(u32, u32)>> {
        caught(|| {
            let (py, other) = (other.py(), native(other)?);
            if other.len() != self.samples.len() {
                return Err(PyValueError::new_err("the other samples are not as many as these"));
            }
            Ok(py.detach(|| united(&self.samples, &other, label.as_bytes())))
        })
    }

    fn fingerprints<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        caught(|| {
            let numbers = py.detach(|| fingerprints(&self.samples));
            let bytes: Vec<u8> = numbers.into_iter().flat_map(u64::to_ne_bytes).collect();
            py.import("array")?.getattr("array")?.call1(("Q", PyBytes::new(py, &bytes)))
        })
    }

    // -------------------------------------------------------------------------------------------- new samples

    #[pyo3(signature = (*others))]
    fn concat(&self, others: Vec<Bound<'_, PyAny>>) -> PyResult<NativeSamples> {
        caught(|| {
            let others = others.iter().map(native).collect::<PyResult<Vec<Samples>>>()?;
            Ok(self.samples.concat(&others).into())
        })
    }

    #[pyo3(signature = (r#override, default, *, compact = false))]
    fn with_labels(
        &self,
        py: Python<'_>,
        r#override: &Bound<'_, PyAny>,
        default: &Bound<'_, PyAny>,
        compact: bool,
    ) -> PyResult<NativeSamples> {
        caught(|| {
            let (replace, default) = (read_mapping(r#override)?, read_mapping(default)?);
            Ok(py.detach(|| with_labels(&self.samples, &replace, &default, compact)).into())
        })
    }

    fn select(&self, matchers: &Bound<'_, PyMapping>) -> PyResult<NativeSamples> {
        caught(|| {
            let py = matchers.py();
            let matchers: Vec<(PyBackedStr, Py<PyAny>)> = matchers.items()?.extract()?;
            let names: Vec<Vec<u8>> = matchers.iter().map(|(name, _)| name.as_bytes().to_vec()).collect();
            let accepts = |number: usize, value: &[u8]| -> PyResult<bool> {
                matchers[number].1.bind(py).call1((PyString::from_bytes(py, value)?,))?.is_truthy()
            };
            Ok(select(&self.samples, &names, accepts)?.into())
        })
    }

    #[pyo3(signature = (other, op, *, name, r#type))]
    fn combine(
        &self,
        other: &Bound<'_, PyAny>,
        op: &str,
        name: &str,
        r#type: &Bound<'_, PyAny>,
    ) -> PyResult<(NativeSamples, Vec<(u32, u32)>)> {
        caught(|| {
            let (theirs, kind) = (native(other)?, read_metric_type(r#type)?);
            let op = Op::named(op).ok_or_else(|| PyValueError::new_err(format!("no operation is called {op:?}")))?;
            let combined = || combine(&self.samples, &theirs, op, name.as_bytes(), kind);
            let (united, conflicts) = other.py().detach(combined);
            Ok((united.into(), conflicts))
        })
    }

    #[pyo3(signature = (other, *, name, r#type))]
    fn difference<'py>(
        &self,
        other: &Bound<'py, PyAny>,
        name: &str,
        r#type: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        caught(|| {
            let py = other.py();
            let (theirs, kind) = (native(other)?, read_metric_type(r#type)?);
            let found = py.detach(|| difference(&self.samples, &theirs, name.as_bytes(), kind));
            let parts = [found.removed, found.added, found.old, found.new].map(NativeSamples::from);
            let [removed, added, old, new] = parts;
            named_tuple(py, &Model::get(py)?.difference_class, (removed, added, old, new))
        })
    }

    fn sorted(&self, py: Python<'_>, name: &str, r#type: &Bound<'_, PyAny>) -> PyResult<NativeSamples> {
        caught(|| {
            let kind = read_metric_type(r#type)?;
            let sorted = || match canonical_order(&self.samples, name.as_bytes(), kind) {
                Some(order) => self.samples.gather(order.into_iter().map(|index| index as usize)),
                None => self.samples.clone(),
            };
            Ok(py.detach(sorted).into())
        })
    }

    fn compact(&self, py: Python<'_>) -> PyResult<NativeSamples> {
        caught(|| Ok(py.detach(|| self.samples.compact()).into()))
    }
}

/// What a mapping of label names to values says; a LabelSet checks that they are that.
fn read_mapping(given: &Bound<'_, PyAny>) -> PyResult<Vec<Pair>> {
    let class = Model::get(given.py())?.label_set_class.bind(given.py());
    let labels = if given.is_instance(class)? { given.clone() } else { class.call1((given,))? };
    Ok(as_bytes(&read_labels(&labels)?).map(|(name, value)| (name.to_vec(), value.to_vec())).collect())
}

fn text_set<'py, T: AsRef<[u8]>>(
    py: Python<'py>,
    texts: impl IntoIterator<Item = T>,
) -> PyResult<Bound<'py, PyFrozenSet>> {
    let texts = texts.into_iter().map(|text| PyString::from_bytes(py, text.as_ref()));
    PyFrozenSet::new(py, texts.collect::<PyResult<Vec<_>>>()?)
}

impl NativeSamples {
    fn slice(&self, slice: &Bound<'_, PySlice>) -> PyResult<Samples> {
        let found = slice.indices(self.samples.len() as isize)?;
        Ok(match found.step {
            1 => self.samples.slice(found.start as usize, found.start as usize + found.slicelength),
            _ => self.samples.gather(places(&found)),
        })
    }

    /// So many samples from the start, or all there are.
    fn first<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let model = Model::get(py)?;
        let mut reader = Reader::default();
        self.samples.views().take(most).map(|view| reader.sample(py, model, view, &self.name)).collect()
    }
}

/// Makes one sample after the other.
#[pyclass(frozen, module = "expofmt.engine._native")]
pub struct SampleIterator(Shared<Progress>);

#[derive(Default)]
struct Progress {
    /// Nothing at the end.
    samples: Option<Py<NativeSamples>>,
    part: usize,
    /// How many of the part have been made.
    row: usize,
    reader: Reader,
}

#[pymethods]
impl SampleIterator {
    fn __iter__(slf: Py<Self>) -> PyResult<Py<Self>> {
        caught(|| Ok(slf))
    }

    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        caught(|| {
            let py = slf.py();
            // To make an object may run the garbage collector, and that code which asks for the next one.
            let Some(mut progress) = slf.get().0.borrow_mut(py) else {
                return Err(PyRuntimeError::new_err("the next sample is being made already"));
            };
            let Progress { samples: Some(samples), part: number, row, reader } = &mut *progress else {
                return Ok(None);
            };
            let NativeSamples { samples, name } = samples.get();
            let parts = samples.parts();
            while let Some(part) = parts.get(*number) {
                if *row < part.len() {
                    let view = part.block.view(part.first as usize + *row);
                    *row += 1;
                    return reader.sample(py, Model::get(py)?, view, name).map(Some);
                }
                *number += 1;
                *row = 0;
            }
            if progress.end() {
                drop(progress);
                Texts::new(py).keep_iterator(slf);
            }
            Ok(None)
        })
    }
}

impl Progress {
    /// Forget the samples. Whether so little is left that an iterator may be kept for good, to go through others.
    #[inline(never)]
    fn end(&mut self) -> bool {
        let Some(samples) = self.samples.take() else { return false };
        let last: &[Row] = match samples.get().samples.parts() {
            [part] if part.block.layout.placed => {
                let rows = &part.block.rows[part.first as usize..part.last as usize];
                &rows[rows.len().saturating_sub(2)..]
            }
            [] => &[],
            _ => return false,
        };
        self.part = 0;
        self.reader.forget(last)
    }
}
