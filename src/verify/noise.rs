//! Differences between two images that say nothing about the plan.
//!
//! Goes in: a difference. Comes out: a kind of noise and why it counts as one, or nothing, which makes it a difference the plan
//! answers for. Two sources: what differs between two builds of the original (evidence), and a short list of files that are known to
//! hold times or chance. Invariants: in doubt it is a difference. By its name alone a path is noise only where no program takes
//! anything else than time from it; `/etc/ld.so.cache`, say, is not on the list, since it is how a plan that moves a
//! library behind `ldconfig` would show.

use super::images::{self, ABSENT, Field, ImageDifference, Texts};
use crate::image::{Image, Inode, Kind};
use std::collections::BTreeMap;

/// One difference that is none of the plan's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noise {
    /// What differs.
    pub difference: ImageDifference,
    /// One of a few phrases.
    pub kind: &'static str,
    /// Why it counts as noise.
    pub why: &'static str,
}

/// The kind of what differs between two builds of the original.
pub const NOT_REPRODUCIBLE: &str = "not reproducible: differs between two builds of the original";
const LOG: &str = "log with times";
const CACHE: &str = "cache of a package manager";
const DATABASE: &str = "package database with times";
const TIME: &str = "time or chance inside a file";
const ORDER: &str = "order without a meaning";

/// Why a folder is none that is there on one side only, or has another mode: what is in it counts by itself.
const AROUND: &str = "a folder around caches, as the first of them made it";

/// Bytes of a file that a rule looks into.
const MAX_LOOK: u64 = 8 << 20;

/// Logs and caches: path, kind, reason. A path that ends in `/` is a folder with all in it. They may also be missing on one side.
const NAMES: [(&str, &str, &str); 16] = [
    ("var/log/apt/", LOG, "apt logs what it did when"),
    ("var/log/dpkg.log", LOG, "dpkg logs what it did when"),
    (
        "var/log/alternatives.log",
        LOG,
        "update-alternatives logs what it did when",
    ),
    ("var/log/dnf.log", LOG, "dnf logs what it did when"),
    ("var/log/dnf.librepo.log", LOG, "dnf logs what it did when"),
    ("var/log/dnf.rpm.log", LOG, "dnf logs what it did when"),
    ("var/log/hawkey.log", LOG, "dnf logs what it did when"),
    ("var/log/yum.log", LOG, "yum logs what it did when"),
    (
        "var/lib/apt/lists/",
        CACHE,
        "package lists as of the day they were fetched",
    ),
    ("var/cache/apt/", CACHE, "apt's own cache"),
    ("var/cache/debconf/", CACHE, "debconf's own cache"),
    ("var/cache/dnf/", CACHE, "dnf's own cache"),
    ("var/cache/apk/", CACHE, "apk's own cache"),
    (
        "var/cache/ldconfig/aux-cache",
        CACHE,
        "ldconfig's notes on inodes and times",
    ),
    ("usr/local/share/.cache", CACHE, AROUND),
    ("usr/local/share/.cache/yarn/", CACHE, "yarn's own cache"),
];

/// The same in a home folder.
const HOME_NAMES: [(&str, &str, &str); 11] = [
    (".npm/_logs/", LOG, "npm logs what it did when"),
    (
        ".npm/_update-notifier-last-checked",
        LOG,
        "the time of npm's last check",
    ),
    (".npm/_cacache/", CACHE, "npm's own cache"),
    (".cache", CACHE, AROUND),
    (".local", CACHE, AROUND),
    (".local/share", CACHE, AROUND),
    (".local/share/pnpm", CACHE, AROUND),
    (".cache/pip/", CACHE, "pip's own cache"),
    (".cache/uv/", CACHE, "uv's own cache"),
    (".cache/yarn/", CACHE, "yarn's own cache"),
    (".cache/go-build/", CACHE, "Go's own cache"),
];

/// Databases: only their content is noise.
const DATABASES: [(&str, &str); 3] = [
    ("var/lib/rpm/", "rpm keeps the time of installation"),
    (
        "usr/lib/sysimage/rpm/",
        "rpm keeps the time of installation",
    ),
    ("var/lib/dnf/", "dnf keeps a history with times"),
];

fn below(path: &str, name: &str) -> bool {
    match name.strip_suffix('/') {
        Some(folder) => path == folder || path.starts_with(name),
        None => path == name,
    }
}

fn named(path: &str) -> Option<(&'static str, &'static str)> {
    let in_home = path.strip_prefix("root/").or_else(|| {
        let rest = path.strip_prefix("home/")?;
        rest.split_once('/').map(|(_, rest)| rest)
    });
    // With the number of the user behind it.
    if path
        .strip_prefix("tmp/v8-compile-cache")
        .is_some_and(|r| r.starts_with('-') || r.is_empty())
    {
        return Some((
            CACHE,
            "Node's cache of compiled code, which yarn and pnpm keep",
        ));
    }
    let all = NAMES.iter().find(|(name, ..)| below(path, name));
    let home = in_home.and_then(|p| HOME_NAMES.iter().find(|(name, ..)| below(p, name)));
    all.or(home).map(|(_, kind, why)| (*kind, *why))
}

/// Files whose content a rule needs: at most so many bytes of it.
pub(super) fn looked_at(path: &[u8]) -> Option<u64> {
    let names: [&[u8]; 6] = [
        SHADOW,
        SHADOW_BEFORE,
        MACHINE,
        DBUS_MACHINE,
        STATUS,
        AVAILABLE,
    ];
    names.contains(&path).then_some(MAX_LOOK)
}

const SHADOW: &[u8] = b"etc/shadow";
const SHADOW_BEFORE: &[u8] = b"etc/shadow-";
const MACHINE: &[u8] = b"etc/machine-id";
const DBUS_MACHINE: &[u8] = b"var/lib/dbus/machine-id";
const STATUS: &[u8] = b"var/lib/dpkg/status";
const AVAILABLE: &[u8] = b"var/lib/dpkg/available";

/// Kind and reason where a difference is known for what it is.
pub(super) fn known(
    row: &ImageDifference,
    original: &Image,
    plan: &Image,
    texts: &Texts<'_>,
) -> Option<(&'static str, &'static str)> {
    let (old, new) = (original.get(&row.path), plan.get(&row.path));
    let path = std::str::from_utf8(&row.path).ok();
    match &row.field {
        Field::ConfigOrder(name) if name == "Env" => {
            let why = "the same variables with the same values, written in another order";
            Some((ORDER, why))
        }
        Field::Presence | Field::Mode => {
            let folder = |f: Option<&Inode>| f.is_none_or(|f| matches!(f.kind, Kind::Folder));
            let around = folder(old) && folder(new);
            let missing = matches!(row.field, Field::Presence);
            named(path?).filter(|(_, why)| match *why == AROUND {
                true => around,
                false => missing,
            })
        }
        Field::Content => {
            let (old, new) = (old?, new?);
            if (old.mode, old.uid, old.gid) != (new.mode, new.uid, new.gid) {
                return None;
            }
            let in_file = texts
                .both(&row.path)
                .and_then(|(a, b)| inside(&row.path, a, b));
            let compiled = match (&old.kind, &new.kind) {
                (
                    Kind::File {
                        timeless: Some(a), ..
                    },
                    Kind::File {
                        timeless: Some(b), ..
                    },
                ) => {
                    let why = "compiled Python that differs only in the time of its source";
                    (a == b).then_some((TIME, why))
                }
                _ => None,
            };
            let database = DATABASES
                .iter()
                .find(|(n, _)| path.is_some_and(|p| below(p, n)));
            let database = database.map(|(_, why)| (DATABASE, *why));
            in_file.or(compiled).or_else(|| named(path?)).or(database)
        }
        _ => None,
    }
}

/// Rules that look into both files.
fn inside(path: &[u8], a: &[u8], b: &[u8]) -> Option<(&'static str, &'static str)> {
    match path {
        SHADOW | SHADOW_BEFORE => (without_days(a)? == without_days(b)?).then_some((
            TIME,
            "only the day of the last change of a password differs",
        )),
        MACHINE | DBUS_MACHINE => (is_machine_id(a) && is_machine_id(b))
            .then_some((TIME, "a machine's id is made up when it is first needed")),
        STATUS | AVAILABLE => (paragraphs(a)? == paragraphs(b)?)
            .then_some((ORDER, "the same packages, written in another order")),
        _ => None,
    }
}

/// Lines of a shadow file without the third field.
fn without_days(bytes: &[u8]) -> Option<Vec<Vec<&str>>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut out = Vec::new();
    for line in text.split('\n') {
        let mut fields: Vec<&str> = line.split(':').collect();
        if fields.len() > 2 {
            let day = fields.remove(2);
            if !day.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
        }
        out.push(fields);
    }
    Some(out)
}

fn is_machine_id(bytes: &[u8]) -> bool {
    let id = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    id.len() == 32 && id.iter().all(u8::is_ascii_hexdigit)
}

fn paragraphs(bytes: &[u8]) -> Option<Vec<&str>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut all: Vec<&str> = text.trim_end().split("\n\n").collect();
    all.sort_unstable();
    Some(all)
}

/// What differs between two builds of the original.
pub(super) struct Evidence<'i> {
    original: &'i Image,
    again: &'i Image,
    rows: BTreeMap<(Vec<u8>, Field), String>,
    /// By folder: names that only the second build has, where there is also one that only the first has.
    new_names: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
    /// By folder: how many names only the plan has.
    of_plan: BTreeMap<Vec<u8>, usize>,
}

fn folder(path: &[u8]) -> &[u8] {
    let at = path.iter().rposition(|b| *b == b'/');
    &path[..at.unwrap_or(0)]
}

impl<'i> Evidence<'i> {
    /// Compares the builds; `of_plan` is what differs between the original and the plan.
    pub(super) fn new(original: &'i Image, again: &'i Image, of_plan: &[ImageDifference]) -> Self {
        let mut rows = BTreeMap::new();
        let mut lost: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        let mut new_names: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
        for row in images::differences(original, again) {
            if row.field == Field::Presence {
                let at = folder(&row.path);
                if row.plan == ABSENT {
                    *lost.entry(at.to_vec()).or_default() += 1;
                } else {
                    new_names
                        .entry(at.to_vec())
                        .or_default()
                        .push(row.path.clone());
                }
            }
            rows.insert((row.path, row.field), row.plan);
        }
        new_names.retain(|at, _| lost.contains_key(at));
        let more = of_plan.iter();
        let more = more.filter(|r| r.field == Field::Presence && r.original == ABSENT);
        let mut counts: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for row in more {
            *counts.entry(folder(&row.path).to_vec()).or_default() += 1;
        }
        Self {
            of_plan: counts,
            original,
            again,
            rows,
            new_names,
        }
    }

    /// Whether two builds of the original differ in the same way.
    pub(super) fn explains(
        &self,
        row: &ImageDifference,
        plan: &Image,
    ) -> Option<(&'static str, &'static str)> {
        let same = "a second build of the original has what the plan has";
        let third = "a second build of the original has yet another one";
        let key = (row.path.clone(), row.field.clone());
        let Some(value) = self.rows.get(&key) else {
            return match row.field {
                Field::Presence if row.original == ABSENT => self.made_up(&row.path, plan),
                _ => None,
            };
        };
        if *value == row.plan {
            return Some((NOT_REPRODUCIBLE, same));
        }
        let found = match row.field {
            Field::Content | Field::Link => Some(third),
            // Both have it, and differ in size at most.
            Field::Presence => alike(self.again, &row.path, plan, &row.path).then_some(third),
            _ => None,
        };
        found.map(|why| (NOT_REPRODUCIBLE, why))
    }

    /// A path that only the plan has, in a folder where every build has a name of its own.
    fn made_up(&self, path: &[u8], plan: &Image) -> Option<(&'static str, &'static str)> {
        // The topmost folder of the path that the original does not have, or the path itself.
        let mut top = path;
        while !folder(top).is_empty() && self.original.get(folder(top)).is_none() {
            top = folder(top);
        }
        let rest = &path[top.len()..];
        let others = self.new_names.get(folder(top))?;
        // One name more than a build makes up is one that the plan made.
        if self.of_plan.get(folder(top)) != Some(&others.len()) {
            return None;
        }
        let like = others.iter().any(|other| {
            let other = [other.as_slice(), rest].concat();
            alike(self.again, &other, plan, path)
        });
        let why = "every build of the original has names of its own in this folder";
        like.then_some((NOT_REPRODUCIBLE, why))
    }
}

/// Whether two paths are of one type, mode and owner.
fn alike(a: &Image, of_a: &[u8], b: &Image, of_b: &[u8]) -> bool {
    match (a.get(of_a), b.get(of_b)) {
        (Some(a), Some(b)) => {
            (a.kind.name(), a.mode, a.uid, a.gid) == (b.kind.name(), b.mode, b.uid, b.gid)
        }
        _ => false,
    }
}
