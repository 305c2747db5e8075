//! Samples chosen by their labels.

use std::borrow::Cow;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::block::{Shape, View};
use crate::samples::Samples;

/// The samples whose labels of these names all are accepted; an absent label is asked about as the empty text.
///
/// `accepts` gets the number of the name, and a value; it is asked once for each, in order of appearance, and not about
/// labels after one that is refused.
pub fn select<E>(
    samples: &Samples,
    names: &[Vec<u8>],
    mut accepts: impl FnMut(usize, &[u8]) -> Result<bool, E>,
) -> Result<Samples, E> {
    let mut questions: Vec<Question> = names.iter().map(|name| Question::new(name)).collect();
    let mut chosen = Vec::new();
    let mut index = 0;
    for part in samples.parts() {
        questions.iter_mut().for_each(|question| question.kind = None);
        for view in part.views() {
            let mut fits = true;
            for (number, question) in questions.iter_mut().enumerate() {
                fits = question.verdict(view, |value| accepts(number, value))?;
                if !fits {
                    break;
                }
            }
            if fits {
                chosen.push(index);
            }
            index += 1;
        }
    }
    Ok(samples.gather(chosen))
}

/// What is known of a label that is asked about.
struct Question<'a> {
    name: &'a [u8],
    verdicts: HashMap<Cow<'a, [u8]>, bool, RandomState>,
    /// The last value and its verdict: neighbours tend to have one value.
    last: Option<(Cow<'a, [u8]>, bool)>,
    /// The last kind, and which of its labels has the name.
    kind: Option<(u32, Place)>,
}

/// Where in a label set a label is.
#[derive(Clone, Copy)]
enum Place {
    Nowhere,
    At(Shape, usize),
    Anywhere,
}

impl<'a> Question<'a> {
    fn new(name: &'a [u8]) -> Question<'a> {
        Question { name, verdicts: HashMap::default(), last: None, kind: None }
    }

    fn verdict<E>(&mut self, view: View<'a>, accepts: impl FnOnce(&[u8]) -> Result<bool, E>) -> Result<bool, E> {
        let value = self.value(view);
        if let Some((last, verdict)) = &self.last
            && *last == value
        {
            return Ok(*verdict);
        }
        let verdict = match self.verdicts.get(&value) {
            Some(&verdict) => verdict,
            None => {
                let verdict = accepts(&value)?;
                self.verdicts.insert(value.clone(), verdict);
                verdict
            }
        };
        self.last = Some((value, verdict));
        Ok(verdict)
    }

    fn value(&mut self, view: View<'a>) -> Cow<'a, [u8]> {
        let kind = view.fields().kind;
        let place = match self.kind {
            Some((known, place)) if known == kind => place,
            _ => self.place(view, kind),
        };
        self.kind = Some((kind, place));
        let found = match place {
            Place::Nowhere => None,
            Place::At(shape, number) => view.values(shape).nth(number).map(Cow::Borrowed),
            Place::Anywhere => view.labels().find(|label| label.name == self.name).map(|label| label.value),
        };
        found.unwrap_or_default()
    }

    fn place(&self, view: View<'a>, kind: u32) -> Place {
        let layout = &*view.block.layout;
        let Some(shape) = layout.shape(kind) else {
            return Place::Anywhere;
        };
        let segments = &layout.segments(shape)[..shape.labels as usize];
        let found = segments.iter().position(|segment| segment.name.of(view.text) == self.name);
        found.map_or(Place::Nowhere, |number| Place::At(shape, number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::{read, shown};

    #[test]
    fn each_value_is_asked_about_once() {
        let samples =
            read("a{b=\"1\"} 1\na{c=\"x\",b=\"2\"} 2\na 3\na{b=\"1\",c=\"y\"} 4\na{\"b\"=\"1\",c=\"\\\\\"} 5\n");
        let mut asked = Vec::new();
        let names = [b"b".to_vec(), b"c".to_vec()];
        let found = select(&samples, &names, |number, value| {
            asked.push((number, String::from_utf8_lossy(value).into_owned()));
            Ok::<bool, ()>(number == 1 || value == b"1")
        });
        assert_eq!(
            shown(&found.expect("no question fails")),
            ["a{b=\"1\"} 1", "a{b=\"1\",c=\"y\"} 4", "a{b=\"1\",c=\"\\\\\"} 5"]
        );
        let expected = [(0, "1"), (1, ""), (0, "2"), (0, ""), (1, "y"), (1, "\\")];
        assert_eq!(asked, expected.map(|(number, value)| (number, value.to_string())));
    }

    #[test]
    fn a_question_may_fail() {
        let samples = read("a{b=\"1\"} 1\na{b=\"2\"} 1\n");
        let found = select(&samples, &[b"b".to_vec()], |_, value| if value == b"2" { Err("no") } else { Ok(true) });
        assert_eq!(found.err(), Some("no"));
    }
}
