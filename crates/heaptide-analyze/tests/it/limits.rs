//! Budgets as people write them, and what they let pass.

use heaptide_analyze::axis::WarmUp;
use heaptide_analyze::policy::{Limit, Policy};

#[test]
fn a_limit_that_says_nothing_is_refused() {
    for (text, said) in [
        ("", "`` is not an amount: write `0 objects/op`, `1 KiB/op` or `10 MiB/h`"),
        ("lots", "`lots` is not an amount: write `0 objects/op`, `1 KiB/op` or `10 MiB/h`"),
        (
            "-1 objects",
            "`-1 objects` is not an amount: write `0 objects/op`, `1 KiB/op` or `10 MiB/h`",
        ),
        (
            "NaN objects",
            "`NaN objects` is not an amount: write `0 objects/op`, `1 KiB/op` or `10 MiB/h`",
        ),
        ("1 B/op, ", "`` is not an amount: write `0 objects/op`, `1 KiB/op` or `10 MiB/h`"),
        ("5 objects/", "`5 objects/` does not say per what"),
    ] {
        assert_eq!(text.parse::<Limit>().map(|limit| limit.to_string()), Err(said.to_owned()));
    }
}

#[test]
fn a_limit_is_shown_as_it_was_written() {
    for text in ["0 objects/op", "1 KiB/req, 10 MiB/h", "64 objects", "  3 obj / s"] {
        assert_eq!(text.parse::<Limit>().map(|limit| limit.to_string()), Ok(text.to_owned()));
    }
    assert_eq!(Limit::objects(64).to_string(), "64 objects");
    assert_eq!(Limit::bytes(64).to_string(), "64 B");
    assert_eq!(Limit::default().to_string(), "0 objects/op, 0 B/op");
}

/// What the policy's own values are read as, through what they do to an axis or a rule.
#[test]
fn values_are_read_as_people_write_them() {
    let policy = |text: &str| Policy::parse(text).map_err(|error| error.to_string());
    for (text, warm_up) in [
        ("", WarmUp::Quarter),
        ("warm_up = 7", WarmUp::Snapshots(7)),
        ("warm_up = '30s'", WarmUp::Nanoseconds(30_000_000_000)),
        ("warm_up = '1m 30s'", WarmUp::Nanoseconds(90_000_000_000)),
        ("warm_up = '0s'", WarmUp::Nanoseconds(0)),
    ] {
        assert_eq!(policy(text).map(|policy| policy.warm_up), Ok(warm_up), "{text}");
    }
    for (text, bytes) in [
        ("memory_limit = '512 MiB'", 512 << 20),
        ("memory_limit = '2GB'", 2_000_000_000),
        ("memory_limit = '0'", 0),
    ] {
        assert_eq!(policy(text).map(|policy| policy.memory_limit_bytes), Ok(Some(bytes)), "{text}");
    }
    for (text, said) in [
        (
            "warm_up = '7'",
            "1:11: `7` is not a duration such as `30s`, `15m` or `1h 30m`, nor a number of snapshots, which takes no quotes",
        ),
        ("warm_up = -1", "1:11: expected a duration such as `30s` or a number of snapshots"),
        ("max_lifetime = '-5s'", "1:16: `-5s` is not a duration"),
        ("memory_limit = 'all'", "1:16: `all` is not a size such as `512 MiB`"),
        ("least_snapshots = 70000", "1:19: invalid value"),
        ("[budget]\ndependencies = 'ignored'", "2:16: unknown variant `ignored`"),
        ("[[allow]]\nsite = 'a'\nlimit = '5'\n[[allow]]\nsite = '  '", "5:8: the pattern is empty"),
    ] {
        let error = policy(text).expect_err(text);
        assert!(error.starts_with(said), "{error}");
    }
}
