//! The static site: which pages there are, and that they follow from the files alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use reports::part::Kind;
use reports::publish::{Edition, publish};
use reports::site::{SiteError, write_site};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("the system has a temporary folder")
}

fn copy(from: &Path, to: &Path, backwards: bool) {
    fs::create_dir_all(to).expect("the folder is writable");
    let entries = fs::read_dir(from).expect("the folder is there");
    let mut paths: Vec<PathBuf> = entries
        .map(|it| it.expect("the entry is readable").path())
        .collect();
    paths.sort();
    if backwards {
        paths.reverse();
    }
    for path in paths {
        let to = to.join(path.file_name().expect("entries have names"));
        match path.is_dir() {
            true => copy(&path, &to, backwards),
            false => drop(fs::copy(&path, &to).expect("the file is readable")),
        }
    }
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("the folder is there") {
            let path = entry.expect("the entry is readable").path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path.strip_prefix(folder).expect("it is inside").to_owned();
                    found.insert(name, fs::read(&path).expect("the file is readable"));
                }
            }
        }
    }
    found
}

/// A place with two published versions and two runs.
fn place() -> tempfile::TempDir {
    let place = folder();
    let versions: [(&str, &[(Kind, &str)]); 2] = [
        (
            "v0.1",
            &[
                (Kind::Run, "2031-05-04-headline-0123abc"),
                (Kind::Duet, "duet.json"),
            ],
        ),
        ("v0.2", &[(Kind::Run, "2031-06-07-headline-89abcde")]),
    ];
    for (version, results) in versions {
        let edition = Edition {
            version: version.into(),
            results: results
                .iter()
                .map(|(kind, name)| (*kind, fixture(name)))
                .collect(),
            ..Edition::default()
        };
        publish(&edition, &place.path().join("published")).expect("the fixtures are valid");
    }
    for run in ["2031-05-05-step-0123abc", "2031-05-04-headline-0123abc"] {
        copy(&fixture(run), &place.path().join("runs").join(run), false);
    }
    place
}

fn site(place: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let out = place.join("site");
    let written = write_site(&place.join("published"), &place.join("runs"), &out);
    assert!(
        written
            .expect("everything can be read")
            .unreadable
            .is_empty()
    );
    files(&out)
}

/// A page without its pictures and style, which have tests of their own.
fn bare(page: &str) -> String {
    let mut text = String::new();
    let mut rest = page;
    while let Some((at, end)) = ["<style>", "<svg"]
        .iter()
        .filter_map(|start| Some((rest.find(start)?, start.replace('<', "</"))))
        .min()
    {
        let end = end.trim_end_matches('>').to_owned() + ">";
        let after = rest[at..].find(&end).expect("what begins ends") + at + end.len();
        text.push_str(&rest[..at]);
        rest = &rest[after..];
    }
    text + rest
}

#[test]
fn the_site_follows_from_the_files_alone() {
    let place = place();
    let first = site(place.path());
    // Again over the earlier one, and from a copy elsewhere whose files were made in another order.
    assert_eq!(site(place.path()), first);
    let elsewhere = folder();
    for name in ["published", "runs"] {
        let to = elsewhere.path().join("further/down").join(name);
        copy(&place.path().join(name), &to, true);
    }
    assert_eq!(site(&elsewhere.path().join("further/down")), first);

    let text = |name: &str| {
        let bytes = first.get(Path::new(name)).expect(name).clone();
        String::from_utf8(bytes).expect("pages are text")
    };
    let index = text("index.html");
    insta::assert_snapshot!("index.html", bare(&index));
    insta::assert_snapshot!("version.html", bare(&text("v0.1/index.html")));
    let place_of = |it: &str| index.find(it).expect(it);
    assert!(
        place_of("v0.2/index.html") < place_of("v0.1/index.html"),
        "newest first"
    );
    for (name, bytes) in &first {
        let here = place.path().to_string_lossy().into_owned();
        let is_here = String::from_utf8_lossy(bytes).contains(&here);
        assert!(
            !is_here,
            "{} names the folder it was made in",
            name.display()
        );
    }
    check_pages(&first);
}

/// Every address leads to a page or file of the site, every id is there once, and nothing is asked of
/// the network.
fn check_pages(site: &BTreeMap<PathBuf, Vec<u8>>) {
    let pages = site
        .iter()
        .filter(|(name, _)| name.extension().is_some_and(|it| it == "html"));
    let mut count = 0;
    for (name, bytes) in pages {
        count += 1;
        let page = String::from_utf8_lossy(bytes);
        let shown = name.display();
        for word in [
            "http:", "https:", "src=", "@import", "url(", "<link", "<script",
        ] {
            assert!(!page.contains(word), "{shown}: {word}");
        }
        for rest in page.split("href=\"").skip(1) {
            let address = rest
                .split('"')
                .next()
                .unwrap_or_default()
                .replace("&#x2f;", "/");
            let mut target = name.parent().expect("pages have a folder").to_owned();
            for step in address.split('/') {
                match step {
                    ".." => assert!(target.pop(), "{shown}: {address} leaves the site"),
                    step => target.push(step),
                }
            }
            assert!(
                site.contains_key(&target),
                "{shown}: {address} leads nowhere"
            );
        }
        let ids: Vec<&str> = page
            .split(" id=\"")
            .skip(1)
            .filter_map(|it| it.split('"').next())
            .collect();
        let unique: BTreeSet<&&str> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len(), "{shown}: an id twice");
    }
    // First page, two versions, three parts, two runs.
    assert_eq!(count, 8);
}

#[test]
fn an_empty_checkout_has_a_site_that_says_so_and_other_folders_are_left_alone() {
    let place = folder();
    let out = place.path().join("site");
    let nowhere = place.path().join("nowhere");
    let written = write_site(&nowhere, &nowhere, &out).expect("missing folders are empty");
    let index = fs::read_to_string(written.index).expect("it was just written");
    assert!(index.contains("Nothing is published yet"));

    let mine = place.path().join("mine");
    fs::create_dir(&mine).expect("the folder is writable");
    fs::write(mine.join("letter.txt"), "dear").expect("the folder is writable");
    let error = write_site(&nowhere, &nowhere, &mine).expect_err("it holds something else");
    assert!(matches!(error, SiteError::InTheWay { .. }), "{error}");
    assert_eq!(files(&mine).len(), 1);
}

#[test]
fn a_run_that_cannot_be_read_is_named_and_left_out() {
    let place = folder();
    let runs = place.path().join("runs");
    copy(
        &fixture("2031-05-05-step-0123abc"),
        &runs.join("good"),
        false,
    );
    fs::create_dir(runs.join("bad")).expect("the folder is writable");
    fs::write(runs.join("bad/run.json"), "{}").expect("the folder is writable");
    // A record may come from elsewhere: it does not say where its page is written.
    let record = runs.join("good/run.json");
    let text = fs::read_to_string(&record).expect("it was just written");
    let elsewhere = text.replacen("2031-05-05-step-0123abc", "../../../elsewhere", 1);
    fs::write(&record, elsewhere).expect("it is writable");
    let out = place.path().join("site");
    let written = write_site(&place.path().join("none"), &runs, &out).expect("one can be read");
    assert_eq!(written.unreadable.len(), 1);
    assert!(
        written.unreadable[0].contains("bad"),
        "{:?}",
        written.unreadable
    );
    assert!(out.join("runs/good/run/cache.hlog").is_file());
}
