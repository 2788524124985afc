//! The command as its users meet it: what it exits with, what it says, what it writes.

mod bad_input;
mod full_outputs;
mod help;
mod left_behind;
mod recordings;
mod scratch;
mod verdicts;
mod watching;
mod writing;
