//! Build records, as `docker buildx history export` writes them: an OCI layout in a compressed archive.
//!
//! Goes in: the bytes of the archive. Comes out: a log for every record in it. Reads blobs up to [`MAX_LOG_BYTES`] together. A
//! manifest's `application/vnd.buildkit.status.v0` holds what the progress was made of, each message with its length in four bytes before it
//! (little end first; seen in records of BuildKit 0.25); where there is none its trace is read.

use super::vertices::{PartUpdate, Update, Vertices};
use super::{Log, LogError, LogFormat, MAX_LOG_BYTES, trace};
use flate2::read::GzDecoder;
use prost::Message;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Read;

const STATUS: &str = "application/vnd.buildkit.status.v0";
const TRACE: &str = "application/vnd.buildkit.otlp.json.v0";

/// What a gzip file begins with.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
}

/// `moby.buildkit.v1.StatusResponse`, as far as it is needed.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(message, repeated, tag = "1")]
    vertexes: Vec<Vertex>,
    #[prost(message, repeated, tag = "2")]
    statuses: Vec<VertexStatus>,
}

/// `moby.buildkit.v1.VertexStatus`.
#[derive(Clone, PartialEq, Message)]
struct VertexStatus {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, tag = "2")]
    vertex: String,
    #[prost(int64, tag = "4")]
    current: i64,
    #[prost(int64, tag = "5")]
    total: i64,
    #[prost(message, optional, tag = "7")]
    started: Option<Timestamp>,
    #[prost(message, optional, tag = "8")]
    completed: Option<Timestamp>,
}

/// `moby.buildkit.v1.Vertex`.
#[derive(Clone, PartialEq, Message)]
struct Vertex {
    #[prost(string, tag = "1")]
    digest: String,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(bool, tag = "4")]
    cached: bool,
    #[prost(message, optional, tag = "5")]
    started: Option<Timestamp>,
    #[prost(message, optional, tag = "6")]
    completed: Option<Timestamp>,
    #[prost(string, tag = "7")]
    error: String,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

impl Timestamp {
    fn nanoseconds(self) -> i128 {
        i128::from(self.seconds) * 1_000_000_000 + i128::from(self.nanos)
    }
}

/// Whether these are the first bytes of such an archive.
pub(super) fn is_record(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// The logs of all records of an archive.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Log>, LogError> {
    let bad = |reason: String| LogError::Record(reason);
    let (files, cut_off) = unpack(bytes)?;
    let index = files.get("index.json").ok_or_else(|| {
        bad(match cut_off {
            true => "it is cut off before its index.json, or holds more than is read".to_owned(),
            false => "there is no index.json in it".to_owned(),
        })
    })?;
    let index: Index =
        serde_json::from_slice(index).map_err(|e| bad(format!("its index.json: {e}")))?;
    let blob = |d: &Descriptor| files.get(&format!("blobs/{}", d.digest.replacen(':', "/", 1)));
    let mut logs = Vec::new();
    for descriptor in &index.manifests {
        let Some(manifest) = blob(descriptor) else {
            continue;
        };
        let manifest: Manifest = serde_json::from_slice(manifest)
            .map_err(|e| bad(format!("its manifest {}: {e}", descriptor.digest)))?;
        let of = |kind: &str| {
            let layer = manifest.layers.iter().find(|l| l.media_type == kind);
            layer.and_then(blob)
        };
        let mut log = match (of(STATUS), of(TRACE)) {
            (Some(status), _) => status_log(status),
            (None, Some(text)) => trace::read(&String::from_utf8_lossy(text))?,
            (None, None) => continue,
        };
        log.format = LogFormat::Record;
        if cut_off {
            log.notes.push("the archive is cut off".to_owned());
        }
        logs.push(log);
    }
    match logs.is_empty() {
        true => Err(bad(match cut_off {
            true => "it is cut off before the progress of a build".to_owned(),
            false => "no record in it holds the progress of a build".to_owned(),
        })),
        false => Ok(logs),
    }
}

/// Files of the archive, and whether it ends too early.
fn unpack(bytes: &[u8]) -> Result<(BTreeMap<String, Vec<u8>>, bool), LogError> {
    let mut archive = tar::Archive::new(GzDecoder::new(bytes).take(MAX_LOG_BYTES));
    let mut files = BTreeMap::new();
    // A sparse member claims more than it has.
    let mut room = MAX_LOG_BYTES;
    let entries = archive
        .entries()
        .map_err(|e| LogError::Record(e.to_string()))?;
    for entry in entries {
        let Ok(mut entry) = entry else {
            return Ok((files, true));
        };
        let path = entry.path_bytes().into_owned();
        let mut content = Vec::new();
        let read = (&mut entry).take(room + 1).read_to_end(&mut content);
        let left = room.checked_sub(content.len() as u64);
        let (Ok(_), Some(left)) = (read, left) else {
            return Ok((files, true));
        };
        room = left;
        let path = String::from_utf8_lossy(&path).into_owned();
        files.insert(path.trim_start_matches("./").to_owned(), content);
    }
    Ok((files, false))
}

fn status_log(bytes: &[u8]) -> Log {
    let mut vertices = Vertices::default();
    let mut notes = Vec::new();
    let mut rest = bytes;
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length) as usize;
        let status = behind.get(..length).map(Status::decode);
        let Some(Ok(status)) = status else {
            notes.push("the end of its progress is not readable".to_owned());
            break;
        };
        rest = &behind[length..];
        for vertex in status.vertexes {
            let update = Update {
                digest: vertex.digest,
                name: vertex.name,
                started: vertex.started.map(Timestamp::nanoseconds),
                completed: vertex.completed.map(Timestamp::nanoseconds),
                cached: vertex.cached,
                error: vertex.error,
            };
            vertices.update(update, 0);
        }
        for status in status.statuses {
            vertices.part(PartUpdate {
                vertex: status.vertex,
                id: status.id,
                bytes: u64::try_from(status.current.max(status.total)).unwrap_or(0),
                started: status.started.map(Timestamp::nanoseconds),
                completed: status.completed.map(Timestamp::nanoseconds),
            });
        }
    }
    Log {
        format: LogFormat::Record,
        steps: vertices.steps(),
        error: None,
        notes,
        last_words: Vec::new(),
    }
}
