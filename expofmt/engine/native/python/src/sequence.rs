//! Indices and slices, as Python's sequences take them.

use pyo3::prelude::*;
use pyo3::types::PySliceIndices;

/// Which item a number given by Python means, negative ones counting from the end.
pub fn row(index: &Bound<'_, PyAny>, length: usize) -> PyResult<usize> {
    if let Ok(index) = index.extract::<isize>() {
        let row = if index < 0 { index + length as isize } else { index };
        if (0..length as isize).contains(&row) {
            return Ok(row as usize);
        }
    }
    // Whatever is wrong with it, a range says so as any sequence does.
    let range = index.py().import("builtins")?.getattr("range")?.call1((length,))?;
    range.get_item(index)?.extract()
}

/// The items of a slice.
pub fn places(found: &PySliceIndices) -> impl ExactSizeIterator<Item = usize> {
    let PySliceIndices { start, step, slicelength, .. } = *found;
    (0..slicelength).map(move |turn| (start + step * turn as isize) as usize)
}
