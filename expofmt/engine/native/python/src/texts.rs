//! Text as `str`, and label sets, one for equal ones where that is cheap.
//!
//! Names, label values and whole label sets repeat from family to family, and from scrape to scrape. Those that were
//! lately made are kept, in tables of a fixed size in which a newcomer takes the place of whoever stood there before.

use std::cell::RefMut;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyString;

use crate::objects::Shared;
use crate::samples::SampleIterator;

/// Makes objects for one or a few samples.
pub struct Texts<'py> {
    pub py: Python<'py>,
    known: Option<RefMut<'py, Known>>,
}

struct Known {
    strings: Vec<Option<PyBackedStr>>,
    label_sets: Vec<(Vec<u8>, Option<Py<PyAny>>)>,
    iterator: Option<Py<SampleIterator>>,
}

static KNOWN: Shared<Known> = Shared::new(Known { strings: Vec::new(), label_sets: Vec::new(), iterator: None });

const STRINGS: usize = 4096;
const LABEL_SETS: usize = 2048;
/// Longer ones are not kept: memory that is never given back should be little.
const LONGEST_STRING: usize = 128;
const LONGEST_LABEL_SET: usize = 256;

/// How many things in a row were not known, of those that have something in common.
#[derive(Clone, Copy, Default)]
pub struct Misses(u32);

impl Misses {
    /// Whether it does not pay to look for the next ones: in a large family, most values of some labels are new, and so
    /// are most label sets.
    #[inline]
    pub fn are_many(self) -> bool {
        self.0 >= 32
    }

    #[inline]
    fn count(&mut self, found: bool) {
        self.0 = if found { 0 } else { self.0 + 1 };
    }
}

impl<'py> Texts<'py> {
    /// Not to be kept while other code runs: meanwhile, nobody else finds what is known. He goes without it, since to
    /// make an object may run the garbage collector, and that any Python code.
    #[inline]
    pub fn new(py: Python<'py>) -> Texts<'py> {
        Texts { py, known: KNOWN.borrow_mut(py) }
    }

    /// The `str` of bytes that are UTF-8.
    pub fn string(&mut self, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        self.string_among(text, &mut Misses::default())
    }

    /// The same for one of many texts, where it may not pay to look for it.
    pub fn string_among(&mut self, text: &[u8], misses: &mut Misses) -> PyResult<Bound<'py, PyAny>> {
        // Python itself has but one `str` of a single ASCII character.
        if misses.are_many() || !(2..=LONGEST_STRING).contains(&text.len()) {
            return new_string(self.py, text);
        }
        self.known_string(text, misses)
    }

    fn known_string(&mut self, text: &[u8], misses: &mut Misses) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        let Some(known) = &mut self.known else { return new_string(py, text) };
        if known.strings.is_empty() {
            known.strings.resize_with(STRINGS, || None);
        }
        let entry = &mut known.strings[hash(text) % STRINGS];
        if let Some(string) = entry
            && string.as_bytes() == text
        {
            misses.count(true);
            return Ok((&*string).into_pyobject(py)?);
        }
        misses.count(false);
        let made = new_string(py, text)?;
        *entry = Some(made.extract()?);
        Ok(made)
    }

    /// The label set that is written so, if it is known.
    pub fn label_set(&mut self, written: &[u8], misses: &mut Misses) -> Option<Bound<'py, PyAny>> {
        let py = self.py;
        let found = self.known.as_ref().and_then(|known| {
            let (text, label_set) = known.label_sets.get(hash(written) % LABEL_SETS)?;
            label_set.as_ref().filter(|_| text == written)
        });
        misses.count(found.is_some());
        found.map(|label_set| label_set.bind(py).clone())
    }

    /// Keep the label set that is written so.
    pub fn keep_label_set(&mut self, written: &[u8], label_set: &Bound<'py, PyAny>) {
        let Some(known) = self.known.as_mut().filter(|_| written.len() <= LONGEST_LABEL_SET) else { return };
        if known.label_sets.is_empty() {
            known.label_sets.resize_with(LABEL_SETS, || (Vec::new(), None));
        }
        let entry = &mut known.label_sets[hash(written) % LABEL_SETS];
        entry.0.clear();
        entry.0.extend_from_slice(written);
        entry.1 = Some(label_set.clone().unbind());
    }

    /// The iterator that was kept, if nobody else has it by now.
    pub fn take_iterator(&mut self) -> Option<Bound<'py, SampleIterator>> {
        let kept = self.known.as_mut()?.iterator.take()?.into_bound(self.py);
        (kept.get_refcnt() == 1).then_some(kept)
    }

    /// Keep an iterator that has come to its end, with all that it holds.
    pub fn keep_iterator(&mut self, iterator: &Bound<'py, SampleIterator>) {
        if let Some(known) = &mut self.known {
            known.iterator = Some(iterator.clone().unbind());
        }
    }
}

/// The `str` of bytes that are UTF-8, for nobody else.
pub fn new_string<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    Ok(PyString::from_bytes(py, text)?.into_any())
}

/// Whoever finds texts that collide gains nothing: they displace each other.
fn hash(text: &[u8]) -> usize {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |hash: u64, word: u64| (hash.rotate_left(25) ^ word).wrapping_mul(FACTOR);
    let mut hash = text.len() as u64;
    match text.last_chunk::<8>() {
        Some(last) => {
            let (words, _) = text.as_chunks();
            hash = words.iter().fold(hash, |hash, word| mix(hash, u64::from_le_bytes(*word)));
            // Some bytes twice, rather than the rest one by one.
            hash = mix(hash, u64::from_le_bytes(*last));
        }
        None => hash = mix(hash, text.iter().fold(0, |word, &byte| word << 8 | u64::from(byte))),
    }
    (hash >> 32) as usize
}
