//! The one gate through which text of others gets into an output.
//!
//! A name in a recording, a path, a sentence of a policy: whoever wrote it may have written an escape
//! sequence, a script or a command of a CI runner. So an output is no `String` that anything can be
//! pushed to, but an [`Escaped`] of that output's rules, and there are two ways into it: a literal of
//! this program ([`Escaped::markup`], [`Escaped::fill`]), or text that was escaped by the rules
//! ([`Escaped::text`]). A string that was read somewhere has no `'static` lifetime and so cannot pass as
//! markup; to forget the escaping is an error of types.
//!
//! Every rule keeps names as they are (`Vec<T>`, `{closure#0}`, `<A as B>::c`): what is escaped looks the
//! same once it is rendered. Characters that nobody can see, or that move what stands beside them, are
//! spelt out: `\u{1b}`, `\n`, `\u{202e}`.

mod chat;
mod document;
mod escaped;
mod github;
mod html;
mod markdown;
mod tap;
mod terminal;

pub(crate) use chat::Chat;
pub(crate) use document::{json, xml};
pub use escaped::{Escaped, Rules};
pub(crate) use github::{Message, Property};
pub use html::Html;
pub(crate) use markdown::Markdown;
pub(crate) use tap::Tap;
pub use terminal::Terminal;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_takes_its_parts_in_order() {
        let parts = ["<a>", "{}"].map(Escaped::<Html>::text);
        assert_eq!(&*Escaped::fill("<p>{}, {}</p>", parts), "<p>&lt;a&gt;, {}</p>");
        assert_eq!(&*Escaped::<Html>::fill("{}{}", [Escaped::markup("<br>")]), "<br>");
    }
}
