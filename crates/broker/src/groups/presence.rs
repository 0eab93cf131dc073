//! What a member lets others know of itself: whether its client is there, and how many messages it takes. It must not know
//! groups.

use mqtt_router::Member;

const CONNECTED: u32 = 1 << 31;
const STALLED: u32 = 1 << 30;

/// How a member is there.
///
/// ```text
/// connected (1) | stalled (1) | window (30), 0 while its output takes no more
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Presence(u32);

impl Presence {
    /// Its client is not there.
    pub(crate) const AWAY: Self = Self(0);

    /// Its client is there, and answers or does not.
    pub(crate) fn connected(window: u16, is_blocked: bool, is_stalled: bool) -> Self {
        let window = if is_blocked { 0 } else { u32::from(window) };
        Self(CONNECTED | if is_stalled { STALLED } else { 0 } | window)
    }

    pub(crate) fn of(member: &Member) -> Self {
        Self(member.state.room())
    }

    /// As a number for all threads.
    pub(crate) const fn as_u32(self) -> u32 {
        self.0
    }

    pub(crate) const fn is_connected(self) -> bool {
        self.0 & CONNECTED != 0
    }

    /// Connected, and not stalled.
    pub(crate) const fn is_present(self) -> bool {
        self.0 & (CONNECTED | STALLED) == CONNECTED
    }

    /// How many messages it takes at once.
    pub(crate) const fn window(self) -> u32 {
        self.0 & !(CONNECTED | STALLED)
    }
}

/// How many more messages the member takes now.
pub(crate) fn free(member: &Member) -> u32 {
    let presence = Presence::of(member);
    if presence.is_present() { presence.window().saturating_sub(member.state.load()) } else { 0 }
}
