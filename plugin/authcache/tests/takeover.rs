//! One sync side after another: what was let through is reported once, whoever leads.

#![cfg(test)]

mod support;

use std::rc::Rc;

use authcache::callout::{CallKind, CallOutcome};
use authcache::config::{Settings, SyncBy};
use authcache::counters::Counter;
use authcache::ids::MetricName;
use authcache::key::CredentialKind;
use authcache::leadership::{Candidate, PATIENCE};
use authcache::service::Route;
use authcache::shared::SharedData;
use authcache::shared::memory::Memory;
use authcache::sync_flow::{SyncFlow, SyncStep};
use authcache::sync_side::{SideStep, SyncSide};
use authcache::time::{Period, UnixMillis};
use authcache::usage::MetricIndex;
use authcache::wire::{AccountUsage, ServiceHeader, UsageEntry, UsageMessage, Worker};

use support::backend::{Backend, answer};
use support::world::{TICK_MS, World};
use support::{NOW, settings};

/// Usage is reported when it is a second old.
const FAST: &str = r#"{"flush":{"mode":"periodical","interval":"1s","idle":"1h"}}"#;
const STRICT: &str = r#"{"mode":"strict"}"#;
const CREDENTIAL: &str = "ada";

fn message(settings: &Settings, generation: u64, amount: u64) -> UsageMessage {
    let names = ["hits", "search"].map(|name| MetricName::parse(name).expect("a name"));
    let entry = |metric, amount| UsageEntry {
        metric: MetricIndex(metric),
        minute: Period::Minute.window(NOW).start,
        amount,
        total: amount,
    };
    UsageMessage {
        worker: Worker {
            generation,
            queue: u32::try_from(generation).expect("small"),
        },
        services: vec![ServiceHeader {
            number: 3,
            route: Route::of(settings, &settings.services[0]),
            metrics: names.into(),
        }],
        accounts: vec![AccountUsage {
            service: 0,
            kind: CredentialKind::UserKey,
            credential: CREDENTIAL.to_owned(),
            refresh_due: false,
            entries: vec![entry(0, amount), entry(1, 1)],
            statement: None,
        }],
    }
}

fn messages(steps: Vec<SideStep>) -> Vec<UsageMessage> {
    let messages = steps.into_iter().filter_map(|step| match step {
        SideStep::HandOver(message) => Some(message),
        _ => None,
    });
    messages.collect()
}

fn reports(steps: Vec<SideStep>) -> Vec<u64> {
    let reports = steps.into_iter().filter_map(|step| match step {
        SideStep::Sync(SyncStep::Call { id, callout }) if callout.kind == CallKind::Report => {
            Some(id)
        }
        _ => None,
    });
    reports.collect()
}

/// Two VMs of a process; the first leads.
struct Pair {
    first: SyncSide,
    second: SyncSide,
    now: UnixMillis,
}

impl Pair {
    fn new() -> Self {
        let shared: Rc<dyn SharedData> = Rc::<Memory>::default();
        let mut first = SyncSide::new(1, 1, Rc::clone(&shared));
        let steps = first.look(Candidate::Elected, NOW);
        assert!(matches!(steps[..], [SideStep::Register]), "{steps:?}");
        let second = SyncSide::new(2, 2, shared);
        Self {
            first,
            second,
            now: NOW,
        }
    }

    /// Lets the second take over, because the first does not look for so long.
    fn take_over(&mut self) {
        let mut ticks = 0;
        while !self.second.leads() {
            self.now = self.now.plus_ms(TICK_MS);
            self.second
                .look(Candidate::worker(SyncBy::Elected), self.now);
            ticks += 1;
            assert!(ticks <= PATIENCE + 1, "nobody took over");
        }
    }
}

#[test]
fn what_a_replaced_leader_had_is_handed_over_as_it_came() {
    let settings = settings(FAST);
    let mut pair = Pair::new();
    let came = [message(&settings, 7, 5), message(&settings, 8, 6)];
    for message in &came {
        pair.first.on_usage(message.clone(), NOW);
    }
    pair.first.look(Candidate::Elected, NOW);
    pair.take_over();
    let handed = messages(pair.first.confirm(pair.now));
    assert_eq!(handed, came);
    assert!(!pair.first.leads());
    assert_eq!(pair.first.pending(), 0);
    // What is sent to it by mistake is put back too.
    let late = message(&settings, 7, 9);
    assert_eq!(
        messages(pair.first.on_usage(late.clone(), pair.now)),
        [late]
    );
    for message in handed {
        pair.second.on_usage(message, pair.now);
    }
    assert_eq!(pair.second.pending(), 13);
    let figures = pair.second.figures(pair.now);
    assert_eq!(figures.counters.value(Counter::SyncTakeovers), 1);
    assert_eq!(figures.counters.value(Counter::UsageOrphaned), 13);
    let leaders = figures.leaders + pair.first.figures(pair.now).leaders;
    assert_eq!(leaders, 1);
}

#[test]
fn a_report_under_way_is_not_handed_over_unless_it_fails() {
    for (outcome, left) in [
        (answer(202, ""), 0),
        (answer(500, ""), 6),
        (CallOutcome::Failed, 6),
    ] {
        let mut pair = Pair::new();
        pair.first.on_usage(message(&settings(FAST), 7, 5), NOW);
        let [report] = reports(pair.first.poll(NOW.plus_ms(1_000)))[..] else {
            panic!("a report is due");
        };
        pair.first.on_usage(message(&settings(FAST), 7, 2), NOW);
        pair.take_over();
        let handed = messages(pair.first.confirm(pair.now));
        let [message] = &handed[..] else {
            panic!("what came since: {handed:?}");
        };
        assert_eq!(message.accounts[0].entries[0].amount, 2);
        assert_eq!(pair.first.pending(), 6);
        let handed = messages(pair.first.on_outcome(report, &outcome, pair.now));
        let entries = handed.iter().flat_map(|message| &message.accounts);
        let amount: u64 = entries
            .flat_map(|account| &account.entries)
            .map(|entry| entry.amount)
            .sum();
        assert_eq!(amount, left, "{outcome:?}");
        assert_eq!(pair.first.pending(), 0);
        let figures = pair.first.figures(pair.now);
        assert_eq!(figures.settled, 6 - left);
    }
}

#[test]
fn who_ends_in_good_order_is_followed_at_once() {
    let mut pair = Pair::new();
    pair.first.on_usage(message(&settings(FAST), 7, 5), NOW);
    assert_eq!(messages(pair.first.resign(NOW)).len(), 1);
    let steps = pair.second.look(Candidate::Deputy, NOW);
    assert!(matches!(steps[..], [SideStep::Register]), "{steps:?}");
    let [first, second] = [&mut pair.first, &mut pair.second].map(|side| side.figures(NOW));
    assert_eq!(first.leaders + second.leaders, 1);
    assert_eq!(second.counters.value(Counter::SyncTakeovers), 0);
}

/// A world whose workers leased, used and reported some, and whose sync side is gone.
fn orphaned(workers: u64) -> World {
    let mut backend = Backend::new(&[("hits", Period::Eternity, 500)]);
    backend.add(CREDENTIAL, &[]);
    let mut world = World::new(&settings(STRICT), workers, backend);
    for n in 0..60 {
        world.ask(n % 2, "/hits?user_key=ada");
        world.run(50);
    }
    world.drain(100_000);
    assert_eq!(world.backend.counted(CREDENTIAL, "hits"), 60);
    let shared = Rc::clone(&world.shared);
    world.sync = SyncFlow::new(10, shared);
    world
}

fn use_first_worker(world: &mut World) {
    for _ in 0..200 {
        world.send(0, "/hits?user_key=ada");
        world.run(200);
    }
    world.drain(100_000);
}

#[test]
fn a_new_leader_takes_nothing_for_used_that_was_reported_before() {
    for second_lives in [true, false] {
        let mut world = orphaned(2);
        for (_, worker) in &mut world.workers {
            worker.state_anew();
        }
        if !second_lives {
            world.lose_worker(1);
        }
        use_first_worker(&mut world);
        assert_eq!(world.count(Counter::UsageBuried), 0, "{second_lives}");
        let counted = world.backend.counted(CREDENTIAL, "hits");
        assert_eq!(counted, world.admitted(), "{second_lives}");
    }
}

#[test]
fn what_a_lost_worker_had_not_reported_is_taken_for_used_by_the_next_leader() {
    let mut world = orphaned(2);
    // It leases and uses some, which nobody is told.
    world.sync_is_up = false;
    for _ in 0..3 {
        world.ask(1, "/hits?user_key=ada");
    }
    world.lose_worker(1);
    world.sync_is_up = true;
    use_first_worker(&mut world);
    let buried = world.count(Counter::UsageBuried);
    assert!(buried >= 3, "{buried}");
    let counted = world.backend.counted(CREDENTIAL, "hits");
    assert_eq!(counted, world.admitted() - 3 + buried);
    assert!(counted <= 500);
}
