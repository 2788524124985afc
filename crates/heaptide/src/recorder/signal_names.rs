//! Names of signals, as the environment spells them and recordings show them.

#![forbid(unsafe_code)]

const SIGNALS: [(&str, i32); 8] = [
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("USR1", libc::SIGUSR1),
    ("USR2", libc::SIGUSR2),
    ("TERM", libc::SIGTERM),
    ("ALRM", libc::SIGALRM),
    ("URG", libc::SIGURG),
];

/// The number of a signal, from its name or its number in digits.
pub(super) fn parse_signal(text: &str) -> Option<i32> {
    let name = text.strip_prefix("SIG").unwrap_or(text);
    let known = SIGNALS.iter().find(|(known, _)| *known == name);
    known.map(|&(_, number)| number).or_else(|| text.parse().ok())
}

/// The name of a signal, as `HEAPTIDE_SIGNAL` takes it.
pub(super) fn signal_name(signal: i32) -> String {
    let known = SIGNALS.iter().find(|&&(_, number)| number == signal);
    known.map_or_else(|| signal.to_string(), |&(name, _)| name.to_owned())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn signals_are_read_as_they_are_written() {
        for (name, number) in SIGNALS {
            assert_eq!(parse_signal(name), Some(number));
            assert_eq!(parse_signal(&format!("SIG{name}")), Some(number));
            assert_eq!(parse_signal(&signal_name(number)), Some(number));
        }
        assert_eq!(parse_signal("34"), Some(34));
        assert_eq!(parse_signal("USR3"), None);
    }
}
