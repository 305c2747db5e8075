//! Rows as `Sample` objects.

use std::num::NonZero;
use std::sync::Arc;

use expofmt_core::block::{self, Exemplar, Layout, NO_LABELS, Row, Shape, Time, View};
use expofmt_core::fault::Span;
use expofmt_core::label::{Items, Label};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyNone, PyTuple};

use crate::model::{LABEL_SET_ITEMS, Model, SampleSlot, time_object};
use crate::texts::{Misses, Texts, new_string};

/// Makes objects of one row after the other.
#[derive(Default)]
pub struct Reader {
    memory: Memory,
    /// The last two samples that were made. When nobody else has them any more, they become the next ones. They are
    /// two, because a loop still holds the last one when it asks for the next.
    made: [Option<Made>; 2],
    /// Which of the two is older.
    older: usize,
}

struct Made {
    sample: Py<PyAny>,
    /// Its label set, if that was made for it alone.
    labels: Option<MadeLabels>,
}

struct MadeLabels {
    label_set: Py<PyAny>,
    /// The view of its items that it keeps, once it has been another row's.
    items: Option<Py<PyAny>>,
    labels: RowLabels,
    kind: u32,
}

/// The labels of a row, which may become those of another row of the kind.
struct RowLabels {
    labels: Py<PyDict>,
    /// Where the values stand that the labels have, in written order.
    values: Vec<Span>,
}

/// What neighbouring rows have in common.
#[derive(Default)]
struct Memory {
    /// Where that of the rows so far is; whoever reads rows keeps it there. Numbers of kinds, and places in a text, are
    /// its own.
    layout: Option<NonZero<usize>>,
    /// That of the last row.
    kind: Option<KindObjects>,
    /// Those of rows before it.
    other_kinds: Vec<KindObjects>,
    /// Label sets that were not known.
    misses: Misses,
    time: Option<(Time, Py<PyAny>)>,
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
    columns: Vec<Column>,
    /// Which one stands in each place when they are sorted, if that is another order.
    order: Vec<usize>,
    /// What is copied to be the labels of a row. Made for the second label set: many kinds have but one.
    template: Option<RowLabels>,
}

/// One label of all rows of a kind.
struct Column {
    name: Py<PyAny>,
    /// Values that were not known.
    misses: Misses,
}

/// A histogram has three kinds.
const MOST_OTHER_KINDS: usize = 3;
/// Samples are kept for another text only if their lines are no longer: that memory is never given back.
const LONGEST_KEPT: u32 = 1024;

impl Reader {
    /// Forget what belongs to a text, and keep the samples that were made last, for those of another one. `last` are the
    /// rows that they may be of, in a text that was parsed. Whether what is kept is little enough to be kept for good.
    pub fn forget(&mut self, last: &[Row]) -> bool {
        self.memory.forget();
        self.made.iter_mut().flatten().for_each(Made::forget);
        last.iter().all(|row| row.end - row.start <= LONGEST_KEPT)
    }

    /// The next sample. `known` may be a sample name, with its number in the layout.
    pub fn sample<'py>(
        &mut self,
        py: Python<'py>,
        model: &Model,
        view: View<'_>,
        known: &Option<(u32, Py<PyAny>)>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Reader { memory, made, older } = self;
        let mut texts = Texts::new(py);
        if memory.look_at_layout(&view.block.layout) {
            made.iter_mut().flatten().for_each(Made::forget);
        }
        memory.look_at_kind(&mut texts, view, known)?;
        let place = &mut made[*older];
        *older = 1 - *older;
        if let Some(used) = place.as_mut().filter(|used| used.sample.get_refcnt(py) == 1) {
            return used.become_another(&mut texts, model, memory, view);
        }
        let (made, sample) = Made::new(&mut texts, model, memory, view)?;
        *place = Some(made);
        Ok(sample)
    }
}

impl Made {
    #[inline(never)]
    fn new<'py>(
        texts: &mut Texts<'py>,
        model: &Model,
        memory: &mut Memory,
        view: View<'_>,
    ) -> PyResult<(Made, Bound<'py, PyAny>)> {
        let py = texts.py;
        let row = view.fields();
        let name = memory.name(py).clone();
        let (label_set, labels) = memory.label_set(texts, model, view)?;
        let value = PyFloat::new(py, row.value).into_any();
        let (time, start) = (memory.time(py, view)?, start(py, view)?);
        let exemplars = exemplars(texts, model, view)?;
        let sample = model.sample.make(py, [name, label_set, value, time, exemplars, start])?;
        Ok((Made { sample: sample.clone().unbind(), labels }, sample))
    }

    fn forget(&mut self) {
        if self.labels.is_some() {
            self.labels = None;
        }
    }

    /// Let a sample that nobody else has be that of another row. Whoever had it may have changed it, though it is frozen
    /// (`object.__setattr__` can), so what it is to hold is compared with what it holds.
    fn become_another<'py>(
        &mut self,
        texts: &mut Texts<'py>,
        model: &Model,
        memory: &mut Memory,
        view: View<'_>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = texts.py;
        let row = view.fields();
        let sample = self.sample.bind(py);
        model.sample.put(sample, SampleSlot::Value as usize, PyFloat::new(py, row.value).into_any())?;
        let again = match &mut self.labels {
            Some(used) if used.kind == row.kind && used.is_free(py) => {
                used.keep_items(model, py)?;
                memory.let_become(texts, &mut used.labels, view)?
            }
            _ => false,
        };
        if !again {
            let (label_set, labels) = memory.label_set(texts, model, view)?;
            model.sample.put_again(sample, SampleSlot::Labels as usize, &label_set)?;
            if self.labels.is_some() || labels.is_some() {
                self.labels = labels;
            }
        }
        model.sample.put_again(sample, SampleSlot::Name as usize, memory.name(py))?;
        if !(is_plain(view) && self.is_plain(py, model)?) {
            self.put_rest(texts, model, memory, view)?;
        }
        Ok(sample.clone())
    }

    /// Whether the sample has no more than a name, labels and a value.
    #[inline]
    fn is_plain(&self, py: Python<'_>, model: &Model) -> PyResult<bool> {
        let holds = |slot: SampleSlot, value| model.sample.holds(self.sample.bind(py), slot as usize, value);
        let none = PyNone::get(py);
        Ok(holds(SampleSlot::Time, &none)?
            && holds(SampleSlot::Start, &none)?
            && holds(SampleSlot::Exemplars, model.no_exemplars.bind(py))?)
    }

    /// What not all samples have.
    #[inline(never)]
    fn put_rest(&self, texts: &mut Texts<'_>, model: &Model, memory: &mut Memory, view: View<'_>) -> PyResult<()> {
        let sample = self.sample.bind(texts.py);
        model.sample.put_again(sample, SampleSlot::Time as usize, &memory.time(texts.py, view)?)?;
        model.sample.put_again(sample, SampleSlot::Start as usize, &start(texts.py, view)?)?;
        model.sample.put_again(sample, SampleSlot::Exemplars as usize, &exemplars(texts, model, view)?)
    }
}

impl MadeLabels {
    /// Whether nobody has them but the sample.
    fn is_free(&self, py: Python<'_>) -> bool {
        let dict = self.labels.labels.get_refcnt(py);
        self.label_set.get_refcnt(py) == 2
            && match &self.items {
                None => dict == 2,
                // The view has the dict, too.
                Some(items) => dict == 3 && items.get_refcnt(py) == 2,
            }
    }

    /// Keep a view of the items: whoever reads one sample after the other asks for it again and again.
    fn keep_items(&mut self, model: &Model, py: Python<'_>) -> PyResult<()> {
        if self.items.is_none() {
            let items = items(self.labels.labels.bind(py))?;
            model.label_set.put(self.label_set.bind(py), LABEL_SET_ITEMS, items.clone())?;
            self.items = Some(items.unbind());
        }
        Ok(())
    }
}

impl Memory {
    /// Forget all that is another layout's, if this is another one.
    #[inline]
    fn look_at_layout(&mut self, layout: &Arc<Layout>) -> bool {
        let address = NonZero::new(Arc::as_ptr(layout).addr());
        if self.layout == address {
            return false;
        }
        self.forget();
        self.layout = address;
        true
    }

    fn forget(&mut self) {
        self.layout = None;
        self.kind = None;
        self.other_kinds.clear();
        self.misses = Misses::default();
    }

    /// Let `kind` be that of this row.
    #[inline]
    fn look_at_kind(
        &mut self,
        texts: &mut Texts<'_>,
        view: View<'_>,
        known: &Option<(u32, Py<PyAny>)>,
    ) -> PyResult<()> {
        let number = view.fields().kind;
        match &self.kind {
            Some(kind) if kind.kind == number => Ok(()),
            _ => self.change_kind(texts, view, known),
        }
    }

    #[inline(never)]
    fn change_kind(&mut self, texts: &mut Texts<'_>, view: View<'_>, known: &Option<(u32, Py<PyAny>)>) -> PyResult<()> {
        let number = view.fields().kind;
        let kind = match self.other_kinds.iter().position(|known| known.kind == number) {
            Some(position) => self.other_kinds.remove(position),
            None => {
                let name = match known {
                    Some((name, object)) if view.block.layout.kinds[number as usize].name == *name => {
                        object.clone_ref(texts.py)
                    }
                    _ => texts.string(view.name())?.unbind(),
                };
                KindObjects { kind: number, name, labels: None }
            }
        };
        if let Some(last) = self.kind.replace(kind) {
            self.other_kinds.truncate(MOST_OTHER_KINDS - 1);
            self.other_kinds.insert(0, last);
        }
        Ok(())
    }

    /// The name of the last row's sample.
    fn name<'a, 'py>(&'a self, py: Python<'py>) -> &'a Bound<'py, PyAny> {
        self.kind.as_ref().expect("a kind has been looked at").name.bind(py)
    }

    fn time<'py>(&mut self, py: Python<'py>, view: View<'_>) -> PyResult<Bound<'py, PyAny>> {
        let Some(time) = view.time() else { return Ok(py.None().into_bound(py)) };
        match &self.time {
            Some((known, object)) if *known == time => Ok(object.bind(py).clone()),
            _ => {
                let object = time_object(py, Some(time))?;
                self.time = Some((time, object.clone().unbind()));
                Ok(object)
            }
        }
    }

    /// Let the labels of a row be those of another row of the same kind, if they can.
    #[inline]
    fn let_become(&mut self, texts: &mut Texts<'_>, used: &mut RowLabels, view: View<'_>) -> PyResult<bool> {
        let shape = view.block.layout.shape(view.fields().kind);
        let names = self.kind.as_mut().and_then(|kind| kind.labels.as_mut());
        let (Some(shape), Some(names)) = (shape, names) else { return Ok(false) };
        used.become_those_of(texts, &mut names.columns, view, shape)?;
        Ok(true)
    }

    /// A label set; and once more, if it is nobody else's.
    #[inline(never)]
    fn label_set<'py>(
        &mut self,
        texts: &mut Texts<'py>,
        model: &Model,
        view: View<'_>,
    ) -> PyResult<(Bound<'py, PyAny>, Option<MadeLabels>)> {
        let py = texts.py;
        let row = view.fields();
        if row.labels == NO_LABELS {
            return Ok((model.no_labels.bind(py).clone(), None));
        }
        let ask = !self.misses.are_many();
        let written = if ask { view.label_text() } else { b"" };
        if ask && let Some(known) = texts.label_set(written, &mut self.misses) {
            return Ok((known, None));
        }
        let (Some(shape), Some(kind)) = (view.block.layout.shape(row.kind), &mut self.kind) else {
            let mut labels = Vec::new();
            view.sorted_labels(&mut labels);
            return Ok((label_set_of(texts, model, &labels)?, None));
        };
        let labels = match &mut kind.labels {
            Some(names) => names.labels(texts, view, shape)?,
            None => {
                let names = kind.labels.insert(LabelNames::new(texts, view, shape)?);
                RowLabels::new(texts, names, view, shape)?
            }
        };
        let dict = labels.labels.bind(py);
        if ask {
            let label_set = model.label_set.make(py, [dict.clone().into_any(), items(dict)?])?;
            texts.keep_label_set(written, &label_set);
            return Ok((label_set, None));
        }
        let label_set = model.label_set.make(py, [dict.clone().into_any()])?;
        let made = MadeLabels { label_set: label_set.clone().unbind(), items: None, labels, kind: row.kind };
        Ok((label_set, Some(made)))
    }
}

impl LabelNames {
    fn new(texts: &mut Texts<'_>, view: View<'_>, shape: Shape) -> PyResult<LabelNames> {
        let names: Vec<&[u8]> = view.block.layout.segments(shape)[..shape.labels as usize]
            .iter()
            .map(|segment| segment.name.of(view.text))
            .collect();
        let column = |name: &&[u8]| Ok(Column { name: texts.string(name)?.unbind(), misses: Misses::default() });
        let columns = names.iter().map(column).collect::<PyResult<_>>()?;
        let mut order = Vec::new();
        if !names.is_sorted() {
            order.extend(0..names.len());
            order.sort_by_key(|&label| names[label]);
        }
        Ok(LabelNames { columns, order, template: None })
    }

    /// The labels of another row.
    fn labels(&mut self, texts: &mut Texts<'_>, view: View<'_>, shape: Shape) -> PyResult<RowLabels> {
        match &mut self.template {
            Some(template) => template.become_those_of(texts, &mut self.columns, view, shape)?,
            None => self.template = Some(RowLabels::new(texts, self, view, shape)?),
        }
        let RowLabels { labels, values } = self.template.as_ref().expect("it has been made");
        Ok(RowLabels { labels: labels.bind(texts.py).copy()?.unbind(), values: values.clone() })
    }
}

impl RowLabels {
    fn new(texts: &mut Texts<'_>, names: &mut LabelNames, view: View<'_>, shape: Shape) -> PyResult<RowLabels> {
        let values: Vec<Span> = values(view, shape).collect();
        let labels = PyDict::new(texts.py);
        for place in 0..values.len() {
            let label = names.order.get(place).copied().unwrap_or(place);
            let Column { name, misses } = &mut names.columns[label];
            labels.set_item(name.bind(texts.py), texts.string_among(values[label].of(view.text), misses)?)?;
        }
        Ok(RowLabels { labels: labels.unbind(), values })
    }

    /// Change the values that are others.
    fn become_those_of(
        &mut self,
        texts: &mut Texts<'_>,
        columns: &mut [Column],
        view: View<'_>,
        shape: Shape,
    ) -> PyResult<()> {
        let labels = self.labels.bind(texts.py);
        for ((value, held), column) in values(view, shape).zip(&mut self.values).zip(columns) {
            let text = value.of(view.text);
            // Where most values are new, so is this one.
            let string = if column.misses.are_many() {
                new_string(texts.py, text)?
            } else if text != held.of(view.text) {
                texts.string_among(text, &mut column.misses)?
            } else {
                continue;
            };
            labels.set_item(column.name.bind(texts.py), string)?;
            *held = value;
        }
        Ok(())
    }
}

fn items<'py>(labels: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
    labels.call_method0(intern!(labels.py(), "items"))
}

/// Where the values of a row stand, in written order.
fn values(view: View<'_>, shape: Shape) -> impl Iterator<Item = Span> {
    let mut values = view.values(shape);
    std::iter::from_fn(move || {
        let length = values.next()?.len();
        let end = values.end();
        Some(Span { start: (end - length) as u32, end: end as u32 })
    })
}

/// Whether the row has no more than a name, labels and a value; so have all of its block.
fn is_plain(view: View<'_>) -> bool {
    view.block.times.is_empty() && view.block.extras.is_empty()
}

fn start<'py>(py: Python<'py>, view: View<'_>) -> PyResult<Bound<'py, PyAny>> {
    time_object(py, view.extra().and_then(|extra| extra.start))
}

fn exemplars<'py>(texts: &mut Texts<'py>, model: &Model, view: View<'_>) -> PyResult<Bound<'py, PyAny>> {
    let found = view.extra().map_or(&[][..], |extra| &extra.exemplars);
    if found.is_empty() {
        return Ok(model.no_exemplars.bind(texts.py).clone());
    }
    let found = found.iter().map(|exemplar| exemplar_object(texts, model, exemplar));
    let found = found.collect::<PyResult<Vec<_>>>()?;
    Ok(PyTuple::new(texts.py, found)?.into_any())
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
