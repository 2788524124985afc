//! The loader's call before `main`: where a recording starts that the environment asks for.
//!
//! It stands above everything else, because it is nobody's business but the loader's.

use crate::recorder::environment::start_if_asked;

/// The loader calls what stands here before `main`. Miri would as well, and does not know the kernel's
/// answers that the start asks for.
// SAFETY: the section holds pointers to functions of this shape, and nothing else is put there.
#[used]
#[cfg_attr(not(miri), unsafe(link_section = ".init_array"))]
static BEFORE_MAIN: extern "C" fn() = start_if_asked;
