//! How many bytes this crate holds, counted where it allocates: per thread, so that a call can be measured while others
//! run. Grammars and guides say with it what they take; nothing else reads it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Allocated minus freed by this thread.
    static HELD: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

/// With what the C library adds: a header, rounded up to 16.
fn taken(bytes: usize) -> isize {
    (((bytes + 8 + 15) & !15).max(32)) as isize
}

fn add(bytes: isize) {
    // A thread that is ending has no counter any more, and nobody who reads it.
    let _ = HELD.try_with(|held| held.set(held.get() + bytes));
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(taken(layout.size()));
        System.alloc(layout)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(taken(layout.size()));
        System.alloc_zeroed(layout)
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(taken(size) - taken(layout.size()));
        System.realloc(old, layout, size)
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        add(-taken(layout.size()));
        System.dealloc(old, layout);
    }
}

/// Runs `work`; beside what it made, how many bytes more its thread holds afterwards, or fewer.
pub fn measured<T>(work: impl FnOnce() -> T) -> (T, isize) {
    let before = HELD.get();
    let made = work();
    (made, HELD.get() - before)
}
