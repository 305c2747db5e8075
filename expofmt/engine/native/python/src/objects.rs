//! Python objects made without a call of `__init__`, and read without a frame of Python: the one module with unsafe code.
//!
//! Samples, label sets and families are instances of slotted Python classes. A call of such a class costs about a
//! microsecond, most of it for checks that what was parsed has passed already; it would take several times as long as
//! everything else. What it does besides is little: it allocates an instance, and stores a reference in each slot. That
//! is done here; and references are read from the slots where that is asked of hundreds of instances.
//!
//! Where the slots are is what the class itself says, in its list of members, which is how extension modules describe
//! the members of theirs (`PyMemberDef`); that this is so is tried once for each class, before it is relied on.

use std::cell::{RefCell, RefMut};
use std::ffi::{CStr, c_void};
use std::ptr::null_mut;
use std::sync::OnceLock;

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyType};

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
            allocate: unsafe { std::mem::transmute::<*mut c_void, ffi::allocfunc>(allocate) },
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

    /// A new instance that holds these values, in the order in which the slots were named. Where they are fewer, the
    /// last slots are empty.
    ///
    /// None of the values may ever come to refer to the instance: the garbage collector is not told of it, because it
    /// would look in vain at each of a million samples, again and again.
    pub fn make<'py, const M: usize>(
        &self,
        py: Python<'py>,
        values: [Bound<'py, PyAny>; M],
    ) -> PyResult<Bound<'py, PyAny>> {
        const { assert!(M <= N) }
        // SAFETY: The allocator is called with the class that it was taken from, as `object.__new__` would do it. It
        // returns a new reference or, with an exception set, null.
        //
        // The instance is as long as a header and `N` references, and its members are at `offsets`, which `new` has
        // taken from the class and found to be `N` different places behind the header. They are null so far, so no
        // reference is lost when they are written, and null is what an empty slot holds; the references that are written
        // are owned, and now the instance's.
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

    /// Let an instance hold another value in one of its slots, as if it had been made so. It is for the caller to know
    /// that nobody would see the change. An instance of another class is a TypeError.
    #[inline]
    pub fn put<'py>(&self, instance: &Bound<'py, PyAny>, slot: usize, value: Bound<'py, PyAny>) -> PyResult<()> {
        let place = self.place(instance, slot)?;
        // SAFETY: At `place` there is an owned reference, or null. The one that is written is owned; the one that it
        // replaces is taken over, and given up when the instance is whole again, since that may run any code.
        unsafe {
            drop(Bound::from_owned_ptr_or_opt(value.py(), place.replace(value.into_ptr())));
        }
        Ok(())
    }

    /// The same for a value that the instance may hold already, which is then all there is to do.
    #[inline]
    pub fn put_again<'py>(&self, instance: &Bound<'py, PyAny>, slot: usize, value: &Bound<'py, PyAny>) -> PyResult<()> {
        if self.holds(instance, slot, value)? { Ok(()) } else { self.put(instance, slot, value.clone()) }
    }

    /// Whether an instance holds this very value in one of its slots. An instance of another class is a TypeError.
    #[inline]
    pub fn holds(&self, instance: &Bound<'_, PyAny>, slot: usize, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        // SAFETY: At `place` there is a reference, or null, and neither is followed.
        let held = unsafe { self.place(instance, slot)?.read() };
        Ok(held == value.as_ptr())
    }

    /// Where an instance keeps a slot.
    #[inline]
    fn place(&self, instance: &Bound<'_, PyAny>, slot: usize) -> PyResult<*mut *mut ffi::PyObject> {
        if instance.get_type_ptr() != self.class.as_ptr().cast() {
            return Err(PyTypeError::new_err("an instance of another class"));
        }
        // SAFETY: The instance is one of the class, so its slots are at `offsets`.
        Ok(unsafe { instance.as_ptr().byte_add(self.offsets[slot]).cast() })
    }
}

/// What is shared by whoever is attached to the interpreter.
///
/// A mutex would do, and so would the borrow checker of PyO3's classes, but for what their atomic operations cost: a good
/// part of what it takes to make a small sample.
pub struct Shared<T>(RefCell<T>);

// SAFETY: The cell is reached through `borrow_mut` alone, which asks for a proof that the thread is attached to the
// interpreter. The module says that it needs the global interpreter lock (`gil_used`), and builds of Python without one
// are not supported, so one thread at a time is. The borrow cannot be sent to another thread, nor outlive the proof. If
// the lock is given up meanwhile, others find the cell borrowed.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub const fn new(value: T) -> Shared<T> {
        Shared(RefCell::new(value))
    }

    /// The value, if nobody else has it.
    #[inline]
    pub fn borrow_mut<'a>(&'a self, _py: Python<'a>) -> Option<RefMut<'a, T>> {
        self.0.try_borrow_mut().ok()
    }
}

/// What [`give_views`] has found out.
struct Views {
    dict_offset: usize,
    items_offset: usize,
    items: ffi::PyCFunction,
    values: ffi::PyCFunction,
}

static VIEWS: OnceLock<Views> = OnceLock::new();

/// Give a class methods `items` and `values` in place of its own ones that return those views of the dict in its first
/// slot. These do the same without a frame of Python. `items` returns what the second slot holds, unless that is empty:
/// such a view is to be the one that the dict would give.
///
/// For one class only. Where the methods of dict are not what is expected, its own ones stay.
pub fn give_views(class: &Bound<'_, PyType>, slotted: &SlottedClass<2>) -> PyResult<()> {
    let py = class.py();
    let dict = PyDict::new(py);
    let function = |name: &str| -> PyResult<Option<ffi::PyCFunction>> {
        let method = dict.getattr(name)?;
        // SAFETY: It is asked for what it calls when it is known to be such a method.
        Ok(unsafe {
            let is_plain = ffi::PyCFunction_CheckExact(method.as_ptr()) != 0
                && ffi::PyCFunction_GetFlags(method.as_ptr()) == ffi::METH_NOARGS;
            is_plain.then(|| ffi::PyCFunction_GetFunction(method.as_ptr())).flatten()
        })
    };
    let (Some(items), Some(values)) = (function("items")?, function("values")?) else { return Ok(()) };
    let [dict_offset, items_offset] = slotted.offsets;
    VIEWS.get_or_init(|| Views { dict_offset, items_offset, items, values });
    let methods: [(&'static CStr, ffi::PyCFunction, &'static CStr); 2] = [
        (c"items", items_of, c"items($self, /)\n--\n\nThe names with their values, sorted by name."),
        (c"values", values_of, c"values($self, /)\n--\n\nThe values, sorted by name."),
    ];
    for (name, function, doc) in methods {
        // A method refers to its definition for as long as it lives.
        let definition = Box::leak(Box::new(ffi::PyMethodDef {
            ml_name: name.as_ptr(),
            ml_meth: ffi::PyMethodDefPointer { PyCFunction: function },
            ml_flags: ffi::METH_NOARGS,
            ml_doc: doc.as_ptr(),
        }));
        // SAFETY: `class` is a type object, and the definition is complete; what is returned is a new reference or, with
        // an exception set, null.
        let method =
            unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyDescr_NewMethod(class.as_type_ptr(), definition))? };
        class.setattr(PyString::new(py, &name.to_string_lossy()), method)?;
    }
    Ok(())
}

/// SAFETY: The caller is attached to the interpreter, and the instance is one of the class that was given the method, or
/// of a class that derives from it; the interpreter makes sure of that before it calls a method.
unsafe extern "C" fn items_of(instance: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    let Some(views) = VIEWS.get() else { return null_mut() };
    // SAFETY: At the offset there is a reference, or null. The instance keeps what is there while it gets another one.
    unsafe {
        let items = instance.byte_add(views.items_offset).cast::<*mut ffi::PyObject>().read();
        if !items.is_null() {
            ffi::Py_INCREF(items);
            return items;
        }
        view_of(instance, views, views.items)
    }
}

/// SAFETY: As for [`items_of`].
unsafe extern "C" fn values_of(instance: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    let Some(views) = VIEWS.get() else { return null_mut() };
    // SAFETY: The instance is what it has to be.
    unsafe { view_of(instance, views, views.values) }
}

/// SAFETY: As for [`items_of`]. The function is that of a method of dict, without arguments.
unsafe fn view_of(instance: *mut ffi::PyObject, views: &Views, function: ffi::PyCFunction) -> *mut ffi::PyObject {
    // SAFETY: At the offset there is a reference, or null, and the function is called with a dict. That is kept alive for as
    // long as the call lasts: to make a view may run the garbage collector, and that code which takes the dict away from the
    // instance, as another call of `__init__` does.
    unsafe {
        let dict = instance.byte_add(views.dict_offset).cast::<*mut ffi::PyObject>().read();
        if dict.is_null() || ffi::PyDict_CheckExact(dict) == 0 {
            ffi::PyErr_SetString(ffi::PyExc_AttributeError, c"an instance that __init__ has not seen".as_ptr());
            return null_mut();
        }
        ffi::Py_INCREF(dict);
        let view = function(dict, null_mut());
        ffi::Py_DECREF(dict);
        view
    }
}

/// What a type has in one of the slots that all types have.
fn slot(class: &Bound<'_, PyType>, number: std::ffi::c_int) -> *mut c_void {
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
