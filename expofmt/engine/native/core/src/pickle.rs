//! Samples as the bytes that a pickle holds: one record after the other, all numbers little-endian.
//!
//! A record refers to names by their number, in the order in which they first occur; a new number is followed by the
//! name. The first byte of all is the version of the format.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::block::{Exemplar, Extra, Time, View};
use crate::build::Builder;
use crate::samples::Samples;
use crate::scan::line::label_set;

const VERSION: u8 = 1;

// What a record has besides name, labels and value.
const TIME: u8 = 1;
const LITERAL: u8 = 2;
const EXTRA: u8 = 4;

/// These bytes are none that [`dump`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// The samples as bytes, without their places in an input.
pub fn dump(samples: &Samples) -> Vec<u8> {
    let mut out = vec![VERSION];
    let mut names: HashMap<&[u8], u32, RandomState> = HashMap::default();
    for view in samples.views() {
        let next = names.len() as u32;
        let number = *names.entry(view.name()).or_insert(next);
        out.extend_from_slice(&number.to_le_bytes());
        if number == next {
            push_text(&mut out, view.name());
        }
        push_sample(&mut out, view);
    }
    out
}

/// The samples that were written.
pub fn load(bytes: &[u8]) -> Result<Samples, Malformed> {
    let mut input = Input { bytes };
    if input.byte()? != VERSION {
        return Err(Malformed);
    }
    let mut builder = Builder::default();
    let mut names: Vec<&[u8]> = Vec::new();
    while !input.bytes.is_empty() {
        let number = u32::from_le_bytes(input.array()?) as usize;
        if number == names.len() {
            names.push(input.text()?);
        }
        let name = names.get(number).ok_or(Malformed)?;
        let labels = input.label_set()?;
        let value = f64::from_le_bytes(input.array()?);
        let has = input.byte()?;
        let time = if has & TIME != 0 { Some(input.time()?) } else { None };
        let literal = if has & LITERAL != 0 { Some(input.text()?) } else { None };
        let extra = if has & EXTRA != 0 { Some(input.extra()?) } else { None };
        builder.push_written(name, labels, value, time, literal, extra);
    }
    Ok(builder.finish())
}

fn push_sample(out: &mut Vec<u8>, view: View<'_>) {
    let (time, literal, extra) = (view.time(), view.literal(), view.extra());
    push_text(out, view.label_text());
    out.extend_from_slice(&view.value().to_le_bytes());
    let flag = |has: bool, flag: u8| if has { flag } else { 0 };
    out.push(flag(time.is_some(), TIME) | flag(literal.is_some(), LITERAL) | flag(extra.is_some(), EXTRA));
    if let Some(time) = time {
        push_time(out, time);
    }
    if let Some(literal) = literal {
        push_text(out, literal);
    }
    if let Some(extra) = extra {
        push_time(out, extra.start.unwrap_or(Time::ABSENT));
        out.extend_from_slice(&(extra.exemplars.len() as u32).to_le_bytes());
        for exemplar in &extra.exemplars {
            push_text(out, &exemplar.labels);
            out.extend_from_slice(&exemplar.value.to_le_bytes());
            push_time(out, exemplar.time.unwrap_or(Time::ABSENT));
        }
    }
}

fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    let length = u32::try_from(text.len()).expect("no text of a sample is longer than an offset of its block can tell");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text);
}

fn push_time(out: &mut Vec<u8>, time: Time) {
    out.extend_from_slice(&time.ms.to_le_bytes());
    out.extend_from_slice(&time.nanos.to_le_bytes());
}

/// What has not been read yet.
struct Input<'a> {
    bytes: &'a [u8],
}

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(Malformed)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    fn text(&mut self) -> Result<&'a [u8], Malformed> {
        let length = u32::from_le_bytes(self.array()?);
        let text = self.take(length as usize)?;
        std::str::from_utf8(text).map_err(|_| Malformed)?;
        Ok(text)
    }

    /// The text of a label set, or nothing.
    fn label_set(&mut self) -> Result<&'a [u8], Malformed> {
        let text = self.text()?;
        let is_whole = label_set(text, 0).is_some_and(|(end, names)| end == text.len() && names < 2);
        if text.is_empty() || (text[0] == b'{' && is_whole) { Ok(text) } else { Err(Malformed) }
    }

    fn time(&mut self) -> Result<Time, Malformed> {
        Ok(Time { ms: i64::from_le_bytes(self.array()?), nanos: u32::from_le_bytes(self.array()?) })
    }

    fn extra(&mut self) -> Result<Extra, Malformed> {
        let start = self.time()?.present();
        let count = u32::from_le_bytes(self.array()?);
        let mut exemplars = Vec::new();
        for _ in 0..count {
            let labels = self.label_set()?.into();
            let value = f64::from_le_bytes(self.array()?);
            exemplars.push(Exemplar { labels, value, time: self.time()?.present() });
        }
        Ok(Extra { exemplars, start })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::{Family, encode};
    use crate::escape::EscapingScheme;
    use crate::family::MetricType;
    use crate::fingerprint::fingerprints;
    use crate::identity::duplicates;
    use crate::rules::histogram_faults;

    fn samples() -> Samples {
        let mut builder = Builder::default();
        let exemplar = Exemplar { labels: (*b"{t=\"1\"}").into(), value: 0.5, time: Some(Time { ms: 2, nanos: 3 }) };
        let extra = Extra { exemplars: vec![exemplar], start: None };
        let time = Some(Time { ms: i64::MIN, nanos: 999_999 });
        builder.push(b"a", [(&b"b"[..], &b"\n\"}"[..])], 1.5, time, Some(b"1.50"), None);
        builder.push(b"c.d", [], f64::INFINITY, None, None, Some(extra));
        builder.push(b"a", [(&b"b"[..], &b""[..])], -0.0, None, None, None);
        builder.finish()
    }

    #[test]
    fn what_is_dumped_is_loaded() {
        let (before, after) = (samples(), load(&dump(&samples())).unwrap());
        assert_eq!(before.len(), after.len());
        for (mine, theirs) in before.views().zip(after.views()) {
            assert_eq!(mine.name(), theirs.name());
            assert_eq!(mine.label_text(), theirs.label_text());
            assert_eq!(mine.value().to_bits(), theirs.value().to_bits());
            assert_eq!(mine.time(), theirs.time());
            assert_eq!(mine.literal(), theirs.literal());
            assert_eq!(mine.extra(), theirs.extra());
        }
        assert!(load(&dump(&Samples::default())).unwrap().is_empty());
    }

    #[test]
    fn other_bytes_are_refused_and_harm_nobody() {
        let whole = dump(&samples());
        assert_eq!(load(b"").err(), Some(Malformed));
        assert_eq!(load(b"\x02").err(), Some(Malformed));
        for length in 0..whole.len() {
            for byte in [0, 1, 0x7B, 0xFF] {
                let mut bytes = whole.clone();
                bytes[length] = byte;
                for bytes in [&bytes[..], &whole[..length]] {
                    let found = load(bytes).unwrap_or_default();
                    for view in found.views() {
                        assert!(view.labels().count() < whole.len());
                    }
                    assert_eq!(fingerprints(&found).len(), found.len());
                    for kind in MetricType::ALL {
                        assert!(duplicates(&found, b"a", kind).len() <= found.len());
                        histogram_faults(&found, b"a", kind);
                        let family = Family { name: b"a", kind, help: None, samples: (&found).into() };
                        assert!(encode(&[family], EscapingScheme::Values, true).ends_with(b"\n"));
                    }
                }
            }
        }
    }
}
