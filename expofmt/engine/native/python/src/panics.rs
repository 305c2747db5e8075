//! What becomes of a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// Run what Python asked for. A panic, which is a bug of ours, becomes a RuntimeError; left alone, it would reach
/// Python as a BaseException that no `except Exception` stops. Every function that Python may call goes through here.
///
/// What outlives the call (texts that are known, samples that may become others) is sound after each step that changes it, so
/// what was left half done does no harm; or it is [`crate::stored::Stored`], so that what was left half done is not seen again.
pub fn caught<T>(run: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|payload| {
        let told = payload.downcast_ref::<&str>().copied();
        let told = told.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given");
        Err(PyRuntimeError::new_err(format!("a bug in expofmt's native engine: {told}")))
    })
}
