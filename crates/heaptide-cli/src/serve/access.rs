//! Who may ask: everybody on this machine, and beyond it whoever knows the token.

use std::net::SocketAddr;

use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};

/// A shorter one can be tried out.
const LEAST_TOKEN_CHARS: usize = 16;

/// The secret that whoever asks must name; only its hash is kept.
#[derive(Clone, Debug)]
pub(crate) struct Token([u8; 32]);

impl Token {
    /// Takes a secret as it was configured.
    ///
    /// # Errors
    /// It is too short.
    pub(crate) fn new(secret: &str) -> anyhow::Result<Self> {
        let secret = secret.trim();
        let n_chars = secret.chars().count();
        anyhow::ensure!(
            n_chars >= LEAST_TOKEN_CHARS,
            "the token has {n_chars} characters, at least {LEAST_TOKEN_CHARS} are needed: \
             `openssl rand -hex 32` makes one"
        );
        Ok(Self(Sha256::digest(secret).into()))
    }

    /// Whether this is it. Takes as long whatever differs.
    fn is(&self, said: &str) -> bool {
        let said: [u8; 32] = Sha256::digest(said).into();
        let differs = self.0.iter().zip(said).fold(0, |differs, (a, b)| differs | (a ^ b));
        std::hint::black_box(differs) == 0
    }
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The token is missing or wrong.
    NoToken,
    /// The name it was asked for by is not this machine's: a page of somebody else's may stand behind
    /// it.
    OtherHost,
}

/// Whether a request may be answered.
pub(super) fn check(
    token: Option<&Token>,
    listening: SocketAddr,
    headers: &HeaderMap,
) -> Result<(), Refused> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    match token {
        Some(token) => {
            let said = text(header::AUTHORIZATION).and_then(|said| said.strip_prefix("Bearer "));
            said.filter(|said| token.is(said.trim())).map(drop).ok_or(Refused::NoToken)
        }
        // Without a token only loopback is served, and a page of another name could ask for it
        // through the browser of whoever sits here.
        None => text(header::HOST)
            .filter(|host| is_own_name(host, listening))
            .map(drop)
            .ok_or(Refused::OtherHost),
    }
}

fn is_own_name(host: &str, listening: SocketAddr) -> bool {
    let name = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
    let name = name.map_or(host, |(name, _)| name);
    matches!(name, "localhost" | "127.0.0.1" | "[::1]") || host == listening.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(of: &[(header::HeaderName, &str)]) -> HeaderMap {
        let parsed = of.iter().map(|(name, value)| (name.clone(), value.parse().expect("a value")));
        parsed.collect()
    }

    #[test]
    fn only_the_whole_token_opens() -> anyhow::Result<()> {
        let token = Token::new(" 0123456789abcdef\n")?;
        let listening = "0.0.0.0:7070".parse()?;
        let check = |said: &str| {
            let headers = headers(&[(header::AUTHORIZATION, said), (header::HOST, "shop")]);
            check(Some(&token), listening, &headers)
        };
        assert_eq!(check("Bearer 0123456789abcdef"), Ok(()));
        for wrong in [
            "",
            "Bearer ",
            "Bearer 0123456789abcde",
            "0123456789abcdef",
            "Bearer 0123456789abcdef0",
        ] {
            assert_eq!(check(wrong), Err(Refused::NoToken), "{wrong}");
        }
        assert_eq!(super::check(Some(&token), listening, &HeaderMap::new()), Err(Refused::NoToken));
        assert!(Token::new("short").is_err());
        Ok(())
    }

    /// A page of somebody else's, whose name was made to mean 127.0.0.1, could read everything.
    #[test]
    fn without_a_token_only_this_machine_is_answered() -> anyhow::Result<()> {
        let listening = "127.0.0.2:7070".parse()?;
        let check = |host: &str| check(None, listening, &headers(&[(header::HOST, host)]));
        for own in ["localhost", "localhost:7070", "127.0.0.1:9", "[::1]:7070", "127.0.0.2:7070"] {
            assert_eq!(check(own), Ok(()), "{own}");
        }
        for other in [
            "evil.example",
            "evil.example:7070",
            "localhost.evil.example",
            "",
            "127.0.0.1.evil.example:80",
        ] {
            assert_eq!(check(other), Err(Refused::OtherHost), "{other}");
        }
        assert_eq!(super::check(None, listening, &HeaderMap::new()), Err(Refused::OtherHost));
        Ok(())
    }
}
