//! What a build does beside its steps: files that are sent, images and layers that come and go.
//!
//! Goes in: a log. Comes out: seconds and bytes of each kind of such work, once a build. Linear in the log. Invariant: seconds of a step are
//! in none of them, and what did not happen is not there.

use super::log::{Log, LogStep, Part, Seen};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// A kind of work beside the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Overhead {
    /// The client sends files of the build context; those that the builder has from an earlier build are not sent again.
    Transfer,
    /// Layers of base images, and of steps found in an imported cache, are fetched and unpacked.
    Pull,
    /// The image is put together: layers, manifests, unpacking, an archive.
    Export,
    /// It is pushed to a registry.
    Push,
    /// A cache is looked up in a registry or a service.
    CacheImport,
    /// The cache is written there.
    CacheExport,
}

impl Overhead {
    /// All of them, in the order of a build.
    pub const ALL: [Self; 6] = [
        Self::CacheImport,
        Self::Transfer,
        Self::Pull,
        Self::Export,
        Self::Push,
        Self::CacheExport,
    ];

    /// The word in files and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Pull => "pull",
            Self::Export => "export",
            Self::Push => "push",
            Self::CacheImport => "cache-import",
            Self::CacheExport => "cache-export",
        }
    }
}

impl fmt::Display for Overhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no such work.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is no work beside the steps (transfer, pull, export, push, cache-import, cache-export)"
)]
pub struct UnknownOverhead(String);

impl FromStr for Overhead {
    type Err = UnknownOverhead;

    fn from_str(text: &str) -> Result<Self, UnknownOverhead> {
        let found = Self::ALL.into_iter().find(|o| o.as_str() == text);
        found.ok_or_else(|| UnknownOverhead(text.to_owned()))
    }
}

/// What a build spent on one kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spent {
    /// Which.
    pub kind: Overhead,
    /// Seconds in which it was at work.
    pub seconds: f64,
    /// Bytes that were moved, where the log tells.
    pub bytes: Option<u64>,
}

/// What a build spent beside its steps. Titles and words as BuildKit 0.25 prints them.
#[must_use]
pub fn spent(log: &Log) -> Vec<Spent> {
    let mut by: BTreeMap<Overhead, Spent> = BTreeMap::new();
    let mut add = |kind, seconds: f64, bytes: Option<u64>| {
        let entry = by.entry(kind).or_insert(Spent {
            kind,
            seconds: 0.0,
            bytes: None,
        });
        entry.seconds += seconds;
        entry.bytes = match (entry.bytes, bytes) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        };
    };
    for step in &log.steps {
        let ended = matches!(step.seen, Seen::Ran | Seen::Cached);
        if !ended {
            continue;
        }
        let seconds = step.seconds.unwrap_or(0.0);
        let name = step.name.as_str();
        let ran = step.seen == Seen::Ran;
        if name.starts_with("[internal] load build context") && ran {
            let sent = |p: &&Part| p.id.starts_with("transferring context");
            let bytes = step.parts.iter().filter(sent).map(|p| p.bytes).max();
            add(Overhead::Transfer, seconds, bytes);
        } else if name.starts_with("exporting cache") && ran {
            add(Overhead::CacheExport, seconds, None);
        } else if name.starts_with("importing cache") && ran {
            add(Overhead::CacheImport, seconds, None);
        } else if name.starts_with("exporting to ") && ran {
            let pushing = |p: &Part| p.id.starts_with("pushing ");
            let pushed = covered(step, pushing);
            add(Overhead::Export, (seconds - pushed).max(0.0), None);
            if step.parts.iter().any(pushing) {
                add(Overhead::Push, pushed, None);
            }
        } else {
            let layer = |p: &Part| p.id.starts_with("sha256:");
            let unpacked = |p: &Part| p.id.starts_with("extracting sha256:");
            let layers = || step.parts.iter().filter(|p| layer(p));
            if layers().next().is_some() {
                let bytes = layers().map(|p| p.bytes).fold(0, u64::saturating_add);
                let seconds = covered(step, |p| layer(p) || unpacked(p));
                add(Overhead::Pull, seconds, Some(bytes));
            }
        }
    }
    by.into_values().collect()
}

/// Seconds that some parts of a vertex cover together. Where only the length of each is known, those that are done side by side, layers that are
/// fetched, count as the longest of them, and all others one behind the other.
fn covered(step: &LogStep, wanted: impl Fn(&Part) -> bool) -> f64 {
    let parts = || step.parts.iter().filter(|p| wanted(p));
    let mut spans: Vec<(i128, i128)> = parts().filter_map(|p| p.span).collect();
    spans.sort_unstable();
    let (mut total, mut until) = (0i128, i128::MIN);
    for (start, end) in spans {
        total += (end - start.max(until)).max(0);
        until = until.max(end);
    }
    let (mut longest, mut sum) = (0.0f64, 0.0);
    for part in parts().filter(|p| p.span.is_none()) {
        let seconds = part.seconds.unwrap_or(0.0);
        match part.id.starts_with("sha256:") {
            true => longest = longest.max(seconds),
            false => sum += seconds,
        }
    }
    total as f64 / 1e9 + longest + sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::log;

    fn shown(text: &str) -> Vec<String> {
        let one = |s: &Spent| {
            let bytes = s.bytes.map_or(String::new(), |b| format!(" {b} B"));
            format!("{} {:.2} s{bytes}", s.kind, s.seconds)
        };
        spent(&log::read(text).unwrap()).iter().map(one).collect()
    }

    #[test]
    fn plain_progress_tells_of_work_beside_the_steps() {
        let text = "#0 building with \"default\" instance using docker driver\n\
            #1 [internal] load build definition from Dockerfile\n#1 transferring dockerfile: 130B done\n#1 DONE 0.0s\n\
            #3 [internal] load .dockerignore\n#3 transferring context: 2B done\n#3 DONE 0.1s\n\
            #9 importing cache manifest from registry.example/cache:1\n#9 DONE 0.4s\n\
            #4 [internal] load build context\n#4 transferring context: 1.20MB 0.2s\n#4 transferring context: 30.01MB 0.6s done\n#4 DONE 0.7s\n\
            #5 [1/2] FROM registry.example/x:2@sha256:8a597321\n#5 resolve registry.example/x:2@sha256:8a597321 0.1s done\n\
            #5 sha256:e4e9549e 1.14MB / 1.14MB 0.3s done\n#5 extracting sha256:e4e9549e 0.2s done\n\
            #5 sha256:ecdd8184 22.71MB / 30.00MB 0.2s\n#5 sha256:ecdd8184 30.00MB / 30.00MB 1.2s done\n\
            #5 extracting sha256:ecdd8184 0.5s done\n#5 DONE 2.0s\n\
            #6 [2/2] COPY a /a2\n#6 DONE 0.1s\n\
            #8 exporting to image\n#8 exporting layers\n#8 exporting layers 0.3s done\n#8 exporting config sha256:8b7c done\n\
            #8 pushing layers 1.5s done\n#8 pushing manifest for registry.example/x:2@sha256:8a59 0.2s done\n#8 DONE 2.1s\n\
            #10 exporting cache to registry\n#10 writing layer sha256:2468 0.1s done\n#10 DONE 0.3s\n";
        assert_eq!(
            shown(text),
            [
                "transfer 0.70 s 30010000 B",
                "pull 1.90 s 31140000 B",
                "export 0.40 s",
                "push 1.70 s",
                "cache-import 0.40 s",
                "cache-export 0.30 s"
            ]
        );
        // Nothing of that.
        assert!(shown("#6 [2/2] COPY a /a2\n#6 DONE 0.1s\n").is_empty());
        // What failed or was stopped took its time for nothing.
        assert!(
            shown("#8 exporting to image\n#8 pushing layers 1.5s done\n#8 ERROR: denied\n")
                .is_empty()
        );
    }

    #[test]
    fn rawjson_tells_when_each_part_was_at_work() {
        let vertex = |digest: &str, name: &str, from: &str, to: &str| {
            format!(
                r#"{{"vertexes":[{{"digest":"{digest}","name":"{name}","started":"2026-01-02T10:00:{from}Z","completed":"2026-01-02T10:00:{to}Z"}}]}}"#
            )
        };
        let part = |vertex: &str, id: &str, size: u64, from: &str, to: &str| {
            format!(
                r#"{{"statuses":[{{"id":"{id}","vertex":"{vertex}","current":{size},"total":{size},"timestamp":"2026-01-02T10:00:{to}Z","started":"2026-01-02T10:00:{from}Z","completed":"2026-01-02T10:00:{to}Z"}}]}}"#
            )
        };
        let text = [
            vertex("a", "[1/2] FROM x", "00.0", "05.0"),
            part("a", "sha256:1", 10, "00.5", "02.0"),
            part("a", "sha256:2", 30, "01.0", "03.0"),
            part("a", "extracting sha256:1", 0, "03.0", "03.5"),
            vertex("b", "exporting to image", "06.0", "09.0"),
            part("b", "exporting layers", 0, "06.0", "07.0"),
            part("b", "pushing layers", 0, "07.0", "08.5"),
        ]
        .join("\n");
        assert_eq!(
            shown(&text),
            ["pull 3.00 s 40 B", "export 1.50 s", "push 1.50 s"]
        );
    }

    #[test]
    fn every_word_is_read_again() {
        for kind in Overhead::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert!("pushing".parse::<Overhead>().is_err());
    }
}
