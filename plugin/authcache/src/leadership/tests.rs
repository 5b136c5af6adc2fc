use super::*;
use crate::shared::memory::Memory;

const START: UnixMillis = UnixMillis(1_935_742_830_000);

/// VMs that look at the same memory, all in the same tick.
struct Process {
    memory: Rc<Memory>,
    vms: Vec<(Candidate, Leadership)>,
    now: UnixMillis,
}

impl Process {
    fn of(candidates: &[Candidate]) -> Self {
        let memory: Rc<Memory> = Rc::default();
        let vm = |(me, candidate): (u64, &Candidate)| {
            (
                *candidate,
                Leadership::new(me, Rc::<Memory>::clone(&memory)),
            )
        };
        let vms = (1..).zip(candidates).map(vm).collect();
        Self {
            memory,
            vms,
            now: START,
        }
    }

    fn look(&mut self, place: usize) -> Turn {
        let (candidate, vm) = &mut self.vms[place];
        vm.look(*candidate, 0, self.now)
    }

    /// Ticks of the VMs in `living`; returns what their looks led to.
    fn tick(&mut self, ticks: u32, living: &[usize]) -> Vec<(usize, Turn)> {
        let mut turns = Vec::new();
        for _ in 0..ticks {
            self.now = self.now.plus_ms(TICK_MS);
            for place in living {
                let turn = self.look(*place);
                if turn != Turn::Same {
                    turns.push((*place, turn));
                }
            }
        }
        turns
    }

    fn leaders(&self) -> Vec<usize> {
        let vms = self.vms.iter().enumerate();
        vms.filter(|(_, (_, vm))| vm.leads())
            .map(|(place, _)| place)
            .collect()
    }
}

const ANEW: Turn = Turn::Began(After::Nobody);
const SILENT: Turn = Turn::Began(After::Silent { pending: 0 });

#[test]
fn the_first_lead_is_the_singletons_or_of_whoever_may_be_elected() {
    use Candidate::{Deputy, Elected, Singleton};
    #[track_caller]
    fn check(candidates: &[Candidate], turns: &[(usize, Turn)]) {
        let mut process = Process::of(candidates);
        let all: Vec<usize> = (0..candidates.len()).collect();
        assert_eq!(process.tick(10 * PATIENCE, &all), turns, "{candidates:?}");
    }
    check(&[Deputy, Deputy], &[(0, ANEW)]);
    check(&[Deputy, Singleton, Deputy], &[(1, ANEW)]);
    check(&[Elected, Elected], &[(0, ANEW)]);
    // Who was first keeps it for a while, and then leaves it to the main thread.
    check(
        &[Elected, Singleton],
        &[
            (0, ANEW),
            (1, Turn::Began(After::Worker)),
            (0, Turn::Deposed),
        ],
    );
}

#[test]
fn who_falls_silent_is_followed_by_one_and_told_if_it_lives() {
    let mut process = Process::of(&[Candidate::Singleton, Candidate::Deputy, Candidate::Deputy]);
    assert_eq!(process.tick(100, &[0, 1, 2]), [(0, ANEW)]);
    assert!(process.vms.iter().all(|(_, vm)| vm.is_served()));
    // The last sign may be as old as a beat.
    assert_eq!(process.tick(PATIENCE - BEAT, &[1, 2]), []);
    assert!(process.vms[1].1.is_served());
    assert_eq!(process.tick(BEAT, &[1, 2]), [(1, SILENT)]);
    assert_eq!(process.vms[0].1.confirm(), Turn::Deposed);
    assert_eq!(process.leaders(), [1]);
    // It lives on, and has its lead back when that has proved true.
    assert_eq!(
        process.tick(PATIENCE, &[0, 1, 2]),
        [(0, Turn::Began(After::Worker)), (1, Turn::Deposed)]
    );
    assert_eq!(process.tick(10 * PATIENCE, &[0, 1, 2]), []);
}

#[test]
fn nobody_serves_from_when_the_leader_is_silent_until_another_leads() {
    let mut process = Process::of(&[Candidate::Singleton, Candidate::Deputy]);
    let vm = |process: &Process| process.vms[1].1.is_served();
    assert!(!vm(&process));
    assert_eq!(process.tick(PATIENCE - 1, &[1]), []);
    assert!(!vm(&process));
    process.tick(1, &[0, 1]);
    assert!(vm(&process));
    let term = process.vms[1].1.term();
    assert!(process.vms[0].1.resign());
    process.memory.refuse_next(1);
    process.tick(1, &[1]);
    assert!(!vm(&process), "the lead is free and could not be taken");
    assert_eq!(process.tick(1, &[1]), [(1, ANEW)]);
    assert!(vm(&process));
    assert_ne!(process.vms[1].1.term(), term);
}

#[test]
fn a_silent_leaders_pending_usage_is_known_to_its_follower() {
    let mut process = Process::of(&[Candidate::Elected, Candidate::Elected]);
    process.look(0);
    process.now = process.now.plus_ms(TICK_MS);
    process.vms[0].1.look(Candidate::Elected, 77, process.now);
    let turns = process.tick(PATIENCE + 1, &[1]);
    assert_eq!(turns, [(1, Turn::Began(After::Silent { pending: 77 }))]);
}

#[test]
fn neither_clocks_that_are_set_nor_many_looks_in_a_tick_make_a_leader_old() {
    let mut process = Process::of(&[Candidate::Elected, Candidate::Elected]);
    process.look(0);
    process.look(1);
    for jump in [3_600_000, 0, 7_200_000, 1] {
        process.now = START.plus_ms(jump);
        assert_eq!(process.look(1), Turn::Same);
    }
    for _ in 0..10 * PATIENCE {
        assert_eq!(process.look(1), Turn::Same);
    }
    assert_eq!(process.tick(PATIENCE - 5, &[1]), []);
    assert_eq!(process.tick(5, &[1]), [(1, SILENT)]);
}

#[test]
fn what_another_build_wrote_is_believed_as_long_as_it_changes() {
    let mut process = Process::of(&[Candidate::Deputy]);
    let mut version = Expect::Missing;
    for beat in 0..3 * PATIENCE {
        if beat % BEAT == 0 {
            let bytes = [&[9, 9][..], &beat.to_le_bytes()].concat();
            process.memory.set(KEY, &bytes, version).expect("ours");
            let (_, written) = process.memory.get(KEY).expect("stored");
            version = Expect::Version(written);
        }
        assert_eq!(process.tick(1, &[0]), []);
        assert!(process.vms[0].1.is_served());
    }
    assert_eq!(process.tick(PATIENCE, &[0]), [(0, SILENT)]);
}

/// Any VMs, any of them standing still or ending in any order, writes that lose: a VM that confirmed
/// is the only one that does, and when all is well again exactly one leads.
#[test]
fn at_most_one_confirmed_leader_whatever_stands_still() {
    use crate::rng::Rng;
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let mut draw = |n: u64| usize::try_from(rng.next_u64() % n).expect("small");
        let mut candidates = vec![Candidate::Elected; 1 + draw(4)];
        if draw(2) == 0 {
            candidates = vec![Candidate::Deputy; candidates.len()];
            candidates.push(Candidate::Singleton);
        }
        let mut process = Process::of(&candidates);
        let count = candidates.len();
        let mut asleep = vec![0; count];
        for _ in 0..400 {
            process.now = match draw(40) {
                0 => UnixMillis(process.now.0 - 5_000),
                1 => process.now.plus_ms(20_000),
                _ => process.now.plus_ms(TICK_MS),
            };
            if draw(20) == 0 {
                process.memory.refuse_next(1);
            }
            for (place, asleep) in asleep.iter_mut().enumerate() {
                if *asleep > 0 {
                    *asleep -= 1;
                    continue;
                }
                match draw(60) {
                    0 => *asleep = draw(150),
                    1 => _ = process.vms[place].1.resign(),
                    _ => _ = process.look(place),
                }
            }
            let confirmed = process.vms.iter_mut().filter_map(|(_, vm)| {
                vm.confirm();
                vm.leads().then_some(())
            });
            assert!(confirmed.count() <= 1, "seed {seed}");
        }
        let all: Vec<usize> = (0..count).collect();
        process.tick(3 * PATIENCE, &all);
        assert_eq!(process.leaders().len(), 1, "seed {seed}");
        assert!(process.vms.iter().all(|(_, vm)| vm.is_served()));
    }
}
