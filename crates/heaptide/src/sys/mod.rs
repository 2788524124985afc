//! Every call into the C library, each behind a safe function with one purpose.

mod descriptors;
mod errno;
mod loader;
mod memory;
mod process;
mod raw;
mod signals;
mod stack_start;
mod threads;
mod wake;

pub(crate) use loader::{
    Answer, LoadedObject, UNLOADS, address_in_executable, can_find_objects, look_up_find_object,
    object_at, path_and_bias_of, while_nobody_forks,
};
pub(crate) use memory::{map_stack, map_zeroed, resident_bytes};
pub(crate) use process::{
    at_thread_exit, complain, environment, monotonic_ns, process_id, start_up_entropy, watch_forks,
    watch_process_exit, watch_thread_exits,
};
pub(crate) use raw::{block_signals, is_readable, restore_signals};
pub(crate) use signals::{OnSignal, die_of, handle_signal, with_all_signals_blocked};
pub(crate) use stack_start::{note_first_stack, note_thread_locals, stack_begins_near};
pub(crate) use threads::start_thread;
pub(crate) use wake::{
    Call, Waker, forget_wake, listen, listen_no_more, terminated_by, wake, wake_for_exit,
};
