//! Many threads at once: nothing is lost, and calls do not wait for each other without need.

use std::sync::Barrier;

use lab::backend::ledger::calendar::Period;
use lab::backend::ledger::call::Purpose;

use super::world;

const THREADS: usize = 8;
const CALLS: usize = 2000;
const NOW: i64 = 1_935_656_430;

fn usage(metric: &str) -> Vec<(String, String)> {
    vec![(metric.to_owned(), "1".to_owned())]
}

#[test]
fn counters_add_up_exactly_under_many_threads() {
    let ledger = world::ledger(&["s", "o"]);
    world::set_limit(
        &ledger,
        "s",
        "hits",
        Period::Day,
        Some(i128::from(i64::MAX)),
    );
    let start = Barrier::new(THREADS + 1);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (ledger, start) = (&ledger, &start);
            scope.spawn(move || {
                start.wait();
                for call in 0..CALLS {
                    let service = ["s", "o"][call % 2];
                    let application = world::APPLICATIONS[(thread + call) % 3];
                    let metric = ["images", "orders"][call / 2 % 2];
                    let job = if call % 3 == 0 {
                        let transaction =
                            world::transaction(application, Some(&usage(metric)), None);
                        let call = world::report(service, vec![transaction], false);
                        Some(ledger.accept(call).expect("a well-formed report"))
                    } else {
                        let usage = usage(metric);
                        let call = world::ask(
                            service,
                            application,
                            Purpose::AskAndCount,
                            Some(&usage),
                            false,
                        );
                        ledger
                            .authorize(&call, world::at(NOW))
                            .expect("a well-formed call")
                            .1
                    };
                    ledger.count(job.expect("nothing is denied"), world::at(NOW));
                }
            });
        }
        // One more changes configuration all the while.
        let (ledger, start) = (&ledger, &start);
        scope.spawn(move || {
            start.wait();
            for limit in 0..CALLS {
                let value = i128::from(i64::MAX) - limit as i128;
                world::set_limit(ledger, "o", "search", Period::ALL[limit % 7], Some(value));
            }
        });
    });
    let totals = ledger.totals();
    let each = (THREADS * CALLS / 4) as i128;
    for service in ["s", "o"] {
        let of = |metric: &str| totals[service].get(metric).copied().unwrap_or(0);
        assert_eq!(of("images"), each);
        assert_eq!(of("search"), each);
        assert_eq!(of("orders"), each);
        assert_eq!(of("hits"), 2 * each);
    }
}

#[test]
fn calls_of_one_service_do_not_wait_for_locks_of_another() {
    let ledger = world::ledger(&["s", "o"]);
    let other = ledger.directory.book("o").expect("it was loaded");
    let _catalogue = other.catalogue.write();
    let _errors = other.errors.lock();
    // If anything of these calls took a lock that spans services, this thread would wait for itself.
    let call = world::ask(
        "s",
        "a",
        Purpose::AskAndCount,
        Some(&usage("images")),
        false,
    );
    let (status, job) = ledger
        .authorize(&call, world::at(NOW))
        .expect("a well-formed call");
    assert_eq!(status.denial, None);
    ledger.count(job.expect("it is authorized"), world::at(NOW));
    let unknown = world::ask("s", "nope", Purpose::Ask, None, false);
    assert!(ledger.authorize(&unknown, world::at(NOW)).is_err());
}
