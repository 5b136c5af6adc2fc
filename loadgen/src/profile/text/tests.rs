use super::*;

#[test]
fn a_broken_profile_is_refused_with_its_place_and_what_is_expected() {
    #[track_caller]
    fn check(source: &str, parts: &[&str]) {
        let message = Profile::parse("mine.toml", source)
            .expect_err("broken on purpose")
            .to_string();
        for part in parts {
            assert!(message.contains(part), "`{part}` is missing in: {message}");
        }
        assert!(message.contains("mine.toml"), "{message}");
    }
    let head = "name = 'p'\ndescription = 'd'\nmode = 'open'\narrival = 'constant'\n";
    check(&format!("{head}rat = 5\n"), &["line 5", "rat"]);
    check("name = 'p'\nmode = ", &["line 2"]);
    check(head, &["phases", "at least one"]);
    check(&format!("{head}phases = []\n"), &["phases", "at least one"]);
    check(
        &format!("{head}[[phases]]\nduration = 'soon'\nrate = 1\n"),
        &["phases[0].duration", "soon"],
    );
    check(
        &format!("{head}[[phases]]\nduration = '0s'\nrate = 1\n"),
        &["phases[0].duration"],
    );
    check(
        &format!("{head}[[phases]]\nduration = '1s'\nrate = -1\n"),
        &["phases[0].rate", "-1"],
    );
    check(
        &format!("{head}[[phases]]\nduration = '1s'\nfrom = 1\n"),
        &["phases[0]", "`from` and `to`"],
    );
    check(
        &format!("{head}[[phases]]\nduration = '1s'\nrate = 1\nfrom = 1\nto = 2\n"),
        &["phases[0]"],
    );
    check(
        &format!("{head}[[phases]]\nduration = '1s'\nrate = 1\npeak = 2\npeak_duration = '3s'\n"),
        &["phases[0].peak_duration"],
    );
    check(
        &format!("{head}warm_up = '1500ms'\n[[phases]]\nduration = '1s'\nrate = 1\n"),
        &["warm_up", "whole seconds"],
    );
    check(
        &format!("{head}users = 5\n[[phases]]\nduration = '1s'\nrate = 1\n"),
        &["users", "closed"],
    );
    check(
        "name = 'p'\ndescription = 'd'\nmode = 'closed'\n",
        &["users"],
    );
    let closed = "name = 'p'\ndescription = 'd'\nmode = 'closed'\nusers = 1\nduration = '1s'\n";
    check(
        &format!("{closed}think_time = {{ constant = '0s' }}\n"),
        &["think_time.constant", "0s"],
    );
    check(
        &format!("{closed}think_time = {{ exponential = '2h' }}\n"),
        &["think_time.exponential", "1h", "2h"],
    );
    check(
        &format!("{closed}think_time = {{ uniform = '1s' }}\n"),
        &["line 6", "uniform", "constant"],
    );
    check(
        &format!(
            "{head}think_time = {{ constant = '1s' }}\n[[phases]]\nduration = '1s'\nrate = 1\n"
        ),
        &["think_time", "closed"],
    );
    let open = "name = 'p'\ndescription = 'd'\nmode = 'open'\n";
    check(
        &format!("{open}arrival = 'trace'\n"),
        &["field `trace`", "missing"],
    );
    check(
        &format!("{open}trace = 't.csv'\n"),
        &["field `trace`", "arrival"],
    );
    check(
        "name = 'p'\ndescription = 'd'\nmode = 'closed'\nusers = 0\nduration = '1s'\n",
        &["users", "0"],
    );
    check(
        "name = 'p'\ndescription = 'd'\nmode = 'closed'\nusers = 1\n",
        &["`duration` or `requests`"],
    );
    check(
        "name = 'p'\ndescription = 'd'\nmode = 'half-open'\n",
        &["line 3", "half-open", "open"],
    );
}
