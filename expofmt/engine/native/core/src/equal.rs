//! Equality of samples.

use std::sync::Arc;

use crate::block::{View, same_float};
use crate::samples::Samples;

/// Whether both hold equal samples in the same order. All NaN are equal; how a label set or a value is spelt is no
/// difference, nor where it stands in an input.
pub fn equal(a: &Samples, b: &Samples) -> bool {
    a.len() == b.len() && (same_rows(a, b) || a.views().zip(b.views()).all(|(a, b)| equal_samples(a, b)))
}

/// Whether both are the same rows of the same blocks.
fn same_rows(a: &Samples, b: &Samples) -> bool {
    let same_parts = |(a, b): (&crate::samples::Part, &crate::samples::Part)| {
        Arc::ptr_eq(&a.block, &b.block) && a.first == b.first && a.last == b.last
    };
    a.parts().len() == b.parts().len() && a.parts().iter().zip(b.parts()).all(same_parts)
}

fn equal_samples(a: View<'_>, b: View<'_>) -> bool {
    same_float(a.value(), b.value())
        && a.time() == b.time()
        && a.name() == b.name()
        && (a.label_text() == b.label_text() || equal_labels(a, b))
        && a.extra() == b.extra()
}

fn equal_labels(a: View<'_>, b: View<'_>) -> bool {
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    a.sorted_labels(&mut of_a);
    b.sorted_labels(&mut of_b);
    of_a == of_b
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::read;

    #[test]
    fn spelling_and_parts_make_no_difference() {
        let one = read("a{b=\"1\",c=\"2\"} 1\na NaN 5\n");
        let other = read("a{ c = \"2\" , \"b\"=\"1\", } 1\na{} NaN 5\n");
        assert!(equal(&one, &one) && equal(&one, &other));
        assert!(equal(&other.slice(0, 1).concat([&one.slice(1, 2)]), &one));
        assert!(!equal(&one, &one.gather([1, 0])) && !equal(&one, &one.slice(0, 1)));
        for lines in
            ["a{b=\"1\",c=\"3\"} 1\n", "b{b=\"1\",c=\"2\"} 1\n", "a{b=\"1\",c=\"2\"} 1 5\n", "a{b=\"1\",c=\"2\"} 2\n"]
        {
            assert!(!equal(&one.slice(0, 1), &read(lines)));
        }
    }
}
