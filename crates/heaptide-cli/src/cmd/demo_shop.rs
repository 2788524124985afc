//! `heaptide demo-shop`: the service that `heaptide demo` watches; hidden from the help.

use tokio::runtime::Runtime;

use crate::args::DemoShop;
use crate::demo::service::{self, Reaper};
use crate::exit::Exit;

pub(crate) fn run(args: &DemoShop) -> anyhow::Result<Exit> {
    let reaper = if args.no_reaper { Reaper::Disabled } else { Reaper::Running };
    Runtime::new()?.block_on(service::serve(reaper))?;
    Ok(Exit::Clean)
}
