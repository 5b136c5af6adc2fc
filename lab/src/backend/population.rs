//! Bulk loading: a whole population of services and applications, document by document.
//!
//! Owns the documents' format, which is the `state` of the golden cases, and the stream of them: one
//! after the other, such as one a line (JSON Lines). Only one is held at a time, so that a million
//! applications need no more memory than they take up once loaded. Must not know who makes
//! populations.

pub mod document;

use std::collections::HashSet;
use std::io::{self, Read};
use std::sync::Arc;

use serde::Serialize;
use thiserror::Error;

use self::document::{ApplicationEntry, Population, TokenEntry};
use super::ledger::Ledger;
use super::ledger::catalogue::{Limit, Metric};
use super::ledger::directory::{Activity, Application, DefaultService, Service};
use super::ledger::reporting::Job;
use super::store::StoreError;

/// Why a population was not loaded to its end. What stands before the mistake is loaded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// It cannot be read.
    #[error("the population cannot be read to its end")]
    Read(#[source] io::Error),
    /// A document is malformed; the text ends with line and column.
    #[error("document {number} of the population is not a state document: {problem}")]
    Document {
        /// Which document, from 1; the same as the line where each has its own.
        number: u64,
        /// What is wrong, and where.
        problem: serde_json::Error,
    },
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The thread that reads it is gone.
    #[error("loading was given up")]
    GivenUp,
    /// An application has used a metric that its service does not have.
    #[error(
        "document {number} of the population: application `{application}` has used `{metric}`, \
         which is no metric of service `{service}`"
    )]
    Metric {
        /// Which document, from 1; the same as the line where each has its own.
        number: u64,
        /// The application's id.
        application: String,
        /// The metric's name.
        metric: String,
        /// The service's id.
        service: String,
    },
}

/// What was loaded.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Loaded {
    /// Services.
    pub services: u64,
    /// Applications.
    pub applications: u64,
}

/// Loads documents until there are no more; usage that they name is handed to `count`.
pub fn load(
    reader: impl Read,
    ledger: &Ledger,
    mut count: impl FnMut(Job),
) -> Result<Loaded, LoadError> {
    // The parser asks byte by byte.
    let reader = io::BufReader::with_capacity(64 * 1024, reader);
    let documents = serde_json::Deserializer::from_reader(reader).into_iter::<Population>();
    let mut loaded = Loaded::default();
    let mut texts = Texts::default();
    for (number, document) in (1..).zip(documents) {
        let document = document.map_err(|problem| match problem.is_io() {
            true => LoadError::Read(problem.into()),
            false => LoadError::Document { number, problem },
        })?;
        loaded.services += document.services.len() as u64;
        loaded.applications += document.applications.len() as u64;
        let unknown = |UnknownMetric {
                           application,
                           metric,
                           service,
                       }| LoadError::Metric {
            number,
            application,
            metric,
            service,
        };
        document
            .load_into(ledger, &mut texts, &mut count)
            .map_err(unknown)?;
    }
    Ok(loaded)
}

/// An application has used a metric that its service does not have.
#[derive(Debug)]
pub(super) struct UnknownMetric {
    application: String,
    metric: String,
    service: String,
}

/// Texts that many applications share, each held once.
#[derive(Debug, Default)]
pub(super) struct Texts(HashSet<Arc<str>>);

impl Texts {
    fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let new: Arc<str> = text.into();
        self.0.insert(new.clone());
        new
    }
}

impl Population {
    /// Loads everything into a ledger.
    pub(super) fn load_into(
        self,
        ledger: &Ledger,
        texts: &mut Texts,
        count: &mut impl FnMut(Job),
    ) -> Result<(), UnknownMetric> {
        let directory = &ledger.directory;
        for service in self.services {
            let default = match service.default_service {
                Some(true) => DefaultService::Yes,
                Some(false) => DefaultService::No,
                None => DefaultService::Unsaid,
            };
            let service = Service {
                id: service.id,
                provider_key: service.provider_key,
                active: Activity(service.state.into()),
                backend_version: service.backend_version,
                referrer_filters_required: service.referrer_filters_required,
            };
            directory.put_service(service, default);
        }
        for TokenEntry { token, service_id } in self.service_tokens {
            directory.put_token(&token, &service_id);
        }
        for metric in self.metrics {
            let book = directory.book_or_new(&metric.service_id);
            book.catalogue.write().put_metric(Metric {
                id: metric.id.into(),
                name: metric.name.into(),
                parent: metric.parent_id.map(Into::into),
            });
        }
        for limit in self.usage_limits {
            let book = directory.book_or_new(&limit.service_id);
            let value = limit.value.into();
            let (metric, period) = (limit.metric_id.into(), limit.period);
            let entry = Limit {
                metric,
                period,
                value,
            };
            book.catalogue.write().put_limit(&limit.plan_id, entry);
        }
        for application in self.applications {
            load_application(ledger, application, texts, count)?;
        }
        Ok(())
    }
}

fn load_application(
    ledger: &Ledger,
    entry: ApplicationEntry,
    texts: &mut Texts,
    count: &mut impl FnMut(Job),
) -> Result<(), UnknownMetric> {
    let book = ledger.directory.book_or_new(&entry.service_id);
    let id: Arc<str> = entry.id.into();
    if let Some(user_key) = entry.user_key {
        book.user_keys.put(&user_key, id.clone());
    }
    let application = Application {
        id: id.clone(),
        state: Activity(texts.shared(&entry.state)),
        plan_id: entry.plan_id.map(|text| texts.shared(&text)),
        plan_name: entry.plan_name.map(|text| texts.shared(&text)),
        redirect_url: entry.redirect_url,
        keys: entry.keys,
        referrer_filters: entry.referrer_filters,
    };
    book.applications.put(&id, Arc::new(application));
    if entry.usage.is_empty() {
        return Ok(());
    }
    let set = ledger.usage_to_set(&entry.service_id, &id, &entry.usage);
    count(set.map_err(|metric| UnknownMetric {
        application: id.to_string(),
        metric,
        service: entry.service_id,
    })?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::ledger::calendar::UnixMillis;

    fn load_text(text: &str, ledger: &Ledger) -> Result<Loaded, LoadError> {
        let now = UnixMillis::from_millis(1_935_748_800_000);
        load(text.as_bytes(), ledger, |job| ledger.count(job, now))
    }

    const SERVICE: &str = concat!(
        r#"{"services":[{"id":"s","provider_key":"p"}],"#,
        r#""metrics":[{"service_id":"s","id":"1","name":"hits"}]}"#,
    );

    #[test]
    fn documents_may_stand_on_lines_or_over_several() {
        #[track_caller]
        fn check(text: &str) {
            let ledger = Ledger::default();
            let loaded = load_text(text, &ledger).expect("the documents are good");
            assert_eq!((loaded.services, loaded.applications), (1, 2), "{text}");
            let book = ledger.directory.book("s").expect("there is a service");
            assert!(book.applications.get("b").is_some());
        }
        let applications =
            r#"{"applications":[{"service_id":"s","id":"a"},{"service_id":"s","id":"b"}]}"#;
        check(&format!("{SERVICE}\n{applications}\n"));
        check(&format!("{SERVICE}{applications}"));
        check(&format!(
            "{SERVICE}\n\n{}",
            applications.replace(',', ",\n  ")
        ));
    }

    #[test]
    fn a_mistake_names_document_line_and_column_and_leaves_what_stands_before_it() {
        #[track_caller]
        fn check(line: &str, parts: &[&str]) {
            let ledger = Ledger::default();
            let good = r#"{"applications":[{"service_id":"s","id":"a"}]}"#;
            let text = format!("{SERVICE}\n{good}\n{line}\n{good}\n");
            let error = load_text(&text, &ledger).expect_err("line 3 is wrong");
            let message = error.to_string();
            for part in parts.iter().chain(&["document 3 "]) {
                assert!(message.contains(part), "{part} in {message}");
            }
            let book = ledger.directory.book("s").expect("line 1 is loaded");
            assert!(book.applications.get("a").is_some(), "line 2 is loaded");
        }
        check("{\"applications\":[{]}", &["line 3 column 19"]);
        check("{\"aplications\":[]}", &["`aplications`", "line 3"]);
        check(
            "{\"applications\":[{\"service_id\":\"s\"}]}",
            &["`id`", "line 3"],
        );
        check(r#""7""#, &["line 3"]);
        check(
            r#"{"usage_limits":[{"service_id":"s","plan_id":"p","metric_id":"1","period":"fortnight","value":1}]}"#,
            &["`fortnight`", "line 3"],
        );
        check(
            r#"{"applications":[{"service_id":"s","id":"z","usage":{"hits":9223372036854775808}}]}"#,
            &["usage of `hits` is 9223372036854775808", "line 3"],
        );
        check(
            r#"{"applications":[{"service_id":"s","id":"z","usage":{"nope":1}}]}"#,
            &["`z`", "`nope`", "`s`"],
        );
    }

    #[test]
    fn a_population_that_ends_in_a_document_is_refused() {
        let ledger = Ledger::default();
        let error = load_text("{\"services\":[", &ledger).expect_err("it is cut short");
        assert!(error.to_string().contains("EOF"), "{error}");
    }

    #[test]
    fn usage_is_set_and_not_added_so_that_loading_twice_changes_nothing() {
        let ledger = Ledger::default();
        let text = format!(
            "{SERVICE}\n{}",
            r#"{"applications":[{"service_id":"s","id":"a","usage":{"hits":7}}]}"#
        );
        for _ in 0..2 {
            load_text(&text, &ledger).expect("the documents are good");
        }
        assert_eq!(ledger.totals()["s"]["hits"], 7);
    }
}
