//! What happens to an installation: requests of clients, faults, changes at the backend.
//!
//! Owns [`Act`] and the schedules of them. Must not know how an act is carried out.

use super::catalogue::PATHS;
use super::dice::Dice;
use super::scenario::{Scenario, Traffic};

const MINUTE_MS: u64 = 60_000;

/// Which credential a client sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sent {
    /// The right one.
    Good,
    /// The application's id with its second key.
    OtherKey,
    /// The application's id with a key that it does not have.
    WrongKey,
    /// The application's id alone.
    NoKey,
    /// The right one, at the other service.
    OtherService,
    /// One that nobody has: its number.
    Stranger(u16),
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Act {
    Request {
        gateway: u8,
        worker: u8,
        application: u8,
        sent: Sent,
        path: u8,
    },
    /// The client that has waited longest in a worker leaves.
    Leave { gateway: u8, worker: u8 },
    /// A worker's VM fails: its memory is lost, no callback runs.
    Trap { gateway: u8, worker: u8 },
    /// The process of a gateway ends and is started again.
    Crash { gateway: u8 },
    /// The singleton's VM fails. A host may start it again after a while; Envoy does not, which is what
    /// a long while stands for.
    SyncDies { gateway: u8, down_ms: u32 },
    /// The sync side is busy with something else.
    SyncPauses { gateway: u8, ms: u32 },
    /// A listener update brings a second configuration into a VM.
    Update { gateway: u8, worker: u8 },
    /// Every call fails from now on, or no more.
    Outage(bool),
    /// The backend answers so much later from now on.
    Slow(u32),
    /// A limit of an application is raised, lowered or removed.
    Limit {
        application: u8,
        place: u8,
        max: Option<u64>,
    },
    /// An application is deleted, or put back.
    Revoke { application: u8, back: bool },
    /// An application is suspended, or resumed.
    Suspend { application: u8, back: bool },
    /// The first key of an application is taken away.
    DropKey { application: u8 },
    /// A gateway's clock is set.
    Clock { gateway: u8, offset_ms: i16 },
}

/// Which faults a run may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faults {
    /// Processes and VMs die.
    pub(crate) deaths: bool,
    /// Calls, messages and clocks are not as they should be.
    pub(crate) delays: bool,
}

/// A mix of everything: which kinds of faults a run has is drawn first, so that some runs have few and
/// each kind meets each other.
pub(crate) fn adversarial(scenario: &Scenario, faults: Faults, dice: &mut Dice) -> Vec<(u64, Act)> {
    let mut acts = requests(scenario, dice);
    let mut add = |dice: &mut Dice, chance, most, act: &dyn Fn(&mut Dice) -> Act| {
        if dice.chance(chance) {
            for _ in 0..dice.between((1, most)) {
                acts.push((dice.below(scenario.duration_ms), act(dice)));
            }
        }
    };
    let gateway = |dice: &mut Dice| small(dice.index(scenario.gateways));
    let worker = |dice: &mut Dice| small(dice.index(scenario.workers));
    let application = |dice: &mut Dice| small(dice.index(scenario.applications.len()));
    add(dice, 300, 20, &|dice| Act::Leave {
        gateway: gateway(dice),
        worker: worker(dice),
    });
    add(dice, 300, 4, &|dice| Act::Update {
        gateway: gateway(dice),
        worker: worker(dice),
    });
    if faults.deaths {
        add(dice, 250, 4, &|dice| Act::Trap {
            gateway: gateway(dice),
            worker: worker(dice),
        });
        add(dice, 200, 2, &|dice| Act::Crash {
            gateway: gateway(dice),
        });
        add(dice, 200, 2, &|dice| Act::SyncDies {
            gateway: gateway(dice),
            down_ms: short(dice, 8_000),
        });
    }
    add(dice, 250, 6, &|dice| Act::Limit {
        application: application(dice),
        place: small(dice.index(3)),
        max: (!dice.chance(100)).then(|| dice.below(80)),
    });
    add(dice, 200, 4, &|dice| Act::Revoke {
        application: application(dice),
        back: dice.chance(400),
    });
    add(dice, 200, 4, &|dice| Act::Suspend {
        application: application(dice),
        back: dice.chance(400),
    });
    add(dice, 150, 1, &|dice| Act::DropKey {
        application: application(dice),
    });
    if faults.delays {
        delays(scenario, &mut acts, dice);
    }
    // What follows on something else may be due after the end.
    acts.retain(|(at, _)| *at <= scenario.duration_ms);
    acts.sort_by_key(|(at, _)| *at);
    acts
}

/// Faults that make calls and messages late, or lose them.
fn delays(scenario: &Scenario, acts: &mut Vec<(u64, Act)>, dice: &mut Dice) {
    let anywhere = |dice: &mut Dice| small(dice.index(scenario.gateways));
    if dice.chance(300) {
        for _ in 0..dice.between((1, 4)) {
            let pause = Act::SyncPauses {
                gateway: anywhere(dice),
                ms: short(dice, 20_000),
            };
            acts.push((dice.below(scenario.duration_ms), pause));
        }
    }
    let skew = scenario.cache.clock_skew_ms;
    if dice.chance(150) {
        for _ in 0..dice.between((1, 4)) {
            let set = Act::Clock {
                gateway: anywhere(dice),
                offset_ms: i16::try_from(dice.below(2 * skew + 1)).unwrap_or(0)
                    - i16::try_from(skew).unwrap_or(0),
            };
            acts.push((dice.below(scenario.duration_ms), set));
        }
    }
    let mut outages = Vec::new();
    if dice.chance(250) {
        for _ in 0..dice.between((1, 3)) {
            outages.push(dice.below(scenario.duration_ms));
        }
    }
    // What was refused a moment ago meets a backend that cannot be asked.
    let mut askers = Vec::new();
    for (at, act) in acts.iter() {
        let (Act::Revoke {
            application,
            back: false,
        }
        | Act::Suspend {
            application,
            back: false,
        }) = *act
        else {
            continue;
        };
        if dice.chance(500) {
            let begins = at + dice.between((200, 2_000));
            outages.push(begins);
            let request = Act::Request {
                gateway: anywhere(dice),
                worker: small(dice.index(scenario.workers)),
                application,
                sent: Sent::Good,
                path: 0,
            };
            askers.push((at + dice.below(begins - at), request));
            askers.push((begins + dice.below(500), request));
        }
    }
    acts.extend(askers);
    for at in outages {
        acts.push((at, Act::Outage(true)));
        acts.push((at + dice.between((50, 20_000)), Act::Outage(false)));
    }
    if dice.chance(150) {
        let at = dice.below(scenario.duration_ms);
        acts.push((at, Act::Slow(short(dice, 2_000))));
        acts.push((at + dice.between((50, 20_000)), Act::Slow(0)));
    }
}

/// Even traffic, and unless `no_crashes` the ways in which parts of a gateway die.
pub(crate) fn measured(
    scenario: &Scenario,
    traffic: Traffic,
    no_crashes: bool,
    dice: &mut Dice,
) -> Vec<(u64, Act)> {
    let per_ms = traffic.limit as f64 * traffic.load / 60_000.0;
    let mut acts = Vec::new();
    let mut at = dice.gap_ms(per_ms);
    while at < scenario.duration_ms as f64 {
        let gateway = match traffic.uneven {
            Some(share) if scenario.gateways > 1 => {
                if dice.fraction() < share {
                    0
                } else {
                    1 + dice.index(scenario.gateways - 1)
                }
            }
            _ => dice.index(scenario.gateways),
        };
        let request = Act::Request {
            gateway: small(gateway),
            worker: small(dice.index(scenario.workers)),
            application: 0,
            sent: Sent::Good,
            path: 0,
        };
        acts.push((at as u64, request));
        at += dice.gap_ms(per_ms);
    }
    if !no_crashes {
        for _ in 0..dice.below(4) {
            let gateway = small(dice.index(scenario.gateways));
            let worker = small(dice.index(scenario.workers));
            let act = match dice.below(3) {
                0 => Act::Trap { gateway, worker },
                1 => Act::Crash { gateway },
                _ => Act::SyncDies {
                    gateway,
                    down_ms: short(dice, 5_000),
                },
            };
            acts.push((dice.below(scenario.duration_ms), act));
        }
        acts.sort_by_key(|(at, _)| *at);
    }
    acts
}

/// Requests in bursts and pauses, most of them with the right credential.
fn requests(scenario: &Scenario, dice: &mut Dice) -> Vec<(u64, Act)> {
    let mut acts = Vec::new();
    let count = dice.between((20, 500));
    let favourite = dice.index(scenario.applications.len());
    let strangers = dice.pick(&[0, 0, 20, 150]);
    let wrong = dice.pick(&[0, 30, 150]);
    let even_gap = scenario.duration_ms / count + 1;
    // Some clients come when a minute ends and the next begins.
    let edge = MINUTE_MS - scenario.start.0 % MINUTE_MS;
    let on_edge = if edge <= 3_000 {
        300
    } else {
        dice.pick(&[0, 0, 200])
    };
    let mut at = 0;
    for _ in 0..count {
        at += match dice.below(20) {
            0 => dice.below(20 * even_gap + 1),
            1..=9 => dice.below(2),
            _ => dice.below(2 * even_gap),
        };
        if at >= scenario.duration_ms {
            break;
        }
        let application = if dice.chance(600) {
            favourite
        } else {
            dice.index(scenario.applications.len())
        };
        let sent = if dice.chance(strangers) {
            Sent::Stranger(u16::try_from(dice.below(300)).unwrap_or(0))
        } else if dice.chance(wrong) {
            dice.pick(&[
                Sent::WrongKey,
                Sent::NoKey,
                Sent::OtherService,
                Sent::OtherKey,
            ])
        } else {
            Sent::Good
        };
        let request = Act::Request {
            gateway: small(dice.index(scenario.gateways)),
            worker: small(dice.index(scenario.workers)),
            application: small(application),
            sent,
            path: small(if dice.chance(600) {
                0
            } else {
                dice.index(PATHS.len())
            }),
        };
        let at = if dice.chance(on_edge) {
            (edge + dice.below(1_300)).saturating_sub(500)
        } else {
            at
        };
        acts.push((at.min(scenario.duration_ms), request));
    }
    acts
}

fn small(number: usize) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

fn short(dice: &mut Dice, most_ms: u64) -> u32 {
    u32::try_from(dice.below(most_ms)).unwrap_or(0)
}
