//! Redis as a store.
//!
//! Owns the connection and the commands. Must not know outages beyond reporting them
//! ([`super::keeper`] does), or JSON of records.
//!
//! One connection carries everything: commands of many calls are in flight on it at once, and a call
//! that waits for its answer holds up nobody. Reads are one `MULTI` of `HMGET`s, writes one script,
//! and both are one round trip.

mod commands;
mod names;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures::FutureExt;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, Pipeline, RedisError, cmd};

use super::{Contents, Pending, Store, StoreError, Write};
use crate::backend::ledger::counters::{CounterId, Totals};
use crate::backend::ledger::usage::Amount;

/// The layout of what is stored; changes when the layout does.
const FORMAT: &str = "1";

/// How long Redis may take for an answer or a connection. It may stall for a second or so while it
/// forks or waits for a disk.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a process's last number is remembered: longer than any outage after which the process
/// still has something to repeat.
const NUMBER_KEPT: Duration = Duration::from_secs(7 * 86_400);

/// Entries asked for at once when everything is read.
const PAGE: usize = 1000;

const SCRIPT: &str = include_str!("redis/write.lua");

/// A database of a Redis server.
#[derive(Debug)]
pub struct RedisStore {
    client: Client,
    connection: Mutex<Option<Connection>>,
    writer: String,
}

#[derive(Clone)]
struct Connection {
    redis: MultiplexedConnection,
    script: String,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection(..)")
    }
}

impl From<RedisError> for StoreError {
    fn from(error: RedisError) -> Self {
        Self::Away(error.to_string())
    }
}

impl RedisStore {
    /// A store by its URL. Nothing is connected yet.
    pub fn new(url: &str) -> Result<Self, StoreError> {
        let is_known = ["redis://", "redis+unix://"]
            .iter()
            .any(|scheme| url.starts_with(scheme));
        if !is_known {
            return Err(StoreError::Url("the scheme is another".to_owned()));
        }
        // The error does not repeat the URL, which may hold a password.
        let client = Client::open(url).map_err(|error| StoreError::Url(error.to_string()))?;
        Ok(Self {
            client,
            connection: Mutex::new(None),
            writer: names::writer(rand::random()),
        })
    }

    async fn open(&self) -> Result<(), StoreError> {
        *self.connection.lock() = None;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let client = &self.client;
        let mut redis = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let script = cmd("SCRIPT")
            .arg("LOAD")
            .arg(SCRIPT)
            .query_async(&mut redis)
            .await?;
        *self.connection.lock() = Some(Connection { redis, script });
        Ok(())
    }

    fn connection(&self) -> Result<Connection, StoreError> {
        let connection = self.connection.lock().clone();
        connection.ok_or_else(|| StoreError::Away("not connected".to_owned()))
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        Ok(command.query_async(&mut self.connection()?.redis).await?)
    }

    async fn ask_all<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, StoreError> {
        Ok(pipeline.query_async(&mut self.connection()?.redis).await?)
    }

    async fn values(&self, counters: &[CounterId]) -> Result<Vec<Amount>, StoreError> {
        // By key, so that each hash is asked once; the position says where a value belongs.
        let mut hashes: BTreeMap<String, Vec<(usize, &str)>> = BTreeMap::new();
        for (position, counter) in counters.iter().enumerate() {
            let fields = hashes.entry(names::counter(counter)).or_default();
            fields.push((position, &counter.metric));
        }
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        for (key, fields) in &hashes {
            let metrics: Vec<&str> = fields.iter().map(|(_, metric)| *metric).collect();
            pipeline.cmd("HMGET").arg(key).arg(metrics);
        }
        let found: Vec<Vec<Option<i64>>> = self.ask_all(&pipeline).await?;
        let mut values = vec![0; counters.len()];
        for (fields, found) in hashes.values().zip(found) {
            for ((position, _), value) in fields.iter().zip(found) {
                values[*position] = value.unwrap_or(0).into();
            }
        }
        Ok(values)
    }

    async fn sums(&self) -> Result<Totals, StoreError> {
        let mut totals: Totals = HashMap::new();
        for keys in self.keys(names::ETERNITY).await?.chunks(PAGE) {
            let mut pipeline = redis::pipe();
            for key in keys {
                pipeline.cmd("HGETALL").arg(key);
            }
            let found: Vec<HashMap<String, i64>> = self.ask_all(&pipeline).await?;
            for (key, metrics) in keys.iter().zip(found) {
                let service = names::service_of(key).unwrap_or_default();
                let of_service = totals.entry(service).or_default();
                for (metric, value) in metrics {
                    *of_service.entry(metric).or_default() += Amount::from(value);
                }
            }
        }
        Ok(totals)
    }

    async fn scan(&self, cursor: u64, pattern: &str) -> Result<(u64, Vec<String>), StoreError> {
        let mut command = cmd("SCAN");
        command.arg(cursor).arg("MATCH").arg(pattern);
        self.ask(command.arg("COUNT").arg(PAGE)).await
    }

    /// All keys of a pattern, each once.
    async fn keys(&self, pattern: &str) -> Result<Vec<String>, StoreError> {
        let mut keys = Vec::new();
        let mut cursor = 0;
        loop {
            let (next, more) = self.scan(cursor, pattern).await?;
            keys.extend(more);
            if next == 0 {
                keys.sort();
                keys.dedup();
                return Ok(keys);
            }
            cursor = next;
        }
    }

    async fn run(&self, number: u64, changes: &[Write]) -> Result<(), StoreError> {
        let mut connection = self.connection()?;
        let mut command = cmd("EVALSHA");
        command.arg(&connection.script).arg(1).arg(&self.writer);
        command.arg(number).arg(NUMBER_KEPT.as_secs());
        for words in commands::of(changes) {
            command.arg(words.len()).arg(words);
        }
        let _done: i64 = command.query_async(&mut connection.redis).await?;
        Ok(())
    }

    async fn everything(&self) -> Result<Contents, StoreError> {
        self.check_format().await?;
        let mut contents = Contents::default();
        for table in names::TABLES {
            let mut cursor: u64 = 0;
            loop {
                let mut command = cmd("HSCAN");
                command.arg(table).arg(cursor).arg("COUNT").arg(PAGE);
                let (next, fields): (u64, Vec<(String, String)>) = self.ask(&command).await?;
                for (field, json) in fields {
                    let record = names::parse_record(table, &field);
                    let record = record.ok_or_else(|| StoreError::Record(table.to_owned()))?;
                    contents.records.push((record, json));
                }
                match next {
                    0 => break,
                    next => cursor = next,
                }
            }
        }
        for key in self.keys(&format!("{}*", names::ERRORS)).await? {
            let list: Vec<String> = self.ask(cmd("LRANGE").arg(&key).arg(0).arg(-1)).await?;
            let errors = list
                .iter()
                .map(|json| commands::error_of(json))
                .collect::<Result<_, _>>()?;
            let service = key.strip_prefix(names::ERRORS).unwrap_or_default();
            contents.errors.push((service.to_owned(), errors));
        }
        Ok(contents)
    }

    async fn check_format(&self) -> Result<(), StoreError> {
        let mut command = cmd("SET");
        command.arg(names::FORMAT).arg(FORMAT).arg("NX");
        let _new: Option<String> = self.ask(&command).await?;
        let found: Option<String> = self.ask(cmd("GET").arg(names::FORMAT)).await?;
        match found {
            Some(found) if found != FORMAT => Err(StoreError::Format {
                found,
                expected: FORMAT,
            }),
            _ => Ok(()),
        }
    }

    async fn forget(&self) -> Result<(), StoreError> {
        for keys in self.keys(names::ALL).await?.chunks(PAGE) {
            let _gone: i64 = self.ask(cmd("UNLINK").arg(keys)).await?;
        }
        self.check_format().await
    }
}

impl Store for RedisStore {
    fn connect(&self) -> Pending<'_, ()> {
        self.open().boxed()
    }

    fn read<'a>(&'a self, counters: &'a [CounterId]) -> Pending<'a, Vec<Amount>> {
        self.values(counters).boxed()
    }

    fn totals(&self) -> Pending<'_, Totals> {
        self.sums().boxed()
    }

    fn write<'a>(&'a self, number: u64, changes: &'a [Write]) -> Pending<'a, ()> {
        self.run(number, changes).boxed()
    }

    fn load(&self) -> Pending<'_, Contents> {
        self.everything().boxed()
    }

    fn clear(&self) -> Pending<'_, ()> {
        self.forget().boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_something_else_is_refused_without_being_repeated() {
        for url in [
            "http://user:hunter2@h/",
            "redis://user:hunter2@h:x/0",
            "hunter2",
            "rediss://h",
        ] {
            let error = RedisStore::new(url).expect_err("not a store").to_string();
            assert!(error.contains("redis://HOST:PORT/DB"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(RedisStore::new("redis://127.0.0.1:6379/3").is_ok());
        assert!(RedisStore::new("redis+unix:///run/redis.sock?db=3").is_ok());
    }
}
