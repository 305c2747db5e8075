//! The Python classes that native code makes instances of, and what it needs of the rest of the package.

use expofmt_core::block::Time;
use expofmt_core::family::MetricType;
use expofmt_core::fault::CodeSet;
use pyo3::call::PyCallArgs;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyInt, PyString, PyTuple, PyType};

use crate::objects::{SlottedClass, give_views};
use crate::scanning::fatal_codes;

pub struct Model {
    pub sample: SlottedClass<6>,
    pub label_set: SlottedClass<2>,
    pub family: SlottedClass<5>,
    pub sample_class: Py<PyType>,
    pub samples_class: Py<PyType>,
    pub label_set_class: Py<PyType>,
    pub exemplar_class: Py<PyType>,
    pub difference_class: Py<PyType>,
    pub span_class: Py<PyType>,
    pub scan_class: Py<PyType>,
    pub scanned_family_class: Py<PyType>,
    pub fault_class: Py<PyType>,
    pub code_class: Py<PyType>,
    pub text_format: Py<PyAny>,
    /// The codes that end a scan which does not recover.
    pub fatal: CodeSet,
    pub no_labels: Py<PyAny>,
    pub no_exemplars: Py<PyAny>,
    /// The members of the Python enum, by their numbers here.
    types: Vec<Py<PyAny>>,
}

/// The slots of a `Sample`, by their places among those that its class is made with.
#[derive(Clone, Copy)]
pub enum SampleSlot {
    Name,
    Labels,
    Value,
    Time,
    Exemplars,
    Start,
}

/// The slot of a `LabelSet` that may hold the view of its items.
pub const LABEL_SET_ITEMS: usize = 1;

static MODEL: PyOnceLock<Model> = PyOnceLock::new();

const NS_PER_MS: i64 = 1_000_000;

impl Model {
    /// Looked up once; the import is that of modules that are loaded before this one.
    pub fn get(py: Python<'_>) -> PyResult<&Model> {
        MODEL.get_or_try_init(py, || Model::load(py))
    }

    fn load(py: Python<'_>) -> PyResult<Model> {
        let model = py.import("expofmt.model")?;
        let seam = py.import("expofmt.engine.seam")?;
        let codes = py.import("expofmt.codes")?;
        let crossing = |name: &str| -> PyResult<Py<PyType>> { Ok(seam.getattr(name)?.cast_into()?.unbind()) };
        let class = |name: &str| -> PyResult<Bound<'_, PyType>> { Ok(model.getattr(name)?.cast_into()?) };
        let metric_type = class("MetricType")?;
        let member = |kind: &MetricType| Ok(metric_type.call1((kind.as_str(),))?.unbind());
        Ok(Model {
            sample: SlottedClass::new(
                &class("Sample")?,
                ["name", "labels", "value", "timestamp_ns", "exemplars", "start_timestamp_ns"],
            )?,
            label_set: SlottedClass::new(&class("LabelSet")?, ["_labels", "_items"])?,
            family: SlottedClass::new(&class("MetricFamily")?, ["name", "type", "help", "unit", "samples"])?,
            sample_class: class("Sample")?.unbind(),
            samples_class: class("Samples")?.unbind(),
            label_set_class: class("LabelSet")?.unbind(),
            exemplar_class: class("Exemplar")?.unbind(),
            difference_class: class("Difference")?.unbind(),
            span_class: class("Span")?.unbind(),
            scan_class: crossing("Scan")?,
            scanned_family_class: crossing("ScannedFamily")?,
            fault_class: crossing("Fault")?,
            code_class: codes.getattr("Code")?.cast_into()?.unbind(),
            text_format: model.getattr("Format")?.getattr("TEXT")?.unbind(),
            fatal: fatal_codes(&codes)?,
            no_labels: model.getattr("NO_LABELS")?.unbind(),
            no_exemplars: PyTuple::empty(py).into_any().unbind(),
            types: MetricType::ALL.iter().map(member).collect::<PyResult<_>>()?,
        })
    }

    /// The Python enum's member.
    pub fn metric_type<'py>(&self, py: Python<'py>, kind: MetricType) -> &Bound<'py, PyAny> {
        self.types[kind as usize].bind(py)
    }
}

/// Let label sets be read without a frame of Python for each.
pub fn register(py: Python<'_>) -> PyResult<()> {
    let model = Model::get(py)?;
    give_views(model.label_set_class.bind(py), &model.label_set)?;
    // That of all samples without labels.
    let no_labels = model.no_labels.bind(py);
    model.label_set.put(no_labels, LABEL_SET_ITEMS, no_labels.getattr("_labels")?.call_method0("items")?)
}

/// The type that a member of the Python enum, or its word, stands for.
pub fn read_metric_type(given: &Bound<'_, PyAny>) -> PyResult<MetricType> {
    let types = &Model::get(given.py())?.types;
    if let Some(number) = types.iter().position(|member| member.is(given)) {
        return Ok(MetricType::ALL[number]);
    }
    let word: &str = &given.cast::<PyString>()?.to_cow()?;
    let found = MetricType::ALL.into_iter().find(|kind| kind.as_str() == word);
    found.ok_or_else(|| PyValueError::new_err(format!("{word:?} is not a metric type")))
}

/// Nanoseconds, or None where there is no time.
pub fn time_object<'py>(py: Python<'py>, time: Option<Time>) -> PyResult<Bound<'py, PyAny>> {
    let Some(Time { ms, nanos }) = time else {
        return Ok(py.None().into_bound(py));
    };
    let exact = ms.checked_mul(NS_PER_MS).and_then(|ns| ns.checked_add(i64::from(nanos)));
    let number: Bound<'py, PyInt> = match exact {
        Some(ns) => ns.into_pyobject(py)?,
        None => (i128::from(ms) * i128::from(NS_PER_MS) + i128::from(nanos)).into_pyobject(py)?,
    };
    Ok(number.into_any())
}

/// The time that a sample's attribute holds.
pub fn read_time(given: &Bound<'_, PyAny>) -> PyResult<Option<Time>> {
    if given.is_none() {
        return Ok(None);
    }
    let ns: i128 = match given.extract::<i64>() {
        Ok(ns) => ns.into(),
        Err(_) => given.extract()?,
    };
    let ms = i64::try_from(ns.div_euclid(NS_PER_MS.into()))
        .map_err(|_| PyValueError::new_err("a timestamp fits in int64 milliseconds"))?;
    Ok(Some(Time { ms, nanos: ns.rem_euclid(NS_PER_MS.into()) as u32 }))
}

/// An instance of a class that is a NamedTuple.
pub fn named_tuple<'py>(
    py: Python<'py>,
    class: &Py<PyType>,
    fields: impl PyCallArgs<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    class.bind(py).call1(fields)
}
