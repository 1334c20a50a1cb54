//! Where paths really lead: the links of base images and those that steps leave behind.
//!
//! Goes in: a stage, and what its steps may leave. Comes out: for a claim on a path, whether it is that
//! place and no other. Two claims that are apart by their names are apart on disk only where no symbolic
//! or hard link makes one place of both. Costs O(claims · links). Invariant: a place is called plain only
//! where no link can be on the way to it, or below it where all below it is claimed.

use crate::footprint::{Extent, Link, PathClaim, PathSet, is_below};
use crate::plan::normalize_reference;

/// What is known of an image's links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BaseImage {
    /// There is nothing in it.
    Empty,
    /// Its links are in these folders and lead to these folders, kernel file systems aside.
    Plain {
        /// Folders in which there are links.
        system: Vec<&'static str>,
        /// Folders inside of those without.
        clear: &'static [&'static str],
        /// Folders that it surely has.
        given: &'static [&'static str],
    },
    /// Nothing is known of the image with this name.
    Unknown(String),
}

/// Folders in which distributions have links, all of which lead to such folders.
const SYSTEM: [&str; 14] = [
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run",
    "/sbin", "/sys", "/usr", "/var",
];

/// Folders inside of [`SYSTEM`] that a distribution leaves to the administrator and gives no links.
const LEFT_ALONE: &[&str] = &[
    "/usr/local/bin",
    "/usr/local/etc",
    "/usr/local/include",
    "/usr/local/lib",
    "/usr/local/sbin",
    "/usr/local/src",
    "/usr/src",
    "/var/local",
    "/var/opt",
    "/var/www",
];

/// The same of images that bring a language.
const LEFT_BY_LANGUAGES: &[&str] = &["/usr/src", "/var/local", "/var/opt", "/var/www"];

/// Entries of `/etc` that are links, or folders with links in them, in some distribution.
const LINKS_IN_ETC: &[&str] = &[
    "X11",
    "adjtime",
    "alternatives",
    "apk",
    "apt",
    "ca-certificates",
    "chromium",
    "crontabs",
    "crypto-policies",
    "dbus-1",
    "dpkg",
    "fonts",
    "grub2.cfg",
    "init.d",
    "java",
    "localtime",
    "motd",
    "mtab",
    "mysql",
    "openmpi",
    "os-release",
    "pam.d",
    "perl",
    "pki",
    "printcap",
    "python",
    "python3",
    "redhat-release",
    "resolv.conf",
    "rmt",
    "skel",
    "ssl",
    "ssl1.1",
    "sysctl.d",
    "system-release",
    "systemd",
    "terminfo",
    "tmpfiles.d",
    "udev",
    "vtrgb",
    "xdg",
    "yum.conf",
];

/// Official images, and the folders beyond [`SYSTEM`] in which they have links or that links lead to.
/// From the Dockerfiles that the images are published with; the third column are folders without. A tag that breaks this breaks what is called proven, see docs/proofs.md.
const OFFICIAL: &[(&str, &[&str], &[&str])] = &[
    ("alpine", &[], LEFT_ALONE),
    ("busybox", &[], LEFT_ALONE),
    ("debian", &[], LEFT_ALONE),
    ("golang", &["/go"], LEFT_BY_LANGUAGES),
    ("node", &["/opt"], LEFT_BY_LANGUAGES),
    ("python", &[], LEFT_BY_LANGUAGES),
    ("ruby", &[], LEFT_BY_LANGUAGES),
    ("rust", &[], LEFT_BY_LANGUAGES),
    ("ubuntu", &[], LEFT_ALONE),
];

/// Registries that mirror the official images under their names.
const MIRRORS: &[&str] = &[
    "docker.io/library/",
    "mirror.gcr.io/library/",
    "public.ecr.aws/docker/library/",
];

/// Folders that every image but an empty one has, whatever the name of its maker.
pub const GIVEN: [&str; 8] = [
    "/bin", "/dev", "/etc", "/home", "/root", "/tmp", "/usr", "/var",
];

/// Folders of an image that the Dockerfile calls plain.
const GIVEN_PLAIN: [&str; 5] = ["/bin", "/dev", "/etc", "/tmp", "/usr"];

/// How often a link that leads to a link is followed.
const MAX_HOPS: usize = 16;

impl BaseImage {
    /// What is known of an image by its name; `plain` where the Dockerfile says that it is.
    #[must_use]
    pub fn of(reference: &str, plain: bool) -> Self {
        let full = normalize_reference(reference);
        let name = MIRRORS.iter().find_map(|m| full.strip_prefix(m));
        let name = name.and_then(|n| n.split([':', '@']).next());
        let official = name.and_then(|n| OFFICIAL.iter().find(|(o, ..)| *o == n));
        match official {
            Some((_, more, clear)) => Self::Plain {
                system: SYSTEM.iter().chain(*more).copied().collect(),
                clear,
                given: &GIVEN,
            },
            None if plain => Self::Plain {
                system: SYSTEM.to_vec(),
                clear: LEFT_BY_LANGUAGES,
                given: &GIVEN_PLAIN,
            },
            None => Self::Unknown(reference.to_owned()),
        }
    }

    /// Whether the image has this folder; of an image that is not known that is an assumption.
    #[must_use]
    pub fn has(&self, folder: &str) -> bool {
        match self {
            Self::Empty => false,
            Self::Plain { given, .. } => given.contains(&folder),
            Self::Unknown(_) => GIVEN.contains(&folder),
        }
    }
}

/// Where a claim leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// To its own place.
    Plain,
    /// Somewhere in the system folders.
    System,
    /// Anywhere.
    Anywhere,
}

/// What is known of the links of a file system while a pair of steps is looked at.
#[derive(Clone, Debug)]
pub struct Ground<'a> {
    /// The image below.
    pub base: &'a BaseImage,
    /// What steps may have left.
    pub links: Vec<&'a Link>,
}

impl Ground<'_> {
    /// The claims with the places that known links lead them to, and whether all links on the way are
    /// known.
    #[must_use]
    pub fn follow(&self, claims: &PathSet) -> (PathSet, bool) {
        let mut all = claims.claims.clone();
        let mut from = 0;
        let mut known = true;
        for _ in 0..MAX_HOPS {
            let mut more: Vec<PathClaim> = Vec::new();
            for claim in &all[from..] {
                for link in &self.links {
                    if !on_the_way(link, claim) {
                        continue;
                    }
                    let Some(to) = &link.to else {
                        known = false;
                        continue;
                    };
                    let leads = through(link, to, claim);
                    if !all.contains(&leads) && !more.contains(&leads) {
                        more.push(leads);
                    }
                }
            }
            if more.is_empty() {
                return (PathSet::new(all), known);
            }
            from = all.len();
            all.append(&mut more);
        }
        (PathSet::new(all), false)
    }

    /// Where a claim leads as far as the base image goes.
    #[must_use]
    pub fn reach(&self, claim: &PathClaim) -> Reach {
        match self.base {
            BaseImage::Empty => Reach::Plain,
            BaseImage::Unknown(_) => Reach::Anywhere,
            BaseImage::Plain { clear, .. } if is_clear(clear, claim) => Reach::Plain,
            BaseImage::Plain { system, .. } => {
                let system: Vec<PathClaim> =
                    system.iter().map(|s| PathClaim::subtree(*s)).collect();
                match PathSet::new(system).overlaps(&PathSet::new(vec![claim.clone()])) {
                    Some(_) if claim.path == "/" => Reach::Anywhere,
                    Some(_) => Reach::System,
                    None => Reach::Plain,
                }
            }
        }
    }
}

/// Whether a claim lies in a system folder that has no links, or is an entry of `/etc` that is none.
fn is_clear(clear: &[&str], claim: &PathClaim) -> bool {
    let top = |folder: &&str| PathClaim::subtree(*folder).covers(claim);
    let entry = claim.path.strip_prefix("/etc/");
    let entry = entry.and_then(|rest| rest.split('/').next());
    // A folder that is known to have none is no link itself, nor are those above it.
    let above = |folder: &&str| {
        claim.extent == Extent::Exact
            && PathClaim::subtree(&*claim.path).covers(&PathClaim::exact(*folder))
    };
    let plain = |name: &str| {
        // `rc0.d` and the like.
        !(LINKS_IN_ETC.contains(&name)
            || name.starts_with("rc")
            || name.starts_with("java-")
            || name.starts_with("python"))
    };
    clear.iter().any(|f| top(f) || above(f))
        || claim == &PathClaim::exact("/etc")
        || entry.is_some_and(plain)
}

/// Whether a link may be met where this claim is worked on.
pub fn on_the_way(link: &Link, claim: &PathClaim) -> bool {
    if link.hard {
        return claim.covers(&link.at);
    }
    let below = claim.extent == Extent::Subtree && is_below(&link.at.path, &claim.path);
    below || is_below(&claim.path, &link.at.path)
}

/// The place a claim leads to through a link.
pub fn through(link: &Link, to: &str, claim: &PathClaim) -> PathClaim {
    if link.hard {
        return PathClaim::exact(to);
    }
    match claim.path.strip_prefix(&*link.at.path) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => PathClaim {
            path: match format!("{}{rest}", to.trim_end_matches('/')) {
                root if root.is_empty() => "/".to_owned(),
                path => path,
            },
            extent: claim.extent,
        },
        // The link lies below what is claimed.
        _ => PathClaim::subtree(to),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(at: &str, to: Option<&str>) -> Link {
        Link {
            at: PathClaim::exact(at),
            to: to.map(str::to_owned),
            hard: false,
            instead: false,
        }
    }

    #[test]
    fn claims_follow_links_that_are_known() {
        let links = [
            link("/w", Some("/data")),
            link("/data/x", Some("/srv")),
            link("/odd", None),
        ];
        let ground = Ground {
            base: &BaseImage::Empty,
            links: links.iter().collect(),
        };
        for (claim, places, known) in [
            (PathClaim::exact("/w/a"), "/data/a /w/a", true),
            (PathClaim::exact("/w/x/a"), "/data/x/a /srv/a /w/x/a", true),
            (PathClaim::subtree("/data"), "/data /srv", true),
            (PathClaim::exact("/data"), "/data", true),
            (PathClaim::exact("/wide"), "/wide", true),
            (PathClaim::exact("/odd/a"), "/odd/a", false),
            (PathClaim::subtree("/"), "/", false),
        ] {
            let (found, all) = ground.follow(&PathSet::new(vec![claim.clone()]));
            assert_eq!(all, known, "{claim:?}");
            let found: Vec<&str> = found.claims.iter().map(|c| c.path.as_str()).collect();
            if known {
                assert_eq!(found.join(" "), places, "{claim:?}");
            }
        }
    }

    #[test]
    fn links_in_a_ring_end() {
        let links = [link("/a", Some("/b/c")), link("/b", Some("/a/d"))];
        let ground = Ground {
            base: &BaseImage::Empty,
            links: links.iter().collect(),
        };
        assert!(
            !ground
                .follow(&PathSet::new(vec![PathClaim::exact("/a/x")]))
                .1
        );
    }

    #[test]
    fn images_are_known_by_their_official_names() {
        for (name, known) in [
            ("busybox", true),
            ("docker.io/library/debian:12-slim", true),
            ("public.ecr.aws/docker/library/node:22@sha256:0", true),
            ("example.org/node", false),
            ("someone/node", false),
            ("nodejs", false),
        ] {
            let found = BaseImage::of(name, false);
            assert_eq!(matches!(found, BaseImage::Plain { .. }), known, "{name}");
        }
        assert!(matches!(
            BaseImage::of("own", true),
            BaseImage::Plain { .. }
        ));
        let base = BaseImage::of("node", false);
        let ground = Ground {
            base: &base,
            links: Vec::new(),
        };
        for (path, reach) in [
            ("/usr/bin/x", Reach::System),
            ("/opt/x", Reach::System),
            ("/app", Reach::Plain),
        ] {
            assert_eq!(ground.reach(&PathClaim::exact(path)), reach, "{path}");
        }
        assert_eq!(ground.reach(&PathClaim::subtree("/")), Reach::Anywhere);
        assert_eq!(ground.reach(&PathClaim::exact("/")), Reach::Plain);
    }
}
