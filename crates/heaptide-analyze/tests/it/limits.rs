//! Budgets as people write them, and what they let pass.

use heaptide_analyze::policy::Limit;

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
