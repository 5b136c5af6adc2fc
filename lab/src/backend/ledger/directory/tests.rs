//! Providers, their services and which is the default.

use super::*;

fn service(id: &str, provider_key: &str) -> Service {
    Service {
        id: id.to_owned(),
        provider_key: provider_key.to_owned(),
        active: Activity("active".into()),
        backend_version: None,
        referrer_filters_required: false,
    }
}

#[test]
fn the_first_service_is_the_default_unless_said_otherwise() {
    let directory = Directory::default();
    directory.put_service(service("1", "k"), DefaultService::Unsaid);
    directory.put_service(service("2", "k"), DefaultService::Unsaid);
    assert_eq!(directory.default_service("k").as_deref(), Some("1"));
    directory.put_service(service("3", "k"), DefaultService::Yes);
    assert_eq!(directory.default_service("k").as_deref(), Some("3"));
    directory.put_service(service("4", "other"), DefaultService::No);
    assert_eq!(directory.default_service("other"), None);
    assert!(directory.knows_provider("other"));
}

#[test]
fn the_default_service_goes_last() {
    let directory = Directory::default();
    directory.put_service(service("1", "k"), DefaultService::Unsaid);
    directory.put_service(service("2", "k"), DefaultService::Unsaid);
    assert_eq!(directory.remove_service("1"), ServiceRemoval::IsDefault);
    assert_eq!(directory.remove_service("2"), ServiceRemoval::Removed);
    assert_eq!(directory.remove_service("2"), ServiceRemoval::Unknown);
    assert_eq!(directory.remove_service("1"), ServiceRemoval::Removed);
    assert!(!directory.knows_provider("k"));
}

#[test]
fn a_provider_key_changes_for_all_its_services() {
    let directory = Directory::default();
    directory.put_service(service("1", "old"), DefaultService::Unsaid);
    directory.put_service(service("2", "taken"), DefaultService::Unsaid);
    assert!(matches!(
        directory.change_provider_key("no", "x"),
        Err(ProviderKeyError::Unknown(_))
    ));
    assert!(matches!(
        directory.change_provider_key("old", "taken"),
        Err(ProviderKeyError::Taken(_))
    ));
    assert_eq!(directory.change_provider_key("old", "new"), Ok(()));
    assert_eq!(directory.default_service("new").as_deref(), Some("1"));
    assert!(!directory.knows_provider("old"));
}
