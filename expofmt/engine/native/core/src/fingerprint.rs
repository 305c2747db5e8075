//! Fingerprints of series.

use std::mem::take;

use blake2::digest::consts::U8;
use blake2::{Blake2b, Digest};
use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::block::{Segment, View};
use crate::samples::Samples;

/// A number for each sample's series (name and labels): equal for equal series, on every machine.
///
/// It is the big-endian BLAKE2b, 8 bytes long, of the name and then each label's name and value, sorted by name, with a
/// byte 0xFF, of which UTF-8 has no use, between any two of them.
pub fn fingerprints(samples: &Samples) -> Vec<u64> {
    let mut found = Vec::with_capacity(samples.len());
    let mut labels = Vec::new();
    let mut values = Vec::new();
    let mut identity = Vec::new();
    for part in samples.parts() {
        let layout = &*part.block.layout;
        let mut kinds: HashMap<u32, Pieces, RandomState> = HashMap::default();
        for view in part.views() {
            identity.clear();
            let kind = view.fields().kind;
            if let Some(shape) = layout.shape(kind) {
                values.clear();
                values.extend(view.values(shape));
                let pieces = kinds.entry(kind).or_insert_with(|| pieces(view, layout.segments(shape)));
                for (before, value) in pieces {
                    identity.extend_from_slice(before);
                    identity.extend_from_slice(values[*value]);
                }
            } else {
                identity.extend_from_slice(view.name());
                view.sorted_labels(&mut labels);
                for label in &labels {
                    for text in [&label.name, &label.value] {
                        identity.push(BETWEEN);
                        identity.extend_from_slice(text);
                    }
                }
            }
            found.push(u64::from_be_bytes(Blake2b::<U8>::digest(&identity).into()));
        }
    }
    found
}

/// No UTF-8 has it, so that no two series read alike.
const BETWEEN: u8 = 0xFF;

/// For each label of a shape, sorted by name, what comes before its value, and which value that is.
type Pieces = Vec<(Vec<u8>, usize)>;

fn pieces(view: View<'_>, segments: &[Segment]) -> Pieces {
    let names = segments[..segments.len() - 1].iter().map(|segment| segment.name.of(view.text));
    let mut labels: Vec<(&[u8], usize)> = names.zip(0..).collect();
    labels.sort_unstable();
    let mut before = view.name().to_vec();
    let mut pieces = Vec::new();
    for (name, number) in labels {
        before.push(BETWEEN);
        before.extend_from_slice(name);
        before.push(BETWEEN);
        pieces.push((take(&mut before), number));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::Builder;

    #[test]
    fn fingerprints_are_those_that_are_documented() {
        let mut builder = Builder::default();
        builder.push(b"a", [], 1.0, None, None, None);
        builder.push(b"a", [(&b"b"[..], "é".as_bytes()), (b"c.d", b"2")], 1.0, None, None, None);
        assert_eq!(fingerprints(&builder.finish()), [0x40f89e395b66422f, 0xdb3cff258d5075d6]);
    }
}
