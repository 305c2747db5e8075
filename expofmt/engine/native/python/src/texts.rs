//! Text as `str`, and label sets, one for equal ones where that is cheap.
//!
//! Names, label values and whole label sets repeat from family to family, and from scrape to scrape. Those that were
//! lately made are kept, in tables of a fixed size in which a newcomer takes the place of whoever stood there before.

use std::sync::{Mutex, MutexGuard, TryLockError};

use pyo3::prelude::*;
use pyo3::types::PyString;

/// Makes objects for one or a few samples.
pub struct Texts<'py> {
    pub py: Python<'py>,
    known: Option<MutexGuard<'static, Known>>,
}

struct Known {
    strings: Vec<Option<Py<PyString>>>,
    label_sets: Vec<(Vec<u8>, Option<Py<PyAny>>)>,
}

static KNOWN: Mutex<Known> = Mutex::new(Known { strings: Vec::new(), label_sets: Vec::new() });

const STRINGS: usize = 4096;
const LABEL_SETS: usize = 2048;
/// Longer ones are not kept: memory that is never given back should be little.
const LONGEST_STRING: usize = 128;
const LONGEST_LABEL_SET: usize = 256;

impl<'py> Texts<'py> {
    /// Not to be kept while other code runs: meanwhile, nobody else finds what is known. He goes without it, since to
    /// make an object may run the garbage collector, and that any Python code.
    pub fn new(py: Python<'py>) -> Texts<'py> {
        let known = match KNOWN.try_lock() {
            Ok(known) => Some(known),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        Texts { py, known }
    }

    /// The `str` of bytes that are UTF-8.
    pub fn string(&mut self, text: &[u8]) -> PyResult<Bound<'py, PyString>> {
        // Python itself has but one `str` of a single ASCII character.
        let Some(known) = self.known.as_mut().filter(|_| (2..=LONGEST_STRING).contains(&text.len())) else {
            return PyString::from_bytes(self.py, text);
        };
        if known.strings.is_empty() {
            known.strings.resize_with(STRINGS, || None);
        }
        let entry = &mut known.strings[hash(text) as usize % STRINGS];
        if let Some(string) = entry {
            let string = string.bind(self.py);
            if string.to_str()?.as_bytes() == text {
                return Ok(string.clone());
            }
        }
        let made = PyString::from_bytes(self.py, text)?;
        *entry = Some(made.clone().unbind());
        Ok(made)
    }

    /// The label set that is written so, if it is known.
    pub fn label_set(&self, written: &[u8]) -> Option<Bound<'py, PyAny>> {
        let known = self.known.as_ref()?;
        let (text, label_set) = known.label_sets.get(hash(written) as usize % LABEL_SETS)?;
        let label_set = label_set.as_ref().filter(|_| text == written)?;
        Some(label_set.bind(self.py).clone())
    }

    /// Keep the label set that is written so.
    pub fn keep_label_set(&mut self, written: &[u8], label_set: &Bound<'py, PyAny>) {
        let Some(known) = self.known.as_mut().filter(|_| written.len() <= LONGEST_LABEL_SET) else { return };
        if known.label_sets.is_empty() {
            known.label_sets.resize_with(LABEL_SETS, || (Vec::new(), None));
        }
        let entry = &mut known.label_sets[hash(written) as usize % LABEL_SETS];
        entry.0.clear();
        entry.0.extend_from_slice(written);
        entry.1 = Some(label_set.clone().unbind());
    }
}

/// Whoever finds texts that collide gains nothing: they displace each other.
fn hash(text: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let (words, rest) = text.as_chunks::<8>();
    let last = rest.iter().fold(text.len() as u64, |word, &byte| word << 8 | u64::from(byte));
    let mix = |hash: u64, word: u64| (hash.rotate_left(25) ^ word).wrapping_mul(FACTOR);
    mix(words.iter().fold(0, |hash, word| mix(hash, u64::from_le_bytes(*word))), last) >> 32
}
