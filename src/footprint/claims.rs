//! The footprint while it grows.
//!
//! Goes in: claims of single commands. Comes out: a [`Footprint`], closed under what holds for every
//! claim: the directories above it must exist, and the links that distributions ship have two names.
//! Invariant: the first reason to be opaque is kept; nothing is ever taken back.

use super::path_set::resolve;
use super::{Certainty, Class, Extent, Footprint, Install, PathClaim, PathSet};
use crate::source::Span;

/// What every program is taken to read: executables, libraries and configuration.
pub const SYSTEM_READS: &[&str] = &[
    "/bin",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/sbin",
    "/usr/bin",
    "/usr/games",
    "/usr/include",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/libx32",
    "/usr/local",
    "/usr/sbin",
    "/usr/share",
];

/// Where system package managers and the packages' own scripts are taken to write. Left out: places
/// that belong to the administrator or the application (`/home`, `/srv`, `/mnt`, `/media`, `/app`,
/// `/usr/src`, `/var/www` and so on) and the kernel's own file systems, which are in no layer.
pub const SYSTEM_WRITES: &[&str] = &[
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/root",
    "/run",
    "/sbin",
    "/tmp",
    "/usr/bin",
    "/usr/games",
    "/usr/include",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/libx32",
    "/usr/local",
    "/usr/sbin",
    "/usr/share",
    "/var/backups",
    "/var/cache",
    "/var/lib",
    "/var/lock",
    "/var/log",
    "/var/mail",
    "/var/run",
    "/var/spool",
    "/var/tmp",
];

/// Directories that are links in today's distributions, and where they lead.
const LINKS: &[(&str, &str)] = &[
    ("/bin", "/usr/bin"),
    ("/lib", "/usr/lib"),
    ("/lib32", "/usr/lib32"),
    ("/lib64", "/usr/lib64"),
    ("/libx32", "/usr/libx32"),
    ("/sbin", "/usr/sbin"),
    ("/var/lock", "/run/lock"),
    ("/var/run", "/run"),
];

/// A growing footprint.
#[derive(Debug, Default)]
pub(super) struct Claims {
    pub(super) reads: Vec<PathClaim>,
    pub(super) writes: Vec<PathClaim>,
    pub(super) network: bool,
    pub(super) opaque: Option<String>,
    pub(super) assumptions: Vec<String>,
    pub(super) installs: Vec<Install>,
    pub(super) evidence: Vec<Span>,
}

impl Claims {
    /// Gives up, for this reason.
    pub(super) fn give_up(&mut self, reason: impl Into<String>) {
        self.opaque.get_or_insert_with(|| reason.into());
    }

    /// Adds a sentence the claims rest on.
    pub(super) fn assume(&mut self, sentence: impl Into<String>) {
        let sentence = sentence.into();
        if !self.assumptions.contains(&sentence) {
            self.assumptions.push(sentence);
        }
    }

    pub(super) fn read(&mut self, extent: Extent, path: impl Into<String>) {
        let path = path.into();
        self.reads.push(PathClaim { path, extent });
    }

    pub(super) fn write(&mut self, extent: Extent, path: impl Into<String>) {
        let path = path.into();
        self.writes.push(PathClaim { path, extent });
    }

    /// Writes a whole list of directories.
    pub(super) fn write_all(&mut self, directories: &[&str]) {
        for d in directories {
            self.write(Extent::Subtree, *d);
        }
    }

    /// Reads the system's directories.
    pub(super) fn read_system(&mut self) {
        for d in SYSTEM_READS {
            self.read(Extent::Subtree, *d);
        }
    }

    /// The result.
    pub(super) fn finish(self, classes: Vec<Class>, commands: Vec<String>) -> Footprint {
        let writes = PathSet::new(with_links(self.writes));
        let reads = PathSet::new(with_links(self.reads));
        let reads = reads.union(&reads.ancestors()).union(&writes.ancestors());
        let mut evidence = self.evidence;
        evidence.sort();
        evidence.dedup();
        let exact = self.assumptions.is_empty() && self.opaque.is_none();
        Footprint {
            reads,
            writes,
            network: self.network,
            opaque: self.opaque,
            certainty: if exact {
                Certainty::Exact
            } else {
                Certainty::Assumed
            },
            assumptions: self.assumptions,
            classes,
            installs: self.installs,
            commands,
            evidence,
        }
    }
}

/// Adds the other name of every claim below a known link.
fn with_links(mut claims: Vec<PathClaim>) -> Vec<PathClaim> {
    let mut more = Vec::new();
    for claim in &claims {
        for (link, target) in LINKS {
            let Some(rest) = claim.path.strip_prefix(link) else {
                continue;
            };
            if (rest.is_empty() || rest.starts_with('/'))
                && let Some(path) = resolve(None, &format!("{target}{rest}"))
            {
                let extent = claim.extent;
                more.push(PathClaim { path, extent });
            }
        }
    }
    claims.append(&mut more);
    claims
}
