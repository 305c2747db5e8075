//! Prometheus exposition text in columns.
//!
//! The scanner reads text into families whose samples are rows of a [`block::Block`]; the other modules answer questions
//! about many samples at once, unite them, and write them. Text is bytes everywhere, names too: what left the scanner is
//! UTF-8, comments and faulty lines excepted.
#![forbid(unsafe_code)]

pub mod block;
pub mod bound;
pub mod build;
pub mod cardinality;
mod copy;
pub mod encode;
pub mod equal;
pub mod escape;
pub mod explain;
pub mod family;
pub mod fault;
pub mod fingerprint;
pub mod gather;
pub mod identity;
pub mod label;
pub mod number;
pub mod order;
pub mod pickle;
pub mod plain;
pub mod plan;
pub mod relabel;
pub mod rules;
pub mod samples;
pub mod scan;
pub mod select;
pub mod series;
pub mod spell;
pub mod unite;

#[cfg(test)]
mod reading;
