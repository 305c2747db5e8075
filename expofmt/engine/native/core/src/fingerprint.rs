//! Fingerprints of series.

use blake2::digest::consts::U8;
use blake2::{Blake2b, Digest};

use crate::samples::Samples;

/// A number for each sample's series (name and labels): equal for equal series, on every machine.
///
/// It is the big-endian BLAKE2b, 8 bytes long, of the name and then each label's name and value, sorted by name, with a
/// byte 0xFF, of which UTF-8 has no use, between any two of them.
pub fn fingerprints(samples: &Samples) -> Vec<u64> {
    let mut labels = Vec::new();
    let mut identity = Vec::new();
    samples
        .views()
        .map(|view| {
            identity.clear();
            identity.extend_from_slice(view.name());
            view.sorted_labels(&mut labels);
            for label in &labels {
                for text in [&label.name, &label.value] {
                    identity.push(0xFF);
                    identity.extend_from_slice(text);
                }
            }
            u64::from_be_bytes(Blake2b::<U8>::digest(&identity).into())
        })
        .collect()
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
