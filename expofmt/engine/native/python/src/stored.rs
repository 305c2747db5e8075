//! State that outlives a call, and is changed by calls.

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

/// Holds a state, but for the time that it is being changed: what a panic has left half done is not seen again.
pub struct Stored<T>(Option<T>);

impl<T> Stored<T> {
    pub fn new(state: T) -> Stored<T> {
        Stored(Some(state))
    }

    pub fn get(&self) -> PyResult<&T> {
        self.0.as_ref().ok_or_else(lost)
    }

    /// Run what changes the state.
    pub fn change<R>(&mut self, run: impl FnOnce(&mut T) -> R) -> PyResult<R> {
        let mut state = self.0.take().ok_or_else(lost)?;
        let result = run(&mut state);
        self.0 = Some(state);
        Ok(result)
    }
}

fn lost() -> PyErr {
    PyRuntimeError::new_err("this was lost to a bug in expofmt's native engine, of which an earlier error told")
}

/// The number of an owner. What is no integer is a TypeError, and any other number a ValueError.
pub fn read_owner(given: &Bound<'_, PyAny>) -> PyResult<u32> {
    given.extract().or_else(|_| {
        let number = given.py().import("operator")?.getattr("index")?.call1((given,))?;
        let refused = |_| PyValueError::new_err(format!("an owner is a number from 0 to {}, not {number}", u32::MAX));
        number.extract().map_err(refused)
    })
}
