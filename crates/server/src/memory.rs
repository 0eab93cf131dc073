//! Gives freed memory back to the system while the broker is at rest.

use std::hint::black_box;

/// Has the allocator return what was freed more than a second ago.
///
/// It looks when memory is freed, and when a thread that had any ends. A broker at rest does neither, so what the start, a
/// sign-in or a burst took would stay: 19 MiB for a password's hash alone.
pub(crate) fn give_back() {
    let thread = std::thread::Builder::new().name("give-back".to_owned());
    if let Ok(thread) = thread.spawn(|| drop(black_box(Vec::<u8>::with_capacity(64)))) {
        // It does nothing that can fail.
        let _ = thread.join();
    }
}
