//! Removal of containers and networks whose lab is gone, and of images that nobody needs any more.

use std::time::{Duration, SystemTime};

use super::DockerError;
use super::engine::{Engine, Made};
use super::images::{Image, TAG_OF_COMPOSE};
use crate::runtime::owner::Owner;

/// Removes what crashed labs left in the engine.
pub(super) async fn sweep(engine: &Engine) -> Result<(), DockerError> {
    for id in left_behind(engine.containers().await?) {
        engine.remove(&id).await?;
    }
    for id in left_behind(engine.networks().await?) {
        engine.remove_network(&id).await?;
    }
    Ok(())
}

/// Every build of the servers makes a new image; those of yesterday's builds are removed. Younger
/// ones may belong to another lab that is about to start.
const IMAGE_LIFE: Duration = Duration::from_secs(24 * 3600);

/// Removes old images of the same name as `present`.
pub(super) async fn sweep_images(engine: &Engine, present: &Image) -> Result<(), DockerError> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let before = now.unwrap_or_default().saturating_sub(IMAGE_LIFE);
    for image in engine.images(present.name).await? {
        if is_outdated(&image, present, before) {
            engine.remove_image(&image.reference).await?;
        }
    }
    Ok(())
}

fn is_outdated(image: &Made, present: &Image, before: Duration) -> bool {
    let kept = [present.tag.as_str(), TAG_OF_COMPOSE];
    let tag = image.reference.rsplit(':').next().unwrap_or_default();
    !kept.contains(&tag) && u64::try_from(image.at_unix).is_ok_and(|at| at < before.as_secs())
}

fn left_behind(labelled: Vec<(String, String)>) -> impl Iterator<Item = String> {
    labelled
        .into_iter()
        .filter(|(_, owner)| owner.parse::<Owner>().is_ok_and(|owner| owner.is_gone()))
        .map(|(id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yesterdays_images_go_unless_they_are_still_named() {
        let present = Image {
            name: "server",
            tag: "1f".to_owned(),
        };
        let is_outdated = |reference: &str, at_unix| {
            let image = Made {
                reference: reference.to_owned(),
                at_unix,
            };
            is_outdated(&image, &present, Duration::from_secs(1000))
        };
        assert!(is_outdated("server:2e", 999));
        assert!(!is_outdated("server:2e", 1001), "young");
        assert!(!is_outdated("server:1f", 999), "present");
        assert!(!is_outdated("server:compose", 999), "named in compose.yaml");
    }

    #[test]
    fn only_what_ended_owners_had_is_left_behind() {
        let current = Owner::current().to_string();
        let namespace = current
            .rsplit('-')
            .next()
            .expect("three numbers")
            .to_owned();
        let labelled = vec![
            ("ours".to_owned(), current),
            ("left".to_owned(), format!("1-987654321-{namespace}")),
            ("unreadable".to_owned(), "someone".to_owned()),
        ];
        assert_eq!(left_behind(labelled).collect::<Vec<_>>(), ["left"]);
    }
}
