//! Rows as `Sample` objects.

use std::sync::Arc;

use expofmt_core::block::{self, Exemplar, Layout, NO_LABELS, Segment, View};
use expofmt_core::label::{Items, Label};
use memchr::memchr;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyString, PyTuple};

use crate::model::{Model, time_object};
use crate::texts::Texts;

/// Makes objects of one row after the other, and remembers what neighbouring rows have in common.
#[derive(Default)]
pub struct Reader {
    /// That of the kinds below.
    layout: Option<Arc<Layout>>,
    kinds: [Option<KindObjects>; REMEMBERED_KINDS],
    /// Where in `kinds` the kind of the last row stands.
    last: usize,
    /// How many label sets in a row were not known.
    unknown: usize,
    /// The last samples that were made, the older one first.
    made: [Option<Made>; 2],
}

/// What the samples of a kind share.
struct KindObjects {
    kind: u32,
    name: Py<PyAny>,
    /// Once one of its label sets had to be made; nothing if they are not alike.
    labels: Option<LabelNames>,
}

struct LabelNames {
    /// As they are written.
    written: Vec<Py<PyString>>,
    /// Which one stands in each place when they are sorted, if that is another order.
    order: Vec<usize>,
    /// The names in sorted order, without values. Made for the second label set: many kinds have but one.
    template: Option<Py<PyDict>>,
}

/// A sample and, if they were made for it, its label set and what is inside. When nobody else has them any more, they
/// become the next sample.
struct Made {
    sample: Py<PyAny>,
    labels: Option<MadeLabels>,
}

struct MadeLabels {
    label_set: Py<PyAny>,
    labels: Py<PyDict>,
    kind: u32,
}

/// A histogram has three.
const REMEMBERED_KINDS: usize = 4;
/// After so many label sets that are not known, the next ones are not looked for: those of a large family are new.
const MOST_UNKNOWN: usize = 32;

impl Reader {
    /// The next sample.
    pub fn sample<'py>(&mut self, py: Python<'py>, model: &Model, view: View<'_>) -> PyResult<Bound<'py, PyAny>> {
        let mut texts = Texts::new(py);
        let row = view.fields();
        self.look_at_kind(&mut texts, view)?;
        // Of two samples, because a loop still holds the last one when it asks for the next.
        self.made.swap(0, 1);
        let used = self.made[1].take().filter(|made| made.sample.get_refcnt(py) == 1);
        let (used, used_labels) = used.map_or((None, None), |made| (Some(made.sample), made.labels));
        let (labels, made_labels) = if row.labels == NO_LABELS {
            (model.no_labels.bind(py).clone(), None)
        } else {
            self.label_set(&mut texts, model, view, used_labels)?
        };
        let none = || py.None().into_bound(py);
        let name = self.kinds[self.last].as_ref().map_or_else(none, |kind| kind.name.bind(py).clone());
        let value = PyFloat::new(py, row.value).into_any();
        let time = if view.block.times.is_empty() { none() } else { time_object(py, view.time())? };
        let (exemplars, start) = match view.extra() {
            None => (model.no_exemplars.bind(py).clone(), none()),
            Some(extra) => {
                let found = extra.exemplars.iter().map(|exemplar| exemplar_object(&mut texts, model, exemplar));
                let exemplars = PyTuple::new(py, found.collect::<PyResult<Vec<_>>>()?)?;
                (exemplars.into_any(), time_object(py, extra.start)?)
            }
        };
        let slots = [name, labels, value, time, exemplars, start];
        let sample = match used {
            Some(used) => model.sample.fill(used.into_bound(py), slots)?,
            None => model.sample.make(py, slots)?,
        };
        self.made[1] = Some(Made { sample: sample.clone().unbind(), labels: made_labels });
        Ok(sample)
    }

    /// Let `last` be where the kind of this row stands.
    fn look_at_kind(&mut self, texts: &mut Texts<'_>, view: View<'_>) -> PyResult<()> {
        let number = view.fields().kind;
        let layout = &view.block.layout;
        let is_it = |known: &Option<KindObjects>| known.as_ref().is_some_and(|known| known.kind == number);
        if !self.layout.as_ref().is_some_and(|known| Arc::ptr_eq(known, layout)) {
            self.layout = Some(layout.clone());
            self.kinds = Default::default();
        } else if is_it(&self.kinds[self.last]) {
            return Ok(());
        } else if let Some(position) = self.kinds.iter().position(is_it) {
            self.last = position;
            return Ok(());
        }
        let objects = KindObjects::new(texts, view)?;
        self.last = (self.last + 1) % REMEMBERED_KINDS;
        self.kinds[self.last] = Some(objects);
        Ok(())
    }

    /// The label set of a sample that has one; and once more, if it is nobody else's.
    fn label_set<'py>(
        &mut self,
        texts: &mut Texts<'py>,
        model: &Model,
        view: View<'_>,
        used: Option<MadeLabels>,
    ) -> PyResult<(Bound<'py, PyAny>, Option<MadeLabels>)> {
        let py = texts.py;
        let ask = self.unknown < MOST_UNKNOWN;
        let written = if ask { view.label_text() } else { b"" };
        if ask && let Some(known) = texts.label_set(written) {
            self.unknown = 0;
            return Ok((known, None));
        }
        let kind = view.fields().kind;
        let layout = &*view.block.layout;
        let (Some(shape), Some(objects)) = (layout.shape(kind), &mut self.kinds[self.last]) else {
            let mut labels = Vec::new();
            view.sorted_labels(&mut labels);
            return Ok((label_set_of(texts, model, &labels)?, None));
        };
        let segments = &layout.segments(shape)[..shape.labels as usize];
        let values = Values { text: view.text, at: view.fields().labels as usize, segments: segments.iter() };
        let is_free = |used: &MadeLabels| {
            used.kind == kind && used.label_set.get_refcnt(py) == 2 && used.labels.get_refcnt(py) == 2
        };
        if let (Some(names), Some(used)) = (&objects.labels, used.filter(is_free)) {
            names.set_values(texts, used.labels.bind(py), values)?;
            return Ok((used.label_set.bind(py).clone(), Some(used)));
        }
        let labels = match &mut objects.labels {
            Some(names) => {
                let labels = names.blank(py)?;
                names.set_values(texts, &labels, values)?;
                labels
            }
            None => {
                let names = objects.labels.insert(LabelNames::new(texts, view.text, segments)?);
                let labels = PyDict::new(py);
                if names.order.is_empty() {
                    names.set_values(texts, &labels, values)?;
                } else {
                    let values: Vec<&[u8]> = values.collect();
                    for &label in &names.order {
                        labels.set_item(names.written[label].bind(py), texts.string(values[label])?)?;
                    }
                }
                labels
            }
        };
        let label_set = model.label_set.make(py, [labels.clone().into_any()])?;
        if ask {
            self.unknown += 1;
            texts.keep_label_set(written, &label_set);
            return Ok((label_set, None));
        }
        let made = MadeLabels { label_set: label_set.clone().unbind(), labels: labels.unbind(), kind };
        Ok((label_set, Some(made)))
    }
}

impl KindObjects {
    fn new(texts: &mut Texts<'_>, view: View<'_>) -> PyResult<KindObjects> {
        let name = texts.string(view.name())?.into_any().unbind();
        Ok(KindObjects { kind: view.fields().kind, name, labels: None })
    }
}

impl LabelNames {
    fn new(texts: &mut Texts<'_>, text: &[u8], segments: &[Segment]) -> PyResult<LabelNames> {
        let name = |segment: &Segment| segment.name.of(text);
        let written = segments.iter().map(|segment| Ok(texts.string(name(segment))?.unbind()));
        let written = written.collect::<PyResult<_>>()?;
        let mut order = Vec::new();
        if !segments.is_sorted_by_key(name) {
            order.extend(0..segments.len());
            order.sort_by_key(|&label| name(&segments[label]));
        }
        Ok(LabelNames { written, order, template: None })
    }

    /// The names in sorted order, still without values.
    fn blank<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        if let Some(template) = &self.template {
            return template.bind(py).copy();
        }
        let template = PyDict::new(py);
        for place in 0..self.written.len() {
            let label = self.order.get(place).copied().unwrap_or(place);
            template.set_item(self.written[label].bind(py), py.None())?;
        }
        self.template.insert(template.unbind()).bind(py).copy()
    }

    /// Give the labels their values, which come as they are written.
    fn set_values<'py>(&self, texts: &mut Texts<'py>, labels: &Bound<'py, PyDict>, values: Values<'_>) -> PyResult<()> {
        for (name, value) in self.written.iter().zip(values) {
            labels.set_item(name.bind(texts.py), texts.string(value)?)?;
        }
        Ok(())
    }
}

/// The values of a label set whose shape is known, as they are written.
struct Values<'a> {
    text: &'a [u8],
    at: usize,
    segments: std::slice::Iter<'a, Segment>,
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let segment = self.segments.next()?;
        let start = self.at + (segment.text.end - segment.text.start) as usize;
        self.at = start + memchr(b'"', &self.text[start..]).unwrap_or(0);
        Some(&self.text[start..self.at])
    }
}

/// A label set of labels that are sorted by name.
fn label_set_of<'py>(texts: &mut Texts<'py>, model: &Model, labels: &[Label<'_>]) -> PyResult<Bound<'py, PyAny>> {
    if labels.is_empty() {
        return Ok(model.no_labels.bind(texts.py).clone());
    }
    let found = PyDict::new(texts.py);
    for label in labels {
        found.set_item(texts.string(&label.name)?, texts.string(&label.value)?)?;
    }
    model.label_set.make(texts.py, [found.into_any()])
}

fn exemplar_object<'py>(texts: &mut Texts<'py>, model: &Model, exemplar: &Exemplar) -> PyResult<Bound<'py, PyAny>> {
    let labels: Vec<Label<'_>> = block::Labels::Items(Items::new(&exemplar.labels)).collect();
    let labels = label_set_of(texts, model, &labels)?;
    let time = time_object(texts.py, exemplar.time)?;
    model.exemplar_class.bind(texts.py).call1((labels, exemplar.value, time))
}
