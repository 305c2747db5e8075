//! Labels set on all samples.

use std::mem::take;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::block::Segment;
use crate::build::{Builder, Like, push_label_name, push_label_set};
use crate::label::{push_escaped, push_quoted};
use crate::samples::Samples;

/// A name and a value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// The samples with labels set: `replace` replaces, `default` fills in absent or empty ones. They keep their places,
/// unless they are to be compact.
pub fn with_labels(samples: &Samples, replace: &[Pair], default: &[Pair], compact: bool) -> Samples {
    let mut given: Vec<Given> = replace.iter().map(|pair| Given::new(pair, true)).collect();
    let defaults = default.iter().filter(|pair| replace.iter().all(|other| other.0 != pair.0));
    given.extend(defaults.map(|pair| Given::new(pair, false)));
    given.sort_by_key(|label| label.name);
    let placed = !compact && !samples.is_empty() && samples.span(0).is_some();

    let mut builder = Builder::default();
    let mut spans = Vec::new();
    let mut labels = Vec::new();
    for part in samples.parts() {
        let mut plans: HashMap<u32, Plan, RandomState> = HashMap::default();
        for view in part.views() {
            let place = if placed { view.span() } else { None };
            let kind = view.fields().kind;
            let layout = &*view.block.layout;
            let Some(shape) = layout.shape(kind) else {
                view.sorted_labels(&mut labels);
                let own = labels.iter().map(|label| (&*label.name, &*label.value));
                let pairs = merged(own, &given).map(|(name, own, given)| (name, chosen(own, given)));
                builder.push_relabelled(view, place, None, |text| push_label_set(text, pairs));
                continue;
            };
            let plan = plans.entry(kind).or_insert_with(|| Plan::new(layout.segments(shape), view.text, &given));
            spans.clear();
            let mut values = view.values(shape);
            while let Some(value) = values.next() {
                spans.push((values.end() - value.len(), values.end()));
            }
            let like = builder.push_relabelled(view, place, plan.like, |out| plan.write(out, view.text, &spans));
            plan.like = Some(like).filter(|_| !plan.varies);
        }
    }
    builder.finish()
}

/// A label that is set.
struct Given<'a> {
    name: &'a [u8],
    value: &'a [u8],
    /// Whether it replaces what is there, even if that is not empty.
    replaces: bool,
}

impl<'a> Given<'a> {
    fn new((name, value): &'a Pair, replaces: bool) -> Given<'a> {
        Given { name, value, replaces }
    }
}

/// Own and given labels in sorted order, as both are.
fn merged<'a, T>(
    own: impl Iterator<Item = (&'a [u8], T)>,
    given: &'a [Given<'a>],
) -> impl Iterator<Item = (&'a [u8], Option<T>, Option<&'a Given<'a>>)> {
    let (mut own, mut given) = (own.peekable(), given.iter().peekable());
    std::iter::from_fn(move || {
        let name = match (own.peek(), given.peek()) {
            (Some(own), Some(given)) => own.0.min(given.name),
            (Some(own), None) => own.0,
            (None, given) => given?.name,
        };
        let own = own.next_if(|own| own.0 == name).map(|own| own.1);
        Some((name, own, given.next_if(|given| given.name == name)))
    })
}

/// Which of two values the label gets.
fn chosen<'a>(own: Option<&'a [u8]>, given: Option<&'a Given>) -> &'a [u8] {
    let own = own.unwrap_or_default();
    given.filter(|given| given.replaces || own.is_empty()).map_or(own, |given| given.value)
}

/// How the label sets of a shape are written with the given labels among them.
struct Plan {
    steps: Vec<Step>,
    /// Whether some come out with escapes and some without.
    varies: bool,
    /// The kind that they became.
    like: Option<Like>,
}

enum Step {
    Text(Vec<u8>),
    /// The values of these labels of the shape, as they are written, with what stands between them.
    Values(usize, usize),
    /// The value of a label, or this instead of an empty one.
    ValueOr(usize, Vec<u8>),
}

impl Plan {
    fn new(segments: &[Segment], text: &[u8], given: &[Given]) -> Plan {
        let names = segments[..segments.len() - 1].iter().map(|segment| segment.name.of(text));
        let mut own: Vec<(&[u8], usize)> = names.zip(0..).collect();
        own.sort_unstable();
        let mut plan = Plan { steps: Vec::new(), varies: false, like: None };
        let mut before = vec![b'{'];
        for (name, own, given) in merged(own.into_iter(), given) {
            push_label_name(&mut before, name);
            before.push(b'=');
            match (own, given) {
                (Some(label), None) => {
                    before.push(b'"');
                    plan.push_value(&mut before, label, segments[label].text.of(text));
                }
                (Some(label), Some(given)) if !given.replaces => {
                    let mut value = Vec::new();
                    push_escaped(&mut value, given.value, true);
                    plan.varies |= value.contains(&b'\\');
                    before.push(b'"');
                    plan.steps.push(Step::Text(take(&mut before)));
                    plan.steps.push(Step::ValueOr(label, value));
                    before.push(b'"');
                }
                (_, given) => push_quoted(&mut before, given.map_or(b"", |given| given.value)),
            }
            before.push(b',');
        }
        before.pop();
        before.push(b'}');
        plan.steps.push(Step::Text(before));
        plan
    }

    /// Continue with the value of a label, after what is to stand before it, and what does in the shape.
    fn push_value(&mut self, before: &mut Vec<u8>, label: usize, written: &[u8]) {
        match self.steps.last_mut() {
            Some(Step::Values(_, last)) if *last + 1 == label && *before == written => *last = label,
            _ => {
                self.steps.push(Step::Text(take(before)));
                self.steps.push(Step::Values(label, label));
            }
        }
        before.clear();
        before.push(b'"');
    }

    /// Append a label set whose values stand at these places of the text.
    fn write(&self, out: &mut Vec<u8>, text: &[u8], spans: &[(usize, usize)]) {
        for step in &self.steps {
            out.extend_from_slice(match step {
                Step::Text(text) => text,
                Step::Values(first, last) => &text[spans[*first].0..spans[*last].1],
                Step::ValueOr(label, default) => match spans[*label] {
                    (start, end) if start == end => default,
                    (start, end) => &text[start..end],
                },
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::{read, shown};

    fn pairs(pairs: &[(&str, &str)]) -> Vec<Pair> {
        pairs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
    }

    const LINES: &str =
        "a{z=\"1\",b=\"2\"} 1\na{z=\"\",b=\"3\"} 2 7\na 3\na{\"b\"=\"\",z=\"\\\\\"} 4\na{z=\"x\",b=\"y\"} 5\n";

    #[test]
    fn labels_are_replaced_and_filled_in() {
        let samples = read(LINES);
        let found =
            with_labels(&samples, &pairs(&[("b", "q\"")]), &pairs(&[("z", "d"), ("b", "no"), ("é", "")]), false);
        let expected = [
            r#"a{b="q\"",z="1","é"=""} 1"#,
            r#"a{b="q\"",z="d","é"=""} 2"#,
            r#"a{b="q\"",z="d","é"=""} 3"#,
            r#"a{b="q\"",z="\\","é"=""} 4"#,
            r#"a{b="q\"",z="x","é"=""} 5"#,
        ];
        assert_eq!(shown(&found), expected);
        assert_eq!(found.span(1), samples.span(1));
        assert_eq!(found.at(1).time(), samples.at(1).time());
        assert_eq!(with_labels(&samples.compact(), &[], &[], false).span(1), None);
        assert_eq!(with_labels(&samples, &[], &[], true).span(1), None);
    }

    #[test]
    fn what_comes_out_is_as_regular_as_what_goes_in() {
        let samples = read(LINES);
        let found = with_labels(&samples, &pairs(&[("job", "x"), ("a", "")]), &[], false);
        let text = String::from_utf8_lossy(found.at(0).label_text()).into_owned();
        assert_eq!(text, r#"{a="",b="2",job="x",z="1"}"#);
        let block = &found.parts()[0].block;
        assert_eq!(block.rows[0].kind, block.rows[4].kind);
        assert!(block.layout.shape(block.rows[0].kind).is_some());
    }

    #[test]
    fn neighbours_are_copied_as_they_are_written_if_that_is_canonical() {
        let lines = "a{b=\"1\",c=\"2\",d=\"3\",f=\"4\"} 1\na{ b=\"1\", c=\"2\",d=\"3\",f = \"\",} 1\n";
        let found = with_labels(&read(lines), &pairs(&[("e", "x")]), &pairs(&[("f", "y")]), false);
        let texts = [r#"{b="1",c="2",d="3",e="x",f="4"}"#, r#"{b="1",c="2",d="3",e="x",f="y"}"#];
        for (index, text) in texts.iter().enumerate() {
            assert_eq!(found.at(index).label_text(), text.as_bytes());
        }
    }

    #[test]
    fn a_value_with_escapes_is_no_value_of_a_shape() {
        for values in [["", "1"], ["1", ""]] {
            let lines = values.map(|value| format!("a{{b=\"{value}\"}} 1\n")).concat();
            let found = with_labels(&read(&lines), &[], &pairs(&[("b", "\n")]), false);
            let expected = values.map(|value| format!("a{{b=\"{}\"}} 1", if value.is_empty() { "\\n" } else { value }));
            assert_eq!(shown(&found), expected);
        }
    }
}
