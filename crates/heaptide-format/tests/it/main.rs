//! The format, its document and its schema, held together; and what becomes of damaged files.

#![forbid(unsafe_code)]

mod any;
mod damage;
mod document;
mod full;
mod released;
mod round_trip;
mod schema;
