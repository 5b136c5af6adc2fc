use reports::paired::verdict::P50_MARGIN;

use super::*;

const EXAMPLE: &str = r#"
[duet]
pairs = 100

[[gate]]
name = "a hit costs no more"
tier = 2
metric = "cpu"
base = "hit-floor"
candidate = "hit-floor"
margin = 0.03

[[gate]]
name = "a hit takes no longer"
tier = 2
metric = "p50"
base = "hit-floor"
candidate = "hit-floor"
must_tell = true

[[gate]]
name = "few calls"
tier = 1
metric = "backend-calls-per-1000"
candidate = "cache"
limit = 5
"#;

#[test]
fn what_a_file_leaves_out_has_a_default() {
    let file = parse("gates.toml", EXAMPLE).expect("the file is valid");
    assert_eq!((file.duet.pairs, file.duet.looks), (100, 4));
    let margins: Vec<f64> = file.gates.iter().map(|gate| gate.margin).collect();
    assert_eq!(margins, [0.03, P50_MARGIN, 0.0]);
    assert_eq!(file.gates[2].against, Against::Limit(5.0));
    let must: Vec<bool> = file.gates.iter().map(|gate| gate.must_tell).collect();
    assert_eq!(must, [false, true, false]);
}

#[test]
fn a_mistake_names_file_line_and_what_was_expected() {
    #[track_caller]
    fn check(from: &str, to: &str, line: usize, parts: &[&str]) {
        assert!(EXAMPLE.contains(from), "{from}");
        let text = EXAMPLE.replacen(from, to, 1);
        let error = parse("gates.toml", &text).expect_err("the file has a mistake");
        let message = error.to_string();
        let place = format!("`gates.toml`, line {line},");
        for part in parts.iter().copied().chain([&*place]) {
            assert!(message.contains(part), "{part} in {message}");
        }
    }
    check(
        "\"cpu\"",
        "\"cpus\"",
        8,
        &["`cpus`", "expected one of artefact-bytes"],
    );
    check("tier = 2", "tier = 1", 7, &["expected tier = 2", "`cpu`"]);
    check("tier = 2", "tier = \"two\"", 7, &["tier = \"two\""]);
    check("margin = 0.03", "margin = 3", 11, &["margin is 3", "0.02"]);
    check("margin = 0.03", "margni = 3", 11, &["margni"]);
    check(
        "base = \"hit-floor\"",
        "base = \"hit-flour\"",
        9,
        &["`hit-flour`", "SCENARIO"],
    );
    check(
        "base = \"hit-floor\"",
        "limit = 3",
        9,
        &["from machine to machine"],
    );
    check(
        "base = \"hit-floor\"\n",
        "",
        5,
        &["`a hit costs no more`", "expected `base`"],
    );
    check("limit = 5", "limit = 0", 26, &["above 0"]);
    check(
        "limit = 5",
        "limit = 5\nbase = \"cache\"",
        26,
        &["either `base` or `limit`"],
    );
    check(
        "limit = 5",
        "limit = 5\nmargin = 0.1",
        27,
        &["a limit has no margin"],
    );
    check(
        "a hit takes no longer",
        "a hit costs no more",
        14,
        &["another name"],
    );
    check(
        "\"p50\"",
        "\"cpu\"",
        14,
        &["the same as `a hit costs no more`"],
    );
    check(
        "pairs = 100",
        "pairs = 3",
        2,
        &["duet.pairs is 3", "32 to 2000"],
    );
    check("pairs = 100", "pear = 3", 3, &["pear"]);
}

#[test]
fn a_file_without_gates_is_refused() {
    let message = |text| parse("gates.toml", text).expect_err("no gates").to_string();
    assert!(message("gate = []\n").contains("at least one [[gate]]"));
    assert!(message("").contains("`gate`"));
}
