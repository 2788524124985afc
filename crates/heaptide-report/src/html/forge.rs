//! Links to a line on the forge that a repository was cloned from.

/// A repository on a forge, at one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forge {
    /// What a path in the repository is appended to.
    base: String,
    line_anchor: &'static str,
}

impl Forge {
    /// The forge behind the address of a git remote, in any of the forms git takes; `None` if it is not
    /// on a forge that shows files over https. A user name or password in the address is left out.
    pub fn of_remote(remote: &str, commit: &str) -> Option<Self> {
        let (host, path) = host_and_path(remote.trim())?;
        let path = path.trim_matches('/').trim_end_matches(".git");
        let is_commit = commit.len() >= 7 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_plain(host, ".-:") || !is_plain(path, "/._-~") || !path.contains('/') || !is_commit {
            return None;
        }
        let (between, line_anchor) = match host {
            _ if host.contains("gitlab") => ("-/blob", "#L"),
            _ if host.contains("bitbucket") => ("src", "#lines-"),
            _ if host.contains("gitea") || host.contains("forgejo") => ("src/commit", "#L"),
            "codeberg.org" => ("src/commit", "#L"),
            _ => ("blob", "#L"),
        };
        Some(Self { base: format!("https://{host}/{path}/{between}/{commit}/"), line_anchor })
    }

    /// The address of a file, given by its path in the repository.
    pub(super) fn file(&self, path: &str) -> String {
        let mut link = self.base.clone();
        for byte in path.bytes() {
            match byte {
                b'/' | b'.' | b'-' | b'_' | b'~' => link.push(char::from(byte)),
                byte if byte.is_ascii_alphanumeric() => link.push(char::from(byte)),
                byte => link.push_str(&format!("%{byte:02X}")),
            }
        }
        link
    }

    /// What stands between the address of a file and the number of a line.
    pub(super) fn line_anchor(&self) -> &'static str {
        self.line_anchor
    }
}

fn host_and_path(remote: &str) -> Option<(&str, &str)> {
    if let Some((scheme, rest)) = remote.split_once("://") {
        let (authority, path) = rest.split_once('/')?;
        let host = authority.rsplit('@').next()?;
        // The port of ssh is not that of the pages.
        let host = match scheme {
            "http" | "https" => host,
            "ssh" | "git" | "git+ssh" => host.split(':').next()?,
            _ => return None,
        };
        return Some((host, path));
    }
    // `git@host:owner/repository.git`
    let (authority, path) = remote.split_once(':')?;
    Some((authority.rsplit('@').next()?, path)).filter(|(host, _)| host.contains('.'))
}

fn is_plain(text: &str, marks: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || marks.contains(c);
    !text.is_empty() && text.chars().all(is_plain) && !text.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_becomes_a_link_to_a_line() {
        let check = |remote: &str, expected: Option<&str>| {
            let forge = Forge::of_remote(remote, "0123abcd");
            let link = forge.map(|forge| forge.file("src/a b.rs") + forge.line_anchor() + "7");
            assert_eq!(link.as_deref(), expected, "{remote}");
        };
        let github = Some("https://github.com/me/shop/blob/0123abcd/src/a%20b.rs#L7");
        check("https://github.com/me/shop.git", github);
        check("https://me:secret@github.com/me/shop\n", github);
        check("git@github.com:me/shop.git", github);
        check("ssh://git@github.com:22/me/shop.git", github);
        let gitlab = "https://gitlab.example.org/a/b/c/-/blob/0123abcd/src/a%20b.rs#L7";
        check("https://gitlab.example.org/a/b/c.git", Some(gitlab));
        let codeberg = "https://codeberg.org/me/shop/src/commit/0123abcd/src/a%20b.rs#L7";
        check("https://codeberg.org/me/shop", Some(codeberg));
        let bitbucket = "https://bitbucket.org/me/shop/src/0123abcd/src/a%20b.rs#lines-7";
        check("git@bitbucket.org:me/shop.git", Some(bitbucket));
        for none in [
            "/srv/git/shop.git",
            "file:///srv/git/shop.git",
            "../shop",
            "https://github.com",
            "javascript:alert(1)//a.b/c",
            "https://github.com/me/\"><script>",
            "",
        ] {
            check(none, None);
        }
        assert_eq!(Forge::of_remote("https://github.com/me/shop", "main\"x"), None);
    }
}
