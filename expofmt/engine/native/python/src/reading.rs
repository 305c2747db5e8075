//! Rows as `Sample` objects.

use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use expofmt_core::block::{self, Exemplar, Layout, NO_LABELS, View};
use expofmt_core::label::{Items, Label};
use memchr::memchr;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyString, PyTuple};

use crate::model::{Model, time_object};

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
    /// If the label sets of the kind are alike.
    labels: Option<Labels>,
}

struct Labels {
    /// The names in sorted order, with no values yet.
    template: Py<PyDict>,
    /// For each label as it is written: how many bytes stand before its value, counted from the value before it; and its
    /// name.
    written: Vec<(usize, Py<PyString>)>,
}

/// How many kinds are remembered: a histogram has three.
const REMEMBERED_KINDS: usize = 8;

impl Reader {
    pub fn sample<'py>(&mut self, py: Python<'py>, model: &Model, view: View<'_>) -> PyResult<Bound<'py, PyAny>> {
        let mut texts = Texts::new(py);
        let row = view.fields();
        let kind = self.kind(&mut texts, view)?;
        let name = self.kinds[kind].name.bind(py).clone();
        let labels = if row.labels == NO_LABELS {
            model.no_labels.bind(py).clone()
        } else {
            self.label_set(&mut texts, model, kind, view)?
        };
        let none = || py.None().into_bound(py);
        let time = if view.block.times.is_empty() { none() } else { time_object(py, view.time())? };
        let (exemplars, start) = match view.extra() {
            None => (model.no_exemplars.bind(py).clone(), none()),
            Some(extra) => {
                let found = extra.exemplars.iter().map(|exemplar| exemplar_object(&mut texts, model, exemplar));
                let exemplars = PyTuple::new(py, found.collect::<PyResult<Vec<_>>>()?)?;
                (exemplars.into_any(), time_object(py, extra.start)?)
            }
        };
        model.sample.make(py, [name, labels, PyFloat::new(py, row.value).into_any(), time, exemplars, start])
    }

    /// The label set of a sample that has labels.
    fn label_set<'py>(
        &mut self,
        texts: &mut Texts<'py>,
        model: &Model,
        kind: usize,
        view: View<'_>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = texts.py;
        let Some(Labels { template, written }) = &self.kinds[kind].labels else {
            let mut labels = Vec::new();
            view.sorted_labels(&mut labels);
            return label_set_of(texts, model, &labels);
        };
        let labels = template.bind(py).copy()?;
        let mut at = view.fields().labels as usize;
        for (length, name) in written {
            let start = at + length;
            at = start + memchr(b'"', &view.text[start..]).unwrap_or(0);
            labels.set_item(name.bind(py), texts.get(&view.text[start..at])?)?;
        }
        model.label_set.make(py, [labels.into_any()])
    }

    /// Where in `kinds` the kind of a row stands.
    fn kind(&mut self, texts: &mut Texts<'_>, view: View<'_>) -> PyResult<usize> {
        let number = view.fields().kind;
        let layout = &view.block.layout;
        if !self.layout.as_ref().is_some_and(|known| Arc::ptr_eq(known, layout)) {
            self.layout = Some(layout.clone());
            self.kinds.clear();
        } else if self.kinds[self.last].kind == number {
            return Ok(self.last);
        } else if let Some(position) = self.kinds.iter().position(|known| known.kind == number) {
            self.last = position;
            return Ok(position);
        }
        let objects = KindObjects::new(texts, view)?;
        if self.kinds.len() < REMEMBERED_KINDS {
            self.last = self.kinds.len();
            self.kinds.push(objects);
        } else {
            self.last = (self.last + 1) % REMEMBERED_KINDS;
            self.kinds[self.last] = objects;
        }
        Ok(self.last)
    }
}

impl KindObjects {
    fn new(texts: &mut Texts<'_>, view: View<'_>) -> PyResult<KindObjects> {
        let kind = view.fields().kind;
        let layout = &view.block.layout;
        let name = texts.get(view.name())?.into_any().unbind();
        let Some(shape) = layout.shape(kind) else {
            return Ok(KindObjects { kind, name, labels: None });
        };
        let segments = &layout.segments(shape)[..shape.labels as usize];
        let written = segments.iter().map(|segment| {
            let length = segment.text.end - segment.text.start;
            Ok((length as usize, texts.get(segment.name.of(view.text))?.unbind()))
        });
        let written = written.collect::<PyResult<Vec<_>>>()?;
        let mut names: Vec<&[u8]> = segments.iter().map(|segment| segment.name.of(view.text)).collect();
        names.sort_unstable();
        let template = PyDict::new(texts.py);
        for name in names {
            template.set_item(texts.get(name)?, texts.py.None())?;
        }
        Ok(KindObjects { kind, name, labels: Some(Labels { template: template.unbind(), written }) })
    }
}

/// A label set of labels that are sorted by name.
fn label_set_of<'py>(texts: &mut Texts<'py>, model: &Model, labels: &[Label<'_>]) -> PyResult<Bound<'py, PyAny>> {
    if labels.is_empty() {
        return Ok(model.no_labels.bind(texts.py).clone());
    }
    let found = PyDict::new(texts.py);
    for label in labels {
        found.set_item(texts.get(&label.name)?, texts.get(&label.value)?)?;
    }
    model.label_set.make(texts.py, [found.into_any()])
}

fn exemplar_object<'py>(texts: &mut Texts<'py>, model: &Model, exemplar: &Exemplar) -> PyResult<Bound<'py, PyAny>> {
    let labels: Vec<Label<'_>> = block::Labels::Items(Items::new(&exemplar.labels)).collect();
    let labels = label_set_of(texts, model, &labels)?;
    let time = time_object(texts.py, exemplar.time)?;
    model.exemplar_class.bind(texts.py).call1((labels, exemplar.value, time))
}

/// Bytes that are UTF-8 as `str`, one for equal texts wherever that is cheap.
pub struct Texts<'py> {
    py: Python<'py>,
    strings: Option<MutexGuard<'static, Strings>>,
}

impl<'py> Texts<'py> {
    /// Not to be kept for longer than is needed to make a few objects: meanwhile, nobody else finds the strings. He goes
    /// without them, because to make a string may run the garbage collector, and that any Python code.
    pub fn new(py: Python<'py>) -> Texts<'py> {
        let strings = match STRINGS.try_lock() {
            Ok(strings) => Some(strings),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        Texts { py, strings }
    }

    pub fn get(&mut self, text: &[u8]) -> PyResult<Bound<'py, PyString>> {
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

/// Whoever finds texts that collide gains nothing: they displace each other.
fn hash(text: &[u8]) -> u64 {
    let word = |at: usize| text[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let ends = match text.len() {
        8.. => word(0) ^ word(text.len() - 8).rotate_left(29),
        _ => text.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    };
    (ends ^ text.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
}

impl Strings {
    fn get<'py>(&mut self, py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyString>> {
        if self.entries.is_empty() {
            self.entries.resize_with(ENTRIES, || None);
        }
        let entry = &mut self.entries[hash(text) as usize % ENTRIES];
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
