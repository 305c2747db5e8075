//! Python objects made without a call of `__init__`: the one module with unsafe code.
//!
//! Samples, label sets and families are instances of slotted Python classes. A call of such a class costs about a
//! microsecond, most of it for checks that what was parsed has passed already; it would take several times as long as
//! everything else. What it does besides is little: it allocates an instance, and stores a reference in each slot. That
//! is done here; and references are read from the slots where that is asked of hundreds of instances.
//!
//! Where the slots are is what the class itself says, in its list of members, which is how extension modules describe
//! the members of theirs (`PyMemberDef`); that this is so is tried once for each class, before it is relied on.

use std::ffi::CStr;

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

/// A Python class whose instances consist of `N` slots.
pub struct SlottedClass<const N: usize> {
    class: Py<PyType>,
    allocate: ffi::allocfunc,
    /// Where in an instance the slots are.
    offsets: [usize; N],
}

impl<const N: usize> SlottedClass<N> {
    /// Look at a class. It has to be what [`SlottedClass::make`] relies on, else this is a TypeError: a class whose
    /// `__new__` is that of `object`, which does nothing but call the allocator; whose instances have the slots named
    /// here and nothing else; and which takes part in garbage collection.
    pub fn new(class: &Bound<'_, PyType>, names: [&str; N]) -> PyResult<SlottedClass<N>> {
        let py = class.py();
        let refuse = |what: &str| PyTypeError::new_err(format!("{class} {what}"));
        if slot(class, ffi::Py_tp_new) != slot(&py.get_type::<PyAny>(), ffi::Py_tp_new) {
            return Err(refuse("has a __new__ of its own"));
        }
        // SAFETY: `class` is a type object.
        let flags = unsafe { ffi::PyType_GetFlags(class.as_type_ptr()) };
        let collected = flags & ffi::Py_TPFLAGS_HAVE_GC != 0;
        let size = |attribute: &str| class.getattr(attribute)?.extract::<usize>();
        // A header, and one reference for each name: no room for anything else.
        let bare = py.get_type::<PyAny>().getattr("__basicsize__")?.extract::<usize>()?;
        let length = bare + N * size_of::<*mut ffi::PyObject>();
        let alone = size("__dictoffset__")? == 0 && size("__weakrefoffset__")? == 0 && size("__itemsize__")? == 0;
        if !collected || !alone || size("__basicsize__")? != length {
            return Err(refuse("has other slots"));
        }
        let allocate = slot(class, ffi::Py_tp_alloc);
        if allocate.is_null() {
            return Err(refuse("has no allocator"));
        }
        let mut offsets = [0; N];
        for (name, offset) in names.iter().zip(&mut offsets) {
            *offset = slot_offset(class, name).ok_or_else(|| refuse("has something else in place of a slot"))?;
        }
        let slotted = SlottedClass {
            class: class.clone().unbind(),
            // SAFETY: what stands in this slot of a type, if it is not null, is a function of this type.
            allocate: unsafe { std::mem::transmute::<*mut std::ffi::c_void, ffi::allocfunc>(allocate) },
            offsets,
        };
        let given = names.map(|name| PyString::new(py, name).into_any());
        let made = slotted.make(py, given.clone())?;
        for (name, value) in names.iter().zip(given) {
            if !made.getattr(*name)?.is(&value) {
                return Err(refuse("keeps its slots elsewhere"));
            }
        }
        Ok(slotted)
    }

    /// A new instance that holds these values, in the order in which the slots were named.
    ///
    /// None of the values may ever come to refer to the instance: the garbage collector is not told of it, because it
    /// would look in vain at each of a million samples, again and again.
    pub fn make<'py>(&self, py: Python<'py>, values: [Bound<'py, PyAny>; N]) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: The allocator is called with the class that it was taken from, as `object.__new__` would do it. It
        // returns a new reference or, with an exception set, null.
        //
        // The instance is as long as a header and `N` references, and its members are at `offsets`, which `new` has
        // taken from the class and found to be `N` different places behind the header. They are null so far, so no
        // reference is lost when they are written; the references that are written are owned, and now the instance's.
        //
        // The class takes part in garbage collection, so the instance has the header at which `PyObject_GC_UnTrack`
        // looks; for an instance that is not tracked, deallocation is none the different.
        unsafe {
            let pointer = (self.allocate)(self.class.as_ptr().cast(), 0);
            let instance = Bound::from_owned_ptr_or_err(py, pointer)?;
            for (offset, value) in self.offsets.iter().zip(values) {
                pointer.byte_add(*offset).cast::<*mut ffi::PyObject>().write(value.into_ptr());
            }
            ffi::PyObject_GC_UnTrack(pointer.cast());
            Ok(instance)
        }
    }

    /// What an instance holds, in the order in which the slots were named. None says nothing: where it is of another class,
    /// a derived one included, or lacks a value, ask it for its attributes.
    pub fn values<'py>(&self, instance: &Bound<'py, PyAny>) -> Option<[Bound<'py, PyAny>; N]> {
        if instance.get_type_ptr() != self.class.as_ptr().cast() {
            return None;
        }
        // SAFETY: The instance is one of the class, so there are owned references, or null, at `offsets`. It is kept alive,
        // and nobody changes it meanwhile, since the interpreter's lock is held.
        let values = self.offsets.map(|offset| unsafe {
            let pointer = instance.as_ptr().byte_add(offset).cast::<*mut ffi::PyObject>().read();
            Bound::from_borrowed_ptr_or_opt(instance.py(), pointer)
        });
        values.iter().all(Option::is_some).then(|| values.map(Option::unwrap))
    }

    /// Let an instance hold other values, as if it were a new one. It is for the caller to know that nobody would see
    /// the change. An instance of another class is a TypeError.
    pub fn fill<'py>(
        &self,
        instance: Bound<'py, PyAny>,
        values: [Bound<'py, PyAny>; N],
    ) -> PyResult<Bound<'py, PyAny>> {
        if instance.get_type_ptr() != self.class.as_ptr().cast() {
            return Err(PyTypeError::new_err("an instance of another class"));
        }
        // SAFETY: The instance is one of the class, so there are owned references, or null, at `offsets`. The ones that
        // are written are owned; those that they replace are taken over, and given up when the instance is whole again,
        // since that may run any code.
        unsafe {
            let mut at = 0;
            let replaced = values.map(|value| {
                let place = instance.as_ptr().byte_add(self.offsets[at]).cast::<*mut ffi::PyObject>();
                at += 1;
                Bound::from_owned_ptr_or_opt(value.py(), place.replace(value.into_ptr()))
            });
            drop(replaced);
        }
        Ok(instance)
    }
}

/// What a type has in one of the slots that all types have.
fn slot(class: &Bound<'_, PyType>, number: std::ffi::c_int) -> *mut std::ffi::c_void {
    // SAFETY: `class` is a type object.
    unsafe { ffi::PyType_GetSlot(class.as_type_ptr(), number) }
}

/// Where the instances of a class, itself and not a base of it, keep the slot of that name.
fn slot_offset(class: &Bound<'_, PyType>, name: &str) -> Option<usize> {
    let mut member = slot(class, ffi::Py_tp_members).cast::<ffi::PyMemberDef>();
    if member.is_null() {
        return None;
    }
    // SAFETY: a type's members are an array, whose last element has no name; names end with a null byte. Both live as
    // long as the type.
    unsafe {
        while !(*member).name.is_null() {
            if CStr::from_ptr((*member).name).to_bytes() == name.as_bytes() {
                let plain = (*member).type_code == ffi::Py_T_OBJECT_EX && (*member).flags == 0;
                let header = size_of::<ffi::PyObject>() as isize;
                return ((*member).offset >= header && plain).then_some((*member).offset as usize);
            }
            member = member.add(1);
        }
    }
    None
}
