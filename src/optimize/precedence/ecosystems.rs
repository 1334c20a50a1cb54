//! Installs of two ecosystems in one stage: gems and npm's packages, Python's and Composer's.
//!
//! Goes in: two RUNs that do nothing else, or one and a COPY of the other's manifests. Comes out: that they commute, and
//! the sentence that it rests on. What package managers may touch by their claims is most of the system, where any two of
//! them meet; what they do touch is their own.
//! Cost: that of a pair of steps. Invariant: assumed, never exact; whatever else stands in the RUNs counts in full.

use super::super::effect::Effect;
use super::{Relation, Scene};
use crate::dockerfile::Kind;
use crate::footprint::{Certainty, Footprint, PathClaim, PathSet, Use};
use crate::rewrite::needs::Needs;

/// A package manager's world.
struct Ecosystem {
    /// Its packages, for a sentence.
    packages: &'static str,
    tools: &'static [&'static str],
    /// Words that install what the project asks for, or say how.
    installs: &'static [&'static str],
    /// Files of the project that are its own.
    manifests: &'static [&'static str],
    /// Folders of the project that are its own.
    folders: &'static [&'static str],
    /// An install of which more is not known runs no program of the project: a Gemfile may look at anything, but scripts
    /// of npm and composer, and builds of a Python project, may run whatever the others bring.
    tame: bool,
}

const ALL: &[Ecosystem] = &[
    Ecosystem {
        packages: "npm packages",
        tools: &["npm", "yarn", "yarnpkg", "pnpm"],
        installs: &["install", "ci", "i"],
        manifests: &[
            "package.json",
            "package-lock.json",
            "yarn.lock",
            "pnpm-lock.yaml",
            "npm-shrinkwrap.json",
            ".npmrc",
            ".yarnrc",
            ".yarnrc.yml",
            "pnpm-workspace.yaml",
        ],
        folders: &["node_modules"],
        tame: false,
    },
    Ecosystem {
        packages: "gems",
        tools: &["bundle", "bundler"],
        installs: &["install", "config"],
        manifests: &["Gemfile", "Gemfile.lock"],
        folders: &["vendor", ".bundle"],
        tame: true,
    },
    Ecosystem {
        packages: "Python packages",
        tools: &["pip", "pip3", "poetry", "uv", "pipenv"],
        installs: &["install", "sync"],
        manifests: &["pyproject.toml", "poetry.lock", "uv.lock", "Pipfile.lock"],
        folders: &[".venv"],
        tame: false,
    },
    Ecosystem {
        packages: "Composer packages",
        tools: &["composer"],
        installs: &["install", "i"],
        manifests: &["composer.json", "composer.lock"],
        folders: &["vendor"],
        tame: false,
    },
];

/// Where in the list the uses of a RUN belong: all of them installs of one ecosystem.
fn of(footprint: &Footprint) -> Option<usize> {
    if footprint.opaque.is_some() {
        return None;
    }
    let installs = |used: &Use| {
        let at = ALL
            .iter()
            .position(|e| e.tools.contains(&used.tool.as_str()))?;
        let words = used.arguments.as_deref()?;
        // Options before the word would have to be known.
        let first = words.first()?;
        (used.wrapper.is_none() && ALL[at].installs.contains(&first.as_str())).then_some(at)
    };
    let mut all = footprint.uses.iter().map(installs);
    let first = all.next()??;
    all.all(|at| at == Some(first)).then_some(first)
}

impl Scene<'_> {
    /// Two installs of different ecosystems, of which one is known to need no more than its manifests.
    pub(super) fn two_ecosystems(
        &self,
        stage: usize,
        first: usize,
        second: usize,
    ) -> Option<Relation> {
        let world = |at: usize| {
            let step = self.stages[stage][at].step;
            step.and_then(|(_, s)| s.footprint.as_ref()).and_then(of)
        };
        let unknown = |at: usize| {
            let needs = &self.stages[stage][at].needs;
            world(at).is_some() && !matches!(needs, Some(Ok(_)))
        };
        // Whoever is known to need little passes all that is little: this is for those of which more is not known.
        match (world(first), world(second)) {
            (Some(a), Some(b)) if a != b => {}
            (None, Some(_)) if unknown(second) => {}
            (Some(_), None) if unknown(first) => {}
            _ => return None,
        }
        let (a, b) = (self.side(stage, first)?, self.side(stage, second)?);
        if a.world == b.world || !(a.known || b.known) {
            return None;
        }
        let sentence = format!(
            "installs of {} and of {} look at nothing of each other, and bring no program that the other runs",
            ALL[a.world].packages, ALL[b.world].packages
        );
        let found = self.steps(stage, (first, &a.effect), (second, &b.effect));
        found.resting_on([sentence], "they install packages of two ecosystems")
    }
}

/// One of two steps.
struct Side {
    /// Where in the list it belongs.
    world: usize,
    /// What it looks at of the project is known.
    known: bool,
    effect: Effect,
}

impl Scene<'_> {
    /// An install, or a COPY of nothing but manifests.
    fn side(&self, stage: usize, at: usize) -> Option<Side> {
        let item = &self.stages[stage][at];
        if let Some(footprint) = &item.step?.1.footprint {
            let world = of(footprint)?;
            return Some(Side {
                world,
                known: matches!(item.needs, Some(Ok(_))),
                effect: own(item.effect.as_ref()?, &item.needs, footprint, &ALL[world])?,
            });
        }
        if !matches!(item.instruction.kind(), Kind::Copy(_)) {
            return None;
        }
        let brought = self.arrivals(stage, at, self.files?)?;
        let everything = PathClaim::subtree("/");
        let name = |(place, _): &'_ (String, String)| place.rsplit('/').next().map(str::to_owned);
        // More than a few are no manifests.
        let names: Vec<String> = brought.at(&everything).take(20).filter_map(name).collect();
        let all = |e: &Ecosystem| names.iter().all(|n| e.manifests.contains(&n.as_str()));
        let few = names.len() < 20 && !names.is_empty();
        let world = ALL.iter().position(all).filter(|_| few)?;
        let Some(Ok(effect)) = &item.effect else {
            return None;
        };
        Some(Side {
            world,
            known: true,
            effect: effect.clone(),
        })
    }
}

/// The places at which an install of which more is not known may leave other files than those that were copied: of its
/// project what is its own.
pub(super) fn left_by_install(
    effect: &Result<Effect, String>,
    needs: &Option<Result<Needs, String>>,
    footprint: &Footprint,
) -> Option<PathSet> {
    let own = own(effect, needs, footprint, &ALL[of(footprint)?])?;
    let dirs: Option<Vec<&str>> = footprint.uses.iter().map(|u| u.dir.as_deref()).collect();
    let dirs: Vec<PathClaim> = dirs?.into_iter().map(PathClaim::exact).collect();
    let around = |c: &&PathClaim| dirs.iter().any(|d| c.covers(d));
    let all = effect.as_ref().ok()?.writes.claims.iter();
    let elsewhere = all.filter(|c| !around(c)).cloned();
    Some(PathSet::new(elsewhere.chain(own.writes.claims).collect()))
}

/// What an install does to its project, and what else its RUN does.
fn own(
    effect: &Result<Effect, String>,
    needs: &Option<Result<Needs, String>>,
    footprint: &Footprint,
    world: &Ecosystem,
) -> Option<Effect> {
    let effect = effect.as_ref().ok()?;
    let needs = match needs {
        Some(Ok(needs)) => needs.clone(),
        _ if !world.tame => return None,
        _ => {
            let mut needs = Needs::default();
            for used in &footprint.uses {
                let dir = used.dir.as_deref()?.trim_end_matches('/');
                let place = |name: &&str| format!("{dir}/{name}");
                let files = world.manifests.iter().map(|n| PathClaim::exact(place(n)));
                needs.reads.extend(files.clone());
                needs.writes.extend(files);
                let folders = world.folders.iter().map(|n| PathClaim::subtree(place(n)));
                needs.writes.extend(folders);
            }
            needs
        }
    };
    let beside = || footprint.beside_uses();
    let reads = beside().flat_map(|e| &e.reads).chain(needs.sees());
    // Folders made where they are missing are told apart from what is written.
    let made = |c: &&PathClaim| effect.makes.iter().any(|m| m.path == c.path);
    let written = beside().flat_map(|e| &e.writes).filter(|c| !made(c));
    let writes = written.chain(&needs.writes);
    Some(Effect {
        reads: PathSet::new(reads.cloned().collect()),
        writes: PathSet::new(writes.cloned().collect()),
        certainty: Some(Certainty::Assumed),
        assumptions: effect
            .assumptions
            .iter()
            .chain(&needs.assumptions)
            .cloned()
            .collect(),
        ..effect.clone()
    })
}
