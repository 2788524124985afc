//! Every call into the C library, each behind a safe function with one purpose.

mod allocator;
mod copies;
mod descriptors;
mod errno;
mod loader;
mod memory;
mod names;
mod places;
mod privilege;
mod process;
mod raw;
mod signals;
mod stack_start;
mod standard_error;
mod streams;
mod thread_key;
mod threads;
mod wake;

pub(crate) use allocator::{
    MallocNumbers, jemalloc_resident_bytes, malloc_numbers, mimalloc_committed_bytes,
};
pub(crate) use copies::{ProcessCopy, is_owner};
pub(crate) use descriptors::{leave_descriptors_of_process, raised};
pub(crate) use loader::{
    Answer, LoadedObject, ProgramHeader, UNLOADS, address_in_executable, can_find_objects,
    headers_of_executable, look_up_find_object, object_at, path_and_bias_of, while_nobody_forks,
};
pub(crate) use memory::{
    SharedNumbers, address_space_limit, map_stack, map_zeroed, page_bytes, resident_bytes,
    shared_numbers,
};
pub(crate) use names::rename_if_free;
pub(crate) use places::{ChildPlace, ChildState, SharedPlaces, shared_places};
pub(crate) use privilege::effective_user_id;
pub(crate) use process::{
    at_thread_exit, environment, monotonic_ns, n_threads, process_cpu_ns, process_id,
    start_up_entropy, thread_cpu_ns, watch_forks, watch_process_exit, watch_thread_exits,
};
pub(crate) use raw::{block_signals, is_readable, restore_signals};
pub(crate) use signals::{
    OnSignal, die_of, handle_signal, prepare_for_signals, with_all_signals_blocked,
};
pub(crate) use stack_start::{note_first_stack, note_thread_locals, stack_begins_near};
pub(crate) use standard_error::{complain, complain_for_process};
pub(crate) use streams::wait_until_writable;
pub(crate) use threads::start_thread;
pub(crate) use wake::{
    Want, forget as forget_wants, listen, listen_no_more, terminated_by, wait,
    wait_for_termination, wake,
};
