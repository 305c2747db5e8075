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
    known: Access,
}

/// What is known is not asked for before it is needed.
enum Access {
    Unasked,
    Granted(MutexGuard<'static, Known>),
    Refused,
}

struct Known {
    strings: Vec<Option<Py<PyString>>>,
    label_sets: Vec<(Vec<u8>, Option<Py<PyAny>>)>,
    samples: [Option<Py<PyAny>>; 2],
}

static KNOWN: Mutex<Known> = Mutex::new(Known { strings: Vec::new(), label_sets: Vec::new(), samples: [None, None] });

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
        Texts { py, known: Access::Unasked }
    }

    #[inline]
    fn known(&mut self) -> Option<&mut Known> {
        if let Access::Unasked = self.known {
            self.known = match KNOWN.try_lock() {
                Ok(known) => Access::Granted(known),
                Err(TryLockError::Poisoned(poisoned)) => Access::Granted(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => Access::Refused,
            };
        }
        match &mut self.known {
            Access::Granted(known) => Some(known),
            _ => None,
        }
    }

    /// The `str` of bytes that are UTF-8.
    pub fn string(&mut self, text: &[u8]) -> PyResult<Bound<'py, PyString>> {
        self.string_among(text, &mut Misses::default())
    }

    /// The same for one of many texts, where it may not pay to look for it.
    pub fn string_among(&mut self, text: &[u8], misses: &mut Misses) -> PyResult<Bound<'py, PyString>> {
        let py = self.py;
        // Python itself has but one `str` of a single ASCII character.
        if misses.are_many() || !(2..=LONGEST_STRING).contains(&text.len()) {
            return PyString::from_bytes(py, text);
        }
        let Some(known) = self.known() else { return PyString::from_bytes(py, text) };
        if known.strings.is_empty() {
            known.strings.resize_with(STRINGS, || None);
        }
        let entry = &mut known.strings[hash(text) as usize % STRINGS];
        if let Some(string) = entry {
            let string = string.bind(py);
            if string.to_str()?.as_bytes() == text {
                misses.count(true);
                return Ok(string.clone());
            }
        }
        misses.count(false);
        let made = PyString::from_bytes(py, text)?;
        *entry = Some(made.clone().unbind());
        Ok(made)
    }

    /// The label set that is written so, if it is known.
    pub fn label_set(&mut self, written: &[u8], misses: &mut Misses) -> Option<Bound<'py, PyAny>> {
        let py = self.py;
        let found = self.known().and_then(|known| {
            let (text, label_set) = known.label_sets.get(hash(written) as usize % LABEL_SETS)?;
            label_set.as_ref().filter(|_| text == written)
        });
        misses.count(found.is_some());
        found.map(|label_set| label_set.bind(py).clone())
    }

    /// Keep the label set that is written so.
    pub fn keep_label_set(&mut self, written: &[u8], label_set: &Bound<'py, PyAny>) {
        let Some(known) = self.known().filter(|_| written.len() <= LONGEST_LABEL_SET) else { return };
        if known.label_sets.is_empty() {
            known.label_sets.resize_with(LABEL_SETS, || (Vec::new(), None));
        }
        let entry = &mut known.label_sets[hash(written) as usize % LABEL_SETS];
        entry.0.clear();
        entry.0.extend_from_slice(written);
        entry.1 = Some(label_set.clone().unbind());
    }

    /// The samples that were kept, which then are kept no more.
    pub fn take_samples(&mut self) -> [Option<Py<PyAny>>; 2] {
        self.known().map_or([None, None], |known| std::mem::take(&mut known.samples))
    }

    /// Keep two samples, with all that is in them.
    pub fn keep_samples(&mut self, samples: [Option<Py<PyAny>>; 2]) {
        if let Some(known) = self.known() {
            known.samples = samples;
        }
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
