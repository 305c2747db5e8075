//! Python objects made without a call of `__init__`: the one module with unsafe code.
//!
//! Samples, label sets and families are instances of slotted Python classes. A call of such a class costs about a
//! microsecond, most of it for checks that what was parsed has passed already; it would take several times as long as
//! everything else. What it does besides is little: it allocates an instance, and stores a reference in each slot. That
//! is done here, by the functions that the interpreter itself would call, all of them of the stable ABI.

use pyo3::exceptions::PyTypeError;
use pyo3::types::{PyTuple, PyType};
use pyo3::{ffi, prelude::*};

/// A Python class whose instances consist of `N` slots.
pub struct SlottedClass<const N: usize> {
    class: Py<PyType>,
    allocate: ffi::allocfunc,
    slots: [Slot; N],
}

/// The descriptor of a slot, and what stores a value through it.
struct Slot {
    descriptor: Py<PyAny>,
    store: ffi::descrsetfunc,
}

impl<const N: usize> SlottedClass<N> {
    /// Look at a class. It has to be what the functions below rely on, else this is a TypeError: a class whose
    /// `__new__` is that of `object`, which does nothing but call the allocator; whose instances have the slots named
    /// here and nothing else; and which takes part in garbage collection.
    pub fn new(class: &Bound<'_, PyType>, names: [&str; N]) -> PyResult<SlottedClass<N>> {
        let py = class.py();
        let refuse = |what: &str| PyTypeError::new_err(format!("{} {what}", class.repr().expect("a class has a name")));
        // SAFETY: `class` is a type object, and so is that of `object`; the slot asked for exists in every type.
        let news = [class.as_type_ptr(), py.get_type::<PyAny>().as_type_ptr()]
            .map(|class| unsafe { ffi::PyType_GetSlot(class, ffi::Py_tp_new) });
        if news[0].is_null() || news[0] != news[1] {
            return Err(refuse("has a __new__ of its own"));
        }
        // SAFETY: as above.
        let flags = unsafe { ffi::PyType_GetFlags(class.as_type_ptr()) };
        let collected = flags & ffi::Py_TPFLAGS_HAVE_GC != 0;
        let dictoffset: isize = class.getattr("__dictoffset__")?.extract()?;
        if !collected || dictoffset != 0 || !class.getattr("__slots__")?.eq(PyTuple::new(py, names)?)? {
            return Err(refuse("has other slots"));
        }
        // SAFETY: as above.
        let allocate = unsafe { ffi::PyType_GetSlot(class.as_type_ptr(), ffi::Py_tp_alloc) };
        if allocate.is_null() {
            return Err(refuse("has no allocator"));
        }
        let mut slots = Vec::with_capacity(N);
        for name in names {
            slots.push(Slot::new(class, name)?.ok_or_else(|| refuse("has something else in place of a slot"))?);
        }
        Ok(SlottedClass {
            class: class.clone().unbind(),
            // SAFETY: what stands in this slot of a type is a function of this type, if it is not null.
            allocate: unsafe { std::mem::transmute::<*mut std::ffi::c_void, ffi::allocfunc>(allocate) },
            slots: slots.try_into().unwrap_or_else(|_| unreachable!("one slot was pushed for each name")),
        })
    }

    /// A new instance that holds these values, in the order of the slots.
    ///
    /// None of the values may ever come to refer to the instance: the garbage collector is not told of it, because it
    /// would look in vain at each of a million samples, again and again.
    pub fn make<'py>(&self, py: Python<'py>, values: [&Bound<'py, PyAny>; N]) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: the allocator is called with the class that it was taken from, as `object.__new__` would do it. It
        // returns a new reference or, with an exception set, null; the instance's slots are empty.
        let instance = unsafe {
            let instance = (self.allocate)(self.class.as_ptr().cast(), 0);
            Bound::from_owned_ptr_or_err(py, instance)?
        };
        for (slot, value) in self.slots.iter().zip(values) {
            slot.store(&instance, value)?;
        }
        // SAFETY: the class takes part in garbage collection, so the instance has the header that this looks at.
        unsafe { ffi::PyObject_GC_UnTrack(instance.as_ptr().cast()) };
        Ok(instance)
    }
}

impl Slot {
    /// The slot of that name, or nothing if the class itself has no such slot.
    fn new(class: &Bound<'_, PyType>, name: &str) -> PyResult<Option<Slot>> {
        let py = class.py();
        let member = py.import("types")?.getattr("MemberDescriptorType")?.cast_into::<PyType>()?;
        let descriptor = class.getattr("__dict__")?.get_item(name)?;
        if !descriptor.get_type().is(&member) || !descriptor.getattr("__objclass__")?.is(class) {
            return Ok(None);
        }
        // SAFETY: `member` is a type object, and the slot exists in every type.
        let store = unsafe { ffi::PyType_GetSlot(member.as_type_ptr(), ffi::Py_tp_descr_set) };
        if store.is_null() {
            return Ok(None);
        }
        // SAFETY: what stands in this slot of a type is a function of this type, if it is not null.
        let store = unsafe { std::mem::transmute::<*mut std::ffi::c_void, ffi::descrsetfunc>(store) };
        Ok(Some(Slot { descriptor: descriptor.unbind(), store }))
    }

    fn store<'py>(&self, instance: &Bound<'py, PyAny>, value: &Bound<'py, PyAny>) -> PyResult<()> {
        // SAFETY: the function is that of the descriptor's type. It checks that the instance is one of the descriptor's
        // class, and takes a reference of its own to the value.
        match unsafe { (self.store)(self.descriptor.as_ptr(), instance.as_ptr(), value.as_ptr()) } {
            0 => Ok(()),
            _ => Err(PyErr::fetch(instance.py())),
        }
    }
}

/// A tuple of text, of which the garbage collector is not told: it cannot be part of a cycle.
pub fn tuple_of_text<'py, T: IntoPyObject<'py>>(
    py: Python<'py>,
    texts: impl ExactSizeIterator<Item = T>,
) -> PyResult<Bound<'py, PyTuple>> {
    let tuple = PyTuple::new(py, texts)?;
    // SAFETY: tuples take part in garbage collection, so it has the header that this looks at.
    unsafe { ffi::PyObject_GC_UnTrack(tuple.as_ptr().cast()) };
    Ok(tuple)
}
