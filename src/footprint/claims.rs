//! The footprint while it grows.
//!
//! Goes in: claims of single commands. Comes out: a [`Footprint`], closed under what holds for every
//! claim: the directories above it must exist, and the links that distributions ship have two names.
//! Invariant: the first reason to be opaque is kept; nothing is ever taken back.

use super::path_set::{ancestors, climbed, resolve};
use super::{
    Certainty, Class, Evidence, Extent, Footprint, Link, PathClaim, PathSet, Use, Variables,
};
use crate::shell::Script;
use crate::source::Span;
use std::collections::BTreeSet;
use std::sync::Arc;

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
/// `/usr/src` and so on) and the kernel's own file systems, which are in no layer.
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
    "/var/www",
];

/// Those of them in which packages have folders of their own: what a Dockerfile names there is most likely its own.
pub const SHARED_WRITES: [&str; 4] = ["/opt", "/root", "/tmp", "/var/www"];

/// What the everyday programs load, beside themselves.
const LOADED: &[(Extent, &str)] = &[
    (Extent::Subtree, "/lib"),
    (Extent::Subtree, "/lib32"),
    (Extent::Subtree, "/lib64"),
    (Extent::Subtree, "/libx32"),
    (Extent::Subtree, "/usr/lib"),
    (Extent::Subtree, "/usr/lib32"),
    (Extent::Subtree, "/usr/lib64"),
    (Extent::Subtree, "/usr/libx32"),
    (Extent::Subtree, "/usr/local/lib"),
    (Extent::Subtree, "/usr/share/locale"),
    (Extent::Subtree, "/usr/share/zoneinfo"),
    (Extent::Subtree, "/etc/selinux"),
    (Extent::Exact, "/etc/busybox.conf"),
    (Extent::Exact, "/etc/ld-musl-aarch64.path"),
    (Extent::Exact, "/etc/ld-musl-x86_64.path"),
    (Extent::Exact, "/etc/ld.so.cache"),
    (Extent::Exact, "/etc/ld.so.preload"),
    (Extent::Exact, "/etc/localtime"),
    (Extent::Exact, "/etc/nsswitch.conf"),
    (Extent::Exact, "/etc/TZ"),
];

/// Where a program is looked up when the base image decides about `PATH`.
const PROGRAM_DIRECTORIES: &[&str] = &[
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// The entry of a user in the user database, as a place of its own below the file. A step that adds
/// another user leaves it as it is; a step that writes the file in any other way does not.
#[must_use]
pub fn account(user: &str) -> String {
    format!("/etc/passwd/{}", user.replace('/', "_"))
}

/// The same for a group.
#[must_use]
pub fn group(group: &str) -> String {
    format!("/etc/group/{}", group.replace('/', "_"))
}

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
    reads: Vec<PathClaim>,
    writes: Vec<PathClaim>,
    /// Folders that must be there for the claims.
    needed: BTreeSet<String>,
    /// Folders that are surely there at this point of the script, because it made them.
    pub(super) established: BTreeSet<String>,
    /// Programs and what they load.
    programs: Vec<PathClaim>,
    makes: Vec<PathClaim>,
    links: Vec<Link>,
    carries: Vec<(PathClaim, PathClaim)>,
    observes: Vec<PathClaim>,
    /// Every command of the script runs, and the RUN fails where one of them does.
    pub(super) chained: bool,
    requires: BTreeSet<String>,
    climbs: Vec<PathClaim>,
    /// What account tools change: the database itself, and entries of it.
    entries: Vec<PathClaim>,
    /// Names that the script expands.
    pub(super) names: BTreeSet<String>,
    /// It may look at any variable.
    pub(super) any_variable: bool,
    /// It runs programs that have variables of their own.
    pub(super) tools: bool,
    /// The script sets the mask of new files.
    pub(super) masked: bool,
    pub(super) varies: bool,
    pub(super) network: bool,
    pub(super) opaque: Option<String>,
    /// A command builds the project, for this reason nothing is known before the project has been looked at.
    pub(super) builds: Option<String>,
    pub(super) assumptions: Vec<String>,
    pub(super) uses: Vec<Use>,
    pub(super) evidence: Vec<Evidence>,
    /// The script, parsed; none for the exec form.
    pub(super) script: Option<Arc<Script>>,
    /// Where the claims of package managers start among reads and among writes.
    packages: Vec<(usize, usize)>,
    /// Folders of which the first stands for all.
    alike: Vec<&'static [&'static str]>,
}

/// How many claims there were at some point.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    reads: usize,
    writes: usize,
    makes: usize,
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

    /// From here on what is claimed in the first of these folders is claimed in the others too.
    pub(super) fn alike(&mut self, folders: &'static [&'static str]) {
        if !self.alike.contains(&folders) {
            self.alike.push(folders);
        }
    }

    /// The same path in folders that may stand for the one it is in.
    fn elsewhere(&self, path: &str) -> Vec<String> {
        let in_first = |folders: &&&'static [&'static str]| {
            let (first, others) = folders.split_first()?;
            let rest = path.strip_prefix(first)?;
            let inside = rest.is_empty() || rest.starts_with('/');
            inside.then(|| others.iter().map(move |o| format!("{o}{rest}")))
        };
        let all = self.alike.iter();
        all.filter_map(|f| in_first(&f)).flatten().collect()
    }

    pub(super) fn read(&mut self, extent: Extent, path: impl Into<String>) {
        let path = path.into();
        for path in self.elsewhere(&path) {
            self.reads.push(PathClaim { path, extent });
        }
        if path.starts_with("/proc") || path.starts_with("/sys") {
            // The kernel tells of variables, of the machine and of the moment.
            self.any_variable = true;
            self.varies = true;
        }
        self.need_above(&path);
        self.reads.push(PathClaim { path, extent });
    }

    pub(super) fn write(&mut self, extent: Extent, path: impl Into<String>) {
        let path = path.into();
        for path in self.elsewhere(&path) {
            self.writes.push(PathClaim { path, extent });
        }
        self.need_above(&path);
        self.writes.push(PathClaim { path, extent });
    }

    /// To reach a path its folders must be there.
    fn need_above(&mut self, path: &str) {
        for above in ancestors(path).filter(|a| *a != "/") {
            if !self.established.contains(above) && !self.needed.contains(above) {
                self.needed.insert(above.to_string());
            }
        }
    }

    /// What was read and what was written since the mark, folders that must be there left out.
    pub(super) fn touched(&self, mark: Mark) -> (Vec<PathClaim>, Vec<PathClaim>) {
        let since = |all: &[PathClaim], from: usize| all.get(from..).unwrap_or_default().to_vec();
        (
            since(&self.reads, mark.reads),
            since(&self.writes, mark.writes),
        )
    }

    /// What was made and what was written since the mark.
    pub(super) fn since(&self, mark: Mark) -> (&[PathClaim], &[PathClaim]) {
        let makes = self.makes.get(mark.makes..).unwrap_or_default();
        let writes = self.writes.get(mark.writes..).unwrap_or_default();
        (makes, writes)
    }

    /// Creates a folder, and those above it, where they are missing.
    pub(super) fn make(&mut self, path: &str) {
        let above = ancestors(path).filter(|a| *a != "/");
        self.makes.extend(above.map(PathClaim::exact));
        self.makes.push(PathClaim::exact(path));
    }

    /// May leave a link.
    pub(super) fn link(&mut self, extent: Extent, path: impl Into<String>, to: Option<String>) {
        let path = path.into();
        self.links.push(Link {
            at: PathClaim { path, extent },
            to,
            hard: false,
            instead: false,
        });
    }

    /// May leave a link where the one noted last cannot be, as there is a folder.
    pub(super) fn link_instead(&mut self, path: impl Into<String>, to: Option<String>) {
        self.link(Extent::Exact, path, to);
        if let Some(link) = self.links.last_mut() {
            link.instead = true;
        }
    }

    /// Two names of one file.
    pub(super) fn same_file(&mut self, one: &str, other: &str) {
        for (at, to) in [(one, other), (other, one)] {
            self.links.push(Link {
                at: PathClaim::exact(at),
                to: Some(to.to_string()),
                hard: true,
                instead: false,
            });
        }
    }

    /// Brings links along, if there are any.
    pub(super) fn carry(&mut self, from: PathClaim, to: PathClaim) {
        self.carries.push((from, to));
    }

    /// Times, inode numbers or the order of these may show in what it leaves behind.
    pub(super) fn observe(&mut self, extent: Extent, path: impl Into<String>) {
        let path = path.into();
        self.observes.push(PathClaim { path, extent });
    }

    /// The command fails where there is nothing at a path.
    pub(super) fn require(&mut self, path: &str) {
        if self.chained {
            self.requires.insert(path.to_owned());
        }
    }

    /// Takes note of the places that a path climbs out of.
    pub(super) fn climb(&mut self, base: Option<&str>, path: &str) {
        if path.contains("..") {
            self.climbs
                .extend(climbed(base, path).into_iter().map(PathClaim::exact));
        }
    }

    /// Looks up one user, by name or number.
    pub(super) fn read_account(&mut self, user: &str) {
        self.reads.push(PathClaim::exact(account(user)));
    }

    /// Looks up one group.
    pub(super) fn read_group(&mut self, name: &str) {
        self.reads.push(PathClaim::exact(group(name)));
    }

    /// Changes the user database in a way that leaves all entries but one as they are.
    pub(super) fn write_entry(&mut self, database: &str, name: &str) {
        self.entries.push(PathClaim::exact(database));
        self.entries
            .push(PathClaim::exact(format!("{database}/{name}")));
    }

    /// Starts an everyday program: reads it where it may be found, and what it loads.
    pub(super) fn read_program(&mut self, name: &str) {
        for directory in PROGRAM_DIRECTORIES {
            let path = format!("{directory}/{name}");
            self.programs.push(PathClaim::exact(path));
        }
        for (extent, path) in LOADED {
            let path = (*path).to_string();
            let extent = *extent;
            self.programs.push(PathClaim { path, extent });
        }
    }

    /// Looks a program up in a directory of `PATH`.
    pub(super) fn read_program_at(&mut self, path: String) {
        self.programs.push(PathClaim::exact(path));
    }

    /// Looks whether there is a program of this name.
    pub(super) fn look_for_program(&mut self, name: &str) {
        for directory in PROGRAM_DIRECTORIES {
            self.reads
                .push(PathClaim::exact(format!("{directory}/{name}")));
        }
    }

    /// The claims so far.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            reads: self.reads.len(),
            writes: self.writes.len(),
            makes: self.makes.len(),
        }
    }

    /// Whether there are more claims than at the mark.
    pub(super) fn grew(&self, mark: Mark) -> bool {
        self.reads.len() > mark.reads
            || self.writes.len() > mark.writes
            || self.makes.len() > mark.makes
    }

    /// What a program does that is not known in every detail: where it writes there may be links, and times
    /// and orders may show in that.
    pub(super) fn unplain(&mut self, mark: Mark) {
        let written: Vec<PathClaim> = self.since(mark).1.to_vec();
        for claim in written {
            self.link(claim.extent, claim.path, None);
        }
        self.observe(Extent::Subtree, "/");
    }

    /// Notes what the claims since the mark came from.
    pub(super) fn explain(&mut self, span: Span, mark: Mark, idle: bool) {
        if span.is_empty() {
            return;
        }
        let since = |all: &[PathClaim], from: usize| all.get(from..).unwrap_or_default().to_vec();
        let system =
            |c: &PathClaim| c.extent == Extent::Subtree && SYSTEM_READS.contains(&c.path.as_str());
        let mut reads = since(&self.reads, mark.reads);
        // The system's directories are read by every program and would hide the rest.
        if reads.iter().filter(|c| system(c)).count() > 2 {
            reads.retain(|c| !system(c));
        }
        let mut writes = since(&self.writes, mark.writes);
        writes.extend(since(&self.makes, mark.makes));
        let mut known = self.evidence.iter_mut();
        match known.find(|e| e.span == span) {
            Some(e) => {
                e.idle &= idle;
                e.reads.append(&mut reads);
                e.writes.append(&mut writes);
            }
            None => self.evidence.push(Evidence {
                span,
                idle,
                reads,
                writes,
            }),
        }
    }

    /// Writes a whole list of directories.
    pub(super) fn write_all(&mut self, directories: &[&str]) {
        for d in directories {
            self.write(Extent::Subtree, *d);
        }
    }

    /// What package managers and the packages' own scripts touch.
    pub(super) fn touch_system(&mut self) {
        self.packages.push((self.reads.len(), self.writes.len()));
        for d in SYSTEM_WRITES {
            self.read(Extent::Subtree, *d);
            self.write(Extent::Subtree, *d);
        }
    }

    /// All claims but those of package managers, where there are any.
    fn beside_packages(&self) -> Option<PathSet> {
        if self.packages.is_empty() {
            return None;
        }
        // The claims only grow, so the last that starts before it decides.
        let of_packages = |n: usize, start: fn(&(usize, usize)) -> usize| {
            let upto = self.packages.partition_point(|p| start(p) <= n);
            let last = self.packages[..upto].last().map(start);
            last.is_some_and(|s| n < s + SYSTEM_WRITES.len())
        };
        let reads = self.reads.iter().enumerate();
        let reads = reads.filter(|(n, _)| !of_packages(*n, |p| p.0));
        let writes = self.writes.iter().enumerate();
        let writes = writes.filter(|(n, _)| !of_packages(*n, |p| p.1));
        let own = reads.chain(writes).map(|(_, c)| c).chain(&self.makes);
        let needed = self.needed.iter().map(PathClaim::exact);
        Some(PathSet::new(own.cloned().chain(needed).collect()))
    }

    /// Reads the system's directories.
    pub(super) fn read_system(&mut self) {
        for d in SYSTEM_READS {
            self.read(Extent::Subtree, *d);
        }
    }

    /// The result.
    pub(super) fn finish(mut self, classes: Vec<Class>, commands: Vec<String>) -> Footprint {
        // Whoever writes the user database itself may write any entry.
        for file in ["/etc/passwd", "/etc/group"] {
            let written = |c: &&mut PathClaim| c.path == file;
            for claim in self.writes.iter_mut().filter(written) {
                claim.extent = Extent::Subtree;
            }
        }
        self.writes.append(&mut self.entries);
        // Folders get another mode then.
        if self.masked {
            self.writes.extend(self.makes.iter().cloned());
        }
        let beside_packages = self.beside_packages();
        let writes = PathSet::new(with_links(self.writes));
        let makes = PathSet::new(with_links(self.makes));
        let programs = PathSet::new(with_links(self.programs));
        self.reads
            .extend(self.needed.into_iter().map(PathClaim::exact));
        let reads = PathSet::new(with_links(self.reads));
        let builds = self.opaque.is_none() && self.builds.is_some();
        let opaque = self.opaque.or(self.builds);
        let exact = self.assumptions.is_empty() && opaque.is_none();
        let mut evidence = self.evidence;
        evidence.sort_by_key(|e| e.span);
        Footprint {
            beside_packages,
            reads,
            programs,
            writes,
            makes,
            links: with_other_places(self.links),
            carries: self.carries,
            observes: PathSet::new(with_links(self.observes)),
            climbs: PathSet::new(self.climbs),
            requires: self.requires,
            variables: match (opaque.is_some() || self.any_variable, self.tools) {
                (true, _) => Variables::Any,
                (false, true) => Variables::AndThoseOfTools(self.names),
                (false, false) => Variables::Only(self.names),
            },
            varies: self.varies,
            network: self.network,
            opaque,
            builds,
            certainty: if exact {
                Certainty::Exact
            } else {
                Certainty::Assumed
            },
            assumptions: self.assumptions,
            classes,
            uses: self.uses,
            recipes: Vec::new(),
            commands,
            evidence,
            outcome: None,
            script: self.script,
        }
    }
}

/// The same for places of links. What a relative text says depends on which of them it is.
fn with_other_places(links: Vec<Link>) -> Vec<Link> {
    let mut all = Vec::new();
    for link in links {
        let places = with_links(vec![link.at.clone()]);
        let sure = places.len() == 1 || link.hard;
        for at in places {
            let to = link.to.clone().filter(|_| sure);
            let hard = link.hard;
            let instead = link.instead && sure;
            all.push(Link {
                at,
                to,
                hard,
                instead,
            });
        }
    }
    all
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
