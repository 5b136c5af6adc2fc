//! Whose turn it is to wait for the next arrival: leader and followers.
//!
//! Owns [`Crew`]. Only the leader waits for the clock; at the arrival it hands the lead to the user
//! that became idle last, whose memory is still warm, and sends. So one timer is armed at a time, and
//! few users do most of the work until the target slows down. Must not know what is sent.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The idle users of a load, and whether one of them leads.
#[derive(Debug, Default)]
pub(super) struct Crew {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_led: bool,
    idle: Vec<Arc<Notify>>,
}

impl Crew {
    /// Returns when the caller leads. `me` belongs to the caller alone.
    pub(super) async fn lead(&self, me: &Arc<Notify>) {
        {
            let mut state = self.state.lock();
            if !state.is_led {
                state.is_led = true;
                return;
            }
            state.idle.push(me.clone());
        }
        me.notified().await;
    }

    /// Hands the lead to an idle user, or leaves it for the next one that becomes idle.
    pub(super) fn hand_over(&self) {
        let mut state = self.state.lock();
        match state.idle.pop() {
            Some(next) => next.notify_one(),
            None => state.is_led = false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_lead_goes_to_the_user_that_became_idle_last() {
        let crew = Crew::default();
        let (first, second, third) = (Arc::default(), Arc::default(), Arc::default());
        crew.lead(&first).await;
        let mut waits_longer = Box::pin(crew.lead(&second));
        let mut waits_shorter = Box::pin(crew.lead(&third));
        assert!(futures::poll!(&mut waits_longer).is_pending());
        assert!(futures::poll!(&mut waits_shorter).is_pending());
        crew.hand_over();
        assert!(futures::poll!(&mut waits_longer).is_pending());
        assert!(futures::poll!(&mut waits_shorter).is_ready());
        crew.hand_over();
        assert!(futures::poll!(&mut waits_longer).is_ready());
    }

    #[tokio::test]
    async fn a_lead_that_nobody_waits_for_is_there_for_the_next() {
        let crew = Crew::default();
        let me = Arc::default();
        crew.lead(&me).await;
        crew.hand_over();
        crew.lead(&me).await;
    }
}
