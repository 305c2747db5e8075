//! Samples for tests, as a text spells them.

use std::sync::Arc;

use crate::block::View;
use crate::build::push_label_set;
use crate::fault::offset;
use crate::samples::Samples;
use crate::scan::{Options, scan};

/// The samples of all families of a text, where `h` is a histogram of any generation and `s` a summary.
pub fn read(lines: &str) -> Samples {
    let text = format!("# TYPE h gaugehistogram\n# TYPE s summary\n{lines}");
    let options = Options { recover: false, comments: false, max_faults: 9, fatal: Default::default() };
    let block = scan(Arc::new(text.into_bytes()), &options).block;
    assert_eq!(block.rows.len(), lines.lines().count(), "each line is a sample");
    let last = offset(block.rows.len());
    Samples::of(block, 0, last)
}

/// The samples in canonical spelling, without their times.
pub fn shown(samples: &Samples) -> Vec<String> {
    let one = |view: View<'_>| {
        let mut labels = Vec::new();
        view.sorted_labels(&mut labels);
        let mut text = view.name().to_vec();
        push_label_set(&mut text, labels.iter().map(|label| (&*label.name, &*label.value)));
        format!("{} {}", String::from_utf8(text).expect("tests are UTF-8"), view.value())
    };
    samples.views().map(one).collect()
}
