//! A request that may take so long that its client goes before the answer. It must not know what it does.

/// Says in the log that nobody waits for the answer any more, when it is dropped before.
pub struct LongRequest<'a> {
    what: &'static str,
    /// The queue or the stream.
    name: &'a str,
    by: &'a str,
    is_answered: bool,
}

impl<'a> LongRequest<'a> {
    /// Begins one; `what` is what the log calls it.
    pub fn new(what: &'static str, name: &'a str, by: &'a str) -> Self {
        Self { what, name, by, is_answered: false }
    }

    /// The answer is there.
    pub fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for LongRequest<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            let Self { what, name, by, .. } = self;
            tracing::info!(what, name, by, "a request is not answered: its client has gone");
        }
    }
}
