//! Classes: the kinds of the samples that are compared, and how the samples of each are.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::{Scope, hash_bytes, value_start};
use crate::block::{Layout, Segment, Shape, View};

/// What there is to know about the samples of a kind.
pub struct Class<'a> {
    pub name: &'a [u8],
    /// The number of the name, where names count. Samples of different numbers are never the same.
    pub name_number: u32,
    /// Samples of different groups are never the same, unless one of their names is irregular.
    pub group: u32,
    /// Whether the texts of label sets decide which samples of the group are the same.
    pub textual: bool,
    layout: &'a Layout,
    /// None if the kind is irregular.
    shape: Option<Shape>,
    /// Those of the shape; none if there is none.
    segments: &'a [Segment],
    /// Whether the label that the scope is about is compared as a bound, or not at all.
    pub has_point: bool,
    /// That label's number in the shape.
    point: Option<usize>,
    split: Split,
    /// Whether the first part of the split text is all that there is to compare, but for a time.
    pub plain: bool,
    /// For each of the other labels, in written order, its place in the order of their names.
    pub ranks: Vec<u32>,
    /// Tells hashes of samples that are never the same from each other.
    pub salt: u64,
    /// The hashes of the other labels' names in written order, if the texts don't decide.
    pub name_hashes: Vec<u64>,
}

/// How the label sets of a class fall into what is compared, and the value of the label that the scope is about.
///
/// What follows the last value that is compared is left out, so that the samples of a histogram have one text, with a
/// bound at the end or without it.
#[derive(Clone, Copy)]
enum Split {
    /// The kind is irregular.
    Whole,
    /// The label does not occur. From the last quote on, so many bytes follow.
    Absent { closing: usize },
    /// The label is the last one; so many bytes stand between the quote that ends the value before it, and its value.
    Last { opening: usize, closing: usize },
    /// Its number in the shape.
    Inner(usize),
}

impl Split {
    fn of(segments: &[Segment], point: Option<usize>) -> Split {
        let length = |segment: &Segment| (segment.text.end - segment.text.start) as usize;
        match (segments, point) {
            ([], _) => Split::Whole,
            ([.., closing], None) => Split::Absent { closing: length(closing) },
            ([.., opening, closing], Some(point)) if point + 2 == segments.len() => {
                Split::Last { opening: length(opening), closing: length(closing) }
            }
            (_, Some(point)) => Split::Inner(point),
        }
    }
}

/// A label set in parts.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// What is compared.
    pub text: &'a [u8],
    /// More of it, after the value of the label that the scope is about.
    pub rest: &'a [u8],
    /// That value, in a regular row.
    pub point: Option<&'a [u8]>,
}

impl<'a> Class<'a> {
    pub fn is_regular(&self) -> bool {
        self.shape.is_some()
    }

    /// A label set in parts.
    #[inline(always)]
    pub fn split(&self, text: &'a [u8]) -> Parts<'a> {
        match self.split {
            Split::Whole => Parts { text, rest: b"", point: None },
            Split::Absent { closing } => {
                Parts { text: &text[..text.len().saturating_sub(closing)], rest: b"", point: None }
            }
            Split::Last { opening, closing } => {
                let end = text.len().saturating_sub(closing);
                let start = value_start(text, end);
                Parts { text: &text[..start.saturating_sub(opening)], rest: b"", point: Some(&text[start..end]) }
            }
            Split::Inner(point) => self.split_inside(point, text),
        }
    }

    #[inline(never)]
    fn split_inside(&self, point: usize, text: &'a [u8]) -> Parts<'a> {
        let mut end = text.len();
        for number in (point + 1..self.segments.len()).rev() {
            let segment = self.segments[number].text;
            end = end.saturating_sub((segment.end - segment.start) as usize);
            if number > point + 1 {
                end = value_start(text, end);
            }
        }
        let start = value_start(text, end);
        Parts { text: &text[..start], rest: &text[end..], point: Some(&text[start..end]) }
    }

    /// The values of a regular row in written order, without that of the label that the scope is about.
    pub fn other_values(&self, view: View<'a>) -> impl Iterator<Item = &'a [u8]> {
        let values = self.shape.into_iter().flat_map(move |shape| view.values(shape)).enumerate();
        values.filter(|(number, _)| self.point != Some(*number)).map(|(_, value)| value)
    }

    /// The names of those labels.
    fn other_names(&self) -> impl Iterator<Item = &'a [u8]> {
        let (point, text) = (self.point, self.layout.text());
        let labels = self.segments.iter().take(self.segments.len().saturating_sub(1)).enumerate();
        labels.filter(move |(number, _)| point != Some(*number)).map(move |(_, label)| label.name.of(text))
    }

    /// Whether label sets of two classes with the same label names are alike but for the values.
    fn is_alike(&self, other: &Class<'a>) -> bool {
        self.compared().1 == other.compared().1 && self.texts().eq(other.texts())
    }

    /// How many of the segments are compared, and whether the value of the label that the scope is about is among them.
    fn compared(&self) -> (usize, bool) {
        match self.split {
            Split::Whole => (0, false),
            Split::Absent { .. } => (self.segments.len() - 1, false),
            Split::Last { .. } => (self.segments.len() - 2, false),
            Split::Inner(_) => (self.segments.len(), true),
        }
    }

    fn texts(&self) -> impl Iterator<Item = &'a [u8]> {
        let text = self.layout.text();
        self.segments[..self.compared().0].iter().map(|segment| segment.text.of(text))
    }
}

/// All classes of the samples that are compared.
#[derive(Default)]
pub struct Classes<'a> {
    all: Vec<Class<'a>>,
    /// By the number of the layout, and the kind in it.
    numbers: HashMap<(u32, u32), u32, RandomState>,
}

impl<'a> Classes<'a> {
    pub fn all(&self) -> &[Class<'a>] {
        &self.all
    }

    #[inline]
    pub fn get(&self, number: u32) -> &Class<'a> {
        &self.all[number as usize]
    }

    /// The number of a kind's class, by the number of its layout.
    pub fn number(&self, layout: u32, kind: u32) -> u32 {
        self.numbers[&(layout, kind)]
    }
}

/// Collects classes.
pub struct Survey<'a> {
    scope: Scope<'a>,
    classes: Classes<'a>,
    /// By the number of the name and the label names in sorted order.
    groups: HashMap<Vec<u8>, u32, RandomState>,
    /// For each group its first class, and whether all others are alike.
    first_classes: Vec<(u32, bool)>,
    names: HashMap<&'a [u8], u32, RandomState>,
    /// For each name whether it is irregular: a sample of that name is, and has labels.
    irregular: Vec<bool>,
}

impl<'a> Survey<'a> {
    pub fn new(scope: Scope<'a>) -> Survey<'a> {
        Survey {
            scope,
            classes: Classes::default(),
            groups: HashMap::default(),
            first_classes: Vec::new(),
            names: HashMap::default(),
            irregular: Vec::new(),
        }
    }

    /// Add a kind, by its layout and the number of that. Returns the number of the class, and, for an irregular kind, that
    /// of the name.
    pub fn add(&mut self, layout: &'a Layout, layout_number: u32, kind: u32) -> (u32, Option<u32>) {
        let next = self.classes.all.len() as u32;
        let number = *self.classes.numbers.entry((layout_number, kind)).or_insert(next);
        if number == next {
            self.add_class(layout, kind);
        }
        let class = self.classes.get(number);
        (number, (!class.is_regular()).then_some(class.name_number))
    }

    /// An irregular sample of a name has labels.
    pub fn mark_irregular(&mut self, name_number: u32) {
        self.irregular[name_number as usize] = true;
    }

    fn add_class(&mut self, layout: &'a Layout, kind: u32) {
        let name = layout.name(layout.kinds[kind as usize].name);
        let shape = layout.shape(kind);
        let segments = shape.map_or(&[][..], |shape| layout.segments(shape));
        let (compared_name, point_label) = match self.scope {
            Scope::Series(point) => (name, point.filter(|point| point.sample_name == name).map(|point| point.label)),
            Scope::Without(label) => (&b""[..], Some(label)),
        };
        let next = self.irregular.len() as u32;
        let name_number = *self.names.entry(compared_name).or_insert(next);
        if name_number == next {
            self.irregular.push(false);
        }
        let text = layout.text();
        // The last segment has no name.
        let is_point = |segment: &Segment| Some(segment.name.of(text)) == point_label;
        let point = segments.iter().position(is_point).filter(|point| point + 1 < segments.len());
        let mut class = Class {
            name,
            name_number,
            group: 0,
            textual: false,
            layout,
            shape,
            segments,
            has_point: point_label.is_some(),
            point,
            split: Split::of(segments, point),
            plain: false,
            ranks: Vec::new(),
            salt: 0,
            name_hashes: Vec::new(),
        };
        let mut names: Vec<(&[u8], usize)> = class.other_names().zip(0..).collect();
        names.sort_unstable();
        class.ranks.resize(names.len(), 0);
        for (rank, (_, number)) in (0..).zip(&names) {
            class.ranks[*number] = rank;
        }
        let mut key = name_number.to_le_bytes().to_vec();
        key.push(u8::from(point.is_some() && self.scope.compares_points()));
        for (name, _) in names {
            key.extend_from_slice(name);
            key.push(0xFF);
        }
        let next = self.first_classes.len() as u32;
        class.group = *self.groups.entry(key).or_insert(next);
        if class.group == next {
            self.first_classes.push((self.classes.all.len() as u32, true));
        } else {
            let (first, alike) = &mut self.first_classes[class.group as usize];
            *alike &= self.classes.get(*first).is_alike(&class);
        }
        self.classes.all.push(class);
    }

    /// The classes of all kinds that were added.
    pub fn finish(mut self, state: &RandomState) -> Classes<'a> {
        for class in &mut self.classes.all {
            let alike = self.first_classes[class.group as usize].1;
            class.textual = alike && !self.irregular[class.name_number as usize];
            let is_inner = matches!(class.split, Split::Inner(_));
            class.plain = class.textual && !is_inner && !(class.has_point && self.scope.compares_points());
            let number = if class.textual { class.group } else { class.name_number };
            class.salt = hash_bytes(state, &number.to_le_bytes());
            if !class.textual {
                class.name_hashes = class.other_names().map(|name| hash_bytes(state, name)).collect();
            }
        }
        self.classes
    }
}
