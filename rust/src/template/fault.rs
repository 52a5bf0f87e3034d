//! How rendering fails, and the budget that makes it end.

/// Text a render may produce. A chat longer than this exceeds every model's context.
pub const MAX_OUTPUT_BYTES: usize = 4 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The template or its input is at fault, or the template refused by raise_exception.
    Runtime,
    /// Steps, memory, output or depth ran out.
    Budget,
}

#[derive(Debug)]
pub struct Fault {
    pub kind: Kind,
    pub message: String,
    /// Byte offset in the source of the innermost expression or statement that failed.
    pub at: Option<u32>,
}

pub type Res<T> = Result<T, Box<Fault>>;

pub fn runtime(message: impl Into<String>) -> Box<Fault> {
    Box::new(Fault { kind: Kind::Runtime, message: message.into(), at: None })
}

pub fn budget(message: impl Into<String>) -> Box<Fault> {
    Box::new(Fault { kind: Kind::Budget, message: message.into(), at: None })
}

/// What is left to one render. Steps bound the time (about 50 ns each), bytes the memory: they count everything ever
/// made, so what is alive at once is less.
pub struct Budget {
    steps: usize,
    bytes: usize,
}

impl Budget {
    /// Every byte of input pays for some work over it: templates that search the messages for each message are common.
    pub fn for_input(bytes: usize) -> Self {
        Budget { steps: 500_000 + 32 * bytes, bytes: (32 << 20) + 64 * bytes }
    }

    pub fn step(&mut self, count: usize) -> Res<()> {
        match self.steps.checked_sub(count) {
            Some(left) => self.steps = left,
            None => return Err(budget("template budget used up: too many steps")),
        }
        Ok(())
    }

    /// Charges `count` bytes, before they are allocated.
    pub fn grow(&mut self, count: usize) -> Res<()> {
        match self.bytes.checked_sub(count) {
            Some(left) => self.bytes = left,
            None => return Err(budget("template budget used up: too much memory")),
        }
        self.step(count / 256)
    }
}
