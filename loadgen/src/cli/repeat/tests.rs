use std::path::PathBuf;

use clap::{Args, FromArgMatches};

use super::*;
use crate::cli::{Cli, Command, command};

fn parse(words: &[&str]) -> Cli {
    let words = ["loadgen"].iter().chain(words);
    let matches = command()
        .try_get_matches_from(words)
        .expect("words of this test parse");
    Cli::from_arg_matches(&matches).expect("words of this test parse")
}

#[test]
fn the_recorded_command_repeats_a_run_without_its_credentials() {
    let typed = parse(&[
        "attach",
        "http://me:secret@host/a?user_key=secret",
        "--rate",
        "20",
        "--duration",
        "90s",
        "--shard",
        "1/2",
        "--header",
        "X-Key: secret",
        "--body",
        "secret",
        "--http2",
        "--insecure",
    ]);
    let Some(Command::Attach(attach)) = typed.command else {
        panic!("typed `attach`")
    };
    assert_eq!(attach.headers, [("X-Key".to_owned(), "secret".to_owned())]);
    assert_eq!(
        attach.command("steady", 7),
        "cargo run --release -p loadgen -- attach 'http://...@host/a?...' --profile steady \
         --rate 20 --duration 1m30s --shard 1/2 --seed 7 --http2 --body ... --insecure --header 'X-Key: ...'"
    );
    let typed = parse(&["run", "cache", "--runtime", "docker", "--json", "x.json"]);
    let Some(Command::Run(run)) = typed.command else {
        panic!("typed `run`")
    };
    assert_eq!(
        run.command("headline", 1),
        "cargo run --release -p loadgen -- run cache --profile headline --seed 1 --runtime docker"
    );
    assert_eq!(typed.output.json, Some(PathBuf::from("x.json")));
    let typed = parse(&[
        "quota",
        "--limit",
        "60",
        "--mode",
        "off",
        "--report-lag",
        "1s",
    ]);
    let Some(Command::Quota(quota)) = typed.command else {
        panic!("typed `quota`")
    };
    assert_eq!(
        quota.command(),
        "cargo run --release -p loadgen -- quota --mode off --gateways 1,4 --workers 1,2 --limit 60 \
         --load 0.9,3 --uneven 0.7 --report-lag 1s --seed 1"
    );
    assert_eq!(
        headline_command(true, Some(0.5)),
        "cargo run --release -p loadgen -- --quick --scale 0.5"
    );
    assert_eq!(
        headline_command(false, None),
        "cargo run --release -p loadgen"
    );
}

const DUET: &str = "duet cache=a.wasm cache --pairs 64 --slice 20ms --blocks 12 --connections 8 \
    --looks 4 --processors 1 --control";
const SUITE: &str =
    "duet --suite hit-path --pairs 216 --slice 100ms --blocks 12 --connections 8 --looks 4";
const GATE: &str =
    "gate g.toml --tier 2 --base-wasm a.wasm --candidate-wasm b.wasm --pairs 64 --blocks 4";
const PROOF: &str = "gate --kind same,busy-loop --repetitions 20 --rounds 9 --prove";
const SELF_TEST: &str = "self-test --with ./oha --quick --envoy";

#[test]
fn the_recorded_command_repeats_comparisons_gates_and_the_self_test() {
    #[track_caller]
    fn check(words: &str, expected: &str) {
        let words: Vec<&str> = words.split_whitespace().collect();
        let recorded = match parse(&words).command {
            Some(Command::Duet(duet)) => duet.command(),
            Some(Command::Gate(gate)) => gate.command(),
            Some(Command::SelfTest(test)) => test.command(),
            _ => panic!("typed `duet`, `gate` or `self-test`"),
        };
        assert_eq!(
            recorded,
            format!("cargo run --release -p loadgen -- {expected}")
        );
    }
    for whole in [DUET, SUITE, GATE, PROOF, SELF_TEST] {
        check(whole, whole);
    }
    check("duet --suite hit-path --json x.json", SUITE);
    check("gate g.toml --markdown x.md --strip x.svg", "gate g.toml");
    check("gate --prove --rounds 9 --kind same,busy-loop", PROOF);
}

#[test]
fn the_recorded_command_has_every_option_that_matters() {
    let recorded =
        [DUET, SUITE, GATE, PROOF].map(|line| parse(&line.split(' ').collect::<Vec<_>>()));
    let recorded = recorded.map(|typed| match typed.command {
        Some(Command::Duet(duet)) => duet.command(),
        Some(Command::Gate(gate)) => gate.command(),
        _ => panic!("typed `duet` or `gate`"),
    });
    // Files that are written; nobody needs them to repeat figures.
    let traceless = ["markdown", "strip"];
    for (of, command) in [
        (0, DuetArgs::augment_args(clap::Command::new("duet"))),
        (2, GateArgs::augment_args(clap::Command::new("gate"))),
    ] {
        for option in command.get_arguments().filter_map(clap::Arg::get_long) {
            let is_there = recorded[of..of + 2]
                .iter()
                .any(|line| line.contains(&format!(" --{option}")));
            assert!(is_there || traceless.contains(&option), "--{option}");
        }
    }
}
