//! The load on the service: `bench-client PORT (requests|ms|ms-paced) AMOUNT`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use heaptide_bench::client;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [port, unit, amount] = &args[..] else {
        eprintln!("usage: bench-client PORT (requests|ms|ms-paced) AMOUNT");
        return ExitCode::from(2);
    };
    let (Ok(port), Ok(amount)) = (port.parse(), amount.parse()) else {
        eprintln!("not a port and an amount: {port} {amount}");
        return ExitCode::from(2);
    };
    match client::run(port, unit, amount) {
        Ok(load) => {
            println!("{}", serde_json::to_string(&load).unwrap_or_default());
            ExitCode::SUCCESS
        }
        Err(err) => {
            eprintln!("bench-client: {err}");
            ExitCode::from(2)
        }
    }
}
