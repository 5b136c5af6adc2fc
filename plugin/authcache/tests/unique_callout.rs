//! One call for an application that several workers miss at once, and nobody who waits for ever.

#![cfg(test)]

mod support;

use std::rc::Rc;

use authcache::callout::CallOutcome;
use authcache::counters::Counter;
use authcache::filter_flow::{FilterFlow, Resolution, Step, StreamId};
use authcache::shared::memory::Memory;
use authcache::time::{Period, UnixMillis};
use authcache::wire::News;
use authcache::worker::WorkerState;

use support::backend::Backend;
use support::world::{Fate, World};
use support::{NOW, get, settings, worker_of};

const FAST: &str = r#"{"mode":"fast"}"#;
/// What a call may take in these tests.
const TIMEOUT_MS: u64 = 1_000;

fn backend(limit: u64) -> Backend {
    let mut backend = Backend::new(&[
        ("hits", Period::Day, limit),
        // Else answers would not show whether orders count for something.
        ("search", Period::Day, 1_000),
        ("images", Period::Day, 1_000),
    ]);
    backend.add("ada", &[]);
    backend.add("app", &["secret"]);
    backend
}

#[test]
fn a_cold_spike_over_all_workers_is_one_call() {
    for path in [
        "/hits?user_key=ada",
        "/orders?user_key=ada",
        "/hits?app_id=app&app_key=secret",
    ] {
        let mut world = World::new(&settings(FAST), 4, backend(1_000));
        for n in 0..500 {
            world.send(n % 4, path);
        }
        world.run(100);
        assert_eq!(world.admitted(), 500, "{path}");
        assert_eq!(world.backend.calls(), 1, "{path}");
        assert_eq!(world.count(Counter::CalloutsShared), 3, "{path}");
        world.drain(100_000);
        let metric = if path.starts_with("/orders") {
            "orders"
        } else {
            "hits"
        };
        let credential = if path.contains("ada") { "ada" } else { "app" };
        assert_eq!(world.backend.counted(credential, metric), 500, "{path}");
    }
}

#[test]
fn without_the_setting_every_worker_calls() {
    let settings = settings(r#"{"mode":"fast","unique_callout":false}"#);
    let mut world = World::new(&settings, 4, backend(1_000));
    for n in 0..100 {
        world.send(n % 4, "/hits?user_key=ada");
    }
    world.run(100);
    assert_eq!((world.admitted(), world.backend.calls()), (100, 4));
}

#[test]
fn a_definite_denial_denies_those_who_wait_elsewhere_whatever_the_policy() {
    let open = r#"{"mode":"fast","outage":{"known":"open","unknown":"open"}}"#;
    let mut world = World::new(&settings(open), 3, backend(1_000));
    for n in 0..30 {
        world.send(n % 3, "/hits?user_key=nobody");
    }
    world.run(100);
    assert!(world.fates.values().all(|fate| *fate == Fate::Denied(403)));
    assert_eq!((world.fates.len(), world.backend.calls()), (30, 1));
    // It is remembered there too.
    assert_eq!(world.ask(2, "/hits?user_key=nobody"), Fate::Denied(403));
    assert_eq!(world.backend.calls(), 1);
}

#[test]
fn a_wrong_key_denies_those_with_the_same_key_and_no_others() {
    let mut world = World::new(&settings(FAST), 2, backend(1_000));
    let wrong = world.send(0, "/hits?app_id=app&app_key=wrong");
    let same = world.send(1, "/hits?app_id=app&app_key=wrong");
    let right = world.send(1, "/hits?app_id=app&app_key=secret");
    world.run(200);
    assert_eq!(world.fates[&wrong], Fate::Denied(403));
    assert_eq!(world.fates[&same], Fate::Denied(403));
    assert_eq!(world.fates[&right], Fate::Admitted);
}

#[test]
fn a_call_that_fails_is_an_outage_for_everybody_who_waits() {
    let mut world = World::new(&settings(FAST), 3, backend(1_000));
    world.backend.failing = true;
    for n in 0..30 {
        world.send(n % 3, "/hits?user_key=ada");
    }
    world.run(100);
    assert!(world.fates.values().all(|fate| *fate == Fate::Denied(503)));
    assert_eq!((world.fates.len(), world.backend.calls()), (30, 1));
    // Nothing is left claimed.
    world.backend.failing = false;
    assert_eq!(world.ask(1, "/hits?user_key=ada"), Fate::Admitted);
}

/// Two workers of one process whose calls and messages the test carries.
struct Two {
    workers: Vec<(FilterFlow, WorkerState)>,
}

impl Two {
    fn new() -> Self {
        let shared = Rc::new(Memory::default());
        let workers = (0..2_u32).map(|place| {
            let mut worker = worker_of(Rc::clone(&shared), u64::from(place) + 1);
            let mut flow = FilterFlow::new(settings(FAST), &mut worker, NOW);
            flow.set_queue(place);
            (flow, worker)
        });
        Self {
            workers: workers.collect(),
        }
    }

    fn miss(&mut self, place: usize, stream: u32, now: UnixMillis) {
        let (flow, worker) = &mut self.workers[place];
        let step = flow.on_request(worker, &get("/hits?user_key=ada"), StreamId(stream), now);
        assert!(matches!(step, Step::Wait), "{step:?}");
    }

    fn calls(&mut self, place: usize, now: UnixMillis) -> usize {
        let (flow, worker) = &mut self.workers[place];
        std::iter::from_fn(|| flow.next_callout(worker, now)).count()
    }

    fn tick(&mut self, place: usize, now: UnixMillis) -> Vec<Resolution> {
        let (flow, worker) = &mut self.workers[place];
        let resumptions = flow.on_tick(worker, now);
        resumptions
            .into_iter()
            .map(|resumption| resumption.resolution)
            .collect()
    }
}

#[test]
fn when_the_worker_that_asks_is_gone_one_of_those_who_wait_asks() {
    let mut two = Two::new();
    two.miss(0, 1, NOW);
    assert_eq!(two.calls(0, NOW), 1);
    let later = NOW.plus_ms(400);
    two.miss(1, 2, later);
    assert_eq!(two.calls(1, later), 0);
    // Worker 0 is never heard of again.
    let end = NOW.plus_ms(TIMEOUT_MS + 100);
    assert!(two.tick(1, end).is_empty());
    assert_eq!(two.calls(1, end), 1);
    let last = two.tick(1, later.plus_ms(2 * TIMEOUT_MS));
    assert!(
        matches!(&last[..], [Resolution::Reply(reply)] if reply.status == 503),
        "{last:?}"
    );
    assert_eq!(two.workers[1].0.waiting(), 0);
}

#[test]
fn a_client_of_the_asking_worker_may_leave() {
    let mut two = Two::new();
    two.miss(0, 1, NOW);
    let (flow, worker) = &mut two.workers[0];
    let (flight, _) = flow.next_callout(worker, NOW).expect("a call");
    two.miss(1, 2, NOW);
    assert_eq!(two.calls(1, NOW), 0);
    let (flow, worker) = &mut two.workers[0];
    flow.on_gone(StreamId(1));
    assert!(
        flow.on_outcome(worker, flight, &CallOutcome::Failed, NOW)
            .is_empty()
    );
    let (queue, news) = flow.next_message().expect("the other worker is told");
    assert_eq!(queue, 1);
    let News::Answer(answer) = news else {
        panic!("{news:?}");
    };
    let (flow, worker) = &mut two.workers[1];
    let resumptions = flow.on_answer(worker, &answer, NOW);
    assert_eq!(resumptions.len(), 1);
    // The same answer again finds nobody.
    assert!(flow.on_answer(worker, &answer, NOW).is_empty());
}

#[test]
fn contended_memory_costs_calls_and_nothing_else() {
    let mut world = World::new(&settings(FAST), 4, backend(1_000));
    world.shared.refuse_next(u32::MAX);
    for n in 0..100 {
        world.send(n % 4, "/hits?user_key=ada");
    }
    world.run(100);
    assert_eq!((world.admitted(), world.backend.calls()), (100, 4));
    world.drain(100_000);
    assert_eq!(world.backend.counted("ada", "hits"), 100);
}
