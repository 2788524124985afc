//! The command as its users meet it: what it exits with, what it says, what it writes.

mod bad_input;
mod ci_jobs;
mod doctor;
mod full_outputs;
mod help;
mod init;
mod left_behind;
mod recordings;
mod scratch;
mod verdicts;
mod watching;
mod writing;
