//! Rows as `Sample` objects.

use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use expofmt_core::block::{Exemplar, Labels, Layout, NO_LABELS, View};
use expofmt_core::label::{Items, Label};
use foldhash::fast::FixedState;
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyString, PyTuple};

use crate::model::{Model, time_object};
use crate::objects::tuple_of_text;

/// Makes objects of one row after the other, and remembers what neighbouring rows have in common.
#[derive(Default)]
pub struct Reader {
    /// That of the kinds below.
    layout: Option<Arc<Layout>>,
    kinds: Vec<KindObjects>,
    /// Where in `kinds` the kind of the last row stands.
    last: usize,
}

/// What the samples of a kind share.
struct KindObjects {
    kind: u32,
    name: Py<PyAny>,
    /// The label names in sorted order, if the label sets of the kind are alike, and for each label as it is written its
    /// place in that order.
    labels: Option<(Py<PyAny>, Vec<u32>)>,
}

/// How many kinds are remembered: a histogram has three.
const REMEMBERED_KINDS: usize = 8;

impl Reader {
    pub fn sample<'py>(&mut self, py: Python<'py>, model: &Model, view: View<'_>) -> PyResult<Bound<'py, PyAny>> {
        let row = view.fields();
        let mut strings = strings();
        let strings = strings.as_deref_mut();
        let mut texts = Texts { py, strings };
        let kind = self.kind(&mut texts, view)?;
        let labels = if row.labels == NO_LABELS {
            model.no_labels.bind(py).clone()
        } else {
            label_set(&mut texts, model, kind, view)?
        };
        let none = py.None();
        let none = none.bind(py);
        let (time, start, exemplars);
        let timestamp = if view.block.times.is_empty() {
            none
        } else {
            time = time_object(py, view.time())?;
            &time
        };
        let (exemplars, start) = match view.extra() {
            None => (model.no_exemplars.bind(py), none),
            Some(extra) => {
                let found = extra.exemplars.iter().map(|exemplar| exemplar_object(&mut texts, model, exemplar));
                exemplars = PyTuple::new(py, found.collect::<PyResult<Vec<_>>>()?)?.into_any();
                start = time_object(py, extra.start)?;
                (&exemplars, &start)
            }
        };
        let value = PyFloat::new(py, row.value).into_any();
        model.sample.make(py, [kind.name.bind(py), &labels, &value, timestamp, exemplars, start])
    }

    fn kind(&mut self, texts: &mut Texts<'_, '_>, view: View<'_>) -> PyResult<&KindObjects> {
        let number = view.fields().kind;
        let layout = &view.block.layout;
        if !self.layout.as_ref().is_some_and(|known| Arc::ptr_eq(known, layout)) {
            self.layout = Some(layout.clone());
            self.kinds.clear();
        } else if self.kinds[self.last].kind == number {
            return Ok(&self.kinds[self.last]);
        } else if let Some(position) = self.kinds.iter().position(|known| known.kind == number) {
            self.last = position;
            return Ok(&self.kinds[position]);
        }
        let objects = KindObjects::new(texts, view)?;
        if self.kinds.len() < REMEMBERED_KINDS {
            self.last = self.kinds.len();
            self.kinds.push(objects);
        } else {
            self.last = (self.last + 1) % REMEMBERED_KINDS;
            self.kinds[self.last] = objects;
        }
        Ok(&self.kinds[self.last])
    }
}

impl KindObjects {
    fn new(texts: &mut Texts<'_, '_>, view: View<'_>) -> PyResult<KindObjects> {
        let kind = view.fields().kind;
        let layout = &view.block.layout;
        let name = texts.get(view.name())?.into_any().unbind();
        let Some(shape) = layout.shape(kind) else {
            return Ok(KindObjects { kind, name, labels: None });
        };
        let names: Vec<&[u8]> = layout.segments(shape).iter().map(|segment| segment.name.of(view.text)).collect();
        let names = &names[..shape.labels as usize];
        let mut sorted: Vec<usize> = (0..names.len()).collect();
        sorted.sort_by_key(|&label| names[label]);
        let mut places = vec![0; names.len()];
        for (place, &label) in (0..).zip(&sorted) {
            places[label] = place;
        }
        let names = sorted.iter().map(|&label| texts.get(names[label])).collect::<PyResult<Vec<_>>>()?;
        let names = tuple_of_text(texts.py, names.into_iter())?.into_any().unbind();
        Ok(KindObjects { kind, name, labels: Some((names, places)) })
    }
}

fn label_set<'py>(
    texts: &mut Texts<'_, 'py>,
    model: &Model,
    kind: &KindObjects,
    view: View<'_>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = texts.py;
    let Some((names, places)) = &kind.labels else {
        let mut labels = Vec::new();
        view.sorted_labels(&mut labels);
        return label_set_of(texts, model, &labels);
    };
    let mut values: Vec<Option<Bound<'py, PyString>>> = vec![None; places.len()];
    for (label, &place) in view.labels().zip(places) {
        values[place as usize] = Some(texts.get(&label.value)?);
    }
    let values = tuple_of_text(py, values.into_iter())?;
    model.label_set.make(py, [names.bind(py), values.as_any()])
}

/// A label set of labels that are sorted by name.
fn label_set_of<'py>(texts: &mut Texts<'_, 'py>, model: &Model, labels: &[Label<'_>]) -> PyResult<Bound<'py, PyAny>> {
    if labels.is_empty() {
        return Ok(model.no_labels.bind(texts.py).clone());
    }
    let names = labels.iter().map(|label| texts.get(&label.name)).collect::<PyResult<Vec<_>>>()?;
    let values = labels.iter().map(|label| texts.get(&label.value)).collect::<PyResult<Vec<_>>>()?;
    let names = tuple_of_text(texts.py, names.into_iter())?;
    let values = tuple_of_text(texts.py, values.into_iter())?;
    model.label_set.make(texts.py, [names.as_any(), values.as_any()])
}

fn exemplar_object<'py>(texts: &mut Texts<'_, 'py>, model: &Model, exemplar: &Exemplar) -> PyResult<Bound<'py, PyAny>> {
    let labels: Vec<Label<'_>> = Labels::Items(Items::new(&exemplar.labels)).collect();
    let labels = label_set_of(texts, model, &labels)?;
    let time = time_object(texts.py, exemplar.time)?;
    model.exemplar_class.bind(texts.py).call1((labels, exemplar.value, time))
}

/// Bytes that are UTF-8 as `str`, one for equal texts wherever that is cheap.
struct Texts<'s, 'py> {
    py: Python<'py>,
    strings: Option<&'s mut Strings>,
}

impl<'py> Texts<'_, 'py> {
    fn get(&mut self, text: &[u8]) -> PyResult<Bound<'py, PyString>> {
        match &mut self.strings {
            Some(strings) if (2..=LONGEST).contains(&text.len()) => strings.get(self.py, text),
            // Python itself has but one `str` of a single ASCII character.
            _ => PyString::from_bytes(self.py, text),
        }
    }
}

/// Short texts that were lately made: names and values repeat from family to family, and from scrape to scrape.
struct Strings {
    entries: Vec<Option<Py<PyString>>>,
}

static STRINGS: Mutex<Strings> = Mutex::new(Strings { entries: Vec::new() });
const ENTRIES: usize = 4096;
const LONGEST: usize = 64;

/// The strings, unless they are in use: to make a string may run the garbage collector, and that any Python code.
fn strings() -> Option<MutexGuard<'static, Strings>> {
    match STRINGS.try_lock() {
        Ok(strings) => Some(strings),
        Err(TryLockError::Poisoned(poisoned)) => Some(PoisonError::into_inner(poisoned)),
        Err(TryLockError::WouldBlock) => None,
    }
}

impl Strings {
    fn get<'py>(&mut self, py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyString>> {
        if self.entries.is_empty() {
            self.entries.resize_with(ENTRIES, || None);
        }
        let hash = FixedState::with_seed(0).hash_one(text);
        let entry = &mut self.entries[hash as usize % ENTRIES];
        if let Some(known) = entry {
            let known = known.bind(py);
            if known.to_str()?.as_bytes() == text {
                return Ok(known.clone());
            }
        }
        let made = PyString::from_bytes(py, text)?;
        *entry = Some(made.clone().unbind());
        Ok(made)
    }
}
