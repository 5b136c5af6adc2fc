//! One part of a published version: a run, or figures of another kind.
//!
//! Owns what each says on its page. Must not know where its files lie or how a page looks.

mod judged;
mod kind;

use std::path::{Path, PathBuf};
use std::{fs, io};

use results::record::RunRecord;
use serde::de::DeserializeOwned;
use thiserror::Error;

use self::judged::{ALARMED, BROKEN, judged};
pub use self::kind::Kind;
use crate::around::Around;
use crate::chart::{self, Chart};
use crate::circumstances::{Circumstances, of_machine};
use crate::compare::duets;
use crate::duet::{self, Duet, DuetError};
use crate::facts::Facts;
use crate::page::{self, PageError};
use crate::quota::Quota;
use crate::render::RenderError;
use crate::scaling::Scaling;
use crate::setup::{self, Item, Verdict};
use crate::sheet::{self, Sheet};
use crate::{story, suite};

/// A part, read.
#[derive(Debug)]
pub enum Content {
    /// A recorded run.
    Run(Box<Facts>),
    /// How exactly limits are kept.
    Quota(Quota),
    /// What the number of applications costs.
    Scale(Scaling),
    /// Comparisons in turns, and what a suite wants of them.
    Duet(Vec<Duet>, Vec<suite::Entry>),
}

/// Why a part could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PartError {
    /// The run.
    #[error(transparent)]
    Run(#[from] RenderError),
    /// The comparison.
    #[error(transparent)]
    Duet(#[from] DuetError),
    /// The file is missing or cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is something else.
    #[error("`{}` is not what {writer} writes", path.display())]
    NotThat {
        /// The file.
        path: PathBuf,
        /// What writes such files.
        writer: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// What is known of a part from outside of its file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told<'a> {
    /// The command that the publisher stated.
    pub command: Option<&'a str>,
    /// A run of the same version, whose circumstances may be those of a file that states none.
    pub beside: Option<&'a RunRecord>,
}

/// Reads a part: the folder of a run, or a file.
pub fn load(kind: Kind, path: &Path) -> Result<Content, PartError> {
    Ok(match kind {
        Kind::Run => {
            let run = results::load(path).map_err(RenderError::from)?;
            Content::Run(Box::new(Facts::gather(&run).map_err(RenderError::from)?))
        }
        Kind::Quota => Content::Quota(json(path, "`loadgen quota --json`")?),
        Kind::Scale => Content::Scale(json(path, "`--example scale -- --json`")?),
        Kind::Duet => Content::Duet(duet::load(path)?, suite::entries(&text(path)?)),
    })
}

fn text(path: &Path) -> Result<String, PartError> {
    fs::read_to_string(path).map_err(|source| PartError::Io {
        path: path.to_owned(),
        source,
    })
}

fn json<T: DeserializeOwned>(path: &Path, writer: &'static str) -> Result<T, PartError> {
    serde_json::from_str(&text(path)?).map_err(|source| PartError::NotThat {
        path: path.to_owned(),
        writer,
        source,
    })
}

impl Content {
    /// What it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Run(_) => Kind::Run,
            Self::Quota(_) => Kind::Quota,
            Self::Scale(_) => Kind::Scale,
            Self::Duet(..) => Kind::Duet,
        }
    }

    /// What its pictures show.
    pub fn charts(&self) -> Vec<Chart> {
        match self {
            Self::Run(facts) => chart::all(facts),
            Self::Quota(quota) => chart::quota::charts(quota),
            Self::Scale(scaling) => chart::scaling::charts(scaling),
            Self::Duet(duets, _) => duets::comparison(duets).charts,
        }
    }

    /// What came out, in a sentence.
    pub fn title(&self) -> String {
        match self {
            Self::Run(facts) => story::headline(facts).first,
            Self::Quota(quota) => quota.title(),
            Self::Scale(scaling) => scaling.title(),
            Self::Duet(duets, _) => duets::comparison(duets).title,
        }
    }

    /// What belongs to that; may be empty.
    pub fn lead(&self) -> String {
        match self {
            Self::Run(facts) => story::headline(facts).rest,
            Self::Quota(quota) => quota.worst(),
            Self::Scale(scaling) => scaling.memory_in_words(),
            Self::Duet(_, entries) => suite::reached(entries),
        }
    }

    /// Whether its figures may be used.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Run(facts) => setup::verdict(facts),
            Self::Quota(quota) => judged(quota.doubts(), quota.broken(), BROKEN),
            Self::Scale(_) => judged(Vec::new(), Vec::new(), BROKEN),
            Self::Duet(duets, _) => judged(duets::doubts(duets), duets::alarms(duets), ALARMED),
        }
    }

    /// When it was measured, if it says so.
    pub fn started_at(&self) -> Option<&str> {
        let said = match self {
            Self::Run(facts) => return Some(&facts.record.started_at),
            Self::Quota(quota) => quota.circumstances.as_ref(),
            Self::Scale(scaling) => scaling.circumstances.as_ref(),
            Self::Duet(duets, _) => duets.first()?.circumstances.as_ref(),
        };
        said.map(|it| it.started_at.as_str())
    }

    /// Whether it records the command that repeats it.
    pub fn states_command(&self) -> bool {
        matches!(self, Self::Run(_)) || self.circumstances().is_some()
    }

    /// How figures that come from no run were made, if their file says so.
    pub fn circumstances(&self) -> Option<Circumstances> {
        match self {
            Self::Quota(quota) => quota.circumstances.clone(),
            Self::Scale(scaling) => scaling.circumstances.clone(),
            Self::Duet(duets, _) => duet::circumstances(duets),
            Self::Run(_) => None,
        }
    }

    /// The HTML page, complete in itself.
    pub fn html(&self, told: Told<'_>, around: &Around) -> Result<String, PageError> {
        match self {
            Self::Run(facts) => page::html_within(facts, &self.charts(), around),
            _ => sheet::html(&self.sheet(told), around),
        }
    }

    /// The Markdown page.
    pub fn markdown(&self, told: Told<'_>, around: &Around) -> Result<String, PageError> {
        match self {
            Self::Run(facts) => page::markdown_within(facts, &self.charts(), around),
            _ => sheet::markdown(&self.sheet(told), around),
        }
    }

    fn sheet(&self, told: Told<'_>) -> Sheet {
        let kind = self.kind();
        let (tables, mut setup) = match self {
            Self::Duet(duets, entries) => {
                // Its cautions are the reasons of the verdict.
                let found = duets::comparison(duets);
                let goals = suite::table(entries, duets);
                (goals.into_iter().chain(found.tables).collect(), found.setup)
            }
            _ => (Vec::new(), Vec::new()),
        };
        match self.circumstances() {
            Some(circumstances) => {
                // A comparison has said some of it already.
                let mut items = circumstances.items();
                items.retain(|item| setup.iter().all(|said| said.name != item.name));
                setup.extend(items);
            }
            None => setup.extend(self.not_recorded(told.beside)),
        }
        Sheet {
            eyebrow: kind.name().to_owned(),
            title: self.title(),
            lead: self.lead(),
            verdict: self.verdict(),
            notes: kind.notes().iter().map(|&note| note.to_owned()).collect(),
            charts: self.charts(),
            tables,
            setup,
            command: self.command(told),
        }
    }

    /// What a file that does not state its circumstances leaves open.
    fn not_recorded(&self, beside: Option<&RunRecord>) -> Vec<Item> {
        let says = |value: fn(&RunRecord) -> String| match beside {
            Some(run) => format!("not recorded in the file; {} is {}", run.id, value(run)),
            None => "not recorded in the file".to_owned(),
        };
        let commit = Item {
            name: "Commit",
            value: says(|run| format!("of {}", run.commit)),
        };
        let machine = Item {
            name: "Machine",
            value: says(|run| {
                let (machine, class) = (of_machine(&run.machine), &run.machine.fingerprint);
                format!("of {machine}, class {class}")
            }),
        };
        match self {
            Self::Duet(..) => vec![commit],
            _ => vec![commit, machine],
        }
    }

    fn command(&self, told: Told<'_>) -> String {
        let recorded = self.circumstances();
        let checkout = recorded
            .as_ref()
            .map(|it| format!("git checkout {}\n", it.commit));
        let usual = match self {
            Self::Quota(_) => "cargo run --release -p loadgen -- quota --json quota.json",
            Self::Scale(_) => {
                "cargo run --release -p authcache --example scale -- --json scale.json"
            }
            Self::Run(_) | Self::Duet(..) => {
                "cargo run --release -p loadgen -- duet BASE CANDIDATE --json duet.json"
            }
        };
        let command = recorded
            .as_ref()
            .map(|it| it.command.as_str())
            .or(told.command);
        match command {
            Some(command) => format!("{}{command}", checkout.unwrap_or_default()),
            None => format!("# The command was not recorded. The usual one:\n{usual}"),
        }
    }
}
