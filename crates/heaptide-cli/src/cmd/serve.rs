//! `heaptide serve DIR`

use std::fs;

use anyhow::{Context, bail};

use crate::args::{JudgingOptions, Serve};
use crate::exit::Exit;
use crate::judging::Judge;
use crate::serve::{Serving, Token, serve};

/// Where a token is looked for if no file is named.
const TOKEN_VARIABLE: &str = "HEAPTIDE_TOKEN";

pub(crate) fn run(args: &Serve) -> anyhow::Result<Exit> {
    let token = token(args)?;
    if token.is_none() && !args.listen.ip().is_loopback() {
        bail!(
            "{} can be reached from other machines: give --token-file FILE, or {TOKEN_VARIABLE}",
            args.listen
        );
    }
    let dir = args.dir.canonicalize();
    let dir = dir.with_context(|| format!("cannot serve {}", args.dir.display()))?;
    let judging = JudgingOptions {
        config: args.config.clone(),
        baseline: args.baseline.clone(),
        symbol_path: args.symbol_path.clone(),
        work: args.work.clone(),
        ..JudgingOptions::default()
    };
    let judge = Judge::new(&judging)?;
    let on_finding = args.on_finding.clone();
    serve(&judge, Serving { dir, listen: args.listen, token, on_finding })?;
    Ok(Exit::Clean)
}

fn token(args: &Serve) -> anyhow::Result<Option<Token>> {
    let secret = match &args.token_file {
        Some(file) => {
            let cause = || format!("cannot read the token in {}", file.display());
            Some(fs::read_to_string(file).with_context(cause)?)
        }
        None => std::env::var(TOKEN_VARIABLE).ok().filter(|secret| !secret.is_empty()),
    };
    secret.as_deref().map(Token::new).transpose()
}
