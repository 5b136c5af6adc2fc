//! What crosses the sandbox for one request, from Envoy's trace log.
//!
//! At log level `trace` Envoy writes a line for every callback into the VM (`[host->vm] NAME(..)`,
//! its first argument the context) and for every call of the VM into the host (`[vm->host] NAME(..)`),
//! and one for the end of each. A call of the host may need memory of the VM for its result, which
//! is a callback inside a call.

use std::collections::BTreeMap;

use super::{Gateway, wait_until};

/// Everything that crossed for one request, in order: callbacks of the plugin, calls that it made
/// meanwhile with `> ` in front, memory that was asked for with `< ` in front.
pub(crate) type Crossings = Vec<String>;

impl Gateway {
    /// The crossings of every request that has ended since the log level is `trace`, in order; waits until
    /// there are `requests`.
    pub(crate) async fn traced(&self, requests: usize) -> Vec<Crossings> {
        wait_until(format!("{requests} traced requests"), async || {
            let traced = streams(&self.logs.read("envoy"));
            if traced.len() >= requests {
                Ok(traced)
            } else {
                Err(traced.len())
            }
        })
        .await
    }
}

/// Streams that were created and deleted in this log.
pub(crate) fn streams(log: &str) -> Vec<Crossings> {
    let mut threads: BTreeMap<&str, Thread> = BTreeMap::new();
    let mut ended = Vec::new();
    for line in log.lines() {
        if let Some(thread) = thread_of(line) {
            ended.extend(threads.entry(thread).or_default().read(line));
        }
    }
    ended
}

/// `[time][thread][trace][wasm] ..`
fn thread_of(line: &str) -> Option<&str> {
    line.strip_prefix('[')?.split("][").nth(1)
}

/// A thread runs one callback at a time.
#[derive(Default)]
struct Thread {
    streams: BTreeMap<String, Crossings>,
    /// The callback that runs, and its context.
    running: Option<(String, String)>,
    /// Callbacks inside of it.
    nested: usize,
}

impl Thread {
    /// Reads a line, and returns a stream that ended with it.
    fn read(&mut self, line: &str) -> Option<Crossings> {
        if let Some((_, call)) = line.split_once("[host->vm] ") {
            self.callback(call);
        } else if let Some((_, call)) = line.split_once("[vm->host] ") {
            let name = call.split('(').next()?.trim_start_matches("env.");
            self.note(format!("> {name}"));
        } else if line.contains("[host<-vm] ") {
            return self.callback_ended();
        }
        None
    }

    fn callback(&mut self, call: &str) {
        let Some((name, arguments)) = call.split_once('(') else {
            return;
        };
        if self.running.is_some() {
            self.nested += 1;
            self.note(format!("< {name}"));
            return;
        }
        let context = arguments.split([',', ')']).next().unwrap_or_default();
        // The second argument of a stream's creation is its root context; a root has none.
        if name == "proxy_on_context_create" && !arguments.contains(", 0)") {
            self.streams.insert(context.to_owned(), Vec::new());
        }
        self.running = Some((name.to_owned(), context.to_owned()));
        self.note(name.to_owned());
    }

    fn callback_ended(&mut self) -> Option<Crossings> {
        if self.nested > 0 {
            self.nested -= 1;
            return None;
        }
        let (name, context) = self.running.take()?;
        match name.as_str() {
            "proxy_on_delete" => self.streams.remove(&context),
            _ => None,
        }
    }

    fn note(&mut self, crossing: String) {
        if let Some((_, context)) = &self.running
            && let Some(stream) = self.streams.get_mut(context)
        {
            stream.push(crossing);
        }
    }
}
