//! One request.
//!
//! Owns the callbacks of a stream. Must not decide.

use std::cell::RefCell;
use std::rc::Rc;

use authcache::callout::CallOutcome;
use authcache::filter_flow::{Question, Resolution, Step, StreamId};
use authcache::reply::LocalReply;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use super::RootState;
use crate::host;
use crate::host::request::HostRequest;
use crate::vm;

/// What a client is told when the filter itself is not in order.
const UNAVAILABLE: LocalReply = LocalReply {
    status: 503,
    headers: Vec::new(),
    body: "authorization is not available\n",
};

/// One request.
#[derive(Debug)]
pub(super) struct FilterStream {
    id: StreamId,
    root: Rc<RefCell<RootState>>,
    /// What its own call asks, in the mode without a cache.
    question: Option<Question>,
    waits: bool,
}

impl FilterStream {
    pub(super) fn new(context_id: u32, root: Rc<RefCell<RootState>>) -> Self {
        Self {
            id: StreamId(context_id),
            root,
            question: None,
            waits: false,
        }
    }

    fn decide(&self) -> Option<Step> {
        let mut root = self.root.try_borrow_mut().ok()?;
        vm::with(|vm| {
            root.start(vm);
            let flow = root.flow.as_mut()?;
            let request = HostRequest::default();
            let step = flow.on_request(&mut vm.worker, &request, self.id, host::now());
            vm.show_new_usage();
            if vm.hands_over_now() {
                vm.hand_over(root.queue);
            }
            Some(step)
        })
        .flatten()
    }

    /// Decides by the answer to the request's own call.
    fn conclude(&self, question: &Question, outcome: &CallOutcome) -> Resolution {
        let resolution = self.root.try_borrow().ok().and_then(|root| {
            let flow = root.flow.as_ref()?;
            vm::with(|vm| {
                let now = host::now();
                let resolution = flow.on_direct_outcome(&mut vm.worker, question, outcome, now);
                vm.show_new_usage();
                resolution
            })
        });
        resolution.unwrap_or(Resolution::Reply(UNAVAILABLE))
    }
}

impl Context for FilterStream {
    fn on_http_call_response(
        &mut self,
        _token: u32,
        headers: usize,
        body: usize,
        _trailers: usize,
    ) {
        let Some(question) = self.question.take() else {
            return;
        };
        let outcome = host::callout::outcome(headers, body);
        host::stream::resolve(&self.conclude(&question, &outcome));
    }
}

impl HttpContext for FilterStream {
    fn on_http_request_headers(&mut self, _headers: usize, _end_of_stream: bool) -> Action {
        match self.decide() {
            Some(Step::Continue) => return Action::Continue,
            Some(Step::Reply(reply)) => host::stream::reply(&reply),
            Some(Step::Wait) => {
                self.waits = true;
                if let Ok(root) = self.root.try_borrow() {
                    root.wake_root();
                }
            }
            Some(Step::Ask(question, callout)) => {
                if host::callout::send(&callout).is_some() {
                    self.question = Some(question);
                    return Action::Pause;
                }
                // Nothing is paused yet, so letting it through means to continue here and not to
                // resume as well.
                match self.conclude(&question, &CallOutcome::Unsent) {
                    Resolution::Continue => return Action::Continue,
                    Resolution::Reply(reply) => host::stream::reply(&reply),
                }
            }
            None => host::stream::reply(&UNAVAILABLE),
        }
        Action::Pause
    }
}

impl Drop for FilterStream {
    fn drop(&mut self) {
        if !self.waits {
            return;
        }
        if let Ok(mut root) = self.root.try_borrow_mut()
            && let Some(flow) = &mut root.flow
        {
            flow.on_gone(self.id);
        }
    }
}
