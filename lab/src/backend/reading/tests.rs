//! Headers and forms in, calls out.

use super::*;

fn params(form: &str) -> Params {
    Params::parse(form.as_bytes()).expect("forms in these tables have a good shape")
}

#[test]
fn the_options_header_is_a_form_of_ones() {
    #[track_caller]
    fn check(header: &str, form: &str, on: &str) {
        let found = options(Some(header.as_bytes()), &params(form));
        let names = [
            (found.no_body, "no_body"),
            (found.rejection_reason_header, "reason"),
            (found.limit_headers, "limits"),
            (found.hierarchy, "hierarchy"),
            (found.flat_usage, "flat"),
            (found.list_app_keys, "keys"),
        ];
        let names: Vec<&str> = names
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, name)| *name)
            .collect();
        assert_eq!(names.join(" "), on, "{header:?} {form:?}");
    }
    check("", "", "");
    check("no_body=1&limit_headers=1", "", "no_body limits");
    check(" hierarchy=1 & flat%5Fusage=%31 ", "", "hierarchy flat");
    check("hierarchy =1&flat_usage= 1", "", "");
    check("%zz=1&hierarchy=1&hierarchy[x]=0", "", "hierarchy");
    check("hierarchy=1&hierarchy=0", "", "");
    check(
        "hierarchy=true&list_app_keys=01&rejection_reason_header",
        "",
        "",
    );
    check("hierarchy=1,limit_headers=1;flat_usage=1", "", "");
    check("no_body", "", "");
    check("no_body=", "", "no_body");
    check("no_body=yes", "", "no_body");
    check("no_body=false", "", "");
    check("", "no_body=1", "no_body");
    check("", "no_body", "");
    check("no_body", "no_body=1", "no_body");
    check("", "no_body=0", "");
    check("", "no_body=false", "");
    check("", "no_body=", "no_body");
    check("", "no_body[]=0", "no_body");
    check("no_body=1", "no_body=0", "no_body");
    check("no_body=0", "no_body=1", "");
    check("", "hierarchy=1", "");
}

#[test]
fn transactions_have_to_be_a_hash_of_hashes() {
    #[track_caller]
    fn check(form: &str, expected: Result<usize, CallError>) {
        let found = report_call(params(form), Options::default()).transactions;
        assert_eq!(
            found.map(|transactions| transactions.len()),
            expected,
            "{form}"
        );
    }
    check("", Err(CallError::TransactionsBlank));
    check("transactions", Err(CallError::TransactionsBlank));
    check("transactions=", Err(CallError::TransactionsBlank));
    check("transactions=x", Err(CallError::TransactionsFormat));
    check("transactions[]=x", Err(CallError::TransactionsFormat));
    check("transactions[0]", Err(CallError::NilTransaction));
    check("transactions[0]=x", Ok(1));
    check("transactions[0][]=x", Err(CallError::TransactionsFormat));
    check(
        "transactions[0][user_id]=x&transactions[1]",
        Err(CallError::NilTransaction),
    );
    check("transactions[0][user_id]=x", Err(CallError::EndUsers));
    check("transactions[0][user_id]=", Err(CallError::EndUsers));
    check("transactions[0][user_id]", Ok(1));
    check("transactions[a][app_id]=1&transactions[b][app_id]=2", Ok(2));
    check("transactions[0][app_id]=%ff", Err(CallError::NotUtf8));
}

#[test]
fn blank_means_more_in_authorization_calls_than_in_reports() {
    let form = "provider_key=+&service_token=+&service_id=+&app_id=+&transactions[0][app_id]=+";
    let flavour = Flavour {
        purpose: Purpose::Ask,
        oauth: false,
    };
    let call = authorize_call(params(form), Options::default(), flavour).expect("it is UTF-8");
    assert_eq!(call.caller.provider_key, None);
    assert_eq!(call.caller.service_token.as_deref(), Some(" "));
    assert_eq!(call.app_id, None);
    let report = report_call(params(form), Options::default());
    assert_eq!(report.caller.provider_key.as_deref(), Some(" "));
    assert_eq!(
        report.transactions.expect("one")[0].app_id.as_deref(),
        Some(" ")
    );
}

#[test]
fn values_that_are_no_text_count_as_absent_only_where_the_reference_says_so() {
    let read = |form: &str| {
        let flavour = Flavour {
            purpose: Purpose::Ask,
            oauth: false,
        };
        authorize_call(params(form), Options::default(), flavour).expect("it is UTF-8")
    };
    let call = read("provider_key[]=a&service_id[x]=b&app_id[]=c&user_key[]=d&app_key[]=e");
    assert_eq!(call.caller, Caller::default());
    assert_eq!(
        (call.app_id, call.user_key, call.app_key),
        (None, None, None)
    );
    let call = read("service_token[]=t&user_id");
    assert_eq!(call.caller.service_token.as_deref(), Some("[\"t\"]"));
    assert!(!call.names_end_user);
    assert!(read("user_id=").names_end_user);
    let report = report_call(params("provider_key[]=k"), Options::default());
    assert_eq!(report.caller.provider_key.as_deref(), Some("[\"k\"]"));
}

#[test]
fn redirect_uri_counts_only_without_redirect_url() {
    let read = |form: &str| {
        let flavour = Flavour {
            purpose: Purpose::Ask,
            oauth: true,
        };
        let call = authorize_call(params(form), Options::default(), flavour).expect("it is UTF-8");
        let oauth = call.oauth.expect("an oauth call");
        (oauth.parameter, oauth.redirect)
    };
    assert_eq!(
        read("redirect_uri=u"),
        (RedirectParameter::Uri, Some("u".to_owned()))
    );
    assert_eq!(read("redirect_uri="), (RedirectParameter::Uri, None));
    assert_eq!(
        read("redirect_uri=u&redirect_url="),
        (RedirectParameter::Url, None)
    );
    assert_eq!(read(""), (RedirectParameter::Url, None));
}
