//! The analyzer from the outside: recordings and made-up sites in, verdicts and reports out.

mod axis;
mod baseline;
mod calltree;
mod compare;
mod contradictions;
mod diff;
mod gates;
mod identity;
mod inputs;
mod judge;
mod limits;
mod load;
mod no_names;
mod one_run;
mod policy;
mod process;
mod rebuilds;
mod recording;
mod seeds;
mod series;
mod sites;
mod symbols;
mod verdict;
mod view;
mod warnings;
