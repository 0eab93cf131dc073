//! Letters from other shards, the log and the outside.

use stdx::UnixMillis;

use super::Shard;
use super::live::Live;
use super::pick::Pick;
use crate::mail::{Letter, Mail};
use crate::outbox::Outbox;

impl Shard {
    /// Serves a letter.
    pub fn mail<O: Outbox>(&mut self, mail: Mail, out: &mut O) {
        self.letter(mail.0, out);
    }

    pub(super) fn letter<O: Outbox>(&mut self, letter: Letter, out: &mut O) {
        match letter {
            Letter::Live { route, message, publisher } => {
                let Some(mut live) = Live::of(&message, publisher, self.turn.unix_ms) else {
                    return;
                };
                let here = route.subscribers_of(self.id);
                for entry in here {
                    self.deliver_live(entry, &mut live, here.len() > 1, out);
                }
            }
            Letter::Member { session, options, mark, message, hops } => {
                let pick = Pick { session, options, mark, for_any: false };
                self.member_letter(&pick, message, hops, out);
            }
            Letter::HandOver { mark, message, except, hops } => {
                self.hand_over(mark, &message, except, hops, out);
            }
            Letter::Lend(loan) => self.borrow(&loan, out),
            Letter::LoanOver { loan, outcome } => self.loan_over(loan, outcome, out),
            Letter::Lease(lease) => self.lease(lease, out),
            Letter::Settle { .. }
            | Letter::TooLarge { .. }
            | Letter::Attach { .. }
            | Letter::AreThere { .. }
            | Letter::Read { .. }
            | Letter::SeekReader { .. }
            | Letter::PutBack { .. }
            | Letter::Detach { .. } => {
                self.hosting.letter(letter, &mut self.turn);
            }
            Letter::Gone { consumer, offsets } => self.leases_gone(consumer, &offsets, out),
            Letter::Reading { consumer, asked, result } => {
                self.reading(consumer, asked, result, out);
            }
            Letter::QueueGone { consumer } => self.queue_gone(consumer, out),
            Letter::Control(request) => self.control_request(*request),
            Letter::ControlStreams(request) => self.control_request(*request),
            Letter::Ensured { subscribe, filter, result } => {
                self.ensured((subscribe, filter), result, out);
            }
            Letter::DeadEnsured { dying, result } => self.dead_letter_queue_ensured(dying, result),
            Letter::Log(event) => self.log_event(event, out),
            Letter::Ledgers(reply) => reply(self.hosting.states(UnixMillis(self.turn.unix_ms))),
            Letter::StreamLedgers(reply) => {
                reply(self.hosting.stream_states(UnixMillis(self.turn.unix_ms)));
            }
            Letter::SignedIn { conn, verdict } => self.signed_in(conn, verdict, out),
            Letter::UsersChanged => self.users_changed(out),
            Letter::List(list) => self.list(list),
            Letter::CancelDelayed { id, reply } => self.cancel_delayed(id, reply),
            Letter::EndClient { client_id, ends_session, reply } => {
                self.end_client(&client_id, ends_session, reply, out);
            }
            Letter::Redrive { request, reply } => self.redrive(request, reply),
            Letter::RemoveRetained { filter, after, reply } => {
                self.remove_retained(&filter, after.as_deref(), reply);
            }
            Letter::Publish { message, reply } => self.publish_outside(&message, reply, out),
            Letter::Queue(letter) => self.queue_letter(letter),
            Letter::Explain(letter) => self.explain(letter),
            Letter::Drain(reply) => {
                self.drain(out);
                reply(());
            }
        }
    }
}
